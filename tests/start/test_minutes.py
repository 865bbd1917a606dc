"""What a run is reckoned to take, from costs that are given; what steps cost here is in test_timing."""

from typing import Any

import pytest
from tests.house import ROOT

from graft.params.pipeline import Params, read_params
from graft.params.techniques import EWC, L2SP, Coral, LwF, Replay
from graft.start.minutes import SMALL, Counts, RunMinutes, reckoned
from graft.start.timing import Costs

NOTHING = Costs(start=0, read=0, forward=0, top=0, full=0, head=0, n_blocks=3, n_processes=1)
COUNTS = Counts(n_source=0, n_train=100, n_val=20, n_test=30, n_classes=2)
ALL = COUNTS.n_train + COUNTS.n_val + COUNTS.n_test
SEEN = 90


@pytest.fixture(scope="module")
def example() -> Params:
    return read_params(ROOT / "params.yaml")


def changed(params: Params, section: str, **values: Any) -> Params:
    own = getattr(params, section).model_copy(update=values)
    return params.model_copy(update={section: own})


def small(params: Params) -> Params:
    """A smoke run: two seeds at three rates, which are six runs an arm, of five epochs, and of ten in the control."""
    params = changed(params, "network", name="mobilenet_v2", weights="IMAGENET1K_V1")
    params = changed(params, "training", budget="smoke", epochs=5, subsample=0.9)
    params = changed(params, "finetune_target", rates=(0.1, 0.2, 0.3))
    return changed(params, "train_scratch", rates=(0.1, 0.2, 0.3), long_factor=2)


def seconds(estimate: RunMinutes, stage: str) -> float:
    return 60 * estimate.by_stage[stage]


N_RUNS = 2 * 3


def test_every_seed_of_the_control_runs_at_every_rate_for_longer(example: Params) -> None:
    estimate = reckoned(small(example), COUNTS, NOTHING._replace(full=1))
    assert seconds(estimate, "train_scratch") == pytest.approx(N_RUNS * 10 * SEEN)


def test_runs_go_over_processes(example: Params) -> None:
    estimate = reckoned(small(example), COUNTS, NOTHING._replace(full=1, n_processes=2))
    assert seconds(estimate, "train_scratch") == pytest.approx(N_RUNS * 10 * SEEN / 2)


@pytest.mark.parametrize(("n_processes", "n_in_turn"), [(4, 2), (5, 2), (99, 1)])
def test_a_process_may_idle_at_the_end_and_a_run_is_not_divided(
    example: Params, n_processes: int, n_in_turn: int
) -> None:
    estimate = reckoned(small(example), COUNTS, NOTHING._replace(full=1, n_processes=n_processes))
    assert seconds(estimate, "train_scratch") == pytest.approx(n_in_turn * 10 * SEEN)


def test_every_epoch_looks_at_the_validation_images(example: Params) -> None:
    estimate = reckoned(small(example), COUNTS, NOTHING._replace(forward=1))
    assert seconds(estimate, "train_scratch") == pytest.approx(N_RUNS * 10 * COUNTS.n_val)


def test_frozen_blocks_say_once_what_they_say_of_validation_images(example: Params) -> None:
    costs = NOTHING._replace(forward=1, top=3)
    assert seconds(reckoned(small(example), COUNTS, costs), "finetune_target") == pytest.approx(
        N_RUNS * (5 * SEEN * 3 + COUNTS.n_val)
    )


def test_frozen_blocks_run_once_for_each_fixed_view(example: Params) -> None:
    params = changed(small(example), "finetune_target", views=2)
    costs = NOTHING._replace(forward=1, top=3)
    assert seconds(reckoned(params, COUNTS, costs), "finetune_target") == pytest.approx(
        N_RUNS * (2 * COUNTS.n_train + 5 * SEEN * 2 + COUNTS.n_val)
    )


@pytest.mark.parametrize("strategy", ["full", "gradual", "norms"])
def test_blocks_that_all_learn_take_whole_steps(example: Params, strategy: str) -> None:
    params = changed(small(example), "select_strategy", overrule=strategy)
    estimate = reckoned(params, COUNTS, NOTHING._replace(full=1))
    assert seconds(estimate, "finetune_target") == pytest.approx(N_RUNS * 5 * SEEN)


def test_a_head_that_is_fitted_takes_no_steps(example: Params) -> None:
    params = changed(small(example), "select_strategy", overrule="feature_extraction")
    costs = NOTHING._replace(head=1, forward=10, top=100, full=1000)
    assert seconds(reckoned(params, COUNTS, costs), "finetune_target") == pytest.approx(N_RUNS * SEEN)


def test_an_mlp_is_trained_by_steps(example: Params) -> None:
    params = changed(small(example), "select_strategy", overrule="feature_extraction")
    params = changed(params, "training", head="mlp")
    assert seconds(reckoned(params, COUNTS, NOTHING._replace(top=1)), "finetune_target") == pytest.approx(
        N_RUNS * 5 * SEEN
    )


@pytest.mark.parametrize(
    ("arm", "n_trained", "n_forward", "once"),
    [
        ({"keeping": L2SP(kind="l2_sp", strength=1.0)}, 0.0, 0, 0),
        ({"keeping": EWC(kind="ewc", strength=1.0, images=40)}, 0.0, 0, 40),
        ({"keeping": LwF(kind="lwf", strength=1.0, temperature=2.0)}, 0.0, 1, 0),
        ({"keeping": Replay(kind="replay", share=0.2)}, 0.25, 0, 0),
        ({"adapting": Coral(kind="coral", strength=1.0)}, 2.0, 0, 0),
        ({"tuning": "bias"}, 0.0, 0, 0),
    ],
)
def test_keeping_and_adapting_pass_images_beside_the_labelled_ones(
    example: Params, arm: dict[str, Any], n_trained: float, n_forward: int, once: int
) -> None:
    plain = changed(small(example), "select_strategy", overrule="full")
    counts = COUNTS._replace(n_source=50, n_unlabelled=70)
    costs = NOTHING._replace(forward=1, full=10)
    before, after = (
        seconds(reckoned(params, counts, costs), "finetune_target")
        for params in (plain, changed(plain, "finetune_target", **arm))
    )
    assert after - before == pytest.approx(N_RUNS * (5 * SEEN * (10 * n_trained + n_forward) + 10 * once))


def test_a_domain_that_is_not_there_is_not_passed(example: Params) -> None:
    params = changed(small(example), "finetune_target", adapting=Coral(kind="coral", strength=1.0))
    params = changed(params, "select_strategy", overrule="top_blocks")
    costs = NOTHING._replace(top=1)
    taken = [
        seconds(reckoned(params, COUNTS._replace(n_source=n, n_unlabelled=m), costs), "finetune_target")
        for n, m in ((0, 0), (9, 0), (9, 9))
    ]
    assert taken == pytest.approx([N_RUNS * 5 * SEEN * n for n in (1, 2, 3)])


def test_where_the_head_alone_learns_nothing_is_passed_beside(example: Params) -> None:
    params = changed(small(example), "training", head="mlp")
    params = changed(params, "select_strategy", overrule="feature_extraction")
    with_it = changed(params, "finetune_target", keeping=Replay(kind="replay", share=0.5))
    costs = NOTHING._replace(top=1, full=1, forward=1)
    assert reckoned(with_it, COUNTS, costs) == reckoned(params, COUNTS, costs)


@pytest.mark.parametrize(
    ("arm", "n_altered"),
    [({}, 1 + 3), ({"tuning": "bias"}, 1), ({"keeping": L2SP(kind="l2_sp", strength=1.0)}, 0)],
)
def test_altered_weights_are_reckoned_as_they_are_trained(example: Params, arm: dict[str, Any], n_altered: int) -> None:
    params = changed(small(example), "training", budget="thorough", epochs=5)
    params = changed(changed(params, "finetune_target", **arm), "select_strategy", overrule="full")
    estimate = reckoned(params, COUNTS, NOTHING._replace(forward=1))
    assert seconds(estimate, "check_transfer") == COUNTS.n_test * (2 * 8 + 8 * (2 * 3 + n_altered) + 1)


def test_without_a_named_strategy_there_is_a_range(example: Params) -> None:
    estimate = reckoned(small(example), COUNTS, NOTHING._replace(top=1, full=2))
    parts = [N_RUNS * 5 * SEEN * each / 60 for each in (0, 1, 2)]
    control = N_RUNS * 10 * SEEN * 2 / 60
    assert [estimate.least, estimate.total, estimate.most] == pytest.approx([control + each for each in parts])


def test_with_a_named_strategy_there_is_none(example: Params) -> None:
    params = changed(small(example), "select_strategy", overrule="top_blocks")
    estimate = reckoned(params, COUNTS, NOTHING._replace(top=1, full=2))
    assert estimate.least == estimate.total == estimate.most


def beside(params: Params, budget: str | int, strategy: str = "full", **costs: Any) -> float:
    """Seconds of what is trained beside the arms."""
    params = changed(changed(small(params), "training", budget=budget), "select_strategy", overrule=strategy)
    return seconds(reckoned(params, COUNTS, NOTHING._replace(**costs)), "train_variants")


def test_a_smoke_run_trains_nothing_beside_the_arms(example: Params) -> None:
    assert beside(example, "smoke", full=1, top=1, head=1) == 0


def test_both_arms_are_trained_on_fewer_labels_and_a_small_network_at_every_rate(example: Params) -> None:
    # two seeds at three shares of the labels; ten epochs in the control and five in transfer
    assert beside(example, "standard", full=1) == pytest.approx(SEEN * (2 * 3 * (10 + 5) + 3 * SMALL * 10))
    assert beside(example, 12, full=1) == beside(example, "standard", full=1)


def test_a_thorough_run_also_shuffles_weights_and_resets_blocks(example: Params) -> None:
    # eight seeds; shuffled weights at three rates, and one network for each of three blocks
    fewer = 8 * 3 * (10 + 5) + 3 * SMALL * 10
    assert beside(example, "thorough", full=1) == pytest.approx(SEEN * (fewer + 8 * (3 + 3) * 5))


@pytest.mark.parametrize(("strategy", "n_reset"), [("top_blocks", 1), ("norms", 0), ("gradual", 3)])
def test_as_many_networks_are_reset_as_blocks_learn(example: Params, strategy: str, n_reset: int) -> None:
    costs = {"top": 1.0} if strategy == "top_blocks" else {"full": 1.0}
    scratch = 0 if strategy == "top_blocks" else 10
    fewer = 8 * 3 * (scratch + 5) + 3 * SMALL * scratch
    assert beside(example, "thorough", strategy, **costs) == pytest.approx(SEEN * (fewer + 8 * (3 + n_reset) * 5))


def test_heads_are_fitted_for_every_seed_on_every_share_of_the_labels(example: Params) -> None:
    without_steps = beside(example, "standard", "feature_extraction", head=1) - 2 * 3 * SEEN
    assert without_steps == pytest.approx(5 * SEEN * (0.1 + 0.25 + 0.5 + 1))


def test_total_is_the_sum_of_the_stages(example: Params) -> None:
    estimate = reckoned(small(example), COUNTS, Costs(5, 0.1, 0.2, 0.3, 0.4, 0.5, 3, 1))
    assert estimate.total == pytest.approx(sum(estimate.by_stage.values()))


def test_every_image_is_read_once(example: Params) -> None:
    estimate = reckoned(small(example), COUNTS._replace(n_source=50), NOTHING._replace(read=1))
    assert estimate.by_stage["prepare_data"] == estimate.total == pytest.approx((50 + ALL) / 60)


def test_features_are_made_of_all_images_and_details_of_a_sample(example: Params) -> None:
    params = changed(small(example), "extract_features", sample_images=40)
    forward = NOTHING._replace(forward=1)
    assert seconds(reckoned(params, COUNTS, forward), "extract_features") == pytest.approx(ALL + 2 * 40)
    with_source = reckoned(params, COUNTS._replace(n_source=50), forward)
    assert seconds(with_source, "extract_features") == pytest.approx(50 + ALL + 40 + 15 * 40)


def test_published_weights_are_not_trained_on_the_source(example: Params) -> None:
    estimate = reckoned(small(example), COUNTS._replace(n_source=100), NOTHING._replace(full=1))
    assert estimate.by_stage["pretrain_source"] == 0


def test_pretraining_learns_from_what_the_cut_leaves_of_the_source(example: Params) -> None:
    params = changed(example, "pretrain_source", epochs=7)
    estimate = reckoned(params, COUNTS._replace(n_source=100), NOTHING._replace(full=1))
    assert seconds(estimate, "pretrain_source") == pytest.approx(7 * 70)


def test_the_test_split_is_seen_by_all_seeds_of_both_arms(example: Params) -> None:
    estimate = reckoned(small(example), COUNTS, NOTHING._replace(forward=1))
    assert seconds(estimate, "check_transfer") == pytest.approx(2 * 2 * COUNTS.n_test)


@pytest.mark.parametrize(("budget", "n_networks"), [("standard", 2 * 5 + 2 * 6 + 1), ("thorough", 2 * 8 + 8 * 10 + 1)])
def test_the_test_split_is_seen_by_what_stands_beside_the_arms(example: Params, budget: str, n_networks: int) -> None:
    params = changed(changed(small(example), "training", budget=budget), "select_strategy", overrule="full")
    estimate = reckoned(params, COUNTS, NOTHING._replace(forward=1))
    assert seconds(estimate, "check_transfer") == pytest.approx(n_networks * COUNTS.n_test)


def test_every_stage_of_the_pipeline_has_a_start(example: Params) -> None:
    from graft.yaml_files import read_yaml

    stages = set(read_yaml(ROOT / "dvc.yaml")["stages"])
    estimate = reckoned(small(example), COUNTS, NOTHING._replace(start=1))
    assert set(estimate.by_stage) == {*stages, "dvc"}
    assert all(each > 0 for each in estimate.by_stage.values())
