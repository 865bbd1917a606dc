from pathlib import Path

import numpy as np
import pytest
import torch

from graft import probe
from graft.files import to_json
from graft.learning.networks import load_network, state_sha256
from graft.learning.preprocessing import SMALL_CNN
from graft.learning.scores import outputs_of
from graft.transfer import finetune
from graft.transfer.arms import TargetData, seen_by
from graft.transfer.finetune import Backbone, Task, finetune_target
from tests.transfer.conftest import strategy, tiny_images, tiny_params


@pytest.fixture
def task(backbone: Backbone, data: TargetData) -> Task:
    return Task(backbone, data, strategy("full"), tiny_params())


def test_feature_extraction_equals_probe_on_the_running_backbone(task: Task, tmp_path: Path) -> None:
    record = finetune_target(task._replace(strategy=strategy("feature_extraction")), tmp_path)
    network = load_network(tmp_path / "seed_1.safetensors")
    places = seen_by(task.data, task.params.training, 1)
    rows = task.data.train_rows[places]
    head = probe.linear_head(task.backbone.features[rows], task.data.train.labels.numpy()[places], record.rate, 2)
    naive = outputs_of(network, tiny_images(), SMALL_CNN).logits
    np.testing.assert_allclose(naive, probe.head_logits(head, task.backbone.features), atol=1e-4)


def test_feature_extraction_leaves_every_block_untouched(task: Task, tmp_path: Path) -> None:
    record = finetune_target(task._replace(strategy=strategy("feature_extraction")), tmp_path)
    blocks = load_network(tmp_path / "seed_0.safetensors").blocks
    assert state_sha256(blocks.values()) == state_sha256(task.backbone.network.blocks.values()) == record.frozen_sha256


def test_feature_extraction_has_as_many_trials_as_the_control(task: Task, tmp_path: Path) -> None:
    record = finetune_target(task._replace(strategy=strategy("feature_extraction")), tmp_path)
    rates = [trial.rate for trial in record.trials]
    assert len(rates) == len(task.params.train_scratch.rates)
    assert rates[1] == pytest.approx(rates[0] * 10)


def test_top_blocks_freezes_the_lower_blocks(task: Task, tmp_path: Path) -> None:
    record = finetune_target(task._replace(strategy=strategy("top_blocks")), tmp_path)
    start = task.backbone.network.blocks
    end = load_network(tmp_path / "seed_0.safetensors").blocks
    frozen = ["block1", "block2", "block3"]
    assert [name for name, rate in record.block_rates.items() if rate == 0] == frozen
    assert record.frozen_sha256 == state_sha256(end[name] for name in frozen)
    assert state_sha256(start[name] for name in frozen) == state_sha256(end[name] for name in frozen)


def test_full_freezes_nothing(task: Task, tmp_path: Path) -> None:
    assert finetune_target(task, tmp_path).frozen_sha256 is None


def test_a_frozen_block_that_changed_is_a_fault(task: Task, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    original = finetune._tune

    def meddle(task: Task, seed: int, rate: float, tick: object) -> object:
        trained = original(task, seed, rate, lambda: None)
        with torch.no_grad():
            next(trained.network.blocks["block1"].parameters()).add_(1)
        return trained

    monkeypatch.setattr(finetune, "_tune", meddle)
    with pytest.raises(RuntimeError, match="want frozen blocks block1, block2, block3 unchanged"):
        finetune_target(task._replace(strategy=strategy("top_blocks")), tmp_path)


def test_fine_tuning_starts_from_the_probe(task: Task, tmp_path: Path) -> None:
    still = tiny_params(finetune_target={"rates": [1e-12, 1e-12]}, train_scratch={"rates": [0.1, 0.1]})
    finetune_target(task._replace(params=still), tmp_path)
    network = load_network(tmp_path / "seed_0.safetensors")
    places = seen_by(task.data, still.training, 0)
    rows = task.data.train_rows[places]
    head = probe.linear_head(task.backbone.features[rows], task.data.train.labels.numpy()[places], 0.1, 2)
    np.testing.assert_allclose(network.head.weight.detach(), head.weight, atol=1e-5)


def test_each_seed_has_a_run_and_weights(task: Task, tmp_path: Path) -> None:
    record = finetune_target(task, tmp_path)
    assert [run.seed for run in record.runs] == [0, 1]
    assert sorted(file.name for file in tmp_path.iterdir()) == ["seed_0.safetensors", "seed_1.safetensors"]


def test_same_seed_gives_the_same_record(task: Task, tmp_path: Path) -> None:
    assert to_json(finetune_target(task, tmp_path / "a")) == to_json(finetune_target(task, tmp_path / "b"))
