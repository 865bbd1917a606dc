"""All figures of one run."""

from collections.abc import Sequence

from markupsafe import Markup

from graft.records.shift import ShiftRecord
from graft.records.verdict import VerdictRecord
from graft.reporting.evidence import Evidence
from graft.reporting.figures.bars import bars
from graft.reporting.figures.curves import curves
from graft.reporting.figures.forest import Line, Row, forest
from graft.reporting.figures.matrix import confusion
from graft.reporting.figures.null import null_distribution
from graft.reporting.figures.profile import block_profile
from graft.reporting.figures.rate_finder import rate_finder
from graft.reporting.figures.rates import rates
from graft.reporting.figures.recalls import recalls
from graft.reporting.figures.scatter import scatter
from graft.reporting.figures.yardstick import yardstick
from graft.reporting.formatting import metric_words
from graft.reporting.shift_words import other_side
from graft.reporting.tallies import class_scores, score_by_seed
from graft.store.features import MapPoint

MOST_CLASSES_IN_FIGURES = 40


def drawings(evidence: Evidence) -> dict[str, Markup | None]:
    """Figures by their names in the template. None if there is nothing to draw."""
    classes = evidence.classes
    arms = (evidence.transfer, evidence.scratch)
    scores = class_scores(evidence.predictions, classes)
    matrix = evidence.shipped_confusion() if len(classes) <= MOST_CLASSES_IN_FIGURES else None
    return {
        "difference": _difference(evidence),
        "arms": _arms(evidence),
        "weights": bars("Weight of votes and evidence", evidence.strategy.weights, evidence.strategy.choice),
        "accuracy_curves": curves("Validation accuracy by epoch", arms, "val_accuracy"),
        "loss_curves": curves("Validation loss by epoch", arms, "val_loss"),
        "rates": rates(arms),
        "rate_finder": rate_finder(arms),
        "recalls": recalls(scores) if len(scores) <= MOST_CLASSES_IN_FIGURES else None,
        "confusion": None if matrix is None else confusion(matrix, classes),
    }


def shift_drawings(shift: ShiftRecord, points: Sequence[MapPoint]) -> dict[str, Markup | None]:
    """Figures of the shift by their names in the template. None if there is nothing to draw.

    Args:
        shift: the record of the shift.
        points: points of the map.
    """
    scale, size, shares = shift.yardstick, shift.size, shift.map_shares
    return {
        "null": None if shift.test is None else null_distribution(shift.test),
        "yardstick": None if scale is None or size is None else yardstick(scale, size),
        "profile": None if shift.profile is None else block_profile(shift.profile),
        "map": scatter(points, shares, other_side(shift.source)) if points and shares else None,
    }


def _difference(evidence: Evidence) -> Markup:
    verdict = evidence.verdict
    rows = (
        Row(f"Difference with its {100 * verdict.confidence:.3g}% interval", "transfer", verdict.difference),
        Row("Each seed", "transfer", points=verdict.by_seed),
        Row("Second opinion: bootstrap", "second", verdict.bootstrap),
    )
    return forest(f"{_title(verdict)}, transfer minus scratch, in points", rows, verdict.margin)


def _arms(evidence: Evidence) -> Markup:
    verdict, predictions = evidence.verdict, evidence.predictions
    balanced = verdict.metric == "balanced_accuracy"
    rows = (
        Row("Transfer", "transfer", verdict.transfer, score_by_seed(predictions, "transfer", balanced)),
        Row("From scratch", "scratch", verdict.scratch, score_by_seed(predictions, "scratch", balanced)),
    )
    majority = Line(f"Always {verdict.majority.label}", verdict.majority.score)
    return forest(f"{_title(verdict)} of each arm", rows, line=majority)


def _title(verdict: VerdictRecord) -> str:
    return metric_words(verdict.metric).capitalize()
