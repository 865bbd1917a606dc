"""What the folders of images tell of a run beforehand, from the names of files alone."""

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from graft.params.pipeline import Params


def check_folders(params: "Params", raw: Path) -> None:
    """Refuse techniques that the images do not allow, before any training.

    Folders that cannot be used, or whose images are not here, are left to prepare_data.

    Args:
        params: params of the run to come.
        raw: folder of the domains' folders, such as data/raw.

    Raises:
        ValueError: the choice among runs does not fit the labels, or a domain has too few images to adapt with.
    """
    from graft.params.techniques import check_choose_by, kind_of
    from graft.preparation.found import FOLDERS
    from graft.preparation.raw import scan_raw
    from graft.transfer.adapting.making import check_images

    settings = params.finetune_target
    if params.prepare_data.dataset != "folders":
        check_choose_by(settings.choose_by, has_labels=True)
        return
    if any((raw / f"{name}.dvc").is_file() and not (raw / name).is_dir() for name in FOLDERS.values()):
        return
    try:
        files = scan_raw(raw)
    except (OSError, ValueError):
        return
    has_labels = any(each.split in (None, "train") for each in files.target)
    check_choose_by(settings.choose_by, has_labels)
    if settings.adapting == "none":
        return
    # those without a split will be cut, so that these are at least as many as train gets
    counts = {FOLDERS["source"]: sum(each.split in (None, "train") for each in files.source)}
    if not has_labels:
        counts[FOLDERS["unlabeled"]] = len(files.unlabeled)
    check_images(kind_of(settings.adapting), counts, params.training.batch_size)
