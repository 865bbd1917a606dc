"""The doors of the Makefile and the set-up behind them, with stand-ins for what would take minutes."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.house import ROOT

GOOD_PYTHON = """#!/bin/sh
case "$*" in
    "-m venv --clear .venv") mkdir -p .venv/bin && cp "$0" .venv/bin/python && touch .venv/bin/activate ;;
    "-m pip "*) for last; do :; done; echo "$@" >> pip.log; [ ! -r "$last" ] || cat "$last" >> pip.log ;;
    "-c import sys"*) echo True ;;
esac
"""
GOOD_UV = '#!/bin/sh\necho "$@" >> uv.log\ncat "$(echo "$*" | sed "s/.*--constraint //; s/ .*//")" > constraint.log\n'


def _script(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    path.chmod(0o755)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "scripts").mkdir()
    shutil.copy(ROOT / "scripts" / "setup.sh", tmp_path / "scripts")
    shutil.copy(ROOT / "requirements.lock", tmp_path)
    _script(tmp_path / "tools" / "python3.11", GOOD_PYTHON)
    _script(tmp_path / "tools" / "uv", GOOD_UV)
    return tmp_path


def _setup(folder: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    path = f"{folder / 'tools'}{os.pathsep}/usr/bin{os.pathsep}/bin"
    return subprocess.run(
        ["bash", "scripts/setup.sh"], cwd=folder, capture_output=True, text=True, env={"PATH": path, **environment}
    )


def test_setup_installs_the_lock_and_graft_editable(folder: Path) -> None:
    assert _setup(folder).returncode == 0
    said = (folder / "uv.log").read_text()
    assert said.startswith("pip install --python .venv/bin/python ")
    assert "--constraint requirements.lock --build-constraint requirements.lock --editable .[all]" in said
    assert (folder / ".venv" / "ready").exists()


def _packages(lock: str) -> dict[str, bool]:
    """The pins of a lock, and whether each has hashes."""
    parts = [part for part in re.split(r"^(?=\w)", lock, flags=re.MULTILINE) if part]
    return {part.split("\n")[0].rstrip(" \\"): "--hash=sha256:" in part for part in parts}


def test_small_torch_goes_through_uvs_backend_and_is_held_to_no_hash_of_the_large_one(folder: Path) -> None:
    assert _setup(folder, GRAFT_TORCH="cpu").returncode == 0
    assert "--torch-backend cpu" in (folder / "uv.log").read_text()
    whole = _packages((folder / "requirements.lock").read_text())
    taken = _packages((folder / "constraint.log").read_text())
    assert all(whole.values())
    assert list(taken) == list(whole)
    without_hash = {pin.split("==")[0] for pin, has_hash in taken.items() if not has_hash}
    assert without_hash == {"torch", "torchvision"}


def test_uv_is_bootstrapped_at_its_locked_version_where_there_is_none(folder: Path) -> None:
    (folder / "tools" / "uv").unlink()
    _setup(folder)
    said = (folder / "pip.log").read_text()
    assert "--require-hashes" in said
    (pin,) = [
        part for part in re.split(r"^(?=\w)", (ROOT / "requirements.lock").read_text(), flags=re.M) if "uv==" in part
    ]
    assert said.endswith(pin)


@pytest.mark.parametrize(
    ("variables", "index"),
    [
        ({"UV_DEFAULT_INDEX": "https://mirror.example/simple"}, "https://mirror.example/simple"),
        ({"UV_DEFAULT_INDEX": "corp=https://mirror.example/simple"}, "https://mirror.example/simple"),
        ({"UV_DEFAULT_INDEX": "https://mirror.example/?simple=1"}, "https://mirror.example/?simple=1"),
        ({"UV_DEFAULT_INDEX": "https://uv.example", "PIP_INDEX_URL": "https://pip.example"}, "https://pip.example"),
        ({}, "unset"),
    ],
)
def test_uv_is_bootstrapped_from_uvs_own_index(folder: Path, variables: dict[str, str], index: str) -> None:
    (folder / "tools" / "uv").unlink()
    stand_in = GOOD_PYTHON.replace('echo "$@"', 'echo "${PIP_INDEX_URL-unset}" "$@"')
    _script(folder / "tools" / "python3.11", stand_in)
    _setup(folder, **variables)
    (said,) = [line for line in (folder / "pip.log").read_text().splitlines() if "--require-hashes" in line]
    assert said.split()[0] == index


def test_half_an_environment_is_made_anew(folder: Path) -> None:
    _script(folder / ".venv" / "bin" / "python", "#!/bin/sh\nexit 1\n")
    (folder / ".venv" / "ready").touch()
    assert _setup(folder).returncode == 0
    assert (folder / ".venv" / "bin" / "python").read_text() == GOOD_PYTHON


def test_an_environment_that_was_being_filled_when_killed_is_made_anew(folder: Path) -> None:
    _setup(folder)
    (folder / ".venv" / "installing").touch()
    (folder / ".venv" / "bin" / "python").write_text(GOOD_PYTHON + "# half\n")
    assert _setup(folder).returncode == 0
    assert (folder / ".venv" / "bin" / "python").read_text() == GOOD_PYTHON
    assert not (folder / ".venv" / "installing").exists()


def test_a_whole_environment_is_kept(folder: Path) -> None:
    _setup(folder)
    (folder / ".venv" / "kept").touch()
    assert _setup(folder).returncode == 0
    assert (folder / ".venv" / "kept").exists()


@pytest.mark.parametrize(
    ("tool", "text", "sentence"),
    [
        ("python3.11", "#!/bin/sh\nexit 1\n", "want Python 3.11 or newer"),
        (
            "python3.11",
            '#!/bin/sh\n[ "$2" = venv ] && exit 1\necho True\n',
            "want a virtual environment in .venv, got an error from 'python3.11 -m venv'. On Debian, install",
        ),
        ("uv", "#!/bin/sh\nexit 2\n", "want the packages of requirements.lock installed, got the error above."),
    ],
)
def test_setup_says_what_failed_in_one_sentence(folder: Path, tool: str, text: str, sentence: str) -> None:
    _script(folder / "tools" / tool, text)
    done = _setup(folder)
    assert done.returncode == 1
    (said,) = done.stderr.strip().splitlines()
    assert said.startswith("setup: ")
    assert sentence in said
    assert not (folder / ".venv" / "ready").exists()


def test_activation_turns_telemetry_off(folder: Path) -> None:
    _setup(folder)
    _setup(folder)
    lines = (folder / ".venv" / "bin" / "activate").read_text().splitlines()
    assert (
        lines.count(
            "export BENTOML_DO_NOT_TRACK=True DVC_NO_ANALYTICS=1 GX_ANALYTICS_ENABLED=false ORT_DISABLE_TELEMETRY=1"
        )
        == 1
    )


ODD = 'a$HOME `touch b` "c'


def test_activation_finds_an_environment_in_a_folder_of_any_name(folder: Path, tmp_path: Path) -> None:
    odd = tmp_path / ODD
    shutil.copytree(folder / "scripts", odd / "scripts")
    shutil.copy(folder / "requirements.lock", odd)
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", ".venv"], cwd=odd, check=True)
    _script(odd / "tools" / "python3.11", f'#!/bin/sh\n[ "$2" = venv ] || exec \'{sys.executable}\' "$@"\n')
    _script(odd / "tools" / "uv", GOOD_UV)
    _setup(odd)
    command = ["bash", "-c", 'source .venv/bin/activate; echo "$VIRTUAL_ENV"']
    done = subprocess.run(command, cwd=odd, capture_output=True, text=True, check=True)
    assert done.stdout == f"{odd}/.venv\n"


def test_doctor_takes_the_environment_out_of_the_path_in_a_folder_of_any_name(tmp_path: Path) -> None:
    odd = tmp_path / ODD
    _script(odd / ".venv" / "bin" / "python3.11", "#!/bin/sh\necho the wrong one\n")
    _script(odd / "scripts" / "doctor.py", "import os; print(os.environ['PATH'])")
    shutil.copy(ROOT / "Makefile", odd)
    python = f"#!/bin/sh\nexec '{sys.executable}' \"$@\"\n"
    _script(tmp_path / "tools" / "python3.11", python)
    path = f"{tmp_path}/tools{os.pathsep}/usr/bin{os.pathsep}/bin"
    command = ["make", "doctor"]
    done = subprocess.run(command, cwd=odd, capture_output=True, text=True, env={"PATH": path, "HOME": "/h"})
    assert (done.returncode, done.stdout.strip()) == (0, path), done.stderr
    assert not (odd / "b").exists()


def _repro(folder: Path, dvc: str) -> list[str]:
    """The last lines of `make repro` where DVC is a script that fails."""
    for name in ("Makefile", "pyproject.toml"):
        shutil.copy(ROOT / name, folder)
    (folder / "reports" / "provenance").mkdir(parents=True)
    for name, text in (("python", ""), ("graft", ""), ("dvc", dvc)):
        _script(folder / ".venv" / "bin" / name, f"#!/bin/sh\n{text}\n")
    (folder / ".venv" / "ready").touch()
    outer = ("MAKEFLAGS", "MAKELEVEL")
    variables = {name: text for name, text in os.environ.items() if name not in outer}
    done = subprocess.run(["make", "repro"], cwd=folder, capture_output=True, text=True, env=variables)
    assert done.returncode != 0
    return [line for line in done.stderr.splitlines() if line and not line.startswith("make")]


def test_a_failed_run_ends_in_the_sentence_of_its_stage(folder: Path) -> None:
    dvc = "echo 'train: want x, got y.' > reports/provenance/failure.txt; echo 'ERROR: exited with 1' >&2; exit 255"
    assert _repro(folder, dvc) == ["ERROR: exited with 1", "train: want x, got y."]


def test_a_stage_that_was_killed_before_it_could_say_anything_has_the_doors_sentence(folder: Path) -> None:
    error, said = _repro(folder, "echo 'ERROR: exited with -9' >&2; exit 255")
    assert error == "ERROR: exited with -9"
    assert said.startswith(
        "repro: want every stage to end well, got the error above. 'exited with -9' there: the system"
    )
    assert said.endswith("Lower training.batch_size or images.size_px in params.yaml, or close other programs.")


def _account(folder: Path, show: str, **environment: str) -> str:
    """What a shell that a door starts says, on an account of these variables alone."""
    (folder / "scripts" / "account.sh").write_text((ROOT / "scripts" / "account.sh").read_text())
    (folder / ".venv").mkdir(exist_ok=True)
    variables = {"PATH": "/usr/bin:/bin", "BASH_ENV": "scripts/account.sh", **environment}
    done = subprocess.run(["bash", "-c", show], cwd=folder, capture_output=True, text=True, env=variables, check=True)
    assert done.stderr == ""
    return done.stdout.strip()


def test_what_an_account_has_stays(folder: Path) -> None:
    own = {"USER": "me", "SHELL": "/bin/bash", "HOME": str(folder)}
    assert _account(folder, "echo $USER $SHELL $HOME $XDG_CACHE_HOME $BENTOML_HOME $GRAFT_ACCOUNT", **own) == (
        f"me /bin/bash {folder}"
    )


@pytest.mark.parametrize("shell", ["/usr/sbin/nologin", "/bin/false", "/no/such/shell"])
def test_a_shell_that_takes_no_command_is_replaced(folder: Path, shell: str) -> None:
    assert _account(folder, "echo $SHELL", SHELL=shell) == "/bin/sh"


def test_an_account_without_a_name_gets_one(folder: Path) -> None:
    assert _account(folder, "echo $USER") != ""
    assert _account(folder, "echo $USER", LOGNAME="other") == ""


def test_an_account_whose_home_cannot_be_written_gets_folders_that_can(folder: Path) -> None:
    said = _account(folder, "echo $HOME; echo $XDG_CACHE_HOME; echo $BENTOML_HOME", HOME="/no/such/home").split("\n")
    assert said == ["/no/such/home", *(f"{folder}/.venv/account/{name}" for name in ("cache", "bentoml"))]
    kept = _account(
        folder, "echo $XDG_CACHE_HOME $BENTOML_HOME", HOME="/no/home", XDG_CACHE_HOME="/a", BENTOML_HOME="/b"
    )
    assert kept == "/a /b"


@pytest.mark.parametrize("home", [{}, {"HOME": ""}, {"HOME": "not/absolute"}])
def test_an_account_without_a_home_gets_one_that_can_be_written(folder: Path, home: dict[str, str]) -> None:
    (folder / "tools" / "getent").write_text("#!/bin/sh\nexit 2\n")  # nobody knows this user
    (folder / "tools" / "getent").chmod(0o755)
    path = f"{folder / 'tools'}:/usr/bin:/bin"
    assert _account(folder, "echo $HOME", PATH=path, **home) == f"{folder}/.venv/account"
    assert (folder / ".venv" / "account").is_dir()


def test_where_the_environment_cannot_be_written_temporary_files_take_its_place(folder: Path) -> None:
    shutil.rmtree(folder / ".venv", ignore_errors=True)
    (folder / ".venv").mkdir()
    (folder / ".venv" / "account").touch()  # no folder can be made there
    said = _account(folder, "echo $BENTOML_HOME", HOME="/no/home", TMPDIR=str(folder))
    assert said == f"{folder}/graft-{os.getuid()}/bentoml"


def test_every_door_and_an_activated_shell_look_after_the_account(folder: Path) -> None:
    assert "export BASH_ENV := scripts/account.sh" in (ROOT / "Makefile").read_text().splitlines()
    _setup(folder)
    _setup(folder)
    lines = (folder / ".venv" / "bin" / "activate").read_text().splitlines()
    assert lines.count('. "$VIRTUAL_ENV/../scripts/account.sh"') == 1


def test_help_lists_every_door_on_a_line() -> None:
    done = subprocess.run(["make", "help"], cwd=ROOT, capture_output=True, text=True, check=True)
    doors = re.findall(r"^make (\w+)", done.stdout, re.MULTILINE)
    targets = re.findall(r"^\.PHONY: (.*)$", (ROOT / "Makefile").read_text(), re.MULTILINE)[0].split()
    assert sorted(doors) == sorted(targets)


def test_ci_runs_the_test_command_of_the_readme() -> None:
    commands = re.findall(r"^make \w+$", (ROOT / "README.md").read_text(), re.MULTILINE)
    assert "make test" in commands
    assert "make test" in (ROOT / ".ci" / "run").read_text()


def test_the_lock_names_no_address() -> None:
    for lock in ("requirements.lock", "requirements-serve.lock"):
        assert "://" not in (ROOT / lock).read_text()


def test_the_lock_holds_every_package_of_the_serving_lock_at_its_version() -> None:
    pins = set(re.findall(r"^(\S+==\S+)", (ROOT / "requirements.lock").read_text(), re.MULTILINE))
    serving = set(re.findall(r"^(\S+==\S+)", (ROOT / "requirements-serve.lock").read_text(), re.MULTILINE))
    assert serving
    assert serving <= pins


@pytest.mark.parametrize("door", ["repro", "serve", "bento", "test"])
def test_a_door_runs_the_code_of_its_own_folder(folder: Path, door: str) -> None:
    for name in ("graft", "dvc", "bentoml", "ruff", "mypy", "pytest"):
        _script(folder / ".venv" / "bin" / name, f'#!/bin/sh\necho "{name} $PYTHONPATH" >> {folder}/seen.log\n')
    _script(folder / ".venv" / "bin" / "python", "#!/bin/sh\n")
    for name in ("Makefile", "pyproject.toml"):
        shutil.copy(ROOT / name, folder)
    (folder / ".venv" / "ready").touch()
    subprocess.run(["make", door], cwd=folder, env={**os.environ, "PYTHONPATH": "/elsewhere"}, capture_output=True)
    seen = [line.split() for line in (folder / "seen.log").read_text().splitlines()]
    assert len(seen) >= 2
    assert {path for _, path in seen} == {str(folder / "src")}


def test_bentomls_folder_holds_no_dollar_which_it_would_take_for_a_variable(folder: Path) -> None:
    odd = folder / "a$HOME"
    (odd / "scripts").mkdir(parents=True)
    said = _account(odd, "echo $BENTOML_HOME", HOME="/no/home", TMPDIR=str(folder))
    assert said == f"{folder}/graft-{os.getuid()}/bentoml"
