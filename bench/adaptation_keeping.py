"""Table `keeping` of bench/adaptation.py: what is kept of the source, and what that costs on the target.

All blocks are tuned at one rate. A technique chooses among three strengths by the target's validation images; plain
fine-tuning stands there at the same rate, and once more with a choice among three rates. Forgetting is measured on test
images of the source, by the old head on the blocks before and after. BatchNorm statistics stay those of the source.
"""

from pathlib import Path
from typing import Any, NamedTuple

from adaptation_cells import accuracy, choose, comparison, gain, mean, of, right, seeds, table
from adaptation_pool import Job, Result, Results
from adaptation_training import (
    Case,
    Kind,
    Options,
    Origin,
    case_of,
    images_of,
    logits_of,
    made_here,
    network_of,
    params_of,
    parts_of,
    samples_of,
    task_of,
    tuned,
)
from verdict_real_run import Change

from graft.params.pipeline import Params
from graft.transfer.companions import Companions

PART = "keeping"
SHARES = (15, 100)
FISHER_IMAGES = 200


class Domains(NamedTuple):
    """A source whose classes are measured again after tuning, and a target."""

    origin: Origin
    target: str
    of_target: tuple[int, int, int]
    """train, validation, test at all labels"""
    epochs: int
    rate: float

    @property
    def network(self) -> Kind:
        """Network of the backbone."""
        return self.origin.network


TASKS = {
    "mnist to example": Domains(
        Origin("small_cnn", "mnist", (120, 20, 100), 12, 0.01), "target", (35, 10, 42), 20, 0.003
    ),
    "photo to cartoon": Domains(
        Origin("mobilenet_v2", "photo", (45, 5, 25), 8, 0.001), "cartoon", (36, 9, 30), 12, 0.002
    ),
}
# multiples of the rate
PLAIN = (1.0, 1 / 3, 3.0)
STRENGTHS: dict[str, tuple[float, ...]] = {
    "L2-SP": (0.001, 0.01, 0.1),
    "EWC": (100.0, 1000.0, 10000.0),
    "LwF": (0.3, 1.0, 3.0),
    "replay": (0.1, 0.2, 0.4),
}
METHODS = {"plain": PLAIN, **STRENGTHS}


def candidates(method: str, options: Options) -> tuple[float, ...]:
    """Strengths of a technique, or multiples of the rate for plain fine-tuning."""
    return METHODS[method][:1] if options.size == "smoke" else METHODS[method]


def jobs(options: Options) -> list[Job]:
    """All trainings."""
    return [
        _job(task, share, method, seed, candidate)
        for seed in range(options.n_seeds)
        for task in TASKS
        for share in SHARES
        for method in METHODS
        for candidate in candidates(method, options)
    ]


def origins() -> list[Origin]:
    """What backbones are trained on."""
    return [domains.origin for domains in TASKS.values()]


def train(job: Job, device: str, options: Options, folder: Path) -> Result:
    """Train a run, and ask the old head about the source's images."""
    name, share = job.task.rsplit(" at ", 1)
    domains, value = TASKS[name], float(job.candidate)
    network = network_of(domains.origin, job.seed, options, folder)
    params = params_of(domains.network, change_of(job.method, value, domains, options), options)
    case = _case(domains, int(share.removesuffix(" %")), params, device, options)
    task = task_of(case, network, domains.network, "full", params)
    trained, facts = tuned(task, job.seed, domains.rate * (value if job.method == "plain" else 1.0))
    return Result(facts, logits_of(trained.network, case, network))


def change_of(method: str, strength: float, domains: Domains, options: Options) -> Change:
    """Values of params.yaml of a method."""
    keeping: dict[str, dict[str, Any]] = {
        "L2-SP": {"kind": "l2_sp", "strength": strength},
        "EWC": {"kind": "ewc", "strength": strength, "images": FISHER_IMAGES},
        "LwF": {"kind": "lwf", "strength": strength, "temperature": 2.0},
        "replay": {"kind": "replay", "share": strength},
    }
    named = {
        "training.epochs": options.epochs(domains.epochs),
        # statistics that follow the target would be forgetting that no technique can save
        "finetune_target.batchnorm": "frozen",
        **made_here(domains.network),
    }
    return {**named, "finetune_target.keeping": keeping.get(method, "none")}


def report(results: Results, options: Options) -> str:
    """The table."""
    rows = []
    for task in (f"{name} at {share} %" for name in TASKS for share in SHARES):
        plain = of(results, task, "plain")
        first = {job: result for job, result in plain.items() if float(job.candidate) == PLAIN[0]}
        base = choose(first, 1, _rank)
        tried = {"plain, same rate": (first, 1), "plain, best of its rates": (plain, len(candidates("plain", options)))}
        tried |= {name: (of(results, task, name), len(candidates(name, options))) for name in STRENGTHS}
        for name, (each, n) in tried.items():
            chosen = choose(each, n, _rank)
            target, old = right(chosen), right(chosen, "after", "old_labels")
            against = ["", ""]
            if name != "plain, same rate":
                of_target, of_source = right(base), right(base, "after", "old_labels")
                against = [gain(comparison(target, of_target)), gain(comparison(old, of_source))]
            before = mean(right(chosen, "before", "old_labels"))
            rows.append([task, name, accuracy(target), against[0], before, accuracy(old), against[1], seeds(chosen)])
    head = (
        "task and labels | method | target accuracy, % | minus plain, points | source before, % | after, % | "
        "forgetting saved, points | seeds"
    )
    return table(head, rows)


def _job(task: str, share: int, method: str, seed: int, candidate: float) -> Job:
    domains = TASKS[task]
    backbone = domains.origin.job(seed)
    assert backbone is not None, "what is forgotten must have been learned here"
    large = domains.network == "mobilenet_v2"
    return Job(PART, f"{task} at {share} %", method, seed, f"{candidate:g}", large, backbone.name)


def _case(domains: Domains, share: int, params: Params, device: str, options: Options) -> Case:
    origin = domains.origin
    source = images_of(origin.network, origin.name, options.where)
    seen, _, old = parts_of(source, options.images(*origin.sizes))
    n_train, n_val, n_test = options.images(*domains.of_target)
    few = [max(2, round(share / 100 * n)) for n in (n_train, n_val)]
    # the test images are the same at each share: they are drawn behind those of all labels
    found = images_of(origin.network, domains.target, options.where)
    train, _, val, _, test = parts_of(found, (few[0], n_train - few[0], few[1], n_val - few[1], n_test))
    samples = samples_of(seen, device)
    return case_of((train, val, test), Companions(samples, None), params, device, old)


def _rank(result: Result) -> list[float]:
    rank: list[float] = result.facts["rank"]
    return rank
