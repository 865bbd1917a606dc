import pytest
import torch

from graft.learning.augmentation import Augmentation, augmented


def _images(n: int = 16, s: int = 6) -> torch.Tensor:
    return torch.randint(0, 256, (n, 3, s, s), dtype=torch.uint8, generator=torch.Generator().manual_seed(1))


def _by_loop(images: torch.Tensor, augmentation: Augmentation, seed: int) -> torch.Tensor:
    """The same draws, applied to one image after another."""
    generator = torch.Generator().manual_seed(seed)
    n, _, s, _ = images.shape
    reach = augmentation.shift_px
    offsets = torch.randint(0, 2 * reach + 1, (2, n), generator=generator)
    mirrored = torch.rand(n, generator=generator) < 0.5
    made = []
    for index, image in enumerate(images):
        padded = torch.nn.functional.pad(image[None].float(), (reach,) * 4, mode="reflect")[0].to(images.dtype)
        down, right = offsets[0, index], offsets[1, index]
        crop = padded[:, down : down + s, right : right + s]
        made.append(crop.flip(2) if augmentation.flip and mirrored[index] else crop)
    return torch.stack(made)


def test_each_image_gets_its_own_draw() -> None:
    augmentation = Augmentation(shift_px=2, flip=True)
    got = augmented(_images(), augmentation, torch.Generator().manual_seed(5))
    assert torch.equal(got, _by_loop(_images(), augmentation, 5))


def test_a_shift_beyond_the_image_is_one_sentence() -> None:
    with pytest.raises(ValueError, match=r"training\.shift_px: want less than the side of the images, 6 pixels, got 6"):
        augmented(_images(), Augmentation(shift_px=6, flip=False), torch.Generator())


def test_nothing_happens_without_shift_and_flip() -> None:
    got = augmented(_images(), Augmentation(shift_px=0, flip=False), torch.Generator().manual_seed(5))
    assert torch.equal(got, _images())


def test_flip_alone_mirrors_about_half() -> None:
    images = _images(n=200)
    got = augmented(images, Augmentation(shift_px=0, flip=True), torch.Generator().manual_seed(5))
    mirrored = (got == images.flip(3)).flatten(1).all(dim=1)
    kept = (got == images).flatten(1).all(dim=1)
    assert (mirrored | kept).all()
    assert 70 <= mirrored.sum() <= 130
