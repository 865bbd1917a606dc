from pathlib import Path

import pytest
from tests.validation.planting import CLASSES, SPLITS, picture, save


@pytest.fixture
def raw(tmp_path: Path) -> Path:
    """Sound data: source and target of two classes, the target in train, val and test folders."""
    number = 0
    for split in SPLITS:
        for label in CLASSES:
            for place in range(4):
                save(tmp_path / f"raw/target/{split}/{label}/{place}.png", picture(number))
                save(tmp_path / f"raw/source/{label}/{split}{place}.png", picture(1_000 + number))
                number += 1
    return tmp_path / "raw"
