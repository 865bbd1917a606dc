import numpy as np
import pytest
from tests.shift.samples import D, normal, side_of

from graft.shift import shown_images as module
from graft.shift.shown_images import N_SHOWN, map_of, some, witnesses
from graft.shift.sides import Side

SOURCE = side_of(normal(60, 0), "a", ["cat", "dog"] * 30)
ODD = range(30, 42)
ODD_NAMES = {f"b{row:011d}" for row in ODD}


def target(groups: object = None) -> Side:
    """Like the source, but for twelve images of their own."""
    features = normal(50, 1)
    features[ODD] += 4
    return side_of(features, "b", groups=groups)


def test_the_images_that_make_the_difference_come_first() -> None:
    found = witnesses(SOURCE, target(), 2.0 * D, 0)
    assert set(found.target_odd) < ODD_NAMES
    assert not set(found.target_typical) & ODD_NAMES
    assert all(len(names) == N_SHOWN for _, names in found)


def test_a_group_of_the_source_that_the_target_lacks_is_found_there() -> None:
    found = witnesses(target(), SOURCE, 2.0 * D, 0)
    assert set(found.source_odd) < ODD_NAMES


def test_typical_images_are_in_the_middle_of_their_own_domain() -> None:
    found = witnesses(SOURCE, target(), 2.0 * D, 0)
    from_middle = np.linalg.norm(SOURCE.features - SOURCE.features.mean(axis=0), axis=1)
    typical = [int(name[1:]) for name in found.source_typical]
    assert from_middle[typical].max() < np.median(from_middle)


def test_one_image_of_a_group_is_shown() -> None:
    side = target(np.arange(50) // 3)  # the twelve are four groups
    found = witnesses(SOURCE, side, 2.0 * D, 0)
    assert set(found.target_odd[:4]) < ODD_NAMES
    assert not set(found.target_odd[4:]) & ODD_NAMES
    shown = [int(name[1:]) // 3 for name in found.target_odd]
    assert len(set(shown)) == N_SHOWN


def test_copies_of_an_image_do_not_make_it_odd() -> None:
    features = normal(50, 1)
    features[ODD] = 4
    groups = np.where(np.isin(np.arange(50), ODD), -1, np.arange(50))
    found = witnesses(SOURCE, side_of(features, "b", groups=groups), 2.0 * D, 0)
    assert found.target_odd[0] not in ODD_NAMES
    assert len(set(found.target_odd) & ODD_NAMES) <= 1


def test_many_images_are_sampled(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST_ROWS", 20)
    drawn = {f"b{row:011d}" for row in some(target(), 20, 3).rows}
    found = witnesses(SOURCE, target(), 2.0 * D, 3)
    assert set(found.target_odd) | set(found.target_typical) <= drawn


def test_the_map_is_the_first_two_principal_components_of_both_sides() -> None:
    points, shares = map_of(SOURCE, target(), 0)
    rows = np.concatenate([SOURCE.features, target().features])
    values, vectors = np.linalg.eigh(np.cov(rows.T))
    places = (rows - rows.mean(axis=0)) @ vectors[:, :-3:-1]
    drawn = np.array([(each.x, each.y) for each in points])
    np.testing.assert_allclose(np.abs(drawn), np.abs(places), atol=1e-9)
    np.testing.assert_allclose(shares, values[:-3:-1] / values.sum())
    assert [each.side for each in points] == ["source"] * 60 + ["target"] * 50
    assert points[1][:3] == ("a00000000001", "source", "dog")


def test_the_map_shows_no_two_clouds_where_there_is_no_shift() -> None:
    n = 60
    points, _ = map_of(side_of(normal(n, 0, 500), "a"), side_of(normal(n, 1, 500), "b"), 0)
    drawn = np.array([(each.x, each.y) for each in points])
    gap = np.abs(drawn[:n].mean(axis=0) - drawn[n:].mean(axis=0))
    assert np.all(gap < 4 * drawn.std(axis=0) * np.sqrt(2 / n))


def test_the_axes_do_not_flip_with_the_signs_of_a_decomposition(monkeypatch: pytest.MonkeyPatch) -> None:
    first = map_of(SOURCE, target(), 0)
    plain = np.linalg.svd
    monkeypatch.setattr(np.linalg, "svd", lambda *a, **k: (plain(*a, **k)[0], plain(*a, **k)[1], -plain(*a, **k)[2]))
    assert map_of(SOURCE, target(), 0) == first


def test_a_large_side_is_sampled_and_the_same_seed_draws_the_same_points(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST_POINTS", 20)
    points = map_of(SOURCE, target(), 0)[0]
    assert len(points) == 40
    assert map_of(SOURCE, target(), 0)[0] == points
    assert map_of(SOURCE, target(), 1)[0] != points


def test_a_single_feature_has_one_axis() -> None:
    points, shares = map_of(side_of(normal(9, 0, 1), "a"), side_of(normal(9, 1, 1), "b"), 0)
    assert shares == pytest.approx((1, 0))
    assert {each.y for each in points} == {0.0}


def test_sampled_images_keep_their_order() -> None:
    drawn = some(SOURCE, 10, 0).rows
    assert len(set(drawn.tolist())) == 10
    assert np.all(np.diff(drawn) > 0)
    assert some(SOURCE, 99, 0).rows.tolist() == SOURCE.rows.tolist()
