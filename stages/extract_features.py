"""Run the unmodified backbone once over all images; shift, selection and head training read its features.

For the shift it also writes, of a sample of both domains, activations of every block, features of corrupted source
images, and moments of BatchNorm's inputs. The target's sample is from its train split, or where it has no labels to
train on from its unlabelled images, whose features are written in that case alone.

Reads   the stamp, backbone and card, catalogues and image stores
Writes  (n, d) float32 features of each domain, row by row as in the stores, and the details of the samples
Run     dvc repro extract_features
"""

from collections.abc import Sequence
from functools import partial

import numpy as np

from graft import stage
from graft.extraction.looking import Looks, look_at_source, look_at_target
from graft.extraction.moments import batchnorm_moments, block_means
from graft.networks.outputs import outputs_of
from graft.networks.runtime import make_runtime
from graft.networks.saving import load_network
from graft.params.pipeline import read_params
from graft.store.catalogue import check_judged, labels_from, open_images, read_catalog, read_labelled, readable_rows
from graft.store.features import save_array, save_source_details, save_target_details

INPUTS = ("params", "stamp", "backbone", "card")
SOURCE = ("source-catalog", "source-images", "source-features", "source-details")
TARGET = ("target-catalog", "target-images", "target-features", "target-details")
UNLABELED = ("unlabeled-images", "unlabeled-features")


def main(argv: Sequence[str] | None = None) -> dict[str, str | int]:
    """Write the features of both domains, and the details of a sample of each."""
    args = stage.arguments(__doc__, (*INPUTS, *SOURCE, *TARGET, *UNLABELED), argv)
    check_judged(args.stamp, args.source_catalog, args.target_catalog)
    params = read_params(args.params)
    runtime = make_runtime(params.seed)
    network = load_network(args.backbone).to(runtime.device)
    beside = partial(block_means, network), partial(batchnorm_moments, network)
    seen_by = Looks(lambda images: outputs_of(network, images).features, *beside)
    stores, rows = (args.source_images, args.target_images, args.unlabeled_images), read_catalog(args.target_catalog)
    source, target, unlabeled = map(open_images, stores)
    looked = target, readable_rows(rows, "train")
    if labels_from(rows) == "source":
        looked = unlabeled, np.arange(len(unlabeled))
    for images, path in ((source, args.source_features), (target, args.target_features)):
        save_array(seen_by.features(images), path)
    save_array(seen_by.features(unlabeled if looked[0] is unlabeled else unlabeled[:0]), args.unlabeled_features)

    ours, n_sample = read_labelled(args.source_catalog), params.extract_features.sample_images
    details = look_at_source(source, ours.rows, ours.groups, seen_by, n_sample, params.seed)
    save_source_details(details, args.source_details)
    moments = len(ours.rows) == 0
    save_target_details(look_at_target(*looked, seen_by, n_sample, params.seed, moments), args.target_details)
    return runtime.provenance()


if __name__ == "__main__":
    stage.run(main)
