"""Check whether a few facts about the files predict the class, whatever the images show."""

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from graft.statistics.features.class_probe import ClassProbe, class_probe
from graft.store.catalogue import CatalogRow
from graft.validation.domains import OpenDomain

CONFIDENCE = 0.95
COLUMNS = ("name", "by_content", "by_form")


class FactKind(NamedTuple):
    """Facts about files that are tested together."""

    words: str
    column: str
    """column of the result: by_content if subjects differ in these facts too, by_form if they hardly do"""
    facts: tuple[str, ...]


# The time when a file was written is not among the facts: a copy, a clone or a checkout changes it.
FACT_KINDS = (
    FactKind(
        "brightness and colour",
        "by_content",
        ("mean_red", "mean_green", "mean_blue", "std_red", "std_green", "std_blue"),
    ),
    FactKind("file size", "by_content", ("n_bytes", "bytes_per_pixel")),
    FactKind("width and height", "by_form", ("width", "height", "aspect")),
    FactKind("format, mode and orientation of the file", "by_form", ("format", "mode", "orientation", "frames")),
)


def shortcut_table(domains: Sequence[OpenDomain], seed: int) -> pd.DataFrame:
    """One row for each domain and each kind of facts that vary between its images.

    Columns: name (with balanced accuracy, its interval, and the accuracy of guessing), and by_content or by_form: the
    lower end of the interval of the accuracy, on a scale from 0 (guessing) to 1 (always right). If there are several
    kinds and none beats guessing, a last row is for all facts together. All readable images are used, test included,
    since nothing is chosen by the result.

    Args:
        domains: domains that have images.
        seed: seed for folds and draws.
    """
    rows = [each for domain in domains for each in _rows(domain, seed)]
    return pd.DataFrame(rows, columns=COLUMNS).astype({"name": "str", "by_content": "float64", "by_form": "float64"})


def _rows(domain: OpenDomain, seed: int) -> Iterator[dict[str, Any]]:
    rows = domain.readable
    labels, groups = (np.array([getattr(row, name) for row in rows], dtype=np.str_) for name in ("label", "group"))
    told, every = False, []
    for kind in FACT_KINDS:
        columns = _varied(np.column_stack([_fact(rows, name) for name in kind.facts]))
        if not columns.size:
            continue
        every.append(columns)
        probe = class_probe(columns, labels, groups, confidence=CONFIDENCE, seed=seed)
        if probe is not None:
            told |= probe.low > 1 / probe.n_classes
            yield _row(domain.name, kind.words, kind.column, probe)
    probe = class_probe(np.hstack(every), labels, groups, confidence=CONFIDENCE, seed=seed) if len(every) > 1 else None
    if probe is not None and not told:
        yield _row(domain.name, "all facts about the files together", "by_content", probe)


def _row(domain: str, words: str, column: str, probe: ClassProbe) -> dict[str, Any]:
    name = (
        f"{domain}: from {words}, {probe.accuracy:.0%} of the images of a class are predicted correctly on average "
        f"({CONFIDENCE:.0%} interval {probe.low:.0%} to {probe.high:.0%}; guessing {1 / probe.n_classes:.0%})"
    )
    return {"name": name, column: probe.excess(probe.low)}


def _varied(columns: NDArray[np.float64]) -> NDArray[np.float64]:
    """The columns with more than one value."""
    return columns[:, np.ptp(columns, axis=0) > 0]


def _fact(rows: Sequence[CatalogRow], name: str) -> NDArray[np.float64]:
    """(n,) a fact about each image; words become numbers."""
    if name == "bytes_per_pixel":
        return _fact(rows, "n_bytes") / (_fact(rows, "width") * _fact(rows, "height"))
    if name == "aspect":
        return _fact(rows, "width") / _fact(rows, "height")
    values = np.array([getattr(row, name) for row in rows])
    if values.dtype.kind == "U":
        values = np.unique(values, return_inverse=True)[1]
    return values.astype(np.float64)
