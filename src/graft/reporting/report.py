"""The report as a page and as Markdown."""

import base64
import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from graft.params.combinations import phases_as
from graft.records.catalog import CatalogRecord
from graft.records.checks import Suspect
from graft.records.shift import ShiftRecord
from graft.reporting import formatting, shift_words
from graft.reporting.drawings import drawings, gain_drawings, shift_drawings
from graft.reporting.evidence import Evidence
from graft.reporting.formatting import mirror_note
from graft.reporting.gain_words import seconds_to_target
from graft.reporting.phase_table import phase_rows
from graft.reporting.pictures import Exhibits, Picture, StoredImages, pictures, rows, sheet
from graft.reporting.provenance import Provenance
from graft.reporting.tallies import Mistake, frequent_confusions, mistakes
from graft.reporting.technique_words import parts_trained, switched_off, trained_sentence
from graft.reporting.witness_pictures import witness_sides

TEMPLATES = Path(__file__).parent / "templates"
MOST_PICTURES = 24
MOST_IN_SHEET = 10
MOST_CONFUSIONS = 8
# Largest number of classes in the table of distances by class.
MOST_MOVED = 12


def html_report(evidence: Evidence, exhibits: Exhibits, provenance: Provenance) -> str:
    """Render a self-contained page: style, script, figures and pictures are inside.

    Args:
        evidence: the records of the run and the predictions.
        exhibits: images and points to show.
        provenance: when, where and how long the stages ran.

    Raises:
        ValueError: an image of the predictions, of the suspect labels or of the shift is not in the catalogue.
    """
    source, target, shifted, shift_map, augmented, recipe = exhibits
    sides = witness_sides(evidence.shift, source, shifted)
    script = Markup((TEMPLATES / "sort.js").read_text(encoding="utf-8"))
    # browsers hash all text between the script tags, with the line break after the first
    digest = hashlib.sha256(f"\n{script}".encode()).digest()
    return (
        _page_templates()
        .get_template("report.html.j2")
        .render(
            **_shared(evidence),
            figures=drawings(evidence) | gain_drawings(evidence) | shift_drawings(evidence.shift, shift_map),
            witnesses=sides,
            mistakes=_with_pictures(_mistakes(evidence), target),
            suspects=_with_pictures(evidence.checks.labels.suspects[:MOST_PICTURES], target),
            sheets={
                domain: sheet(stored, MOST_IN_SHEET)
                for domain, stored in (("source", source), ("target", shifted))
                if domain not in {each.domain for each in sides}
            },
            phases=[*phase_rows(evidence.transfer), *phase_rows(evidence.scratch)],
            recipe=recipe,
            views=rows(augmented),
            provenance=provenance,
            seconds=seconds_to_target(evidence.gain.speed, provenance),
            style=Markup((TEMPLATES / "style.css").read_text(encoding="utf-8")),
            script=script,
            script_sha256=base64.b64encode(digest).decode(),
        )
    )


def markdown_report(evidence: Evidence) -> str:
    """Render the same findings as Markdown of at most two screens. The same records give the same bytes."""
    environment = Environment(
        loader=FileSystemLoader(TEMPLATES),
        undefined=StrictUndefined,
        finalize=formatting.markdown_safe,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        autoescape=False,
    )
    return _with_words(environment).get_template("report.md.j2").render(**_shared(evidence))


def _mistakes(evidence: Evidence) -> tuple[Mistake, ...]:
    verdict = evidence.verdict
    if evidence.predictions is None:
        return ()
    return mistakes(evidence.predictions, verdict.ships, verdict.ships_seed, evidence.classes, MOST_PICTURES)


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
        finalize=formatting.shown,
        keep_trailing_newline=True,
        autoescape=True,
    )
    return _with_words(environment)


def _with_words(environment: Environment) -> Environment:
    words = (
        formatting.percent,
        formatting.points,
        formatting.number,
        formatting.plain,
        formatting.candidate,
        formatting.prose,
        formatting.shortened,
        formatting.metric_words,
        formatting.written,
    )
    environment.filters.update({word.__name__: word for word in words} | {"fraction": shift_words.fraction})
    return environment


def _shared(evidence: Evidence) -> dict[str, Any]:
    """Values that both templates use."""
    classes, matrix = evidence.classes, evidence.shipped_confusion()
    parts = _counts(evidence.catalog)
    return {
        "evidence": evidence,
        **_of_shift(evidence.shift),
        "headline": evidence.verdict.headline,
        "gain": evidence.gain,
        "scores": evidence.gain.classes.scores,
        "judged": matrix is not None,
        "from_source": evidence.catalog.labels_from == "source",
        "median_by": _median_by(evidence),
        "n_seeds": len(evidence.transfer.runs),
        "confusions": () if matrix is None else frequent_confusions(matrix, classes, MOST_CONFUSIONS),
        "phases_of_choice": phases_as(evidence.strategy.choice),
        "parts": parts_trained(evidence.transfer),
        "trained": trained_sentence(evidence.transfer),
        "switched_off": switched_off(evidence.strategy),
        "mirrored": mirror_note(evidence.scratch.flip),
        "n_wrong": 0 if matrix is None else int(matrix.sum() - np.trace(matrix)),
        "n_test": 0 if matrix is None else int(matrix.sum()),
        "counts": {name: [part[name] for part in parts] for name in classes},
        "totals": [sum(part.values()) for part in parts],
    }


def _median_by(evidence: Evidence) -> str:
    """By what the seed that ships is the median of its arm."""
    if evidence.verdict.ships == "transfer" and evidence.transfer.choose_by:
        return f"by {formatting.plain(evidence.transfer.choose_by)} of unlabelled images"
    return "on validation" if evidence.catalog.labels_from == "target" else "on validation images of the source"


def _counts(catalog: CatalogRecord) -> tuple[dict[str, int], ...]:
    """Images by class in train and val of the domain whose labels the arms learn from, and in test of the target."""
    learned = catalog.target if catalog.labels_from == "target" else catalog.source
    counts = learned.counts["train"], learned.counts["val"], catalog.target.counts["test"]
    return tuple({name: count.get(name, 0) for name in catalog.classes} for count in counts)


def _of_shift(shift: ShiftRecord) -> dict[str, Any]:
    moved = sorted(shift.classes, key=lambda each: -each.mmd2)
    return {
        "facts": shift_words.facts(shift),
        "other_side": shift_words.other_side(shift.source),
        "measures": shift_words.measures(shift),
        "most_in": None if shift.profile is None else shift_words.most_in(shift.profile),
        "moved": moved[:MOST_MOVED],
        "n_moved_less": len(moved[MOST_MOVED:]),
    }
