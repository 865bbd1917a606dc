"""Training, features and the shift test on one CUDA device, against bare torch and timm's loop on the same device.

    python bench/gpu.py [--tables overhead full ...]

It prints Markdown tables under the name of the card. Seconds are those of the clock, medians over stretches of steps
whose ends wait for the device. Images are random and lie on the device, as graft keeps them; the peers' are normalised
beforehand, which graft does at every step.
"""

import argparse
import statistics
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from training_run import N_CLASSES, TINY_PX, data, floats, network

from graft.learning.augmentation import augmented
from graft.learning.batches import Samples
from graft.learning.device import make_deterministic
from graft.learning.loop import fit
from graft.learning.networks import Network, from_torchvision
from graft.learning.optimisation import Optimisation
from graft.learning.phases import Phase, parts_of
from graft.learning.scores import outputs_of
from graft.learning.steps import Plan
from graft.params import read_params
from graft.records import Preprocessing
from graft.statistics import two_sample_test
from graft.training_params import Recipe

RECIPES = read_params(Path(__file__).parents[1] / "params.yaml").recipes
STRETCH = {True: 50, False: 4}
"""steps between two looks at the clock, for the tiny network and for others"""
Precision = torch.dtype


class Watch:
    """Seconds of stretches of steps; the device is waited for at their ends alone."""

    def __init__(self, every: int) -> None:
        self.every, self.n_steps = every, 0
        self.marks: list[float] = []

    def __call__(self, *_: object) -> None:
        """Count a step."""
        self.n_steps += 1
        if self.n_steps % self.every == 0:
            torch.cuda.synchronize()
            self.marks.append(time.perf_counter())

    def seconds_a_step(self) -> float:
        """Median over all stretches but the first two, in which kernels are chosen and memory is taken."""
        marks = self.marks[2:]
        return statistics.median(b - a for a, b in pairwise(marks)) / self.every


def bare(name: str, given: Samples, batch: int, precision: Precision, *, top: bool = False) -> Watch:
    """Nothing but the mathematics, on batches cut beforehand; the frozen part runs with all the rest."""
    model = _on_device(network(name)).train()
    if top:
        for part, parameter in model.named_parameters():
            parameter.requires_grad_(part.startswith(("layer4", "fc")))
    optimizer = torch.optim.AdamW([each for each in model.parameters() if each.requires_grad], 1e-3, fused=True)
    watch = Watch(STRETCH[name == "tiny"])
    for values, targets in zip(floats(given.images).split(batch), given.labels.split(batch), strict=True):
        with torch.autocast("cuda", precision, enabled=precision != torch.float32):
            loss = F.cross_entropy(model(values).float(), targets)
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        optimizer.step()
        watch()
    return watch


def timm(name: str, given: Samples, batch: int, precision: Precision) -> Watch:
    """The loop of timm's train.py in its parts, on batches that lie on the device already."""
    from timm.optim import create_optimizer_v2
    from timm.scheduler import CosineLRScheduler
    from timm.utils import AverageMeter

    model = _on_device(network(name)).train()
    optimizer = create_optimizer_v2(model, opt="adamw", lr=1e-3, weight_decay=0.01)
    batches = list(zip(floats(given.images).split(batch), given.labels.split(batch), strict=True))
    scheduler = CosineLRScheduler(optimizer, t_initial=len(batches), t_in_epochs=False)
    losses, watch = AverageMeter(), Watch(STRETCH[name == "tiny"])
    for number, (values, targets) in enumerate(batches):
        with torch.autocast("cuda", precision, enabled=precision != torch.float32):
            loss = F.cross_entropy(model(values).float(), targets)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.update(loss.item(), len(values))
        scheduler.step_update(number + 1, metric=losses.avg)
        watch()
    return watch


def graft(
    name: str,
    given: Samples,
    batch: int,
    precision: Precision,
    *,
    recipe: Recipe | None = None,
    top: bool = False,
    views: int | None = None,
) -> Watch:
    """This project's loop: uint8 images, normalised at every step, augmented where a recipe is named."""
    model, side = network(name), given.images.shape[2]
    if name == "tiny":
        assert isinstance(model, nn.Sequential)
        net = Network({"block": model[:-1]}, 256, N_CLASSES)
    else:
        net = from_torchvision(model, name, N_CLASSES, side)
    frozen = list(net.blocks)[:-1] if top else []
    rates = {part: 0.0 if part in frozen else 1e-3 for part in parts_of(net)}
    plan = Plan(
        phases=(Phase("bench", rates, 4 if views else 1, None, norms_only=False),),
        batch_size=batch,
        optimisation=Optimisation("adamw", 0.9, 0.01, "one_cycle", 0.3, 3, None, 1),
        ema_decay=None,
        label_smoothing=0.0,
        mixing=None,
        balance="none",
        recipe=recipe or RECIPES["digits"].model_copy(update={"shift": 0.0}),
        views=views,
        batchnorm="train",
        preprocessing=_preprocessing(side),
        precision=precision,
    )
    watch = Watch(STRETCH[name == "tiny"])
    fit(_on_device(net), given, Samples(given.images[:batch], given.labels[:batch]), plan, 0, watch)
    return watch


def overhead() -> None:
    """A network so small that only the loop counts."""
    given = _samples(TINY_PX, 32_000)
    found = {way.__name__: way("tiny", given, 32, torch.float32).seconds_a_step() for way in (bare, timm, graft)}
    print("\n| loop | ms a step | above the bare mathematics, ms |\n|---|---:|---:|")
    for name, seconds in found.items():
        print(f"| {name} | {1000 * seconds:.3f} | {1000 * (seconds - found['bare']):.3f} |", flush=True)


def full() -> None:
    """All of a ResNet."""
    for name, side, batch, n in (("resnet18", 96, 64, 6_400), ("resnet50", 224, 128, 3_840)):
        given = _samples(side, n)
        _table(f"Full fine-tuning, {name} at {side} px, batch {batch}", _full_ways(name, given, batch), batch)
    with _free_order():
        way = {"bare, bfloat16, kernels may add in any order": partial(bare, name, given, batch, torch.bfloat16)}
        _table(f"{name} at {side} px", way, batch)


def _full_ways(name: str, given: Samples, batch: int) -> dict[str, Callable[[], Watch]]:
    half, whole, recipe = torch.bfloat16, torch.float32, RECIPES["photographs"]
    return {
        "bare, bfloat16": partial(bare, name, given, batch, half),
        "timm, bfloat16": partial(timm, name, given, batch, half),
        "graft, bfloat16": partial(graft, name, given, batch, half),
        "graft, bfloat16, augmented (photographs)": partial(graft, name, given, batch, half, recipe=recipe),
        "bare, float32": partial(bare, name, given, batch, whole),
        "graft, float32": partial(graft, name, given, batch, whole),
    }


def top() -> None:
    """Only the top block and the head of a ResNet."""
    batch, given = 128, _samples(224, 3_840)
    few = Samples(given.images[:1_280], given.labels[:1_280])
    ways: dict[str, Callable[[], Watch]] = {
        "bare top block": partial(bare, "resnet50", given, batch, torch.bfloat16, top=True),
        "graft top block": partial(graft, "resnet50", given, batch, torch.bfloat16, top=True),
        "graft top block, kept activations": partial(graft, "resnet50", few, batch, torch.bfloat16, top=True, views=1),
    }
    _table(f"Top block of resnet50 at 224 px, batch {batch}, bfloat16", ways, batch)


def features() -> None:
    """Features of a frozen backbone, from the uint8 images of a store in the processor's memory."""
    images = np.ascontiguousarray(_samples(224, 3_840).images.permute(0, 2, 3, 1).cpu().numpy())
    net = _on_device(from_torchvision(network("resnet50"), "resnet50", N_CLASSES, 224)).eval()
    model = _on_device(network("resnet50")).eval()

    def bare_forward() -> None:
        with torch.inference_mode():
            for part in torch.from_numpy(images).permute(0, 3, 1, 2).split(256):
                model((part.cuda().float() / 255 - 0.5) / 0.25).cpu()

    ways = {
        "bare forward, batches of 256": bare_forward,
        "graft": lambda: outputs_of(net, images, _preprocessing(224)),
    }
    print("\n| features of resnet50 at 224 px, float32 | images a second |\n|---|---:|")
    for name, way in ways.items():
        print(f"| {name} | {len(images) / _seconds(way):,.0f} |", flush=True)


def augmentation() -> None:
    """Images a second of each shipped recipe, at 224 px in batches of 128."""
    images = _samples(224, 128).images
    print("\n| recipe | images a second |\n|---|---:|")
    for name, recipe in RECIPES.items():

        def once(recipe: Recipe = recipe) -> None:
            augmented(images, recipe, torch.Generator().manual_seed(0))

        print(f"| {name} | {len(images) / _seconds(once, repeats=20):,.0f} |", flush=True)


def shift() -> None:
    """The two-sample test with 1,000 permutations, d = 512, all bandwidths, against the matrix products it needs."""
    print("\n| rows a side | graft, s | products of the upper triangle alone in float32, s | ratio | p |")
    print("|---|---:|---:|---:|---:|")
    for n in (10_000, 50_000):
        generator = torch.Generator("cuda").manual_seed(0)
        source, target = (torch.randn(n, 512, generator=generator, device="cuda") for _ in range(2))
        found = two_sample_test(source, target, n_permutations=1_000, seed=0)
        seconds = _seconds(lambda s=source, t=target: two_sample_test(s, t, n_permutations=1_000, seed=0))
        rows = torch.cat([source, target])

        def products(rows: Tensor = rows) -> None:
            for start in range(0, len(rows), 8_192):
                rows[start : start + 8_192] @ rows[start:].T

        floor = _seconds(products)
        print(f"| {n:,} | {seconds:.2f} | {floor:.2f} | {seconds / floor:.1f} | {found.p_value:.3f} |", flush=True)


def _samples(side: int, n: int) -> Samples:
    images, labels = data(side, n)
    return Samples(images.cuda(), labels.cuda())


def _on_device(model: Any) -> Any:
    return model.cuda().to(memory_format=torch.channels_last)


def _preprocessing(side: int) -> Preprocessing:
    half, quarter = (0.5, 0.5, 0.5), (0.25, 0.25, 0.25)
    return Preprocessing(resize_px=side, crop_px=side, mean=half, std=quarter, interpolation="bilinear")


def _seconds(run: Callable[[], object], repeats: int = 3) -> float:
    """Median of some runs, after one that nobody counts."""
    found = []
    for _ in range(repeats + 1):
        torch.cuda.synchronize()
        start = time.perf_counter()
        run()
        torch.cuda.synchronize()
        found.append(time.perf_counter() - start)
    return statistics.median(found[1:])


def _table(title: str, ways: dict[str, Callable[[], Watch]], batch: int) -> None:
    print(f"\n{title}\n\n| loop | images a second | of the first | peak GiB |\n|---|---:|---:|---:|")
    first = None
    for name, way in ways.items():
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats()
        rate = batch / way().seconds_a_step()
        first = first or rate
        peak = torch.cuda.max_memory_allocated() / 2**30
        print(f"| {name} | {rate:,.0f} | {rate / first:.2f} | {peak:.1f} |", flush=True)


@contextmanager
def _free_order() -> Iterator[None]:
    """Kernels that add in any order, the fastest chosen by timing: what a loop has that need not repeat itself."""
    torch.use_deterministic_algorithms(False)
    torch.backends.cudnn.benchmark = True
    try:
        yield
    finally:
        make_deterministic(0)


TABLES = {
    "overhead": overhead,
    "full": full,
    "top": top,
    "features": features,
    "augmentation": augmentation,
    "shift": shift,
}

if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="graft on one CUDA device.")
    parser.add_argument("--tables", nargs="*", default=list(TABLES), choices=list(TABLES))
    chosen = parser.parse_args().tables
    make_deterministic(0)
    print(f"{torch.cuda.get_device_name()}, torch {torch.__version__}, CUDA {torch.version.cuda}")
    for each in chosen:
        start = time.perf_counter()
        TABLES[each]()
        print(f"\n({each}: {time.perf_counter() - start:.0f} s)", flush=True)
