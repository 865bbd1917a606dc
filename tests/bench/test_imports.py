"""Benchmarks are not type-checked, for their peers are not installed: what they import from graft must exist."""

import ast
from pathlib import Path

import pytest
from tests.house import ROOT, file_of

FILES = sorted((ROOT / "bench").glob("*.py"))


def _imported(file: Path) -> set[tuple[str, str]]:
    """Modules of graft, each with a name that the file imports from it."""
    nodes = [node for node in ast.walk(ast.parse(file.read_text())) if isinstance(node, ast.ImportFrom)]
    ours = [node for node in nodes if (node.module or "").split(".")[0] == "graft"]
    return {(node.module or "", alias.name) for node in ours for alias in node.names}


def _bound(file: Path) -> set[str]:
    """Names that a module defines itself."""
    names: set[str] = set()
    for node in ast.parse(file.read_text()).body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            names.add(node.name)
        elif isinstance(node, ast.Assign | ast.AnnAssign):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            names |= {each.id for target in targets for each in ast.walk(target) if isinstance(each, ast.Name)}
    return names


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.name)
def test_what_a_benchmark_imports_from_graft_exists(file: Path) -> None:
    missing = []
    for module, name in _imported(file):
        defining = file_of(module)
        is_module = file_of(f"{module}.{name}") not in (None, defining)
        if defining is None or not (is_module or name in _bound(defining)):
            missing.append(f"{module}.{name}")
    assert missing == []
