"""docs/architecture.md says what the code is: its tree, what re-runs when, and files that exist."""

import re

import pytest

from tests.clone import STAGES
from tests.house import PACKAGE, ROOT
from tests.test_wiring import deps

PAGE = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")


def _section(title: str) -> str:
    return PAGE.split(f"## {title}\n", 1)[1].split("\n## ", 1)[0]


def _tree() -> set[str]:
    """Paths below src/graft, by their indent."""
    block = _section("The tree").split("src/graft/\n", 1)[1].split("\ntests/", 1)[0]
    found, room = set(), ""
    for indent, name in re.findall(r"^( +)(\S+)", block, re.MULTILINE):
        room = name if len(indent) == 2 else room
        found.add(name if len(indent) == 2 else room + name)
    return found


def _rows(title: str) -> list[list[str]]:
    return [
        [cell.strip() for cell in line.strip("|").split("|")]
        for line in _section(title).splitlines()
        if line.startswith("|") and "---" not in line
    ][1:]


def test_the_tree_names_every_room_and_no_other() -> None:
    folders = {f"{each.relative_to(PACKAGE)}/" for each in PACKAGE.rglob("*") if (each / "__init__.py").is_file()}
    files = {each.name for each in PACKAGE.glob("*.py") if each.name != "__init__.py"}
    named = _tree()
    assert folders - named <= {"images/duplicates/"}
    assert files <= named
    assert named - folders - files <= {"statistics/groups.py"}


def test_the_picture_shows_every_stage() -> None:
    assert set(re.findall(r"\b[a-z]+_[a-z]+\b", _section("How data flows").split("```")[1])) == set(STAGES)


@pytest.mark.parametrize(("edit", "stages"), _rows("What re-runs when"))
def test_what_re_runs_is_what_depends_on_the_file(edit: str, stages: str) -> None:
    file = f"src/graft/{edit.strip('`')}"
    assert (ROOT / file).is_file()
    assert [
        name for name in STAGES if any(file == dep or file.startswith(f"{dep}/") for dep in deps(name))
    ] == stages.split(", ")


def test_every_file_that_the_page_names_exists() -> None:
    named = re.findall(r"`([\w./]+(?:\.\w+|/))`", PAGE)
    places = [(ROOT, PACKAGE)[not (ROOT / each).exists()] / each for each in named]
    assert [str(each) for each in places if not each.exists()] == []
