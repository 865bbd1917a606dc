"""What the report says of techniques: in names, in the table of candidates, in numbers and in a curve."""

from dataclasses import replace

import pytest
from tests.reporting.conftest import sample_exhibits
from tests.reporting.pages import Page

from graft.params.techniques import LwF
from graft.reporting.evidence import Evidence
from graft.reporting.pictures import StoredImages
from graft.reporting.provenance import Provenance
from graft.reporting.report import html_report, markdown_report


@pytest.fixture
def with_lwf(evidence: Evidence) -> Evidence:
    """A run that keeps what was learned, and that unlabelled images chose the epochs of."""
    scored = [
        run.model_copy(
            update={
                "unlabelled_score": 0.5,
                "curve": tuple(each.model_copy(update={"unlabelled_score": 0.4}) for each in run.curve),
            }
        )
        for run in evidence.transfer.runs
    ]
    transfer = {
        "techniques": ("lwf",),
        "keeping": LwF(kind="lwf", strength=1.0, temperature=2.0),
        "choose_by": "information_maximisation",
        "n_parameters": 2_000_000,
        "n_trained_parameters": 38_000,
        "runs": tuple(scored),
    }
    return replace(
        evidence,
        transfer=evidence.transfer.model_copy(update=transfer),
        strategy=evidence.strategy.model_copy(update={"techniques": ("lwf",)}),
        verdict=evidence.verdict.model_copy(update={"techniques": ("lwf",)}),
    )


def _page(evidence: Evidence, target: StoredImages) -> str:
    return html_report(evidence, sample_exhibits(target), Provenance((), (), ()))


def test_strategy_and_verdict_are_called_by_their_techniques(with_lwf: Evidence, target: StoredImages) -> None:
    words = Page(_page(with_lwf, target)).words
    assert "Why full fine-tuning with LwF" in words
    assert "Transfer (full fine-tuning with LwF)" in words
    told = markdown_report(with_lwf)
    assert "## Strategy: full fine-tuning with LwF\n" in told
    assert "| transfer (full fine-tuning with LwF) |" in told


def test_the_values_and_the_share_that_learned_are_told(with_lwf: Evidence, target: StoredImages) -> None:
    page = _page(with_lwf, target)
    assert "<dt>Keeping</dt><dd>LwF<small>strength 1, temperature 2</small></dd>" in page
    assert "<dt>Learning</dt><dd>1.9%<small>of 2.0 million parameters</small></dd>" in page
    told = markdown_report(with_lwf)
    assert "Transfer was trained with LwF, strength 1, temperature 2. It trains 1.9% of 2.0 million parameters." in told


def test_every_candidate_is_in_a_table_with_its_reason(evidence: Evidence, target: StoredImages) -> None:
    words = Page(_page(evidence, target)).words
    for each in evidence.strategy.candidates:
        assert each.reason in words
    assert "so not among the candidates: LoRA." in markdown_report(evidence)


def test_the_score_without_labels_is_drawn_where_it_chose(
    with_lwf: Evidence, evidence: Evidence, target: StoredImages
) -> None:
    caption = "Score of unlabelled target images"
    assert caption in Page(_page(with_lwf, target)).words
    assert "(information maximisation)" in Page(_page(with_lwf, target)).words
    assert caption not in Page(_page(evidence, target)).words
