import pytest

from graft.decisions.selection.tables import votes
from graft.records.common import Similarity, StrategyName


def _says(n: int, n_per_class: int, similarity: Similarity) -> dict[str, StrategyName | None]:
    return {vote.table: vote.strategy for vote in votes(n, n_per_class, similarity)}


def test_small_and_similar_is_feature_extraction_in_every_table_that_votes() -> None:
    said = _says(500, 50, "near")
    assert said.pop("techniques guide") is None
    assert set(said.values()) == {"feature_extraction"}


def test_small_and_different_divides_the_tables() -> None:
    said = _says(500, 50, "far")
    assert said["course lesson"] == said["wiki page"] == "feature_extraction"
    assert said["theory tutorial"] == said["strategy guide"] == "full"


@pytest.mark.parametrize(
    ("n", "n_per_class", "similarity", "table", "strategy"),
    [
        (5_000, 500, "near", "course lesson", "top_blocks"),
        (5_000, 500, "far", "course lesson", "full"),
        (20_000, 2_000, "unknown", "course lesson", "full"),
        (20_000, 2_000, "far", "theory tutorial", "scratch"),
        (5_000, 500, "near", "wiki page", "top_blocks"),
        (9_000, 1_500, "far", "wiki page", "full"),
        (20_000, 2_000, "far", "wiki page", "scratch"),
        (2_000_000, 2_000, "far", "strategy guide", "scratch"),
        (2_000_000, 2_000, "near", "strategy guide", "full"),
    ],
)
def test_a_table_votes_as_its_author_printed(
    n: int, n_per_class: int, similarity: Similarity, table: str, strategy: StrategyName
) -> None:
    assert _says(n, n_per_class, similarity)[table] == strategy


def test_votes_that_need_a_similarity_abstain_without_one() -> None:
    said = _says(5_000, 500, "unknown")
    assert said["course lesson"] is None
    assert said["theory tutorial"] is None
    assert _says(500, 50, "unknown")["strategy guide"] is None


def test_every_vote_gives_its_reason() -> None:
    assert all(vote.reason for vote in votes(500, 50, "far"))


@pytest.mark.parametrize(
    ("table", "n", "strategy"),
    [
        ("course lesson", 999, "feature_extraction"),
        ("course lesson", 1_000, "top_blocks"),
        ("course lesson", 10_000, "top_blocks"),
        ("course lesson", 10_001, "full"),
        ("theory tutorial", 1_000, "feature_extraction"),
        ("theory tutorial", 1_001, "full"),
        ("strategy guide", 999, "feature_extraction"),
        ("strategy guide", 1_000, "full"),
    ],
)
def test_the_limits_of_a_table_are_where_it_says(table: str, n: int, strategy: str) -> None:
    assert _says(n, 50, "near")[table] == strategy
