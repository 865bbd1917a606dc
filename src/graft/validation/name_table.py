"""Report groups that the names of images suggest while the user names none."""

from collections.abc import Iterator, Sequence

import pandas as pd

from graft.validation.domains import OpenDomain
from graft.validation.name_hints import Almost, Hint, almost, hints

KINDS = {
    "frames": "frames or other pictures in series",
    "patients": "patients, or one thing in several pictures",
    "sites": "sites, cameras or days",
}
N_SHOWN = 2
# A domain and the groups that its names suggest.
DomainHints = tuple[OpenDomain, tuple[Hint, ...]]


def suggested_groups(domains: Sequence[OpenDomain]) -> tuple[DomainHints, ...]:
    """The groups that the names of each domain suggest; none if the user names groups."""
    return tuple((domain, () if _has_groups(domain) else hints(*_names(domain))) for domain in domains)


def name_table(told: Sequence[DomainHints]) -> pd.DataFrame:
    """One row for each kind of group that the names of a domain suggest, or one row for a domain without any.

    Columns: name (with the number of groups, two images of one group, and the line for params.yaml) and untold (1 if
    names suggest groups that the user does not name, else 0).

    Args:
        told: the result of `suggested_groups`.
    """
    rows = [{"name": name, "untold": untold} for each in told for name, untold in _rows(*each)]
    return pd.DataFrame(rows, columns=["name", "untold"]).astype({"name": "str", "untold": "float64"})


def line_to_paste(pattern: str) -> str:
    """The line for params.yaml: key and value."""
    return f"`prepare_data.group_pattern: '{pattern}'`"


def name_advice(told: Sequence[DomainHints]) -> str:
    """Advice with the line to paste for the target, or for the source if only its names suggest groups."""
    found = [hint for _, of_domain in reversed(told) for hint in of_domain]
    line = f"write {line_to_paste(found[0].pattern)} into params.yaml" if found else "name them in a CSV"
    other = ", or name them in a CSV (prepare_data.group_file)" if found else " (prepare_data.group_file)"
    return (
        f"If such images belong together, {line}{other}: graft then keeps them in one split. Otherwise results on test "
        "may be too good, because the network was trained on similar images."
    )


def _rows(domain: OpenDomain, found: Sequence[Hint]) -> Iterator[tuple[str, int]]:
    for hint in found:
        line = line_to_paste(hint.pattern)
        yield f"{domain.name}: {_told(hint)} of {len(domain.readable)} images: {line}", 1
    near = None if found or _has_groups(domain) else almost(*_names(domain))
    if near is not None:
        told = f"{_told(near)} in the names of {near.n_matched} of {len(domain.readable)} images"
        yield f"{domain.name}: {told} ('{near.pattern}'), but not of {near.missed}", 1
    elif not found:
        yield domain.name, 0


def _told(found: Hint | Almost) -> str:
    shown = " and ".join(found.examples[:N_SHOWN])
    return f"{KINDS[found.kind]} ({shown}), {found.n_groups} groups"


def _names(domain: OpenDomain) -> tuple[list[str], list[str]]:
    rows = domain.readable
    return [row.path for row in rows], [row.label for row in rows]


def _has_groups(domain: OpenDomain) -> bool:
    """Whether the user names groups. Groups of copies, and of single images, are named by the sha256 of an image."""
    hashes = {row.sha256 for row in domain.rows}
    return any(row.group not in hashes for row in domain.readable)
