import difflib
import shutil
from pathlib import Path

import pytest
from tests.house import ROOT

from graft.params.pipeline import read_params
from graft.start.edits import Setting, edits, value_at, write_edits


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return Path(shutil.copy(ROOT / "params.yaml", tmp_path))


def _settings(**values: object) -> dict[str, Setting]:
    return {key.replace("__", "."): Setting(value, "why") for key, value in values.items()}


def test_only_the_lines_of_what_differs_change(path: Path) -> None:
    before = path.read_text()
    wanted = _settings(
        training__epochs=7, finetune_target__rates=(0.5,), train_scratch__rates=[0.25], prepare_data__dataset="example"
    )
    made = edits(path, wanted)
    lines = [line for line in difflib.ndiff(before.splitlines(), made.text.splitlines()) if line.startswith("+ ")]
    assert lines == ["+   epochs: 7", "+   rates: [0.5]", "+   rates: [0.25]"]
    assert list(made.changed) == ["training.epochs", "finetune_target.rates", "train_scratch.rates"]
    assert (made.params.training.epochs, made.params.finetune_target.rates) == (7, (0.5,))
    assert path.read_text() == before


def test_what_the_file_says_already_is_no_edit(path: Path) -> None:
    path.write_text(edits(path, _settings(training__epochs=7)).text)
    made = edits(path, _settings(training__epochs=7, finetune_target__rates=read_params(path).finetune_target.rates))
    assert made.changed == {}
    assert made.text == path.read_text()


@pytest.mark.parametrize("ends", ["\n", "\r\n"])
def test_a_key_that_is_left_out_gets_a_line_in_its_section(path: Path, ends: str) -> None:
    kept = [line for line in path.read_text().splitlines() if "weights_" not in line]
    path.write_bytes("".join(f"{line}{ends}" for line in kept).encode())
    wanted = {"weights": "file", "weights_file": "net.pth", "weights_sha256": "0" * 64, "name": "resnet18"}
    made = edits(path, _settings(**{f"network__{key}": value for key, value in wanted.items()}))
    assert made.params.network.model_dump() == wanted
    assert [line for line in made.text.split(ends) if line.split(":")[0].strip() not in wanted] == [
        line for line in [*kept, ""] if line.split(":")[0].strip() not in wanted
    ]
    assert ("\r" in made.text) == ("\r" in ends)


def test_values_that_do_not_go_together_are_said_of_the_file_itself(path: Path) -> None:
    with pytest.raises(ValueError, match="want as many finetune_target.rates as") as caught:  # noqa: RUF043
        edits(path, _settings(finetune_target__rates=[0.5]))
    assert str(caught.value).startswith(f"{path}: ")


def test_a_link_stays_one_and_permissions_stay(path: Path) -> None:
    path.chmod(0o600)
    link = path.with_name("link.yaml")
    link.symlink_to(path.name)
    write_edits(link, edits(link, _settings(training__epochs=7)))
    assert link.is_symlink()
    assert (read_params(path).training.epochs, path.stat().st_mode & 0o777) == (7, 0o600)


def test_edits_made_in_the_meantime_are_not_written_over(path: Path) -> None:
    made = edits(path, _settings(training__epochs=7))
    path.write_text(path.read_text() + "# of a person\n")
    before = path.read_bytes()
    with pytest.raises(RuntimeError, match=r"got edits made since then\. They stay"):
        write_edits(path, made)
    assert path.read_bytes() == before


@pytest.mark.parametrize(("key", "value"), [("a.b", 1), ("a.c", None), ("a.b.c", None)])
def test_a_dotted_key_has_a_value(key: str, value: int | None) -> None:
    assert value_at({"a": {"b": 1}}, key) == value
