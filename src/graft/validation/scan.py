"""Find the images of a domain in its folders, and say what is wrong with the folders."""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from graft.records import Split

SPLIT_NAMES: dict[str, Split] = {
    "train": "train",
    "val": "val",
    "valid": "val",
    "validation": "val",
    "test": "test",
}
IMAGE_SUFFIXES = (".jpg", ".jpeg", ".png", ".webp", ".bmp", ".gif", ".tif", ".tiff", ".jp2", ".pgm", ".heic")
"""files with these names that lie in no class folder are an error; other loose files, a README, are not"""


class Found(NamedTuple):
    """A file that should be an image."""

    path: str
    """relative to the folder of the domain, forward slashes"""
    label: str
    split: Split | None
    """of the split folder it lies in; None where the class folders lie directly in the domain folder"""


def scan(folder: Path) -> tuple[Found, ...]:
    """Image files under `<class>/` or `train|val|test/<class>/`, sorted by path; hidden files are skipped.

    Whether they can be decoded is not looked at.

    Args:
        folder: of the domain, such as data/raw/target.

    Raises:
        FileNotFoundError: no such folder.
        ValueError: the folder holds no images or loose images, fewer than two classes, or split folders that
            do not match.
    """
    if not folder.is_dir():
        raise FileNotFoundError(f"{folder}: want {_WANTED}, got no such folder. {_CURE.format(folder=folder)}")
    splits = _split_folders(folder)
    if splits:
        found = [each for part in splits for each in _class_folders(part, folder, SPLIT_NAMES[part.name])]
    else:
        found = _class_folders(folder, folder, None)
    if not found:
        raise ValueError(f"{folder}: want {_WANTED}, got no images. {_CURE.format(folder=folder)}")
    _check_classes(folder, found)
    return tuple(sorted(found))


def scan_optional(folder: Path) -> tuple[Found, ...]:
    """Like scan, but no files where the folder is absent or holds no class folders and no images."""
    if not folder.is_dir() or not (_folders(folder) or _loose_images(folder)):
        return ()
    return scan(folder)


_WANTED = "a folder of images for each class"
_CURE = "Put images under {folder}/<class>/, or set `prepare_data.dataset: example` in params.yaml."


def _split_folders(folder: Path) -> list[Path]:
    """Folders named train, val or test, unless they are classes of those names."""
    folders = _folders(folder)
    named = [each for each in folders if each.name in SPLIT_NAMES]
    if not any(_folders(each) for each in named) and len(named) < len(folders):
        return []
    if not named:
        return []
    others = sorted(each.name for each in folders if each not in named)
    if others:
        raise ValueError(
            f"{folder}: want either class folders or train, val and test folders, got "
            f"{', '.join(each.name for each in named)} beside {', '.join(others)}. "
            "Move every class folder into a split folder, or none."
        )
    names = [SPLIT_NAMES[each.name] for each in named]
    if "train" not in names or len(set(names)) < len(names):
        raise ValueError(
            f"{folder}: want train, and at most one val and one test folder, got "
            f"{', '.join(each.name for each in named)}. Rename or merge them."
        )
    return named


def _class_folders(parent: Path, domain: Path, split: Split | None) -> list[Found]:
    loose = _loose_images(parent)
    if loose:
        raise ValueError(
            f"{parent}: want images in class folders, got {len(loose)} outside, such as {loose[0].name}. "
            f"Move each into {parent}/<class>/."
        )
    return [
        Found(file.relative_to(domain).as_posix(), label.name, split)
        for label in _folders(parent)
        for file in label.rglob("*")
        if not file.is_dir() and not _hidden(file, label)
    ]


def _check_classes(folder: Path, found: Sequence[Found]) -> None:
    classes = sorted({each.label for each in found})
    if len(classes) == 1:
        raise ValueError(f"{folder}: want at least two classes, got only {classes[0]}. Add a folder of another class.")
    for split in sorted({each.split for each in found if each.split is not None}):
        present = {each.label for each in found if each.split == split}
        missing = [name for name in classes if name not in present]
        if missing:
            raise ValueError(
                f"{folder}: want the same class folders, with images, in every split, got none of "
                f"{', '.join(missing)} in {split}. Add them there, or remove them from the other splits."
            )


def _folders(folder: Path) -> list[Path]:
    return sorted(each for each in folder.iterdir() if each.is_dir() and not each.name.startswith("."))


def _loose_images(folder: Path) -> list[Path]:
    return sorted(
        each
        for each in folder.iterdir()
        if not each.is_dir() and not each.name.startswith(".") and each.suffix.lower() in IMAGE_SUFFIXES
    )


def _hidden(file: Path, label: Path) -> bool:
    return any(part.startswith(".") for part in file.relative_to(label).parts)
