"""`make doctor`: what each check makes of facts that are given to it, how the facts are read, and the script itself."""

import ast
import os
import re
import shutil
import socket
import subprocess
import sys
from importlib import metadata
from pathlib import Path
from typing import Any

import pytest
from packaging.specifiers import SpecifierSet

import checks
import doctor
import look_inside_venv
import machine
from checks import GIB, Finding
from tests.house import ROOT, imported_names

SCRIPTS = ROOT / "scripts"
ON_ANY_PYTHON = [SCRIPTS / f"{name}.py" for name in ("doctor", "checks", "machine")]
CPU = {"kind": "cpu", "device": "cpu, 1 thread", "cuda": "13.0"}
RUNNING = '{"write": {"models": {"pid": 7, "cmd": "dvc repro"}}, "read": {"data": [{"pid": 8, "cmd": "dvc repro"}]}}'


@pytest.mark.parametrize(
    ("finding", "mark"),
    [
        (checks.python((3, 11, 0), "python3", False), "ok"),
        (checks.python((3, 10, 13), "python3", False), "FAIL"),
        (checks.python((3, 10, 13), "python3", True), "warn"),
        (checks.venv(True, False), "ok"),
        (checks.venv(False, False), "FAIL"),
        (checks.venv(False, True), "warn"),
        (checks.account(None, "/home/me"), "ok"),
        (checks.account("SHELL=/bin/sh", "/"), "ok"),
        (checks.account(None, None), "warn"),
        (checks.git(True, "/usr/bin/git", ""), "ok"),
        (checks.git(False, "/usr/bin/git", ""), "FAIL"),
        (checks.git(True, None, ""), "warn"),
        (checks.git(True, "/usr/bin/git", "dubious ownership"), "warn"),
        (checks.disk(8 * GIB, False, False), "ok"),
        (checks.disk(8 * GIB - 1, False, False), "FAIL"),
        (checks.disk(3 * GIB, False, True), "ok"),
        (checks.disk(2 * GIB, True, False), "ok"),
        (checks.disk(2 * GIB - 1, True, False), "warn"),
        (checks.cache(8 * GIB - 1, False, False, False), "FAIL"),
        (checks.cache(0, True, False, False), "ok"),
        (checks.cache(0, False, True, False), "ok"),
        (checks.temporary(GIB), "ok"),
        (checks.temporary(GIB - 1), "warn"),
        (checks.memory(2 * GIB), "ok"),
        (checks.memory(2 * GIB - 1), "warn"),
        (checks.cores(2, None), "ok"),
        (checks.cores(2, "2"), "ok"),
        (checks.cores(2, "3"), "warn"),
        (checks.cores(2, "0"), "warn"),
        (checks.cores(2, "many"), "warn"),
        (checks.folders([]), "ok"),
        (checks.folders(["data"]), "FAIL"),
        (checks.port(3000, ""), "ok"),
        (checks.port(3000, "Address already in use"), "warn"),
        (checks.dvc(None, lambda _: True), "ok"),
        (checks.dvc("", lambda _: False), "FAIL"),
        (checks.dvc('{"write": []}', lambda _: False), "FAIL"),
        (checks.dvc(RUNNING, lambda _: False), "ok"),
        (checks.dvc(RUNNING, lambda pid: pid == 8), "warn"),
        (checks.setup(True, False, []), "ok"),
        (checks.setup(False, False, []), "warn"),
        (checks.setup(False, True, []), "warn"),
        (checks.setup(True, False, ["requirements.lock"]), "warn"),
        (checks.packages({"packages": 2, "differences": []}), "ok"),
        (checks.packages({"packages": 2, "differences": ["want a==1, got 2"]}), "FAIL"),
        (checks.packages({"error": "no answer"}), "FAIL"),
        (checks.graft(str(ROOT / "src/graft/__init__.py"), ROOT, None), "ok"),
        (checks.graft("/elsewhere/graft/__init__.py", ROOT, None), "FAIL"),
        (checks.graft(None, ROOT, None), "FAIL"),
        (checks.device(CPU, False, None), "ok"),
        (checks.device(CPU, True, "cpu"), "ok"),
        (checks.device(CPU, True, None), "warn"),
        (checks.device(CPU | {"cuda": None}, True, None), "warn"),
        (checks.device(CPU | {"kind": "cuda"}, True, None), "ok"),
        (checks.device({"error": "no answer"}, False, None), "FAIL"),
    ],
)
def test_a_check_marks_what_it_was_given_and_has_a_cure_for_it(finding: Finding, mark: str) -> None:
    assert finding.mark == mark
    assert bool(finding.cure) == (mark != "ok")
    assert "\n" not in finding.found + finding.cure


def test_at_most_five_differences_are_listed() -> None:
    found = checks.packages({"packages": 9, "differences": [f"want p{number}==1, got 2" for number in range(7)]}).found
    assert found.endswith("want p4==1, got 2 and 2 more")


def test_a_foreign_graft_on_pythonpath_is_cured_there() -> None:
    assert "PYTHONPATH" in checks.graft("/elsewhere/graft/__init__.py", ROOT, "/elsewhere").cure
    assert "PYTHONPATH" not in checks.graft("/elsewhere/graft/__init__.py", ROOT, None).cure


def test_a_port_that_is_taken_is_seen() -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        taken = other.getsockname()[1]
        assert machine.port_complaint(taken) == "Address already in use"
    assert machine.port_complaint(taken) == ""


@pytest.mark.skipif(sys.platform != "linux", reason="other systems keep such ports otherwise")
def test_a_port_whose_server_has_just_ended_is_free() -> None:
    with socket.socket() as server:
        server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        server.bind(("127.0.0.1", 0))
        server.listen()
        with socket.create_connection(server.getsockname()) as client:
            server.accept()[0].close()
            client.recv(1)
        port = server.getsockname()[1]
    assert machine.port_complaint(port) == ""


def test_a_port_that_cannot_be_is_told() -> None:
    assert "0-65535" in machine.port_complaint(99999)


def test_a_process_is_alive_until_it_ends() -> None:
    assert machine.is_alive(os.getpid())
    with subprocess.Popen(["true"]) as child:
        child.wait()
    assert not machine.is_alive(child.pid)


def _write(folder: Path, **files: str) -> list[Path]:
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in files.items():
        (folder / name.replace("__", ".")).write_text(text)
    return [folder]


@pytest.mark.parametrize(
    "files",
    [
        {"memory__max": "5000", "memory__current": "4000", "memory__stat": "anon 9\ninactive_file 700\n"},
        {
            "memory__limit_in_bytes": "5000",
            "memory__usage_in_bytes": "4000",
            "memory__stat": "inactive_file 9\ntotal_inactive_file 700\n",
        },
    ],
)
def test_memory_is_what_the_container_leaves_with_its_cached_files(tmp_path: Path, files: dict[str, str]) -> None:
    assert machine.available_memory(_write(tmp_path, **files)) == 1700


def test_a_container_without_limits_leaves_the_machine(tmp_path: Path) -> None:
    groups = _write(tmp_path, memory__max="max", memory__current="4000", cpu__max="max 100000")
    assert machine.available_memory(groups) > 4000
    assert machine.usable_cores(groups) == machine.usable_cores([])


@pytest.mark.parametrize(
    "files",
    [{"cpu__max": "100000 100000\n"}, {"cpu__cfs_quota_us": "50000\n", "cpu__cfs_period_us": "100000\n"}],
)
def test_a_quota_lowers_the_cores_and_leaves_one(
    tmp_path: Path, files: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: range(4), raising=False)
    assert machine.usable_cores([]) == 4
    assert machine.usable_cores(_write(tmp_path, **files)) == 1


def test_control_groups_are_those_of_both_versions_up_to_the_mount() -> None:
    groups = machine.control_groups("4:memory:/a/b\n0::/c\n", Path("/m"))
    assert groups == [Path(each) for each in ("/m/memory/a/b", "/m/memory/a", "/m/memory", "/m/c", "/m")]


def test_the_cache_is_where_uv_would_put_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("UV_CACHE_DIR", raising=False)
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    assert machine.cache_folder() == tmp_path
    (tmp_path / ".cache" / "uv").mkdir(parents=True)
    assert machine.cache_folder() == tmp_path / ".cache" / "uv"
    monkeypatch.setenv("UV_CACHE_DIR", str(tmp_path / "not" / "yet"))
    assert machine.cache_folder() == tmp_path


def test_a_lock_pins_what_its_markers_let_through() -> None:
    numpy = "numpy==2 ; python_full_version >= '3' \\\n    --hash=sha256:00\nnumpy==1 ; python_full_version < '3'\n"
    lock = f"# made by a tool\n{numpy}Six==3 \\\n    --hash=sha256:01 \\\n    --hash=sha256:02\n"
    assert look_inside_venv.pins(lock) == {"numpy": SpecifierSet("==2"), "six": SpecifierSet("==3")}


def _installed(monkeypatch: pytest.MonkeyPatch, packages: dict[str, tuple[str, list[str]]]) -> None:
    class Distribution:
        def __init__(self, name: str) -> None:
            if name not in packages:
                raise metadata.PackageNotFoundError(name)
            self.version, self.requires = packages[name]

    monkeypatch.setattr(metadata, "distribution", Distribution)


def test_a_package_that_the_lock_does_not_pin_may_be_a_candidate(monkeypatch: pytest.MonkeyPatch) -> None:
    _installed(monkeypatch, {"graft": ("1.0rc1", [])})
    assert look_inside_venv.differences("graft[all]", {}) == (1, [])


def test_packages_are_followed_from_need_to_need(monkeypatch: pytest.MonkeyPatch) -> None:
    needs = ["near>=1; extra == 'all'", "elsewhere; sys_platform == 'nowhere'", "unwanted; extra == 'other'"]
    _installed(monkeypatch, {"graft": ("0", needs), "near": ("2+cpu", ["far", "gone"]), "far": ("1", ["near"])})
    lock = {name: SpecifierSet("==2") for name in ("near", "far", "gone", "elsewhere", "unwanted")}
    assert look_inside_venv.differences("graft[all]", lock) == (4, ["want far==2, got 1", "want gone==2, got none"])


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    shutil.copytree(SCRIPTS, tmp_path / "scripts", ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("Makefile", "requirements.lock"):
        shutil.copy(ROOT / name, tmp_path)
    (tmp_path / ".git").mkdir()
    return tmp_path


def _run(folder: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    """`make doctor` there; port 0 is always free."""
    environment = {"PYTHON": sys.executable, "GRAFT_PORT": "0", **environment}
    outer = ("PYTHONPATH", "MAKEFLAGS", "MAKELEVEL")  # `make test` tells an inner make of itself
    variables = {name: text for name, text in os.environ.items() if name not in outer} | environment
    return subprocess.run(["make", "doctor"], cwd=folder, capture_output=True, text=True, env=variables)


def _marks(said: str) -> dict[str, str]:
    return {name: mark for mark, name in re.findall(r"^(ok|warn|FAIL) +(\S+) +\S", said, re.MULTILINE)}


def test_a_folder_without_an_environment_is_examined_all_the_same(folder: Path) -> None:
    done = _run(folder)
    assert "Traceback" not in done.stdout + done.stderr
    assert list(_marks(done.stdout).values()).count("ok") >= 6
    assert _marks(done.stdout)["set-up"] == "warn"


def test_the_doctor_names_what_stands_in_for_the_account(folder: Path) -> None:
    said = _run(folder, SHELL="/usr/sbin/nologin", HOME="/no/such/home").stdout
    assert "SHELL=/bin/sh" in said
    assert f"BENTOML_HOME={folder}/.venv/account/bentoml" in said


def test_an_environment_that_does_not_answer_fails_with_its_cure(folder: Path) -> None:
    (folder / ".venv").mkdir()
    (folder / ".venv" / "ready").touch()
    done = _run(folder)
    assert done.returncode != 0
    assert "Traceback" not in done.stdout + done.stderr
    assert _marks(done.stdout)["environment"] == "FAIL"
    assert "Run: rm -r .venv && make setup" in done.stdout
    assert re.search(r"^doctor: cure first: .*environment", done.stderr, re.MULTILINE)


def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("data", "models"):
        (tmp_path / name).mkdir()
    allowed = os.access

    def access(path: Any, mode: int) -> bool:
        return Path(path) != tmp_path / "data" and allowed(path, mode)

    monkeypatch.setattr(os, "access", access)
    (found,) = [each for each in doctor.look(tmp_path, 0) if each.name == "folders"]
    assert found.mark == "FAIL"
    assert found.found.endswith(f"got no right to: {tmp_path / 'data'}")


@pytest.mark.parametrize("answer", ['[ "$1" = -V ] && echo Python 3.6.15; exit 1', "exit 127"])
def test_a_python_that_cannot_run_the_doctor_gets_one_sentence(folder: Path, answer: str) -> None:
    old = folder / "old"
    old.write_text(f"#!/bin/sh\n{answer}\n")
    old.chmod(0o755)
    done = _run(folder, PYTHON=str(old))
    assert done.stderr.startswith("doctor: want Python 3.11 or newer, got '")
    assert done.stdout == ""


@pytest.mark.parametrize("script", ON_ANY_PYTHON, ids=lambda file: file.stem)
def test_the_doctor_runs_on_an_old_python_without_packages(script: Path) -> None:
    (oldest,) = re.findall(r"version_info < \((\d), (\d+)\)", (ROOT / "Makefile").read_text(encoding="utf-8"))
    ast.parse(script.read_text(encoding="utf-8"), feature_version=(int(oldest[0]), int(oldest[1])))
    names = {name.split(".")[0] for name in imported_names(script)}
    assert names <= set(sys.stdlib_module_names) | {file.stem for file in ON_ANY_PYTHON}


@pytest.mark.skipif(not (ROOT / ".venv/ready").exists(), reason="this repository's .venv was not made by make")
def test_this_repository_is_well() -> None:
    done = _run(ROOT)
    marks = _marks(done.stdout)
    assert [marks[name] for name in ("environment", "graft", "device")] == ["ok"] * 3, done.stdout
