import numpy as np
import pytest
from tests.examples import catalog_row
from tests.transfer.conftest import tiny_params

from graft.decisions.selection.candidates import Domains
from graft.decisions.selection.choice import (
    Facts,
    Target,
    Wanted,
    evidence,
    ranking,
    select_strategy,
    weigh,
    would_change,
)
from graft.decisions.selection.tables import votes
from graft.params.decisions import SelectStrategy
from graft.records.common import Similarity
from graft.records.strategy import StrategyRecord, Vote
from graft.statistics.features import probe
from graft.statistics.features.probe import CrossValidated

PARAMS = SelectStrategy(overrule=None, folds=5, headroom_small=0.05, headroom_large=0.2)


def _facts(accuracy: float, standard_error: float = 0.0, n: int = 200) -> Facts:
    return Facts(n, n // 10, "unknown", accuracy, standard_error)


def _target(spread: float, n: int = 100) -> Target:
    """Two classes whose features are `spread` standard deviations apart, with all images in train."""
    labels = np.arange(n) % 2
    features = np.random.default_rng(0).normal(size=(n, 8)).astype(np.float32)
    features[:, 0] += spread * labels
    return Target(features, [catalog_row(f"{i}.png", label="ab"[labels[i]], row=i) for i in range(n)])


def _selected(target: Target, similarity: Similarity, params: SelectStrategy = PARAMS, **arm: object) -> StrategyRecord:
    wanted = Wanted(params, tiny_params(finetune_target=arm).finetune_target)
    return select_strategy(target, Domains(similarity, ("a", "b"), ("a", "b")), wanted, 0)


@pytest.mark.parametrize(("accuracy", "strategy"), [(0.96, "feature_extraction"), (0.9, "top_blocks"), (0.7, "full")])
def test_clear_evidence_decides_by_headroom(accuracy: float, strategy: str) -> None:
    shares = evidence(_facts(accuracy), PARAMS)
    assert shares.pop(strategy) == 4  # type: ignore[call-overload]
    assert set(shares.values()) == {0}


@pytest.mark.parametrize(("accuracy", "strategy"), [(0.75, "feature_extraction"), (0.5, "top_blocks")])
def test_an_error_at_a_limit_belongs_to_the_cheaper_side(accuracy: float, strategy: str) -> None:
    limits = SelectStrategy(overrule=None, folds=5, headroom_small=0.25, headroom_large=0.5)
    assert evidence(_facts(accuracy), limits)[strategy] == 4  # type: ignore[index]


def test_evidence_that_straddles_a_limit_is_shared() -> None:
    shares = evidence(_facts(0.8, standard_error=0.03), PARAMS)
    assert shares == {"feature_extraction": 0, "top_blocks": 2, "full": 2}


def test_evidence_that_straddles_both_limits_is_shared_by_all() -> None:
    shares = evidence(_facts(0.88, standard_error=0.09), PARAMS)
    assert set(shares.values()) == {4 / 3}


def test_the_better_classifier_and_the_smallest_class_are_the_facts(monkeypatch: pytest.MonkeyPatch) -> None:
    target = _target(spread=12)
    few = [each for each in target.catalog if each.label == "a" or each.row < 40]
    for name, mean in (("probe_accuracy", 0.7), ("knn_accuracy", 0.97)):
        monkeypatch.setattr(probe, name, lambda *args, mean=mean: CrossValidated(1.0, mean, 0.001))
    record = _selected(target._replace(catalog=few), "unknown", PARAMS)
    assert record.choice == "feature_extraction"
    assert (record.n_train, record.n_per_class) == (70, 20)


def test_clear_evidence_outweighs_unanimous_tables() -> None:
    unanimous = tuple(Vote(table=str(i), strategy="feature_extraction", reason="") for i in range(5))
    assert ranking(weigh(_facts(0.5), unanimous, PARAMS))[0] == "full"


def test_tables_settle_unclear_evidence() -> None:
    vote = (Vote(table="one", strategy="full", reason=""),)
    assert ranking(weigh(_facts(0.8, 0.03), vote, PARAMS))[0] == "full"
    assert ranking(weigh(_facts(0.8, 0.03), (), PARAMS))[0] == "top_blocks"


@pytest.mark.parametrize(("accuracy", "error"), [(0.8, 0.03), (0.88, 0.09)])
def test_unanimous_tables_choose_only_among_what_the_evidence_leaves_open(accuracy: float, error: float) -> None:
    facts = _facts(accuracy, error)
    for strategy in ("feature_extraction", "top_blocks", "full"):
        unanimous = (Vote.model_validate({"table": "one", "strategy": strategy, "reason": ""}),)
        chosen = ranking(weigh(facts, unanimous, PARAMS))[0]
        assert evidence(facts, PARAMS)[chosen] > 0
        assert chosen == strategy or evidence(facts, PARAMS)[strategy] == 0


def test_a_vote_for_scratch_counts_for_no_strategy() -> None:
    with_scratch = (Vote(table="one", strategy="scratch", reason=""),)
    assert weigh(_facts(0.5), with_scratch, PARAMS) == weigh(_facts(0.5), (), PARAMS)


def test_among_equal_weights_the_cheapest_strategy_wins() -> None:
    assert ranking({"full": 1.0, "top_blocks": 1.0, "feature_extraction": 0.5})[0] == "top_blocks"


def test_would_change_names_only_changes_that_change_the_choice() -> None:
    facts = _facts(0.7)
    sentences = would_change(facts, PARAMS)
    assert "With frozen features at 98% accuracy the choice would be feature_extraction." in sentences
    assert not [each for each in sentences if each.endswith("would be full.")]
    for accuracy, choice in ((0.975, "feature_extraction"), (0.875, "top_blocks")):
        other = facts._replace(accuracy=accuracy)
        assert ranking(weigh(other, votes(other.n, other.n_per_class, "unknown"), PARAMS))[0] == choice


def test_more_images_mean_more_images_per_class() -> None:
    """Shared evidence leaves the choice to the tables, one of which counts images per class."""
    sentences = would_change(_facts(0.95, standard_error=0.02), PARAMS)
    assert "With 10 times the images the choice would be top_blocks." in sentences


def test_separable_features_are_left_frozen() -> None:
    target = _target(spread=12)
    record = _selected(target, "unknown", PARAMS)
    assert record.choice == "feature_extraction"
    assert not record.overruled


def test_features_without_the_answer_are_tuned_in_full() -> None:
    target = _target(spread=0)
    record = _selected(target, "unknown", PARAMS)
    assert record.choice == "full"
    assert record.probe is not None
    assert record.probe.mean < 0.75


def test_the_user_may_overrule_and_the_record_says_so() -> None:
    target = _target(spread=12)
    overruled = PARAMS.model_copy(update={"overrule": "full"})
    record = _selected(target, "unknown", overruled)
    assert record.choice == "full"
    assert record.overruled
    assert record.runner_up == "feature_extraction"
    assert "graft would have chosen feature_extraction" in record.reasons[-1]


def test_conflict_of_the_tables_is_recorded() -> None:
    target = _target(spread=12)
    assert _selected(target, "far", PARAMS).conflict
    assert not _selected(target, "near", PARAMS).conflict


def test_same_seed_gives_the_same_record() -> None:
    target = _target(spread=2)
    one = _selected(target, "far", PARAMS)
    assert one == _selected(target, "far", PARAMS)


def test_the_choice_comes_from_train_alone() -> None:
    target = _target(spread=2)
    rows = [each._replace(split=("train", "val", "test")[each.row % 3]) for each in target.catalog]
    whole = _selected(target._replace(catalog=rows), "far", PARAMS)
    train = _selected(target._replace(catalog=[each for each in rows if each.split == "train"]), "far", PARAMS)
    assert whole.n_train == 34
    assert (whole.probe, whole.knn, whole.choice) == (train.probe, train.knn, train.choice)


def _without_labels(params: SelectStrategy = PARAMS, **arm: object) -> StrategyRecord:
    target = _target(spread=3.0)
    tested = Target(target.features, [each._replace(split="test") for each in target.catalog])
    return _selected(tested, "far", params, **arm)


def test_without_labels_to_train_on_all_blocks_learn_and_no_label_is_looked_at() -> None:
    record = _without_labels()
    assert (record.choice, record.overruled, record.n_train) == ("full", False, 0)
    assert (record.probe, record.probe_c, record.knn, record.votes, record.weights) == (None, None, None, (), {})
    assert "no labelled image to train on" in record.reasons[0]


def test_without_labels_params_still_name_the_strategy() -> None:
    record = _without_labels(PARAMS.model_copy(update={"overrule": "top_blocks"}))
    assert (record.choice, record.overruled) == ("top_blocks", True)
    assert any("select_strategy.overrule is top_blocks" in each for each in record.reasons)


def test_without_labels_a_technique_that_is_switched_on_joins() -> None:
    assert _without_labels(adapting={"kind": "coral", "strength": 1.0}).techniques == ("coral",)
