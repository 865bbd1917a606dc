"""Run the unmodified backbone once over all images; shift, selection and head training read what it says.

Reads   backbone and card, image stores of source and target
Writes  (n, d) float32 features of each, row by row as in the stores
Run     dvc repro extract_features
"""

from collections.abc import Sequence

from graft import stage
from graft.cards import BackboneCard
from graft.files import read_record
from graft.learning.device import make_deterministic, pick_device
from graft.learning.networks import load_network
from graft.learning.scores import outputs_of
from graft.store import open_images, save_array


def main(argv: Sequence[str] | None = None) -> None:
    """Write the features of both domains."""
    names = ("backbone", "card", "source-images", "target-images", "source-features", "target-features")
    args = stage.arguments(__doc__, names, argv)
    make_deterministic(seed=0)  # nothing here is random; the device's arithmetic must repeat

    preprocessing = read_record(BackboneCard, args.card).preprocessing
    network = load_network(args.backbone).to(pick_device())
    for images, features in (
        (args.source_images, args.source_features),
        (args.target_images, args.target_features),
    ):
        save_array(outputs_of(network, open_images(images), preprocessing).features, features)


if __name__ == "__main__":
    stage.run(main)
