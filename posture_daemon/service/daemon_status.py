"""What the running daemon says of itself in `status.json`, once a second, for other processes.

They may be of another version, and the file may be damaged, so anything may be missing: what is not said, or makes no sense,
is unknown. The file itself is the business of `store/status_file.py`.
"""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil

from posture_daemon.device.resources import Resources
from posture_daemon.domain import PostureState
from posture_daemon.errors import UnwellError
from posture_daemon.store.database import on_read_only_mount
from posture_daemon.store.json_values import JsonText, known_from_json
from posture_daemon.store.status_file import last_words, replace_words, running_pid, said_in

FULL_BYTES = 256 * 1024
"""A disk with less room cannot take the status file's few blocks for sure."""

STALE_S = 5.0
"""Age in seconds from which what a daemon last said is no longer how things are."""

SILENT_S = 30.0
"""Seconds of silence from which a daemon is not well. It speaks every second, but a busy disk may keep it waiting."""


@dataclass(frozen=True)
class CameraSaid:
    """How the camera does; see `CameraState` of `adapters/cameras/camera_health.py`."""

    name: str = "unknown"
    status: str = "unknown"
    since: float | None = None
    error: str | None = None
    frames: int | None = None
    reopened: int | None = None
    unusable: int | None = None
    size: tuple[int, int] | None = None
    wanted_size: tuple[int, int] | None = None


@dataclass(frozen=True)
class Sees:
    """The likeliest class of the last frame, and its probability."""

    label: str
    confidence: float


@dataclass(frozen=True)
class OnlineState:
    """Who answers now: `answers` of today are learned; `serving` says whether frames are answered from them, `why` in words."""

    answers: int = 0
    serving: bool = False
    why: str = "nothing was answered today, so the model answers"


@dataclass
class FrameCounts:
    """Frames since the daemon began.

    `skipped` ones came from the camera while the loop was busy or pacing itself; `longest_gap_s` is the longest time between
    two answered frames.
    """

    frames: int = 0
    skipped: int = 0
    failed: int = 0
    queued: int = 0
    longest_gap_s: float = 0.0


@dataclass(frozen=True)
class DaemonStatus(JsonText):
    """All that it says; times in seconds since the epoch.

    `step_s` is how long ago the capture loop began a step, `routed` counts what became of the frames, `next_at` is when each
    job runs next. Only the last words of a daemon that ended well have `stopped_at`.
    """

    pid: int | None = None
    started_at: float | None = None
    written_at: float | None = None
    camera: CameraSaid | None = None
    posture: PostureState | None = None
    frame_at: float | None = None
    step_s: float = 0.0
    sees: Sees | None = None
    latency_ms: float | None = None
    frames: FrameCounts | None = None
    routed: Mapping[str, int] = field(default_factory=dict)
    model: int | None = None
    online: OnlineState | None = None
    away_s: float | None = None
    resources: Resources = field(default_factory=Resources)
    next_at: Mapping[str, float | None] = field(default_factory=dict)
    page: str | None = None
    stopped_at: float | None = None

    @property
    def spoken(self) -> bool:
        """Whether the daemon has said anything yet that could be read."""
        return self.pid is not None

    def shape_json(self, found: Any) -> Any:
        """Nothing before it has spoken, and no `stopped_at` while it runs: older versions ask whether that is there."""
        return {name: one for name, one in found.items() if self.spoken and (name != "stopped_at" or one is not None)}

    @classmethod
    def from_json(cls, text: str) -> DaemonStatus:
        """Read what this or another version wrote; nothing is known of what is damaged."""
        return known_from_json(cls, said_in(text))


def write_status(folder: Path, status: DaemonStatus) -> None:
    """Tell everybody."""
    replace_words(folder, status.to_json())


def read_status(folder: Path) -> DaemonStatus | None:
    """What the running daemon last said, nothing when that cannot be read; `None` when none runs on this folder."""
    return None if running_pid(folder) is None else DaemonStatus.from_json(last_words(folder))


def camera_trouble(folder: Path, now: float) -> str | None:
    """What is wrong with the camera of the running daemon, or with what it says; `None` when nothing is, or none runs."""
    said = read_status(folder)
    if said is None:
        return None
    return why_stale(folder, said, now) or (None if said.camera is None else said.camera.error)


def why_stale(folder: Path, said: DaemonStatus, now: float) -> str | None:
    """How old these words of a running daemon are at `now`, and why, in one sentence; `None` while they are fresh."""
    if said.written_at is None or -STALE_S < now - said.written_at < STALE_S:
        return None
    age_s = now - said.written_at
    if age_s < 0:
        return f"what the daemon said last is dated {_duration(-age_s)} ahead of now: the clock was set back."
    return f"the daemon last said how it is {_duration(age_s)} ago: {_why_silent(folder, said.pid)}."


def _why_silent(folder: Path, pid: int | None) -> str:
    """Asked in the order in which one would."""
    if on_read_only_mount(folder):
        return f"the disk of {folder} has become read-only, so it cannot write it down"
    if shutil.disk_usage(folder).free < FULL_BYTES:
        return f"the disk of {folder} is full, so it cannot write it down; free some space"
    if pid is not None and psutil.pid_exists(pid) and psutil.Process(pid).status() == psutil.STATUS_STOPPED:
        return f"process {pid} is stopped; wake it with kill -CONT {pid}"
    return "it is busy or hangs; if that lasts, see its log and start it again"


def _duration(seconds: float) -> str:
    """In the largest unit of which there are two."""
    for unit, size in (("days", 86_400), ("hours", 3_600), ("minutes", 60)):
        if seconds >= 2 * size:
            return f"{seconds / size:.0f} {unit}"
    return f"{seconds:.0f} s"


def learned_today(folder: Path) -> str:
    """Who answers now, in words, once the owner has answered today; empty before, and when no daemon runs."""
    said = read_status(folder)
    return said.online.why if said is not None and said.online is not None and said.online.answers else ""


def check_health(status: DaemonStatus | None, now: float) -> None:
    """Return if the daemon that says `status` (see `read_status`) gets on at `now`, seconds since the epoch.

    Raises `UnwellError` otherwise. A lost camera is no illness: the daemon looks for it itself, and a restart would not help.
    """
    if status is None:
        raise UnwellError("No posture-daemon is running on this data folder.")
    if status.written_at is None:
        raise UnwellError("The daemon has not yet told how it is.")
    silent_s = abs(now - status.written_at)  # the clock may have been set back meanwhile
    if silent_s > SILENT_S:
        raise UnwellError(f"The daemon has said nothing for {silent_s:.0f} s.")
    if status.step_s > SILENT_S:
        raise UnwellError(f"The capture loop has hung for {status.step_s:.0f} s.")
