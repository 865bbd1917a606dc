"""The walls of the house: who may import whom."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.house import PACKAGE, ROOT, imported_names, private_names, reach, room_of

GROUND = {
    "__init__",
    "params",
    "records",
    "files",
    "yaml_files",
    "endings",
    "lineage",
    "wording",
    "stage",
    "store",
    "images",
    "statistics",
}
LEARNING = {"networks", "training"}
TORCH = {"torch", "torchvision", "safetensors"}

# room: (rooms of ours it may import, packages it may import beyond numpy, pydantic and the standard library)
WALLS: dict[str, tuple[set[str], set[str]]] = {
    "__init__": (set(), set()),
    "files": (set(), set()),
    "yaml_files": ({"files"}, {"ruamel"}),
    "params": ({"files", "yaml_files"}, set()),
    "records": ({"params", "files"}, set()),
    "wording": ({"params"}, set()),
    "endings": ({"files"}, set()),
    "lineage": ({"files", "yaml_files"}, set()),
    "stage": ({"files", "endings", "yaml_files"}, set()),
    "statistics": (set(), {"scipy", "sklearn", "torch"}),
    "images": ({"records", "files"}, {"PIL"}),
    "store": ({"records", "files"}, set()),
    "networks": ({"params", "records", "files"}, TORCH | {"tqdm"}),
    "training": ({"params", "records", "files", "networks"}, TORCH),
    "preparation": ({"params", "records", "files", "images", "store"}, {"PIL", "sklearn", "tqdm"}),
    "validation": (
        {"params", "records", "files", "images", "store", "statistics"},
        {"great_expectations", "pandas", "sklearn", "PIL", "tqdm"},
    ),
    "extraction": ({"params", "records", "files", "store", "networks"}, {"torch", "PIL", "tqdm"}),
    "shift": ({"params", "records", "files", "store", "statistics"}, set()),
    "decisions": ({"params", "records", "files", "wording", "store", "statistics"}, set()),
    "transfer": ({"params", "records", "files", "store", "statistics"} | LEARNING, {"torch", "tqdm", "peft"}),
    "export": (
        {"params", "records", "files", "store", "networks", "__init__"},
        TORCH | {"onnx", "onnxruntime", "scipy"},
    ),
    "reporting": ({"params", "records", "files", "wording", "store"}, {"jinja2", "markupsafe", "PIL"}),
    "serving": (
        {"__init__", "records", "files", "images", "statistics"},
        {"onnxruntime", "bentoml", "starlette", "python_multipart"},
    ),
    # a command brings chapters together, as a stage's script does; no stage reaches either room
    "cli": ({"commands", "files", "endings", "stage"}, set()),
    "commands": (
        GROUND | LEARNING | {"start", "preparation", "extraction", "shift", "decisions", "transfer", "reporting"},
        set(),
    ),
    "start": (GROUND | LEARNING | {"preparation", "validation", "transfer"}, TORCH | {"PIL", "tqdm"}),
}

# stage: the chapters, and the rooms of torch, that it may import
STAGES: dict[str, set[str]] = {
    "prepare_data": {"preparation", "networks"},
    "validate_data": {"validation"},
    "pretrain_source": {"transfer"} | LEARNING,
    "gather_companions": {"transfer"},
    "extract_features": {"extraction", "networks"},
    "measure_shift": {"shift"},
    "select_strategy": {"decisions"},
    "finetune_target": {"transfer"} | LEARNING,
    "train_scratch": {"transfer"} | LEARNING,
    "train_variants": {"transfer"} | LEARNING,
    "check_transfer": {"decisions", "networks"},
    "measure_gain": {"decisions", "networks", "transfer"},
    "export_onnx": {"export", "networks"},
    "write_report": {"reporting", "decisions"},
    "gate_release": {"decisions"},
}

EVERYWHERE = set(sys.stdlib_module_names) | {"numpy", "pydantic"}
FILES = sorted(PACKAGE.rglob("*.py"))
SCRIPTS = sorted((ROOT / "stages").glob("*.py"))
TESTS = sorted((ROOT / "tests").rglob("*.py"))


def _first_party(file: Path) -> set[str]:
    return {name for name in imported_names(file) if name.split(".")[0] == "graft"}


def _packages(file: Path) -> set[str]:
    return {name.split(".")[0] for name in imported_names(file)}


def _rooms_imported(file: Path) -> set[str]:
    parts = [name.split(".") for name in _first_party(file)]
    return {each[1] if len(each) > 1 and each[1] in WALLS else "__init__" for each in parts}


@pytest.mark.parametrize("file", FILES, ids=lambda file: str(file.relative_to(PACKAGE)))
def test_room_imports_only_the_rooms_below_it(file: Path) -> None:
    room = room_of(file)
    assert _rooms_imported(file) - {room} <= WALLS[room][0]


@pytest.mark.parametrize("file", FILES, ids=lambda file: str(file.relative_to(PACKAGE)))
def test_room_imports_only_its_packages(file: Path) -> None:
    foreign = {name.split(".")[0] for name in imported_names(file)} - EVERYWHERE - {"graft"}
    assert foreign <= WALLS[room_of(file)][1]


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda file: file.stem)
def test_stage_imports_only_its_chapters(script: Path) -> None:
    assert _rooms_imported(script) - GROUND <= STAGES[script.stem]


def test_every_stage_stands_in_the_table() -> None:
    assert {script.stem for script in SCRIPTS} == set(STAGES)


def test_nobody_imports_dvc_or_a_stage() -> None:
    for file in [*FILES, *SCRIPTS]:
        names = {name.split(".")[0] for name in imported_names(file)}
        assert not names & {"dvc", "stages"}, file


def test_nobody_reads_yaml_in_another_dialect() -> None:
    folders = [PACKAGE, *(ROOT / name for name in ("stages", "scripts", "tests", "bench"))]
    files = [file for folder in folders for file in folder.rglob("*.py")]
    importers = {str(file.relative_to(ROOT)) for file in files if "yaml" in _packages(file)}
    assert importers == set()
    readers = {file.name for file in files if "ruamel" in _packages(file)}
    assert readers == {"yaml_files.py"}


def test_only_one_file_imports_bentoml() -> None:
    importers = {file.name for file in FILES if any(n.split(".")[0] == "bentoml" for n in imported_names(file))}
    assert importers == {"service.py"}


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda file: file.stem)
def test_stage_script_is_thin(script: Path) -> None:
    assert len(script.read_text().splitlines()) <= 60


@pytest.mark.parametrize("file", FILES, ids=lambda file: str(file.relative_to(PACKAGE)))
def test_file_stays_under_300_lines(file: Path) -> None:
    assert len(file.read_text().splitlines()) <= 300


@pytest.mark.parametrize("file", TESTS, ids=lambda file: str(file.relative_to(ROOT)))
def test_no_test_is_bound_to_a_private_name(file: Path) -> None:
    assert private_names(file) == set()


def test_a_private_name_is_seen_however_a_test_comes_to_it(tmp_path: Path) -> None:
    lines = (
        "from graft.a import _b",
        "from graft import a, d as e, f",
        "a._c, e._g, row._replace(a=1), a._replace(b=1)",
        "patch.setattr(f, '_h', 1), patch.setattr('graft.training.loop._i', 1), patch.setattr(other, '_j', 1)",
    )
    (tmp_path / "test.py").write_text("\n".join(lines))
    assert private_names(tmp_path / "test.py") == {"_b", "_c", "_g", "_h", "_i"}


def _imports_without(forbidden: set[str], module: str) -> subprocess.CompletedProcess[str]:
    code = f"import sys\nfor name in {sorted(forbidden)!r}: sys.modules[name] = None\nimport {module}\n"
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT)


@pytest.mark.parametrize(
    ("module", "forbidden"),
    [
        ("graft.serving.predictor", {"torch", "dvc", "pandas", "great_expectations", "sklearn", "scipy", "bentoml"}),
        ("graft.serving.service", {"torch", "dvc", "pandas", "great_expectations", "sklearn", "scipy"}),
        ("graft.decisions.verdict.judge", {"torch", "great_expectations", "bentoml"}),
        ("graft.decisions.selection.choice", {"torch", "great_expectations", "bentoml"}),
        ("graft.shift.measurement", {"torch", "great_expectations", "sklearn", "bentoml"}),
        (
            "graft.statistics.two_sample.two_sample",
            {"torch", "scipy", "pydantic", "great_expectations", "sklearn", "bentoml"},
        ),
        ("graft.cli", {"torch", "numpy", "great_expectations", "bentoml", "sklearn"}),
    ],
)
def test_room_works_on_a_machine_without(module: str, forbidden: set[str]) -> None:
    done = _imports_without(forbidden, module)
    assert done.returncode == 0, done.stderr


def test_importing_graft_loads_nothing_heavy() -> None:
    code = "import sys, graft; print(sorted(set(sys.modules) & {'numpy', 'torch', 'pydantic', 'PIL', 'ruamel'}))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize(
    "stage",
    [
        "prepare_data",
        "validate_data",
        "gather_companions",
        "measure_shift",
        "select_strategy",
        "write_report",
        "gate_release",
    ],
)
def test_stage_without_torch_does_not_import_it(stage: str) -> None:
    code = (
        f"import sys, runpy\nsys.modules['torch'] = None\nrunpy.run_path('stages/{stage}.py', run_name='looked_at')\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT)
    assert done.returncode == 0, done.stderr


def test_reach_follows_imports_inside_functions() -> None:
    assert PACKAGE / "networks" / "published.py" in reach(PACKAGE / "networks" / "networks.py")


WITHOUT_LEARNING = """
import sys
from graft.networks.runtime import make_deterministic
from graft.networks.families import import_torchvision
from graft.networks.networks import build_network, outline
from graft.networks.preprocessing import SMALL_CNN
make_deterministic(0)
outline("mobilenet_v2", SMALL_CNN)
build_network("mobilenet_v2", 2, SMALL_CNN).eval()
assert not {"torch._dynamo", "torch._inductor"} & set(sys.modules)
asks = import_torchvision().ops.roi_align.__globals__["is_compile_supported"]
from torch._dynamo.utils import is_compile_supported
assert asks("cpu") == is_compile_supported("cpu")
"""


def test_what_does_not_learn_never_loads_the_compiler_of_torch_which_takes_seconds() -> None:
    done = subprocess.run([sys.executable, "-c", WITHOUT_LEARNING], capture_output=True, text=True, cwd=ROOT)
    assert done.returncode == 0, done.stderr


ASKS_MORE = """
import importlib, sys, types
class Finder:
    def find_spec(self, name, path=None, target=None):
        if name == "torchvision":
            return importlib.machinery.ModuleSpec(name, self)
    def create_module(self, spec):
        return None
    def exec_module(self, module):
        from torch._dynamo.utils import counters
        module.counters = counters
sys.meta_path.insert(0, Finder())
from graft.networks.families import import_torchvision
asked = import_torchvision().counters
from torch._dynamo.utils import counters
assert asked is counters
"""


def test_a_torchvision_that_asks_the_compiler_for_more_gets_it() -> None:
    done = subprocess.run([sys.executable, "-c", ASKS_MORE], capture_output=True, text=True, cwd=ROOT)
    assert done.returncode == 0, done.stderr
