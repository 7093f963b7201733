"""Which files of a folder are pictures, and what is said of those that are not read."""

import os
from pathlib import Path

import pytest

from posture_daemon.vision.image_files import NO_PICTURE, is_of_machines, pictures_below, why_not_read
from tests.unit.vision.test_picture_decoder import JPEG


@pytest.mark.parametrize("name", ["a.jpg", "a.JPE", "a.jfif", "a.tif", "a.gif", "a.avif", " .png"])
def test_a_picture_is_read_by_its_name(tmp_path: Path, name: str) -> None:
    """In capitals too; what is inside is looked at later."""
    (tmp_path / name).write_bytes(b"x")
    assert why_not_read(tmp_path / name) is None


@pytest.mark.parametrize(
    ("name", "content", "why"),
    [
        ("a.heic", b"", "HEIC, to be saved as JPEG"),
        ("a.NEF", b"II*\0", "raw of a camera, to be saved as JPEG"),
        ("a.mp4", b"", "films"),
        ("pictures.zip", b"PK\3\4", "archives, to be unpacked"),
        ("a.JPG.tmp", JPEG, "JPEG inside, to be renamed to end in .jpeg"),
        ("a.txt", JPEG, "JPEG inside, to be renamed to end in .jpeg"),
        ("a.jpg?width=640", JPEG, "JPEG inside, to be renamed to end in .jpeg"),
        ("IMG_0001", b"\0\0\0\x18ftypheic", "HEIC, to be saved as JPEG"),
        ("a.jp2", b"\0\0\0\x0cjP  \r\n", "JPEG 2000 or JPEG XL, to be saved as JPEG"),
        ("notes.txt", b"BM is no picture", NO_PICTURE),
        ("empty.dat", b"", NO_PICTURE),
    ],
)
def test_what_somebody_would_miss_is_named_with_its_reason(tmp_path: Path, name: str, content: bytes, why: str) -> None:
    """By its name, or by its first bytes."""
    (tmp_path / name).write_bytes(content)
    assert why_not_read(tmp_path / name) == why


def test_what_is_no_file_is_named_and_never_opened(tmp_path: Path) -> None:
    """A pipe, a device, and links that lead nowhere or round in a circle; a pipe without such a name is nothing."""
    for name in ("a.jpg", "pipe"):
        os.mkfifo(tmp_path / name)
    for name, target in (("b.jpg", "/dev/zero"), ("c.jpg", "nowhere"), ("d.jpg", "d.jpg")):
        (tmp_path / name).symlink_to(target)
    said = {path.name: why_not_read(path) for path in tmp_path.iterdir()}
    nothing = "links to nothing"
    expected = {"a.jpg": "a pipe, no file", "b.jpg": "a device, no file", "c.jpg": nothing, "d.jpg": nothing}
    assert said == {**expected, "pipe": NO_PICTURE}


@pytest.mark.parametrize(
    "name",
    ["@eaDir", "#recycle", ".AppleDouble", "__MACOSX", "._1.jpg", "$RECYCLE.BIN", "1.jpg@SynoEAStream", ".@__thumb"],
)
def test_what_machines_put_beside_pictures_is_left_out(tmp_path: Path, name: str) -> None:
    """Thumbnails and waste baskets of network drives, and what systems note."""
    assert is_of_machines(name)
    (tmp_path / name).mkdir()
    (tmp_path / name / "1.jpg").write_bytes(JPEG)
    assert pictures_below(tmp_path) == []


def test_links_are_followed_once(tmp_path: Path) -> None:
    """A link to another folder is, one back or up or to the kernel's folders is not; a picture counts where it lies."""
    (tmp_path / "disk").mkdir()
    (tmp_path / "disk" / "1.jpg").write_bytes(JPEG)
    root = tmp_path / "d"
    (root / "real").mkdir(parents=True)
    (root / "real" / "2.jpg").write_bytes(JPEG)
    (root / "3.jpg").symlink_to(tmp_path / "disk" / "1.jpg")
    for name, target in (("a", "real"), ("b", "../disk"), ("c", ".."), ("e", "/"), ("f", "/proc"), ("g", "../disk")):
        (root / name).symlink_to(target)
    found = sorted(str(path.relative_to(root)) for path in pictures_below(root))
    assert found == ["3.jpg", "b/1.jpg", "real/2.jpg"]
