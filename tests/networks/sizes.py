"""Preprocessing for tests: of other sizes than small_cnn's."""

from graft.networks.preprocessing import SMALL_CNN
from graft.records.common import Preprocessing


def of_size(size_px: int) -> Preprocessing:
    """Mean and deviation of small_cnn, for square images of another size."""
    return SMALL_CNN.model_copy(update={"resize_px": size_px, "crop_px": size_px})
