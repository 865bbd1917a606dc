"""Run the unmodified backbone once over all images; shift, selection and head training read its features.

For the measurement of the shift it also writes, for a sample of both domains, the activations of every block, the
features of corrupted source images, and the moments of what BatchNorm layers get from target images. The target's
sample is from its train split alone.

Reads   the stamp, backbone and card, catalogues and image stores of source and target
Writes  (n, d) float32 features of each, row by row as in the stores, and the details of a sample of each
Run     dvc repro extract_features
"""

from collections.abc import Sequence
from functools import partial

from graft import stage
from graft.extraction.looking import Looks, look_at_source, look_at_target
from graft.extraction.moments import batchnorm_moments, block_means
from graft.networks.outputs import outputs_of
from graft.networks.runtime import make_runtime
from graft.networks.saving import load_network
from graft.params.pipeline import read_params
from graft.store import catalogue
from graft.store.features import save_array, save_source_details, save_target_details

INPUTS = ("params", "stamp", "backbone", "card")
SOURCE = ("source-catalog", "source-images", "source-features", "source-details")
TARGET = ("target-catalog", "target-images", "target-features", "target-details")


def main(argv: Sequence[str] | None = None) -> dict[str, str | int]:
    """Write the features of both domains, and the details of a sample of each."""
    args = stage.arguments(__doc__, (*INPUTS, *SOURCE, *TARGET), argv)
    catalogue.check_judged(args.stamp, args.source_catalog, args.target_catalog)
    params = read_params(args.params)
    runtime = make_runtime(params.seed)

    network = load_network(args.backbone).to(runtime.device)
    seen_by = Looks(
        lambda images: outputs_of(network, images).features,
        partial(block_means, network),
        partial(batchnorm_moments, network),
    )
    source, target = catalogue.open_images(args.source_images), catalogue.open_images(args.target_images)
    save_array(seen_by.features(source), args.source_features)
    save_array(seen_by.features(target), args.target_features)

    ours, train = catalogue.read_labelled(args.source_catalog), catalogue.read_labelled(args.target_catalog, "train")
    n_sample, seed = params.extract_features.sample_images, params.seed
    details = look_at_source(source, ours.rows, ours.groups, seen_by, n_sample, seed)
    save_source_details(details, args.source_details)
    moments = len(ours.rows) == 0
    save_target_details(look_at_target(target, train.rows, seen_by, n_sample, seed, moments), args.target_details)
    return runtime.provenance()


if __name__ == "__main__":
    stage.run(main)
