"""Check that the images of a domain look like those that the weights were made on."""

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from graft.records.common import Preprocessing
from graft.store.catalogue import CatalogRow
from graft.validation.domains import OpenDomain, pictures
from graft.validation.rules import MOST_NARROW

# Fewer images say little of a domain as a whole.
FEWEST_IMAGES = 20
# An image is grey if its channels differ by less than one of 255 values in mean and standard deviation.
GREY = 0.004
# Share of the images that must be on their side of middle grey for brightness to be clearly inverted.
CLEAR = 0.9
# Distance from middle grey beyond which inverted brightness is clearly another brightness.
FAR = 0.15
# Images whose means and standard deviations vary by less were made equal.
SAME = 0.01
# Mean and standard deviation, in [0, 1], of an image with values 0 to about 5 of 255.
NEARLY_BLACK = 0.02
# Share of the variance that lies between images, pixel by pixel; with less, they all show one scene.
ONE_SCENE = 0.1
# Images whose pixels are read.
MOST_SAMPLED = 500
# Share of the pixels with one channel at 0 and another at 255; photographs have hardly any.
CLIPPED = 0.5


COLUMNS = ("name", "grey", "inverted", "normalised", "n_values", "other_bits")


class Expected(NamedTuple):
    """Appearance of the images that the weights were made on."""

    name: str
    colour: bool
    brightness: NDArray[np.float64]
    """(n,) mean of each image, or (1,) mean of all images, in [0, 1]"""


class PixelSample(NamedTuple):
    """Pixel statistics of a sample of a domain's images."""

    darkest: int
    """smallest value of all pixels, 0 to 255"""
    brightest: int
    """largest value of all pixels, 0 to 255"""
    clipped: float
    """share of the pixels with one channel at 0 and another at 255"""
    one_scene: bool
    """whether all images show one scene, as from a fixed camera, whose brightness is naturally equal"""

    @property
    def n_values(self) -> int:
        """Number of values from the darkest to the brightest."""
        return self.brightest - self.darkest + 1


def expected_looks(source: OpenDomain, preprocessing: Preprocessing, made_on_source: bool) -> Expected:
    """Appearance of the images that the weights were made on: the source, or what the weights' mean implies.

    Args:
        source: the source domain.
        preprocessing: its mean is that of the images that published weights were made on.
        made_on_source: whether the weights are trained on the source.
    """
    if made_on_source and source.readable:
        looks = _looks(source.readable)
        return Expected("the source", bool(np.mean(_grey(looks)) < 0.5), looks[:, :3].mean(axis=1))
    mean = np.array(preprocessing.mean)
    return Expected("the weights", bool(np.ptp(mean) > GREY), mean.mean(keepdims=True))


def look_table(domains: Sequence[OpenDomain], expected: Expected) -> pd.DataFrame:
    """One row for each check of a domain's appearance; none for domains of fewer than 20 images.

    Columns: name (with what was measured), grey (share of grey images in the target, if the weights were made on
    colour), inverted (1 if the target is as bright as negatives would be), normalised (0 or 1), n_values (number of
    values from the darkest to the brightest of all pixels) and other_bits (1 if the 16-bit files of the domains,
    however few, differ in their bits in use). Other cells of a row are empty.

    Args:
        domains: the domains.
        expected: appearance of the images that the weights were made on.
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
    """A share in words, rounded down: 99.9 % of the images are not all of them."""
    return "all" if share == 1 else f"{int(100 * share)}% of the"


def _depth_rows(domains: Sequence[OpenDomain]) -> Iterator[dict[str, Any]]:
    """One row if several domains have 16-bit files."""
    bits = {domain.name: domain.value_bits for domain in domains if domain.value_bits is not None}
    if len(bits) > 1:
        told = " and ".join(f"{n} bits in the {name}" for name, n in bits.items())
        yield {"name": told, "other_bits": int(len(set(bits.values())) > 1)}


def _looks(rows: Sequence[CatalogRow]) -> NDArray[np.float64]:
    """(n, 6) mean of red, green and blue, then their standard deviation."""
    return np.array(
        [(r.mean_red, r.mean_green, r.mean_blue, r.std_red, r.std_green, r.std_blue) for r in rows], dtype=np.float64
    )


def _grey(looks: NDArray[np.float64]) -> NDArray[np.bool_]:
    """(n,) whether the channels of an image are equal in mean and standard deviation."""
    grey: NDArray[np.bool_] = (np.ptp(looks[:, :3], axis=1) < GREY) & (np.ptp(looks[:, 3:], axis=1) < GREY)
    return grey


def _mirrored(brightness: NDArray[np.float64], expected: NDArray[np.float64]) -> bool:
    """Whether the images are clearly as bright as negatives of the expected ones would be."""
    middle, other = float(np.median(expected)), float(np.median(brightness))
    side = np.sign(middle - 0.5)
    far = min(abs(middle - 0.5), abs(other - 0.5)) > FAR
    opposite = min(np.mean(np.sign(expected - 0.5) == side), np.mean(np.sign(brightness - 0.5) == -side)) >= CLEAR
    return bool(far and opposite)


def _normalised(looks: NDArray[np.float64], sample: PixelSample) -> str:
    """Why the images look normalised; empty if they do not."""
    # (n, 6) -> (n,) mean and mean square over all pixels and channels; a channel's mean square is mean^2 + deviation^2
    means, squares = looks[:, :3].mean(axis=1), (looks**2).sum(axis=1) / 3
    deviations = np.sqrt(np.maximum(squares - means**2, 0))
    if np.mean((means < NEARLY_BLACK) & (deviations < NEARLY_BLACK)) >= CLEAR:
        return "nearly black, as if values of 0 to 1 were saved as bytes"
    varied = not sample.one_scene and sample.n_values > MOST_NARROW
    if varied and means.std() < SAME and deviations.std() < SAME:
        return "all images have the same mean and deviation"
    return f"{sample.clipped:.0%} of the pixels clipped in colour" if sample.clipped > CLIPPED else ""


def _sampled(domain: OpenDomain) -> PixelSample:
    """Pixel statistics of images that are evenly spaced in the store."""
    places = np.unique(np.linspace(0, len(domain.images) - 1, MOST_SAMPLED).astype(np.int64))
    seen, total, squares = [], np.zeros(domain.images.shape[1:]), np.zeros(domain.images.shape[1:])
    for image in pictures(domain, places.tolist()):
        seen.append((image.min(), image.max(), _clipped_share(image)))
        total += image
        squares += image.astype(np.float64) ** 2
    darkest, brightest, clipped = np.array(seen, dtype=np.float64).T
    n = len(places)
    # total and squares: (s, s, 3) sums over images; across: mean variance between images at a pixel
    across, whole = np.mean(squares / n - (total / n) ** 2), squares.mean() / n - (total.mean() / n) ** 2
    return PixelSample(
        int(darkest.min()), int(brightest.max()), float(clipped.mean()), bool(across < ONE_SCENE * whole)
    )


def _clipped_share(image: NDArray[np.uint8]) -> float:
    return float(np.mean((image.min(axis=2) == 0) & (image.max(axis=2) == 255)))
