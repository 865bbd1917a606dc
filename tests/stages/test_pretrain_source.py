"""The stage: killed for good it goes on to the same bytes, and never on other images."""

from pathlib import Path

import numpy as np
import pytest
from dvc.utils.serialize import dumps_yaml
from tests.examples import absent_domain, domain_record, write_stamp
from tests.stages.killing import command, finished, killed
from tests.transfer.conftest import tiny_catalog, tiny_images, tiny_params

from graft.files import write_record
from graft.networks.preprocessing import SMALL_CNN
from graft.records.catalog import CatalogRecord
from graft.store.catalogue import write_catalog

pytestmark = pytest.mark.exact

INPUTS = {
    "params": "params.yaml",
    "catalog": "catalog.json",
    "stamp": "validated.json",
    "source-catalog": "source.csv",
    "source-images": "source.npy",
}
OUTPUTS = {"backbone": "models/pretrained/backbone.safetensors", "card": "models/pretrained/card.json"}


@pytest.fixture
def inputs(tmp_path: Path) -> Path:
    """What prepare_data would leave."""
    folder = tmp_path / "inputs"
    folder.mkdir()
    params = tiny_params(pretrain_source={"epochs": 4})
    (folder / "params.yaml").write_text(dumps_yaml(params.model_dump(mode="json")), encoding="utf-8")
    domain = domain_record()
    record = CatalogRecord(
        dataset="folders", preprocessing=SMALL_CNN, source=domain, target=domain, unlabeled=absent_domain()
    )
    write_record(record, folder / "catalog.json")
    write_catalog(tiny_catalog(), folder / "source.csv")
    write_stamp(folder)
    np.save(folder / "source.npy", tiny_images())
    return folder


def of(inputs: Path) -> list[str]:
    return command("pretrain_source", {**{name: inputs / file for name, file in INPUTS.items()}, **OUTPUTS})


def test_a_killed_stage_goes_on_to_the_bytes_of_an_undisturbed_one(inputs: Path, tmp_path: Path) -> None:
    whole, stopped = tmp_path / "whole", tmp_path / "stopped"
    whole.mkdir()
    stopped.mkdir()
    n_steps = finished(of(inputs), whole)
    killed(of(inputs), stopped)
    assert 0 < finished(of(inputs), stopped) < n_steps
    for made in OUTPUTS.values():
        assert (stopped / made).read_bytes() == (whole / made).read_bytes()
    assert list((stopped / "models/checkpoints").rglob("*.pt")) == []


def test_a_stage_killed_under_other_images_starts_anew(inputs: Path, tmp_path: Path) -> None:
    killed(of(inputs), tmp_path)
    np.save(inputs / "source.npy", 255 - tiny_images())
    n_after_a_kill = finished(of(inputs), tmp_path)
    assert n_after_a_kill == finished(of(inputs), tmp_path) > 0
