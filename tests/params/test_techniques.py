from pathlib import Path
from typing import Any

import pytest
from tests.house import ROOT

from graft.params.pipeline import read_params
from graft.yaml_files import read_yaml, written


def _refused(tmp_path: Path, **arm: Any) -> str:
    values = read_yaml(ROOT / "params.yaml")
    values["finetune_target"].update(arm)
    (tmp_path / "params.yaml").write_text(written(values).replace("Infinity", ".inf"))
    with pytest.raises(ValueError, match="want") as caught:
        read_params(tmp_path / "params.yaml")
    return str(caught.value)


@pytest.mark.parametrize(("key", "kind"), [("keeping", "l2_sp"), ("adapting", "coral"), ("adapting", "dann")])
def test_a_strength_without_end_is_refused(tmp_path: Path, key: str, kind: str) -> None:
    said = _refused(tmp_path, **{key: {"kind": kind, "strength": float("inf")}})
    assert f"finetune_target.{key}.strength: want a finite number, got inf" in said


def test_lists_are_called_lists(tmp_path: Path) -> None:
    dan = {"kind": "dan", "strength": 1.0}
    assert "blocks: want a list, such as [first, second], got 'block3'" in _refused(
        tmp_path, adapting={**dan, "blocks": "block3"}
    )
    assert "blocks: want a list of at least 1, got []" in _refused(tmp_path, adapting={**dan, "blocks": []})
