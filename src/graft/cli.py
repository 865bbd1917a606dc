"""`graft ...`: what is no stage of the pipeline."""

import argparse
import os
import re
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

from graft.commands import start
from graft.escaping import printable

if TYPE_CHECKING:
    from graft.records import Interval

PARAMS = Path("params.yaml")
RAW = Path("data/raw")
VERDICT = Path("models/records/verdict.json")
STRATEGY = Path("models/records/strategy.json")
EXPORT = Path("models/records/export.json")
GATE = Path("models/records/gate.json")
WIRING = Path("dvc.yaml")
REPORT = Path("reports/report.html")
FINAL = Path("models/final")
PRETRAINED = Path("models/pretrained")
BANKS = Path("models/banks")
GATE_STAGE = "gate_release:"


def main(argv: Sequence[str] | None = None) -> None:
    """Run a command; exit 1 with one sentence where it fails (GRAFT_DEBUG=1 shows the trace)."""
    parser = argparse.ArgumentParser(prog="graft", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("check-params", help="say whether params.yaml may be run")
    commands.add_parser("schema", help="print the JSON schema of params.yaml")
    commands.add_parser("summary", help="print verdict, accuracies, where the report lies and what to try next")
    release = commands.add_parser("check-release", help="say whether models/final may be served or packed")
    release.add_argument("--port", type=int, help="say also whether this port of 127.0.0.1 is free")
    release.add_argument("--force", action="store_true", help="also a model that the gate refused")
    start.add_options(commands.add_parser("start", help=start.HELP))
    part = commands.add_parser("shard", help="read one part of data/raw ahead of `dvc repro`, here or elsewhere")
    part.add_argument("domain", choices=("source", "target"))
    part.add_argument("index", type=int, help="from 0; the message for one that is too large tells how many there are")
    made = commands.add_parser("bank", help="make features of a folder of images that may stand for the source")
    made.add_argument("folder", type=Path, help="images, in folders or not; the backbone of the last run looks at them")
    made.add_argument("--name", required=True, help="that reports call the bank by")
    made.add_argument("--licence", required=True, help="of the images")
    args = parser.parse_args(argv)
    from graft.stage import check_own_code

    try:
        check_own_code()
        _run(args)
        sys.stdout.flush()
    except BrokenPipeError:  # a reader such as `head` had enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except (Exception, KeyboardInterrupt) as error:
        if os.environ.get("GRAFT_DEBUG") == "1":
            raise
        _say(f"graft {args.command}", error)


def _say(command: str, error: BaseException) -> NoReturn:
    """The sentence for an error, and out."""
    from graft import endings, stage

    if endings.is_interrupt(error):
        sys.exit(endings.INTERRUPTED)
    sys.exit(printable(endings.sentence(command, error, stage.PROVENANCE)))


def _run(args: argparse.Namespace) -> None:
    if args.command == "check-params":
        from graft.params import read_params
        from graft.training_params import mirror_note
        from graft.transfer.ahead import check_ahead

        params = read_params(PARAMS)
        note = mirror_note(params.recipes[params.training.augmentation].flip)
        lines = [f"{PARAMS}, training.augmentation: {note}"] if note else []
        for line in (*lines, *check_ahead(params, Path.cwd())):
            print(printable(line), file=sys.stderr)
    elif args.command == "start":
        start.start(args)
    elif args.command == "schema":
        from graft.params import json_schema

        print(json_schema(), end="")
    elif args.command == "summary":
        print(printable(summary()))
    elif args.command == "shard":
        print(printable(shard(args.domain, args.index)))
    elif args.command == "bank":
        print(printable(bank(args.folder, args.name, args.licence)))
    else:
        check_release(args.force)
        if args.port is not None:
            check_port(args.port)


def summary() -> str:
    """Verdict, accuracies, strategy, gate, report and what to try next, as `make repro` ends.

    Where a stage failed or records are of two runs, that comes first.

    Raises:
        FileNotFoundError: the pipeline has not run to its end.
    """
    from graft.files import read_record
    from graft.records import GateRecord
    from graft.strategy_record import StrategyRecord
    from graft.verdict_record import VerdictRecord

    verdict, strategy = read_record(VerdictRecord, VERDICT), read_record(StrategyRecord, STRATEGY)
    gate = read_record(GateRecord, GATE)
    by_whom = "as params.yaml says" if strategy.overruled else "chosen by graft"
    refusals = " ".join(each.sentence for each in gate.reasons if each.level == "fail")
    warnings = ", ".join(each.check for each in gate.reasons if each.level == "warn")
    passed = f"passed, with warnings: {warnings}" if warnings else "passed"
    lines = [
        ("", ""),
        *_earlier(),
        ("verdict", f"{verdict.verdict}: {verdict.sentence}"),
        ("transfer", _with_interval(verdict.transfer_accuracy, verdict.confidence)),
        ("scratch", _with_interval(verdict.scratch_accuracy, verdict.confidence)),
        (
            "majority",
            f"{verdict.majority.accuracy:.1%} (always saying {verdict.majority.label}, the most frequent of train)",
        ),
        ("strategy", f"{strategy.choice}, {by_whom}"),
        ("gate", passed if gate.passed else f"refused: {refusals}"),
        ("report", str(REPORT.resolve())),
        *(("" if place else "next", step) for place, step in enumerate(gate.next_steps)),
    ]
    return "\n".join(f"{name:<10}{text}".rstrip() for name, text in lines)


def _earlier() -> list[tuple[str, str]]:
    """Lines on what follows being of an earlier run, or of two; none where the last run went to its end."""
    from graft.lineage import mixed
    from graft.stage import FAILURE

    lines = []
    clauses = mixed(WIRING) if WIRING.is_file() else []
    failure = FAILURE.read_text(encoding="utf-8").strip() if FAILURE.is_file() else ""
    if failure and not failure.startswith(GATE_STAGE):  # its refusal stands in its record
        lines.append(("failed", f"{' '.join(failure.split())} What follows is of the last run that ended well."))
    if clauses:
        lines.append(("mixed", f"These records are of two runs: {'; '.join(clauses)}. Run `dvc repro` to its end."))
    return lines


def _with_interval(accuracy: "Interval", confidence: float) -> str:
    return f"{accuracy.estimate:.1%} ({confidence:.0%} interval {accuracy.low:.1%} to {accuracy.high:.1%})"


def shard(domain: str, index: int) -> str:
    """Make one shard of a domain of data/raw, unless it is made; says where it lies and how many there are.

    prepare_data takes it from there. A shard that another machine made must come with the same path, and
    data/raw must have the same times of change on both.

    Raises:
        ValueError: params.yaml asks for the built-in example, there is no such shard, or the range of the values of
            16-bit files cannot be told.
    """
    from graft.learning.preprocessing import preprocessing_for
    from graft.params import read_params
    from graft.validation.scan import scan
    from graft.validation.shards import N_PER_SHARD, SHARDS, make_shard, shard_plan
    from graft.validation.value_range import recognised_bits

    params = read_params(PARAMS)
    if params.prepare_data.dataset != "folders":
        raise ValueError(f"{PARAMS}: want `prepare_data.dataset: folders`, got example. It is small: run `make repro`.")
    found = scan(RAW / domain)
    plan = shard_plan(found, N_PER_SHARD)
    if not 0 <= index < len(plan):
        raise ValueError(f"graft shard: want a number from 0 to {len(plan) - 1}, got {index}. Choose one of them.")
    preprocessing = preprocessing_for(params.network, params.images)
    bits = recognised_bits(RAW / domain, found, preprocessing)
    read_as = preprocessing.model_copy(update={"value_bits": bits})
    made = make_shard(RAW / domain, plan[index], SHARDS / domain, read_as)
    return f"shard {index} of 0 to {len(plan) - 1}: {made}"


def bank(folder: Path, name: str, licence: str) -> str:
    """Make a bank of features of all images in a folder; the lines for params.yaml.

    Raises:
        FileNotFoundError: no such folder, or no backbone yet.
        ValueError: the folder holds too few images that can be read, or params.yaml cannot be used.
    """
    from functools import partial

    from graft.cards import BackboneCard
    from graft.files import read_record
    from graft.learning.device import make_deterministic, pick_device
    from graft.learning.moments import batchnorm_moments, block_means
    from graft.learning.saving import load_network
    from graft.learning.scores import outputs_of
    from graft.params import read_params
    from graft.shift.bank import About, backbone_key, bank_of, save_bank
    from graft.shift.views import Network
    from graft.validation.loose import read_loose

    file_name = re.sub(r"[^\w.-]+", "-", name).strip("-.")
    if not file_name:
        raise ValueError(f"graft bank, --name: want letters or digits, got {name!r}. Name it as reports shall call it.")
    params, card = read_params(PARAMS), read_record(BackboneCard, PRETRAINED / "card.json")
    make_deterministic(params.seed)
    network = load_network(PRETRAINED / "backbone.safetensors").to(pick_device())
    seen_by = Network(
        lambda images: outputs_of(network, images, card.preprocessing).features,
        partial(block_means, network, preprocessing=card.preprocessing),
        partial(batchnorm_moments, network, preprocessing=card.preprocessing),
    )
    bits = params.images.value_bits  # those of the card are recognised from the target
    with read_loose(folder, card.preprocessing.model_copy(update={"value_bits": bits})) as (rows, images):
        about = About(name, licence, backbone_key(card))
        made = bank_of((rows, images), seen_by, about, params.extract_features.sample_images, params.seed)
    path = BANKS / f"{file_name}.npz"
    sha256 = save_bank(made, path)
    n_bad = sum(row.row < 0 for row in rows)
    left_out = f", {n_bad} files that cannot be read left out" if n_bad else ""
    return (
        f"{path}: {len(made.side.rows)} images{left_out}. Put these lines under measure_shift in {PARAMS}:\n"
        f"  bank_file: {path}\n  bank_sha256: {sha256}"
    )


def check_release(force: bool) -> None:
    """Refuse where there is no model, or where the gate refused this very model, card, verdict or export record.

    Raises:
        FileNotFoundError: no model, or no gate record.
        RuntimeError: the gate refused, or it judged another one.
    """
    from graft.cards import ModelCard
    from graft.files import file_sha256, read_record
    from graft.records import GateRecord

    if not (FINAL / "model.onnx").is_file() or not GATE.is_file():
        raise FileNotFoundError(f"{FINAL}: want a model and its gate record, got none. Run `make repro`.")
    gate, card = read_record(GateRecord, GATE), read_record(ModelCard, FINAL / "card.json")
    if force:
        return
    model, told = FINAL / "model.onnx", {"card": FINAL / "card.json", "verdict": VERDICT, "export": EXPORT}
    others = [
        path for name, path in told.items() if not path.is_file() or file_sha256(path) != gate.made_from.get(name)
    ]
    if not gate.model_sha256 == card.model_sha256 == file_sha256(model):
        others.append(model)
    if others:
        named = ", ".join(map(str, others))
        raise RuntimeError(
            f"{GATE}: want the gate's word on the model, card and records that lie here, got it on another {named}. "
            "Run `dvc checkout` for the model of this commit, or `make repro`."
        )
    if not gate.passed:
        refusals = " ".join(each.sentence for each in gate.reasons if each.level == "fail")
        raise RuntimeError(f"{GATE}: want a passed gate, got a refusal: {refusals} FORCE=1 goes on all the same.")


def check_port(port: int) -> None:
    """Refuse where another program has the port: the server's own words for that are a long trace.

    A port that is only in TIME_WAIT is free, as it is for the server; not where a program left it there without
    SO_REUSEADDR, for the system then refuses the server too.

    Raises:
        OSError: the port is taken, or there is no such port.
    """
    import errno
    import socket

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
    import socket

    with socket.socket() as client:
        return client.connect_ex(("127.0.0.1", port)) == 0


if __name__ == "__main__":
    main()
