"""Training on one CUDA device, compared with the bare mathematics and timm's loop on the same device.

Images are random and on the device as uint8, as graft keeps them. Those of the peers are normalised beforehand, which
graft does at every step. Seconds are wall-clock time, medians over stretches of steps that end by waiting for the
device.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from gpu_clock import Table, Watch, forget_peak, peak_gib, run, samples
from own_loop import Way, train
from training_run import TINY_PX, floats, network

from graft.networks.runtime import make_deterministic
from graft.params.pipeline import read_params
from graft.training.batches import Samples

RECIPES = read_params(Path(__file__).parents[1] / "params.yaml").recipes
# Steps between two looks at the clock, for the tiny network (True) and for others.
STRETCH = {True: 50, False: 4}
Loop = Callable[["Work", Way, Watch], None]


class Work(NamedTuple):
    """Network and its images."""

    name: str
    given: Samples

    @property
    def device(self) -> torch.device:
        """Device of the images."""
        return self.given.images.device

    def watch(self) -> Watch:
        """A clock for its steps."""
        return Watch(self.device, STRETCH[self.name == "tiny"])


def bare(work: Work, way: Way, tick: Watch) -> None:
    """Train with the bare mathematics, on batches prepared beforehand; the frozen part runs in training mode too."""
    model = _on_device(network(work.name), work).train()
    if way.top:
        for part, parameter in model.named_parameters():
            parameter.requires_grad_(part.startswith(("layer4", "fc")))
    optimizer = torch.optim.AdamW([each for each in model.parameters() if each.requires_grad], 1e-3, fused=True)
    for values, targets in _batches(work, way):
        with _autocast(work, way):
            loss = F.cross_entropy(model(values).float(), targets)
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        optimizer.step()
        tick()


def timm(work: Work, way: Way, tick: Watch) -> None:
    """Train with the parts of timm's train.py, on batches that are already on the device."""
    from timm.optim import create_optimizer_v2
    from timm.scheduler import CosineLRScheduler
    from timm.utils import AverageMeter

    model = _on_device(network(work.name), work).train()
    optimizer = create_optimizer_v2(model, opt="adamw", lr=1e-3, weight_decay=0.01)
    batches = _batches(work, way)
    scheduler = CosineLRScheduler(optimizer, t_initial=len(batches), t_in_epochs=False)
    losses = AverageMeter()
    for number, (values, targets) in enumerate(batches):
        with _autocast(work, way):
            loss = F.cross_entropy(model(values).float(), targets)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.update(loss.item(), len(values))
        scheduler.step_update(number + 1, metric=losses.avg)
        tick()


def graft(work: Work, way: Way, tick: Watch) -> None:
    """Train with this project's loop: uint8 images, normalised at every step, augmented where a recipe is given."""
    train(network(work.name), work.name, work.given, way, tick)


LOOPS: dict[str, Loop] = {"bare": bare, "timm": timm, "graft": graft}


def overhead(device: torch.device) -> None:
    """Measure a network so small that only the loop counts."""
    work = Work("tiny", samples(TINY_PX, 32_000 if device.type == "cuda" else 9_600, device))
    found = {name: _timed(loop, work, Way(32, torch.float32)) for name, loop in LOOPS.items()}
    print("\nA network so small that only the loop counts, two linear layers, batch 32\n")
    print("| loop | ms a step | above the bare mathematics, ms |\n|---|---:|---:|")
    for name, seconds in found.items():
        print(f"| {name} | {1000 * seconds:.3f} | {1000 * (seconds - found['bare']):.3f} |", flush=True)


def full(device: torch.device) -> None:
    """Measure training of all blocks of a ResNet."""
    sizes = (("resnet18", 96, 64, 6_400), ("resnet50", 224, 128, 3_840))
    for name, side_px, batch, n in sizes if device.type == "cuda" else (("resnet18", 32, 8, 160),):
        work = Work(name, samples(side_px, n, device))
        half, whole = Way(batch, torch.bfloat16), Way(batch, torch.float32)
        varied = half._replace(recipe=RECIPES["photographs"])
        ways: dict[str, tuple[Loop, Way]] = {
            "bare, bfloat16": (bare, half),
            "timm, bfloat16": (timm, half),
            "graft, bfloat16": (graft, half),
            "graft, bfloat16, augmented (photographs)": (graft, varied),
            "bare, float32": (bare, whole),
            "graft, float32": (graft, whole),
        }
        _table(f"Full fine-tuning, {name} at {side_px} px, batch {batch}", work, ways)
    with _free_order():
        title = f"The same bare loop of {name} where kernels may add in any order"
        _table(title, work, {"bare, bfloat16, kernels may add in any order": (bare, half)})


def top(device: torch.device) -> None:
    """Measure training of only the top block and the head of a ResNet."""
    name, side_px, batch, n = ("resnet50", 224, 128, 3_840) if device.type == "cuda" else ("resnet18", 32, 8, 160)
    work, way = Work(name, samples(side_px, n, device)), Way(batch, torch.bfloat16, top=True)
    ways: dict[str, tuple[Loop, Way]] = {
        "bare top block": (bare, way),
        "graft top block": (graft, way),
        "graft top block, kept activations": (partial(_few, n // 3), way._replace(views=1, epochs=4)),
    }
    _table(f"Top block of {name} at {side_px} px, batch {batch}, bfloat16", work, ways)


def _few(n: int, work: Work, way: Way, tick: Watch) -> None:
    """Train with graft on some of the images, because kept activations take more memory than images."""
    graft(work._replace(given=Samples(work.given.images[:n], work.given.labels[:n])), way, tick)


def _batches(work: Work, way: Way) -> list[tuple[torch.Tensor, torch.Tensor]]:
    return list(zip(floats(work.given.images).split(way.batch), work.given.labels.split(way.batch), strict=True))


def _on_device(model: Any, work: Work) -> Any:
    return model.to(work.device).to(memory_format=torch.channels_last)


def _autocast(work: Work, way: Way) -> torch.autocast:
    return torch.autocast(work.device.type, way.precision, enabled=way.precision != torch.float32)


def _timed(loop: Loop, work: Work, way: Way) -> float:
    watch = work.watch()
    loop(work, way, watch)
    return watch.seconds_a_step()


def _table(title: str, work: Work, ways: dict[str, tuple[Loop, Way]]) -> None:
    print(f"\n{title}\n\n| loop | images a second | of the first | peak GiB |\n|---|---:|---:|---:|")
    first = None
    for name, (loop, way) in ways.items():
        forget_peak(work.device)
        rate = way.batch / _timed(loop, work, way)
        first = first or rate
        print(f"| {name} | {rate:,.0f} | {rate / first:.2f} | {peak_gib(work.device):.1f} |", flush=True)


@contextmanager
def _free_order() -> Iterator[None]:
    """Allow kernels that add in any order, the fastest chosen by timing, as in a loop that need not be repeatable."""
    torch.use_deterministic_algorithms(False)
    torch.backends.cudnn.benchmark = True
    try:
        yield
    finally:
        make_deterministic(0)


TABLES: dict[str, Table] = {"overhead": overhead, "full": full, "top": top}

if __name__ == "__main__":
    run(TABLES, __doc__)
