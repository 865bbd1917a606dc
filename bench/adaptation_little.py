"""Table `little` of bench/adaptation.py: how much of a network must learn, and what the rest saves.

Every method tries equally many rates and chooses by validation images. Parameters are those that learn, the head
included; a delta holds what a tuned network adds to its backbone. CPU seconds are those of the part `seconds`: one
whole run of each method on one thread of a processor.
"""

import tempfile
from pathlib import Path
from typing import Any, NamedTuple

from adaptation_cells import accuracy, choose, comparison, gain, largest, mean_fact, of, right, seeds, table
from adaptation_pool import Job, Result, Results
from adaptation_training import (
    Kind,
    Options,
    Origin,
    case_of,
    images_of,
    logits_of,
    network_of,
    params_of,
    parts_of,
    task_of,
    tuned,
)
from verdict_real_run import Change

from graft.networks.saving import save_network
from graft.params.both_arms import Strategy
from graft.transfer.arms.runs import Trained
from graft.transfer.companions import Companions
from graft.transfer.finetuning.task import TransferTask
from graft.transfer.tuning.delta import beside, delta_of, write_delta
from graft.transfer.tuning.lora import Factors

PART, SECONDS = "little", "seconds"
RATES = (0.001, 0.004, 0.016)


class Target(NamedTuple):
    """A backbone and a target."""

    origin: Origin
    target: str
    of_target: tuple[int, int, int]
    """train, validation, test"""
    epochs: int

    @property
    def network(self) -> Kind:
        """Network of the backbone."""
        return self.origin.network


IMAGENET = Origin("mobilenet_v2", "")
TASKS = {
    "hymenoptera, mobilenet_v2": Target(IMAGENET, "hymenoptera", (60, 20, 110), 15),
    "cifar10, mobilenet_v2": Target(IMAGENET, "cifar10", (45, 15, 60), 10),
    "example, small ViT": Target(Origin("vit", "source", (68, 10, 9), 30, 0.002), "target", (25, 10, 50), 25),
}
FULL = "full"
METHODS: dict[str, tuple[Strategy, Any]] = {
    FULL: ("full", "whole"),
    "top block": ("top_blocks", "whole"),
    "norms": ("norms", "whole"),
    "bias": ("full", "bias"),
    "LoRA": ("full", {"kind": "lora", "rank": 4, "alpha": 8.0}),
    "adapters": ("full", {"kind": "adapters", "width": 16}),
}


def candidates(options: Options) -> tuple[float, ...]:
    """Rates that every method tries."""
    return RATES[1:2] if options.size == "smoke" else RATES


def jobs(options: Options) -> list[Job]:
    """All trainings whose accuracy counts."""
    return [
        _job(PART, task, method, seed, rate)
        for seed in range(options.n_seeds)
        for task in TASKS
        for method in METHODS
        for rate in candidates(options)
    ]


def timed_jobs(options: Options) -> list[Job]:
    """One training of each method, whose CPU time counts."""
    return [_job(SECONDS, task, method, 0, RATES[1]) for task in TASKS for method in METHODS]


def origins() -> list[Origin]:
    """What backbones are trained on."""
    return [target.origin for target in TASKS.values()]


def train(job: Job, device: str, options: Options, folder: Path) -> Result:
    """Train a run, and tell how much of the network learned."""
    target = TASKS[job.task]
    strategy, tuning = METHODS[job.method]
    change: Change = {"training.epochs": options.epochs(target.epochs), "finetune_target.tuning": tuning}
    params = params_of(target.network, change, options)
    network = network_of(target.origin, job.seed, options, folder)
    found = images_of(target.network, target.target, options.where)
    train, val, test = parts_of(found, options.images(*target.of_target))
    case = case_of((train, val, test), Companions(None, None), params, device, None)
    task = task_of(case, network, target.network, strategy, params)
    trained, facts = tuned(task, job.seed, float(job.candidate))
    return Result({**facts, "delta_kb": delta_kb(trained, task)}, logits_of(trained.network, case, network))


def delta_kb(trained: Trained, task: TransferTask) -> float:
    """Size of the file of what a tuned network adds to its backbone, in kB."""
    backbone, factors = task.backbone, {name: Factors(*each) for name, each in trained.factors.items()}
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "tuned.safetensors"
        save_network(trained.network, backbone.name, file)
        write_delta(delta_of(backbone.network.cpu(), file, factors, "tuned"), beside(file))
        return beside(file).stat().st_size / 1000


def report(results: Results, options: Options) -> str:
    """The table."""
    n, rows = len(candidates(options)), []
    tried = {job: result for job, result in results.items() if job.part == PART}
    timed = {job: result for job, result in results.items() if job.part == SECONDS}
    for task in TASKS:
        base = right(choose(of(tried, task, FULL), n, _rank))
        for method in METHODS:
            each = of(tried, task, method)
            chosen = choose(each, n, _rank)
            against = "" if method == FULL else gain(comparison(right(chosen), base))
            size = [mean_fact(each.values(), name, form) for name, form in (("trained", ",.0f"), ("share", ".2%"))]
            # where no epoch surpassed the start nothing but the head was added
            kb = largest(each.values(), "delta_kb")
            seconds = mean_fact(of(timed, task, method).values(), "cpu_s", ".1f")
            rows.append([task, method, accuracy(right(chosen)), against, *size, kb, seconds, seeds(chosen)])
    head = (
        "data and network | what learns | accuracy, % | minus full, points | trained parameters | of all | delta, kB | "
        "CPU s a run | seeds"
    )
    return table(head, rows)


def _job(part: str, task: str, method: str, seed: int, rate: float) -> Job:
    target = TASKS[task]
    backbone = target.origin.job(seed)
    needs = "" if backbone is None else backbone.name
    timed = part == SECONDS
    return Job(part, task, method, seed, f"{rate:g}", target.network == "mobilenet_v2" and not timed, needs, timed)


def _rank(result: Result) -> list[float]:
    rank: list[float] = result.facts["rank"]
    return rank
