"""All figures of one run."""

from collections.abc import Sequence

from markupsafe import Markup

from graft.params.combinations import phases_as
from graft.records.gain import Forgetting, Why
from graft.records.shift import ShiftRecord
from graft.records.training import TrainingRecord
from graft.records.verdict import AnyVerdict, NoVerdictRecord, VerdictRecord
from graft.reporting.evidence import Evidence
from graft.reporting.figures.bars import bars
from graft.reporting.figures.curves import curves
from graft.reporting.figures.forest import Line, Row, forest
from graft.reporting.figures.harms import harms
from graft.reporting.figures.label_curve import label_curve
from graft.reporting.figures.matrix import confusion
from graft.reporting.figures.null import null_distribution
from graft.reporting.figures.profile import block_profile
from graft.reporting.figures.rate_finder import rate_finder
from graft.reporting.figures.rates import rates
from graft.reporting.figures.recalls import recalls
from graft.reporting.figures.scatter import scatter
from graft.reporting.figures.steps import steps
from graft.reporting.figures.yardstick import yardstick
from graft.reporting.formatting import metric_words
from graft.reporting.shift_words import other_side
from graft.reporting.tallies import score_by_seed
from graft.store.features import MapPoint
from graft.store.predictions import Predictions

MOST_CLASSES_IN_FIGURES = 40


def drawings(evidence: Evidence) -> dict[str, Markup | None]:
    """Figures by their names in the template. None if there is nothing to draw."""
    classes = evidence.classes
    arms = (evidence.transfer, evidence.scratch)
    scores = evidence.gain.classes.scores
    weights, phases = evidence.strategy.weights, phases_as(evidence.strategy.choice)
    matrix = evidence.shipped_confusion() if len(classes) <= MOST_CLASSES_IN_FIGURES else None
    return {
        **_of_verdict(evidence.verdict, evidence.predictions),
        "weights": bars("Weight of votes and evidence", weights, phases) if weights else None,
        "accuracy_curves": curves("Validation accuracy by epoch", arms, "val_accuracy"),
        "loss_curves": curves("Validation loss by epoch", arms, "val_loss"),
        "unlabelled_curves": _unlabelled(arms),
        "rates": rates(arms),
        "rate_finder": rate_finder(arms),
        "recalls": recalls(scores) if 0 < len(scores) <= MOST_CLASSES_IN_FIGURES else None,
        "harms": harms(scores) if 0 < len(scores) <= MOST_CLASSES_IN_FIGURES else None,
        "confusion": None if matrix is None else confusion(matrix, classes),
    }


def gain_drawings(evidence: Evidence) -> dict[str, Markup | None]:
    """Figures of the gain by their names in the template. None if there is nothing to draw."""
    gain, verdict = evidence.gain, evidence.verdict
    margin = 0.0 if isinstance(verdict, NoVerdictRecord) else verdict.margin
    return {
        "labels": label_curve(gain),
        "steps": steps(gain.speed),
        "forgetting": _forgetting(gain.forgetting),
        "why": None if gain.why is None or gain.why.features is None else _parts(gain.why, margin),
        "resets": _blocks(gain.why, margin) if gain.why and gain.why.resets else None,
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


def _unlabelled(arms: Sequence[TrainingRecord]) -> Markup | None:
    """Curves of the arms whose epochs were chosen without labels; None if there are none."""
    chosen = [each for each in arms if all(run.unlabelled_score is not None for run in each.runs)]
    return curves("Score of unlabelled images by epoch", chosen, "unlabelled_score") if chosen else None


def _of_verdict(verdict: AnyVerdict, predictions: Predictions | None) -> dict[str, Markup | None]:
    if isinstance(verdict, NoVerdictRecord) or predictions is None:
        return {"difference": None, "arms": None}
    return {"difference": _difference(verdict), "arms": _arms(verdict, predictions)}


def _difference(verdict: VerdictRecord) -> Markup:
    rows = (
        Row(f"Difference with its {100 * verdict.confidence:.3g}% interval", "transfer", verdict.difference),
        Row("Each seed", "transfer", points=verdict.by_seed),
        Row("Second opinion: bootstrap", "second", verdict.bootstrap),
    )
    return forest(f"{_title(verdict)}, transfer minus scratch, in points", rows, verdict.margin)


def _arms(verdict: VerdictRecord, predictions: Predictions) -> Markup:
    balanced = verdict.metric == "balanced_accuracy"
    rows = (
        Row("Transfer", "transfer", verdict.transfer, score_by_seed(predictions, "transfer", balanced)),
        Row("From scratch", "scratch", verdict.scratch, score_by_seed(predictions, "scratch", balanced)),
    )
    majority = Line(f"Always {verdict.majority.label}", verdict.majority.score)
    return forest(f"{_title(verdict)} of each arm", rows, line=majority)


def _title(verdict: VerdictRecord) -> str:
    return metric_words(verdict.metric).capitalize()


def _forgetting(found: Forgetting) -> Markup | None:
    if found.before is None or found.after is None:
        return None
    rows = (Row("Before tuning", "scratch", found.before), Row("After tuning", "transfer", found.after))
    return forest("Accuracy on the source with the old head", rows)


def _parts(why: Why, margin: float) -> Markup:
    rows = (Row("Reused features", "transfer", why.features), Row("Scale of the weights alone", "second", why.scale))
    return forest("What the gain consists of, in points", rows, margin, sides=("harm", "gain"))


def _blocks(why: Why, margin: float) -> Markup:
    rows = [
        Row(each.block, "second" if each.block == why.harmful else "transfer", each.difference) for each in why.resets
    ]
    title = "What the pretrained weights of each block add, in points"
    return forest(title, rows, margin, sides=("harm", "gain"))
