"""`graft shard`: read one part of data/raw ahead of `dvc repro`, here or on another machine."""

import argparse

from graft.commands.paths import PARAMS, RAW
from graft.files import printable

HELP = "read one part of data/raw ahead of `dvc repro`, here or elsewhere"


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the options of the command."""
    parser.add_argument("domain", choices=("source", "target", "unlabeled"))
    too_large = "the message for one that is too large tells how many there are"
    parser.add_argument("index", type=int, help=f"from 0; {too_large}")


def run(args: argparse.Namespace) -> None:
    """Make the shard and print its path."""
    print(printable(shard(args.domain, args.index)))


def shard(domain: str, index: int) -> str:
    """Make one shard of a domain of data/raw, unless it exists.

    prepare_data reads the shard from its path. A shard from another machine must have the same path, and the files in
    data/raw must have the same times of change on both machines.

    Args:
        domain: source, target or unlabeled.
        index: number of the shard, from 0.

    Returns:
        A sentence on the path of the shard and the number of shards.

    Raises:
        ValueError: params.yaml asks for the built-in example, there is no such shard, or the bits in use in 16-bit
            files are unknown.
    """
    from graft.networks.preprocessing import preprocessing_for
    from graft.params.errors import said_as_keys
    from graft.params.network import NETWORK_KEYS
    from graft.params.pipeline import read_params
    from graft.preparation.found import FOLDERS
    from graft.preparation.raw import RawFiles, scan_raw, target_preprocessing
    from graft.preparation.scan import scan
    from graft.preparation.shards import N_PER_SHARD, SHARDS, make_shard, shard_plan
    from graft.preparation.value_range import recognised_bits

    params = read_params(PARAMS)
    if params.prepare_data.dataset != "folders":
        raise ValueError(f"{PARAMS}: want `prepare_data.dataset: folders`, got example. It is small: run `make repro`.")
    folder = RAW / FOLDERS[domain]
    # a machine that reads the source need not have the target
    files = RawFiles(scan(folder), (), ()) if domain == "source" else scan_raw(RAW)
    found = getattr(files, domain)
    plan = shard_plan(found, N_PER_SHARD)
    if not plan:
        raise ValueError(f"graft shard: want images in {folder}, got none. Put some there, or choose another domain.")
    if not 0 <= index < len(plan):
        raise ValueError(f"graft shard: want a number from 0 to {len(plan) - 1}, got {index}. Choose one of them.")
    with said_as_keys(NETWORK_KEYS):
        preprocessing = preprocessing_for(params.network, params.images)
    preprocessing = target_preprocessing(RAW, files, preprocessing)
    bits = recognised_bits(folder, found, preprocessing)
    read_as = preprocessing.model_copy(update={"value_bits": bits})
    made = make_shard(folder, plan[index], SHARDS / domain, read_as)
    return f"shard {index} of 0 to {len(plan) - 1}: {made}"
