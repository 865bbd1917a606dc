"""Effect of the image size on published weights: linear probe on frozen features, and time of the features.

    python bench/sizes.py DATA [--networks NAME ...] [--sets SET ...]

DATA has `datasets/<set>/<folder>/<class>/<image>` and `weights/<network>.pth`, as for values.py. From every set 300
images are sampled, equally many of each class. Accuracy is that of graft's own probe, cross-validated in five folds,
with its standard error. It uses one thread. CPU time is that of the features alone.
"""

import argparse
import time
from pathlib import Path

import numpy as np
from values_run import Split, params_of, pool_of

from graft.networks.networks import published_network
from graft.networks.outputs import outputs_of
from graft.networks.preprocessing import preprocessing_for
from graft.networks.runtime import make_deterministic
from graft.statistics.features import probe
from graft.statistics.groups import grouped_folds

SETS = {
    "hymenoptera": (64, 96, 128, 224),
    "pacs": (64, 96, 128, 224),
    "cifar10": (32, 64, 96),
    "usps": (32, 64, 96),
}
N_IMAGES = 300
FOLDS = 5


def main() -> None:
    """Print one line per set and size."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("data", type=Path)
    parser.add_argument("--networks", nargs="*", default=["mobilenet_v2", "squeezenet1_1"])
    parser.add_argument("--sets", nargs="*", default=list(SETS), choices=list(SETS))
    args = parser.parse_args()
    make_deterministic(0)
    print("| network | set | px | probe | standard error | CPU ms an image |\n|---|---|---:|---:|---:|---:|")
    for network in args.networks:
        for data in args.sets:
            for size_px in SETS[data]:
                accuracy, error, ms = measured(network, data, size_px, args.data)
                print(f"| {network} | {data} | {size_px} | {accuracy:.1%} | {error:.1%} | {ms:.1f} |", flush=True)


def measured(network: str, data: str, size_px: int, folder: Path) -> tuple[float, float, float]:
    """Accuracy of the probe, its standard error, and CPU milliseconds per image."""
    params = params_of(network, folder, {"images.size_px": size_px})
    preprocessing = preprocessing_for(params.network, params.images)
    n_classes = len({each.name for each in (folder / "datasets" / data).glob("*/*")})
    pool = pool_of(folder / "datasets" / data, Split(N_IMAGES // n_classes, 0, 0), preprocessing)
    rows = pool.rows("train")
    net = published_network(params.network, n_classes, preprocessing)[0].eval()
    start = time.process_time()
    features = outputs_of(net, pool.pixels[rows]).features
    ms = 1000 * (time.process_time() - start) / len(rows)
    score = probe.probe_accuracy(
        features, pool.labels[rows], grouped_folds(pool.labels[rows], rows.astype(np.str_), FOLDS, 0)
    )
    return score.mean, score.standard_error, ms


if __name__ == "__main__":
    main()
