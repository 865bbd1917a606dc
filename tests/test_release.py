"""What a release rests on: one version, a changelog that knows it, locks that hold what is asked for, local hooks."""

import re
import shutil
import subprocess
import tomllib
from pathlib import Path
from typing import Any

import pytest
from packaging.requirements import Requirement

import graft
from graft.yaml_files import read_yaml
from tests.house import ROOT

PROJECT: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
CHANGELOG = (ROOT / "CHANGELOG.md").read_text()


def _tracked() -> list[str]:
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    listed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout.split("\0")
    return [name for name in listed if name and (ROOT / name).is_file()]


def _pins(lock: str) -> dict[str, set[str]]:
    """Versions by package; a universal lock may hold one for each version of Python."""
    found: dict[str, set[str]] = {}
    for name, version in re.findall(r"^([\w.-]+)==(\S+)", (ROOT / lock).read_text(), re.MULTILINE):
        found.setdefault(name, set()).add(version)
    return found


def _asked_for(*extras: str) -> list[Requirement]:
    texts = [*PROJECT["dependencies"], *(text for each in extras for text in PROJECT["optional-dependencies"][each])]
    return [asked for asked in map(Requirement, texts) if asked.name != "graft"]


def test_the_version_stands_in_one_file() -> None:
    version = re.compile(rf"(?<![\d.]){re.escape(graft.__version__)}(?![\d.])".encode())
    # the tests have sample cards, a lock has other people's versions, and the changelog has a test of its own
    names = [name for name in _tracked() if not name.startswith("tests/") and not name.endswith(".lock")]
    holders = {name for name in names if version.search((ROOT / name).read_bytes())}
    assert holders - {"CHANGELOG.md"} == {"src/graft/__init__.py"}


def test_the_package_takes_its_version_from_that_file() -> None:
    assert PROJECT["dynamic"] == ["version"]


@pytest.mark.parametrize("lock", ["requirements.lock", "requirements-serve.lock"])
def test_a_lock_does_not_pin_graft_itself(lock: str) -> None:
    assert "graft" not in _pins(lock)


def test_the_changelog_begins_with_what_is_unreleased_and_then_this_version() -> None:
    headings = re.findall(r"^## (.*)$", CHANGELOG, re.MULTILINE)
    assert headings[0] == "[Unreleased]"
    assert re.fullmatch(rf"\[{re.escape(graft.__version__)}\] - \d{{4}}-\d\d-\d\d", headings[1])


def test_the_licence_is_the_one_that_the_package_names() -> None:
    assert PROJECT["license"]["text"] == "Apache-2.0"
    assert (ROOT / "LICENSE").read_text().split()[:4] == ["Apache", "License", "Version", "2.0,"]


@pytest.mark.parametrize(
    ("lock", "extras"),
    [("requirements.lock", tuple(PROJECT["optional-dependencies"])), ("requirements-serve.lock", ("serve",))],
)
def test_a_lock_holds_what_the_package_asks_for(lock: str, extras: tuple[str, ...]) -> None:
    pins = _pins(lock)
    unmet = [
        str(each)
        for each in _asked_for(*extras)
        if not any(each.specifier.contains(version) for version in pins.get(each.name, ()))
    ]
    assert unmet == []


def test_the_bento_installs_the_serving_lock() -> None:
    bento = read_yaml(ROOT / "bentofile.yaml")["python"]
    assert bento["requirements_txt"] == "requirements-serve.lock"
    assert bento["lock_packages"] is False


@pytest.mark.parametrize("lock", ["requirements.lock", "requirements-serve.lock"])
def test_every_package_of_a_lock_has_a_hash(lock: str) -> None:
    parts = re.split(r"^(?=\w)", (ROOT / lock).read_text(), flags=re.MULTILINE)
    packages = [part for part in parts if "==" in part]
    assert packages
    assert [part for part in packages if "--hash=sha256:" not in part] == []


def test_hooks_run_the_tools_of_the_environment_and_fetch_nothing() -> None:
    config = read_yaml(ROOT / ".pre-commit-config.yaml")
    assert [each["repo"] for each in config["repos"]] == ["local"]
    hooks = config["repos"][0]["hooks"]
    assert {each["entry"].split()[0] for each in hooks} == {".venv/bin/ruff", ".venv/bin/mypy"}
    assert {each["language"] for each in hooks} == {"system"}


def test_a_checkout_with_windows_line_ends_has_the_same_bytes(tmp_path: Path) -> None:
    origin, clone = tmp_path / "origin", tmp_path / "clone"
    names = _tracked()
    for name in names:
        (origin / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, origin / name)

    def git(*words: str) -> None:
        subprocess.run(["git", *words], cwd=origin, check=True, capture_output=True)

    git("init", "-q")
    git("add", "--force", ".")
    git("-c", "user.name=a", "-c", "user.email=a@b", "commit", "-q", "-m", "all")
    git("clone", "-q", "-c", "core.autocrlf=true", "-c", "core.eol=crlf", str(origin), str(clone))
    assert [name for name in names if (origin / name).read_bytes() != (clone / name).read_bytes()] == []
    assert [name for name in names if b"\r\n" in (clone / name).read_bytes() and not name.endswith(".png")] == []
