"""Addresses of cameras, as typed: built without opening anything, and shown without their secrets."""

import re
from pathlib import Path
from random import Random

from posture_daemon.adapters.cameras.address import is_live, without_password
from posture_daemon.adapters.cameras.factory import open_camera
from posture_daemon.errors import PostureError
from tests.fuzz.mutation import as_bytes, as_text, mutated_text, odd_text
from tests.fuzz.target import Parts, Unexpected

SECRET = "s3cr3tpw"
SEEDS = (
    "0", "2", "/dev/video0", "/dev/video0?width=640&height=480&fps=10", "csi://0",
    "csi://1?width=1280&height=720&fps=5&flip=2",
    "rtsp://192.168.1.7:554/stream1", "rtsps://cam/live?channel=1", f"rtsp://admin:{SECRET}@cam.lan/stream",
    "http://cam:8080/video",
    f"http://admin:{SECRET}@192.168.1.7/video?user=a&x=1", f"https://cam/video?password={SECRET}",
    f"http://cam/v?token={SECRET}&a=b",
    "file:/tmp/a.mp4", "/srv/film.mkv", "film.avi", "replay:/srv/frames", "replay:frames?fps=5&loop=true", "fake:desk",
    "fake:desk?seed=3&fps=10&speed=12", "fake:desk?pose=slouching", "http://[::1]:81/v", "rtsp://[fe80::1%25eth0]/s",
)  # fmt: skip
WORDS = (
    "rtsp://", "http://", "https://", "RTSP://", "csi://", "fake:desk", "replay:", "file:", "/dev/video", "?", "&",
    "=", "@", ":", "fps=",
    "width=", "height=", "seed=", "speed=", "loop=", "flip=", "true", "false", "admin", "cam", "[::1]", ".mp4",
    "&fps=5", "://", "%40",
)  # fmt: skip
UNDERSTOOD = re.compile(
    rf"^(?:rtsps?|https?)://\w*:{SECRET}@[\w.]+/|^https?://cam/v\w*\?(?:password|token)={SECRET}(?:&|$)"
)
KNOWN_TO_HIDE = tuple(seed for seed in SEEDS if SECRET in seed)


def make(rng: Random) -> bytes:
    """An address with damage before its secret or behind it, or chance."""
    if rng.random() < 0.3:
        return as_bytes(odd_text(rng, WORDS))
    return as_bytes(mutated_text(rng, rng.choice(SEEDS), WORDS))


def read(data: bytes) -> None:
    """As `run --camera` does; whatever is said or shown has no password of an address that is understood."""
    address = as_text(data)
    is_live(address)
    said = [without_password(address)]
    try:
        open_camera(address)
    except PostureError as error:
        said.append(str(error))
        raise
    finally:
        if UNDERSTOOD.search(address) and any(SECRET in text for text in said):
            raise Unexpected(f"a password is shown: {said}")


def parts(_folder: Path) -> Parts:
    """Cheap: nothing is opened."""
    for address in KNOWN_TO_HIDE:
        if SECRET in without_password(address):
            raise Unexpected(f"a password is shown: {address}")
    return Parts(make, read)
