"""Which of several nested folders is the data set that the user means."""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from pathlib import Path

from graft.files import visible
from graft.preparation.found import SPLIT_NAMES, Found
from graft.preparation.label_table import TABLE, table_in
from graft.preparation.leftovers import IMAGE_SUFFIXES, is_left_out
from graft.store.catalogue import look

# depth to which folders are searched for a data set
DEEPEST = 3
MOST_NAMED = 5
# largest number of folders that are searched
MOST_FOLDERS = 1000


def meant(folder: Path) -> str:
    """A sentence that names a data set below a folder that is not a data set; empty if there is none."""
    below = next((each for each in _below(folder) if each != folder and _is_data_set(each)), None)
    return "" if below is None else f"Did you mean {visible(below)}? It holds {_listed(_names(below))}."


def check_shape(folder: Path, found: Sequence[Found]) -> None:
    """Refuse class folders that look like data sets: they hold split folders, or all hold the same folders.

    Args:
        folder: folder of the domain.
        found: files in the folder.

    Raises:
        ValueError: the class folders look like data sets; the user may know better.
    """
    # a table says the classes, so that folders say nothing
    if table_in(folder):
        return
    below = _folders_by_class(found)
    tops = _listed(sorted(below))
    splits = {top for top, names in below.items() if any(SPLIT_NAMES.get(look(name)) == "train" for name in names)}
    if splits:
        one = min(splits)
        raise ValueError(
            f"{visible(folder)}: want a folder of images for each class, got split folders below {_listed(splits)}. "
            f"{_name_one(folder, one)} Or put the split folders on top: train/{visible(one)}, test/{visible(one)}."
        )
    shared = set.intersection(*below.values()) if all(below.values()) else set()
    if len(shared) >= 2 and 2 * len(shared) >= len(set.union(*below.values())):
        raise ValueError(
            f"{visible(folder)}: want a folder of images for each class, got the same folders {_listed(shared)} below "
            f"each of {tops}. {_name_one(folder, min(below))} Or put the images of each class into one folder."
        )


def _name_one(folder: Path, name: str) -> str:
    return f"Name one data set, {visible(folder / name)}; `--force` goes on, where {visible(name)} is a class."


def _folders_by_class(found: Sequence[Found]) -> dict[str, set[str]]:
    """Names of the folders in each class folder; none for a class folder that holds images."""
    below: defaultdict[str, set[str]] = defaultdict(set)
    flat: set[str] = set()
    for each in found:
        parts = each.path.split("/")[1 if each.split else 0 :]
        if len(parts) > 2:
            below[parts[0]].add(parts[1])
        else:
            flat.add(parts[0])
    return {name: set() if name in flat else below[name] for name in {*flat, *below}}


def _below(folder: Path) -> Iterator[Path]:
    """A folder and the folders below it, upper levels first, up to the limits."""
    level = [folder]
    left = MOST_FOLDERS
    for _ in range(DEEPEST + 1):
        yield from level[:left]
        left -= len(level)
        level = [each for above in level for each in _folders(above)] if left > 0 else []


def _is_data_set(folder: Path) -> bool:
    """Whether a folder holds at least two class folders with images, directly or in its split folders."""
    folders = _folders(folder)
    if any(SPLIT_NAMES.get(look(each.name)) == "train" for each in folders):
        folders = [each for split in folders for each in _folders(split)]
    return (folder / TABLE).is_file() or sum(map(_has_images, folders[:MOST_FOLDERS])) >= 2


def _has_images(folder: Path) -> bool:
    return any(each.suffix.lower() in IMAGE_SUFFIXES for each in _entries(folder))


def _names(folder: Path) -> list[str]:
    return [each.name for each in _folders(folder)]


def _folders(folder: Path) -> list[Path]:
    """Folders in a folder, sorted; links are left out, as they may lead in a circle."""
    return sorted(each for each in _entries(folder) if each.is_dir() and not each.is_symlink())


def _entries(folder: Path) -> list[Path]:
    """Entries of a folder that are not left out; none if the folder cannot be read."""
    try:
        return [each for each in folder.iterdir() if not is_left_out(each.name)]
    except OSError:
        return []


def _listed(names: Sequence[str] | set[str]) -> str:
    chosen = sorted(names)
    more = f" and {len(chosen) - MOST_NAMED} more" if len(chosen) > MOST_NAMED else ""
    return ", ".join(map(visible, chosen[:MOST_NAMED])) + more
