import re
from dataclasses import replace
from types import ModuleType

import numpy as np
import pytest
from tests.reporting.conftest import sample_exhibits
from tests.reporting.pages import Page

from graft.files import UNSEEN
from graft.reporting.evidence import Evidence
from graft.reporting.headlines import metrics_json
from graft.reporting.pictures import StoredImages
from graft.reporting.provenance import Provenance
from graft.reporting.report import MOST_PICTURES, html_report, markdown_report

SECTIONS = (
    "verdict",
    "release",
    "shift",
    "decision",
    "training",
    "picture",
    "mistakes",
    "classes",
    "labels",
    "data",
    "run",
)
HOSTILE = (
    '<script>alert("x")</script>',
    "a|b`c",
    "<img src=https://example.org/x.png onerror=y>",
    "[x](http://z)",
    "$x$ www.z.org @z #1",
    "a\x1b[31m\u202eb\nc",
)
NOTHING = Provenance((), (), ())


@pytest.fixture(
    params=[
        "positive",
        "negative",
        "inconclusive",
        "equivalent",
        "proxy",
        "bn_stats",
        "none",
        "no_curve",
        "gradual",
        "perfect",
    ]
)
def variant(request: pytest.FixtureRequest, samples: ModuleType) -> Evidence:
    name = str(request.param)
    if name in ("proxy", "bn_stats", "none"):
        return samples.sample_evidence(kind=name)  # type: ignore[no-any-return]
    if name == "no_curve":
        return samples.sample_evidence(curve=False)  # type: ignore[no-any-return]
    if name == "gradual":
        return samples.sample_evidence(gradual=True)  # type: ignore[no-any-return]
    if name == "perfect":
        return _perfect(samples.sample_evidence())
    return samples.sample_evidence(outcome=name.upper())  # type: ignore[no-any-return]


def _html(evidence: Evidence, target: StoredImages, provenance: Provenance) -> str:
    """Page of a run, without a map, whose source looks like the target."""
    return html_report(evidence, sample_exhibits(target), provenance)


def _perfect(evidence: Evidence) -> Evidence:
    assert evidence.predictions is not None
    right = np.stack([evidence.predictions.labels] * 5)
    predictions = evidence.predictions._replace(by_arm={"transfer": right, "scratch": right})
    return replace(evidence, predictions=predictions)


def test_every_section_is_present(variant: Evidence, target: StoredImages, provenance: Provenance) -> None:
    page = Page(_html(variant, target, provenance))
    assert tuple(each["id"] for each in page.named("section")) == SECTIONS
    assert variant.verdict.sentence in page.words
    assert variant.verdict.verdict in page.words
    assert variant.shift.sentence.replace("MMD^2", "MMD²") in page.words
    for words in (*(vote.reason for vote in variant.strategy.votes), *variant.strategy.would_change):
        assert words.replace("top_blocks", "top blocks") in page.words
    for reason in variant.release.reasons:
        assert reason.sentence.replace("`", "") in page.words


def test_nothing_is_loaded_from_elsewhere(variant: Evidence, target: StoredImages, provenance: Provenance) -> None:
    text = _html(variant, target, provenance)
    page = Page(text)
    loading = [each.get(key, "") for _, each in page.tags for key in ("src", "href", "srcset", "poster", "data")]
    assert {re.sub(r"[:#].*", "", each) for each in loading} <= {"", "data"}
    assert page.named("link") == []
    assert "url(" not in text
    assert "@import" not in text


def test_the_content_policy_forbids_loading_anything(evidence: Evidence, target: StoredImages) -> None:
    policy = next(
        each["content"] for each in Page(_html(evidence, target, NOTHING)).named("meta") if "http-equiv" in each
    )
    assert policy.startswith("default-src 'none'; img-src data:;")


def test_hostile_class_names_are_harmless_in_the_page(samples: ModuleType) -> None:
    evidence, target = samples.sample_evidence(classes=HOSTILE), samples.sample_target(HOSTILE)
    page = Page(_html(evidence, target, NOTHING))
    assert len(page.named("script")) == 1
    assert all("onerror" not in each for each in page.named("img"))
    assert HOSTILE[0] in page.words
    assert r"a\x1b[31m\u202eb\nc" in page.words
    assert not UNSEEN.search(page.words.replace("\n", ""))
    assert not any(UNSEEN.search(value or "") for _, each in page.tags for value in each.values())


def test_hostile_class_names_are_harmless_in_markdown(samples: ModuleType) -> None:
    text = markdown_report(samples.sample_evidence(classes=HOSTILE))
    assert "<" not in text.replace("&lt;", "")
    assert "](" not in text.replace(r"\](", "")
    assert r"a\|b\`c" in text
    assert "$" not in text
    assert not re.search(r"www\.|://|[@#]\w", text.replace("&#36;", ""))
    assert not UNSEEN.search(text.replace("\n", "").replace("\u200b", ""))


def test_markdown_is_two_screens_with_the_verdict_first(variant: Evidence) -> None:
    lines = markdown_report(variant).splitlines()
    assert len(lines) < 120
    assert lines[0].startswith("# ")
    assert lines[2] == variant.verdict.sentence


def test_markdown_stays_short_with_many_classes(samples: ModuleType) -> None:
    names = tuple(f"class {i}" for i in range(150))
    assert len(markdown_report(samples.sample_evidence(classes=names)).splitlines()) < 120


def test_many_classes_get_tables_and_no_crowded_figures(samples: ModuleType) -> None:
    names = tuple(f"class {i:03d}" for i in range(150))
    text = _html(samples.sample_evidence(classes=names), samples.sample_target(names), NOTHING)
    assert "Confusion matrix" not in text
    assert "Recall by class, transfer and scratch" not in text
    assert len(text) < 3_000_000


def test_mistakes_are_shown_as_pictures(evidence: Evidence, target: StoredImages) -> None:
    page = Page(_html(evidence, target, NOTHING))
    assert len(page.pictures("Test image")) == MOST_PICTURES
    assert all(each["src"].startswith("data:image/png;base64,") and each["alt"] for each in page.named("img"))


def _without_suspects(evidence: Evidence) -> Evidence:
    labels = evidence.checks.labels.model_copy(update={"n_suspects": 0, "suspects": ()})
    return replace(evidence, checks=evidence.checks.model_copy(update={"labels": labels}))


def test_suspect_labels_are_shown_by_rank_with_label_and_suggestion(evidence: Evidence, target: StoredImages) -> None:
    page = Page(_html(_perfect(evidence), target, NOTHING))
    labels = evidence.checks.labels
    assert labels.sentence in page.words
    assert page.pictures("Image ") == [
        f"Image {each.image}, labelled {each.label}, looks like {each.suggested}" for each in labels.suspects
    ]
    assert "0.2% against 90.0%" in page.words


def test_of_many_suspect_labels_the_first_are_shown(
    evidence: Evidence, target: StoredImages, samples: ModuleType
) -> None:
    many = samples.samples_module.sample_labels(samples.DIGITS, 50)
    checks = evidence.checks.model_copy(update={"labels": many})
    page = Page(_html(replace(_perfect(evidence), checks=checks), target, NOTHING))
    assert len(page.pictures("Image ")) == MOST_PICTURES
    assert "The first 24 of them" in page.words


def test_labels_and_splits_are_a_line_of_markdown_each_where_they_warn(evidence: Evidence) -> None:
    text = markdown_report(evidence)
    assert f"labels to look at: {evidence.checks.labels.sentence}" in text
    assert "splits: Images of train and test can be told apart." in text
    assert "Too few images to say." not in text
    assert "labels to look at" not in markdown_report(_without_suspects(evidence))


def test_a_check_of_splits_passes_warns_or_was_not_made(evidence: Evidence, target: StoredImages) -> None:
    words = Page(_html(evidence, target, NOTHING)).words
    assert re.search(r"n/a\s*Too few images to say\.", words)
    assert re.search(r"warn\s*Images of train and test", words)


def _advised(evidence: Evidence, *steps: str) -> Evidence:
    return replace(evidence, release=evidence.release.model_copy(update={"next_steps": steps}))


def test_what_to_try_next_is_in_page_and_markdown(evidence: Evidence, target: StoredImages) -> None:
    advised = _advised(evidence, "Widen `train_scratch.rates`.")
    assert "<li>Widen <code>train_scratch.rates</code>.</li>" in _html(advised, target, NOTHING)
    assert "- Widen `train_scratch.rates`." in markdown_report(advised)
    assert "What to try next" not in _html(_advised(evidence), target, NOTHING)


def test_a_model_without_mistakes_says_so(evidence: Evidence, target: StoredImages) -> None:
    page = Page(_html(_without_suspects(_perfect(evidence)), target, NOTHING))
    assert page.pictures("Test image") == []
    assert "It gets every test image right." in page.words


def test_every_table_heading_has_a_scope(evidence: Evidence, target: StoredImages, provenance: Provenance) -> None:
    heads = Page(_html(evidence, target, provenance)).named("th")
    assert {each.get("scope") for each in heads} == {"row", "col"}


def test_the_same_records_give_the_same_bytes(evidence: Evidence, target: StoredImages, samples: ModuleType) -> None:
    again = samples.sample_evidence()
    assert markdown_report(evidence) == markdown_report(again)
    assert metrics_json(evidence) == metrics_json(again)
    assert _html(evidence, target, NOTHING) == _html(again, samples.sample_target(), NOTHING)


def test_provenance_is_shown_if_it_is_known(evidence: Evidence, target: StoredImages, provenance: Provenance) -> None:
    known = Page(_html(evidence, target, provenance)).words
    unknown = Page(_html(evidence, target, NOTHING)).words
    assert "torch 2.10.0" in known
    assert "pretrain_source" in known
    assert "how long the stages ran was not recorded here" in unknown


def test_the_page_is_small(samples: ModuleType) -> None:
    text = _html(samples.sample_evidence(), samples.sample_target(side_px=224), NOTHING)
    assert len(text.encode()) < 3_000_000


def test_files_that_cannot_be_read_are_listed_with_their_reasons(evidence: Evidence, target: StoredImages) -> None:
    page = Page(_html(evidence, target, NOTHING))
    assert "Left out of the target: 1 file that cannot be read" in page.words
    assert "3/broken.png: truncated" in page.words


def test_the_number_of_unreadable_files_that_are_not_listed_is_given(evidence: Evidence, target: StoredImages) -> None:
    many = evidence.catalog.target.model_copy(update={"n_undecodable": 1_234})
    crowded = replace(evidence, catalog=evidence.catalog.model_copy(update={"target": many}))
    assert "and 1233 more." in Page(_html(crowded, target, NOTHING)).words


def test_a_fault_that_was_not_found_is_shown_as_absent(evidence: Evidence, target: StoredImages) -> None:
    words = Page(_html(evidence, target, NOTHING)).words
    assert "no images in two splits" in words
    assert "warnimages of under 8 px on the smaller side (2): " in words


def test_markdown_names_examples_of_a_fault(evidence: Evidence) -> None:
    assert "**warning**, images of under 8 px on the smaller side (2): 3/a.png; 7/b.png. Look" in markdown_report(
        evidence
    )


def test_the_headline_names_the_strategy(samples: ModuleType, target: StoredImages) -> None:
    negative = samples.sample_evidence(outcome="NEGATIVE", curve=False)
    assert markdown_report(negative).startswith("# Transfer by training the head alone hurt\n")
    assert "<title>Transfer by training the head alone hurt: graft report</title>" in _html(negative, target, NOTHING)


def test_the_page_says_what_the_interval_holds_for(evidence: Evidence, target: StoredImages) -> None:
    # the sentence of a real verdict says it too, and heads both reports
    said = "given these training images and this way of choosing rates"
    assert said in Page(_html(evidence, target, NOTHING)).words
