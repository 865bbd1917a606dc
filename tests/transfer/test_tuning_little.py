"""LoRA, adapters and biases end to end on tiny data: what moves, what is handed back, and what goes on after a kill."""

import copy
from functools import partial
from pathlib import Path

import pytest
import torch

from graft.files import to_json
from graft.networks.adapters import adapters_in
from graft.networks.networks import Network
from graft.networks.outputs import outputs_of
from graft.networks.saving import load_network
from graft.records.training import TrainingRecord
from graft.training.batches import Samples
from graft.training.memory import needed_bytes
from graft.training.phases import adapt_batchnorm
from graft.training.resume import half_done
from graft.transfer.arms.target_data import TargetData
from graft.transfer.control import train_scratch
from graft.transfer.finetuning import little as little_module
from graft.transfer.finetuning.finetune import finetune_target
from graft.transfer.finetuning.little import little
from graft.transfer.finetuning.task import Backbone, TransferTask, blank, made_ready, plan_at, start_of
from graft.transfer.tuning.delta import applied, beside, read_delta
from graft.transfer.variants.plan import Arms
from graft.transfer.variants.task import VariantsTask
from graft.transfer.variants.train import train_variants
from tests.house import ROOT
from tests.networks.runtimes import ON_CPU
from tests.transfer.conftest import VALUES_OF, strategy, tiny_backbone, tiny_data, tiny_images, tiny_params
from tests.transfer.killed import KilledError

LORA = {"kind": "lora", "rank": 2, "alpha": 4.0}
ADAPTERS = {"kind": "adapters", "width": 4}
TUNINGS: dict[str, object] = {"bias": "bias", "lora": LORA, "adapters": ADAPTERS}
STRATEGIES = ("top_blocks", "full", "gradual", "surgical")
UNSURE = 1e-4
"""regularisation of a probe that leaves much to gain, so that no run is rolled back to its start"""


@pytest.fixture
def start(backbone: Backbone, data: TargetData) -> TransferTask:
    return TransferTask(backbone, data, strategy("full"), tiny_params())


def task_of(start: TransferTask, choice: str, tuning: object, **sections: dict[str, object]) -> TransferTask:
    arm: dict[str, object] = {"rates": [0.03], "tuning": tuning, "depth_decay": 1.0, **VALUES_OF.get(choice, {})}
    arm |= sections.pop("finetune_target", {})
    params = tiny_params(train_scratch={"rates": [0.01]}, finetune_target=arm, **sections)
    return start._replace(strategy=strategy(choice).model_copy(update={"probe_c": UNSURE}), params=params)


def tuned(
    start: TransferTask, choice: str, tuning: object, folder: Path, **sections: dict[str, object]
) -> tuple[TrainingRecord, Network]:
    """A run of the arm, and the network of its first seed."""
    record = finetune_target(task_of(start, choice, tuning, **sections), folder, folder / "half")
    return record, load_network(folder / "seed_1.safetensors")


def changed(start: Network, end: Network) -> set[str]:
    """Names of parameters and buffers that are not what they were, without those of the head."""
    before = start.state_dict()
    return {
        name
        for name, value in end.state_dict().items()
        if not name.startswith("head.") and not (name in before and torch.equal(value, before[name]))
    }


def of_tuning(network: Network, tuning: str) -> set[str]:
    """Names of what may learn."""
    ends = {"bias": (".bias",), "lora": (".0.weight",), "adapters": (".weight", ".bias")}[tuning]
    names = {name for name, _ in network.named_parameters() if name.startswith("blocks.") and name.endswith(ends)}
    return {name for name in names if (".adapter." in name) == (tuning == "adapters")}


@pytest.mark.parametrize("tuning", TUNINGS)
@pytest.mark.parametrize("choice", STRATEGIES)
def test_only_what_is_tuned_moves_and_only_in_blocks_that_the_strategy_trains(
    start: TransferTask, tmp_path: Path, choice: str, tuning: str
) -> None:
    record, network = tuned(start, choice, TUNINGS[tuning], tmp_path, finetune_target={"batchnorm": "frozen"})
    trained = {block for phase in record.runs[1].phases for block in phase.trained} - {"head"}
    moved = changed(start.backbone.network, network)
    assert moved <= {name for name in of_tuning(network, tuning) if name.split(".")[1] in trained}
    # all phases of gradual may be rolled back
    assert choice == "gradual" or {name.split(".")[1] for name in moved} == trained
    expected = {"top_blocks": {"block4"}, "surgical": {"block2"}}
    assert trained == expected.get(choice, set(start.backbone.network.blocks))


@pytest.mark.parametrize("tuning", TUNINGS)
def test_statistics_move_where_params_say_so_and_stay_when_factors_are_merged(
    start: TransferTask, tmp_path: Path, tuning: str
) -> None:
    _, network = tuned(start, "full", TUNINGS[tuning], tmp_path, finetune_target={"batchnorm": "train"})
    moved = changed(start.backbone.network, network) - of_tuning(network, tuning)
    ends = ("running_mean", "running_var", "num_batches_tracked")
    assert moved == {f"blocks.block{number}.1.{end}" for number in (1, 2, 3, 4) for end in ends}


@pytest.mark.parametrize("tuning", TUNINGS)
def test_the_network_that_is_saved_scores_as_the_record_says(start: TransferTask, tmp_path: Path, tuning: str) -> None:
    record, network = tuned(start, "full", TUNINGS[tuning], tmp_path)
    rows = start.data.val_rows
    logits = torch.from_numpy(outputs_of(network, tiny_images()[rows]).logits)
    loss = torch.nn.functional.cross_entropy(logits, start.data.val.labels).item()
    assert loss == pytest.approx(record.runs[1].val_loss, abs=1e-5)


@pytest.mark.parametrize("tuning", TUNINGS)
def test_a_delta_beside_the_weights_gives_them_back_to_the_byte(
    start: TransferTask, tmp_path: Path, tuning: str
) -> None:
    record, network = tuned(start, "full", TUNINGS[tuning], tmp_path, finetune_target={"batchnorm": "train"})
    file = tmp_path / "seed_1.safetensors"
    delta = read_delta(beside(file))
    assert (delta.kind, bool(delta.factors)) == (tuning, tuning == "lora")
    assert not changed(start.backbone.network, network) - {*delta.tensors, *delta.factors}
    applied(tiny_backbone().network, delta, tmp_path / "again.safetensors")
    assert (tmp_path / "again.safetensors").read_bytes() == file.read_bytes()
    assert record.delta_bytes == max(beside(tmp_path / f"seed_{n}.safetensors").stat().st_size for n in (0, 1))


def test_there_is_no_delta_where_blocks_learn_whole(start: TransferTask, tmp_path: Path) -> None:
    record, _ = tuned(start, "full", "whole", tmp_path)
    assert record.delta_bytes is None
    assert sorted(each.name for each in tmp_path.glob("*.safetensors")) == ["seed_0.safetensors", "seed_1.safetensors"]


def test_the_phase_that_trains_most_is_counted(start: TransferTask) -> None:
    counts = {}
    for choice in ("full", "gradual", "top_blocks"):
        for tuning in ("whole", *TUNINGS):
            task = task_of(start, choice, TUNINGS.get(tuning, "whole"))
            found = little(task, start_of(task))
            counts[choice, tuning] = (found.n_trained_parameters, found.n_parameters)
    # convolutions without bias, and two parameters of each norm; a head for two classes
    head, n_features = 2 * 129, 24 + 48 + 96 + 128
    whole = 9 * (3 * 24 + 24 * 48 + 48 * 96 + 96 * 128) + 2 * n_features + head
    factors = [2 * (n_in * 9 + n_out) for n_in, n_out in ((3, 24), (24, 48), (48, 96), (96, 128))]
    adapters = [n * 4 + 4 + 4 * n + n for n in (24, 48, 96, 128)]
    assert counts["full", "whole"] == (whole, whole)
    assert counts["full", "bias"] == (n_features + head, whole)
    assert counts["full", "lora"] == (sum(factors) + head, whole)
    assert counts["full", "adapters"] == (sum(adapters) + head, whole + sum(adapters))
    assert counts["top_blocks", "lora"] == (factors[-1] + head, whole)
    assert counts["top_blocks", "adapters"] == (adapters[-1] + head, whole + adapters[-1])
    assert all(counts["gradual", tuning] == counts["full", tuning] for tuning in TUNINGS)


@pytest.mark.parametrize("tuning", TUNINGS)
def test_old_networks_of_the_run_have_adapters_only_where_they_are_asked_for(
    start: TransferTask, tmp_path: Path, tuning: str
) -> None:
    _, network = tuned(start, "top_blocks", TUNINGS[tuning], tmp_path)
    assert list(adapters_in(network)) == (["block4"] if tuning == "adapters" else [])


def stage(task: TransferTask, folder: Path) -> str:
    with half_done("finetune_target", task.params.model_dump_json(), [], ON_CPU) as kept:
        record = finetune_target(task, folder, kept)
    files = sorted(folder.glob("*.safetensors"))
    assert len(files) == 4, "weights and delta of two seeds"
    return to_json(record) + "".join(file.read_bytes().hex() for file in files)


@pytest.mark.parametrize("choice", ["full", "gradual"])
@pytest.mark.parametrize("tuning", TUNINGS)
def test_a_stage_killed_again_and_again_makes_what_an_undisturbed_one_makes(
    start: TransferTask, tmp_path: Path, steps_taken: list[int], choice: str, tuning: str
) -> None:
    task = task_of(start, choice, TUNINGS[tuning], training={"ema_decay": 0.9})
    whole = stage(task, tmp_path / "whole")
    n_kills, ended = 0, ""
    while not ended:
        steps_taken[:] = [0, 4]
        try:
            ended = stage(task, tmp_path / "killed")
        except KilledError:
            n_kills += 1
            torch.rand(5)
    assert ended == whole
    assert n_kills >= 2


@pytest.mark.parametrize("tuning", TUNINGS)
def test_fixed_views_let_frozen_blocks_run_once(start: TransferTask, tmp_path: Path, tuning: str) -> None:
    task = task_of(start, "top_blocks", TUNINGS[tuning], finetune_target={"views": 2})
    assert len(start_of(task).train) == 2
    assert len(start_of(task_of(start, "full", TUNINGS[tuning], finetune_target={"views": 2})).train) == 1
    record = finetune_target(task, tmp_path, tmp_path / "half")
    assert record.runs[0].phases[0].trained == ("block4", "head")


@pytest.mark.parametrize("tuning", TUNINGS)
def test_a_rate_is_found_and_adapted_statistics_are_kept(start: TransferTask, tmp_path: Path, tuning: str) -> None:
    record, network = tuned(
        start,
        "full",
        TUNINGS[tuning],
        tmp_path,
        training={"find_rate": True},
        finetune_target={"batchnorm": "adapt"},
    )
    assert record.rate_curve is not None
    other = tiny_backbone().network
    adapt_batchnorm(other, start.data.train.images)
    assert all(
        torch.equal(network.state_dict()[name], value) for name, value in other.named_buffers() if "running" in name
    )


def _reread(choice: str, tuning: object) -> TransferTask:
    return task_of(TransferTask(tiny_backbone(), tiny_data(), strategy("full"), tiny_params()), choice, tuning)


@pytest.mark.parametrize("tuning", ["lora"])
def test_several_processes_make_the_same_bytes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, tuning: str) -> None:
    # workers import this file to read the task
    monkeypatch.syspath_prepend(str(ROOT))
    made = []
    for n in (1, 2):
        task = _reread("full", TUNINGS[tuning])
        task = task._replace(data=task.data._replace(runtime=ON_CPU._replace(n_processes=n)))
        folder = tmp_path / str(n)
        finetune_target(task, folder, folder / "half", partial(_reread, "full", TUNINGS[tuning]))
        made.append([file.read_bytes() for file in sorted(folder.glob("*.safetensors"))])
    assert made[0] == made[1]
    assert len(made[0]) == 4


def test_little_tuning_needs_less_memory(start: TransferTask) -> None:
    def needed(tuning: object) -> int:
        task = task_of(start, "full", tuning)
        network = made_ready(task, blank(task, start_of(task)))
        return needed_bytes(network, task.data.train, plan_at(task, 1.0))

    whole = needed("whole")
    assert all(needed(tuning) < whole for tuning in ("bias", LORA))


def test_a_rank_that_no_layer_allows_is_refused_before_the_first_run(start: TransferTask, tmp_path: Path) -> None:
    sentence = r"^params\.yaml, finetune_target\.tuning\.rank: want at most 128, as blocks\.block4\.0 allows, got 200\."
    with pytest.raises(ValueError, match=sentence):
        tuned(start, "full", {**LORA, "rank": 200}, tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_layer_that_is_narrower_than_the_rank_is_left_alone_and_the_record_says_so(
    start: TransferTask, tmp_path: Path
) -> None:
    record, network = tuned(start, "full", {**LORA, "rank": 30}, tmp_path)
    assert record.left_alone == ("1 layers, blocks.block1.0 the first: the rank is larger than its narrower side",)
    assert record.runs[0].phases[0].trained == ("block2", "block3", "block4", "head")
    first = "blocks.block1.0.weight"
    assert torch.equal(network.get_parameter(first), start.backbone.network.get_parameter(first))


@pytest.mark.parametrize("tuning", ["lora", "adapters"])
def test_all_labels_beside_the_arm_give_the_run_of_the_arm(
    start: TransferTask, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, tuning: str
) -> None:
    monkeypatch.setattr("graft.transfer.variants.plan.SHARES", (1.0,))
    task = task_of(start, "full", TUNINGS[tuning])
    arms = Arms(
        finetune_target(task, tmp_path / "arm", tmp_path / "half"),
        train_scratch(task.data, task.params, tmp_path / "scratch", tmp_path / "half_scratch"),
    )
    (tmp_path / "variants").mkdir()
    train_variants(VariantsTask(task, arms), tmp_path / "variants", tmp_path / "half_variants")
    for seed in (0, 1):
        files = (tmp_path / f"arm/seed_{seed}.safetensors", tmp_path / f"variants/transfer100_{seed}.safetensors")
        assert files[0].read_bytes() == files[1].read_bytes()


def test_parameters_are_counted_with_blocks_and_head_on_one_device(
    start: TransferTask, monkeypatch: pytest.MonkeyPatch
) -> None:
    task, places = task_of(start, "full", LORA), set[str]()
    begun = start_of(task)
    there = Samples(*(each.to("meta") for each in task.data.train))

    def noted(task: TransferTask, network: Network) -> Network:
        places.update(each.device.type for each in network.parameters())
        return blank(task, begun)

    monkeypatch.setattr(little_module, "made_ready", noted)
    elsewhere = begun._replace(network=copy.deepcopy(begun.network).to("meta"))
    monkeypatch.setattr(little_module, "left_alone", lambda *args: ())
    little(task._replace(data=task.data._replace(train=there)), elsewhere)
    assert places == {"meta"}
