"""Docs and README name what is there: files, modules, tests, params."""

import re
from pathlib import Path

import pytest

from graft.params.pipeline import Params
from tests.house import PACKAGE, ROOT

PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]
IN_BACKTICKS = re.compile(r"`([^`\n]+)`")
FILE = re.compile(r"(?:src|stages|tests|bench|scripts|docs)/[\w./-]*")
PART_OF_FILE = re.compile(r"[\w-]+(?:/[\w-]+)*\.py")
MODULE = re.compile(r"graft(?:\.\w+)+")
TEST = re.compile(r"(test_\w+)(?:\[.*\])?")
TESTS_DEFINED = frozenset(
    name for file in (ROOT / "tests").rglob("*.py") for name in re.findall(r"def (test_\w+)", file.read_text())
)


def _is_there(name: str) -> bool:
    """Whether a file, a module or a name in a module exists; a bare file name may be in any folder."""
    if FILE.fullmatch(name):
        return (ROOT / name).exists()
    if PART_OF_FILE.fullmatch(name):
        return any(ROOT.glob(name)) or any(
            any((ROOT / folder).rglob(name)) for folder in ("src", "stages", "tests", "bench", "scripts")
        )
    if MODULE.fullmatch(name):
        return _is_module(name.split(".")[1:])
    found = TEST.fullmatch(name)
    return found is None or found[1] in TESTS_DEFINED or any((ROOT / "tests").rglob(f"{found[1]}.py"))


def _is_module(parts: list[str]) -> bool:
    path = PACKAGE.joinpath(*parts)
    if path.is_dir() or path.with_suffix(".py").is_file():
        return True
    module = path.parent.with_suffix(".py")
    return module.is_file() and re.search(rf"^(def|class) {parts[-1]}\b", module.read_text(), re.MULTILINE) is not None


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_file_module_and_test_that_a_page_names_exists(page: Path) -> None:
    named = IN_BACKTICKS.findall(page.read_text(encoding="utf-8"))
    assert [each for each in named if not _is_there(each)] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_file_that_a_page_links_to_exists(page: Path) -> None:
    links = re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", page.read_text(encoding="utf-8"))
    assert [each for each in links if not (page.parent / each).exists()] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_param_that_a_page_names_is_in_its_section(page: Path) -> None:
    sections = {name: field.annotation for name, field in Params.model_fields.items()}
    named = re.findall(r"`([a-z_]+)\.([a-z_]+)\b", page.read_text(encoding="utf-8"))
    unknown = [
        f"{section}.{key}"
        for section, key in named
        if key not in ("py", "json") and key not in getattr(sections.get(section), "model_fields", {key})
    ]
    assert unknown == []


@pytest.mark.parametrize(
    ("name", "there"),
    [
        ("src/graft/cli.py", True),
        ("src/graft/none.py", False),
        ("stages/", True),
        ("two_sample/kernels.py", True),
        ("kernels_of_old.py", False),
        ("graft.statistics", True),
        ("graft.shift.sides.Side", True),
        ("graft.shift.sides.Domain", False),
        ("graft start", True),
        ("test_every_file_that_a_page_links_to_exists", True),
        ("test_that_was_renamed[case]", False),
    ],
)
def test_a_name_is_looked_up_however_it_is_written(name: str, there: bool) -> None:
    assert _is_there(name) is there
