from typing import Any

import numpy as np
import pandas as pd
import pytest
from tests.examples import catalog_row

from graft.store.catalogue import CatalogRow
from graft.validation.domains import OpenDomain
from graft.validation.rules import MOST_BY_CONTENT, MOST_BY_FORM
from graft.validation.shortcuts import shortcut_table


def rows(n: int, **of_cats: Any) -> list[CatalogRow]:
    """As many cats as dogs, of random brightness and size; cats have the given values."""
    rng = np.random.default_rng(0)
    drawn = [
        catalog_row(
            f"{place}", label=("cat", "dog")[place % 2], row=place, mean_red=float(rng.random()),
            n_bytes=int(rng.integers(800, 1200)),
        )
        for place in range(n)
    ]  # fmt: skip
    return [each._replace(**of_cats) if each.label == "cat" else each for each in drawn]


def table(given: list[CatalogRow]) -> pd.DataFrame:
    return shortcut_table([OpenDomain("target", tuple(given), np.zeros((0, 1, 1, 3), np.uint8), "")], 0)


def of(found: pd.DataFrame, words: str) -> dict[str, Any]:
    (place,) = np.flatnonzero(found["name"].str.contains(words))
    return dict(found.iloc[place])


def test_facts_that_do_not_differ_by_class_predict_nothing() -> None:
    found = table(rows(100))
    # the lower end of the interval, not the estimate
    assert found["by_content"].max() < 0
    assert not any(found["name"].str.contains("width|format"))


@pytest.mark.parametrize(
    ("fact", "value", "words", "column", "most"),
    [
        ("mean_green", 0.9, "brightness and colour", "by_content", MOST_BY_CONTENT),
        ("n_bytes", 5000, "file size", "by_content", MOST_BY_CONTENT),
        ("height", 48, "width and height", "by_form", MOST_BY_FORM),
        ("format", "JPEG", "format, mode and orientation", "by_form", MOST_BY_FORM),
        ("mode", "L", "format, mode and orientation", "by_form", MOST_BY_FORM),
        ("orientation", 6, "format, mode and orientation", "by_form", MOST_BY_FORM),
    ],
)
def test_the_kind_of_facts_that_predicts_the_class_is_named(
    fact: str, value: object, words: str, column: str, most: float
) -> None:
    found = of(table(rows(60, **{fact: value})), words)
    assert found[column] > most
    assert found["name"].startswith(f"target: from {words}")
    assert "100% of the images of a class are predicted correctly on average (95% interval 9" in found["name"]
    assert "guessing 50%)" in found["name"]


def test_half_of_a_class_in_another_format_is_reported() -> None:
    given = [each._replace(format="JPEG") if place % 4 == 0 else each for place, each in enumerate(rows(200))]
    assert of(table(given), "format")["by_form"] > MOST_BY_FORM


def test_all_facts_together_are_reported_if_none_predicts_the_class_alone() -> None:
    assert any(table(rows(100))["name"].str.contains("all facts about the files together"))
    assert not any(table(rows(60, height=48))["name"].str.contains("together"))


def test_images_of_one_group_count_as_one() -> None:
    given = [each._replace(group=each.label) for each in rows(60, height=48)]
    assert table(given).empty


def test_unreadable_images_are_ignored() -> None:
    broken = [catalog_row(f"broken {n}", label="cat", error="truncated") for n in range(30)]
    assert len(table([*rows(60), *broken])) == len(table(rows(60)))


def test_facts_that_do_not_vary_have_no_row() -> None:
    assert table([catalog_row(f"{n}", label=("cat", "dog")[n % 2], row=n) for n in range(40)]).empty
