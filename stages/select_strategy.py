"""Choose what to train, from cached features and published tables, and say why.

It also uses the same features to check labels and splits. These checks are a record of their own, on which no training
depends.

Reads   the stamp, the records of catalogue and shift, the target's features and catalogue. The choice is made from the
        train split alone, the check of labels from train and val, the check of splits from the images of all three
Writes  a StrategyRecord and a ChecksRecord
Run     dvc repro select_strategy
"""

from collections.abc import Sequence

import numpy as np

from graft import stage
from graft.decisions.selection.candidates import Domains
from graft.decisions.selection.choice import Target, Wanted, select_strategy
from graft.decisions.selection.label_check import check_labels
from graft.decisions.selection.split_check import check_splits
from graft.files import read_record, write_record
from graft.params.pipeline import read_params
from graft.records.catalog import CatalogRecord
from graft.records.checks import ChecksRecord
from graft.records.shift import ShiftRecord
from graft.store.catalogue import check_judged, read_catalog

INPUTS = ("params", "stamp", "catalog", "shift", "target-catalog", "target-features")


def main(argv: Sequence[str] | None = None) -> None:
    """Write the choice and its reasons, and the checks of labels and splits."""
    args = stage.arguments(__doc__, (*INPUTS, "record", "checks"), argv)
    check_judged(args.stamp, args.target_catalog)
    made_from = stage.made_from(args, "target-catalog")
    params = read_params(args.params)

    target = Target(np.load(args.target_features), read_catalog(args.target_catalog))
    catalog = read_record(CatalogRecord, args.catalog)
    similarity = read_record(ShiftRecord, args.shift).similarity
    domains = Domains(similarity, catalog.source.classes, catalog.classes)
    wanted = Wanted(params.select_strategy, params.finetune_target)
    record = select_strategy(target, domains, wanted, params.seed)
    checks = ChecksRecord(
        labels=check_labels(target, record.probe_c, params.select_strategy.folds, params.seed),
        splits=check_splits(target, params.seed),
    )
    write_record(checks.model_copy(update=made_from), args.checks)
    write_record(record.model_copy(update=made_from), args.record)


if __name__ == "__main__":
    stage.run(main)
