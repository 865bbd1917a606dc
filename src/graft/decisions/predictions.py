"""Per-image predictions of both arms as a small table: what later comparisons and the report read."""

import csv
import io
from collections.abc import Iterable
from pathlib import Path

from graft.decisions.verdict import JudgedArm
from graft.files import write_whole
from graft.store import Labelled

SHA256_PREFIX = 12


def write_predictions(arms: Iterable[JudgedArm], test: Labelled, path: Path) -> None:
    """Write `image,label,transfer_0,...,scratch_0,...`: class numbers, one row a test image, sorted by image.

    Numbers keep it small (about 40 bytes an image with five seeds); the names of the classes stand in the
    catalogue record in the same order.
    """
    columns = {
        f"{arm.training.arm}_{run.seed}": arm.predicted[place]
        for arm in arms
        for place, run in enumerate(arm.training.runs)
    }
    rows = sorted(
        (sha256[:SHA256_PREFIX], int(label), *(int(column[index]) for column in columns.values()))
        for index, (sha256, label) in enumerate(zip(test.sha256, test.labels, strict=True))
    )
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["image", "label", *columns])
    writer.writerows(rows)
    write_whole(path, text.getvalue().encode())
