"""Params that fit the weights, the size, the budget and the images."""

import math
from pathlib import Path
from typing import NamedTuple

from graft.images.decode import MAX_PIXELS
from graft.params.pipeline import Params
from graft.start.edits import Setting
from graft.start.minutes import Counts
from graft.start.presets import Budget, Wanted, preset
from graft.start.starting_point import ASKED, StartingPoint
from graft.start.survey import Survey, spread
from graft.store.catalogue import nfc

MEGA = 1_000_000
N_PICTURES = 8


class Options(NamedTuple):
    """Options of the command that set params."""

    size_px: int | None
    budget: Budget


def settings(choice: StartingPoint, target: Survey, params: Params, options: Options) -> dict[str, Setting]:
    """Values that fit, by dotted key; all other values stay unchanged.

    Args:
        choice: network and weights.
        target: survey of the target's folder.
        params: params before the change.
        options: options of the command.
    """
    kind = {"pretrain": "weights made on your source images"}.get(choice.weights, "published weights")
    why = f"{options.budget}, for {kind}"
    wanted = Wanted(
        network=choice.name,
        weights=choice.weights,
        size_px=options.size_px,
        budget=options.budget,
        n_train=target.counts["train"].total(),
        short_px=_short_px(target),
        grey=target.n_grey == target.n_decoded,
    )
    found = {"prepare_data.dataset": Setting("folders", "your images, and no longer the example's")}
    if not choice.kept:
        of_network = {"name": choice.why, "weights_sha256": "its hash"}
        found |= {
            f"network.{key}": Setting(value, of_network.get(key, choice.weights_why))
            for key, value in choice.values(choice.kept_as).items()
        }
    whys = {"images.size_px": why if options.size_px is None else ASKED}
    found |= {key: Setting(value, whys.get(key, why)) for key, value in preset(wanted).items()}
    return found | _asked_by_images(target, params)


def pictures(target: Survey) -> list[Path]:
    """A few image files, spread evenly over all; reading them is timed."""
    return [target.folder / path for path in spread(sorted(target.readable), N_PICTURES)]


def counts(target: Survey, source: Survey | None) -> Counts:
    """Numbers of images that a run would see."""
    n_train, n_val, n_test = (target.counts[split].total() for split in ("train", "val", "test"))
    return Counts(0 if source is None else len(source.found), n_train, n_val, n_test, len(target.classes))


def _asked_by_images(target: Survey, params: Params) -> dict[str, Setting]:
    """Values of limits that these images would break."""
    found: dict[str, Setting] = {}
    largest = max(each.width * each.height for each in target.readable.values())
    if largest > params.images.max_megapixels * MEGA:
        limit = min(math.ceil(largest / MEGA), MAX_PIXELS // MEGA)
        found["images.max_megapixels"] = Setting(limit, f"the largest picture has {largest / MEGA:.0f} megapixels")
    if target.unreadable:
        found["validate_data.on_undecodable"] = Setting(
            "quarantine", "files that cannot be read are left out, and listed"
        )
    label, fewest = min(_readable_in_train(target).items(), key=lambda each: each[1])
    if fewest < params.validate_data.min_images_per_class:
        why = f"class {label} has no more to learn from, which is few"
        found["validate_data.min_images_per_class"] = Setting(max(fewest, 1), why)
    expected = params.validate_data.classes
    if expected is not None and {nfc(each) for each in expected} != set(target.classes):
        found["validate_data.classes"] = Setting(None, "these images have other classes")
    return found


def _short_px(target: Survey) -> int:
    """Median of the pictures' shorter sides, in pixels."""
    return sorted(min(each.width, each.height) for each in target.readable.values())[len(target.readable) // 2]


def _readable_in_train(target: Survey) -> dict[str, int]:
    """Number of train images by class, less the unreadable images of the class."""
    broken = [each.label for each in target.found if each.path in target.unreadable]
    return {label: n - broken.count(label) for label, n in target.counts["train"].items()}
