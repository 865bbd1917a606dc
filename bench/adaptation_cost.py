"""What a technique costs in each step of training, over plain fine-tuning or over a plain step of as many images.

    python bench/adaptation_cost.py [--pairs 40] [--network NAME ...] [--smoke]

Steps with and without the technique are taken in turn, so that both meet the same machine, and timed by the processor's
own clock. The table has the median of the ratios of neighbouring steps, and their quartiles. L2-SP, EWC and LwF are
compared with plain fine-tuning. The others pass further images through the network, and are compared with a plain step
that passes as many and learns from the mean of their features.
"""

import argparse
import copy
import math
import os

# before torch is imported
if __name__ == "__main__":
    os.environ |= {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}

import time
from collections.abc import Iterator, Sequence
from itertools import cycle
from statistics import median, quantiles
from typing import NamedTuple

import torch
from own_loop import LEARNING, halved
from torch import Tensor
from torch.optim.lr_scheduler import LambdaLR

from graft.networks.networks import Network, build_network
from graft.networks.outputs import Score
from graft.params.recipes import Recipe
from graft.training.batches import Samples
from graft.training.checkpoints import NOTHING
from graft.training.loop import feed_of, made_terms, optimizer_of
from graft.training.objective import MakeTerm, Moment, Term
from graft.training.phases import Phase, adapt_batchnorm, equal_rates, trained_parameters
from graft.training.run import Run, Stepping
from graft.training.steps import Plan, Task, steps_of_epoch
from graft.transfer.adapting.coral import Coral
from graft.transfer.adapting.dann import Dann
from graft.transfer.adapting.mmd import Dan
from graft.transfer.adapting.sides import Further, sides_of
from graft.transfer.keeping.ewc import ewc, fisher_roots
from graft.transfer.keeping.l2_sp import l2_sp
from graft.transfer.keeping.lwf import lwf
from graft.transfer.keeping.replay import replay

BATCH, N_CLASSES = 32, 10
# side of the images in pixels
NETWORKS = {"small_cnn": 32, "mobilenet_v2": 96}
WARM = 3
RECIPE = Recipe(shift=0.0625)


class Cost(NamedTuple):
    """A technique, what it is compared with, and the most that it may cost of that; None: no limit was set."""

    name: str
    make: MakeTerm
    over: MakeTerm | None
    limit: float | None


class Passing(Term):
    """Passes further images, and learns from the mean of their features: what all that do so pay at least."""

    def __init__(self, further: Further, block: str) -> None:
        super().__init__()
        self.further, self.n_passed, self.blocks = further, further.n_passed, (block,)

    def forward(self, moment: Moment) -> Tensor:
        """Mean of the features of the further images."""
        return sides_of(moment, self.further).target[self.blocks[0]].mean()


def main() -> None:
    """Print one table for all networks."""
    args = _arguments()
    torch.set_num_threads(1)
    print(f"| network | technique | compared with | ratio | quartiles | limit |\n|{'---|' * 6}")
    for name in args.network:
        side = NETWORKS[name]
        data = _noise(8 * BATCH, side)
        network = _network(name, data)
        for cost in _costs(network, data):
            print(_row(name, cost, _ratios(network, data, cost, args.pairs)), flush=True)


def _row(network: str, cost: Cost, ratios: Sequence[float]) -> str:
    low, _, high = quantiles(ratios, n=4)
    over = "plain" if cost.over is None else "plain, as many passes"
    limit = "" if cost.limit is None else f"{cost.limit:g}"
    return f"| {network} | {cost.name} | {over} | {median(ratios):.3f} | {low:.3f} to {high:.3f} | {limit} |"


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pairs", type=int, default=40, help="pairs of steps for each figure")
    parser.add_argument("--network", nargs="+", choices=NETWORKS, default=list(NETWORKS))
    parser.add_argument("--smoke", action="store_true", help="four pairs, whose figures mean nothing")
    args = parser.parse_args()
    if args.smoke:
        args.pairs, args.network = 4, ["small_cnn"]
    return args


def _network(name: str, data: Samples) -> Network:
    """Random network whose BatchNorm knows the images, or features would be so small that sums of squares underflow."""
    torch.manual_seed(0)
    network = build_network(name, N_CLASSES, halved(data.images.shape[-1]))
    adapt_batchnorm(network, data.images)
    return network


def _noise(n: int, side: int) -> Samples:
    generator = torch.Generator().manual_seed(0)
    images = torch.randint(0, 256, (n, 3, side, side), generator=generator, dtype=torch.uint8)
    return Samples(images, torch.arange(n) % N_CLASSES)


def _costs(network: Network, data: Samples) -> Iterator[Cost]:
    """All techniques. Those that pass further images pass as many as there are labelled ones."""
    *_, lower, last = network.blocks
    roots = fisher_roots(network, data, 8, 0)
    yield Cost("L2-SP", l2_sp(0.01), None, 1.05)
    yield Cost("EWC", ewc(100.0, roots), None, 1.1)
    yield Cost("LwF", lwf(network, 1.0, 2.0, torch.float32), None, 1.5)
    other = Further(None, data.images, RECIPE)
    passing = _maker(Passing(other, last))
    yield Cost("replay, half of a step", replay(network, data, 0.5, RECIPE), passing, None)
    yield Cost("DAN, 2 blocks", _maker(Dan(1.0, (lower, last), other)), passing, 1.15)
    yield Cost("CORAL", _maker(Coral(1.0, last, other)), passing, 1.15)
    yield Cost("DANN", lambda net: Dann(1.0, net, other), passing, None)


def _maker(term: Term) -> MakeTerm:
    return lambda network: term


def _ratios(network: Network, data: Samples, cost: Cost, n: int) -> Sequence[float]:
    """Seconds of a step with the technique over those of its neighbour without."""
    with_it, without = (_steps(network, data, () if make is None else (make,)) for make in (cost.make, cost.over))
    for _ in range(WARM):
        next(with_it)
        next(without)
    ratios = []
    # first one, then the other, so that a drift of the machine cancels
    for first in cycle((True, False)):
        one, other = (_seconds(each) for each in ((with_it, without) if first else (without, with_it)))
        ratios.append(one / other if first else other / one)
        if len(ratios) == n:
            return ratios
    raise AssertionError


def _seconds(steps: Iterator[None]) -> float:
    """Seconds of the processor for one step."""
    start = time.process_time()
    next(steps)
    return time.process_time() - start


def _steps(network: Network, data: Samples, terms: tuple[MakeTerm, ...]) -> Iterator[None]:
    """Steps of fine-tuning of all blocks, without end."""
    net = copy.deepcopy(network).to(memory_format=torch.channels_last)
    phase = Phase("cost", equal_rates(list(net.blocks), 1e-4), 10**6, None)
    learning = LEARNING.model_copy(update={"batch_size": BATCH})
    plan = Plan((phase,), learning, RECIPE, torch.float32, batchnorm="frozen", terms=terms)
    task = Task(data, data, plan, 0, lambda n: None, NOTHING)
    trained, made = trained_parameters(net, phase), made_terms(net, plan)
    optimizer = optimizer_of(trained, made, phase.rates, learning)
    parameters = [each for members in trained.values() for each in members]
    stepping = Stepping(parameters, optimizer, LambdaLR(optimizer, lambda step: 1.0), None)
    run = Run(net, torch.Generator().manual_seed(0), Score(math.inf, 0.0), 0, {}, terms=made)
    feed = feed_of(net, phase, task)
    while True:
        run.step = 0
        yield from steps_of_epoch(run, phase, task, feed, stepping)


if __name__ == "__main__":
    main()
