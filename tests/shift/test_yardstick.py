"""The yardstick, with features that see grey levels and grain."""

from collections.abc import Mapping

import numpy as np
import pytest
from numpy.typing import NDArray

from graft.extraction.corruptions import CORRUPTIONS, corrupted, pure_noise
from graft.extraction.looking import yardstick_features
from graft.shift.yardstick import (
    Mark,
    Place,
    Yardstick,
    make_yardstick,
    place_on,
    severities,
    severity_of,
    similarity_of,
)
from graft.statistics.two_sample.mmd import mmd2_unbiased
from graft.store.features import SEVERITIES

Images = NDArray[np.uint8]
Floats = NDArray[np.float64]
SIDE = 32
BANDWIDTH2 = 100.0


def _images(n: int, seed: int) -> Images:
    """Smooth shapes under grain."""
    rng = np.random.default_rng(seed)
    shapes = np.kron(rng.integers(30, 220, (n, 4, 4, 3)), np.ones((1, SIDE // 4, SIDE // 4, 1)))
    return np.clip(shapes + 12 * rng.normal(size=shapes.shape), 0, 255).astype(np.uint8)


def _features(images: Images) -> Floats:
    """(n, 4) mean grey, contrast, and grain at two scales, about one unit each."""
    grey = images.mean(axis=3)
    fine = np.abs(np.diff(grey, axis=1)).mean(axis=(1, 2))
    blocks = grey.reshape(len(images), SIDE // 4, 4, SIDE // 4, 4).mean(axis=(2, 4))
    coarse = np.abs(np.diff(blocks, axis=1)).mean(axis=(1, 2))
    return np.stack([grey.mean(axis=(1, 2)) / 15, grey.std(axis=(1, 2)) / 8, fine / 2, coarse / 8], axis=1)


@pytest.fixture(scope="module")
def source() -> Images:
    return _images(160, 0)


def _yardstick(images: Images, seed: int) -> Yardstick:
    return make_yardstick(yardstick_features(images, _features, seed=seed), BANDWIDTH2)


@pytest.fixture(scope="module")
def yardstick(source: Images) -> Yardstick:
    return _yardstick(source, 0)


def _place(
    yardstick: Yardstick, mmd2: float, half: float | None = 0.001, origin: str = "the source", far_above: float = 3
) -> Place:
    interval = None if half is None else (mmd2 - half, mmd2 + half)
    return place_on(yardstick, mmd2, interval, (1, far_above), origin)


def _made(values: Mapping[str, tuple[float, ...]], noise: float = 1.0) -> Yardstick:
    marks = tuple(Mark(name, k, v) for name in CORRUPTIONS for k, v in zip(SEVERITIES, values[name], strict=True))
    return Yardstick((10, 10), 0.0, marks, noise)


EVEN = _made(dict.fromkeys(CORRUPTIONS, (0.01, 0.04, 0.09, 0.16, 0.25)))


def test_every_corruption_is_marked_at_every_severity(yardstick: Yardstick) -> None:
    assert [(each.corruption, each.severity) for each in yardstick.marks] == [
        (name, severity) for name in CORRUPTIONS for severity in SEVERITIES
    ]
    assert yardstick.n_images == (80, 80)


def test_the_source_is_at_zero_from_itself_and_noise_is_far_away(yardstick: Yardstick) -> None:
    assert abs(yardstick.clean) < 0.01
    assert yardstick.noise > 20 * abs(yardstick.clean)


@pytest.mark.parametrize("mark", [("blur", 3), ("contrast", 1), ("JPEG", 1)])
def test_a_target_that_is_the_source_under_a_corruption_is_found_there(
    mark: tuple[str, int], source: Images, yardstick: Yardstick
) -> None:
    target = _features(corrupted(_images(160, 1), *mark, seed=5))
    mmd2 = mmd2_unbiased(_features(source), target, BANDWIDTH2)
    places = severities(yardstick, mmd2)
    assert places[mark[0]] == pytest.approx(mark[1], abs=0.5)
    around = _place(yardstick, mmd2, half=0.3 * mmd2).between
    values = {f"{each.corruption} {each.severity}": each.mmd2 for each in yardstick.marks}
    assert around[1] is not None
    assert values[around[0]] < mmd2 < values[around[1]]


def test_other_images_of_the_source_are_near_and_noise_is_far(source: Images, yardstick: Yardstick) -> None:
    for target, expected in ((_images(160, 1), "near"), (pure_noise(source, 1), "far")):
        mmd2 = mmd2_unbiased(_features(source), _features(target), BANDWIDTH2)
        assert similarity_of(severity_of(yardstick, mmd2), (1, 3)) == expected


def test_no_image_is_compared_with_its_own_corruption_and_groups_stay_whole(source: Images) -> None:
    seen: list[Images] = []

    def spy(images: Images) -> Floats:
        seen.append(images)
        return _features(images)

    groups = np.arange(160) // 8
    found = yardstick_features(source, spy, groups=groups, seed=0)
    contents = [each.tobytes() for each in source]
    whole = [half for half in seen if all(image.tobytes() in contents for image in half)]
    halves = [{groups[contents.index(image.tobytes())] for image in half} for half in whole]
    assert not halves[0] & halves[1]
    assert halves[0] | halves[1] == set(range(20))
    np.testing.assert_array_equal(found.kept, _features(whole[0]))
    np.testing.assert_array_equal(found.clean, _features(whole[1]))
    assert found.corrupted.shape == (25, 80, 4)
    assert len(seen) == 2 + 25 + 1


def test_features_of_corruptions_are_in_the_order_of_the_marks(source: Images) -> None:
    found = yardstick_features(source, _features, seed=0)
    grain = found.corrupted[:, :, 2].mean(axis=1).reshape(5, 5)
    names = list(CORRUPTIONS)
    assert np.all(np.diff(grain[names.index("noise")]) > 0)
    assert np.all(np.diff(grain[names.index("blur")]) < 0)


def test_the_same_seed_gives_the_same_yardstick(source: Images, yardstick: Yardstick) -> None:
    assert _yardstick(source, 0) == yardstick
    assert _yardstick(source, 1) != yardstick


@pytest.mark.parametrize(("mmd2", "severity"), [(-0.1, 0), (0, 0), (0.01, 1), (0.09, 3), (0.1225, 3.5), (0.3, 5)])
def test_severity_is_read_between_the_marks_by_mmd_itself(mmd2: float, severity: float) -> None:
    assert severity_of(EVEN, mmd2) == pytest.approx(severity)


def test_severity_is_the_median_over_corruptions() -> None:
    marks = dict.fromkeys(CORRUPTIONS, (0.01, 0.04, 0.09, 0.16, 0.25))
    marks |= {"blur": (0.09, 0.16, 0.25, 0.36, 0.49), "JPEG": (0.0025, 0.01, 0.0225, 0.04, 0.0625)}
    assert severity_of(_made(marks), 0.09) == pytest.approx(3)  # 1 by blur, 5 by JPEG


def test_corruptions_that_hardly_move_the_source_do_not_count() -> None:
    marks = dict.fromkeys(CORRUPTIONS, (0.0, -0.001, 0.0, 0.0, 0.001))
    marks |= {"noise": (0.01, 0.04, 0.09, 0.16, 0.25), "contrast": (0.04, 0.09, 0.16, 0.25, 0.36)}
    assert severity_of(_made(marks), 0.09) == pytest.approx(2.5)  # 3 by noise, 2 by contrast


def test_where_no_corruption_moves_the_source_much_all_count() -> None:
    marks = dict.fromkeys(CORRUPTIONS, (0.0001, 0.0004, 0.0009, 0.0016, 0.0025))
    assert severity_of(_made(marks), 0.0009) == pytest.approx(3)


def test_a_farther_target_never_has_a_lower_severity() -> None:
    marks = dict.fromkeys(CORRUPTIONS, (0.04, 0.01, 0.09, 0.05, 0.25))
    severities = [severity_of(_made(marks), each) for each in np.linspace(-0.1, 0.4, 200)]
    assert np.all(np.diff(severities) >= 0)
    assert severity_of(_made(marks), 0.0625) == pytest.approx(2.5)  # 0.25 between 0.2 and 0.3
    assert severities[0] == 0
    assert severities[-1] == 5


SPREAD = _made(
    {
        "blur": (0.01, 0.04, 0.09, 0.16, 0.25),
        "noise": (0.02, 0.05, 0.10, 0.17, 0.26),
        "contrast": (0.15, 0.20, 0.30, 0.40, 0.50),
        "JPEG": (0.0, 0.0, 0.0, 0.001, 0.001),
        "pixelate": (0.005, 0.02, 0.03, 0.05, 0.08),
    }
)


@pytest.mark.parametrize(
    ("mmd2", "between"),
    [
        (-0.1, ("the source as it is", "pixelate 1")),
        (0.003, ("the source as it is", "pixelate 1")),
        (0.09, ("pixelate 5", "noise 3")),
        (0.13, ("noise 3", "contrast 1")),
        (0.6, ("contrast 5", "pure noise")),
        (1.5, ("pure noise", None)),
    ],
)
def test_the_place_is_a_range_over_corruptions_around_the_interval(
    mmd2: float, between: tuple[str, str | None]
) -> None:
    found = _place(SPREAD, mmd2, half=0.002)
    assert found.between == between
    said = f"between {between[0]} and {between[1]}" if between[1] else f"beyond {between[0]}"
    assert found.sentence.startswith(f"The target lies {said} (the source's own images, corrupted; severity ")


def test_the_place_by_each_corruption_comes_with_its_name() -> None:
    found = dict(_place(SPREAD, 0.09).by_corruption)
    assert set(found) == {"blur", "noise", "contrast", "pixelate"}  # JPEG hardly moves the source
    assert found == severities(SPREAD, 0.09)
    assert found["blur"] == pytest.approx(3)


def test_a_wider_interval_makes_a_wider_range() -> None:
    assert _place(SPREAD, 0.09, half=0.015).between == ("pixelate 4", "contrast 1")
    assert _place(SPREAD, 0.09, half=None).between == ("blur 3", "blur 3")  # the mark itself, without an interval


def test_a_corruption_that_moves_nothing_is_not_an_end_of_the_range() -> None:
    assert "JPEG" not in severities(SPREAD, 0.002)
    assert _place(SPREAD, 0.002, half=0.0001).between == ("the source as it is", "pixelate 1")


def test_the_sentence_gives_the_smallest_and_the_largest_severity_with_their_corruptions() -> None:
    said = _place(SPREAD, 0.09).sentence
    assert "severity 0.8 of 5 by contrast to 5.0 by pixelate, 2.9 in the median)." in said
    assert "severity 4.5 of 5 by all that move them)." in _place(EVEN, 0.2025).sentence


@pytest.mark.parametrize("mmd2", [0.005, 0.085, 0.5, 1.5])
def test_the_sentence_names_the_source_correctly(mmd2: float) -> None:
    said = _place(EVEN, mmd2, origin="the bank").sentence
    assert "the bank's own images" in said
    assert "source" not in said


@pytest.mark.parametrize(("mmd2", "similarity"), [(0.005, "near"), (0.0121, "mid"), (0.085, "mid"), (0.1, "far")])
def test_where_all_corruptions_agree_the_median_severity_decides(mmd2: float, similarity: str) -> None:
    found = _place(EVEN, mmd2, half=0.0001)
    assert (found.similarity, found.doubts) == (similarity, ())


@pytest.mark.parametrize(
    ("mmd2", "half", "span"),
    [
        (0.01, 0.005, "0.7 to 1.2, near to mid"),
        (0.09, 0.02, "2.6 to 3.3, mid to far"),
        (0.07, 0.07, "0.0 to 3.7, near"),
    ],
)
def test_similarity_is_unknown_where_the_interval_changes_it(mmd2: float, half: float, span: str) -> None:
    found = _place(EVEN, mmd2, half)
    assert found.similarity == "unknown"
    (doubt,) = found.doubts
    assert f"the interval of MMD^2 reaches from severity {span}" in doubt


def test_similarity_is_unknown_without_an_interval() -> None:
    found = _place(EVEN, 0.05, half=None)
    assert found.similarity == "unknown"
    assert found.doubts == ("with so few independent images there is no interval of MMD^2 (add images)",)


def test_similarity_is_unknown_where_leaving_one_corruption_out_changes_it() -> None:
    found = _place(SPREAD, 0.098)  # 0.8 by contrast, 2.97 by noise, 3.13 by blur, 5 by pixelate: 3.05 in the median
    assert found.similarity == "unknown"
    assert found.doubts == tuple(f"without {each} it would be mid, not far" for each in ("blur", "pixelate"))
    assert _place(SPREAD, 0.098, far_above=4).similarity == "mid"


def test_similarity_is_unknown_where_one_corruption_alone_moves_the_source() -> None:
    marks = dict.fromkeys(CORRUPTIONS, (0.0, 0.0, 0.0, 0.0, 0.001)) | {"noise": (0.01, 0.04, 0.09, 0.16, 0.25)}
    found = _place(_made(marks), 0.05)
    assert found.similarity == "unknown"
    assert found.doubts == ("noise is the only corruption that moves these images",)


def test_every_group_weighs_the_same_whatever_its_size(source: Images) -> None:
    groups = np.minimum(np.arange(160), 100)  # sixty pictures of one kind
    made = yardstick_features(source, _features, groups=groups, seed=0)
    names = made.kept_groups, made.other_groups
    assert sorted(map(len, map(np.unique, names))) == [50, 51]
    found = make_yardstick(made, BANDWIDTH2)
    assert found.clean == mmd2_unbiased(made.kept, made.clean, BANDWIDTH2, names)
    assert found.marks[7].mmd2 == mmd2_unbiased(made.kept, made.corrupted[7], BANDWIDTH2, names)
    assert found.noise == mmd2_unbiased(made.kept, made.noise, BANDWIDTH2, names)


def test_too_few_images_are_refused() -> None:
    with pytest.raises(ValueError, match=r"^yardstick: want at least 4 source images \(or groups\), got 3\. Add"):
        yardstick_features(_images(3, 0), _features, seed=0)
