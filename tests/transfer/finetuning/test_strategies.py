import pytest

from graft.params.both_arms import FinetuneTarget, Plateau, Strategy
from graft.training.phases import Phase, equal_rates
from graft.transfer.finetuning.strategies import block_rates, phases_of

BLOCKS = ("stem", "middle", "top")
PARAMS = FinetuneTarget(
    rates=(0.1,),
    depth_decay=0.5,
    top_blocks=1,
    unfreeze="schedule",
    surgical_blocks=("middle",),
    batchnorm="train",
    views=None,
)


def test_feature_extraction_trains_the_head_alone() -> None:
    assert block_rates("feature_extraction", BLOCKS, 0.1, PARAMS) == {"stem": 0, "middle": 0, "top": 0, "head": 0.1}


def test_top_blocks_trains_those_nearest_to_the_head() -> None:
    rates = block_rates("top_blocks", BLOCKS, 0.1, PARAMS)
    assert rates == pytest.approx({"stem": 0, "middle": 0, "top": 0.05, "head": 0.1})


def test_full_decays_by_depth() -> None:
    rates = block_rates("full", BLOCKS, 0.8, PARAMS)
    assert rates == pytest.approx({"stem": 0.1, "middle": 0.2, "top": 0.4, "head": 0.8})


def test_a_strategy_without_an_entry_does_not_train_like_full() -> None:
    with pytest.raises(KeyError, match="bottom_block"):
        block_rates("bottom_block", BLOCKS, 0.1, PARAMS)  # type: ignore[arg-type]


def test_more_top_blocks_than_blocks_trains_all() -> None:
    many = PARAMS.model_copy(update={"top_blocks": 9})
    assert block_rates("top_blocks", BLOCKS, 0.8, many) == block_rates("full", BLOCKS, 0.8, PARAMS)


def test_rates_stand_in_the_order_of_the_blocks() -> None:
    assert list(block_rates("full", BLOCKS, 0.1, PARAMS)) == ["stem", "middle", "top", "head"]


def test_random_start_has_one_rate() -> None:
    assert equal_rates(BLOCKS, 0.3) == {"stem": 0.3, "middle": 0.3, "top": 0.3, "head": 0.3}


def test_surgical_trains_the_blocks_it_names_at_the_rate_of_the_head() -> None:
    assert block_rates("surgical", BLOCKS, 0.1, PARAMS) == {"stem": 0, "middle": 0.1, "top": 0, "head": 0.1}


def test_norms_of_all_blocks_learn_at_the_rate_of_the_head() -> None:
    assert block_rates("norms", BLOCKS, 0.1, PARAMS) == {"stem": 0.1, "middle": 0.1, "top": 0.1, "head": 0.1}


@pytest.mark.parametrize(("named", "got"), [((), "none"), (("middle", "layer9"), "layer9")])
def test_surgical_wants_blocks_of_the_network(named: tuple[str, ...], got: str) -> None:
    with pytest.raises(ValueError, match=rf"surgical_blocks: want blocks of the network, got {got}\. Choose of stem"):
        block_rates("surgical", BLOCKS, 0.1, PARAMS.model_copy(update={"surgical_blocks": named}))


@pytest.mark.parametrize("strategy", ["feature_extraction", "top_blocks", "full", "surgical", "norms"])
def test_every_other_strategy_is_one_phase_of_all_epochs(strategy: Strategy) -> None:
    (phase,) = phases_of(strategy, BLOCKS, 0.1, PARAMS, 7, 3)
    assert (phase.epochs, phase.patience, phase.learns) == (7, 3, "norms" if strategy == "norms" else "whole")
    assert phase.rates == block_rates(strategy, BLOCKS, 0.1, PARAMS)


def _learning(phase: Phase) -> list[str]:
    return [name for name, rate in phase.rates.items() if rate > 0]


def test_gradual_unfreezes_one_block_a_phase_from_the_head_down() -> None:
    phases = phases_of("gradual", BLOCKS, 0.8, PARAMS, 7, None)
    assert [_learning(phase) for phase in phases] == [
        ["top", "head"],
        ["middle", "top", "head"],
        ["stem", "middle", "top", "head"],
    ]
    assert phases[-1].rates == block_rates("full", BLOCKS, 0.8, PARAMS)
    assert phases[0].rates["top"] == phases[-1].rates["top"]


def test_gradual_of_fewer_epochs_than_blocks_goes_down_in_steps_as_even_as_can_be() -> None:
    phases = phases_of("gradual", ("a", "b", "c", "d", "e"), 0.1, PARAMS, 3, None)
    assert [phase.name for phase in phases] == ["top 2 of 5", "top 3 of 5", "top 5 of 5"]


def test_gradual_takes_as_many_epochs_as_any_strategy() -> None:
    for epochs in range(1, 12):
        phases = phases_of("gradual", BLOCKS, 0.1, PARAMS, epochs, None)
        assert sum(phase.epochs for phase in phases) == epochs
        assert min(phase.epochs for phase in phases) >= 1
        assert _learning(phases[-1]) == [*BLOCKS, "head"]


def test_gradual_by_plateau_leaves_a_phase_early_and_by_schedule_never() -> None:
    plateau = PARAMS.model_copy(update={"unfreeze": Plateau(kind="plateau", patience=2)})
    assert [phase.patience for phase in phases_of("gradual", BLOCKS, 0.1, plateau, 9, 5)] == [2, 2, 5]
    assert [phase.patience for phase in phases_of("gradual", BLOCKS, 0.1, PARAMS, 9, 5)] == [None, None, 5]
