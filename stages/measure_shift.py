"""Test and size the distance between source and target.

The target's train split alone is measured: the test split stays closed until the arms are compared, and a
similarity that had seen it would help to choose the strategy. Of the source, all images count.

Reads   catalogues and cached features of source and target
Writes  a ShiftRecord
Run     dvc repro measure_shift
"""

from collections.abc import Sequence

import numpy as np

from graft import stage
from graft.files import write_record
from graft.params import read_params
from graft.shift.measurement import measure
from graft.store import class_names, labelled, read_catalog


def main(argv: Sequence[str] | None = None) -> None:
    """Write how far the target lies from the source."""
    names = ("params", "source-catalog", "target-catalog", "source-features", "target-features", "record")
    args = stage.arguments(__doc__, names, argv)
    params = read_params(args.params)

    source_catalog, target_catalog = read_catalog(args.source_catalog), read_catalog(args.target_catalog)
    source = labelled(source_catalog, class_names(source_catalog))
    train = labelled(target_catalog, class_names(target_catalog), "train")
    record = measure(
        np.load(args.source_features)[source.rows],
        source.labels,
        np.load(args.target_features)[train.rows],
        params.measure_shift,
        params.seed,
    )
    write_record(record, args.record)


if __name__ == "__main__":
    stage.run(main)
