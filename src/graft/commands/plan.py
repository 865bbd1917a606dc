"""`graft plan`: say before any training what the verdict will be able to show, and how long that takes."""

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from graft.commands.paths import (
    CATALOG,
    FEATURES,
    LABELLED_CATALOG,
    LOOKS,
    PARAMS,
    RAW,
    STRATEGY,
    TARGET_CATALOG,
    VERDICT,
)
from graft.files import printable

if TYPE_CHECKING:
    from pydantic import BaseModel

    from graft.decisions.pilot import Pilot
    from graft.decisions.plan import OnTest
    from graft.decisions.plan_words import Line
    from graft.decisions.verdict.looks import Standing
    from graft.params.pipeline import Params
    from graft.start.sizes import Sizes

R = TypeVar("R", bound="BaseModel")

HELP = "say before any training which gain these data can prove, with how many seeds, in how many minutes"
SEEDS = (3, 5, 8, 12, 20)
EXAMPLE = Path("data/example")
N_PICTURES = 8


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the options of the command."""
    parser.add_argument(
        "--gain",
        type=float,
        metavar="SHARE",
        help="also say the seeds and images that prove this gain: 0.02 is 2 points",
    )


def run(args: argparse.Namespace) -> None:
    """Print what a run by params.yaml can prove.

    Raises:
        FileNotFoundError: there is no params.yaml, or there are no images.
        ValueError: params, images or the gain cannot be used, or `check_transfer.margin` is too small.
    """
    from graft.decisions import plan_words
    from graft.decisions.plan import ways_to
    from graft.params.pipeline import read_params

    if args.gain is not None and not 0 < args.gain < 1:
        raise ValueError(
            f"graft plan, --gain: want a share above 0 and below 1, got {args.gain:g}. Write 2 points as 0.02."
        )
    params = read_params(PARAMS)
    sizes, n_seeds = _sizes(params), params.training.n_seeds
    on = _on_test(sizes, params)
    _say(plan_words.of_test(on, sizes.where, sizes.classes))
    pilot = pilot_of(sizes, on, params)
    _say(plan_words.of_question(on, params, pilot))
    _say(plan_words.of_seeds(on, pilot, n_seeds, _minutes(params, sizes)))
    if args.gain is not None:
        ways = ways_to(args.gain, pilot, on.layout.n_images, n_seeds, on.level)
        _say(plan_words.of_gain(args.gain, ways, on.layout.n_images, n_seeds))
    _say([("plan", plan_words.sentence(on, pilot, n_seeds))])
    if refusal := plan_words.too_small(on, pilot, params, str(PARAMS)):
        raise ValueError(refusal)


def foretold(sizes: "Sizes", params: "Params") -> "list[Line]":
    """The last line of the command, and what it refuses, from sizes that are known before the first run."""
    from graft.decisions import plan_words

    on = _on_test(sizes, params)
    pilot = pilot_of(sizes, on, params)
    refusal = plan_words.too_small(on, pilot, params, str(PARAMS))
    last = plan_words.sentence(on, pilot, params.training.n_seeds)
    return [*([("note", refusal)] if refusal else []), ("plan", last)]


def _on_test(sizes: "Sizes", params: "Params") -> "OnTest":
    """The test images, with what the ledger says of earlier looks at them."""
    from graft.decisions.plan import on_test

    return on_test(sizes.test, sizes.classes, params.check_transfer, _before(sizes, params))


def _before(sizes: "Sizes", params: "Params") -> "Standing | None":
    """Where the next look stands among those in the ledger; None while the files' hashes are not known."""
    from graft.decisions.plan import standing_ahead
    from graft.decisions.verdict.looks import look_at, read_looks, trained_from
    from graft.decisions.verdict.splits import splits_of
    from graft.records.catalog import CatalogRecord
    from graft.records.strategy import StrategyRecord
    from graft.store.catalogue import read_catalog

    catalog = _read_if_valid(CatalogRecord, CATALOG)
    if not (sizes.catalogued and catalog is not None and TARGET_CATALOG.is_file()):
        return None
    chosen = _read_if_valid(StrategyRecord, STRATEGY)
    strategy = params.select_strategy.overrule or ("full" if chosen is None else chosen.choice)
    source = read_catalog(LABELLED_CATALOG) if LABELLED_CATALOG.is_file() else ()
    splits = splits_of(read_catalog(TARGET_CATALOG), sizes.classes, source)
    trained = trained_from(strategy, params.training.n_seeds, catalog)
    look = look_at(splits, params, trained)
    return None if look is None else standing_ahead(read_looks(LOOKS), look)


def pilot_of(sizes: "Sizes", on: "OnTest", params: "Params") -> "Pilot":
    """The best pilot that there is: a run on such test images, else a probe on cached features, else an assumption."""
    from graft.decisions import pilot
    from graft.files import file_sha256
    from graft.records.verdict import VerdictRecord

    verdict = _read_if_valid(VerdictRecord, VERDICT)
    if verdict is not None and verdict.metric == on.metric:
        same = sizes.catalogued and verdict.made_from.get("catalog") == file_sha256(CATALOG)
        if same or (verdict.n_images, verdict.n_units) == (on.layout.n_images, on.layout.units.number):
            return pilot.of_run(verdict, on.layout, str(VERDICT))
    return _of_probe(sizes, on, params) or pilot.assumed(on.layout)


def _of_probe(sizes: "Sizes", on: "OnTest", params: "Params") -> "Pilot | None":
    """Pilot from cached features; None if there are none of this catalogue, or too few images for it."""
    import numpy as np

    from graft.decisions import pilot
    from graft.store.catalogue import labelled, read_catalog

    if not (sizes.catalogued and TARGET_CATALOG.is_file() and FEATURES.is_file()):
        return None
    rows = read_catalog(TARGET_CATALOG)
    train = labelled(rows, sizes.classes, "train")
    if not len(train.rows):
        return None
    try:
        features = np.load(FEATURES, mmap_mode="r")
        if len(features) != sum(each.row >= 0 for each in rows):
            return None
        _wait("trying a probe on the backbone's features")
        return pilot.of_probe(
            features, train, (on.layout, sizes.test.labels), params.select_strategy.folds, params.seed
        )
    except ValueError:
        # no array, or a class with a single image, or group, which cannot be cross-validated
        return None


def _read_if_valid(kind: "type[R]", path: Path) -> "R | None":
    """A record; None if there is none, or one of another version."""
    from graft.files import read_record

    try:
        return read_record(kind, path)
    except (FileNotFoundError, ValueError):
        return None


def _sizes(params: "Params") -> "Sizes":
    from graft.commands.start import say_what_is_missing
    from graft.start.sizes import Files, sizes_of

    target, unlabeled = RAW / "target", RAW / "target_unlabeled"
    there = target.is_dir() or unlabeled.is_dir() or TARGET_CATALOG.is_file()
    if params.prepare_data.dataset == "folders" and not there:
        say_what_is_missing(target)
    sizes = sizes_of(params, Files(CATALOG, TARGET_CATALOG, RAW))
    if len(sizes.test.labels) == 0:
        raise ValueError(
            f"{sizes.where}: want a labelled test split, got no image in it. Without one there is no verdict: add "
            "images to test/<class>/, or leave out split folders, and a test split is cut."
        )
    return sizes


def _minutes(params: "Params", sizes: "Sizes") -> dict[int, float]:
    """Minutes of a run on this machine by number of seeds."""
    from graft.params.learning import SEEDS as BUDGETS
    from graft.start import timing
    from graft.start.minutes import reckoned

    _wait("timing a few steps on this machine")
    costs = timing.costs_here(params, sizes.counts.n_classes, _pictures(params))

    # what is trained beside the arms depends on the name of the budget
    budgets: dict[int, str | int] = {each: each for each in SEEDS}
    budgets |= {n: name for name, n in BUDGETS.items() if n in budgets}
    budgets[params.training.n_seeds] = params.training.budget

    def total(budget: str | int) -> float:
        training = params.training.model_copy(update={"budget": budget})
        return reckoned(params.model_copy(update={"training": training}), sizes.counts, costs).total

    return {n_seeds: total(budget) for n_seeds, budget in budgets.items()}


def _pictures(params: "Params") -> list[Path]:
    """A few image files of the target, spread over all; none if they are not there."""
    from graft.preparation.scan import scan_optional
    from graft.start.survey import spread

    folder = (EXAMPLE if params.prepare_data.dataset == "example" else RAW) / "target"
    return [folder / each.path for each in spread(scan_optional(folder, needs_train=False), N_PICTURES)]


def _wait(what: str) -> None:
    """Say what takes seconds, where a person looks on."""
    if sys.stderr.isatty():
        print(f"{what} ...", file=sys.stderr, flush=True)


def _say(lines: "list[Line]") -> None:
    from graft.start.words import shown

    if lines:
        print(printable(shown(lines)), flush=True)
