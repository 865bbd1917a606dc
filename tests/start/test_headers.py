from pathlib import Path

import pytest
from PIL import Image
from tests.start.folders import picture

from graft.preparation.found import Found
from graft.start.headers import header, is_grey


def test_a_header_is_read_without_the_pixels(tmp_path: Path) -> None:
    whole = picture(tmp_path / "a.png", (40, 30)).read_bytes()
    (tmp_path / "a.png").write_bytes(whole[: len(whole) - 20])
    assert header(tmp_path, Found("a.png", "a", None)) == (40, 30, "RGB", "PNG", False, "")


def test_deep_grey_is_seen(tmp_path: Path) -> None:
    picture(tmp_path / "a.png", mode="I;16", colour=4000)
    assert header(tmp_path, Found("a.png", "a", None)).deep


def test_a_file_that_cannot_be_read_has_its_reason(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_text("no image")
    assert header(tmp_path, Found("a.png", "a", None)).error.startswith("want a whole image, got: none that can be")


def test_a_link_to_nowhere_has_its_reason(tmp_path: Path) -> None:
    (tmp_path / "a.png").symlink_to("nowhere")
    assert header(tmp_path, Found("a.png", "a", None)).error.endswith("Fix the link, or delete it.")


def test_more_pixels_than_any_limit_allows_are_said(tmp_path: Path) -> None:
    Image.new("1", (11_000, 10_000)).save(tmp_path / "a.png")
    assert "more than the limit of 100 megapixels" in header(tmp_path, Found("a.png", "a", None)).error


@pytest.mark.parametrize(
    ("mode", "colour", "grey"),
    [("L", 7, True), ("RGB", (90, 90, 90), True), ("RGB", (90, 96, 90), True), ("RGB", (90, 90, 130), False)],
)
def test_grey_is_what_shows_no_colour(tmp_path: Path, mode: str, colour: object, grey: bool) -> None:
    assert is_grey(picture(tmp_path / "a.png", mode=mode, colour=colour), mode) is grey


def test_a_broken_picture_is_neither_grey_nor_in_colour(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_text("no image")
    assert is_grey(tmp_path / "a.png", "RGB") is None
