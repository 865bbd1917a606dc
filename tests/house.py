"""What the house tests know of the code: which file imports which, read from the source as text."""

import ast
import re
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = ROOT / "src" / "graft"


def imported_names(file: Path) -> set[str]:
    """Dotted names that a file imports, inside functions too."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            assert node.level == 0, f"{file}: want absolute imports"
            names |= {f"{node.module}.{alias.name}" for alias in node.names}
    return names


def private_names(file: Path) -> set[str]:
    """Private names of the package that a file imports, reads from what it imported, or puts something in place of."""
    nodes = list(ast.walk(ast.parse(file.read_text(encoding="utf-8"))))
    imported = [node for node in nodes if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("graft")]
    ours = {alias.asname or alias.name for node in imported for alias in node.names}
    names = {alias.name for node in imported for alias in node.names}
    for node in nodes:
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id in ours:
            names.add(node.attr)
        elif isinstance(node, ast.Call) and any(isinstance(each, ast.Name) and each.id in ours for each in node.args):
            names |= {str(each.value) for each in node.args if isinstance(each, ast.Constant)}
        elif isinstance(node, ast.Constant) and re.fullmatch(r"graft(\.\w+)+", str(node.value)):
            names.add(str(node.value).rpartition(".")[2])
    of_named_tuples = {"_replace", "_asdict", "_fields", "_make"}
    return {name for name in names - of_named_tuples if re.fullmatch(r"_[a-zA-Z]\w*", name)}


def file_of(name: str) -> Path | None:
    """The first-party file behind a dotted name: a module, or the package that defines the name."""
    parts = name.split(".")
    if parts[0] != "graft":
        return None
    for length in range(len(parts), 0, -1):
        stem = ROOT / "src" / Path(*parts[:length])
        if stem.with_suffix(".py").is_file():
            return stem.with_suffix(".py")
        if (stem / "__init__.py").is_file():
            return stem / "__init__.py"
    return None


def files_behind(name: str) -> list[Path]:
    """The first-party files that importing a dotted name runs: its own, and the `__init__.py` of each room above.

    The package's own `__init__.py` holds the version alone, and counts where somebody asks for that.
    """
    found = file_of(name)
    if found is None:
        return []
    packages = [folder for folder in found.parents if PACKAGE in folder.parents]
    return [found, *(folder / "__init__.py" for folder in packages)]


@cache
def reach(file: Path, without: frozenset[Path] = frozenset()) -> frozenset[Path]:
    """All first-party files a file can come to by imports, itself included; those in `without` are not entered."""
    seen: set[Path] = set()
    todo = [file]
    while todo:
        each = todo.pop()
        if each not in seen and each not in without:
            seen.add(each)
            for name in imported_names(each):
                todo += files_behind(name)
    return frozenset(seen)


def room_of(file: Path) -> str:
    """The room a file of the package stands in: its folder, or its own name on the ground."""
    relative = file.relative_to(PACKAGE)
    return relative.parts[0] if len(relative.parts) > 1 else relative.stem
