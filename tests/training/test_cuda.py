"""Training on a CUDA device; run where there is one."""

import copy

import pytest
import torch
from tests.training.recipes import SHIPPED
from tests.training.runs import evaluate, ignore, network, phase, plan, samples

from graft.networks.networks import state_sha256
from graft.networks.outputs import outputs_of
from graft.networks.runtime import make_deterministic, make_runtime
from graft.params.learning import Mixing
from graft.training.batches import Samples
from graft.training.checkpoints import Keeper, State
from graft.training.loop import Fitted, fit
from graft.training.steps import Plan

pytestmark = [pytest.mark.gpu, pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")]


def on_device(n: int, seed: int) -> Samples:
    made = samples(n, seed)
    return Samples(made.images.cuda(), made.labels.cuda())


def run(to: Plan, keeper: Keeper | None = None) -> tuple[str, Fitted, float]:
    net = network().cuda()
    given = (net, on_device(64, 1), on_device(32, 2), to, 0, ignore)
    fitted = fit(*given) if keeper is None else fit(*given, keeper)
    return state_sha256([net]), fitted, evaluate(net, on_device(64, 3)).accuracy


@pytest.mark.parametrize("precision", [torch.float32, torch.bfloat16])
def test_training_learns_and_repeats_to_the_bit(precision: torch.dtype) -> None:
    to = plan(phase(epochs=6), precision=precision)
    one, two = run(to), run(to)
    assert one == two
    assert one[2] >= 0.95


def test_a_run_restored_on_the_device_ends_as_if_it_had_not_been_killed() -> None:
    kept: list[State] = []

    class KilledError(Exception):
        pass

    def save(make: object) -> None:
        kept.append(copy.deepcopy(make()))  # type: ignore[operator]
        if len(kept) == 5:
            raise KilledError

    to = plan(phase(epochs=2), precision=torch.bfloat16)
    with pytest.raises(KilledError):
        run(to, Keeper(lambda: None, save))
    assert run(to, Keeper(lambda: kept[4], lambda make: None)) == run(to)


def test_kept_activations_stay_on_the_device() -> None:
    fitted = run(plan(phase(frozen=("block1", "block2"), epochs=4), views=2))[1]
    assert fitted.best.accuracy >= 0.9


def test_the_device_multiplies_bfloat16_where_it_can() -> None:
    expected = torch.bfloat16 if torch.cuda.get_device_capability() >= (8, 0) else torch.float32
    assert make_runtime(0).precision is expected


@pytest.mark.filterwarnings("ignore:Synchronization debug mode is a prototype")
def test_no_step_waits_for_the_device() -> None:
    """Shuffled, augmented, mixed and clipped: torch itself tells where the CPU would wait."""
    seen = 0

    def watch(n: int) -> None:
        nonlocal seen
        seen += n
        torch.cuda.set_sync_debug_mode("error" if 0 < seen < 64 else "default")

    to = plan(
        phase(epochs=1),
        recipe=SHIPPED["strong"],
        mixing=Mixing(kind="cutmix", alpha=1.0),
        clip_norm=1.0,
    )
    try:
        fit(network().cuda(), on_device(64, 1), on_device(32, 2), to, 0, watch)
    finally:
        torch.cuda.set_sync_debug_mode("default")
    assert seen == 64


def test_float32_on_the_device_has_the_digits_of_float32() -> None:
    """Convolutions in TF32, torch's default, would be some 3e-4 off."""
    make_deterministic(0)
    images = samples(64, 4).images.permute(0, 2, 3, 1).contiguous().numpy()
    net = network()
    here = torch.from_numpy(outputs_of(net, images).features)
    there = torch.from_numpy(outputs_of(net.cuda(), images).features)
    assert torch.linalg.norm(there - here) <= 1e-5 * torch.linalg.norm(here)
