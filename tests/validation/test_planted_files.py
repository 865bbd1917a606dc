"""Faults of files and disks: each file is read correctly, or refused and named."""

import os
import shutil
import struct
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from tests.validation.planting import Found, faults, picture, run, save

pytestmark = pytest.mark.usefixtures("by_limits")


def refused(raw: Path, name: str, reason: str) -> None:
    """Check that exactly one file is named as unreadable, with this reason."""
    found = faults(run(raw))["unreadable images"]
    assert found.severity == "critical"
    (example,) = found.examples
    assert example.startswith(f"target/{name} (want ")
    assert reason in example


def test_in_quarantine_a_broken_file_is_left_out_named_and_counted(raw: Path) -> None:
    (raw / "target/val/cat/notes.jpg").write_text("not a picture")
    record = run(raw, on_undecodable="quarantine")
    assert record.ok
    found = faults(record)["unreadable images"]
    assert found.severity == "warning"
    assert found.examples[0].startswith("target/val/cat/notes.jpg (want a whole image, got: none that can be read")


def test_a_text_file_named_jpg(raw: Path) -> None:
    (raw / "target/val/cat/notes.jpg").write_text("not a picture")
    refused(raw, "val/cat/notes.jpg", "none that can be read")


def test_a_file_of_zero_bytes(raw: Path) -> None:
    (raw / "target/val/cat/zero.jpg").touch()
    refused(raw, "val/cat/zero.jpg", "empty file")


def test_half_a_file(raw: Path) -> None:
    whole = (raw / "target/val/cat/0.png").read_bytes()
    (raw / "target/val/cat/half.png").write_bytes(whole[: len(whole) // 2])
    refused(raw, "val/cat/half.png", "want a whole image")


def test_a_photograph_of_200_megapixels(raw: Path) -> None:
    Image.new("1", (20_000, 10_000)).save(raw / "target/val/cat/huge.png")
    refused(raw, "val/cat/huge.png", "the limit of 25 megapixels")


def test_a_bomb(raw: Path) -> None:
    header = b"BM" + struct.pack("<IIIIiiHHIIiiII", 62, 0, 62, 40, 60_000, 60_000, 1, 1, 0, 0, 0, 0, 2, 0)
    (raw / "target/val/cat/bomb.bmp").write_bytes(header + bytes(8))
    refused(raw, "val/cat/bomb.bmp", "the limit of 25 megapixels")


def test_a_pipe(raw: Path) -> None:
    os.mkfifo(raw / "target/val/cat/pipe.png")
    refused(raw, "val/cat/pipe.png", "a pipe")


def test_a_broken_link(raw: Path) -> None:
    (raw / "target/val/cat/link.png").symlink_to("nowhere.png")
    refused(raw, "val/cat/link.png", "No such file")


def test_a_file_without_permission(raw: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    secret = raw / "target/val/cat/0.png"
    secret.chmod(0)
    if os.access(secret, os.R_OK):  # for root there is no such file
        opened = Path.open

        def forbid(self: Path, *rest: Any, **named: Any) -> Any:
            if self == secret:
                raise PermissionError(13, "Permission denied", str(self))
            return opened(self, *rest, **named)

        monkeypatch.setattr(Path, "open", forbid)
    refused(raw, "val/cat/0.png", "Permission denied")


def test_a_file_that_changes_while_it_is_read(raw: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    growing, opened = raw / "target/val/cat/0.png", Path.open

    def grow(self: Path, *rest: Any, **named: Any) -> Any:
        if self == growing:
            with opened(growing, "ab") as file:
                file.write(b"more")
        return opened(self, *rest, **named)

    monkeypatch.setattr(Path, "open", grow)
    refused(raw, "val/cat/0.png", "changed while it was read")


def test_an_image_of_one_pixel(raw: Path) -> None:
    save(raw / "target/val/cat/dot.png", picture(0)[:1, :1])
    found = faults(run(raw))["images of under 8 px on the smaller side"]
    assert found == Found("warning", ("target/val/cat/dot.png",))


def test_names_that_differ_only_in_case(raw: Path) -> None:
    save(raw / "target/val/cat/A.png", picture(70))
    save(raw / "target/val/cat/a.png", picture(71))
    assert faults(run(raw)) == {
        "files whose names differ only in case": Found("warning", ("target/val/cat/A.png = target/val/cat/a.png",))
    }


@pytest.mark.parametrize(
    ("name", "written"),
    [("a b.png", "a b.png"), ("a\nb.png", r"a\nb.png"), ("кошка 猫.png", "кошка 猫.png")],
    ids=["space", "newline", "other letters"],
)
def test_a_name_with_spaces_newlines_or_another_script_is_read_and_named_on_one_line(
    raw: Path, name: str, written: str
) -> None:
    shutil.copy(raw / "target/val/cat/0.png", raw / "target/test/cat" / name)
    found = faults(run(raw))["images in two splits"]
    assert found.examples == (f"target/test/cat/{written} = target/val/cat/0.png",)


def test_images_in_folders_of_their_class_folder_are_read(raw: Path) -> None:
    (raw / "target/test/cat/2024/may").mkdir(parents=True)
    shutil.copy(raw / "target/val/cat/0.png", raw / "target/test/cat/2024/may/0.png")
    found = faults(run(raw))["images in two splits"]
    assert found.examples == ("target/test/cat/2024/may/0.png = target/val/cat/0.png",)


def test_a_class_folder_that_is_a_link(raw: Path) -> None:
    shutil.move(raw / "target/test/cat", raw.parent / "elsewhere")
    (raw / "target/test/cat").symlink_to(raw.parent / "elsewhere")
    with pytest.raises(ValueError, match=r"target/test/cat: want a folder, got a link to one: DVC does not see"):
        run(raw)


def test_an_image_without_a_class(raw: Path) -> None:
    shutil.copy(raw / "target/val/cat/0.png", raw / "target/val/lost.png")
    with pytest.raises(ValueError, match=r"got 1 outside, such as lost\.png"):
        run(raw)


# --- after cataloguing, and the disk ---


@pytest.mark.parametrize("name", ["source", "target"])
def test_a_byte_of_the_store_that_flipped_after_cataloguing(raw: Path, name: str) -> None:
    store = raw.parent / f"{name}.npy"

    def flip() -> None:
        content = bytearray(store.read_bytes())
        content[-100] ^= 4
        store.write_bytes(content)

    found = faults(run(raw, between=flip))["damaged image stores"]
    assert found.severity == "critical"
    assert found.examples[0].startswith(f"{store}: its sha256 is ")


def test_a_full_disk(raw: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    usage = shutil.disk_usage(raw)._replace(free=10_000)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage)
    with pytest.raises(OSError, match=r"want .+ MB of free disk for .+ images of 32 x 32 pixels, got 0 MB\. Free"):
        run(raw)
