import colorsys
import math

import pytest
import torch
from torch import Tensor

from graft.training.augmentation.colour import Tint, erased, posterized, rounded, solarized, tinted

NEUTRAL = Tint(torch.ones(1), torch.ones(1), torch.ones(1), torch.zeros(1))


def _image(low: int = 0, high: int = 256) -> Tensor:
    return torch.randint(low, high, (3, 9, 9), dtype=torch.uint8, generator=torch.Generator().manual_seed(2))


def _tinted(image: Tensor, **changes: float) -> Tensor:
    return rounded(tinted(image[None], NEUTRAL._replace(**{k: torch.tensor([v]) for k, v in changes.items()})))[0]


def _levels_apart(one: Tensor, two: Tensor) -> int:
    return int((one.int() - two.int()).abs().max())


def test_a_neutral_tint_changes_nothing() -> None:
    assert torch.equal(_tinted(_image()), _image())


@pytest.mark.parametrize("factor", [0.0, 0.6, 1.0, 1.7])
@pytest.mark.parametrize("name", ["brightness", "contrast", "saturation"])
def test_each_change_is_that_of_torchvision(name: str, factor: float) -> None:
    functional = pytest.importorskip("torchvision.transforms.v2.functional")
    want = getattr(functional, f"adjust_{name}")(_image(), factor)
    # torchvision cuts fractions off, of the result and of each pixel's grey: at most one level each, the second by
    # |1 - factor|; ours rounds once
    assert _levels_apart(_tinted(_image(), **{name: factor}), want) <= 2


def test_hue_turns_i_and_q_of_every_pixel() -> None:
    image = _image(100, 156)  # so that nothing is cut off
    got = _tinted(image, hue=0.7)
    for row, column in ((0, 0), (3, 7), (8, 8)):
        y, i, q = colorsys.rgb_to_yiq(*(image[:, row, column].double() / 255).tolist())
        turned = math.cos(0.7) * i - math.sin(0.7) * q, math.sin(0.7) * i + math.cos(0.7) * q
        want = 255 * torch.tensor(colorsys.yiq_to_rgb(y, *turned))
        # colorsys has other third digits of the same axes: 1 % of 56 levels, and half a level of rounding
        assert (got[:, row, column] - want).abs().max() < 1.1


def test_a_full_turn_of_hue_changes_nothing() -> None:
    assert torch.equal(_tinted(_image(), hue=2 * math.pi), _image())


def test_hue_keeps_each_pixels_grey() -> None:
    luma = torch.tensor([0.299, 0.587, 0.114]).view(3, 1, 1)
    made = tinted(_image()[None], NEUTRAL._replace(hue=torch.tensor([2.0])))[0]
    torch.testing.assert_close((made * luma).sum(0), (_image() * luma).sum(0), rtol=0, atol=1e-3)


def test_brightness_contrast_saturation_and_hue_come_in_this_order() -> None:
    changes = {"brightness": 1.2, "contrast": 0.7, "saturation": 1.4, "hue": 0.4}
    together = tinted(_image(100, 140)[None], Tint(*(torch.tensor([each]) for each in changes.values())))
    one_by_one = _image(100, 140)[None].float()
    for name, value in changes.items():
        one_by_one = tinted(one_by_one, NEUTRAL._replace(**{name: torch.tensor([value])}))
    torch.testing.assert_close(together, one_by_one, rtol=0, atol=1e-3)


def test_each_image_has_its_own_tint() -> None:
    batch = torch.stack([_image(), _image()])
    made = rounded(tinted(batch, Tint(torch.tensor([1.0, 0.5]), torch.ones(2), torch.ones(2), torch.zeros(2))))
    assert torch.equal(made[0], _image())
    assert torch.equal(made[1], _tinted(_image(), brightness=0.5))


def test_rounding_goes_to_the_nearest_level_and_stays_within_the_range() -> None:
    assert rounded(torch.tensor([-3.0, 0.4, 0.6, 254.6, 300.0])).tolist() == [0, 0, 1, 255, 255]


@pytest.mark.parametrize("bits", [1, 4, 8])
def test_posterize_is_that_of_torchvision(bits: int) -> None:
    functional = pytest.importorskip("torchvision.transforms.v2.functional")
    assert torch.equal(posterized(_image()[None], torch.tensor([bits]))[0], functional.posterize(_image(), bits))


@pytest.mark.parametrize("limit", [0, 127, 255])
def test_solarize_is_that_of_torchvision(limit: int) -> None:
    functional = pytest.importorskip("torchvision.transforms.v2.functional")
    got = solarized(_image()[None], torch.tensor([limit], dtype=torch.uint8))[0]
    assert torch.equal(got, functional.solarize(_image(), limit + 1) if limit < 255 else _image())


def test_an_erased_box_has_one_colour_and_the_given_share_of_the_area() -> None:
    images = torch.full((400, 3, 64, 64), 7, dtype=torch.uint8)
    made = erased(images, 1.0, torch.Generator().manual_seed(0))
    covered = (made != 7).any(dim=1)
    area = covered.float().mean(dim=(1, 2))
    assert area.min() > 0.01
    assert area.max() < 0.35
    assert area.mean() == pytest.approx(0.175, abs=0.02)  # of 0.02 to 0.33, se 0.005
    for image, inside in zip(made, covered, strict=True):
        assert len(torch.unique(image[:, inside], dim=1).T) == 1


def _erased_edges(n: int, s: int) -> Tensor:
    """(4, n) top, bottom, left and right of the boxes of n grey images."""
    grey = torch.full((n, 3, s, s), 7, dtype=torch.uint8)
    covered = (erased(grey, 1.0, torch.Generator().manual_seed(0)) != grey).any(dim=1)
    spans = [covered.any(dim=other).int() for other in (2, 1)]
    return torch.stack([each for span in spans for each in (span.argmax(1), s - span.flip(1).argmax(1))])


def test_erased_boxes_have_the_given_shapes() -> None:
    top, bottom, left, right = _erased_edges(1000, 128).float()
    shapes = ((bottom - top) / (right - left)).log()
    assert shapes.max() == pytest.approx(math.log(3.3), abs=0.1)  # sides of 10 px and more, rounded
    assert shapes.min() == pytest.approx(-math.log(3.3), abs=0.1)
    assert shapes.mean() == pytest.approx(0.0, abs=4 * math.log(3.3) / math.sqrt(3 * 1000))


def test_erased_boxes_lie_everywhere_up_to_each_edge() -> None:
    top, bottom, left, right = _erased_edges(1000, 16)
    for start, end in ((top, bottom), (left, right)):
        assert (start.min(), end.max()) == (0, 16)
        assert (start + end).float().mean() == pytest.approx(16, abs=1.0)
    small = (bottom - top < 8) & (right - left < 8)
    assert torch.corrcoef(torch.stack([top, left])[:, small].float())[0, 1].abs() < 4 / math.sqrt(int(small.sum()))


def test_each_erased_box_has_a_colour_of_its_own() -> None:
    made = erased(torch.full((300, 3, 16, 16), 7, dtype=torch.uint8), 1.0, torch.Generator().manual_seed(0))
    colours = torch.stack([image[:, (image != 7).any(dim=0)][:, 0] for image in made]).float()
    assert len(torch.unique(colours, dim=0)) > 290
    assert colours.amin() < 5
    assert colours.amax() > 250
    assert torch.corrcoef(colours.T).triu(1).abs().max() < 4 / math.sqrt(300)  # red tells nothing of green and blue


def test_as_many_images_are_erased_as_the_probability_says() -> None:
    images = torch.full((1000, 3, 16, 16), 7, dtype=torch.uint8)
    made = erased(images, 0.25, torch.Generator().manual_seed(0))
    assert 195 <= (made != 7).flatten(1).any(dim=1).sum() <= 305  # four deviations of a binomial


def test_nothing_is_erased_at_probability_zero() -> None:
    assert torch.equal(erased(_image()[None], 0.0, torch.Generator()), _image()[None])
