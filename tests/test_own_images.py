"""A user's own files under every command that graft advises: none is lost, none gets into git.

The pipeline is cut down to `prepare_data`; .gitignore, .dvcignore, .dvc/config and the code are the real ones.
"""

import hashlib
import re
import subprocess
import time
from pathlib import Path
from typing import NamedTuple

import pytest
from dvc.utils.serialize import dumps_yaml, parse_yaml

from graft.yaml_files import read_yaml
from tests.clone import RECORDS, copied, environment
from tests.house import ROOT
from tests.validation.planting import CLASSES, picture, save

# A file that dvc.yaml names on its own, so that dvc.lock has its hash.
CODE = "src/graft/networks/preprocessing.py"
MARK = 'import hashlib; print("ran", hashlib.md5(open(__file__, "rb").read()).hexdigest(), flush=True)\n'
CHANGE_CODE = f"cat ../mark.py >> {CODE}"
BACK = "git checkout . && dvc checkout dvc.yaml && dvc repro"
EDIT_AND_BACK = f"sed -i 's/^seed: 0/seed: 9/' params.yaml && dvc repro && {BACK}"
RUN = "dvc exp run -n plain -S seed=1"
TEMP = f"{CHANGE_CODE} && dvc exp run --temp -n temp -S seed=2 && git checkout ."
QUEUE = f"{CHANGE_CODE} && dvc exp run --queue -n queued -S seed=3 && git checkout . && dvc queue start"
OTHER_BRANCH = "git checkout bare && dvc checkout --allow-missing"  # nothing was ever run there

# in the order of a life: what the README, docs/, data/raw/README.md, `make doctor` and the messages advise, and what
# anybody who uses DVC does in between
LIFE = (
    "dvc remote add --default store ../../store",
    "git add -A && git commit -m 'Images in place, not yet added to DVC' && git branch bare",
    "dvc add data/raw/target",
    "dvc add data/raw/source",
    "dvc add models/weights/net.pth",
    "dvc add models/banks/photographs.npz",
    "git add data/raw/target.dvc data/raw/source.dvc models/weights/net.pth.dvc models/banks/photographs.npz.dvc",
    "git commit -m 'Images'",
    "dvc repro",
    "dvc repro --force --single-item prepare_data",
    "git add -A && git commit -m 'First run'",
    RUN,
    BACK,
    EDIT_AND_BACK,
    TEMP,
    QUEUE,
    "dvc exp apply plain",
    "git checkout . && dvc checkout",
    f"{OTHER_BRANCH} && git checkout main && dvc checkout",
    "dvc push",
    "dvc gc --workspace --force",
    f"{OTHER_BRANCH} && dvc gc --all-commits --all-experiments --force && git checkout main && dvc checkout",
    "rm -r data/raw/source data/raw/target models/weights/net.pth && dvc checkout",
)
PULL = "dvc pull"
REMOVES_NOTHING = {"dvc params diff", "dvc metrics diff", "dvc exp show", "dvc plots", "git clone", "git lfs"}
"""they only look, make a new folder, or fetch the content of a file that git holds"""


class Life(NamedTuple):
    """A clone that went through LIFE: the files put into it, those there after each step, and what was said."""

    folder: Path
    files: set[tuple[str, str]]
    after: dict[str, set[tuple[str, str]]]
    said: dict[str, str]


def _bash(folder: Path, command: str) -> str:
    done = subprocess.run(["bash", "-ec", command], cwd=folder, env=environment(), capture_output=True, text=True)
    assert done.returncode == 0, f"{command}\n{done.stdout}{done.stderr}"
    return done.stdout + done.stderr


def _own_files(folder: Path) -> set[tuple[str, str]]:
    """Name and hash of every file of the user that DVC keeps track of."""
    files = [file for own in ("data/raw", "models/weights", "models/banks") for file in (folder / own).rglob("*")]
    graft_or_dvc = {"README.md", ".gitignore", "target.dvc", "source.dvc", "net.pth.dvc", "photographs.npz.dvc"}
    return {
        (file.relative_to(folder).as_posix(), hashlib.sha256(file.read_bytes()).hexdigest())
        for file in files
        if file.is_file() and file.name not in graft_or_dvc
    }


def _put_files(folder: Path) -> None:
    for number in range(6):
        for place, label in enumerate(CLASSES):
            for domain in ("source", "target"):
                image = picture(4 * number + 2 * place + (domain == "target"))
                save(folder / f"data/raw/{domain}/{label}/{number}.png", image)
    (folder / "data/raw/target/cat/0.png").rename(folder / "data/raw/target/cat/scan.tmp")
    for name in ("models/weights/net.pth", "models/banks/photographs.npz"):
        (folder / name).parent.mkdir(parents=True)
        (folder / name).write_text(name)


def _prepare(folder: Path) -> None:
    copied(folder, without={*RECORDS, "dvc.lock"})
    wiring = read_yaml(folder / "dvc.yaml")
    prepare = wiring["stages"]["prepare_data"]
    (folder / "dvc.yaml").write_text(dumps_yaml({"stages": {"prepare_data": prepare}}))
    params = folder / "params.yaml"
    params.write_text(params.read_text().replace("dataset: example", "dataset: folders"))
    (folder.parent / "mark.py").write_text(MARK)
    _put_files(folder)
    _bash(folder, "git branch -m main")


def _queue_ends(folder: Path) -> str:
    for _ in range(120):
        if re.search("Success|Failed", _bash(folder, "dvc queue status")):
            break
        time.sleep(1)
    _bash(folder, "dvc queue stop")
    return _bash(folder, "dvc queue logs queued")


@pytest.fixture(scope="module")
def life(tmp_path_factory: pytest.TempPathFactory) -> Life:
    folder = tmp_path_factory.mktemp("own") / "graft"
    _prepare(folder)
    files, after, said = _own_files(folder), {}, {}
    for command in LIFE:
        said[command] = _bash(folder, command) + (_queue_ends(folder) if command == QUEUE else "")
        after[command] = _own_files(folder)
    return Life(folder, files, after, said)


def _advised() -> set[str]:
    """The kinds of DVC and git commands that the documents and the messages name."""
    texts = [ROOT / "README.md", ROOT / "data/raw/README.md", *(ROOT / "docs").glob("*.md")]
    code = [file for room in ("src", "stages", "scripts") for file in (ROOT / room).rglob("*.py")]
    found: set[str] = set()
    for file in [*texts, *code]:
        text = file.read_text()
        for block in re.findall(r"^ *```(?:sh|bash)\n(.*?)^ *```$", text, re.MULTILINE | re.DOTALL):
            found.update(re.findall(r"^ *((?:dvc|git) [a-z]+.*)$", block, re.MULTILINE))
        found.update(re.findall(r"`((?:dvc|git) [a-z]+[^`]*)`", text))
    return {_kind(command) for line in found for command in line.split(" && ")}


def _kind(command: str) -> str:
    words = command.split()
    return " ".join(words[: 3 if words[1] in ("exp", "params", "metrics", "plots") else 2])


@pytest.mark.pipeline
@pytest.mark.parametrize("command", LIFE)
def test_no_file_is_lost_by(life: Life, command: str) -> None:
    assert life.after[command] == life.files


@pytest.mark.pipeline
def test_a_clone_that_pulls_has_every_file_and_runs_nothing_again(life: Life) -> None:
    clone = life.folder.parent / "clone"
    _bash(life.folder, f"git clone --quiet . {clone}")
    assert _own_files(clone) == set()
    _bash(clone, PULL)
    assert _own_files(clone) == life.files
    assert "Running stage" not in _bash(clone, "dvc repro")


@pytest.mark.pipeline
def test_no_file_of_the_user_is_in_git(life: Life) -> None:
    committed = set(_bash(life.folder, "git log --all --format= --name-only").split())
    assert "data/raw/target.dvc" in committed
    assert {name for name, _ in life.files} & committed == set()


@pytest.mark.pipeline
@pytest.mark.parametrize(("command", "experiment"), [(TEMP, "temp"), (QUEUE, "queued")])
def test_an_experiment_in_a_copy_runs_the_code_that_its_lock_names(life: Life, command: str, experiment: str) -> None:
    (ref,) = re.findall(rf"refs/exps/\S+/{experiment}$", _bash(life.folder, "git for-each-ref"), re.MULTILINE)
    lock = parse_yaml(_bash(life.folder, f"git show {ref}:dvc.lock"), ref)
    (hashed,) = [dep["md5"] for dep in lock["stages"]["prepare_data"]["deps"] if dep["path"] == CODE]
    assert re.findall(r"^ran (\w+)$", life.said[command], re.MULTILINE)[-1] == hashed
    assert hashed != hashlib.md5((life.folder / CODE).read_bytes()).hexdigest()


@pytest.mark.pipeline
def test_the_way_back_runs_nothing_again(life: Life) -> None:
    assert "Running stage" in life.said[RUN]
    assert "Running stage" not in life.said[BACK]
    assert life.said[EDIT_AND_BACK].count("Running stage") == 1


@pytest.mark.pipeline
def test_images_that_were_put_in_since_survive_an_experiment(life: Life) -> None:
    added = save(life.folder / "data/raw/target/cat/late.png", picture(99))
    grown = _own_files(life.folder)
    assert len(grown) == len(life.files) + 1
    try:
        for command in ("dvc exp run -n grown -S seed=4", BACK):
            _bash(life.folder, command)
            assert _own_files(life.folder) == grown, command
    finally:
        added.unlink()
        _bash(life.folder, "dvc add data/raw/target && git checkout .")


@pytest.mark.pipeline
def test_images_that_the_old_ignore_file_took_come_back_with_the_new_one(life: Life) -> None:
    ignored = life.folder / ".gitignore"
    new = ignored.read_text()
    ignored.write_text(new.replace("/data/raw/?*", "/data/raw/*"))
    _bash(life.folder, "dvc checkout")
    assert not [name for name, _ in _own_files(life.folder) if name.startswith("data/raw")]
    ignored.write_text(new)
    _bash(life.folder, "dvc checkout")
    assert _own_files(life.folder) == life.files


def test_every_advised_command_is_run_here() -> None:
    steps = [command for step in (*LIFE, PULL) for command in step.split(" && ")]
    assert len(_advised()) > 10
    assert _advised() - REMOVES_NOTHING <= {_kind(command) for command in steps if command.startswith(("dvc ", "git "))}
