"""Copy the images that the transfer arm is trained with beside the target's labelled ones, and no others.

What no technique of params.yaml reads is written with zero rows. So a change of the source trains only what reads it.

Reads   the stamp, the catalogues of all domains, the image stores of the source and of unlabelled images of the target
Writes  a folder with catalogues and image stores: train images of the source, its labelled images where they stand in
        for a target without any, and unlabelled images of the target
Run     dvc repro gather_companions
"""

from collections.abc import Sequence

from graft import stage
from graft.params.pipeline import read_params
from graft.store.catalogue import check_judged, open_images, read_catalog
from graft.transfer.gathering import Catalogues, gather, write_gathered

CATALOGS = ("source-catalog", "target-catalog", "unlabeled-catalog")
IMAGES = ("source-images", "unlabeled-images")


def main(argv: Sequence[str] | None = None) -> None:
    """Write the companions of the target's labelled images."""
    args = stage.arguments(__doc__, ("params", "stamp", *CATALOGS, *IMAGES, "companions"), argv)
    paths = args.source_catalog, args.target_catalog, args.unlabeled_catalog
    check_judged(args.stamp, *paths)
    params = read_params(args.params)
    gathered = gather(Catalogues(*map(read_catalog, paths)), params.finetune_target)

    source, unlabelled = open_images(args.source_images), open_images(args.unlabeled_images)
    with stage.whole_folder(args.companions) as folder:
        write_gathered(gathered.source, source, folder, "source")
        write_gathered(gathered.labelled, source, folder, "labelled")
        write_gathered(gathered.unlabelled, unlabelled, folder, "unlabeled")


if __name__ == "__main__":
    stage.run(main)
