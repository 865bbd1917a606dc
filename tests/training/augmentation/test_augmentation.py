import math

import numpy as np
import pytest
import torch
from tests.training.recipes import SHIPPED, recipe
from torch import Tensor

from graft.networks.networks import build_network
from graft.networks.outputs import outputs_of
from graft.networks.preprocessing import SMALL_CNN
from graft.params.recipes import Recipe
from graft.training.augmentation.augmentation import augmented, contact_sheet


def _images(n: int = 16, s: int = 32) -> Tensor:
    return torch.randint(0, 256, (n, 3, s, s), dtype=torch.uint8, generator=torch.Generator().manual_seed(1))


def _augmented(images: Tensor, chosen: Recipe, seed: int = 5) -> Tensor:
    return augmented(images, chosen, torch.Generator().manual_seed(seed))


def _before_recipes(images: Tensor, shift_px: int, flip: bool, generator: torch.Generator) -> Tensor:
    """The first version of this project, by which the example's committed results were made, image by image."""
    n, _, s, _ = images.shape
    offsets = torch.randint(0, 2 * shift_px + 1, (2, n), generator=generator)
    mirrored = torch.rand(n, generator=generator) < 0.5
    made = []
    for index, image in enumerate(images):
        padded = torch.nn.functional.pad(image[None].float(), (shift_px,) * 4, mode="reflect")[0].to(images.dtype)
        down, right = offsets[0, index], offsets[1, index]
        if flip and mirrored[index]:
            made.append(padded[:, down : down + s, right : right + s].flip(2))
        else:
            made.append(padded[:, down : down + s, right : right + s])
    return torch.stack(made)


@pytest.mark.parametrize("flip", [False, True])
def test_shift_and_flip_are_those_of_the_first_version_to_the_last_bit(flip: bool) -> None:
    chosen = SHIPPED["digits"].model_copy(update={"flip": 0.5 if flip else 0.0})
    one, two = (torch.Generator().manual_seed(5) for _ in range(2))
    for _ in range(3):
        got, want = augmented(_images(), chosen, one), _before_recipes(_images(), 2, flip, two)
        assert torch.equal(got, want)
    assert torch.equal(one.get_state(), two.get_state())  # the order of the next epoch comes from the same generator


def test_the_memory_format_is_kept_where_pixels_are_only_moved() -> None:
    stored = _images().contiguous(memory_format=torch.channels_last)
    assert _augmented(stored, SHIPPED["digits"]).is_contiguous(memory_format=torch.channels_last)


@pytest.mark.parametrize("name", SHIPPED)
def test_a_seed_gives_the_same_images_and_changes_no_other_draws(name: str) -> None:
    before = torch.get_rng_state()
    one = _augmented(_images(), SHIPPED[name])
    torch.rand(1)
    assert torch.equal(one, _augmented(_images(), SHIPPED[name]))
    torch.set_rng_state(before)
    _augmented(_images(), SHIPPED[name])
    assert torch.equal(torch.get_rng_state(), before)


@pytest.mark.parametrize("name", sorted(set(SHIPPED) - {"none"}))
def test_another_seed_gives_another_result(name: str) -> None:
    assert not torch.equal(_augmented(_images(), SHIPPED[name], 5), _augmented(_images(), SHIPPED[name], 6))


ONE_EACH = {
    "crop": 0.5,
    "stretch": 1.5,
    "shift": 0.4,
    "rotation": 30,
    "brightness": 0.5,
    "contrast": 0.5,
    "saturation": 0.5,
    "hue": 0.2,
    "erase": 1.0,
}


@pytest.mark.parametrize(("name", "value"), ONE_EACH.items())
def test_each_image_gets_its_own_draw(name: str, value: float) -> None:
    copies = _images(n=1).repeat(16, 1, 1, 1)
    made = _augmented(copies, recipe(**{name: value}))
    assert len(torch.unique(made.flatten(1), dim=0)) == 16


@pytest.mark.parametrize(("name", "value"), ONE_EACH.items())
def test_a_changed_key_changes_images_and_its_zero_does_not(name: str, value: float) -> None:
    assert not torch.equal(_augmented(_images(), recipe(**{name: value})), _images())
    assert torch.equal(_augmented(_images(), recipe()), _images())


def test_images_are_uint8_of_the_same_shape_whatever_the_recipe() -> None:
    for chosen in SHIPPED.values():
        made = _augmented(_images(), chosen)
        assert (made.dtype, made.shape) == (torch.uint8, (16, 3, 32, 32))


def test_resampling_at_no_strength_changes_nothing() -> None:
    assert torch.equal(_augmented(_images(), recipe(ops=2, magnitude=1e-9)), _images())


@pytest.mark.parametrize("probability", [0.0, 0.3, 1.0])
def test_as_many_images_are_mirrored_as_the_probability_says(probability: float) -> None:
    made = _augmented(_images(n=500, s=8), recipe(flip=probability))
    mirrored = (made == _images(n=500, s=8).flip(3)).flatten(1).all(dim=1)
    kept = (made == _images(n=500, s=8)).flatten(1).all(dim=1)
    assert (mirrored ^ kept).all()
    deviation = math.sqrt(500 * probability * (1 - probability))
    assert abs(int(mirrored.sum()) - 500 * probability) <= 4 * deviation


def test_as_many_images_turn_grey_as_the_probability_says() -> None:
    made = _augmented(_images(n=500, s=8), recipe(grey=0.3)).int()
    grey = ((made - made[:, :1]).abs() <= 1).flatten(1).all(dim=1)
    assert abs(int(grey.sum()) - 150) <= 4 * math.sqrt(500 * 0.3 * 0.7)


def _ramp(s: int = 64) -> Tensor:
    """A batch whose red tells the column and whose green tells the row of each pixel, as a share of the side."""
    places = torch.arange(s, dtype=torch.uint8).expand(500, 1, s, s) * 4
    return torch.cat([places, places.transpose(2, 3), places], dim=1)


def test_shifts_reach_the_given_share_of_the_side_to_the_nearest_pixel() -> None:
    made = _augmented(_ramp(), recipe(shift=0.04))  # 2.56 pixels
    reached = (made[:, :2, 32, 32].int() // 4 - 32).T
    assert [sorted(set(each.tolist())) for each in reached] == [[*range(-3, 4)]] * 2


def test_shift_and_flip_are_the_same_where_images_are_resampled() -> None:
    moves = {"shift": 0.3, "flip": 0.5}
    assert torch.equal(_augmented(_images(), recipe(**moves, rotation=1e-6)), _augmented(_images(), recipe(**moves)))


def test_crops_keep_the_given_areas_and_shapes_and_stay_inside() -> None:
    made = _augmented(_ramp(), recipe(crop=0.5, stretch=1.33)).float() / 4
    width = (made[:, 0, 32, 62] - made[:, 0, 32, 1]) / 61
    height = (made[:, 1, 62, 32] - made[:, 1, 1, 32]) / 61
    assert (width * height).min() > 0.5 / 1.33  # a side that would leave the image is cut to it
    assert (width * height).max() <= 1.01
    assert (width * height).mean() == pytest.approx(0.73, abs=0.03)  # of 0.5 to 1, some of it cut
    assert (width / height).log().abs().max() < math.log(1.33) + 0.02
    assert (width / height).log().mean().abs() < 0.03
    assert (made[:, 0].diff(dim=2) >= -0.3).all()  # no reflected edge: values rise, up to a level of rounding


def test_crops_lie_everywhere() -> None:
    made = _augmented(_ramp(), recipe(crop=0.05)).float() / 4
    centres = made[:, :2, 31:33, 31:33].mean(dim=(2, 3))
    assert centres.mean() == pytest.approx(31.5, abs=1.5)
    assert centres.min() < 15
    assert centres.max() > 48
    assert torch.corrcoef(centres.T)[0, 1].abs() < 4 / math.sqrt(500)


def test_rotations_reach_the_given_angle_both_ways() -> None:
    made = _augmented(_ramp(), recipe(rotation=20)).float() / 4
    slope = made[:, 0, 40, 24:40] - made[:, 0, 24, 24:40]  # columns wander as one goes down
    angles = torch.rad2deg(torch.asin((slope.mean(dim=1) / 16).clamp(-1, 1)))
    assert angles.abs().max() < 21
    assert angles.max() > 18
    assert angles.min() < -18
    assert angles.mean().abs() < 2.1  # four standard errors of a uniform draw


@pytest.mark.parametrize(("name", "low", "high"), [("brightness", 0.6, 1.4), ("contrast", 0.6, 1.4)])
def test_factors_span_the_given_range(name: str, low: float, high: float) -> None:
    images = torch.full((500, 3, 4, 4), 100, dtype=torch.uint8)
    images[:, :, :2] = 60
    made = _augmented(images, recipe(**{name: 0.4})).float()
    factors = (made[:, 0, 3, 3] - made[:, 0, 0, 0]) / 40
    assert factors.min() == pytest.approx(low, abs=0.03)
    assert factors.max() == pytest.approx(high, abs=0.03)
    assert factors.mean() == pytest.approx(1.0, abs=0.045)


def test_saturation_spans_the_given_range() -> None:
    images = torch.tensor([140, 100, 100], dtype=torch.uint8).view(1, 3, 1, 1).repeat(500, 1, 2, 2)
    made = _augmented(images, recipe(saturation=0.4)).float()[..., 0, 0]
    factors = (made[:, 0] - made[:, 1]) / 40
    assert factors.min() == pytest.approx(0.6, abs=0.03)
    assert factors.max() == pytest.approx(1.4, abs=0.03)
    assert factors.mean() == pytest.approx(1.0, abs=0.045)


def test_hue_turns_both_ways_by_the_given_share_of_a_full_turn() -> None:
    colour = torch.tensor([170, 100, 100], dtype=torch.uint8)
    made = _augmented(colour.view(1, 3, 1, 1).repeat(500, 1, 2, 2), recipe(hue=0.2))[..., 0, 0]
    i_and_q = torch.tensor([0.596 + 0.211j, -0.274 - 0.523j, -0.322 + 0.312j])
    turns = (made.to(torch.cfloat) @ i_and_q / (colour.to(torch.cfloat) @ i_and_q)).angle() / (2 * math.pi)
    assert turns.min() == pytest.approx(-0.2, abs=0.01)
    assert turns.max() == pytest.approx(0.2, abs=0.01)
    assert turns.mean() == pytest.approx(0.0, abs=4 * 0.2 / math.sqrt(3 * 500))


def test_operations_are_drawn_for_each_image_and_one_in_eleven_is_none() -> None:
    made = _augmented(_images(n=1).repeat(550, 1, 1, 1), recipe(ops=1, magnitude=0.5))
    _, counts = torch.unique(made.flatten(1), dim=0, return_counts=True)
    assert len(counts) == 19  # eight operations either way, two that have one way, and none
    untouched = (made == _images(n=1)).flatten(1).all(dim=1).sum()
    assert 24 <= untouched <= 76  # 50, four deviations of a binomial


def test_operations_are_as_strong_as_those_of_torchvision() -> None:
    functional = pytest.importorskip("torchvision.transforms.v2.functional")
    image = _images(n=1)[0]
    made = _augmented(image.repeat(500, 1, 1, 1), recipe(ops=1, magnitude=0.5)).int()
    wanted = [functional.posterize(image, 6), functional.solarize(image, 129)]
    for name in ("brightness", "contrast", "saturation"):
        wanted += [getattr(functional, f"adjust_{name}")(image, factor) for factor in (0.55, 1.45)]
    for want in wanted:  # torchvision cuts fractions off, twice
        assert (made - want.int()).abs().flatten(1).amax(dim=1).min() <= 2


@pytest.mark.parametrize("sign", [-1, 1])
def test_operations_move_pixels_as_far_as_their_magnitude_says(sign: int) -> None:
    """At half the magnitude: 15 degrees, a shear of 0.15, 22.5 % of the side."""
    made = _augmented(_ramp(), recipe(ops=1, magnitude=0.5)).float()[:, :2, 24:40, 24:40] / 4 - 31.5
    x, y = (torch.arange(24, 40) - 31.5).expand(16, 16), (torch.arange(24, 40) - 31.5).expand(16, 16).T
    turn, shear, shift = sign * math.radians(15), sign * 0.15, sign * 0.225 * 64
    wanted = {
        "rotation": (x * math.cos(turn) - y * math.sin(turn), x * math.sin(turn) + y * math.cos(turn)),
        "shear_x": (x + shear * y, y),
        "shear_y": (x, y + shear * x),
        "shift_x": (x + shift, y),
        "shift_y": (x, y + shift),
    }
    apart = {name: (made - torch.stack(place)).abs().flatten(1).amax(1).min() for name, place in wanted.items()}
    assert max(apart.values()) < 0.13, apart  # a level is a quarter of a pixel, rounded to its half


def _pushed_twice() -> Tensor:
    """Copies of the first image, each pushed in two ways as far as can be, or in one way twice as far."""
    return _augmented(_images(n=1, s=8).expand(5000, -1, -1, -1), recipe(ops=2, magnitude=1.0))


def test_posterize_leaves_one_bit_however_often_it_is_drawn() -> None:
    as_one_bit = (_pushed_twice() == _images(n=1, s=8) & 128).flatten(1).all(dim=1)
    assert as_one_bit.sum() > 10  # one in 121 is drawn so


def test_an_image_without_contrast_is_not_inverted() -> None:
    values = _pushed_twice().flatten(1)
    flat, black = values.amax(dim=1) - values.amin(dim=1) <= 1, values.amax(dim=1) <= 1
    assert (flat & ~black).sum() > 3  # one in 484 is drawn so


def test_more_operations_give_more_kinds() -> None:
    copies = _images(n=1).repeat(500, 1, 1, 1)
    kinds = [len(torch.unique(_augmented(copies, recipe(ops=n, magnitude=0.5)).flatten(1), dim=0)) for n in (1, 2, 3)]
    assert kinds == sorted(set(kinds))


def test_the_strongest_recipe_stays_within_what_its_parts_allow() -> None:
    made = _augmented(_images(n=200), recipe(ops=4, magnitude=1.0, erase=1.0, hue=0.5, rotation=180, crop=0.05))
    assert made.dtype == torch.uint8
    assert made.float().std() > 20


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
@pytest.mark.parametrize("name", SHIPPED)
def test_a_device_uses_the_draws_of_the_cpu(name: str) -> None:
    here, there = _augmented(_images(), SHIPPED[name]), _augmented(_images().cuda(), SHIPPED[name])
    assert there.is_cuda
    apart = (here.int() - there.cpu().int()).abs()
    assert (apart > 1).float().mean() < 0.001  # a level beside a limit of solarize may fall on its other side


def test_a_contact_sheet_begins_with_each_image_as_it_is() -> None:
    images = _images(n=3).permute(0, 2, 3, 1).numpy()
    sheet = contact_sheet(images, SHIPPED["photographs"], 4, seed=0)
    assert sheet.shape == (3, 5, 32, 32, 3)
    assert sheet.dtype == np.uint8
    assert np.array_equal(sheet[:, 0], images)
    assert len(np.unique(sheet.reshape(15, -1), axis=0)) == 15
    assert np.array_equal(sheet, contact_sheet(images, SHIPPED["photographs"], 4, seed=0))


def test_evaluation_sees_images_as_they_are(monkeypatch: pytest.MonkeyPatch) -> None:
    """The tutorial trap of validating with the training transform: scoring has no recipe and draws nothing."""
    network = build_network("small_cnn", 2, SMALL_CNN).eval()
    images = _images(n=8)

    def refuse(*_: object) -> None:
        raise AssertionError("evaluation augmented an image")

    monkeypatch.setattr("graft.training.augmentation.augmentation.moved", refuse)
    monkeypatch.setattr("graft.training.augmentation.augmentation.resampled", refuse)
    before = torch.get_rng_state()
    outputs = outputs_of(network, images.permute(0, 2, 3, 1).numpy())
    assert torch.equal(torch.get_rng_state(), before)
    with torch.no_grad():
        values = (images.float() / 255 - 0.5) / 0.25
        logits = network.head(torch.nn.Sequential(*network.blocks.values())(values))
    np.testing.assert_allclose(outputs.logits, logits.numpy(), rtol=0, atol=1e-5)
