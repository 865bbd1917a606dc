import pytest

from graft.params import FinetuneTarget
from graft.transfer.strategies import block_rates, equal_rates

BLOCKS = ("stem", "middle", "top")
PARAMS = FinetuneTarget(rates=(0.1,), depth_decay=0.5, top_blocks=1)


def test_feature_extraction_trains_the_head_alone() -> None:
    assert block_rates("feature_extraction", BLOCKS, 0.1, PARAMS) == {"stem": 0, "middle": 0, "top": 0, "head": 0.1}


def test_top_blocks_trains_those_nearest_to_the_head() -> None:
    rates = block_rates("top_blocks", BLOCKS, 0.1, PARAMS)
    assert rates == pytest.approx({"stem": 0, "middle": 0, "top": 0.05, "head": 0.1})


def test_full_decays_by_depth() -> None:
    rates = block_rates("full", BLOCKS, 0.8, PARAMS)
    assert rates == pytest.approx({"stem": 0.1, "middle": 0.2, "top": 0.4, "head": 0.8})


def test_more_top_blocks_than_blocks_trains_all() -> None:
    many = FinetuneTarget(rates=(0.1,), depth_decay=0.5, top_blocks=9)
    assert block_rates("top_blocks", BLOCKS, 0.8, many) == block_rates("full", BLOCKS, 0.8, PARAMS)


def test_rates_stand_in_the_order_of_the_blocks() -> None:
    assert list(block_rates("full", BLOCKS, 0.1, PARAMS)) == ["stem", "middle", "top", "head"]


def test_random_start_has_one_rate() -> None:
    assert equal_rates(BLOCKS, 0.3) == {"stem": 0.3, "middle": 0.3, "top": 0.3, "head": 0.3}
