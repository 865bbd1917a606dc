import subprocess
from pathlib import Path

import pytest

from graft.start.uncommitted import remember, uncommitted

IDENTITY = ("-c", "user.name=a", "-c", "user.email=a@localhost")


def _git(*arguments: str) -> None:
    subprocess.run(["git", *IDENTITY, *arguments], check=True, capture_output=True)


@pytest.fixture
def path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    path = Path("params.yaml")
    path.write_text("a: 1\n")
    return path


@pytest.fixture
def committed(path: Path) -> Path:
    _git("init", "-q")
    _git("add", "params.yaml")
    _git("commit", "-qm", "first")
    return path


def test_a_committed_file_has_no_edits(committed: Path) -> None:
    assert uncommitted(committed) == ("", "")


@pytest.mark.parametrize("staged", [False, True])
def test_edits_are_shown_staged_or_not(committed: Path, staged: bool) -> None:
    committed.write_text("a: 2\n")
    if staged:
        _git("add", "params.yaml")
    shown, _ = uncommitted(committed)
    assert "\n-a: 1\n+a: 2\n" in shown


def test_a_program_of_the_users_that_shows_differences_hides_none(committed: Path) -> None:
    _git("config", "diff.external", "true")
    committed.write_text("a: 2\n")
    assert "\n-a: 1\n+a: 2\n" in uncommitted(committed)[0]


def test_what_start_wrote_is_no_edit_of_a_person(committed: Path) -> None:
    committed.write_text("a: 2\n")
    remember(committed)
    assert uncommitted(committed) == ("", "")
    committed.write_text("a: 3\n")
    assert uncommitted(committed)[0] != ""


def test_without_a_repository_there_are_no_edits(path: Path) -> None:
    assert uncommitted(path) == ("", "")


def test_without_git_there_are_no_edits(committed: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    committed.write_text("a: 2\n")
    monkeypatch.setenv("PATH", "")
    assert uncommitted(committed) == ("", "")


def test_a_repository_that_cannot_tell_says_why(path: Path) -> None:
    _git("init", "-q")
    edits, why = uncommitted(path)
    assert edits == ""
    assert why.startswith("fatal: ")
