"""From the uint8 images of the store to the input of the first block; no other code normalises."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn


class InputTransform(nn.Module):
    """First module of every network: scale uint8 values to [0, 1], subtract the mean, divide by the deviation.

    Its tensors are buffers that move with the network but are not in its state dict: like the number of blocks they
    belong to what the network is, and are neither trained nor part of a hash of weights.

    Args:
        mean: mean of the red, green and blue values, in [0, 1].
        std: standard deviation of the red, green and blue values, above 0.
    """

    factor: Tensor
    offset: Tensor

    def __init__(self, mean: Sequence[float], std: Sequence[float]) -> None:
        super().__init__()
        # (3, 1, 1), which broadcasts over (n, 3, s, s)
        means, deviations = (torch.tensor(each).view(3, 1, 1) for each in (mean, std))
        # (x / 255 - mean) / std as one multiplication and one addition
        self.register_buffer("factor", 1 / (255 * deviations), persistent=False)
        self.register_buffer("offset", -means / deviations, persistent=False)

    def forward(self, images: Tensor) -> Tensor:
        """Normalise (n, 3, s, s) uint8 images to float32.

        Raises:
            TypeError: the images are not uint8, as if they were normalised before.
        """
        if images.dtype is not torch.uint8:
            raise TypeError(f"Network: want uint8 images, got {images.dtype}. Pass them as the image store holds them.")
        return torch.addcmul(self.offset, images.to(torch.float32), self.factor)
