"""The region of the settings while a program runs: read anew when its file changes, and changed in that file."""

from __future__ import annotations

import logging
from pathlib import Path

from pydantic import ValidationError

from posture_daemon.bootstrap.settings_file import set_text
from posture_daemon.domain import Region
from posture_daemon.errors import SettingsError
from posture_daemon.settings import DEFAULT, FILE_NAME, CameraSettings, Loaded, Settings, values_in
from posture_daemon.settings.address import CameraAddress

log = logging.getLogger(__name__)

KEY, CAMERA_KEY = "camera.region", "camera.region_camera"


class RegionChoice:
    """What part of the picture the owner has chosen, for the camera of the settings. Threads may share one."""

    def __init__(self, settings: Settings, file: Path | None = None, set_by: str | None = None) -> None:
        """`file` is where it is written, by default in the data folder; `set_by` an option or variable that decides instead."""
        self._file, self._set_by = file or settings.data_dir / FILE_NAME, set_by
        self._camera = settings.camera
        self._stamp = self._now()

    @classmethod
    def of(cls, loaded: Loaded) -> RegionChoice:
        """As the settings were loaded."""
        source = loaded.sources[KEY]
        return cls(loaded.settings, loaded.own_file, None if source in (DEFAULT, str(loaded.file)) else source)

    def __call__(self) -> Region | None:
        """The region that counts now; `None` is the whole picture."""
        stamp = self._now()
        if self._set_by is None and stamp != self._stamp:
            self._stamp = stamp
            self._read()
        return self._camera.seen

    @property
    def camera(self) -> CameraSettings:
        """The settings of the camera, with the region of now."""
        self()
        return self._camera

    @property
    def is_open(self) -> bool:
        """Whether nobody has chosen for this camera yet, not even the whole picture."""
        camera = self.camera
        return camera.seen is None and not camera.region_is_of_this

    def choose(self, region: Region | None) -> None:
        """Write it into the settings file, for the present camera. Raises `SettingsError`."""
        if self._set_by is not None:
            raise SettingsError(f"{self._set_by}: camera.region is set there, so it cannot be changed here.")
        set_text(self._file, KEY, "")  # in between the old box must not count for the new camera
        set_text(self._file, CAMERA_KEY, CameraAddress(self._camera.address).identity)
        set_text(self._file, KEY, "" if region is None else str(region))
        self()

    def _read(self) -> None:
        """What the file says; while it cannot be read, what it said before."""
        try:
            said = values_in(self._file) if self._file.is_file() else {}
            known = {"region": said.get(KEY, ""), "region_camera": said.get(CAMERA_KEY, "")}
            self._camera = CameraSettings(**{**self._camera.model_dump(), **known})
        except (SettingsError, ValidationError) as error:
            log.warning("the region stays as it was, since %s cannot be read: %s", self._file, error)

    def _now(self) -> tuple[int, int] | None:
        try:
            found = self._file.stat()
        except OSError:
            return None
        return found.st_mtime_ns, found.st_size
