"""The ledger of looks as DVC keeps it: an output that its own stage reads, and that no command of DVC may drop."""

import json
import shutil
import subprocess
from pathlib import Path

import pytest
from tests.clone import dvc, environment, rerun
from tests.house import ROOT

from graft.files import read_record
from graft.records.looks import LooksRecord
from graft.yaml_files import read_yaml

# A stage that looks at the same test images with the params of its file, as check_transfer does.
SCRIPT = """
import json
import sys
from pathlib import Path
from graft.decisions.verdict.looks import close_look, open_look
from graft.records.looks import Look
given = json.loads(Path("params.json").read_text())
look = Look(test_sha256="t", params_sha256=str(given["params"]), n_seeds=5, planned=1, level=0.05, verdict=None)
standing = open_look(Path("looks.json"), look)
if given.get("killed"):
    sys.exit(1)
verdict = "INCONCLUSIVE"
Path("verdict.json").write_text(json.dumps([standing.n_looks, standing.unplanned]))
close_look(Path("looks.json"), look, verdict)
"""
LOOKS = "models/records/looks.json"


def wiring_of_the_ledger() -> object:
    """What dvc.yaml says of the ledger in check_transfer."""
    outs = read_yaml(ROOT / "dvc.yaml")["stages"]["check_transfer"]["outs"]
    return next(each[LOOKS] for each in outs if isinstance(each, dict) and LOOKS in each)


@pytest.fixture(scope="module")
def first(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A repository in which a first look was taken and committed."""
    folder = tmp_path_factory.mktemp("first")
    (folder / "look.py").write_text(SCRIPT)
    stage = {
        "cmd": "python look.py",
        "deps": ["params.json"],
        "outs": [{"looks.json": wiring_of_the_ledger()}, {"verdict.json": {"cache": False, "persist": True}}],
    }
    (folder / "dvc.yaml").write_text(json.dumps({"stages": {"check": stage}}))
    ask(folder, 1)
    git(folder, "init", "-q")
    assert dvc(folder, "init", "-q").returncode == 0
    assert rerun(dvc(folder, "repro")) == ["check"]
    git(folder, "add", "-A")
    git(folder, "commit", "-qm", "first look")
    return folder


@pytest.fixture
def folder(first: Path, tmp_path: Path) -> Path:
    return shutil.copytree(first, tmp_path / "copy")


def ask(folder: Path, params: int, **others: bool) -> None:
    (folder / "params.json").write_text(json.dumps({"params": params, **others}))


def git(folder: Path, *arguments: str) -> None:
    subprocess.run(["git", *arguments], cwd=folder, check=True, env=environment(), capture_output=True)


def looks(folder: Path) -> list[str]:
    return [each.params_sha256 for each in read_record(LooksRecord, folder / "looks.json").looks]


def found(folder: Path) -> list[object]:
    return list(json.loads((folder / "verdict.json").read_text()))


def test_the_ledger_grows_from_run_to_run(folder: Path) -> None:
    ask(folder, 2)
    rerun(dvc(folder, "repro"))
    assert (looks(folder), found(folder)) == (["1", "2"], [2, True])
    assert rerun(dvc(folder, "repro")) == []


def test_a_forced_run_is_the_same_look(folder: Path) -> None:
    assert rerun(dvc(folder, "repro", "--force")) == ["check"]
    assert (looks(folder), found(folder)) == (["1"], [1, False])


def test_the_way_back_to_earlier_params_runs_again_and_keeps_both_looks(folder: Path) -> None:
    """DVC's cache of runs would bring back the files of the first look, and so a ledger without the second."""
    ask(folder, 2)
    rerun(dvc(folder, "repro"))
    ask(folder, 1)
    assert rerun(dvc(folder, "repro")) == ["check"]
    assert looks(folder) == ["1", "2"]


def test_checkout_keeps_looks_that_are_not_committed(folder: Path) -> None:
    ask(folder, 2)
    rerun(dvc(folder, "repro"))
    done = dvc(folder, "checkout", "--force")
    assert done.returncode == 0, done.stderr
    assert looks(folder) == ["1", "2"]


def test_a_killed_run_leaves_its_look_which_counts(folder: Path) -> None:
    ask(folder, 2, killed=True)
    assert dvc(folder, "repro").returncode != 0
    assert looks(folder) == ["1", "2"]
    ask(folder, 3)
    rerun(dvc(folder, "repro"))
    assert (looks(folder), found(folder)) == (["1", "2", "3"], [3, True])


def test_an_experiment_in_the_workspace_keeps_the_ledger(folder: Path) -> None:
    ask(folder, 2)
    done = dvc(folder, "exp", "run")
    assert done.returncode == 0, done.stderr
    assert (looks(folder), found(folder)) == (["1", "2"], [2, True])


def test_an_experiment_in_a_copy_begins_with_the_ledger_of_the_workspace(folder: Path) -> None:
    ask(folder, 2)
    done = dvc(folder, "exp", "run", "--temp", "--name", "aside")
    assert done.returncode == 0, done.stderr
    assert looks(folder) == ["1"]  # until it is applied
    applied = dvc(folder, "exp", "apply", "aside")
    assert applied.returncode == 0, applied.stderr
    assert (looks(folder), found(folder)) == (["1", "2"], [2, True])
