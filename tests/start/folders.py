"""Small folders of images, and params to look at them with."""

from pathlib import Path

from PIL import Image
from tests.house import ROOT

from graft.params.pipeline import Params, read_params

PARAMS: Params = read_params(ROOT / "params.yaml")


def picture(path: Path, size: tuple[int, int] = (16, 16), mode: str = "RGB", colour: object = None) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    shade = (200, 60, len(path.name) * 9 % 256) if mode == "RGB" else 100
    Image.new(mode, size, colour or shade).save(path)  # type: ignore[arg-type]
    return path


def classes(folder: Path, n: int = 6, names: tuple[str, ...] = ("cat", "dog")) -> Path:
    """So many pictures of each class."""
    for name in names:
        for number in range(n):
            picture(folder / name / f"{number}.png", colour=(200, 10 * number, len(name)))
    return folder
