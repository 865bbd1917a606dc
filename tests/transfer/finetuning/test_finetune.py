"""The transfer arm on tiny data: what each strategy starts from, what it moves and what it leaves alone."""

from pathlib import Path

import numpy as np
import pytest
import torch
from tests.training.runs import evaluate
from tests.transfer.conftest import strategy, tiny_images, tiny_params

from graft.files import to_json
from graft.networks.networks import state_sha256
from graft.networks.outputs import outputs_of
from graft.networks.saving import load_network
from graft.params.both_arms import Strategy
from graft.records.training import TrainingRecord
from graft.statistics.features import probe
from graft.transfer.arms.target_data import TargetData, left_out_by, part_of, seen_by
from graft.transfer.finetuning.finetune import finetune_target
from graft.transfer.finetuning.task import Backbone, TransferTask, batchnorm_of


@pytest.fixture
def task(backbone: Backbone, data: TargetData) -> TransferTask:
    return TransferTask(backbone, data, strategy("full"), tiny_params())


def tuned(task: TransferTask, choice: Strategy, folder: Path) -> TrainingRecord:
    return finetune_target(task._replace(strategy=strategy(choice)), folder, folder / "half")


def test_feature_extraction_equals_probe_on_the_running_backbone(task: TransferTask, tmp_path: Path) -> None:
    record = tuned(task, "feature_extraction", tmp_path)
    network = load_network(tmp_path / "seed_1.safetensors")
    places = seen_by(task.data, task.params.training, 1)
    rows = task.data.train_rows[places]
    head = probe.linear_head(
        task.backbone.features[rows], task.data.train.labels.numpy()[places], record.runs[1].rate, 2
    )
    naive = outputs_of(network, tiny_images()).logits
    np.testing.assert_allclose(naive, probe.head_logits(head, task.backbone.features), atol=1e-4)


def test_feature_extraction_leaves_every_block_untouched(task: TransferTask, tmp_path: Path) -> None:
    tuned(task, "feature_extraction", tmp_path)
    blocks = load_network(tmp_path / "seed_0.safetensors").blocks
    assert state_sha256(blocks.values()) == state_sha256(task.backbone.network.blocks.values())


def test_feature_extraction_has_as_many_trials_as_the_control(task: TransferTask, tmp_path: Path) -> None:
    rates = [trial.rate for trial in tuned(task, "feature_extraction", tmp_path).trials if trial.seed == 1]
    assert len(rates) == len(task.params.train_scratch.rates)
    assert rates[1] == pytest.approx(rates[0] * 10)


def test_a_fitted_head_is_chosen_by_images_that_its_seed_leaves_out_too(task: TransferTask, tmp_path: Path) -> None:
    training = task.params.training.model_copy(update={"subsample": 0.5})
    task = task._replace(params=task.params.model_copy(update={"training": training}))
    record = tuned(task, "feature_extraction", tmp_path)
    left_out = part_of(task.data.train, left_out_by(task.data, training, 1))
    own, run = evaluate(load_network(tmp_path / "seed_1.safetensors"), left_out), record.runs[1]
    (trial,) = (each for each in record.trials if each.seed == 1 and record.chose(each))
    assert trial.accuracy == pytest.approx((8 * run.val_accuracy + 12 * own.accuracy) / 20)
    assert trial.loss == pytest.approx((8 * run.val_loss + 12 * own.loss) / 20, rel=1e-3)


def test_top_blocks_freezes_the_lower_blocks(task: TransferTask, tmp_path: Path) -> None:
    record = tuned(task, "top_blocks", tmp_path)
    start = task.backbone.network.blocks
    end = load_network(tmp_path / "seed_0.safetensors").blocks
    frozen = ["block1", "block2", "block3"]
    assert [name for name, rate in record.block_factors.items() if rate == 0] == frozen
    assert state_sha256(start[name] for name in frozen) == state_sha256(end[name] for name in frozen)


def test_full_freezes_nothing(task: TransferTask, tmp_path: Path) -> None:
    assert [run.phases[0].frozen_sha256 for run in tuned(task, "full", tmp_path).runs] == [None, None]


def _with_mlp(task: TransferTask) -> TransferTask:
    training = task.params.training.model_copy(update={"head": "mlp"})
    return task._replace(params=task.params.model_copy(update={"training": training}))


def test_mlp_is_trained_on_frozen_blocks(task: TransferTask, tmp_path: Path) -> None:
    record = tuned(_with_mlp(task), "feature_extraction", tmp_path)
    network = load_network(tmp_path / "seed_0.safetensors")
    assert network.head_kind == "mlp"
    assert state_sha256(network.blocks.values()) == state_sha256(task.backbone.network.blocks.values())
    assert [trial.rate for trial in record.trials] == 2 * list(task.params.finetune_target.rates)
    assert not record.in_closed_form


def test_seed_alone_draws_the_mlp(task: TransferTask, tmp_path: Path) -> None:
    still = tiny_params(finetune_target={"rates": [1e-12, 1e-11]}, train_scratch={"rates": [0.1, 0.2]})
    for folder in ("a", "b"):
        torch.manual_seed(ord(folder))
        tuned(_with_mlp(task._replace(params=still)), "full", tmp_path / folder)
    first, second, other = (
        load_network(tmp_path / file).head[-1].weight  # type: ignore[index]
        for file in ("a/seed_0.safetensors", "b/seed_0.safetensors", "a/seed_1.safetensors")
    )
    assert torch.equal(first, second)
    assert not torch.allclose(first, other, atol=1e-3)


def test_the_weights_of_a_seed_are_those_of_its_run_at_the_rate_it_chose(task: TransferTask, tmp_path: Path) -> None:
    rates: dict[str, object] = {"rates": [1e-12, 0.01, 1e-11, 1e-10]}
    params = tiny_params(finetune_target=rates, train_scratch=rates, training={"budget": 3})
    unsure = strategy("full").model_copy(update={"probe_c": 1e-4})
    record = finetune_target(task._replace(params=params, strategy=unsure), tmp_path / "weights", tmp_path / "half")
    assert {run.rate for run in record.runs} == {0.01}
    for run in record.runs:
        network = load_network(tmp_path / "weights" / f"seed_{run.seed}.safetensors")
        score = evaluate(network, task.data.val)
        assert (score.accuracy, score.loss) == pytest.approx((run.val_accuracy, run.val_loss), abs=1e-5)
    assert len({run.val_loss for run in record.runs}) == 3


def test_each_seed_has_a_run_and_weights(task: TransferTask, tmp_path: Path) -> None:
    record = finetune_target(task, tmp_path / "weights", tmp_path / "half")
    assert [run.seed for run in record.runs] == [0, 1]
    assert sorted(file.name for file in (tmp_path / "weights").iterdir()) == [
        "seed_0.safetensors",
        "seed_1.safetensors",
    ]


def test_same_seed_gives_the_same_record(task: TransferTask, tmp_path: Path) -> None:
    assert to_json(tuned(task, "full", tmp_path / "a")) == to_json(tuned(task, "full", tmp_path / "b"))


@pytest.mark.parametrize(
    ("chosen", "weights", "policy"),
    [
        (None, "pretrain", "train"),
        (None, "IMAGENET1K_V1", "frozen"),
        ("train", "IMAGENET1K_V1", "train"),
        ("adapt", "pretrain", "adapt"),
    ],
)
def test_statistics_of_published_weights_are_frozen_unless_params_say_else(
    chosen: str | None, weights: str, policy: str
) -> None:
    assert (
        batchnorm_of(
            tiny_params(network={"name": "mobilenet_v2", "weights": weights}, finetune_target={"batchnorm": chosen})
        )
        == policy
    )


def test_the_record_says_whether_training_mirrored(task: TransferTask, tmp_path: Path) -> None:
    recipe = task.data.recipe.model_copy(update={"flip": 0.25})
    mirrored = task._replace(data=task.data._replace(recipe=recipe))
    assert tuned(mirrored, "top_blocks", tmp_path / "steps").flip == 0.25
    assert tuned(mirrored, "feature_extraction", tmp_path / "closed form").flip == 0.0  # fitted on images as they are
