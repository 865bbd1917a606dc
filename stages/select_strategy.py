"""Choose what to train, from cached features and published tables, and say why.

Reads   the shift record, the target's features and catalogue (its train split alone)
Writes  a StrategyRecord
Run     dvc repro select_strategy
"""

from collections.abc import Sequence

import numpy as np

from graft import stage
from graft.decisions.strategy import select_strategy
from graft.files import read_record, write_record
from graft.params import read_params
from graft.records import ShiftRecord
from graft.store import class_names, labelled, read_catalog


def main(argv: Sequence[str] | None = None) -> None:
    """Write the choice and its reasons."""
    args = stage.arguments(__doc__, ("params", "shift", "target-catalog", "target-features", "record"), argv)
    params = read_params(args.params)

    catalog = read_catalog(args.target_catalog)
    train = labelled(catalog, class_names(catalog), "train")
    record = select_strategy(
        np.load(args.target_features)[train.rows],
        train,
        read_record(ShiftRecord, args.shift).similarity,
        params.select_strategy,
        params.seed,
    )
    write_record(record, args.record)


if __name__ == "__main__":
    stage.run(main)
