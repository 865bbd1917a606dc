from collections.abc import Mapping
from pathlib import Path

import pytest
from tests.validation.planting import CLASSES, SPLITS, picture, save

from graft.validation import expectations
from graft.validation.judge import Suite


def counted(suites: Mapping[str, Suite], docs: Path) -> dict[str, int]:
    """Number of rows that break each rule, by its limits; test_judge.py compares it with great_expectations."""
    found = {}
    for rule, table in ((rule, suite.table) for suite in suites.values() for rule in suite.rules):
        values = table[rule.column].dropna()
        low, high = (
            (-float("inf") if rule.least is None else rule.least),
            (float("inf") if rule.most is None else rule.most),
        )
        found[rule.name] = int((~values.between(low, high)).sum())
    return found


@pytest.fixture
def by_limits(monkeypatch: pytest.MonkeyPatch) -> None:
    """Check rules without great_expectations and its Data Docs, which take a second each time."""
    monkeypatch.setattr(expectations, "judge", counted)


@pytest.fixture
def raw(tmp_path: Path) -> Path:
    """Sound data: a source and a target of two classes, the target in train, val and test folders."""
    number = 0
    for split in SPLITS:
        for label in CLASSES:
            for place in range(4):
                save(tmp_path / f"raw/target/{split}/{label}/{place}.png", picture(number))
                save(tmp_path / f"raw/source/{label}/{split}{place}.png", picture(1_000 + number))
                number += 1
    return tmp_path / "raw"
