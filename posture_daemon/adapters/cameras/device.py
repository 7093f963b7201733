"""A video device of this machine: whether it is there and may be used, and where it is after it was plugged in again.

Linux numbers cameras as they come: unplugged and plugged in again, `/dev/video0` may be `/dev/video2`. udev keeps links in
`/dev/v4l/by-id` (named by make and serial number) and `/dev/v4l/by-path` (by the socket) that follow it.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Sequence
from functools import cache
from pathlib import Path

from posture_daemon.errors import CameraError

log = logging.getLogger(__name__)


class Device:
    """One camera's device file. Once it was opened it is known by its stable name, and found by that from then on."""

    def __init__(self, path: str, folder: Path = Path("/dev")) -> None:
        """`path` is a device file or a link to one; `folder` is where devices are."""
        self.path, self._folder = path, folder
        self._link: Path | None = None
        self._opened: Path | None = None

    def find(self) -> str:
        """The device file now. Raises `CameraError` unless it is there and this process may read and write it.

        Where the camera that was opened before is gone and another one has its path, it is that one: the owner chose it.
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
        """Keep the stable name of what was opened at `path`, and say so when it is elsewhere than before."""
        file = Path(path).resolve()
        if self._opened not in (None, file):
            log.info("camera %s is at %s now", self.path, file)
        self._link, self._opened = stable_link(path, self._folder), file

    def others(self) -> str:
        """All video devices, for a message."""
        return found_devices(self._folder)


@cache
def device_at(path: str) -> Device:
    """The same one each time, so that whoever opens a camera anew, while an old call hangs, knows its stable name, too."""
    return Device(path)


def stable_link(path: str, folder: Path = Path("/dev"), kinds: Sequence[str] = ("by-id", "by-path")) -> Path | None:
    """The link that will still lead to this camera under another number, by its make and serial number if it has one."""
    links = (link for kind in kinds for link in sorted((folder / "v4l" / kind).glob("*")))
    return next((link for link in links if link.exists() and link.samefile(path)), None)


def found_devices(folder: Path = Path("/dev")) -> str:
    """List the video devices that are plugged in, with their stable names last, or "none"."""
    stable = sorted((folder / "v4l" / "by-id").glob("*"))
    return ", ".join(str(path) for path in [*sorted(folder.glob("video[0-9]*")), *stable]) or "none"
