from pathlib import Path

from graft.files import to_json
from graft.networks.networks import state_sha256
from graft.networks.saving import load_network
from graft.transfer.arms.target_data import TargetData, seen_by
from graft.transfer.control import train_scratch
from tests.transfer.conftest import tiny_params


def test_every_seed_of_the_control_tries_every_rate(data: TargetData, tmp_path: Path) -> None:
    record = train_scratch(data, tiny_params(), tmp_path, tmp_path / "half")
    assert [(each.seed, each.rate) for each in record.trials] == [(0, 0.001), (0, 0.01), (1, 0.001), (1, 0.01)]


def test_its_runs_are_longer_by_the_factor_in_params(data: TargetData, tmp_path: Path) -> None:
    params = tiny_params(train_scratch={"long_factor": 3})
    runs = train_scratch(data, params, tmp_path, tmp_path / "half").runs
    assert [len(run.curve) for run in runs] == [6, 6]
    assert {run.n_images_seen for run in runs} == {6 * len(seen_by(data, params.training, 0))}


def test_each_seed_starts_elsewhere(data: TargetData, tmp_path: Path) -> None:
    train_scratch(data, tiny_params(), tmp_path, tmp_path / "half")
    hashes = {state_sha256([load_network(tmp_path / f"seed_{seed}.safetensors")]) for seed in (0, 1)}
    assert len(hashes) == 2


def test_same_seed_gives_the_same_record(data: TargetData, tmp_path: Path) -> None:
    one = train_scratch(data, tiny_params(), tmp_path / "a", tmp_path / "half")
    assert to_json(one) == to_json(train_scratch(data, tiny_params(), tmp_path / "b", tmp_path / "half again"))


def test_the_record_says_whether_training_mirrored(data: TargetData, tmp_path: Path) -> None:
    mirrored = data._replace(recipe=data.recipe.model_copy(update={"flip": 0.25}))
    assert train_scratch(mirrored, tiny_params(), tmp_path, tmp_path / "half").flip == 0.25
