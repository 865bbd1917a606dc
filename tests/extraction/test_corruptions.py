import io

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from graft.extraction.corruptions import (
    BLUR_PX,
    CONTRAST,
    CORRUPTIONS,
    JPEG_QUALITY,
    NOISE,
    PIXELATE,
    corrupted,
    pure_noise,
)
from graft.store.features import SEVERITIES

Images = NDArray[np.uint8]


def _images(n: int = 2, side: int = 64) -> Images:
    """Smooth shapes under fine grain."""
    rng = np.random.default_rng(0)
    few = rng.integers(40, 200, (n, 9, 9, 3), dtype=np.uint8)
    shapes = np.stack([np.asarray(Image.fromarray(each).resize((side, side))) for each in few])
    return (shapes + rng.integers(-20, 20, shapes.shape)).astype(np.uint8)


def _change(images: Images, name: str, severity: int) -> float:
    return float(np.mean((corrupted(images, name, severity, 0).astype(float) - images) ** 2))


@pytest.mark.parametrize("name", CORRUPTIONS)
def test_images_change_more_at_every_severity(name: str) -> None:
    changes = [_change(_images(), name, severity) for severity in SEVERITIES]
    assert changes[0] > 0
    assert np.all(np.diff(changes) > 0)


@pytest.mark.parametrize("name", CORRUPTIONS)
def test_shape_and_type_are_kept_and_the_originals_not_changed(name: str) -> None:
    images = _images()
    after = corrupted(images, name, 3, 0)
    assert after.shape == images.shape
    assert after.dtype == np.uint8
    np.testing.assert_array_equal(images, _images())


@pytest.mark.parametrize("name", CORRUPTIONS)
def test_the_same_seed_gives_the_same_images(name: str) -> None:
    first, second, other = (corrupted(_images(), name, 2, seed) for seed in (0, 0, 1))
    np.testing.assert_array_equal(first, second)
    assert np.array_equal(first, other) == (name != "noise")


@pytest.mark.parametrize("side", [224, 448])
@pytest.mark.parametrize("severity", [1, 3, 5])
def test_blur_spreads_a_point_by_its_deviation_scaled_to_the_side(side: int, severity: int) -> None:
    middle = side // 2
    images = np.zeros((1, side, side, 3), dtype=np.uint8)
    images[:, middle - 8 : middle + 8, middle - 8 : middle + 8] = 255
    after = corrupted(images, "blur", severity, 0)[0, :, :, 0].astype(float)
    columns = np.arange(side) - middle + 0.5
    variance = after.sum(axis=0) @ columns**2 / after.sum() - (16**2 - 1) / 12
    assert np.sqrt(variance) == pytest.approx(BLUR_PX[severity - 1] * side / 224, rel=0.06)


@pytest.mark.parametrize("severity", [1, 2])
def test_noise_has_its_deviation(severity: int) -> None:
    grey = np.full((4, 40, 40, 3), 128, dtype=np.uint8)
    after = corrupted(grey, "noise", severity, 0)
    assert after.std() == pytest.approx(255 * NOISE[severity - 1], rel=0.03)
    assert not np.array_equal(after[0], after[1])


@pytest.mark.parametrize("severity", SEVERITIES)
def test_contrast_shrinks_about_the_mean_of_each_image(severity: int) -> None:
    images = _images()
    after = corrupted(images, "contrast", severity, 0)
    np.testing.assert_allclose(after.mean(axis=(1, 2)), images.mean(axis=(1, 2)), atol=0.3)
    np.testing.assert_allclose(after.std(axis=(1, 2)), images.std(axis=(1, 2)) * CONTRAST[severity - 1], rtol=0.06)


def test_jpeg_is_pillows_at_its_quality() -> None:
    images, buffer = _images(1), io.BytesIO()
    Image.fromarray(images[0]).save(buffer, format="JPEG", quality=JPEG_QUALITY[3])
    np.testing.assert_array_equal(corrupted(images, "JPEG", 4, 0)[0], np.asarray(Image.open(buffer)))


@pytest.mark.parametrize("severity", SEVERITIES)
def test_pixelate_leaves_as_many_colours_a_row_as_pixels(severity: int) -> None:
    after = corrupted(pure_noise(_images(1), 0), "pixelate", severity, 0)[0]
    assert len(np.unique(after[0], axis=0)) <= int(64 * PIXELATE[severity - 1])
    few = 1 + np.count_nonzero(np.any(after[:, 1:] != after[:, :-1], axis=(0, 2)))
    assert few == int(64 * PIXELATE[severity - 1])


def test_pure_noise_takes_every_value_alike() -> None:
    counts = np.bincount(pure_noise(_images(20), 0).ravel(), minlength=256)
    assert counts.min() > 0.8 * counts.mean()
    np.testing.assert_array_equal(pure_noise(_images(), 1), pure_noise(_images(), 1))


@pytest.mark.parametrize(("name", "severity"), [("fog", 1), ("blur", 0), ("blur", 6)])
def test_an_unknown_corruption_or_severity_is_refused_with_the_choices(name: str, severity: int) -> None:
    with pytest.raises(ValueError, match=rf"^corrupted: want one of blur, .+ got '{name}' at {severity}\. Choose"):
        corrupted(_images(), name, severity, 0)
