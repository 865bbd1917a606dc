"""Traps of code samples in circulation: what they do by mistake, and that training here does not.

The numbers are those of the list that the samples were checked by; the other traps are no matter of training.
"""

import copy
from pathlib import Path
from typing import NamedTuple, get_args

import pytest
import torch
from pydantic import ValidationError
from torch import Tensor
from torch.optim import Optimizer

from graft.networks.networks import Network, build_network, with_new_head
from graft.networks.preprocessing import preprocessing_for
from graft.params.both_arms import Strategy
from graft.params.pipeline import Params
from graft.params.recipes import Recipe
from graft.training import loop, steps
from graft.training.augmentation.augmentation import augmented
from graft.training.batches import Samples
from graft.training.optimisation import build_optimizer
from graft.training.phases import Phase, freeze, frozen_state, n_frozen_blocks, parts_of, trained_parameters
from graft.transfer.arms.target_data import TargetData
from graft.transfer.finetuning.finetune import finetune_target
from graft.transfer.finetuning.strategies import phases_of
from graft.transfer.finetuning.task import Backbone, TransferTask
from tests.networks.sizes import of_size
from tests.training.runs import ADAMW, evaluate, ignore, network, phase, plan, samples
from tests.transfer.conftest import VALUES_OF, strategy, tiny_params

STRATEGIES: tuple[Strategy, ...] = get_args(Strategy)


@pytest.fixture(scope="module")
def resnet() -> Network:
    torch.manual_seed(0)
    return build_network("resnet18", 2, of_size(32))


def phases(choice: Strategy, net: Network) -> tuple[Phase, ...]:
    named: dict[str, dict[str, object]] = {**VALUES_OF, "surgical": {"surgical_blocks": ["layer2"]}}
    settings = tiny_params(finetune_target=named.get(choice, {})).finetune_target
    return phases_of(choice, list(net.blocks), 0.01, settings, 12, None)


@pytest.mark.parametrize("choice", STRATEGIES)
def test_trap_1_a_slice_that_freezes_nothing(resnet: Network, choice: Strategy) -> None:
    """`children[:-20]` of a network with 10 children is empty: all stays unfrozen, whatever the optimizer holds."""
    for each in phases(choice, resnet):
        freeze(resnet, each)
        parts = trained_parameters(resnet, each)
        held = {
            id(value) for group in build_optimizer(parts, each.rates, ADAMW).param_groups for value in group["params"]
        }
        assert held == {id(value) for value in resnet.parameters() if value.requires_grad}
        still = {id(value) for value in frozen_state(resnet, each, "train").values()}
        assert held | still >= {id(value) for value in resnet.parameters()}
        assert not held & still
        trains_all = all(rate > 0 for rate in each.rates.values()) and each.learns == "whole"
        assert trains_all or any(not value.requires_grad for value in resnet.parameters())


@pytest.mark.parametrize("name", ["vgg16", "resnet50", "mobilenet_v2", "densenet121", "vit_b_16", "squeezenet1_1"])
def test_trap_2_a_head_that_is_not_called_fc(name: str) -> None:
    """`model.fc` is an AttributeError on VGG: each family calls its last layer something else."""
    with torch.device("meta"):
        net = with_new_head(build_network(name, 1000, of_size(224)), 7)
        assert net.head(torch.empty(2, net.n_features)).shape == (2, 7)
        assert net(torch.empty(2, 3, 224, 224, dtype=torch.uint8)).shape == (2, 7)


class Built(NamedTuple):
    """An optimizer as it was made for a phase."""

    parts: list[str]
    n_parameters: int


def test_trap_3_unfrozen_parameters_that_no_optimizer_holds(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pooling counts as a layer to unfreeze, and what is unfrozen is never given to the optimizer."""
    built: list[Built] = []

    def watch(parts: dict[str, list[torch.nn.Parameter]], *others: object) -> Optimizer:
        optimizer = build_optimizer(parts, *others)  # type: ignore[arg-type]
        n_parameters = sum(len(group["params"]) for group in optimizer.param_groups)
        built.append(Built(list(parts), n_parameters))
        return optimizer

    monkeypatch.setattr(loop, "build_optimizer", watch)
    net = network()
    steps_down = phases("gradual", net)
    loop.fit(net, samples(32, 1), samples(16, 2), plan(*steps_down), 0, ignore)
    assert [each.parts for each in built] == [[f"block{k}" for k in range(n, 5)] + ["head"] for n in (4, 3, 2, 1)]
    assert [each.n_parameters for each in built] == [
        sum(len(list(parts_of(net)[name].parameters())) for name in each.parts) for each in built
    ]


def test_trap_3_a_step_of_unfreezing_that_unfreezes_nothing(resnet: Network) -> None:
    assert all(any(True for _ in block.parameters()) for block in resnet.blocks.values())
    counts = [sum(map(len, trained_parameters(resnet, each).values())) for each in phases("gradual", resnet)]
    assert counts == sorted(set(counts))
    assert [n_frozen_blocks(resnet, each) for each in phases("gradual", resnet)][-1] == 0


def test_trap_4_validation_images_that_are_augmented(monkeypatch: pytest.MonkeyPatch) -> None:
    """The augmenting transform is applied to validation too, so the score is of other images."""
    train, val = samples(32, 1), samples(16, 2)
    seen: list[Tensor] = []

    def watch(images: Tensor, recipe: Recipe, generator: torch.Generator) -> Tensor:
        seen.append(images)
        return augmented(images, recipe, generator)

    monkeypatch.setattr(steps, "augmented", watch)
    monkeypatch.setattr(loop, "augmented", watch)
    net = network()
    fitted = loop.fit(net, train, val, plan(phase(frozen=("block1",), epochs=2), views=2), 0, ignore)
    fitted_anew = loop.fit(network(), train, val, plan(phase(epochs=2)), 0, ignore)
    of_train = {image.numpy().tobytes() for image in train.images}
    assert {image.numpy().tobytes() for batch in seen for image in batch} == of_train
    assert evaluate(net, val) == pytest.approx(fitted.best)
    assert fitted_anew.n_seen == 2 * 32


def test_trap_4_the_test_split_takes_no_part_in_training(
    backbone: Backbone, data: TargetData, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Choosing by the validation split and then reporting it: here the test split is not even at hand."""
    given: list[Samples] = []

    def watch(net: Network, train: Samples, val: Samples, *others: object) -> loop.Fitted:
        given.extend((train, val))
        return loop.fit(net, train, val, *others)  # type: ignore[arg-type]

    monkeypatch.setattr("graft.transfer.finetuning.finetune.fit", watch)
    finetune_target(TransferTask(backbone, data, strategy("full"), tiny_params()), tmp_path, tmp_path / "half")
    assert TargetData._fields[1:3] == ("train", "val")
    assert {len(each.labels) for each in given} == {22, 8}  # 90 % of 24, and 8: none of the 8 test images


def test_trap_4_a_schedule_that_overrides_the_rates(monkeypatch: pytest.MonkeyPatch) -> None:
    """One-cycle is given peaks of its own, a hundred times the rates of the optimizer's groups."""
    rates: list[list[float]] = []

    def watch(optimizer: Optimizer, *others: object) -> None:
        rates.append([group["lr"] for group in optimizer.param_groups])
        original(optimizer, *others)  # type: ignore[arg-type]

    original = steps.take_step  # type: ignore[attr-defined]
    monkeypatch.setattr(steps, "take_step", watch)
    net = network()
    (whole,) = phases("full", net)
    loop.fit(net, samples(64, 1), samples(16, 2), plan(whole._replace(epochs=10)), 0, ignore)
    peaks = sorted({round(max(each), 6) for each in zip(*rates, strict=True)})
    assert peaks == pytest.approx(sorted(whole.rates.values()), rel=0.02)


@pytest.mark.parametrize("views", [None, 2])
def test_trap_5_batchnorm_of_frozen_blocks_that_drifts(views: int | None) -> None:
    """`model.train()` sets frozen blocks to training too: their running statistics go on moving."""
    net = network()
    net.train()
    before = {name: copy.deepcopy(block.state_dict()) for name, block in net.blocks.items()}
    frozen = ("block1", "block2", "block3", "block4")
    loop.fit(net, samples(32, 1), samples(16, 2), plan(phase(frozen=frozen), views=views), 0, ignore)
    for name, block in net.blocks.items():
        assert all(torch.equal(value, before[name][key]) for key, value in block.state_dict().items())
        assert not any(each.training for each in block.modules())


def test_trap_9_one_run_is_no_comparison() -> None:
    """One run, one number and a strict `>`: a tie-break on noise."""
    with pytest.raises(ValidationError, match="budget"):
        tiny_params(training={"budget": 1})


@pytest.mark.parametrize(("weights", "resize_px"), [("IMAGENET1K_V1", 256), ("IMAGENET1K_V2", 232)])
def test_trap_10_the_resize_of_other_weights(weights: str, resize_px: int) -> None:
    """The second weights of ResNet-50 were made for a resize to 232, not 256."""
    params: Params = tiny_params(network={"name": "resnet50", "weights": weights}, images={"size_px": None})
    preprocessing = preprocessing_for(params.network, params.images)
    assert (preprocessing.resize_px, preprocessing.crop_px) == (resize_px, 224)
