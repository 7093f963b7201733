"""A V4L2 device of this machine: whether it exists and is accessible, and which path it has after being plugged in again.

Linux numbers cameras in the order of their appearance: after replugging, `/dev/video0` may be `/dev/video2`. udev's links in
`/dev/v4l/by-id` (make and serial number) and `/dev/v4l/by-path` (USB port) follow the device.
"""

import logging
import os
from collections.abc import Sequence
from functools import cache
from pathlib import Path

from posture_daemon.errors import CameraError

log = logging.getLogger(__name__)


class Device:
    """The device file of one camera. Once opened, it is found by its stable udev link from then on."""

    def __init__(self, path: str, folder: Path = Path("/dev")) -> None:
        """`path` is a device file or a link to one; `folder` is `/dev`, or a stand-in for it."""
        self.path, self._folder = path, folder
        self._link: Path | None = None
        self._opened: Path | None = None

    def find(self) -> str:
        """The present path. Raises `CameraError` unless it exists and this process may read and write it.

        If the camera that was opened before is gone, `path` as configured is used, even if another camera has it now.
        """
        path = str(self._link.resolve()) if self._link is not None and self._link.exists() else self.path
        if not Path(path).exists():
            missing = "nothing is plugged in there" if self._link is None else f"{self._link.name} is unplugged"
            raise CameraError(f"no camera at {path}: {missing}; cameras found: {self.others()}.")
        if not os.access(path, os.R_OK | os.W_OK, effective_ids=True):
            raise CameraError(
                f"no permission to use camera {path}: join the group `video` with `sudo usermod -aG video $USER`, "
                "then log in again."
            )
        return path

    def remember(self, path: str) -> None:
        """Remember the stable link of the device opened at `path`; log when its path has changed."""
        file = Path(path).resolve()
        if self._opened not in (None, file):
            log.info("camera %s is at %s now", self.path, file)
        self._link, self._opened = stable_link(path, self._folder), file

    def others(self) -> str:
        """All video devices, for an error message."""
        return found_devices(self._folder)


@cache
def device_at(path: str) -> Device:
    """One shared object per path, so that a camera reopened while an old call hangs is found by its stable link too."""
    return Device(path)


def stable_link(path: str, folder: Path = Path("/dev"), kinds: Sequence[str] = ("by-id", "by-path")) -> Path | None:
    """The udev link that follows this camera if its number changes: by make and serial number if it has one, else by port."""
    links = (link for kind in kinds for link in sorted((folder / "v4l" / kind).glob("*")))
    return next((link for link in links if link.exists() and link.samefile(path)), None)


def found_devices(folder: Path = Path("/dev")) -> str:
    """List the video devices that are plugged in, with their stable names last, or "none"."""
    stable = sorted((folder / "v4l" / "by-id").glob("*"))
    return ", ".join(str(path) for path in [*sorted(folder.glob("video[0-9]*")), *stable]) or "none"
