"""Choose what to train, from cached features and published tables, and say why.

Reads   the stamp, the shift record, the target's features and catalogue; the choice comes from the train split alone,
        the check of labels from train and val, the check of splits from the images of all three
Writes  a StrategyRecord
Run     dvc repro select_strategy
"""

from collections.abc import Sequence

import numpy as np

from graft import stage
from graft.decisions.selection.strategy import select_strategy
from graft.decisions.selection.target import Target
from graft.files import read_record, write_record
from graft.params.pipeline import read_params
from graft.records.shift import ShiftRecord
from graft.store.catalogue import check_judged, read_catalog


def main(argv: Sequence[str] | None = None) -> None:
    """Write the choice and its reasons."""
    args = stage.arguments(__doc__, ("params", "stamp", "shift", "target-catalog", "target-features", "record"), argv)
    check_judged(args.stamp, args.target_catalog)
    made_from = stage.made_from(args, "target-catalog")
    params = read_params(args.params)

    record = select_strategy(
        Target(np.load(args.target_features), read_catalog(args.target_catalog)),
        read_record(ShiftRecord, args.shift).similarity,
        params.select_strategy,
        params.seed,
    )
    write_record(record.model_copy(update=made_from), args.record)


if __name__ == "__main__":
    stage.run(main)
