import numpy as np
import pytest
from numpy.typing import NDArray
from tests.examples import catalog_row

from graft.decisions.selection import split_check
from graft.decisions.selection.choice import Target
from graft.decisions.selection.split_check import check_splits
from graft.records.common import Split
from graft.statistics.features.separability import Separability
from graft.store.catalogue import SPLITS


def _target(
    shift: dict[Split, float], labels: NDArray[np.int64] | None = None, sizes: tuple[int, int, int] = (120, 60, 90)
) -> Target:
    """Two classes with features far apart. Features of some splits are shifted."""
    splits = [split for split, n in zip(SPLITS, sizes, strict=True) for _ in range(n)]
    labels = np.arange(len(splits)) % 2 if labels is None else labels
    features = np.random.default_rng(0).normal(size=(len(splits), 8))
    features += np.array([shift.get(split, 0.0) for split in splits])[:, None] + 4 * labels[:, None]
    rows = [catalog_row(f"{i}.png", label="ab"[labels[i]], split=split, row=i) for i, split in enumerate(splits)]
    return Target(features.astype(np.float32), rows)


def test_splits_of_one_kind_pass() -> None:
    val, test = check_splits(_target({}), seed=0)
    assert not val.warns
    assert not test.warns
    assert val.sentence.startswith("Images of the same class of train and val were not told apart")


def test_a_val_split_of_another_kind_is_a_warning_that_says_what_to_do() -> None:
    val, test = check_splits(_target({"val": 1.0}), seed=0)
    assert val.warns
    assert not test.warns
    assert val.auc is not None
    assert val.auc.low > 0.7
    assert val.sentence.endswith("if not, cut the splits at random from all images, by group.")
    assert "Is val meant to come from elsewhere" in val.sentence
    assert val.sentence.startswith("Val images of the same class can be told from train images")


def test_a_test_split_of_another_kind_is_a_warning() -> None:
    val, test = check_splits(_target({"test": 1.0}), seed=0)
    assert not val.warns
    assert test.warns
    assert "or the mix of classes differs" in test.sentence


def test_another_mix_of_classes_in_val_is_not_a_difference() -> None:
    labels = np.arange(270) % 2
    labels[120:180] = np.arange(60) % 6 == 0
    assert not check_splits(_target({}, labels), seed=0)[0].warns


def test_labels_of_the_test_split_are_not_used() -> None:
    target = _target({"test": 0.3})
    flipped = [
        each._replace(label="ab"[each.label == "a"]) if each.split == "test" else each for each in target.catalog
    ]
    assert check_splits(target, 0)[1] == check_splits(target._replace(catalog=flipped), 0)[1]


def test_a_difference_too_small_to_matter_does_not_warn(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(split_check, "separability", lambda *_, **__: Separability(0.54, 0.52, 0.56))
    assert not check_splits(_target({}), 0)[0].warns
    monkeypatch.setattr(split_check, "separability", lambda *_, **__: Separability(0.56, 0.52, 0.60))
    assert check_splits(_target({}), 0)[0].warns
    monkeypatch.setattr(split_check, "separability", lambda *_, **__: Separability(0.70, 0.49, 0.91))
    assert not check_splits(_target({}), 0)[0].warns


def test_too_few_images_are_reported_and_not_judged() -> None:
    val, _ = check_splits(_target({"val": 5.0}, sizes=(40, 4, 40)), seed=0)
    assert val.auc is None
    assert not val.warns
    assert val.sentence == "Too few images (or groups) to say whether train and val are alike."
