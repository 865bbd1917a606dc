"""`graft check-release`: check that models/final may be served or packed."""

import argparse
import errno
import socket

from graft.commands.paths import EXPORT, FINAL, GATE, RELEASE, VERDICT

HELP = "say whether models/final may be served or packed"


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the options of the command."""
    parser.add_argument("--port", type=int, help="say also whether this port of 127.0.0.1 is free")
    parser.add_argument("--force", action="store_true", help="also a model that the gate refused")


def run(args: argparse.Namespace) -> None:
    """Check the model, and the port if one is given; print nothing if all is well."""
    check_release(args.force)
    if args.port is not None:
        check_port(args.port)


def check_release(force: bool) -> None:
    """Refuse if there is no model, or if the gate did not pass this model with its card, verdict and export record.

    Args:
        force: whether a refusal of the gate is ignored.

    Raises:
        FileNotFoundError: there is no model or no gate record.
        RuntimeError: the gate refused the model, or judged another one.
    """
    from graft.files import file_sha256, read_record
    from graft.records.cards import ModelCard
    from graft.records.release import GateRecord, ReleaseRecord

    if not (FINAL / "model.onnx").is_file() or not GATE.is_file():
        raise FileNotFoundError(f"{FINAL}: want a model and its gate record, got none. Run `make repro`.")
    gate, card = read_record(GateRecord, GATE), read_record(ModelCard, FINAL / "card.json")
    release = read_record(ReleaseRecord, RELEASE)
    if force:
        return
    model = FINAL / "model.onnx"
    # the gate names the release record and the card, and the release record names what it was judged from
    told = {"card": FINAL / "card.json", "release": RELEASE, "verdict": VERDICT, "export": EXPORT}
    made_from = {**release.made_from, **gate.made_from}
    others = [path for name, path in told.items() if not path.is_file() or file_sha256(path) != made_from.get(name)]
    if not gate.model_sha256 == card.model_sha256 == file_sha256(model):
        others.append(model)
    if others:
        named = ", ".join(map(str, others))
        raise RuntimeError(
            f"{GATE}: want the gate's word on the model, card and records that lie here, got it on another {named}. "
            "Run `dvc checkout` for the model of this commit, or `make repro`."
        )
    if not gate.passed:
        raise RuntimeError(
            f"{GATE}: want a passed gate, got a refusal: {release.refusals} FORCE=1 goes on all the same."
        )


def check_port(port: int) -> None:
    """Refuse a port that another program uses, for which the server would print a long trace.

    A port in TIME_WAIT counts as free, as it does for the server, unless the program that left it there did not set
    SO_REUSEADDR: then the system refuses the server too.

    Raises:
        OSError: the port is in use, or there is no such port.
    """
    with socket.socket() as server:
        server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            server.bind(("127.0.0.1", port))
        except (OSError, OverflowError) as error:
            left = isinstance(error, OSError) and error.errno == errno.EADDRINUSE and not _listens(port)
            wait = "A program that has ended left it so: try again in a minute, or take" if left else "Take"
            raise OSError(
                f"127.0.0.1:{port}: want a free port, got: {error}. {wait} another: GRAFT_PORT={port + 1} make serve."
            ) from None


def _listens(port: int) -> bool:
    """Whether a program answers at a port of this machine."""
    with socket.socket() as client:
        return client.connect_ex(("127.0.0.1", port)) == 0
