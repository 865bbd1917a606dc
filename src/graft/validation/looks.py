"""Do the images of a domain look as the weights expect them."""

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from graft.records.common import Preprocessing
from graft.store.catalogue import CatalogRow
from graft.validation.domains import OpenDomain, pictures
from graft.validation.rules import MOST_NARROW

FEWEST_IMAGES = 20
"""of a domain; fewer say little of it as a whole"""
GREY = 0.004
"""a channel differs by less than one of 255 values in mean and deviation: the image is grey"""
CLEAR = 0.9
"""share of the images that must lie on their side of middle grey for a mirrored brightness to be clear"""
FAR = 0.15
"""from middle grey: brightness whose mirror image is another brightness"""
SAME = 0.01
"""images whose means, and deviations, differ by less were made equal"""
NEARLY_BLACK = 0.02
"""mean and deviation, in [0, 1], of an image that holds values 0 to about 5 of 255"""
ONE_SCENE = 0.1
"""share of the variance of all values that lies between images, at a place, where they are nearly one picture"""
MOST_SAMPLED = 500
"""images whose pixels are looked at"""
CLIPPED = 0.5
"""share of pixels with a channel all off beside a channel all on, as no photograph has them"""


COLUMNS = ("name", "grey", "inverted", "normalised", "n_values", "other_bits")


class Expected(NamedTuple):
    """What the weights were made on."""

    name: str
    colour: bool
    brightness: NDArray[np.float64]
    """(n,) mean of each image, or (1,) the mean of all, in [0, 1]"""


class PixelSample(NamedTuple):
    """What some images of a domain have in common."""

    darkest: int
    """of all values"""
    brightest: int
    clipped: float
    """share of the pixels with one channel at 0 and another at 255"""
    one_scene: bool
    """they are nearly one picture, as by a camera that stands still: equal brightness is no sign of anything"""

    @property
    def n_values(self) -> int:
        """From the darkest to the brightest."""
        return self.brightest - self.darkest + 1


def expected_looks(source: OpenDomain, preprocessing: Preprocessing, made_on_source: bool) -> Expected:
    """What the weights were made on: the source's images, or those that the weights' mean speaks of.

    Args:
        source: the source.
        preprocessing: with the mean of the images that published weights were made on.
        made_on_source: whether the weights are made from the source's images.
    """
    if made_on_source and source.readable:
        looks = _looks(source.readable)
        return Expected("the source", bool(np.mean(_grey(looks)) < 0.5), looks[:, :3].mean(axis=1))
    mean = np.array(preprocessing.mean)
    return Expected("the weights", bool(np.ptp(mean) > GREY), mean.mean(keepdims=True))


def look_table(domains: Sequence[OpenDomain], expected: Expected) -> pd.DataFrame:
    """One row for each question of how a domain looks; none for domains of fewer than 20 images.

    Columns: name (with what was measured), grey (share of grey images of the target, where the weights were made on
    colour), inverted (1 where the target is as bright as negatives would be), normalised (0 or 1), n_values (from the
    darkest to the brightest of all pixels) and other_bits (1 where 16-bit files of the domains, however few, differ in
    their bits in use). What a row is not about is empty.

    Args:
        domains: the domains.
        expected: what the weights were made on.
    """
    rows = [row for domain in domains if len(domain.readable) >= FEWEST_IMAGES for row in _rows(domain, expected)]
    return pd.DataFrame([*rows, *_depth_rows(domains)], columns=COLUMNS)


def _rows(domain: OpenDomain, expected: Expected) -> Iterator[dict[str, Any]]:
    looks = _looks(domain.readable)
    sample = _sampled(domain)
    reason = _normalised(looks, sample)
    yield {"name": f"{domain.name} ({reason or 'whole images'})", "normalised": int(bool(reason))}
    if not reason:
        values = f"values {sample.darkest} to {sample.brightest}"
        yield {"name": f"{domain.name} ({values})", "n_values": sample.n_values}
    if domain.name == "source":
        return
    if expected.colour:
        grey = float(np.mean(_grey(looks)))
        yield {"name": f"{domain.name} ({_share(grey)} images are grey)", "grey": grey}
    brightness = looks[:, :3].mean(axis=1)
    yield {
        "name": f"{domain.name} (mean brightness {brightness.mean():.2f}, of {expected.name} "
        f"{expected.brightness.mean():.2f})",
        "inverted": int(_mirrored(brightness, expected.brightness)),
    }


def _share(share: float) -> str:
    """All are all: 99.9 % are not."""
    return "all" if share == 1 else f"{int(100 * share)}% of the"


def _depth_rows(domains: Sequence[OpenDomain]) -> Iterator[dict[str, Any]]:
    """One row where both domains have files of 16 bits."""
    bits = {domain.name: domain.value_bits for domain in domains if domain.value_bits is not None}
    if len(bits) == 2:
        told = " and ".join(f"{n} bits in the {name}" for name, n in bits.items())
        yield {"name": told, "other_bits": int(len(set(bits.values())) > 1)}


def _looks(rows: Sequence[CatalogRow]) -> NDArray[np.float64]:
    """(n, 6) mean and deviation of red, green and blue."""
    return np.array(
        [(r.mean_red, r.mean_green, r.mean_blue, r.std_red, r.std_green, r.std_blue) for r in rows], dtype=np.float64
    )


def _grey(looks: NDArray[np.float64]) -> NDArray[np.bool_]:
    """(n,) whether the channels of an image are equal, as far as mean and deviation tell."""
    grey: NDArray[np.bool_] = (np.ptp(looks[:, :3], axis=1) < GREY) & (np.ptp(looks[:, 3:], axis=1) < GREY)
    return grey


def _mirrored(brightness: NDArray[np.float64], expected: NDArray[np.float64]) -> bool:
    """Whether images are as bright as the negatives of those expected would be, and clearly so."""
    middle, other = float(np.median(expected)), float(np.median(brightness))
    side = np.sign(middle - 0.5)
    far = min(abs(middle - 0.5), abs(other - 0.5)) > FAR
    opposite = min(np.mean(np.sign(expected - 0.5) == side), np.mean(np.sign(brightness - 0.5) == -side)) >= CLEAR
    return bool(far and opposite)


def _normalised(looks: NDArray[np.float64], sample: PixelSample) -> str:
    """Why the images look like normalised ones; empty where they do not."""
    means, squares = looks[:, :3].mean(axis=1), (looks**2).sum(axis=1) / 3
    deviations = np.sqrt(np.maximum(squares - means**2, 0))  # over all pixels and channels
    if np.mean((means < NEARLY_BLACK) & (deviations < NEARLY_BLACK)) >= CLEAR:
        return "nearly black, as where values of 0 to 1 are saved as bytes"
    varied = not sample.one_scene and sample.n_values > MOST_NARROW
    if varied and means.std() < SAME and deviations.std() < SAME:
        return "every image of the same mean and deviation"
    return f"{sample.clipped:.0%} of the pixels clipped in colour" if sample.clipped > CLIPPED else ""


def _sampled(domain: OpenDomain) -> PixelSample:
    """What images drawn evenly from the store have in common."""
    places = np.unique(np.linspace(0, len(domain.images) - 1, MOST_SAMPLED).astype(np.int64))
    seen, total, squares = [], np.zeros(domain.images.shape[1:]), np.zeros(domain.images.shape[1:])
    for image in pictures(domain, places.tolist()):
        seen.append((image.min(), image.max(), _clipped_share(image)))
        total += image
        squares += image.astype(np.float64) ** 2
    darkest, brightest, clipped = np.array(seen, dtype=np.float64).T
    n = len(places)
    across, whole = np.mean(squares / n - (total / n) ** 2), squares.mean() / n - (total.mean() / n) ** 2
    return PixelSample(
        int(darkest.min()), int(brightest.max()), float(clipped.mean()), bool(across < ONE_SCENE * whole)
    )


def _clipped_share(image: NDArray[np.uint8]) -> float:
    return float(np.mean((image.min(axis=2) == 0) & (image.max(axis=2) == 255)))
