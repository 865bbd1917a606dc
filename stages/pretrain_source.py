"""Get the backbone: published weights, or training on the source images.

Reads   the stamp, the source's catalogue and image store, the catalogue record
Writes  backbone.safetensors and its BackboneCard
Run     dvc repro pretrain_source
"""

import sys
from collections.abc import Sequence

from graft import stage
from graft.files import read_record, visible, write_record
from graft.networks.runtime import make_runtime
from graft.params.pipeline import read_params
from graft.records.catalog import CatalogRecord
from graft.store.catalogue import check_judged, open_images, read_catalog
from graft.training.checkpoints import keeper_in
from graft.training.resume import half_done
from graft.transfer.pretraining import make_backbone

INPUTS = ("params", "catalog", "stamp", "source-catalog", "source-images")
PARAMS = {"seed", "network", "pretrain_source", "recipes"}
"""what decides on the result, with data and code: a killed run goes on under the same alone"""


def main(argv: Sequence[str] | None = None) -> dict[str, str | int]:
    """Write the backbone and its card."""
    args = stage.arguments(__doc__, (*INPUTS, "backbone", "card"), argv)
    check_judged(args.stamp, args.source_catalog)
    params = read_params(args.params)
    runtime = make_runtime(params.seed)

    read = (args.catalog, args.stamp, args.source_catalog, args.source_images)
    with half_done("pretrain_source", params.model_dump_json(include=PARAMS), read, runtime) as kept:
        card = make_backbone(
            params,
            read_catalog(args.source_catalog),
            open_images(args.source_images),
            read_record(CatalogRecord, args.catalog),
            args.backbone,
            runtime,
            keeper_in(kept, "pretrain"),
        )
        write_record(card, args.card)
    if card.read_as:
        print(visible(f"{params.network.weights_file}: {card.read_as}."), file=sys.stderr)
    return runtime.provenance()


if __name__ == "__main__":
    stage.run(main)
