"""Reading params.yaml with other values in it."""

import json
from pathlib import Path
from typing import Any

import pytest
from tests.house import ROOT

from graft.params.pipeline import Params, read_params
from graft.yaml_files import read_yaml


def values_of() -> Any:
    """The values of the repository's params.yaml, to be changed."""
    return read_yaml(ROOT / "params.yaml")


def params_of(folder: Path, values: Any) -> Params:
    """Params that a file with these values holds."""
    path = folder / "params.yaml"
    path.write_text(json.dumps(values))  # which is YAML
    return read_params(path)


def error_of(folder: Path, values: Any) -> str:
    """What is said of a file with these values."""
    with pytest.raises(ValueError, match=r"params\.yaml") as caught:
        params_of(folder, values)
    return str(caught.value).replace(str(folder / "params.yaml"), "params.yaml")
