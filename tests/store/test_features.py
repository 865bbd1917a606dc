from pathlib import Path

import numpy as np

from graft.store.features import save_array


def test_an_array_is_saved_whole(tmp_path: Path) -> None:
    save_array(np.ones((2, 3), np.float32), tmp_path / "array.npy")
    np.testing.assert_array_equal(np.load(tmp_path / "array.npy"), np.ones((2, 3)))
    assert [each.name for each in tmp_path.iterdir()] == ["array.npy"]
