"""The README does what it says: its commands are run word for word, and give what it shows."""

import contextlib
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from graft.commands import summary
from graft.yaml_files import read_yaml
from tests.clone import IDENTITY, dvc, environment
from tests.house import PACKAGE, ROOT

README = (ROOT / "README.md").read_text(encoding="utf-8")
NOT_RUN = {"make test": "it would run this very test"}
BACKGROUND = "make serve"
BLOCK = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


class Block(NamedTuple):
    """A fenced block of the README."""

    language: str
    text: str


BLOCKS = [Block(*each) for each in BLOCK.findall(README)]
INLINE = re.findall(r"`(curl [^`]+)`", README)
COMMANDS = [line for block in BLOCKS if block.language == "sh" for line in block.text.splitlines()]
SCRIPTS = [block.text for block in BLOCKS if block.language == "python"]


def _shown(start: str) -> str:
    """The one block of output that starts so."""
    (found,) = [block.text for block in BLOCKS if block.language in ("", "json") and block.text.startswith(start)]
    return found


@pytest.fixture(scope="module")
def clone(short_run: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A committed copy whose pipeline has run, with this environment under .venv."""
    folder = tmp_path_factory.mktemp("readme") / "graft"
    shutil.copytree(short_run, folder, symlinks=True)
    (folder / ".venv").mkdir()
    for name in ("bin", "lib"):
        (folder / ".venv" / name).symlink_to(Path(sys.prefix) / name)
    shutil.copy(Path(sys.prefix) / "pyvenv.cfg", folder / ".venv")
    (folder / ".venv" / "ready").touch()
    for command in (["git", "add", "-A"], ["git", "commit", "-qm", "Clone", "--allow-empty"]):
        subprocess.run(command, cwd=folder, check=True, env={**os.environ, **IDENTITY})
    params = folder / "params.yaml"
    params.write_text(params.read_text() + "# a first change\n")
    return folder


@pytest.fixture(scope="module")
def port() -> int:
    with socket.socket() as any_port:
        any_port.bind(("127.0.0.1", 0))
        return int(any_port.getsockname()[1])


def _bash(clone: Path, port: int, command: str) -> subprocess.CompletedProcess[str]:
    variables = {**environment(), "GRAFT_PORT": str(port)}
    return subprocess.run(
        ["bash", "-c", command.replace(":3000", f":{port}")], cwd=clone, env=variables, capture_output=True, text=True
    )


@contextlib.contextmanager
def _serving(clone: Path, port: int) -> Iterator[None]:
    variables = {**environment(), "GRAFT_PORT": str(port)}
    server = subprocess.Popen(
        BACKGROUND.split(), cwd=clone, env=variables, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, process_group=0
    )
    try:
        for _ in range(240):
            with contextlib.suppress(OSError):
                urllib.request.urlopen(f"http://127.0.0.1:{port}/readyz").close()
                break
            assert server.poll() is None, server.communicate()[1]
            time.sleep(0.25)
        yield
    finally:
        os.killpg(server.pid, signal.SIGTERM)
        server.communicate()


@pytest.fixture(scope="module")
def said(clone: Path, port: int) -> dict[str, subprocess.CompletedProcess[str]]:
    """What each command and script of the README gave, run in their order."""
    answers = {}
    for command in COMMANDS:
        if command not in NOT_RUN and command != BACKGROUND and "curl" not in command:
            answers[command] = _bash(clone, port, command)
    with _serving(clone, port):
        for command in [*INLINE, *COMMANDS]:
            if "curl" in command:
                answers[command] = _bash(clone, port, command)
        for script in SCRIPTS:
            (clone / "script.py").write_text(script.replace(":3000", f":{port}"))
            answers[script] = _bash(clone, port, "python script.py")
    return answers


def test_every_command_that_is_not_run_stands_in_the_readme() -> None:
    assert set(NOT_RUN) | {BACKGROUND} <= set(COMMANDS)


@pytest.mark.pipeline
@pytest.mark.parametrize("command", [each for each in COMMANDS if each not in NOT_RUN and each != BACKGROUND])
def test_every_command_ends_well(said: dict[str, subprocess.CompletedProcess[str]], command: str) -> None:
    assert said[command].returncode == 0, said[command].stdout + said[command].stderr


@pytest.mark.pipeline
@pytest.mark.parametrize("script", SCRIPTS, ids=["standard library", "bentoml"])
def test_every_script_prints_a_class(
    said: dict[str, subprocess.CompletedProcess[str]], clone: Path, script: str
) -> None:
    assert said[script].returncode == 0, said[script].stderr
    assert said[script].stdout.strip() in json.loads((clone / "models/final/card.json").read_text())["labels"]


@pytest.mark.pipeline
def test_the_summary_has_the_lines_that_are_shown(clone: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its figures are those of one processor, so they are not compared."""
    monkeypatch.chdir(clone)
    assert _heads(_shown("verdict ")) == _heads(summary.summary())


def _heads(summary: str) -> list[str]:
    return re.findall(r"^(\w+) ", summary, re.MULTILINE)


@pytest.mark.pipeline
def test_the_service_answers_as_shown(said: dict[str, subprocess.CompletedProcess[str]]) -> None:
    (command,) = [each for each in COMMANDS if each.startswith("curl -F")]
    shown, answered = json.loads(_shown('{"label"')), json.loads(said[command].stdout)
    assert {key: type(value) for key, value in answered.items()} == {key: type(value) for key, value in shown.items()}
    assert set(answered["probabilities"]) == set(shown["probabilities"])
    assert set(answered["model"]) == set(shown["model"])


@pytest.mark.pipeline
def test_params_and_metrics_compare_as_shown(said: dict[str, subprocess.CompletedProcess[str]], clone: Path) -> None:
    # very short training may leave every number as it was: all of them are listed, changed or not
    params, metrics = (block.splitlines() for block in _shown("Path ").split("\n\n"))
    assert [line.split() for line in said["dvc params diff"].stdout.splitlines()] == [line.split() for line in params]
    every = [line.split() for line in dvc(clone, "metrics", "diff", "--all").stdout.splitlines()]
    head, *rows = (line.split() for line in metrics)
    assert every[0] == head
    assert {tuple(row[:2]) for row in rows} <= {tuple(row[:2]) for row in every[1:]}


def test_every_linked_file_exists() -> None:
    links = re.findall(r"\]\(([^)#:]+)\)|(?:src|srcset)=\"([^\"]+)\"", README)
    missing = [each for pair in links for each in pair if each and not (ROOT / each).exists()]
    assert missing == []


def test_the_map_names_what_is_there() -> None:
    names = re.findall(r"^(\S+/|\S+\.yaml)  ", _shown("stages/"), re.MULTILINE)
    assert len(names) >= 5
    assert [each for each in names if not (ROOT / each).exists()] == []


def test_the_map_names_every_room() -> None:
    named = set(re.findall(r"^  (\w+(?:/|\.py))  ", _shown("stages/"), re.MULTILINE))
    rooms = {f"{each.name}/" for each in PACKAGE.iterdir() if (each / "__init__.py").is_file()}
    assert named == rooms | {each.name for each in PACKAGE.glob("*.py") if each.name != "__init__.py"}


def test_the_stages_are_named_in_their_order() -> None:
    (listed,) = re.findall(r"Stages in order: ([\w,\s]+)\.", README)
    assert re.split(r",\s+", listed) == list(read_yaml(ROOT / "dvc.yaml")["stages"])
