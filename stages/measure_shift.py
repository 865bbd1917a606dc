"""Test and size the distance between source and target.

Only the train split of the target is measured, or its unlabelled images where it has no labels to train on. The test
split stays closed until the arms are compared: a similarity that had seen it would help to choose the strategy. All
images of the source count. Where there are none, a bank that params.yaml names stands for them, or else the running
moments of the network's BatchNorm layers.

Reads   the stamp, the backbone's card, catalogues, cached features and details of source and target
Writes  a ShiftRecord, and the points of the map as CSV
Run     dvc repro measure_shift
"""

import sys
from collections.abc import Sequence

from graft import stage
from graft.files import read_record, write_record
from graft.params.pipeline import read_params
from graft.records.cards import BackboneCard
from graft.shift.measurement import measure
from graft.shift.origin import origin_of
from graft.shift.sides import read_side
from graft.store.catalogue import check_judged, labels_from, read_catalog
from graft.store.features import read_source_details, read_target_details, write_map

SOURCE = ("source-catalog", "source-features", "source-details")
TARGET = ("target-catalog", "target-features", "target-details")
UNLABELED = ("unlabeled-catalog", "unlabeled-features")


def main(argv: Sequence[str] | None = None) -> None:
    """Write how far the target is from the source."""
    args = stage.arguments(__doc__, ("params", "stamp", "card", *SOURCE, *TARGET, *UNLABELED, "record", "map"), argv)
    check_judged(args.stamp, args.source_catalog, args.target_catalog, args.unlabeled_catalog)
    made_from = stage.made_from(args, "source-catalog", "target-catalog")
    params = read_params(args.params)
    card = read_record(BackboneCard, args.card)

    own = read_side(args.source_catalog, args.source_features), read_source_details(args.source_details)
    origin = origin_of(*own, card, params.measure_shift)
    target = read_side(args.target_catalog, args.target_features, "train")
    if labels_from(read_catalog(args.target_catalog)) == "source":
        target = read_side(args.unlabeled_catalog, args.unlabeled_features)
    details = read_target_details(args.target_details)
    record, points = measure(origin, target, details, params.measure_shift, params.seed)
    write_map(points, args.map)
    write_record(record.model_copy(update=made_from), args.record)
    for warning in record.warnings:
        print(warning, file=sys.stderr)


if __name__ == "__main__":
    stage.run(main)
