"""Test and size the distance between source and target.

The target's train split alone is measured: the test split stays closed until the arms are compared, and a
similarity that had seen it would help to choose the strategy. Of the source, all images count. Where there are
none, a bank that params.yaml names stands for them, and else the running moments of the network's BatchNorm layers.

Reads   the stamp, the backbone's card, catalogues, cached features and views of source and target
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
from graft.store.catalogue import check_judged
from graft.store.features import read_source_view, read_target_view, write_map

SOURCE = ("source-catalog", "source-features", "source-view")
TARGET = ("target-catalog", "target-features", "target-view")


def main(argv: Sequence[str] | None = None) -> None:
    """Write how far the target lies from the source."""
    args = stage.arguments(__doc__, ("params", "stamp", "card", *SOURCE, *TARGET, "record", "map"), argv)
    check_judged(args.stamp, args.source_catalog, args.target_catalog)
    made_from = stage.made_from(args, "source-catalog", "target-catalog")
    params = read_params(args.params)
    card = read_record(BackboneCard, args.card)

    own = read_side(args.source_catalog, args.source_features), read_source_view(args.source_view)
    origin = origin_of(*own, card, params.measure_shift)
    target = read_side(args.target_catalog, args.target_features, "train")
    view = read_target_view(args.target_view)
    record, points = measure(origin, target, view, params.measure_shift, params.seed)
    write_map(points, args.map)
    write_record(record.model_copy(update=made_from), args.record)
    for warning in record.warnings:
        print(warning, file=sys.stderr)


if __name__ == "__main__":
    stage.run(main)
