"""The yardstick, with features that see grey levels and grain."""

from collections.abc import Mapping

import numpy as np
import pytest
from numpy.typing import NDArray

from graft.shift.corruptions import CORRUPTIONS, SEVERITIES, corrupted, pure_noise
from graft.shift.yardstick import (
    Mark,
    Place,
    Yardstick,
    make_yardstick,
    place_on,
    severity_of,
    yardstick_features,
)
from graft.statistics.mmd import mmd2_unbiased

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


def _place(yardstick: Yardstick, mmd2: float, origin: str = "the source") -> Place:
    return place_on(yardstick, mmd2, origin=origin, near_below=1, far_above=3)


def _made(values: Mapping[str, tuple[float, ...]], noise: float = 1.0) -> Yardstick:
    marks = tuple(Mark(name, k, v) for name in CORRUPTIONS for k, v in zip(SEVERITIES, values[name], strict=True))
    return Yardstick((10, 10), 0.0, marks, noise)


EVEN = _made(dict.fromkeys(CORRUPTIONS, (0.01, 0.04, 0.09, 0.16, 0.25)))


def test_every_corruption_is_marked_at_every_severity(yardstick: Yardstick) -> None:
    assert [(each.corruption, each.severity) for each in yardstick.marks] == [
        (name, severity) for name in CORRUPTIONS for severity in SEVERITIES
    ]
    assert yardstick.n_images == (80, 80)


def test_the_source_lies_at_zero_from_itself_and_noise_far_away(yardstick: Yardstick) -> None:
    assert abs(yardstick.clean) < 0.01
    assert yardstick.noise > 20 * abs(yardstick.clean)


@pytest.mark.parametrize("mark", [("blur", 3), ("contrast", 1), ("JPEG", 1)])
def test_a_target_that_is_the_source_under_a_corruption_is_found_there(
    mark: tuple[str, int], source: Images, yardstick: Yardstick
) -> None:
    target = _features(corrupted(_images(160, 1), *mark, seed=5))
    mmd2 = mmd2_unbiased(_features(source), target, BANDWIDTH2)
    place = _place(yardstick, mmd2)
    assert place.nearest[:2] == mark
    assert f"under {mark[0]} at severity {mark[1]}, " in place.sentence


def test_other_images_of_the_source_are_near_and_noise_is_far(source: Images, yardstick: Yardstick) -> None:
    for target, expected in ((_images(160, 1), "near"), (pure_noise(source, 1), "far")):
        mmd2 = mmd2_unbiased(_features(source), _features(target), BANDWIDTH2)
        assert _place(yardstick, mmd2).similarity == expected


def test_no_image_is_compared_with_its_own_corruption_and_no_group_is_torn(source: Images) -> None:
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


def test_features_of_corruptions_stand_in_the_order_of_the_marks(source: Images) -> None:
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


@pytest.mark.parametrize(
    ("mmd2", "similarity", "said"),
    [
        (
            -0.1,
            "near",
            "lies no farther from the source than chance puts it, in the median",
        ),
        (0.005, "near", "closer to the source than the source itself under every corruption at severity 1, in"),
        (0.085, "mid", "as far from the source as the source itself under blur at severity 3, in the median"),
        (0.2, "far", "in the median of the corruptions that move it at severity 4.5 of 5."),
        (0.5, "far", "farther from the source than the source itself under every corruption at severity 5, and most"),
        (1.5, "far", "at severity 5 and under pure noise, and most corruptions do not move the source so far even at"),
    ],
)
def test_the_sentence_says_where_the_target_lies(mmd2: float, similarity: str, said: str) -> None:
    place = _place(EVEN, mmd2)
    assert place.similarity == similarity
    assert place.sentence.startswith("The target lies ")
    assert said in place.sentence


@pytest.mark.parametrize("mmd2", [0.005, 0.085, 0.5, 1.5])
def test_the_sentence_calls_the_source_what_it_is(mmd2: float) -> None:
    said = _place(EVEN, mmd2, "the bank").sentence
    assert "the bank than the bank itself" in said or "from the bank as the bank itself" in said
    assert "source" not in said


@pytest.mark.parametrize(("mmd2", "similarity"), [(0.0099, "near"), (0.0101, "mid"), (0.0899, "mid"), (0.0901, "far")])
def test_the_limits_of_similarity_are_severities(mmd2: float, similarity: str) -> None:
    assert _place(EVEN, mmd2).similarity == similarity


def test_too_few_images_are_refused() -> None:
    with pytest.raises(ValueError, match=r"^yardstick: want at least 4 source images \(or groups\), got 3\. Add"):
        yardstick_features(_images(3, 0), _features, seed=0)
