"""Films and folders in which there is no picture to look at or to learn from."""

from pathlib import Path

import cv2
import numpy as np

from tests.faults.fault import Group, Made, Place

pictures = Group("Films and pictures")


@pictures("A film without a picture in it", where="empty.avi", advice="convert it")
def empty_film(at: Place) -> Made:
    """Its container is whole."""
    yield "run", "--camera", _film(at, "empty.avi", frames=0)


@pictures("A film whose pictures cannot be decoded", where="foreign.avi", advice="convert it")
def foreign_film(at: Place) -> Made:
    """As AV1 is on some machines."""
    path = _film(at, "foreign.avi", frames=3)
    path.write_bytes(path.read_bytes().replace(b"MJPG", b"QQQQ"))
    yield "run", "--camera", path


def _film(at: Place, name: str, frames: int) -> Path:
    path = at.file(name)
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"MJPG"), 5, (64, 48))
    for _ in range(frames):
        writer.write(np.zeros((48, 64, 3), np.uint8))
    writer.release()
    return path


pictures.plain("A folder of pictures of another kind", "label --import ~/phone",
    "phone holds no pictures", "HEIC, to be saved as JPEG", {"phone/good_posture/1.heic": "x"})  # fmt: skip
pictures.plain("A data set of which no picture can be read", "label --import ~/clone",
    "No picture in", "git lfs pull",
    {"clone/good_posture/1.jpg": "version https://git-lfs.github.com/spec/v1\noid sha256:0\n"})  # fmt: skip
pictures.plain("A document called .jpg", "label --import ~/letters",
    "1.jpg", "PostScript", {"letters/good_posture/1.jpg": "%!PS-Adobe-3.0 EPSF-3.0\n"})  # fmt: skip
