"""The section on training: phases, the search for a rate, and what training saw."""

from dataclasses import replace
from types import ModuleType

import numpy as np
from tests.reporting.conftest import sample_exhibits, sample_sheet
from tests.reporting.pages import Page

from graft.reporting.evidence import Evidence
from graft.reporting.phase_table import phase_rows
from graft.reporting.pictures import StoredImages, data_uri
from graft.reporting.provenance import Provenance
from graft.reporting.report import html_report, markdown_report


def _section(evidence: Evidence, target: StoredImages) -> str:
    text = html_report(evidence, sample_exhibits(target), Provenance((), (), ()))
    return text[text.index('<section id="training">') : text.index('<section id="mistakes">')]


def test_every_phase_has_a_row_over_all_seeds(samples: ModuleType) -> None:
    top, second, whole = phase_rows(samples.sample_evidence(gradual=True).transfer)
    assert (top.name, top.trained, top.epochs, top.n_rolled_back, top.proved) == (
        "top 1 of 4",
        "block4 and head",
        "6 to 10",
        0,
        True,
    )
    assert (second.trained, second.epochs, second.n_rolled_back) == ("block3, block4 and head", "8", 1)
    assert (whole.trained, whole.proved) == ("all blocks and head", False)


def test_accuracy_of_a_phase_is_the_mean_over_seeds(samples: ModuleType) -> None:
    record = samples.sample_evidence(gradual=True).transfer
    assert phase_rows(record)[0].val_accuracy == np.mean([run.phases[0].val_accuracy for run in record.runs])


def test_many_neighbouring_blocks_are_named_by_the_lowest(evidence: Evidence) -> None:
    record = evidence.transfer
    runs = []
    for run in record.runs:
        phase = run.phases[0].model_copy(update={"trained": ("block2", "block3", "block4", "head")})
        runs.append(run.model_copy(update={"phases": (phase,)}))
    (row,) = phase_rows(record.model_copy(update={"runs": tuple(runs)}))
    assert row.trained == "block2 to head"


def test_a_head_that_was_fitted_in_closed_form_is_a_phase_of_its_own(samples: ModuleType) -> None:
    (row,) = phase_rows(samples.sample_evidence(curve=False).transfer)
    assert (row.name, row.trained, row.epochs, row.proved) == ("head", "head", "0", True)


def test_phases_are_shown_with_their_proof(samples: ModuleType, target: StoredImages) -> None:
    words = Page(_section(samples.sample_evidence(gradual=True), target)).words
    assert "top 2 of 4" in words
    assert "rolled back in 1 of 5 seeds" in words
    assert words.count("the rest proved unchanged") == 2
    assert words.count("nothing frozen") == 2


def test_every_trial_is_in_the_table_with_its_seed(evidence: Evidence, target: StoredImages) -> None:
    words = Page(_section(evidence, target)).words
    assert "SeedRateAccuracyLoss" in words
    assert "transfer20.00373.0%0.800" in words


def test_the_search_for_a_rate_is_drawn_if_there_was_one(samples: ModuleType, target: StoredImages) -> None:
    assert "Search for the rate" in _section(samples.sample_evidence(gradual=True), target)
    assert "Search for the rate" not in _section(samples.sample_evidence(), target)


def test_each_row_of_the_sheet_starts_with_the_unaugmented_image(evidence: Evidence, target: StoredImages) -> None:
    page = Page(_section(evidence, target))
    shown = page.named("img")
    assert [each["alt"] for each in shown] == (["Train image as it is"] + ["The same, varied"] * 5) * 6
    assert shown[6]["src"] == data_uri(sample_sheet()[1, 0])
    assert "recipe digits" in page.words


def test_a_recipe_that_mirrors_is_named_on_the_sheet_and_in_markdown(evidence: Evidence, target: StoredImages) -> None:
    said = "Training mirrors images left to right with probability 0.5"
    assert said not in _section(evidence, target) + markdown_report(evidence)
    mirrored = replace(evidence, scratch=evidence.scratch.model_copy(update={"flip": 0.5}))
    page = Page(_section(mirrored, target))
    assert said in page.words
    assert page.named("img")[1]["alt"] == "The same, varied and perhaps mirrored"
    assert said in markdown_report(mirrored)
