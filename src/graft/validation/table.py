"""Tables of images, classes, stores and left-out files, with computed columns: a rule checks one row at a time."""

from collections.abc import Sequence

import pandas as pd

from graft.store.catalogue import SPLITS, CatalogRow, look, nfc
from graft.validation.domains import Name, OpenDomain

# Catalogue columns that rules need; with all of them, 100,000 rows would take more memory.
COLUMNS = (
    *("path", "label", "split", "group", "sha256", "width", "height", "frames", "row", "error"),
    *("std_red", "std_green", "std_blue"),
)
# Columns that only splits to train on must fill.
MINIMA = ["fewest", "train", "times_smaller"]


def image_table(
    source: Sequence[CatalogRow], target: Sequence[CatalogRow], unlabelled: Sequence[CatalogRow] = ()
) -> pd.DataFrame:
    """One row for each image file of source, target and unlabelled images of the target.

    Beside columns of the catalogue: domain, file (domain and path), name (file, and why it is unreadable), readable
    (0 or 1), min_side (pixels), stretch (longer side by shorter side), deviation (standard deviation of the channel
    that varies most, in [0, 1]), image (domain and sha256), group_of_domain (domain and group), name_ignoring_case,
    splits_of_image, labels_of_image, copies_in_split, splits_of_group (counts), names_alike (number of files whose
    names are equal apart from case), in_source_and_test (1 if an image is in the source and in the target's test
    split), in_unlabelled_and_test and in_unlabelled_and_train (likewise for unlabelled images, and for train or val of
    the target). Cells about pixels and content are empty for unreadable images, and cells about groups for images
    without a group.
    """
    domains = (("source", source), ("target", target), ("unlabeled", unlabelled))
    frames = [_frame(rows, domain) for domain, rows in domains if rows]
    table = pd.concat(frames, ignore_index=True)
    readable = table["readable"] == 1
    table["splits_of_image"] = table.groupby("image")["split"].transform("nunique").where(readable)
    table["labels_of_image"] = table.groupby("image")["label"].transform("nunique").where(readable)
    table["copies_in_split"] = table.groupby(["image", "split"])["file"].transform("size").where(readable)
    # an image without a group has its own sha256 as its group
    in_group = readable & (table["group"] != table["sha256"])
    table["splits_of_group"] = table.groupby("group_of_domain")["split"].transform("nunique").where(in_group)
    table["names_alike"] = table.groupby("name_ignoring_case")["file"].transform("size")
    of_source, of_target, of_unlabelled = (readable & (table["domain"] == name) for name, _ in domains)
    of_test = of_target & (table["split"] == "test")
    table["in_source_and_test"] = _shared(table, of_source, of_test)
    table["in_unlabelled_and_test"] = _shared(table, of_unlabelled, of_test)
    table["in_unlabelled_and_train"] = _shared(table, of_unlabelled, of_target & ~of_test)
    return table


def class_table(images: pd.DataFrame, expected: Sequence[str] | None, learns_from: Name = "target") -> pd.DataFrame:
    """One row for each class of source and target, and for each expected class that is not there to be learned.

    Where the labels are learned from the source, the target is for testing alone: fewest, train and times_smaller are
    empty for its classes.

    Columns: name (domain and class, and the splits without it), domain, label, expected (1; 0 if the domain that is
    learned from has a class that is not expected, or lacks one that is), spelt_alike (1 if a class of the source only
    looks like one of the target), fewest (readable images in the split with the fewest), train (readable images in
    train), and times_smaller (train images of the domain's largest class by those of this class).

    Args:
        images: the result of `image_table`.
        expected: the expected classes; None if any are allowed.
        learns_from: the domain whose labels are learned.
    """
    counts = (
        images[images["domain"] != "unlabeled"]
        .pivot_table(index=["domain", "label"], columns="split", values="readable", aggfunc="sum", fill_value=0)
        .reindex(columns=list(SPLITS), fill_value=0)
    )
    table = counts.reset_index()
    name = table["domain"] + "/" + table["label"] + table[list(SPLITS)].apply(_lacking, axis=1)
    largest = table.groupby("domain")["train"].transform("max")
    of_target = set(table.loc[table["domain"] == "target", "label"])
    only_alike = ~table["label"].isin(of_target) & table["label"].map(look).isin({look(each) for each in of_target})
    found = pd.DataFrame(
        {
            "name": name,
            "domain": table["domain"],
            "label": table["label"],
            "expected": 1,
            "spelt_alike": only_alike.astype(int),
            "fewest": table[list(SPLITS)].min(axis=1),
            "train": table["train"],
            "times_smaller": largest / table["train"].clip(lower=1),
        }
    )
    trains = table["domain"].isin(["source", learns_from])
    found[MINIMA] = found[MINIMA].where(trains)
    found["name"] = found["name"].where(trains, table["domain"] + "/" + table["label"])
    if expected is None:
        return found
    wanted = {nfc(each) for each in expected}
    taught = table["domain"] == learns_from
    strange = taught & ~table["label"].isin(wanted)
    found.loc[strange, "expected"] = 0
    found.loc[strange, "name"] += " (not expected)"
    lacking = sorted(wanted - set(table.loc[taught, "label"]))
    names = [f"{learns_from}/{each} (expected, no such class)" for each in lacking]
    absent = pd.DataFrame({"name": names, "domain": learns_from, "label": lacking, "expected": 0})
    return pd.concat([found, absent], ignore_index=True) if lacking else found


def _shared(table: pd.DataFrame, one: "pd.Series[bool]", two: "pd.Series[bool]") -> "pd.Series[float]":
    """1 for images of which equal files are among both, 0 for the others of either; empty for all other images."""
    shared = set(table.loc[one, "sha256"]) & set(table.loc[two, "sha256"])
    return table["sha256"].isin(shared).astype(float).where(one | two)


def _lacking(counts: "pd.Series[int]") -> str:
    """The splits without a readable image of a class, in words."""
    lacking = [split for split in SPLITS if counts[split] < 1]
    return f" (none in {' and '.join(lacking)})" if lacking else ""


def store_table(domains: Sequence[OpenDomain]) -> pd.DataFrame:
    """One row for each domain: name (domain, or how its store is damaged) and whole (0 or 1)."""
    names, whole = [domain.fault or domain.name for domain in domains], [int(not domain.fault) for domain in domains]
    return pd.DataFrame({"name": names, "whole": whole})


def left_table(domains: Sequence[OpenDomain]) -> pd.DataFrame:
    """One row for each kind of file that a domain leaves out, and for each doubt about its table of labels.

    Columns: name (with the files, or the doubt), one for each kind (number of files of that kind), and doubtful (1).
    """
    left = [
        {"name": f"{domain.name}: {', '.join(each.paths)} ({each.n_files} files)", each.kind: each.n_files}
        for domain in domains
        for each in domain.left_out
    ]
    doubts = [{"name": f"{domain.name}: {each}", "doubtful": 1} for domain in domains for each in domain.table_doubts]
    columns = ["name", "hidden", "system_folder", "unlabelled", "doubtful"]
    return pd.DataFrame([*left, *doubts], columns=columns).astype({"name": "str"})


def _frame(rows: Sequence[CatalogRow], domain: str) -> pd.DataFrame:
    frame = pd.DataFrame({name: [getattr(row, name) for row in rows] for name in COLUMNS})
    readable = frame["row"] >= 0
    frame["domain"] = domain
    frame["file"] = domain + "/" + frame["path"]
    frame["name_ignoring_case"] = frame["file"].map(look)
    frame["name"] = frame["file"] + frame["error"].map(lambda why: f" ({why})" if why else "")
    frame["readable"] = readable.astype(int)
    frame["min_side"] = frame[["width", "height"]].min(axis=1).where(readable)
    frame["stretch"] = frame[["width", "height"]].max(axis=1) / frame["min_side"]
    frame["deviation"] = frame[["std_red", "std_green", "std_blue"]].max(axis=1).where(readable)
    frame["frames"] = frame["frames"].where(readable)
    frame["image"] = domain + "/" + frame["sha256"]
    frame["group_of_domain"] = domain + "/" + frame["group"]
    return frame
