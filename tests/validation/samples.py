"""Make domains in memory: catalogue rows with matching pixels."""

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from tests.examples import catalog_row

from graft.images.fingerprint import channel_statistics, phash
from graft.params.pipeline import Params, read_params
from graft.records.common import Preprocessing
from graft.store.catalogue import CatalogRow
from graft.validation.domains import Domains, Name, OpenDomain

ON_COLOUR = Preprocessing(
    resize_px=32, crop_px=32, mean=(0.485, 0.456, 0.406), std=(0.229, 0.224, 0.225), interpolation="bilinear"
)
GREY_WEIGHTS = ON_COLOUR.model_copy(update={"mean": (0.5, 0.5, 0.5)})


def params(**limits: Any) -> Params:
    """The repository's params with two images for each class, and these keys of validate_data."""
    given = read_params(Path(__file__).parents[2] / "params.yaml")
    limits = {"min_images_per_class": 2, **limits}
    return given.model_copy(update={"validate_data": given.validate_data.model_copy(update=limits)})


def row(path: str, content: str = "", **changes: Any) -> CatalogRow:
    """A row of `<split>/<class>/<name>` with content of its own, or with the given content."""
    split, label, _ = path.split("/")
    sha256 = hashlib.sha256((content or path).encode()).hexdigest()
    return catalog_row(path, **{"label": label, "split": split, "sha256": sha256, "group": sha256, **changes})


def noise(sha256: str) -> NDArray[np.uint8]:
    """(32, 32, 3) random patches of 4 x 4 px that depend only on the content."""
    patches = np.random.default_rng(int(sha256[:12], 16)).integers(0, 256, (8, 8, 3), dtype=np.uint8)
    return patches.repeat(4, axis=0).repeat(4, axis=1)


def domain(name: Name, rows: Sequence[CatalogRow], **pictures: NDArray[np.uint8]) -> OpenDomain:
    """A domain whose images are noise, or the pictures given by the last part of their path (`x` for `cat/x`)."""
    images: list[NDArray[np.uint8]] = []
    seen: list[CatalogRow] = []
    for each in rows:
        if each.error:
            seen.append(each)
            continue
        image = pictures.get(each.path.rsplit("/")[-1], noise(each.sha256))
        statistics = channel_statistics(image)._asdict()
        seen.append(each._replace(row=len(images), phash=phash(image), **statistics))
        images.append(image)
    stored = np.stack(images) if images else np.zeros((0, 32, 32, 3), dtype=np.uint8)
    return OpenDomain(name, tuple(seen), stored, "")


def domains(source: OpenDomain, target: OpenDomain, unlabelled: OpenDomain | None = None) -> Domains:
    """The domains of a run, by default without unlabelled images."""
    return Domains(source, target, unlabelled or domain("unlabeled", []))
