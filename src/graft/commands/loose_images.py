"""Images in any folder, with or without labels, for a bank of features."""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from graft.files import visible
from graft.preparation.assembly import assemble
from graft.preparation.found import Found
from graft.preparation.leftovers import IMAGE_SUFFIXES, is_left_out
from graft.preparation.value_range import recognised_bits
from graft.records.common import Preprocessing
from graft.store.catalogue import CatalogRow, open_images


@contextmanager
def read_loose(
    folder: Path, preprocessing: Preprocessing
) -> Iterator[tuple[tuple[CatalogRow, ...], NDArray[np.uint8]]]:
    """All images under a folder as rows of a catalogue and an image store, which goes with the context.

    Args:
        folder: images by their suffix, at any depth; links to folders are not followed, hidden files and
            those of systems are skipped.
        preprocessing: what the images become.

    Raises:
        FileNotFoundError: no such folder, or no image in it.
        ValueError: the range of the values of 16-bit files cannot be told.
    """
    found = tuple(
        Found(path.as_posix(), "", None)
        for path in sorted(each.relative_to(folder) for each in folder.rglob("*") if not each.is_dir())
        if path.suffix.lower() in IMAGE_SUFFIXES and not any(is_left_out(part) for part in path.parts)
    )
    if not found:
        suffixes = ", ".join(IMAGE_SUFFIXES)
        raise FileNotFoundError(
            f"{visible(folder)}: want a folder with images ({suffixes}), got none. Name another folder."
        )
    read_as = preprocessing.model_copy(update={"value_bits": recognised_bits(folder, found, preprocessing)})
    # here, not under /tmp: the store may be large, and git ignores what ends in .tmp
    with tempfile.TemporaryDirectory(prefix="graft-bank-", suffix=".tmp", dir=".") as out:
        made = assemble(folder, found, Path(out), read_as)
        yield made.rows, open_images(made.store)
