"""What the names of images tell of groups that nobody named, as a table and in words."""

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
Told = tuple[OpenDomain, tuple[Hint, ...]]
"""a domain, and the ways in which its names tell groups"""


def names_tell(domains: Sequence[OpenDomain]) -> tuple[Told, ...]:
    """What the names of each domain tell; nothing where the user named groups."""
    return tuple((domain, () if _has_groups(domain) else hints(*_names(domain))) for domain in domains)


def name_table(told: Sequence[Told]) -> pd.DataFrame:
    """One row for each way in which names of a domain tell groups, or one row a domain where there is none.

    Columns: name (with how many groups there are, two images of one, and the line for params.yaml) and untold (1
    where the domain has no groups of the user's, else 0).

    Args:
        told: by `names_tell`.
    """
    rows = [{"name": name, "untold": untold} for each in told for name, untold in _rows(*each)]
    return pd.DataFrame(rows, columns=["name", "untold"]).astype({"name": "str", "untold": "float64"})


def line_to_paste(pattern: str) -> str:
    """The key of params.yaml and its value."""
    return f"`prepare_data.group_pattern: '{pattern}'`"


def name_advice(told: Sequence[Told]) -> str:
    """What to do about them, with the line to paste for the target, or for the source where only that has one."""
    found = [hint for _, of_side in reversed(told) for hint in of_side]
    line = f"write {line_to_paste(found[0].pattern)} into params.yaml" if found else "name them in a CSV"
    other = ", or name them in a CSV (prepare_data.group_file)" if found else " (prepare_data.group_file)"
    return (
        f"Where such images belong together, {line}{other}: then they never stand in two splits. Else results on test "
        "may be too good, for the network has seen their like."
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
    """Whether the user named groups: those of copies, and of images alone, are called by the sha256 of an image."""
    hashes = {row.sha256 for row in domain.rows}
    return any(row.group not in hashes for row in domain.readable)
