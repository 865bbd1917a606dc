"""The code of the working folder runs, even in an environment made for another clone."""

import hashlib
import re
import subprocess
import sys
from pathlib import Path

import pytest

from graft.yaml_files import read_yaml
from tests.clone import RECORDS, copied, environment
from tests.house import ROOT

# A dependency of its own in dvc.yaml, so that dvc.lock has its hash.
CODE = "src/graft/files.py"
MARK = 'import hashlib; print("ran", hashlib.md5(open(__file__, "rb").read()).hexdigest(), flush=True)\n'
CHECK_PARAMS = ("-c", "from graft.cli import main; main(['check-params'])")


@pytest.fixture(scope="module")
def second(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A second clone with other code, which prints its own hash."""
    folder = tmp_path_factory.mktemp("second") / "graft"
    copied(folder, without={*RECORDS, "dvc.lock"})
    with (folder / CODE).open("a") as module:
        module.write(MARK)
    return folder


def _python(folder: Path, *arguments: str, path: str = str(ROOT / "src")) -> subprocess.CompletedProcess[str]:
    """Run Python in a folder with this repository's package on its path, as in the shell of a first clone."""
    variables = {**environment(), "PYTHONPATH": path}
    return subprocess.run([sys.executable, *arguments], cwd=folder, env=variables, capture_output=True, text=True)


@pytest.mark.pipeline
def test_dvc_runs_the_code_that_it_hashes(second: Path) -> None:
    done = _python(second, "-m", "dvc", "repro", "prepare_data")
    assert done.returncode == 0, done.stderr
    lock = read_yaml(second / "dvc.lock")
    hashed = {dep["path"]: dep["md5"] for dep in lock["stages"]["prepare_data"]["deps"]}
    assert re.findall(r"^ran (\w+)$", done.stdout, re.MULTILINE) == [hashed[CODE]]
    assert hashed[CODE] == hashlib.md5((second / CODE).read_bytes()).hexdigest()


@pytest.mark.parametrize("stage", sorted((ROOT / "stages").glob("*.py")), ids=lambda file: file.stem)
def test_every_stage_script_runs_inside_the_check(stage: Path) -> None:
    assert stage.read_text().endswith('if __name__ == "__main__":\n    stage.run(main)\n')


def test_a_stage_refuses_code_of_another_folder_in_one_sentence(second: Path) -> None:
    done = _python(second, "stages/gate_release.py")
    assert done.returncode == 1
    said = done.stderr.splitlines()
    assert said[-1] == ""
    assert said[-2].startswith(
        f"{second / 'src/graft'}: want to run the code of this folder, got that of {ROOT}/src/graft."
    )
    assert "Traceback" not in done.stderr


def test_a_command_refuses_code_of_another_folder_and_its_advice_works(second: Path) -> None:
    done = _python(second, *CHECK_PARAMS)
    assert done.returncode == 1
    (said,) = done.stderr.splitlines()
    assert "want to run the code of this folder" in said
    assert "`export PYTHONPATH=src`" in said
    assert _python(second, *CHECK_PARAMS, path="src").returncode == 0


def test_a_folder_without_code_of_its_own_is_not_checked(second: Path, tmp_path: Path) -> None:
    (tmp_path / "params.yaml").write_text((ROOT / "params.yaml").read_text())
    assert _python(tmp_path, *CHECK_PARAMS).returncode == 0
