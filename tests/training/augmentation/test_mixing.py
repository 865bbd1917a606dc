from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from graft.networks.input_transform import InputTransform
from graft.networks.preprocessing import SMALL_CNN
from graft.training.augmentation.mixing import Mixed, cutmix, mixup, soft_targets

Mix = Callable[[Tensor, Tensor, float, torch.Generator], Mixed]


def _flat(n: int, s: int = 16) -> Tensor:
    """Images of one level each, so that the share of each image in a mixture can be read off."""
    return (torch.arange(n) % 2 * 200).to(torch.uint8).view(n, 1, 1, 1).expand(n, 3, s, s)


def _noise(n: int = 8) -> Tensor:
    return torch.randint(0, 256, (n, 3, 16, 16), dtype=torch.uint8, generator=torch.Generator().manual_seed(1))


def _targets(n: int) -> Tensor:
    return soft_targets(torch.arange(n) % 2, 3)


def _mixed(mix: Mix, images: Tensor, alpha: float = 1.0, seed: int = 0) -> Mixed:
    return mix(images, _targets(len(images)), alpha, torch.Generator().manual_seed(seed))


def test_soft_targets_are_one_for_the_label() -> None:
    assert soft_targets(torch.tensor([2, 0]), 3).tolist() == [[0, 0, 1], [1, 0, 0]]


@pytest.mark.parametrize("mix", [mixup, cutmix])
@pytest.mark.parametrize("alpha", [0.1, 1.0, 8.0])
def test_targets_sum_to_one(mix: Mix, alpha: float) -> None:
    torch.testing.assert_close(_mixed(mix, _noise(), alpha).targets.sum(dim=1), torch.ones(8))


def test_mixup_blends_each_image_with_the_one_before_by_the_share_of_its_target() -> None:
    images = _noise()
    made, targets = _mixed(mixup, images)
    for index in range(8):
        share = float(targets[index, index % 2])
        want = share * images[index].double() + (1 - share) * images[index - 1].double()
        assert (made[index].double() - want).abs().max() <= 0.5 + 1e-3  # rounded to the nearest level


def test_mixing_before_normalising_is_mixing_after_it_up_to_rounding() -> None:
    transform = InputTransform(SMALL_CNN.mean, SMALL_CNN.std)
    before = transform(_mixed(mixup, _noise()).images)
    after = _mixed(mixup, transform(_noise())).images
    assert (before - after).abs().max() <= 0.5 / 255 / 0.25 + 1e-5


def test_cutmix_replaces_one_box_of_the_area_that_its_target_says() -> None:
    images = _flat(64)
    made, targets = _mixed(cutmix, images)
    replaced = made[:, 0] != images[:, 0]
    own = targets[torch.arange(64), torch.arange(64) % 2]
    torch.testing.assert_close(1 - replaced.float().mean(dim=(1, 2)), own)
    for each in replaced:
        places = torch.nonzero(each)
        if len(places):
            extent = places.max(dim=0).values - places.min(dim=0).values + 1
            assert extent.prod() == len(places)


def test_a_box_that_no_edge_cuts_has_the_area_that_was_drawn() -> None:
    targets = _mixed(cutmix, _flat(500, s=32), alpha=1000.0).targets  # all shares are near a half
    own = targets[torch.arange(500), torch.arange(500) % 2]
    assert own.min() == pytest.approx(0.5, abs=0.06)  # 23 of 32 pixels a side are 0.48


def test_boxes_lie_anywhere() -> None:
    images = _flat(500, s=32)
    replaced = (_mixed(cutmix, images, alpha=1000.0).images != images)[:, 0].float()
    places = torch.arange(32.0)
    down, across = ((replaced.sum(dim=other) @ places) / replaced.sum(dim=(1, 2)) for other in (2, 1))
    for centre in (down, across):
        assert centre.min() < 8  # a box cut to half of its side
        assert centre.max() > 23
        assert centre.mean() == pytest.approx(15.5, abs=1.1)  # four standard errors
    assert torch.corrcoef(torch.stack([down, across]))[0, 1].abs() < 0.18  # the same


def test_cutmix_changes_no_value() -> None:
    images = _noise()
    made = _mixed(cutmix, images).images
    assert ((made == images) | (made == images.roll(1, 0))).all()


@pytest.mark.parametrize("mix", [mixup, cutmix])
@pytest.mark.parametrize("dtype", [torch.uint8, torch.float32])
def test_the_type_of_the_images_is_kept(mix: Mix, dtype: torch.dtype) -> None:
    assert _mixed(mix, _noise().to(dtype)).images.dtype == dtype


@pytest.mark.parametrize("alpha", [0.2, 1.0, 5.0])
def test_shares_have_the_moments_of_a_beta_distribution(alpha: float) -> None:
    targets = _mixed(mixup, _flat(4000, s=1), alpha).targets
    own = targets[torch.arange(4000), torch.arange(4000) % 2]
    assert own.mean() == pytest.approx(0.5, abs=4 * 0.5 / 4000**0.5)
    assert own.var() == pytest.approx(1 / (4 * (2 * alpha + 1)), rel=0.1)


@pytest.mark.parametrize("mix", [mixup, cutmix])
def test_each_image_has_a_share_of_its_own(mix: Mix) -> None:
    targets = _mixed(mix, _flat(32, s=64)).targets
    own = targets[torch.arange(32), torch.arange(32) % 2]
    assert len(torch.unique(own)) > 25


@pytest.mark.parametrize("mix", [mixup, cutmix])
def test_draws_are_those_of_the_generator_alone(mix: Mix) -> None:
    before = torch.get_rng_state()
    one, two, other = _mixed(mix, _noise()), _mixed(mix, _noise()), _mixed(mix, _noise(), seed=1)
    assert torch.equal(torch.get_rng_state(), before)
    assert torch.equal(one.images, two.images)
    assert torch.equal(one.targets, two.targets)
    assert not torch.equal(one.targets, other.targets)


@pytest.mark.parametrize("mix", [mixup, cutmix])
def test_the_given_batch_is_not_changed(mix: Mix) -> None:
    images, targets = _noise().float(), _targets(8)
    mix(images, targets, 1.0, torch.Generator())
    assert torch.equal(images, _noise().float())
    assert torch.equal(targets, _targets(8))
