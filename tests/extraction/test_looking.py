from pathlib import Path

import numpy as np
import pytest
from tests.shift.samples import grey_images, network, normal, side_of, source_details_of_side, target_details_of_side

from graft.extraction.looking import look_at_source, look_at_target
from graft.store.features import (
    BlockMoments,
    Images,
    SourceDetails,
    TargetDetails,
    read_source_details,
    read_target_details,
    save_source_details,
    save_target_details,
)

ROWS = np.arange(20)


def source_details(n_sample: int = 12, seed: int = 0) -> SourceDetails:
    return look_at_source(grey_images(20), ROWS, ROWS.astype(np.str_), network(), n_sample, seed)


def test_a_sample_is_bounded_drawn_with_the_seed_and_in_the_order_of_the_store() -> None:
    first, again, other = source_details(), source_details(), source_details(seed=1)
    assert len(first.rows) == 12
    assert np.all(np.diff(first.rows) > 0)
    assert first.rows.tolist() == again.rows.tolist() != other.rows.tolist()
    assert look_at_target(grey_images(20), ROWS, network(), 99, 0, False).rows.tolist() == ROWS.tolist()


def test_blocks_are_of_the_images_of_the_sample() -> None:
    images, details = grey_images(20), source_details()
    assert [each.block for each in details.blocks] == ["block1", "block2"]
    for each, theirs in zip(details.blocks, network().block_means(images[details.rows]), strict=True):
        np.testing.assert_array_equal(each.means, theirs.means)


def test_the_yardstick_is_of_the_sample_and_splits_no_group() -> None:
    images = np.zeros((20, 8, 8, 3), dtype=np.uint8)
    images[:] = 10 * (ROWS // 2)[:, None, None, None]  # a colour for each group of two
    details = look_at_source(images, ROWS, (ROWS // 2).astype(np.str_), network(), 20, 0)
    assert details.yardstick is not None
    kept, clean = ({float(each[0]) for each in rows} for rows in (details.yardstick.kept, details.yardstick.clean))
    assert not kept & clean
    assert (len(kept), len(clean)) == (5, 5)


def test_only_the_images_that_may_be_looked_at_are() -> None:
    seen: list[Images] = []
    spy = network()._replace(block_means=lambda images: seen.append(images) or ())  # type: ignore[func-returns-value]
    images, rows = grey_images(20), np.array([3, 5, 8])
    details = (
        look_at_target(images, rows, spy, 9, 0, False),
        look_at_source(images, rows, rows.astype(np.str_), spy, 9, 0),
    )
    assert [details.rows.tolist() for details in details] == [[3, 5, 8]] * 2
    for each in seen:
        np.testing.assert_array_equal(each, images[rows])


@pytest.mark.parametrize(("n_groups", "made"), [(3, False), (4, True)])
def test_too_few_groups_have_no_yardstick(n_groups: int, made: bool) -> None:
    details = look_at_source(grey_images(20), ROWS, (ROWS % n_groups).astype(np.str_), network(), 20, 0)
    assert (details.yardstick is not None) == made
    assert len(details.blocks) == 2


def test_without_source_images_the_details_are_empty() -> None:
    nothing = np.zeros(0, dtype=np.int64)
    details = look_at_source(grey_images(0), nothing, nothing.astype(np.str_), network(), 20, 0)
    assert (len(details.rows), details.yardstick) == (0, None)


def test_moments_are_computed_only_where_they_are_needed() -> None:
    needed, not_needed = (look_at_target(grey_images(20), ROWS, network(), 9, 0, each) for each in (True, False))
    assert [each.means.shape for each in needed.moments] == [(9, 3)]
    assert (not_needed.moments, not_needed.refusal, needed.refusal) == ((), "", "")


def test_a_network_without_batchnorm_gives_the_reason() -> None:
    details = look_at_target(grey_images(20), ROWS, network(batchnorm=False), 9, 0, True)
    assert details.moments == ()
    assert details.refusal.startswith("bn_stats: want a network with BatchNorm layers")
    assert len(details.blocks) == 2


@pytest.mark.parametrize("yardstick", [True, False])
def test_source_details_come_back_as_they_were_written(tmp_path: Path, yardstick: bool) -> None:
    details = source_details_of_side(side_of(normal(8, 0), "a"))
    details = details if yardstick else details._replace(yardstick=None)
    save_source_details(details, tmp_path / "deep" / "details.npz")
    back = read_source_details(tmp_path / "deep" / "details.npz")
    np.testing.assert_equal(back._asdict(), details._asdict())


@pytest.mark.parametrize(("moments", "refusal"), [(True, ""), (False, ""), (False, "bn_stats: want BatchNorm.")])
def test_target_details_come_back_as_they_were_written(tmp_path: Path, moments: bool, refusal: str) -> None:
    details = target_details_of_side(side_of(normal(8, 0), "a"), moments=moments, refusal=refusal)
    save_target_details(details, tmp_path / "details.npz")
    np.testing.assert_equal(read_target_details(tmp_path / "details.npz")._asdict(), details._asdict())


def test_blocks_and_moments_keep_their_order(tmp_path: Path) -> None:
    names = ("stem", "layer10", "layer9")
    moments = tuple(BlockMoments(name, *(np.ones((2, 1)),) * 2, np.ones(1)) for name in names)
    save_target_details(TargetDetails(np.arange(2), (), moments, ""), tmp_path / "details.npz")
    assert tuple(each.block for each in read_target_details(tmp_path / "details.npz").moments) == names


def test_the_same_details_are_the_same_bytes(tmp_path: Path) -> None:
    for name in ("a.npz", "b.npz"):
        save_source_details(source_details(), tmp_path / name)
    assert (tmp_path / "a.npz").read_bytes() == (tmp_path / "b.npz").read_bytes()


def test_absent_details_are_refused_with_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(
        FileNotFoundError, match=r"none\.npz: want details of the source, got no file\. Run `dvc repro extract"
    ):
        read_source_details(tmp_path / "none.npz")
