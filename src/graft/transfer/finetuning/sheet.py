"""A contact sheet of the train images under the recipe of a run."""

import io
from pathlib import Path

import numpy as np

from graft.files import write_whole
from graft.training.augmentation.augmentation import contact_sheet
from graft.transfer.arms.arms import TargetData

N_IMAGES = 6
N_VIEWS = 5


def write_sheet(data: TargetData, seed: int, path: Path) -> None:
    """Write some train images, each as it is and as training may see it, whole or not at all.

    Args:
        data: the target's images, in the order of their classes, and the recipe.
        seed: of the draws.
        path: becomes an .npy file of (6 or fewer, 6, s, s, 3) uint8 RGB.
    """
    n = len(data.train_rows)
    spread = np.linspace(0, n - 1, min(N_IMAGES, n)).round().astype(np.int64)
    images = data.train.images[spread.tolist()].permute(0, 2, 3, 1).cpu().numpy()
    content = io.BytesIO()
    np.save(content, contact_sheet(images, data.recipe, N_VIEWS, seed))
    write_whole(path, content.getvalue())
