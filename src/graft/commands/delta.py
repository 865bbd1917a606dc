"""`graft delta`: keep a tuned network as what it adds to its backbone, and make it again from both."""

import argparse
from pathlib import Path

from graft.commands.paths import PRETRAINED
from graft.files import printable

HELP = "keep a tuned network as what it adds to its backbone, and make it again from both"


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the options of the command."""
    ways = parser.add_subparsers(dest="way", required=True)
    write = ways.add_parser("write", help="write what a tuned network adds to its backbone")
    apply = ways.add_parser("apply", help="make the tuned network again")
    for way in (write, apply):
        default = PRETRAINED / "backbone.safetensors"
        way.add_argument("--backbone", type=Path, default=default, help="pretrained network (default: %(default)s)")
    write.add_argument("--tuned", type=Path, required=True, help="network that was tuned from it")
    apply.add_argument("--delta", type=Path, required=True, help="what it adds to the backbone")
    for way, what in ((write, "the delta"), (apply, "the tuned network")):
        way.add_argument("--to", type=Path, required=True, help=f"file for {what}")


def run(args: argparse.Namespace) -> None:
    """Write or apply a delta, and print a sentence on it.

    Raises:
        ValueError: the result would replace a file that is read.
    """
    given = args.tuned if args.way == "write" else args.delta
    if args.to.resolve() in (args.backbone.resolve(), given.resolve()):
        raise ValueError(f"--to: want a file of its own, got {args.to}, which is read. Name another.")
    said = (
        write(args.backbone, args.tuned, args.to) if args.way == "write" else apply(args.backbone, args.delta, args.to)
    )
    print(printable(said))


def write(backbone: Path, tuned: Path, to: Path) -> str:
    """Write what a tuned network adds to its backbone.

    LoRA's factors are taken from the delta that finetune_target wrote beside the tuned network, where there is one:
    the network itself holds them merged.

    Returns:
        A sentence on the size of the delta.

    Raises:
        FileNotFoundError: a file does not exist.
        ValueError: a file is cut short, graft did not write it, or the tuned network is not of the backbone.
    """
    from graft.files import file_sha256
    from graft.networks.saving import load_network
    from graft.transfer.tuning.delta import beside, delta_of, read_delta, write_delta

    own = beside(tuned)
    kept = read_delta(own) if own.is_file() else None
    known = kept is not None and kept.tuned_sha256 == file_sha256(tuned)
    factors, kind = (kept.factors, kept.kind) if kept is not None and known else ({}, "whole")
    write_delta(delta_of(load_network(backbone), tuned, factors, kind), to)
    share = to.stat().st_size / tuned.stat().st_size
    return f"{to}: {to.stat().st_size:,} bytes, {share:.1%} of {tuned}"


def apply(backbone: Path, delta: Path, to: Path) -> str:
    """Make a tuned network again from its backbone and its delta.

    Returns:
        A sentence that says whether the file is the one that the delta was made from, to the byte.

    Raises:
        FileNotFoundError: a file does not exist.
        ValueError: a file is cut short, graft did not write it, or the backbone is another one.
    """
    from graft.networks.saving import load_network
    from graft.transfer.tuning.delta import applied, read_delta

    read = read_delta(delta)
    same = applied(load_network(backbone), read, to) == read.tuned_sha256
    end = "the tuned network to the byte" if same else "the tuned network; the last digits of its weights differ here"
    return f"{to}: {end}"
