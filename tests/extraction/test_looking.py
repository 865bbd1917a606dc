from pathlib import Path

import numpy as np
import pytest
from tests.shift.samples import grey_images, network, normal, side_of, source_view_of_side, target_view_of_side

from graft.extraction.looking import view_source, view_target
from graft.store.features import (
    BlockMoments,
    Images,
    SourceView,
    TargetView,
    read_arrays,
    read_source_view,
    read_target_view,
    save_source_view,
    save_target_view,
)

ROWS = np.arange(20)


def source_view(n_sample: int = 12, seed: int = 0) -> SourceView:
    return view_source(grey_images(20), ROWS, ROWS.astype(np.str_), network(), n_sample, seed)


def test_a_sample_is_bounded_drawn_with_the_seed_and_in_the_order_of_the_store() -> None:
    first, again, other = source_view(), source_view(), source_view(seed=1)
    assert len(first.rows) == 12
    assert np.all(np.diff(first.rows) > 0)
    assert first.rows.tolist() == again.rows.tolist() != other.rows.tolist()
    assert view_target(grey_images(20), ROWS, network(), 99, 0, False).rows.tolist() == ROWS.tolist()


def test_blocks_are_of_the_images_of_the_sample() -> None:
    images, view = grey_images(20), source_view()
    assert [each.block for each in view.blocks] == ["block1", "block2"]
    for each, theirs in zip(view.blocks, network().block_means(images[view.rows]), strict=True):
        np.testing.assert_array_equal(each.means, theirs.means)


def test_the_yardstick_is_made_of_the_sample_and_tears_no_group() -> None:
    images = np.zeros((20, 8, 8, 3), dtype=np.uint8)
    images[:] = 10 * (ROWS // 2)[:, None, None, None]  # a colour for each group of two
    view = view_source(images, ROWS, (ROWS // 2).astype(np.str_), network(), 20, 0)
    assert view.yardstick is not None
    kept, clean = ({float(each[0]) for each in rows} for rows in (view.yardstick.kept, view.yardstick.clean))
    assert not kept & clean
    assert (len(kept), len(clean)) == (5, 5)


def test_only_the_images_that_may_be_looked_at_are() -> None:
    seen: list[Images] = []
    spy = network()._replace(block_means=lambda images: seen.append(images) or ())  # type: ignore[func-returns-value]
    images, rows = grey_images(20), np.array([3, 5, 8])
    views = view_target(images, rows, spy, 9, 0, False), view_source(images, rows, rows.astype(np.str_), spy, 9, 0)
    assert [view.rows.tolist() for view in views] == [[3, 5, 8]] * 2
    for each in seen:
        np.testing.assert_array_equal(each, images[rows])


@pytest.mark.parametrize(("n_groups", "made"), [(3, False), (4, True)])
def test_too_few_groups_have_no_yardstick(n_groups: int, made: bool) -> None:
    view = view_source(grey_images(20), ROWS, (ROWS % n_groups).astype(np.str_), network(), 20, 0)
    assert (view.yardstick is not None) == made
    assert len(view.blocks) == 2


def test_without_source_images_there_is_an_empty_view() -> None:
    nothing = np.zeros(0, dtype=np.int64)
    view = view_source(grey_images(0), nothing, nothing.astype(np.str_), network(), 20, 0)
    assert (len(view.rows), view.yardstick) == (0, None)


def test_moments_are_taken_where_they_are_needed_and_not_else() -> None:
    needed, not_needed = (view_target(grey_images(20), ROWS, network(), 9, 0, each) for each in (True, False))
    assert [each.means.shape for each in needed.moments] == [(9, 3)]
    assert (not_needed.moments, not_needed.refusal, needed.refusal) == ((), "", "")


def test_a_network_without_batchnorm_leaves_its_reason() -> None:
    view = view_target(grey_images(20), ROWS, network(batchnorm=False), 9, 0, True)
    assert view.moments == ()
    assert view.refusal.startswith("bn_stats: want a network with BatchNorm layers")
    assert len(view.blocks) == 2


@pytest.mark.parametrize("yardstick", [True, False])
def test_a_source_view_comes_back_as_it_was_written(tmp_path: Path, yardstick: bool) -> None:
    view = source_view_of_side(side_of(normal(8, 0), "a"))
    view = view if yardstick else view._replace(yardstick=None)
    save_source_view(view, tmp_path / "deep" / "view.npz")
    back = read_source_view(tmp_path / "deep" / "view.npz")
    np.testing.assert_equal(back._asdict(), view._asdict())


@pytest.mark.parametrize(("moments", "refusal"), [(True, ""), (False, ""), (False, "bn_stats: want BatchNorm.")])
def test_a_target_view_comes_back_as_it_was_written(tmp_path: Path, moments: bool, refusal: str) -> None:
    view = target_view_of_side(side_of(normal(8, 0), "a"), moments=moments, refusal=refusal)
    save_target_view(view, tmp_path / "view.npz")
    np.testing.assert_equal(read_target_view(tmp_path / "view.npz")._asdict(), view._asdict())


def test_blocks_and_moments_keep_their_order(tmp_path: Path) -> None:
    names = ("stem", "layer10", "layer9")
    moments = tuple(BlockMoments(name, *(np.ones((2, 1)),) * 2, np.ones(1)) for name in names)
    save_target_view(TargetView(np.arange(2), (), moments, ""), tmp_path / "view.npz")
    assert tuple(each.block for each in read_target_view(tmp_path / "view.npz").moments) == names


def test_the_same_view_is_the_same_bytes(tmp_path: Path) -> None:
    for name in ("a.npz", "b.npz"):
        save_source_view(source_view(), tmp_path / name)
    assert (tmp_path / "a.npz").read_bytes() == (tmp_path / "b.npz").read_bytes()


def test_an_absent_view_is_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"none\.npz: want arrays, got no file\. Run `dvc repro extract"):
        read_arrays(tmp_path / "none.npz")
