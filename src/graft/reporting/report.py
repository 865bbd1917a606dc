"""The report as a page and as Markdown."""

import base64
import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from graft.reporting import wording
from graft.reporting.drawings import drawings
from graft.reporting.evidence import Evidence
from graft.reporting.pictures import Picture, StoredImages, pictures, sheet
from graft.reporting.provenance import Provenance
from graft.reporting.tallies import Mistake, class_scores, frequent_confusions, got_worse, mistakes
from graft.store import SPLITS
from graft.strategy_record import Suspect

TEMPLATES = Path(__file__).parent / "templates"
MOST_PICTURES = 24
MOST_IN_SHEET = 10
MOST_CONFUSIONS = 8
HEADLINES = {
    "POSITIVE": "Transfer helped",
    "NEGATIVE": "Transfer hurt",
    "EQUIVALENT": "Transfer made no difference",
    "INCONCLUSIVE": "Not settled",
}


def html_report(evidence: Evidence, source: StoredImages, target: StoredImages, provenance: Provenance) -> str:
    """One page that holds all it needs: style, script, figures and pictures.

    Args:
        evidence: the records.
        source: images of the source; none where there is no source.
        target: images of the target.
        provenance: what is known of when, where and how long the stages ran.

    Raises:
        ValueError: an image of the predictions, or of the labels to look at, is not in the catalogue.
    """
    verdict = evidence.verdict
    wrong = mistakes(evidence.predictions, verdict.ships, verdict.ships_seed, evidence.classes, MOST_PICTURES)
    script = Markup((TEMPLATES / "sort.js").read_text(encoding="utf-8"))
    digest = hashlib.sha256(f"\n{script}".encode()).digest()
    return (
        _page_templates()
        .get_template("report.html.j2")
        .render(
            **_shared(evidence),
            figures=drawings(evidence),
            mistakes=_with_pictures(wrong, target),
            suspects=_with_pictures(evidence.strategy.labels.suspects[:MOST_PICTURES], target),
            sheets={"Source": sheet(source, MOST_IN_SHEET), "Target": sheet(target, MOST_IN_SHEET)},
            provenance=provenance,
            style=Markup((TEMPLATES / "style.css").read_text(encoding="utf-8")),
            script=script,
            script_sha256=base64.b64encode(digest).decode(),
        )
    )


def markdown_report(evidence: Evidence) -> str:
    """The same findings in at most two screens, for a pull request; the same records give the same bytes."""
    environment = Environment(
        loader=FileSystemLoader(TEMPLATES),
        undefined=StrictUndefined,
        finalize=wording.markdown_safe,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        autoescape=False,
    )
    return _with_words(environment).get_template("report.md.j2").render(**_shared(evidence))


def _with_pictures(
    shown: Sequence[Mistake] | Sequence[Suspect], target: StoredImages
) -> list[tuple[Mistake | Suspect, Picture]]:
    return list(zip(shown, pictures([each.image for each in shown], target), strict=True))


def _page_templates() -> Environment:
    environment = Environment(
        loader=FileSystemLoader(TEMPLATES),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        autoescape=True,
    )
    return _with_words(environment)


def _with_words(environment: Environment) -> Environment:
    words = (wording.percent, wording.points, wording.number, wording.plain, wording.prose, wording.shortened)
    environment.filters.update({word.__name__: word for word in words})
    return environment


def _shared(evidence: Evidence) -> dict[str, Any]:
    """What both templates speak of."""
    classes, matrix, counts = evidence.classes, evidence.shipped_confusion(), evidence.catalog.target.counts
    scores = class_scores(evidence.predictions, classes)
    return {
        "evidence": evidence,
        "headline": HEADLINES[evidence.verdict.verdict],
        "scores": scores,
        "worse": got_worse(scores),
        "n_seeds": len(evidence.predictions.seeds["transfer"]),
        "confusions": frequent_confusions(matrix, classes, MOST_CONFUSIONS),
        "n_wrong": int(matrix.sum() - np.trace(matrix)),
        "n_test": int(matrix.sum()),
        "counts": {name: [counts[split].get(name, 0) for split in SPLITS] for name in classes},
        "totals": [sum(counts[split].values()) for split in SPLITS],
    }
