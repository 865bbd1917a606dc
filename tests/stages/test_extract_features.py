"""The stage: features row by row, details of samples, the test split unseen by them, the same bytes twice."""

import runpy
from pathlib import Path

import numpy as np
import pytest
import torch
from dvc.utils.serialize import dumps_yaml
from numpy.typing import NDArray
from tests.examples import backbone_card, catalog_row, write_stamp

from graft.files import write_record
from graft.networks.networks import build_network
from graft.networks.outputs import outputs_of
from graft.networks.preprocessing import SMALL_CNN
from graft.networks.saving import load_network, save_network
from graft.records.common import Split
from graft.store.catalogue import write_catalog
from graft.store.features import read_source_details, read_target_details
from graft.yaml_files import read_yaml

TOP = Path(__file__).parents[2]
MAIN = runpy.run_path(str(TOP / "stages" / "extract_features.py"))["main"]
N_SOURCE, N_TARGET, N_SAMPLE, N_UNLABELED = 50, 90, 40, 20
FILES = {
    "params": "params.yaml",
    "stamp": "validated.json",
    "backbone": "backbone.safetensors",
    "card": "card.json",
    "source-catalog": "source.csv",
    "source-images": "source.npy",
    "source-features": "features/source.npy",
    "source-details": "features/source_details.npz",
    "target-catalog": "target.csv",
    "target-images": "target.npy",
    "target-features": "features/target.npy",
    "target-details": "features/target_details.npz",
    "unlabeled-images": "unlabeled.npy",
    "unlabeled-features": "features/unlabeled.npy",
}


def _images(n: int, seed: int) -> NDArray[np.uint8]:
    return np.random.default_rng(seed).integers(0, 256, (n, 32, 32, 3), dtype=np.uint8)


def _split(row: int) -> Split:
    return "train" if row < N_SAMPLE + 10 else "val" if row < N_SAMPLE + 20 else "test"


def arguments(folder: Path, n_source: int = N_SOURCE) -> list[str]:
    """The stage's options, on files made here: 50 source images, 50 of 90 target images train."""
    torch.manual_seed(0)
    network = build_network("small_cnn", 2, SMALL_CNN)
    save_network(network, "small_cnn", folder / "backbone.safetensors")
    write_record(backbone_card(), folder / "card.json")
    names = [("source", n_source), ("target", N_TARGET)]
    for seed, (domain, n) in enumerate(names):
        rows = [catalog_row(f"{domain}{i}.png", label="ab"[i % 2], split=_split(i), row=i) for i in range(n)]
        write_catalog(rows, folder / f"{domain}.csv")
        np.save(folder / f"{domain}.npy", _images(n, seed))
    np.save(folder / "unlabeled.npy", _images(N_UNLABELED, 2))
    write_stamp(folder)
    values = read_yaml(TOP / "params.yaml")
    values["extract_features"]["sample_images"] = N_SAMPLE
    (folder / "params.yaml").write_text(dumps_yaml(values), encoding="utf-8")
    return [part for name, file in FILES.items() for part in (f"--{name}", str(folder / file))]


@pytest.fixture(scope="module")
def done(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("extract")
    MAIN(arguments(folder))
    return folder


@pytest.mark.parametrize("domain", ["source", "target"])
def test_features_stand_row_by_row_as_in_the_store(done: Path, domain: str) -> None:
    images = np.load(done / f"{domain}.npy")
    expected = outputs_of(load_network(done / "backbone.safetensors"), images).features
    np.testing.assert_allclose(np.load(done / f"features/{domain}.npy"), expected, atol=1e-6)


def test_the_source_details_are_of_a_sample_with_its_blocks_and_yardstick(done: Path) -> None:
    details = read_source_details(done / "features/source_details.npz")
    assert len(details.rows) == N_SAMPLE
    assert [each.block for each in details.blocks] == list(backbone_card().blocks)
    assert details.yardstick is not None
    assert details.yardstick.corrupted.shape == (25, N_SAMPLE // 2, 128)
    features = np.load(done / "features/source.npy")[details.rows]
    np.testing.assert_allclose(details.blocks[-1].means, features, atol=1e-6)


def test_the_target_details_are_of_train_images_alone(done: Path) -> None:
    details = read_target_details(done / "features/target_details.npz")
    assert len(details.rows) == N_SAMPLE
    assert details.rows.max() < N_SAMPLE + 10


def test_images_that_are_not_train_change_no_details(done: Path, tmp_path: Path) -> None:
    given = arguments(tmp_path)
    images = np.load(tmp_path / "target.npy")
    images[N_SAMPLE + 10 :] = 0
    np.save(tmp_path / "target.npy", images)
    MAIN(given)
    for name in ("source_details.npz", "target_details.npz"):
        assert (tmp_path / "features" / name).read_bytes() == (done / "features" / name).read_bytes()


def test_moments_are_taken_where_there_is_no_source(done: Path, tmp_path: Path) -> None:
    assert read_target_details(done / "features/target_details.npz").moments == ()
    MAIN(arguments(tmp_path, n_source=0))
    details = read_target_details(tmp_path / "features/target_details.npz")
    assert [each.block for each in details.moments] == list(backbone_card().blocks)
    assert (len(details.moments[0].means), details.refusal) == (N_SAMPLE, "")
    empty = read_source_details(tmp_path / "features/source_details.npz")
    assert (len(empty.rows), empty.blocks, empty.yardstick) == (0, (), None)
    assert np.load(tmp_path / "features/source.npy").shape == (0, 128)


def test_twice_gives_the_same_bytes(done: Path, tmp_path: Path) -> None:
    MAIN(arguments(tmp_path))
    for file in (done / "features").iterdir():
        assert (tmp_path / "features" / file.name).read_bytes() == file.read_bytes()
