"""dvc.yaml is true: it names every path, every code file and every param a stage comes to, and no other."""

import ast
import re
import runpy
import subprocess
from pathlib import Path
from typing import Any

import pytest

from graft.params.pipeline import Params, json_schema
from graft.training.resume import CODE
from graft.yaml_files import read_yaml
from tests.house import PACKAGE, ROOT, imported_names, reach
from tests.readings import params_read

STAGES: dict[str, Any] = read_yaml(ROOT / "dvc.yaml")["stages"]

# They hold shapes and surroundings: what a stage computes does not depend on them.
TRAINING = ("pretrain_source", "finetune_target", "train_scratch", "train_variants")
EXEMPT = frozenset([*PACKAGE.glob("params/*.py"), *PACKAGE.glob("records/*.py"), PACKAGE / "stage.py"])


def _paths(entries: list[Any]) -> set[str]:
    return {next(iter(each)) if isinstance(each, dict) else each for each in entries}


def deps(stage: str) -> set[str]:
    """Files and folders on which a stage depends."""
    return _paths(STAGES[stage]["deps"])


def _outs(stage: str) -> set[str]:
    return _paths([*STAGES[stage].get("outs", []), *STAGES[stage].get("metrics", [])])


def _is_code(path: str) -> bool:
    return path.startswith(("src/", "stages/"))


def _within(path: str, folder: str) -> bool:
    return path == folder or path.startswith(folder + "/")


def _named_in_cmd(stage: str) -> set[str]:
    tokens = STAGES[stage]["cmd"].split()
    return {token for token in tokens[5:] if "/" in token}


def _needed_code(stage: str) -> set[Path]:
    files = reach(ROOT / "stages" / f"{stage}.py", without=EXEMPT)
    return {file for file in files if _has_code(file)}


def _has_code(file: Path) -> bool:
    """Whether a file is more than the docstring of a package, and names that it loads where they are asked for."""
    body = ast.parse(file.read_text(encoding="utf-8")).body[1:]
    lazy = {"typing", "__getattr__"}
    names = {getattr(node, "module", None) or getattr(node, "name", "") for node in body}
    return file.name != "__init__.py" or not names <= lazy


def test_no_file_takes_a_name_that_a_package_loads_lazily() -> None:
    """The walker cannot see what stands behind it: name the module instead."""
    files = [*PACKAGE.rglob("*.py"), *(ROOT / "stages").glob("*.py")]
    assert [file for file in files if "graft.statistics.compare" in imported_names(file)] == []


def test_every_script_is_a_stage_and_the_reverse() -> None:
    assert set(STAGES) == {file.stem for file in (ROOT / "stages").glob("*.py")}


@pytest.mark.parametrize("stage", STAGES)
def test_stage_runs_its_script(stage: str) -> None:
    assert STAGES[stage]["cmd"].startswith(f"exec env PYTHONPATH=src python stages/{stage}.py ")


@pytest.mark.parametrize("stage", STAGES)
def test_every_path_in_the_command_is_a_dependency_or_an_output(stage: str) -> None:
    known = deps(stage) | _outs(stage)
    assert {path for path in _named_in_cmd(stage) if not any(_within(path, each) for each in known)} == set()


@pytest.mark.parametrize("stage", STAGES)
def test_every_dependency_and_output_is_named_in_the_command(stage: str) -> None:
    declared = {path for path in deps(stage) | _outs(stage) if not _is_code(path)}
    named = _named_in_cmd(stage)
    assert {each for each in declared if not any(_within(path, each) for path in named)} == set()


@pytest.mark.parametrize("stage", STAGES)
def test_dependencies_cover_all_code_the_stage_reaches(stage: str) -> None:
    code = [path for path in deps(stage) if _is_code(path)]
    needed = {str(file.relative_to(ROOT)) for file in _needed_code(stage)}
    assert {file for file in needed if not any(_within(file, each) for each in code)} == set()


@pytest.mark.parametrize("stage", STAGES)
def test_no_code_dependency_holds_a_file_that_the_stage_does_not_reach(stage: str) -> None:
    code = [ROOT / path for path in deps(stage) if _is_code(path)]
    held = {file for each in code for file in ([each] if each.is_file() else each.rglob("*.py"))}
    assert {str(file.relative_to(ROOT)) for file in held if _has_code(file)} <= {
        str(file.relative_to(ROOT)) for file in _needed_code(stage)
    }


@pytest.mark.parametrize("stage", STAGES)
def test_every_code_dependency_exists_and_holds_no_other(stage: str) -> None:
    code = [path for path in deps(stage) if _is_code(path)]
    assert [path for path in code if not (ROOT / path).exists()] == []
    assert [(path, each) for path in code for each in code if path != each and _within(path, each)] == []


def test_code_is_imported_by_statements_which_the_tests_can_follow() -> None:
    # what the stages and rooms import is read from their import statements; preprocessing.py puts off one of torch, and
    # statistics opens a door for strangers, which no file here goes through
    by_name = re.compile(r"\b(import_module|__import__|exec_module|run_path|run_module)\b")
    files = [*PACKAGE.rglob("*.py"), *(ROOT / "stages").glob("*.py")]
    found = {str(file.relative_to(ROOT)) for file in files if by_name.search(file.read_text(encoding="utf-8"))}
    assert found == {"src/graft/networks/preprocessing.py", "src/graft/statistics/__init__.py"}


def test_a_stage_names_each_dependency_once() -> None:
    assert all(len(STAGES[stage]["deps"]) == len(deps(stage)) for stage in STAGES)


def test_there_are_few_enough_code_dependencies_to_read() -> None:
    assert sum(path.startswith("src/") for stage in STAGES for path in deps(stage)) <= 106


@pytest.mark.parametrize("stage", STAGES)
def test_params_are_those_the_code_reads(stage: str) -> None:
    declared, used = set(STAGES[stage].get("params", [])), set()
    for section, key in params_read(_needed_code(stage), Params.model_fields):
        name = section if section in declared else f"{section}.{key}"
        assert name in declared, f"{stage} reads {section}.{key}"
        used.add(name)
    assert used == declared


@pytest.mark.parametrize(
    ("code", "read"),
    [
        ("def f(params: Params): return params.training.epochs", {"training.epochs"}),
        ("def f(path): return read_params(path).training.epochs", {"training.epochs"}),
        ("def f(task): return task.params.training.epochs", {"training.epochs"}),
        ("def f(p: Params): return p.seed", {"seed."}),
        ("p = read_params(path)\nprint(p.training.epochs)", {"training.epochs"}),
        (
            "def f(params: Params):\n p = params.training\n return p.epochs + p.patience",
            {"training.epochs", "training.patience"},
        ),
        ("def f(task):\n p, n = task.params, 3\n t = p.training\n return t.epochs", {"training.epochs"}),
        ("def f(params: Params):\n t = params.training\n def g(): return t.epochs\n return g", {"training.epochs"}),
        ("def g(n, t): return t.epochs\ndef f(params: Params): return g(1, params.training)", {"training.epochs"}),
        ("def g(*, t): return t.epochs\ndef f(params: Params): return g(t=params.training)", {"training.epochs"}),
        (
            "def h(t): return t.epochs\ndef g(s): return h(s)\ndef f(p: Params): return m.g(p.training)",
            {"training.epochs"},
        ),
        ("def f(params: Params): return other(params.training)", {"training."}),
        ("def f(params: Params): return params.training", {"training."}),
        ("def f(params: Params):\n t = params.training\n return other(t)", {"training."}),
        ("def g(t): return 0\ndef f(params: Params): return g(params.training)", set()),
        ("def f(params: Training): return params.epochs, params.seed", set()),
        ("def f(params: Params): return 'params.training.epochs', params.model_dump()", set()),
    ],
)
def test_a_param_is_seen_by_whatever_name_it_is_read(tmp_path: Path, code: str, read: set[str]) -> None:
    (tmp_path / "code.py").write_text(code)
    found = params_read([tmp_path / "code.py"], Params.model_fields)
    assert {f"{section}.{key}" for section, key in found} == read


@pytest.mark.parametrize("stage", TRAINING)
def test_a_checkpoint_is_bound_to_all_params_of_its_stage(stage: str) -> None:
    sections = {name.partition(".")[0] for name in STAGES[stage]["params"]}
    assert runpy.run_path(str(ROOT / f"stages/{stage}.py"))["PARAMS"] == sections


@pytest.mark.parametrize("stage", TRAINING)
def test_a_checkpoint_is_bound_to_all_files_that_its_stage_reads(stage: str) -> None:
    options = dict(re.findall(r"--([\w-]+) (\S+)", STAGES[stage]["cmd"]))
    read_from = [ROOT / dep for dep in deps(stage)]
    reads = {name for name, path in options.items() if any((ROOT / path).is_relative_to(dep) for dep in read_from)}
    hashed = re.search(r"    read = \((.+?)\)\n", (ROOT / f"stages/{stage}.py").read_text(), re.DOTALL)
    assert hashed is not None
    files = runpy.run_path(str(ROOT / f"stages/{stage}.py"))["FILES"] if "*files" in hashed[1] else ()
    assert {*files, *(name.replace("_", "-") for name in re.findall(r"args\.(\w+)", hashed[1]))} == reads


@pytest.mark.parametrize("stage", TRAINING)
def test_a_checkpoint_is_bound_to_the_code_of_every_room_that_trains(stage: str) -> None:
    rooms = {file for file in _needed_code(stage) if PACKAGE in file.parents and file.parent != PACKAGE}
    assert {file for file in rooms if not any(each in (file, *file.parents) for each in CODE)} == set()


def test_records_hold_shapes_since_no_stage_depends_on_them() -> None:
    """A rule or a sentence there could change without that anything runs again."""
    files = PACKAGE.glob("records/*.py")
    nodes = [node for file in files for node in ast.walk(ast.parse(file.read_text(encoding="utf-8")))]
    functions = {node.name for node in nodes if isinstance(node, ast.FunctionDef)}
    # reading, what two fields say together, and words of a message that no file holds
    of_the_verdict = {"metric", "difference", "transfer", "scratch", "confidence", "by"}
    assert (
        functions == {"read_records", "read_verdict", "classes", "in_closed_form", "chose", "refusals"} | of_the_verdict
    )


@pytest.mark.parametrize("stage", STAGES)
def test_stage_is_given_params_only_where_it_declares_some(stage: str) -> None:
    assert ("params.yaml" in STAGES[stage]["cmd"]) == bool(STAGES[stage].get("params"))


def test_params_sections_with_a_stage_name_belong_to_that_stage() -> None:
    verbs = {name for name in Params.model_fields if "_" in name}
    assert verbs <= set(STAGES)
    for name in verbs:
        assert name in STAGES[name]["params"], name


def test_no_path_of_the_pipeline_stands_in_the_code() -> None:
    paths = {path for stage in STAGES for path in _outs(stage) if path.startswith(("data/", "models/"))}
    for file in [*PACKAGE.rglob("*.py"), *(ROOT / "stages").glob("*.py")]:
        if file.parent.name in ("commands", "serving"):  # they stand outside the pipeline
            continue
        quoted = set(re.findall(r'"([\w/.]+)"', file.read_text()))
        assert not quoted & paths, file


def test_outputs_that_git_holds_and_no_others_stay_where_a_stage_fails() -> None:
    outputs = [each for stage in STAGES.values() for each in [*stage["outs"], *stage.get("metrics", [])]]
    ignored = subprocess.run(
        ["git", "check-ignore", "--no-index", *(f"{path}/" for path in _paths(outputs))],  # a folder need not be there
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    ).stdout.split()
    persisted = {path for path in _paths(outputs) if {path: {"cache": False, "persist": True}} in outputs}
    assert persisted == _paths(outputs) - {path.rstrip("/") for path in ignored}


def _follow(stage: str) -> set[str]:
    """The stages that read what a stage writes, and those that follow them."""
    read_it = {
        name
        for name in STAGES
        if any(_within(dep, out) or _within(out, dep) for dep in deps(name) for out in _outs(stage))
    }
    return read_it.union(*map(_follow, read_it))


@pytest.mark.parametrize(
    ("stage", "followers"),
    [
        ("check_transfer", {"measure_gain", "export_onnx", "write_report", "gate_release"}),
        ("measure_gain", {"write_report", "gate_release"}),
        ("write_report", {"gate_release"}),
        ("gate_release", set()),
    ],
)
def test_what_follows_a_stage_is_what_reads_its_outputs(stage: str, followers: set[str]) -> None:
    assert _follow(stage) == followers


def test_there_is_one_metrics_file() -> None:
    assert [path for stage in STAGES.values() for path in _paths(stage.get("metrics", []))] == ["reports/metrics.json"]


def test_schema_for_editors_is_that_of_the_code() -> None:
    assert (ROOT / "params.schema.json").read_text() == json_schema()


def test_pycache_is_out_of_every_dependency() -> None:
    assert "__pycache__/" in (ROOT / ".dvcignore").read_text().splitlines()
