"""Each strategy and policy end to end on tiny data: what it starts from, what it moves, what the record proves."""

import copy
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from graft.networks.networks import Network, state_sha256
from graft.networks.outputs import outputs_of
from graft.networks.preprocessing import SMALL_CNN
from graft.networks.saving import load_network
from graft.params.both_arms import Strategy
from graft.records.training import TrainingRecord
from graft.statistics.features import probe
from graft.training.activations import AT_ONCE
from graft.training.augmentation.augmentation import augmented
from graft.training.loop import view_seed
from graft.training.phases import BatchNormPolicy, adapt_batchnorm, frozen_sha256
from graft.transfer.arms.rates import rates_around
from graft.transfer.arms.target_data import TargetData, part_of, seen_by
from graft.transfer.finetuning.finetune import finetune_target
from graft.transfer.finetuning.strategies import phases_of
from graft.transfer.finetuning.task import Backbone, TransferTask, start_of
from tests.transfer.conftest import VALUES_OF, strategy, tiny_images, tiny_params

BY_STEPS: tuple[Strategy, ...] = ("top_blocks", "full", "gradual", "surgical", "norms")
STILL = 1e-12
"""a rate that moves nothing"""
UNSURE = 1e-4
"""regularisation of a probe that leaves much to gain, so that no run is rolled back to its start"""


@pytest.fixture
def start(backbone: Backbone, data: TargetData) -> TransferTask:
    return TransferTask(backbone, data, strategy("full"), tiny_params())


def tuned(start: TransferTask, choice: Strategy, folder: Path, **sections: dict[str, object]) -> TrainingRecord:
    """A run of the arm by one rate and one strategy, on params that differ from tiny ones."""
    transfer: dict[str, object] = {"rates": [0.01], **VALUES_OF.get(choice, {})}
    sections["finetune_target"] = transfer | sections.get("finetune_target", {})
    scratch: dict[str, object] = {"rates": [0.01] * len(sections["finetune_target"]["rates"])}  # type: ignore[arg-type]
    params = tiny_params(train_scratch=scratch, **sections)
    chosen = strategy(choice).model_copy(update={"probe_c": UNSURE})
    return finetune_target(start._replace(strategy=chosen, params=params), folder, folder / "half")


def changed(start: Network, end: Network) -> set[str]:
    """Names of the parameters that are not what they were."""
    before = dict(start.named_parameters())
    return {name for name, value in end.named_parameters() if not torch.equal(value, before[name])}


def statistics(network: Network) -> dict[str, Tensor]:
    return {name: value for name, value in network.named_buffers() if "running" in name}


def same(one: dict[str, Tensor], two: dict[str, Tensor]) -> bool:
    return all(torch.equal(one[name], two[name]) for name in one.keys() | two.keys())


@pytest.mark.parametrize("choice", BY_STEPS)
def test_every_strategy_starts_from_the_probe(start: TransferTask, tmp_path: Path, choice: Strategy) -> None:
    tuned(start, choice, tmp_path, finetune_target={"rates": [STILL]})
    network = load_network(tmp_path / "seed_1.safetensors")
    places = seen_by(start.data, start.params.training, 1)
    features = start.backbone.features[start.data.train_rows[places]]
    head = probe.linear_head(features, start.data.train.labels.numpy()[places], UNSURE, 2)
    np.testing.assert_allclose(network.get_parameter("head.weight").detach(), head.weight, atol=1e-5)
    np.testing.assert_allclose(network.get_parameter("head.bias").detach(), head.bias, atol=1e-5)


@pytest.mark.parametrize("choice", ["feature_extraction", *BY_STEPS])
@pytest.mark.parametrize("policy", ["frozen", "adapt", "train"])
def test_the_record_holds_the_hash_of_what_each_phase_left_alone(
    start: TransferTask, tmp_path: Path, choice: Strategy, policy: BatchNormPolicy
) -> None:
    record = tuned(start, choice, tmp_path, finetune_target={"batchnorm": policy}, training={"epochs": 4})
    assert record.batchnorm == policy
    params = tiny_params(finetune_target={"batchnorm": policy, **VALUES_OF.get(choice, {})})
    begun = start_of(start._replace(params=params)).network
    phases = phases_of(choice, list(begun.blocks), 0.01, params.finetune_target, 4, None)
    before = [frozen_sha256(begun, phase, policy) for phase in phases]
    for run in record.runs:
        assert [phase.frozen_sha256 for phase in run.phases] == before
        ended = load_network(tmp_path / f"seed_{run.seed}.safetensors")
        assert frozen_sha256(ended, phases[-1], policy) == before[-1]
    assert any(before) or (choice, policy) == ("full", "train")


def test_surgical_moves_the_blocks_it_names_and_the_head(start: TransferTask, tmp_path: Path) -> None:
    tuned(start, "surgical", tmp_path)
    moved = changed(start.backbone.network, load_network(tmp_path / "seed_0.safetensors"))
    assert {name.removeprefix("blocks.").split(".")[0] for name in moved} == {"block2", "head"}


def test_norms_moves_norms_and_the_head(start: TransferTask, tmp_path: Path) -> None:
    tuned(start, "norms", tmp_path)
    moved = changed(start.backbone.network, load_network(tmp_path / "seed_0.safetensors"))
    assert {name for name in moved if not name.startswith("head")} == {
        f"blocks.block{block}.1.{part}" for block in (1, 2, 3, 4) for part in ("weight", "bias")
    }


def test_gradual_goes_down_to_the_first_block_a_phase_at_a_time(start: TransferTask, tmp_path: Path) -> None:
    record = tuned(start, "gradual", tmp_path, training={"epochs": 4}, finetune_target={"unfreeze": "schedule"})
    for run in record.runs:
        assert [phase.name for phase in run.phases] == [f"top {height} of 4" for height in (1, 2, 3, 4)]
        assert [phase.trained[0] for phase in run.phases] == ["block4", "block3", "block2", "block1"]
        assert [phase.epochs for phase in run.phases] == [1, 1, 1, 1]


def test_adapt_gives_batchnorm_the_statistics_of_the_target(start: TransferTask, tmp_path: Path) -> None:
    adapted = copy.deepcopy(start.backbone.network)
    adapt_batchnorm(adapted, start.data.train.images)
    tuned(start, "full", tmp_path, finetune_target={"batchnorm": "adapt"})
    ended = load_network(tmp_path / "seed_0.safetensors")
    assert same(statistics(ended), statistics(adapted))
    assert not same(statistics(ended), statistics(start.backbone.network))


def test_adapt_gives_the_probe_features_of_the_adapted_network(start: TransferTask, tmp_path: Path) -> None:
    record = tuned(start, "feature_extraction", tmp_path, finetune_target={"batchnorm": "adapt"})
    network = load_network(tmp_path / "seed_0.safetensors")
    features = outputs_of(network, tiny_images()).features
    assert not np.allclose(features, start.backbone.features, atol=1e-3)
    places = seen_by(start.data, start.params.training, 0)
    labels = start.data.train.labels.numpy()[places]
    head = probe.linear_head(features[start.data.train_rows[places]], labels, record.runs[0].rate, 2)
    np.testing.assert_allclose(network.get_parameter("head.weight").detach(), head.weight, atol=1e-3)


def test_under_frozen_statistics_stay_those_of_the_source(start: TransferTask, tmp_path: Path) -> None:
    tuned(start, "full", tmp_path, finetune_target={"batchnorm": "frozen"})
    ended = load_network(tmp_path / "seed_0.safetensors")
    assert same(statistics(ended), statistics(start.backbone.network))
    assert changed(start.backbone.network, ended)


def test_under_train_only_learning_blocks_move_their_statistics(start: TransferTask, tmp_path: Path) -> None:
    tuned(start, "top_blocks", tmp_path)
    before = statistics(start.backbone.network)
    after = statistics(load_network(tmp_path / "seed_0.safetensors"))
    moved = {name.split(".")[1] for name, value in after.items() if not torch.equal(value, before[name])}
    assert moved == {"block4"}


def test_feature_extraction_on_views_learns_from_the_features_of_each(start: TransferTask, tmp_path: Path) -> None:
    record = tuned(start, "feature_extraction", tmp_path, finetune_target={"views": 3})
    network, data = start.backbone.network, start.data
    places = seen_by(data, start.params.training, 0)
    features = []
    for number in range(3):
        generator = torch.Generator().manual_seed(view_seed(start.params.seed, number))
        view = torch.cat([augmented(each, data.recipe, generator) for each in torch.split(data.train.images, AT_ONCE)])
        images = view.permute(0, 2, 3, 1).numpy()
        features.append(outputs_of(network, images).features[places])
    assert not np.allclose(features[0], features[1], atol=1e-3)
    head = probe.linear_head(
        np.concatenate(features), np.tile(data.train.labels.numpy()[places], 3), record.runs[0].rate, 2
    )
    ended = load_network(tmp_path / "seed_0.safetensors")
    np.testing.assert_allclose(ended.get_parameter("head.weight").detach(), head.weight, atol=1e-4)
    assert state_sha256(ended.blocks.values()) == state_sha256(network.blocks.values())


def test_on_views_the_frozen_blocks_run_as_often_however_many_epochs_there_are(
    start: TransferTask, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = [0]
    original = torch.nn.Conv2d.forward

    def counted(layer: torch.nn.Conv2d, images: Tensor) -> Tensor:
        seen[0] += len(images) if layer.in_channels == 3 else 0
        return original(layer, images)

    monkeypatch.setattr(torch.nn.Conv2d, "forward", counted)
    runs = []
    for epochs in (2, 6):
        seen[0] = 0
        tuned(start, "top_blocks", tmp_path / str(epochs), finetune_target={"views": 2}, training={"epochs": epochs})
        runs.append(seen[0])
    assert runs[0] == runs[1] > 0


def test_rates_are_tried_around_the_one_that_was_found(start: TransferTask, tmp_path: Path) -> None:
    record = tuned(start, "full", tmp_path, training={"find_rate": True}, finetune_target={"rates": [1, 2, 3]})
    assert record.rate_curve is not None
    tried = [trial.rate for trial in record.trials if trial.seed == 0]
    assert tried == pytest.approx(rates_around(record.rate_curve.suggested, 3))
    assert {run.rate for run in record.runs} <= set(tried)


def test_a_head_that_is_fitted_in_one_go_looks_for_no_rate(start: TransferTask, tmp_path: Path) -> None:
    assert tuned(start, "feature_extraction", tmp_path, training={"find_rate": True}).rate_curve is None


@pytest.mark.parametrize(("choice", "n_views"), [("full", 1), ("norms", 1), ("top_blocks", 3), ("gradual", 3)])
def test_the_start_is_made_of_fixed_views_where_the_strategy_runs_on_them(
    start: TransferTask, choice: Strategy, n_views: int
) -> None:
    params = tiny_params(finetune_target={"views": 3})
    made = start_of(start._replace(strategy=strategy(choice), params=params))
    assert len(made.train) == n_views


@pytest.mark.parametrize("balance", ["weights", "sampling"])
def test_a_fitted_head_counts_classes_alike_where_labels_are_balanced(
    start: TransferTask, tmp_path: Path, balance: str
) -> None:
    labels = start.data.train.labels
    places = torch.cat([torch.nonzero(labels == 0).flatten(), torch.nonzero(labels == 1).flatten()[:4]]).numpy()
    data = start.data
    rows, groups = data.train_rows[places], data.train_groups[places]
    skewed = data._replace(train=part_of(data.train, places), train_rows=rows, train_groups=groups)
    training: dict[str, object] = {"balance": balance, "subsample": 1.0}
    record = tuned(start._replace(data=skewed), "feature_extraction", tmp_path, training=training)
    features = start.backbone.features[skewed.train_rows]
    head = probe.linear_head(features, skewed.train.labels.numpy(), record.runs[0].rate, 2, balanced=True)
    ended = load_network(tmp_path / "seed_0.safetensors")
    np.testing.assert_allclose(ended.get_parameter("head.bias").detach(), head.bias, atol=1e-4)


def test_norms_of_a_network_without_any_are_refused(start: TransferTask) -> None:
    plain = Network({"block": torch.nn.Sequential(torch.nn.AdaptiveAvgPool2d(1), torch.nn.Flatten(1))}, 3, 2, SMALL_CNN)
    with pytest.raises(ValueError, match=r"want a network with normalisation layers for norms, got plain\. Choose"):
        start_of(start._replace(strategy=strategy("norms"), backbone=Backbone(plain, "plain", start.backbone.features)))
