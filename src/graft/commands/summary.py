"""`graft summary`: print verdict, accuracies, gate, report and what to try next."""

import argparse
from typing import TYPE_CHECKING

from graft.commands.paths import GAIN, GATE, RELEASE, REPORT, STRATEGY, TRAINING, VERDICT, WIRING
from graft.files import printable

if TYPE_CHECKING:
    from graft.records.common import Interval
    from graft.records.verdict import AnyVerdict

HELP = "print verdict, accuracies, where the report lies and what to try next"
GATE_STAGE = "gate_release:"


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add nothing: the command has no options."""


def run(args: argparse.Namespace) -> None:
    """Print the summary."""
    print(printable(summary()))


def summary() -> str:
    """Verdict, accuracies, strategy, gate, report and what to try next, as at the end of `make repro`.

    Where a stage failed or records are of two runs, that comes first.

    Raises:
        FileNotFoundError: the pipeline has not run to its end.
    """
    from graft.files import read_record
    from graft.records.release import GateRecord, ReleaseRecord
    from graft.records.verdict import read_verdict

    verdict = read_verdict(VERDICT)
    gate, release = read_record(GateRecord, GATE), read_record(ReleaseRecord, RELEASE)
    warnings = ", ".join(each.check for each in release.reasons if each.level == "warn")
    passed = f"passed, with warnings: {warnings}" if warnings else "passed"
    lines = [
        ("", ""),
        *_earlier(),
        ("verdict", f"{verdict.verdict}: {verdict.sentence}"),
        *_scores(verdict),
        ("ships", verdict.ships_because),
        ("strategy", _strategy()),
        *_forgotten(),
        ("gate", passed if gate.passed else f"refused: {release.refusals}"),
        ("report", str(REPORT.resolve())),
        *(("" if place else "next", step) for place, step in enumerate(release.next_steps)),
    ]
    return "\n".join(f"{name:<10}{text}".rstrip() for name, text in lines)


def _strategy() -> str:
    """The strategy with its techniques, who chose it, and how much of the network learned where that was little."""
    from graft.files import read_record
    from graft.records.strategy import StrategyRecord
    from graft.records.training import TrainingRecord
    from graft.reporting.technique_words import trained_sentence
    from graft.wording import in_words

    strategy = read_record(StrategyRecord, STRATEGY)
    by_whom = "as params.yaml says" if strategy.overruled else "chosen by graft"
    said = f"{in_words(strategy.choice, strategy.techniques)}, {by_whom}"
    if not strategy.techniques:
        return said
    return f"{said}. {trained_sentence(read_record(TrainingRecord, TRAINING))}"


def _forgotten() -> list[tuple[str, str]]:
    """A line on the accuracy on the source before and after, where it was measured."""
    from graft.files import read_record
    from graft.records.gain import GainRecord

    found = read_record(GainRecord, GAIN).forgetting
    if found.before is None or found.after is None:
        return []
    accuracies = f"{found.before.estimate:.1%} before tuning, {found.after.estimate:.1%} after"
    return [("source", f"{accuracies}, on {found.n_images:,} images of the source with the head that it had there")]


def _scores(verdict: "AnyVerdict") -> list[tuple[str, str]]:
    """Scores of both arms and of a constant model; none where no test image has a label."""
    from graft.records.verdict import NoVerdictRecord

    if isinstance(verdict, NoVerdictRecord):
        return []
    always = f"always saying {verdict.majority.label}, the most frequent of train"
    return [
        ("transfer", _with_interval(verdict.transfer, verdict.confidence)),
        ("scratch", _with_interval(verdict.scratch, verdict.confidence)),
        ("majority", f"{verdict.majority.score:.1%} ({always})"),
    ]


def _earlier() -> list[tuple[str, str]]:
    """Lines that say that the records are of an earlier run, or of two; none if the last run was completed."""
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


def _with_interval(score: "Interval", confidence: float) -> str:
    return f"{score.estimate:.1%} ({100 * confidence:.3g}% interval {score.low:.1%} to {score.high:.1%})"
