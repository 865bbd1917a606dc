"""The catalogues as tables with computed columns, so that an expectation looks at one row at a time."""

from collections.abc import Sequence

import pandas as pd

from graft.store import SPLITS, CatalogRow


def image_table(source: Sequence[CatalogRow], target: Sequence[CatalogRow]) -> pd.DataFrame:
    """One row an image file of either domain.

    Beside the columns of the catalogue: domain, file (domain and path), name (file, and why it cannot be
    read), readable (0 or 1), min_side (pixels), image (domain and content), splits_of_image,
    labels_of_image, copies_in_split, splits_of_group, and in_source_and_test (1 where an image stands in the
    source and in the target's test split). What does not apply to a row is empty: everything about pixels and
    content where the image cannot be read, everything about its group where an image stands alone.
    """
    frames = [_frame(rows, domain) for domain, rows in (("source", source), ("target", target)) if rows]
    table = pd.concat(frames, ignore_index=True)
    readable = table["readable"] == 1
    table["splits_of_image"] = table.groupby("image")["split"].transform("nunique").where(readable)
    table["labels_of_image"] = table.groupby("image")["label"].transform("nunique").where(readable)
    table["copies_in_split"] = table.groupby(["image", "split"])["file"].transform("size").where(readable)
    in_group = readable & (table["group"] != table["sha256"])
    table["splits_of_group"] = table.groupby(["domain", "group"])["split"].transform("nunique").where(in_group)
    of_source = readable & (table["domain"] == "source")
    of_test = readable & (table["domain"] == "target") & (table["split"] == "test")
    shared = set(table.loc[of_source, "sha256"]) & set(table.loc[of_test, "sha256"])
    table["in_source_and_test"] = table["sha256"].isin(shared).astype(float).where(of_source | of_test)
    return table


def class_table(images: pd.DataFrame) -> pd.DataFrame:
    """One row a class of either domain.

    Columns: name (domain and class), fewest (readable images in the split that has the fewest), train
    (readable images in train), times_smaller (the largest class of the domain has so many times its train).
    """
    counts = images.pivot_table(
        index=["domain", "label"], columns="split", values="readable", aggfunc="sum", fill_value=0
    ).reindex(columns=list(SPLITS), fill_value=0)
    table = counts.reset_index()
    largest = table.groupby("domain")["train"].transform("max")
    return pd.DataFrame(
        {
            "name": table["domain"] + "/" + table["label"],
            "fewest": table[list(SPLITS)].min(axis=1),
            "train": table["train"],
            "times_smaller": largest / table["train"].clip(lower=1),
        }
    )


def _frame(rows: Sequence[CatalogRow], domain: str) -> pd.DataFrame:
    frame = pd.DataFrame(rows)
    readable = frame["row"] >= 0
    frame["domain"] = domain
    frame["file"] = domain + "/" + frame["path"]
    frame["name"] = frame["file"] + frame["error"].map(lambda why: f" ({why})" if why else "")
    frame["readable"] = readable.astype(int)
    frame["min_side"] = frame[["width", "height"]].min(axis=1).where(readable)
    frame["image"] = domain + "/" + frame["sha256"]
    return frame
