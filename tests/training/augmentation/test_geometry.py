import math

import numpy as np
import pytest
import torch
from torch import Tensor

from graft.training.augmentation.geometry import Moves, Views, boxes, moved, resampled

STILL = Views(*(torch.tensor([value]) for value in (0.0, 0.0, 0.0, 1.0, 1.0, 0.0, 0.0)))


def _images(n: int = 1, s: int = 12) -> Tensor:
    return torch.randint(0, 256, (n, 3, s, s), dtype=torch.uint8, generator=torch.Generator().manual_seed(1))


def _view(**changes: float) -> Views:
    return STILL._replace(**{name: torch.tensor([value]) for name, value in changes.items()})


def _by_pixel(image: Tensor, place: object) -> Tensor:
    """A second formula: each pixel, bilinearly, from where `place(x, y)` points, all in pixels from the centre."""
    values = np.pad(image.double().numpy(), ((0, 0), (12, 12), (12, 12)), mode="reflect")
    s = image.shape[-1]
    half = (s - 1) / 2
    made = np.zeros((3, s, s))
    for row in range(s):
        for column in range(s):
            x, y = place(column - half, row - half)  # type: ignore[operator]
            x, y = x + half + 12, y + half + 12
            left, top = math.floor(x), math.floor(y)
            corners = values[:, top : top + 2, left : left + 2]
            weights = np.outer([top + 1 - y, y - top], [left + 1 - x, x - left])
            made[:, row, column] = (corners * weights).sum(axis=(1, 2))
    return torch.from_numpy(made)


def _close(got: Tensor, want: Tensor) -> None:
    """Equal up to float32: a place is right to about 1e-6 px, and a step between neighbours is at most 255 levels."""
    torch.testing.assert_close(got.double(), want.double(), rtol=0, atol=2e-3)


def test_a_still_view_is_the_image() -> None:
    _close(resampled(_images(), STILL)[0], _images()[0])


def test_a_move_of_whole_pixels_is_the_same_by_index_and_by_resampling() -> None:
    images = _images(n=4)
    moves = Moves(torch.tensor([False, True, False, True]), torch.tensor([0, -3, 11, 2]), torch.tensor([2, 1, -4, -11]))
    one = torch.ones(4)
    still = torch.zeros(4)
    views = Views(still, still, still, torch.where(moves.mirrored, -one, one), one, 0.0 + moves.right, 0.0 + moves.down)
    _close(resampled(images, views), moved(images, moves))


def test_a_quarter_turn_moves_every_pixel_to_its_place() -> None:
    turned = resampled(_images(), _view(angle=math.pi / 2))[0]
    _close(turned, torch.rot90(_images()[0], 1, (1, 2)))


def test_a_turn_reads_from_turned_places() -> None:
    angle = 0.3
    want = _by_pixel(
        _images()[0],
        lambda x, y: (math.cos(angle) * x - math.sin(angle) * y, math.sin(angle) * x + math.cos(angle) * y),
    )
    _close(resampled(_images(), _view(angle=angle))[0], want)


def test_shears_push_rows_and_columns_apart() -> None:
    got = resampled(_images(), _view(shear_x=0.3, shear_y=-0.2))[0]
    _close(got, _by_pixel(_images()[0], lambda x, y: (x + 0.3 * y, y - 0.2 * x)))


def test_a_crop_is_enlarged_to_the_whole_image() -> None:
    got = resampled(_images(), _view(width=0.5, height=0.7, right=1.3, down=-0.8))[0]
    _close(got, _by_pixel(_images()[0], lambda x, y: (0.5 * x + 1.3, 0.7 * y - 0.8)))


def test_turn_shear_scale_and_move_come_in_this_order() -> None:
    def place(x: float, y: float) -> tuple[float, float]:
        x, y = x + 0.1 * y, y + 0.2 * x
        x, y = math.cos(0.4) * x - math.sin(0.4) * y, math.sin(0.4) * x + math.cos(0.4) * y
        return -0.8 * x + 1.5, 0.6 * y - 0.5

    view = _view(angle=0.4, shear_x=0.1, shear_y=0.2, width=-0.8, height=0.6, right=1.5, down=-0.5)
    _close(resampled(_images(), view)[0], _by_pixel(_images()[0], place))


def test_a_crop_is_that_of_torchvision_inside() -> None:
    functional = pytest.importorskip("torchvision.transforms.v2.functional")
    image = _images()[0]
    # 6 of 12 pixels from row 2 and column 4: the centre of what is read lies at row 5 and column 7
    got = resampled(image[None], _view(width=0.5, height=0.5, down=-1.0, right=1.0))[0]
    want = functional.resized_crop(image.float(), 2, 4, 6, 6, [12, 12], antialias=False)
    _close(got[:, 1:-1, 1:-1], want[:, 1:-1, 1:-1])  # at its rim torchvision sees nothing beyond the crop


def test_a_box_ends_before_its_last_edges() -> None:
    inside = boxes(torch.tensor([[1, 0], [3, 0], [2, 0], [4, 5]]), 5, torch.device("cpu"))
    assert inside.shape == (2, 1, 5, 5)
    assert torch.nonzero(inside[0, 0]).tolist() == [[row, column] for row in (1, 2) for column in (2, 3)]
    assert not inside[1].any()
