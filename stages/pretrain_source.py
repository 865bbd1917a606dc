"""Get the backbone: published weights, or training on the source images.

Reads   the source's catalogue and image store, the catalogue record
Writes  backbone.safetensors and its BackboneCard
Run     dvc repro pretrain_source
"""

from collections.abc import Sequence

from graft import stage
from graft.files import read_record, write_record
from graft.learning.device import make_deterministic
from graft.params import read_params
from graft.records import CatalogRecord
from graft.store import open_images, read_catalog
from graft.transfer.pretraining import make_backbone


def main(argv: Sequence[str] | None = None) -> None:
    """Write the backbone and its card."""
    args = stage.arguments(__doc__, ("params", "catalog", "source-catalog", "source-images", "backbone", "card"), argv)
    params = read_params(args.params)
    make_deterministic(params.seed)

    card = make_backbone(
        params,
        read_catalog(args.source_catalog),
        open_images(args.source_images),
        read_record(CatalogRecord, args.catalog),
        args.backbone,
    )
    write_record(card, args.card)


if __name__ == "__main__":
    stage.run(main)
