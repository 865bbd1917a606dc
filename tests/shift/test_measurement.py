"""The record of the shift, from planted features: each source kind, and what the parts are made of."""

from typing import Any

import numpy as np
import pytest
from tests.shift.samples import (
    PARAMS,
    D,
    normal,
    nothing,
    own,
    side_of,
    source_details_of_side,
    target_details_of_side,
)

from graft.files import to_json
from graft.records.shift import ShiftRecord
from graft.shift import measurement
from graft.shift.measurement import Shift, measure
from graft.shift.origin import Origin
from graft.shift.sides import Side
from graft.statistics.two_sample.bandwidths import pooled_median2
from graft.statistics.two_sample.mmd import mmd2_unbiased
from graft.statistics.two_sample.two_sample import two_sample_test

CENTRES = 4.0 * np.eye(4, D)


def classes_of(n: int, names: str, seed: int, domain: str, moved: float = 0.0, **changes: Any) -> Side:
    """Images of classes in turn; the class a lies at the first centre, b at the second, on both sides."""
    labels = [names[row % len(names)] for row in range(n)]
    features = normal(n, seed) + CENTRES[["abcd".index(each) for each in labels]] + moved
    return side_of(features, domain, labels, **changes)


SOURCE = classes_of(120, "abc", 0, "a")


def measured(target: Side, source: Side | Origin = SOURCE, seed: int = 0) -> Shift:
    origin = own(source) if isinstance(source, Side) else source
    return measure(origin, target, target_details_of_side(target), PARAMS, seed)


def record_of(target: Side, source: Side | Origin = SOURCE) -> ShiftRecord:
    return measured(target, source)[0]


def test_the_test_uses_all_images_with_their_groups() -> None:
    source = classes_of(60, "abc", 0, "a", groups=np.arange(60) // 3)
    target = classes_of(40, "abc", 1, "b", 0.3, groups=np.arange(40) // 2)
    test = two_sample_test(
        source.features, target.features, n_permutations=99, seed=0, groups=(source.groups, target.groups)
    )
    found = record_of(target, source).test
    assert found is not None
    assert (found.p_value, found.mmd2, found.bandwidth2) == (test.p_value, test.mmd2, test.bandwidth2)
    assert (found.bins, found.method, found.n_permutations) == ((20, 20), "exact", 99)
    assert [each.multiple for each in found.bandwidths] == [each.multiple for each in test.bandwidths]
    assert found.detectable_shift == test.detectable_shift
    assert (found.null_mmd2[0], found.null_mmd2[100]) == (test.null.min(), test.null.max())
    assert found.null_mmd2[50] == pytest.approx(np.median(test.null))


def test_many_copies_of_one_image_do_not_make_p_small() -> None:
    """Sixty near-copies of one ordinary picture are a shift only where each counts by itself."""
    pictures = normal(31, 1)
    features = np.concatenate([pictures, pictures[:1] + 1e-3 * normal(59, 2)])
    groups = np.concatenate([np.arange(31), np.zeros(59, dtype=np.int64)])
    source = side_of(normal(90, 3), "a")
    grouped, alone = (record_of(side_of(features, "b", groups=each), source).test for each in (groups, None))
    assert grouped is not None
    assert alone is not None
    assert alone.p_value == 0.01
    assert grouped.p_value > 0.05
    assert grouped.bins[1] == 31


def test_the_size_is_at_the_median_bandwidth_and_not_at_the_one_that_decided() -> None:
    target = classes_of(60, "abc", 1, "b", 0.5)
    found = record_of(target)
    assert found.size is not None
    assert found.test is not None
    median2 = next(each.bandwidth2 for each in found.test.bandwidths if each.multiple == 1)
    assert found.size.bandwidth2 == median2 != found.test.bandwidth2
    assert found.size.mmd2 == pytest.approx(mmd2_unbiased(SOURCE.features, target.features, median2))


@pytest.mark.parametrize(("moved", "similarity"), [(0.0, "near"), (0.3, "unknown"), (0.6, "mid"), (2.0, "far")])
def test_similarity_is_the_place_on_the_yardstick(moved: float, similarity: str) -> None:
    found = record_of(classes_of(400, "abc", 1, "b", moved), classes_of(400, "abc", 0, "a"))
    assert found.similarity == similarity
    assert found.yardstick is not None
    assert len(found.yardstick.marks) == 25
    assert f": {similarity} (MMD^2" in found.sentence
    assert "the source's own images, corrupted" in found.sentence
    assert bool(found.yardstick.doubts) is (similarity == "unknown")
    assert any("the interval of MMD^2 reaches" in each for each in found.warnings) is (similarity == "unknown")


def test_too_few_images_for_an_interval_leave_similarity_unknown() -> None:
    found = record_of(classes_of(9, "abc", 1, "b", 2.0))
    assert found.size is not None
    assert (found.size.interval, found.similarity) == (None, "unknown")
    assert any("there is no interval of MMD^2 (add images)" in each for each in found.warnings)


def test_a_bank_is_never_called_the_source() -> None:
    described = own(SOURCE).described.model_copy(update={"kind": "proxy", "name": "Photographs", "licence": "CC0"})
    found = record_of(classes_of(60, "abc", 1, "b", 2.0), own(SOURCE)._replace(described=described))
    assert (found.source.kind, found.source.name, found.similarity) == ("proxy", "Photographs", "far")
    assert found.sentence.startswith(
        "Compared with the bank Photographs (120 images, CC0), not the network's own source"
    )
    assert "the bank's own images, corrupted" in found.sentence
    assert "the source's" not in found.sentence


def test_without_labels_there_are_no_classes_and_no_mix() -> None:
    found = record_of(classes_of(60, "abc", 1, "b"), side_of(SOURCE.features, "a"))
    assert (found.classes, found.labels) == ((), None)


def test_without_a_source_the_blocks_are_described_and_similarity_is_unknown() -> None:
    target = side_of(normal(40, 1), "b")
    found, points = measure(nothing(), target, target_details_of_side(target, moments=True), PARAMS, 0)
    assert (found.source.kind, found.similarity, found.n_target, found.n_features) == ("bn_stats", "unknown", 40, D)
    assert found.profile is not None
    assert (found.profile.measure, found.profile.n_images) == ("divergence", (0, 40))
    assert "Compared with the running moments of small_cnn (pretrain)" in found.sentence
    assert (found.test, found.size, found.yardstick, found.witnesses, found.map_shares) == (None,) * 5
    assert points == ()


def test_blocks_are_described_by_the_sample_and_its_groups() -> None:
    target = side_of(normal(40, 1), "b")
    details = target_details_of_side(target.at(np.arange(5, 25)), moments=True)
    profile = measure(nothing(), target, details, PARAMS, 0)[0].profile
    assert profile is not None
    assert profile.n_images == (0, 20)


def test_without_a_source_and_batchnorm_the_record_gives_the_reason() -> None:
    target = side_of(normal(40, 1), "b")
    details = target_details_of_side(target, refusal="bn_stats: want BatchNorm, got LayerNorm.")
    found = measure(nothing(), target, details, PARAMS, 0)[0]
    assert (found.source.kind, found.profile, found.similarity) == ("none", None, "unknown")
    assert "bn_stats: want BatchNorm, got LayerNorm." in found.sentence


def test_groups_of_the_target_widen_the_intervals_of_blocks() -> None:
    target = side_of(np.repeat(normal(8, 1), 5, axis=0), "b")
    grouped = target._replace(groups=np.repeat(np.arange(8).astype(np.str_), 5))
    widths = []
    for each in (target, grouped):
        profile = measure(nothing(), each, target_details_of_side(each, moments=True), PARAMS, 0)[0].profile
        assert profile is not None
        widths.append(profile.blocks[0].shift.high - profile.blocks[0].shift.low)
    assert widths[1] > 1.2 * widths[0]


def test_images_on_both_sides_are_removed_from_the_source_with_a_remark() -> None:
    target = classes_of(60, "abc", 1, "b", 1.0)
    source = Side(*(np.concatenate(pair) for pair in zip(SOURCE, target.at(np.arange(20)), strict=True)))
    source = source._replace(rows=np.arange(140))
    details = source_details_of_side(source)
    found, points = measured(target, own(source, details))
    assert found.test == record_of(target).test
    assert found.profile is not None
    assert found.profile.n_images == (120, 60)
    assert sum(each.side == "source" for each in points) == 120
    assert "20 source images are in the target too and were left out." in found.remarks


def test_the_profile_is_of_the_images_of_the_sample() -> None:
    target = classes_of(60, "abc", 1, "b")
    target = target._replace(rows=target.rows + 7)  # a train split begins somewhere in the store
    details = target_details_of_side(target.at(np.arange(10, 30)))
    found = measure(own(SOURCE), target, details, PARAMS, 0)[0].profile
    assert found is not None
    assert found.n_images == (120, 20)
    ours, theirs = SOURCE.features[:, :2], target.features[10:30, :2]
    expected = mmd2_unbiased(ours, theirs, pooled_median2(ours, theirs, 0))
    assert found.blocks[0].shift.estimate == pytest.approx(expected)


def test_classes_are_matched_by_name_where_their_numbers_differ() -> None:
    target = classes_of(120, "bcd", 1, "b")
    target.features[target.labels == "c"] += 2
    found = record_of(target)
    assert [each.label for each in found.classes] == ["b", "c"]
    assert [each.p_holm <= 0.05 for each in found.classes] == [False, True]
    assert [(each.n_source, each.n_target) for each in found.classes] == [(40, 40)] * 2
    assert found.labels is not None
    assert found.labels.classes == ("b", "c")
    assert "1 of 2 shared classes moved: c." in found.remarks


def test_images_without_a_class_are_not_a_class() -> None:
    found = record_of(side_of(normal(30, 1), "b"), side_of(normal(40, 0), "a"))
    assert (found.classes, found.labels) == ((), None)


def test_the_mix_of_shared_classes_is_counted_and_told_by_the_probe() -> None:
    target = classes_of(100, "bbbbc", 1, "b")
    found = record_of(target).labels
    assert found is not None
    assert (found.source, found.target) == ((0.5, 0.5), (0.8, 0.2))
    assert found.total_variation == pytest.approx(0.3)
    assert found.black_box is not None
    assert [each.estimate for each in found.black_box] == pytest.approx([0.8, 0.2], abs=0.1)


def test_a_probe_that_tells_too_little_gives_no_shares() -> None:
    labels = ["ab"[row % 2] for row in range(80)]
    found = record_of(side_of(normal(40, 1), "b", labels[:40]), side_of(normal(80, 0), "a", labels)).labels
    assert found is not None
    assert found.black_box is None


def test_a_class_of_one_group_gives_no_shares_by_a_probe() -> None:
    groups = np.where(SOURCE.labels == "b", -1, np.arange(120))
    found = record_of(classes_of(60, "abc", 1, "b"), classes_of(120, "abc", 0, "a", groups=groups)).labels
    assert found is not None
    assert found.black_box is None
    assert found.total_variation == 0


def test_the_probe_learns_from_some_of_many_images(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(measurement, "PROBE_ROWS", 60)
    few = record_of(classes_of(60, "abc", 1, "b")).labels
    monkeypatch.undo()
    many = record_of(classes_of(60, "abc", 1, "b")).labels
    assert few is not None
    assert many is not None
    assert few.source == many.source  # the counts are of all images
    assert few.black_box != many.black_box


def test_a_source_without_a_yardstick_has_a_test_but_no_similarity_and_the_sentence_says_why() -> None:
    source = side_of(normal(60, 0), "a", groups=np.arange(60) % 3)
    details = source_details_of_side(source)._replace(yardstick=None)
    found = record_of(side_of(normal(60, 1), "b"), own(source, details))
    assert (found.similarity, found.yardstick) == ("unknown", None)
    assert found.test is not None
    assert found.sentence.startswith(
        "The yardstick needs 4 source images (or groups), so the target lies at an unknown"
    )


@pytest.mark.parametrize(("n", "warned"), [(25, True), (300, False)])
def test_few_images_are_warned_about_and_many_are_not(n: int, warned: bool) -> None:
    found = record_of(side_of(normal(n, 1), "b"), side_of(normal(n, 0), "a")).warnings
    assert bool(found) is warned
    if warned:
        assert f"with {n} independent source and {n} target images" in found[0]


def test_the_warning_counts_groups_and_not_copies() -> None:
    target = side_of(np.repeat(normal(30, 1), 10, axis=0), "b", groups=np.repeat(np.arange(30), 10))
    source = side_of(np.repeat(normal(50, 0), 3, axis=0), "a", groups=np.repeat(np.arange(50), 3))
    found = record_of(target, source).warnings
    assert "with 50 independent source and 30 target images" in found[0]


def test_the_same_seed_gives_the_same_record_and_map_and_another_seed_another() -> None:
    target = classes_of(60, "abc", 1, "b", 0.3)
    first, again, other = (measured(target, seed=seed) for seed in (0, 0, 1))
    assert to_json(first[0]) == to_json(again[0]) != to_json(other[0])
    assert first[1] == again[1]


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_features_that_are_not_finite_are_refused_with_their_position(value: float) -> None:
    target = side_of(normal(40, 1), "b")
    target.features[3, 1] = value
    with pytest.raises(ValueError, match=rf"^target, row 3: want finite features, got {value}\. Mend"):
        measured(target)


def test_features_of_another_backbone_are_refused() -> None:
    with pytest.raises(
        ValueError, match=r"want the same number of features in every row, got 6 and 5\. Extract both with the same"
    ):
        measured(side_of(normal(40, 1, 5), "b"))


def test_features_that_are_all_equal_are_refused() -> None:
    with pytest.raises(ValueError, match=r"want features that differ, got the same values in every row\. Look at"):
        measured(side_of(np.ones((40, D)), "b"), side_of(np.ones((40, D)), "a"))


@pytest.mark.parametrize("n", [0, 1, 5])
def test_a_target_of_one_group_is_refused_with_what_to_do(n: int) -> None:
    target = side_of(normal(n, 1), "b", groups=["patient"] * n)
    with pytest.raises(ValueError, match=rf"^target, train split: want images of at least 2 groups, got {min(n, 1)} "):
        measured(target)


def test_a_source_that_is_entirely_in_the_target_is_described_with_the_reason() -> None:
    record = record_of(SOURCE)
    assert (record.source.kind, record.similarity, record.test) == ("none", "unknown", None)
    assert "All source images that are not in the target too are of one group." in record.sentence
