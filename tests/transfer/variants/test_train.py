"""The trainings beside the arms: as the arms are trained but for what they are named by; killed ones go on."""

from pathlib import Path

import numpy as np
import pytest
from tests.transfer.conftest import strategy, tiny_backbone, tiny_data, tiny_images, tiny_params

from graft.files import read_arrays
from graft.networks.networks import state_sha256
from graft.networks.outputs import outputs_of
from graft.networks.saving import load_network
from graft.params.pipeline import Params
from graft.records.variants import VariantsRecord
from graft.statistics.features.probe import head_logits, linear_head
from graft.store.predictions import head_logits as logits_of_heads
from graft.training.checkpoints import NOTHING
from graft.transfer.arms.target_data import TargetData, seen_by
from graft.transfer.control import train_scratch
from graft.transfer.finetuning.finetune import finetune_target
from graft.transfer.finetuning.task import Backbone, TransferTask
from graft.transfer.variants.plan import Arms, Variant, plan_of
from graft.transfer.variants.runs import n_images, trainer
from graft.transfer.variants.task import VariantsTask
from graft.transfer.variants.train import train_variants


def _task(backbone: Backbone, data: TargetData, params: Params, choice: str, folder: Path) -> VariantsTask:
    """What the stage reads after both arms were trained."""
    task = TransferTask(backbone, data, strategy(choice), params)
    arms = Arms(
        finetune_target(task, folder / "transfer", folder / "half_transfer"),
        train_scratch(data, params, folder / "scratch", folder / "half_scratch"),
    )
    return VariantsTask(task, arms)


def _params(budget: object) -> Params:
    return tiny_params(training={"budget": budget, "epochs": 2})


@pytest.fixture(scope="module")
def thorough(tmp_path_factory: pytest.TempPathFactory) -> tuple[VariantsTask, VariantsRecord, Path]:
    """A thorough run beside arms of two seeds, for the sake of the time."""
    folder = tmp_path_factory.mktemp("thorough")
    variants = _task(tiny_backbone(), tiny_data(), _params(2), "full", folder)
    variants = variants._replace(task=variants.task._replace(params=_params("thorough")))
    (folder / "variants").mkdir()
    return variants, train_variants(variants, folder / "variants", folder / "half"), folder / "variants"


def _names(record: VariantsRecord, kind: str) -> list[str]:
    return [run.name for run in record.variants if run.kind == kind]


def test_every_run_has_its_weights_and_every_head_its_row(
    thorough: tuple[VariantsTask, VariantsRecord, Path],
) -> None:
    _, record, folder = thorough
    assert _names(record, "transfer") == [f"transfer{share}_{seed}" for share in (10, 25, 50) for seed in (0, 1)]
    assert _names(record, "scratch") == [f"scratch{share}_{seed}" for share in (10, 25, 50) for seed in (0, 1)]
    assert _names(record, "small") == ["small_0"]
    assert _names(record, "shuffled") == ["shuffled_0", "shuffled_1"]
    assert _names(record, "reset") == [f"reset_block{n}_{seed}" for n in (4, 3, 2, 1) for seed in (0, 1)]
    assert _names(record, "head") == [f"head{share}_{seed}" for share in (10, 25, 50, 100) for seed in (0, 1)]
    files = {file.stem for file in folder.glob("*.safetensors")}
    assert files == {run.name for run in record.variants if run.kind != "head"}
    assert list(read_arrays(folder / "heads.npz", "heads", "")) == _names(record, "head")


def test_weights_are_those_of_the_epoch_that_the_record_scores(
    thorough: tuple[VariantsTask, VariantsRecord, Path],
) -> None:
    variants, record, folder = thorough
    data = variants.task.data
    val, labels = tiny_images()[data.val_rows], data.val.labels.numpy()
    for run in (each for each in record.variants if each.kind != "head"):
        network = load_network(folder / f"{run.name}.safetensors")
        assert np.mean(outputs_of(network, val).logits.argmax(axis=1) == labels) == pytest.approx(run.val_accuracy)


def test_a_head_is_the_probe_of_its_labels(thorough: tuple[VariantsTask, VariantsRecord, Path]) -> None:
    variants, record, folder = thorough
    data, features = variants.task.data, variants.task.backbone.features
    places = seen_by(data, variants.task.params.training, 1)
    probe = linear_head(features[data.train_rows[places]], data.train.labels.numpy()[places], 0.1, 2)
    found = logits_of_heads(folder / "heads.npz", features)["head100_1"]
    assert np.allclose(found, head_logits(probe, features), atol=1e-4)
    of_head = next(run for run in record.variants if run.name == "head100_1")
    assert of_head.n_labels == len(places)


def test_labels_become_more_with_the_share(thorough: tuple[VariantsTask, VariantsRecord, Path]) -> None:
    of_seed = [run for run in thorough[1].variants if run.kind == "transfer" and run.seed == 0]
    # 22 of 24 images are seen, 11 of each class
    assert [run.n_labels for run in of_seed] == [2, 6, 10]
    assert {run.rate for run in of_seed} == {thorough[0].arms.transfer.runs[0].rate}


def test_the_small_network_is_small_and_the_others_are_the_networks_of_the_arms(
    thorough: tuple[VariantsTask, VariantsRecord, Path],
) -> None:
    by_kind = {run.kind: run.network for run in thorough[1].variants}
    assert by_kind.pop("small") == "tiny_cnn"
    assert set(by_kind.values()) == {"small_cnn"}


@pytest.mark.parametrize("choice", ["top_blocks", "gradual", "feature_extraction"])
def test_all_labels_in_place_of_fewer_give_the_run_of_the_arm(
    choice: str, backbone: Backbone, data: TargetData, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """But for the number of labels nothing differs: steps, rate, order, augmentation and start are those of the arm."""
    monkeypatch.setattr("graft.transfer.variants.plan.SHARES", (1.0,))
    variants = _task(backbone, data, _params(2), choice, tmp_path)
    (tmp_path / "variants").mkdir()
    record = train_variants(variants, tmp_path / "variants", tmp_path / "half")
    assert [run.share for run in record.variants if run.kind in ("transfer", "scratch")] == [1.0] * 4
    for arm in ("transfer", "scratch"):
        for seed in (0, 1):
            files = (f"{arm}/seed_{seed}.safetensors", f"variants/{arm}100_{seed}.safetensors")
            of_arm, found = (load_network(tmp_path / file) for file in files)
            assert state_sha256([of_arm]) == state_sha256([found]), (arm, seed)


@pytest.mark.parametrize("choice", ["full", "gradual"])
def test_fewer_labels_take_the_steps_of_all_of_them(
    choice: str, backbone: Backbone, data: TargetData, tmp_path: Path
) -> None:
    variants = _task(backbone, data, _params(2), choice, tmp_path)
    plan = plan_of(variants.arms, variants.task.params.training)
    train = trainer(variants, plan)
    for arm in variants.arms:
        ticks: list[int] = []
        of_arm, variant = arm.runs[0], Variant(arm.arm, 0.1)
        found = train(plan[variant][0], ticks.append, NOTHING).fitted
        assert [each.steps for each in found.curve] == [each.steps for each in of_arm.curve]
        assert found.n_seen == of_arm.n_images_seen == sum(ticks)
        assert sum(ticks) == n_images(variant, plan[variant][0], variants)


def test_smoke_writes_an_empty_record_and_no_weights(backbone: Backbone, data: TargetData, tmp_path: Path) -> None:
    variants = _task(backbone, data, _params("smoke"), "full", tmp_path)
    (tmp_path / "variants").mkdir()
    record = train_variants(variants, tmp_path / "variants", tmp_path / "half")
    assert record.variants == ()
    assert len(record.left_out) == 1
    assert [file.name for file in (tmp_path / "variants").iterdir()] == ["heads.npz"]
