"""Table `unsupervised` of bench/adaptation.py: labelled source, unlabelled target, and nothing else.

Every method starts from the same backbone and head, has the same epochs and the same rates, and chooses epoch and rate
by information maximisation of the unlabelled images. What soft neighbourhood density and an oracle that sees the test
labels would have chosen among the rates stands beside it.
"""

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from adaptation_cells import accuracy, choose, comparison, gain, mean, of, right, seeds, table
from adaptation_pool import Job, Result, Results
from adaptation_training import (
    Case,
    Kind,
    Options,
    Origin,
    arrays_of,
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

from graft.networks.outputs import outputs_of
from graft.params.pipeline import Params
from graft.training.batches import samples_on
from graft.transfer.adapting.validators import information_maximisation, soft_neighbourhood_density
from graft.transfer.companions import Companions

PART = "unsupervised"
RATES = (0.001, 0.005)
# the two blocks nearest to the head, whose outputs DAN compares
TOP = {"small_cnn": ["block3", "block4"], "mobilenet_v2": ["block4", "block5"]}
BASE = "source only"


class Domains(NamedTuple):
    """A source, a target, and the images of a class that are taken of them."""

    network: Kind
    source: str
    target: str
    of_source: tuple[int, int, int]
    """train, validation, test"""
    of_target: tuple[int, int]
    """unlabelled, test"""
    epochs: int
    n_seen: int | None = None
    """classes, from the first on, that the unlabelled images have; None: all"""

    @property
    def origin(self) -> Origin:
        """What the backbone was trained on: the source, or ImageNet for the large network."""
        if self.network == "mobilenet_v2":
            return Origin(self.network, "")
        return Origin(self.network, self.source, self.of_source, 12, 0.01)


DIGITS, UNLABELLED = (120, 20, 100), (100, 100)
TASKS = {
    "mnist to usps": Domains("small_cnn", "mnist", "usps", DIGITS, UNLABELLED, 8),
    "usps to mnist": Domains("small_cnn", "usps", "mnist", DIGITS, UNLABELLED, 8),
    "usps to mnist, 3 of 10 classes unlabelled": Domains("small_cnn", "usps", "mnist", DIGITS, UNLABELLED, 8, 3),
    "example": Domains("small_cnn", "source", "target", (68, 10, 9), (40, 45), 12),
    "photo to cartoon": Domains("mobilenet_v2", "photo", "cartoon", (65, 10, 0), (40, 35), 8),
}
METHODS = (BASE, "AdaBN", "DAN", "CORAL", "DANN")
# source only and after it DANN, in percent
PUBLISHED = {
    "mnist to usps": "75.2, 77.1 (a); 81.8, 88.4 (b)",
    "usps to mnist": "57.1, 73.0 (a); 49.4, 95.7 (b)",
    "example": "52.3, 76.7 (c)",
}


def candidates(options: Options) -> tuple[float, ...]:
    """Rates that every method tries."""
    return RATES[:1] if options.size == "smoke" else RATES


def jobs(options: Options) -> list[Job]:
    """All trainings, those of backbones first."""
    chosen = [
        (task, method, seed, rate)
        for seed in range(options.n_seeds)
        for task in TASKS
        for method in METHODS
        for rate in candidates(options)
    ]
    return [_job(*each) for each in chosen]


def origins() -> list[Origin]:
    """What backbones are trained on."""
    return [domains.origin for domains in TASKS.values()]


def train(job: Job, device: str, options: Options, folder: Path) -> Result:
    """Train a run, and score its unlabelled images."""
    domains = TASKS[job.task]
    network = network_of(domains.origin, job.seed, options, folder)
    params = params_of(domains.network, change_of(job.method, domains, options), options)
    case = _case(domains, params, device, options)
    task = task_of(case, network, domains.network, "full", params)
    trained, facts = tuned(task, job.seed, float(job.candidate))
    assert case.companions.unlabelled is not None, "every task has unlabelled images"
    logits = torch.from_numpy(outputs_of(trained.network, arrays_of(case.companions.unlabelled)).logits)
    scores = {"im": information_maximisation(logits), "snd": soft_neighbourhood_density(logits)}
    return Result({**facts, **scores}, logits_of(trained.network, case, network))


def change_of(method: str, domains: Domains, options: Options) -> Change:
    """Values of params.yaml of a method."""
    adapting = {
        "DAN": {"kind": "dan", "strength": 1.0, "blocks": TOP[domains.network]},
        "CORAL": {"kind": "coral", "strength": 100.0},
        "DANN": {"kind": "dann", "strength": 1.0},
    }
    by_statistics = {"finetune_target.batchnorm": "adapt"} if method == "AdaBN" else {}
    return {
        "training.epochs": options.epochs(domains.epochs),
        "finetune_target.adapting": adapting.get(method, "none"),
        "finetune_target.choose_by": "information_maximisation",
        **by_statistics,
    }


def report(results: Results, options: Options) -> str:
    """The table, and the cases in which adaptation hurts."""
    n, rows, hurts = len(candidates(options)), [], []
    for task in TASKS:
        base = right(choose(of(results, task, BASE), n, _rank("im")))
        for method in METHODS:
            tried = of(results, task, method)
            chosen = choose(tried, n, _rank("im"))
            found = comparison(right(chosen), base)
            others = [mean(right(choose(tried, n, rank))) for rank in (_rank("snd"), _oracle)]
            against = "" if method == BASE else gain(found)
            published = PUBLISHED.get(task, "") if method == BASE else ""
            rows.append([task, method, accuracy(right(chosen)), against, *others, published, seeds(chosen)])
            if method != BASE and found is not None and found.difference.high < 0:
                hurts.append(f"{task}, {method}: {gain(found)} points")
    head = "task | method | accuracy, % | minus source only, points | chosen by SND | by the oracle | published | seeds"
    return f"{table(head, rows)}\n\nAdaptation hurts, interval below 0: {'; '.join(hurts) or 'in none of these'}."


def _job(task: str, method: str, seed: int, rate: float) -> Job:
    domains = TASKS[task]
    backbone = domains.origin.job(seed)
    large, needs = domains.network == "mobilenet_v2", "" if backbone is None else backbone.name
    return Job(PART, task, method, seed, f"{rate:g}", large, needs)


def _case(domains: Domains, params: Params, device: str, options: Options) -> Case:
    source, target = (images_of(domains.network, name, options.where) for name in (domains.source, domains.target))
    train, val, _ = parts_of(source, options.images(*domains.of_source))
    unlabelled, test = parts_of(target, options.images(*domains.of_target))
    seen = np.flatnonzero(unlabelled.labels < (domains.n_seen or len(unlabelled.classes)))
    images = samples_on(torch.device(device), unlabelled.images[seen], unlabelled.labels[seen]).images
    return case_of((train, val, test), Companions(None, images), params, device, None)


def _rank(name: str) -> Callable[[Result], float]:
    return lambda result: float(result.facts[name])


def _oracle(result: Result) -> float:
    return float(np.mean(right({0: result})[0]))
