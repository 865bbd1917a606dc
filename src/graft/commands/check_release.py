"""`graft check-release`: whether models/final may be served or packed."""

import argparse
import errno
import socket

from graft.commands.paths import EXPORT, FINAL, GATE, RELEASE, VERDICT

HELP = "say whether models/final may be served or packed"


def add_options(parser: argparse.ArgumentParser) -> None:
    """Declare the options of the command."""
    parser.add_argument("--port", type=int, help="say also whether this port of 127.0.0.1 is free")
    parser.add_argument("--force", action="store_true", help="also a model that the gate refused")


def run(args: argparse.Namespace) -> None:
    """Refuse, with the reason, or say nothing."""
    check_release(args.force)
    if args.port is not None:
        check_port(args.port)


def check_release(force: bool) -> None:
    """Refuse where there is no model, or where the gate refused this very model, card, verdict or export record.

    Raises:
        FileNotFoundError: no model, or no gate record.
        RuntimeError: the gate refused, or it judged another one.
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
    """Refuse where another program has the port: the server's own words for that are a long trace.

    A port that is only in TIME_WAIT is free, as it is for the server; not where a program left it there without
    SO_REUSEADDR, for the system then refuses the server too.

    Raises:
        OSError: the port is taken, or there is no such port.
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
