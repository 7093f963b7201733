"""Where the page of the region reads and writes; by itself, since it is built where nobody waits for a web framework."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from posture_daemon.domain import Image, Region
from posture_daemon.settings import CameraSettings


@dataclass(frozen=True, eq=False)
class RegionDesk:
    """Where the page reads and writes the choice.

    `now` are the settings of the camera, `choose` keeps another region (`None`: the whole picture), or raises `SettingsError`.
    `picture` is what the camera sees; `None` where there is no camera or no picture yet: then the newest kept one is shown.
    """

    now: Callable[[], CameraSettings]
    choose: Callable[[Region | None], None]
    picture: Callable[[], Image | None] = lambda: None
