import re
from dataclasses import replace
from types import ModuleType

import numpy as np
import pytest
from tests.reporting.conftest import sample_exhibits
from tests.reporting.pages import Page

from graft.reporting.evidence import Evidence
from graft.reporting.pictures import StoredImages
from graft.reporting.provenance import Provenance
from graft.reporting.report import MOST_IN_SHEET, MOST_MOVED, html_report, markdown_report

NULL, MAP, YARDSTICK = "Distance of the two domains beside chance", "Map of both domains", "Place of the target among"
PROFILE = "Distance by block of the network"
ALL = {NULL, MAP, YARDSTICK, PROFILE}
NO_IMAGES = StoredImages((), np.empty((0, 32, 32, 3), dtype=np.uint8))


def _section(text: str) -> str:
    return text[text.index('<section id="shift">') : text.index('<section id="decision">')]


def _page(evidence: Evidence, samples: ModuleType, kind: str = "own") -> Page:
    """The section on shift. There are source images only if the source is the user's own."""
    target = samples.sample_target()
    target = target._replace(catalog=[each._replace(split="train") for each in target.catalog])
    source = target if kind == "own" else NO_IMAGES
    nothing = Provenance((), (), ())
    return Page(_section(html_report(evidence, sample_exhibits(target, source, samples.sample_map(kind)), nothing)))


def _with(evidence: Evidence, **changes: object) -> Evidence:
    return replace(evidence, shift=evidence.shift.model_copy(update=changes))


@pytest.mark.parametrize(
    ("kind", "figures"), [("own", ALL), ("proxy", ALL), ("bn_stats", {PROFILE}), ("none", set[str]())]
)
def test_figures_are_drawn_if_there_is_something_to_draw(samples: ModuleType, kind: str, figures: set[str]) -> None:
    page = _page(samples.sample_evidence(kind=kind), samples, kind)
    titles = [each["aria-label"] for each in page.named("svg")]
    n_rows = sum(each.get("class") == "witness" for each in page.named("figure"))
    assert len(titles) == len(figures) == len(page.named("figure")) - n_rows
    assert all(any(title.startswith(each) for title in titles) for each in figures)


@pytest.mark.parametrize(
    ("part", "figure"), [("test", NULL), ("yardstick", YARDSTICK), ("profile", PROFILE), ("map_shares", MAP)]
)
def test_a_missing_part_leaves_the_others(evidence: Evidence, samples: ModuleType, part: str, figure: str) -> None:
    titles = [each["aria-label"] for each in _page(_with(evidence, **{part: None}), samples).named("svg")]
    assert len(titles) == 3
    assert not any(title.startswith(figure) for title in titles)


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        ("own", "800 imagesof the source, your own"),
        ("proxy", "the bank street photographsCC BY 4.0, 2000 images; not the network's own source"),
        ("bn_stats", "BatchNormrunning moments of mobilenet_v2: no source images, no p-value"),
        ("none", "nothingno source images"),
    ],
)
def test_the_page_says_what_the_target_is_compared_with(samples: ModuleType, kind: str, words: str) -> None:
    assert f"Held against{words}" in _page(samples.sample_evidence(kind=kind), samples, kind).words


def test_a_proxy_is_called_a_bank_and_not_the_source(samples: ModuleType) -> None:
    page = _page(samples.sample_evidence(kind="proxy"), samples, "proxy")
    assert "The target on the bank's own scale" in page.words
    assert "In the target, hardly in the bank" in page.words
    assert "bank, 300 images" in page.words
    assert "on 800 bank and 600 target images" in page.words


def test_divergences_have_neither_p_value_nor_table_of_measures(samples: ModuleType) -> None:
    page = _page(samples.sample_evidence(kind="bn_stats"), samples, "bn_stats")
    assert "p-value" not in page.words.replace("no p-value", "")
    assert page.named("table") == []
    assert "divergence of a channel, in nats. Of 400 target images." in page.words


def test_images_of_the_difference_are_shown_beside_typical_ones(evidence: Evidence, samples: ModuleType) -> None:
    page = _page(evidence, samples)
    witnesses = evidence.shift.witnesses
    assert witnesses is not None
    names = (witnesses.source_odd, witnesses.source_typical, witnesses.target_odd, witnesses.target_typical)
    expected = [
        f"{side} image {each}"
        for side, row in zip(("Source", "Source", "Target", "Target"), names, strict=True)
        for each in row
    ]
    assert page.pictures("") == expected
    assert re.search(
        r"In the source, hardly in the target.*Typical of the source.*In the target, hardly", page.words, re.S
    )


def test_a_bank_has_no_pictures(samples: ModuleType) -> None:
    page = _page(samples.sample_evidence(kind="proxy"), samples, "proxy")
    assert len(page.pictures("Target image")) == 16
    assert page.pictures("Source image") == []


def test_a_domain_without_such_images_shows_a_sheet(samples: ModuleType) -> None:
    evidence = samples.sample_evidence(kind="none")
    assert len(_page(evidence, samples, "none").named("img")) == MOST_IN_SHEET
    assert len(_page(evidence, samples, "own").named("img")) == 2 * MOST_IN_SHEET


def test_warnings_and_remarks_are_shown(evidence: Evidence, samples: ModuleType) -> None:
    page = _page(_with(evidence, warnings=("Look `here`.",), remarks=("MMD^2 is <small>.",)), samples)
    assert re.search(r"warn\s*Look here\.", page.words)
    assert "MMD² is <small>." in page.words
    assert "warn" not in _page(evidence, samples).words


def test_of_many_classes_the_most_moved_are_shown_and_the_rest_counted(samples: ModuleType) -> None:
    evidence = samples.sample_evidence(classes=tuple(f"class {place:02d}" for place in range(40)))
    page = _page(evidence, samples)
    table = page.words[page.words.index("Classes that both") : page.words.index("How it was measured")]
    shown = re.findall(r"class \d\d", table)
    ranked = sorted(evidence.shift.classes, key=lambda each: -each.mmd2)
    assert shown == [each.label for each in ranked[:MOST_MOVED]]
    assert "the 28 that moved less are left out" in table


def test_bandwidths_are_listed_with_the_reason_of_those_dropped(evidence: Evidence, samples: ModuleType) -> None:
    page = _page(evidence, samples)
    assert re.search(r"1/256\s*0\.0488\s*–\s*dropped: 812 effective pairs of rows, fewer than 14000", page.words)
    assert len(re.findall(r"\dkept\s", page.words)) == 5
    chosen = [attributes for tag, attributes in page.tags if tag == "tr" and attributes.get("class") == "chosen"]
    assert len(chosen) == 1


def test_shares_by_predictions_are_shown_if_the_probe_is_strong_enough(evidence: Evidence, samples: ModuleType) -> None:
    assert evidence.shift.labels is not None
    assert "5.0% (3.5% to 6.5%)" in _page(evidence, samples).words
    unsure = evidence.shift.labels.model_copy(update={"black_box": None})
    words = _page(_with(evidence, labels=unsure), samples).words
    assert "are too weak to estimate" in words
    assert "By predictions" not in words


@pytest.mark.parametrize("kind", ["own", "proxy", "bn_stats", "none"])
def test_markdown_has_the_sentence_few_numbers_and_the_warnings(samples: ModuleType, kind: str) -> None:
    evidence = _with(samples.sample_evidence(kind=kind), warnings=("Too few.",))
    text = markdown_report(evidence)
    lines = [each for each in text[text.index("## Shift") : text.index("## Strategy")].splitlines() if each]
    assert lines[1].replace("\\", "") == evidence.shift.sentence
    assert lines[-1] == "- **warning**: Too few."
    assert len(lines[2:-1]) == {"own": 6, "proxy": 5, "bn_stats": 1, "none": 0}[kind]


def test_hostile_names_are_harmless(samples: ModuleType) -> None:
    hostile = "<script>alert(1)</script>"
    evidence = samples.sample_evidence(classes=(hostile, "b"), kind="own")
    source = evidence.shift.source.model_copy(update={"kind": "proxy", "name": hostile, "licence": hostile})
    page = _page(_with(evidence, source=source), samples)
    assert page.named("script") == []
    assert page.words.count(hostile) >= 4


def test_the_section_is_small_with_large_images(samples: ModuleType) -> None:
    target = samples.sample_target(side_px=224)
    nothing = Provenance((), (), ())
    text = html_report(samples.sample_evidence(), sample_exhibits(target, None, samples.sample_map()), nothing)
    assert len(_section(text).encode()) < 1_000_000
