import numpy as np
import pytest
from tests.examples import catalog_row

from graft.decisions.selection import label_check
from graft.decisions.selection.choice import Target
from graft.decisions.selection.label_check import check_labels
from graft.records.checks import LabelCheck
from graft.records.common import Split

CLASSES = ("ant", "bee", "cat")


def _target(wrong: dict[int, str], n: int = 150, spread: float = 8.0) -> Target:
    """Three classes far apart, a third of each in train, val and test, with some wrong labels.

    Catalogue and features stand in opposite order, and an unreadable image comes first.
    """
    truth = np.arange(n) % 3
    features = np.random.default_rng(0).normal(size=(n, 6)) + spread * np.eye(6)[truth]
    splits: tuple[Split, ...] = ("train", "val", "test")
    rows = [
        catalog_row(f"{i}.png", label=wrong.get(i, CLASSES[truth[i]]), split=splits[i // 3 % 3], row=n - 1 - i)
        for i in range(n)
    ]
    broken = catalog_row("broken.png", label="ant", error="truncated")
    return Target(features[::-1].astype(np.float32), [broken, *rows])


def _check(target: Target) -> LabelCheck:
    return check_labels(target, c=1.0, folds=5, seed=0)


def test_wrong_labels_of_train_and_val_are_named_with_what_they_look_like() -> None:
    found = _check(_target({0: "bee", 4: "cat"}))  # 0 is an ant in train, 4 a bee in val
    assert {(each.path, each.label, each.suggested) for each in found.suspects} == {
        ("0.png", "bee", "ant"),
        ("4.png", "cat", "bee"),
    }
    assert found.n_suspects == 2
    assert found.sentence.startswith("2 of the 102 labels of train and val look wrong to a linear probe")
    assert found.n_right < 1


def test_a_suspect_is_named_by_its_hash_and_carries_both_probabilities() -> None:
    target = _target({0: "bee"})
    (suspect,) = _check(target).suspects
    assert suspect.image == target.catalog[1].sha256[:12]
    assert suspect.of_label < 0.1 < 0.9 < suspect.of_suggested


def test_labels_of_the_test_split_are_never_looked_at() -> None:
    clean = _check(_target({}))
    assert clean == _check(_target({6: "bee", 7: "cat"}))
    assert clean.n_images == 102


def test_labels_without_suspects_give_one_sentence() -> None:
    found = _check(_target({}))
    assert found.suspects == ()
    assert found.sentence == (
        "None of the 102 labels of train and val looks wrong to a linear probe on frozen features, "
        "which gets 100.0% of them right; mix-ups of classes that look alike to it do not show."
    )


def test_classes_that_features_cannot_separate_give_no_suspects() -> None:
    found = _check(_target({}, spread=0.0))
    assert found.accuracy is not None
    assert found.accuracy < 0.5
    assert found.n_suspects <= 2


def test_the_record_lists_the_first_suspects_and_counts_all(monkeypatch: pytest.MonkeyPatch) -> None:
    wrong = {i: CLASSES[(i + 1) % 3] for i in range(0, 150, 10) if i // 3 % 3 < 2}
    many = _check(_target(wrong))
    assert many.n_suspects > 5
    monkeypatch.setattr(label_check, "MOST_SUSPECTS", 5)
    few = _check(_target(wrong))
    assert few.suspects == many.suspects[:5]
    assert few.n_suspects == many.n_suspects


def test_copies_in_one_group_do_not_vouch_for_each_other() -> None:
    target = _target({0: "bee"})
    wrong = target.catalog[1]
    copies = [wrong._replace(path=f"copy{i}.png", sha256=f"{i}" * 64, row=150 + i) for i in range(6)]
    features = np.concatenate([target.features, np.repeat(target.features[[149]], 6, axis=0)])
    found = _check(Target(features, [*target.catalog, *copies]))
    assert {"0.png", "copy0.png", "copy5.png"} <= {each.path for each in found.suspects}


def test_without_labels_to_train_on_nothing_is_checked_and_it_is_said() -> None:
    found = check_labels(_target({0: "bee"}), None, folds=5, seed=0)
    assert (found.n_images, found.n_suspects, found.suspects) == (0, 0, ())
    assert "no labels to train on" in found.sentence
