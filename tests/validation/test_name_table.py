from collections.abc import Sequence

import numpy as np
import pytest
from tests.validation.samples import row

from graft.store.catalogue import CatalogRow
from graft.validation.domains import OpenDomain
from graft.validation.name_hints import Hint
from graft.validation.name_table import name_advice, name_table, suggested_groups

LINE = r"`prepare_data.group_pattern: '(patient\d+)'`"


def patients(n_images: int = 4) -> list[CatalogRow]:
    return [row(f"train/{'ab'[p % 2]}/patient{p}_{n}.png") for p in range(6) for n in range(n_images)]


def target(rows: list[CatalogRow], name: str = "target") -> OpenDomain:
    placed = tuple(each._replace(row=place) if not each.error else each for place, each in enumerate(rows))
    return OpenDomain("source" if name == "source" else "target", placed, np.zeros((0, 1, 1, 3), np.uint8), "")


def test_a_hint_has_the_groups_two_images_and_the_line() -> None:
    table = name_table(suggested_groups([target(patients())]))
    assert table.to_dict("list") == {
        "name": [
            "target: patients, or one thing in several pictures (train/a/patient0_0.png and train/a/patient0_1.png), "
            f"6 groups of 24 images: {LINE}"
        ],
        "untold": [1.0],
    }


def test_user_groups_need_no_hint() -> None:
    for rows in (patients(), [*patients(), row("train/a/stray.gif")]):
        table = name_table(suggested_groups([target([each._replace(group="ward 7") for each in rows])]))
        assert table.to_dict("list") == {"name": ["target"], "untold": [0.0]}


def test_groups_of_copies_are_not_user_groups() -> None:
    rows = patients()
    rows = [each._replace(group=rows[0].sha256) for each in rows]
    assert name_table(suggested_groups([target(rows)]))["untold"].tolist() == [1]


def test_groups_in_most_names_are_reported_with_a_name_without() -> None:
    table = name_table(suggested_groups([target([*patients(), row("train/a/stray.gif")])]))
    assert table["untold"].tolist() == [1]
    assert r"in the names of 24 of 25 images ('(patient\d+)'), but not of train/a/stray.gif" in table["name"][0]


def test_unreadable_images_are_ignored() -> None:
    table = name_table(suggested_groups([target([*patients(), row("train/a/stray.gif", error="cut off")])]))
    assert LINE in table["name"][0]


def test_the_advice_has_the_line_for_the_target() -> None:
    source = target([row(f"train/{'ab'[v % 2]}/video{v}_{n}.png") for v in range(6) for n in range(4)], "source")
    plain = target([row(f"train/{label}/{n}.png") for label in "ab" for n in range(9)])
    assert LINE in name_advice(suggested_groups([source, target(patients())]))
    assert r"'(video\d+)'" in name_advice(suggested_groups([source, plain]))
    assert "group_pattern" not in name_advice(suggested_groups([plain]))
    assert "name them in a CSV (prepare_data.group_file)" in name_advice(suggested_groups([plain]))


def test_names_are_searched_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """A search through 100,000 names takes most of a second."""
    looks: list[Sequence[str]] = []

    def look(paths: Sequence[str], labels: Sequence[str]) -> tuple[Hint, ...]:
        looks.append(paths)
        return ()

    monkeypatch.setattr("graft.validation.name_table.hints", look)
    told = suggested_groups([target(patients())])
    name_table(told)
    name_advice(told)
    assert len(looks) == 1
