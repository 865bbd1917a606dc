"""What the wiring test knows of params: which of them code reads, by whatever name it calls them."""

import ast
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from pathlib import Path

Place = tuple[str, ...]
"""what an expression is of the params: () all of them, ("training",) a section, ("training", "epochs") a key"""
Names = Mapping[str, Place]


def params_read(files: Iterable[Path], sections: Collection[str]) -> set[tuple[str, str]]:
    """Section and key of every param that the files read; no key: the section as a whole.

    Params are what `read_params` gives, an argument that is annotated so, and an attribute `params`. They are followed
    through assignments; a section also into those functions of the files that it is handed to.
    """
    trees = [ast.parse(file.read_text(encoding="utf-8")) for file in files]
    every = [node for tree in trees for node in ast.walk(tree)]
    functions = [node for node in every if isinstance(node, ast.FunctionDef)]
    found: set[tuple[str, str]] = set()
    entered: set[tuple[ast.FunctionDef, str, Place]] = set()

    def look(scope: ast.AST, outer: Names, given: Names) -> None:
        nodes = list(_of_scope(scope))
        names = _names_in(scope, nodes, outer, given)
        told = {id(node.value) for node in nodes if isinstance(node, ast.Attribute)}  # by what goes on from there
        told |= {id(value) for _, value in _assigned(nodes) if (place := _place(value, names)) and len(place) == 1}
        for call in (node for node in nodes if isinstance(node, ast.Call)):
            told |= {id(value) for where, value in _arguments(call) if hand_over(call, where, _place(value, names))}
        for node in nodes:
            place = _place(node, names)
            if place and place[0] in sections and id(node) not in told:
                found.add((place[0], place[1] if place[1:] else ""))
            if isinstance(node, ast.FunctionDef):
                look(node, names, {})

    def hand_over(call: ast.Call, where: int | str, place: Place | None) -> bool:
        """Follow a section into the functions of this name; False where there are none."""
        name = call.func.attr if isinstance(call.func, ast.Attribute) else getattr(call.func, "id", "")
        called = [(each, _parameter(each, where)) for each in functions if each.name == name]
        if place is None or len(place) != 1 or not any(parameter for _, parameter in called):
            return False
        for function, parameter in called:
            if parameter and (function, parameter, place) not in entered:
                entered.add((function, parameter, place))
                look(function, {}, {parameter: place})
        return True

    for tree in trees:
        look(tree, {}, {})
    return found


def _place(node: ast.AST, names: Names) -> Place | None:
    """What this expression is of the params; None where it is nothing of them."""
    if isinstance(node, ast.Name):
        return names.get(node.id) if isinstance(node.ctx, ast.Load) else None
    if isinstance(node, ast.Call):
        return () if isinstance(node.func, ast.Name) and node.func.id == "read_params" else None
    if isinstance(node, ast.Attribute):
        before = _place(node.value, names)
        return (*before, node.attr) if before is not None else () if node.attr == "params" else None
    return None


def _names_in(scope: ast.AST, nodes: Sequence[ast.AST], outer: Names, given: Names) -> dict[str, Place]:
    """Names of params and sections in a scope: from around it, of its arguments, and assigned in it."""
    parameters = _parameters(scope) if isinstance(scope, ast.FunctionDef) else []
    own = {each.arg for each in parameters}
    params: dict[str, Place] = {
        each.arg: () for each in parameters if isinstance(each.annotation, ast.Name) and each.annotation.id == "Params"
    }
    names = {**{name: place for name, place in outer.items() if name not in own}, **params, **given}
    for name, value in _assigned(nodes):
        if (place := _place(value, names)) is not None:
            names[name] = place
    return names


def _of_scope(scope: ast.AST) -> Iterator[ast.AST]:
    """Nodes in the order of the source; functions among them, but not what is in these."""
    for node in ast.iter_child_nodes(scope):
        yield node
        if not isinstance(node, ast.FunctionDef):
            yield from _of_scope(node)


def _assigned(nodes: Iterable[ast.AST]) -> Iterator[tuple[str, ast.expr]]:
    """Names and what is assigned to them, one by one or as tuples."""
    for node in nodes:
        for target in node.targets if isinstance(node, ast.Assign) else ():
            assert isinstance(node, ast.Assign)
            both = isinstance(target, ast.Tuple) and isinstance(node.value, ast.Tuple)
            pairs = zip(target.elts, node.value.elts, strict=True) if both else [(target, node.value)]  # type: ignore[attr-defined]
            yield from ((each.id, value) for each, value in pairs if isinstance(each, ast.Name))


def _arguments(call: ast.Call) -> list[tuple[int | str, ast.expr]]:
    """Place or name of each argument, and its value."""
    return [*enumerate(call.args), *((each.arg, each.value) for each in call.keywords if each.arg is not None)]


def _parameter(function: ast.FunctionDef, where: int | str) -> str | None:
    """Name of the parameter that an argument becomes; None where the function has none there."""
    names = [each.arg for each in _parameters(function)]
    if isinstance(where, str):
        return where if where in names else None
    return names[where] if where < len(names) else None


def _parameters(function: ast.FunctionDef) -> list[ast.arg]:
    return [*function.args.posonlyargs, *function.args.args, *function.args.kwonlyargs]
