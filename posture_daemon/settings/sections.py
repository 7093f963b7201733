"""The settings of everything but learning, each with its unit, default and bounds."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationInfo, field_validator

from posture_daemon.settings.address import CameraAddress

if TYPE_CHECKING:
    from posture_daemon.domain import Region

Number = TypeVar("Number", int, float)


def number(default: Number, least: float, most: float, description: str) -> Number:
    """A setting that is a number with bounds, both included."""
    field: Number = Field(default=default, ge=least, le=most, description=description)
    return field


class Section(BaseModel):
    """One table of the TOML file."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False, coerce_numbers_to_str=True)

    @field_validator("*", mode="before")
    @classmethod
    def _yes_is_not_a_number(cls, value: Any, info: ValidationInfo) -> Any:
        """Python takes `true` for 1; a settings file must not."""
        if isinstance(value, bool) and cls.model_fields[str(info.field_name)].annotation is not bool:
            raise ValueError("true and false are not allowed here")
        return value


class CameraSettings(Section):
    """Where pictures come from."""

    address: str = Field(
        default="0",
        min_length=1,
        description="Camera: a number, a device, csi://, rtsp://, http://, a video file, replay:FOLDER or fake:desk.",
    )
    region: str = Field(
        default="",
        json_schema_extra={
            "allowed": "left, top, width and height as shares of the picture, such as 0.2,0.1,0.6,0.8, within it and 0.1 or "
            "more each side; or nothing"
        },
        description="Part of the picture that models look at, as left,top,width,height from 0 to 1; empty: all of it.",
    )
    region_camera: str = Field(
        default="",
        json_schema_extra={"allowed": "the address of a camera, or nothing"},
        description="Camera that the region was drawn for, since it is passed over with another one; empty: any camera.",
    )
    fps: float = number(10.0, 0.1, 60, "Pictures looked at per second.")
    stale_s: float = number(
        4.0,
        0.1,
        20,
        "Seconds without a new picture after which the camera counts as lost; a network camera gets four of its usual pauses.",
    )
    open_timeout_s: float = number(20.0, 0.5, 120, "Seconds that a network camera may take until its first picture.")
    read_timeout_s: float = number(
        20.0, 4, 20, "Most seconds between two pictures of a network camera, stale_s or more."
    )
    check_certificate: bool = Field(
        default=True,
        description="Whether an https:// camera's TLS certificate must be trusted; then video over TLS (rtsps://) is refused.",
    )
    blind_s: float = number(
        3.0, 0.1, 20, "Seconds of nothing but black, blank or repeated pictures after which the camera counts as blind."
    )
    min_retry_s: float = number(
        0.5, 0.01, 60, "Seconds before the first attempt to reopen a lost camera; doubled after each that fails."
    )
    max_retry_s: float = number(1.0, 0.01, 3600, "Longest pause between two attempts to reopen a camera, in seconds.")

    @field_validator("region")
    @classmethod
    def _is_a_region(cls, text: str) -> str:
        """One way of writing each region."""
        region = _parsed(text)
        return "" if region is None else str(region)

    @property
    def region_is_of_another(self) -> bool:
        """Whether the region was drawn for another camera than the present one."""
        return bool(self.region and self.region_camera) and not self.region_is_of_this

    @property
    def region_is_of_this(self) -> bool:
        """Whether somebody has chosen a region for the present camera, even if that is the whole picture."""
        before = re.sub(r"(?<=://)[^/\s]*@", "***@", self.address)  # how 0.2 wrote it
        return self.region_camera in (CameraAddress(self.address).identity, self.address, before)

    @property
    def seen(self) -> Region | None:
        """The region that counts; `None`: the whole picture."""
        return None if self.region_is_of_another else _parsed(self.region)


def _parsed(text: str) -> Region | None:
    from posture_daemon.domain import Region  # with NumPy, which most commands need no setting for

    return Region.parse(text) if text.strip() else None


class PostureSettings(Section):
    """When a prediction becomes the posture that is shown."""

    unsure_below: float = number(0.6, 0, 1, "Confidence (0 to 1) under which the posture shown is unknown.")
    hold_s: float = number(3.0, 0, 600, "Seconds that a new posture must last before it counts, so a glance does not.")


class QueueSettings(Section):
    """Which frames are kept for labelling, and how many."""

    unsure_below: float = number(0.8, 0, 1, "Calibrated confidence (0 to 1) below which a frame is kept for labelling.")
    max_wrong_share: float = number(
        0.05,
        0,
        1,
        "Share (0 to 1) of the sure frames that may be wrong; while checks of them find more, surer frames are kept too.",
    )
    max_per_day: int = number(300, 1, 100_000, "Most frames kept in 24 hours, for any reason but your own word.")
    max_little_known_per_hour: float = number(
        40.0, 0, 3600, "Most frames kept per hour because they are what the model knows least of the last minutes."
    )
    audit_share: float = number(0.002, 0, 1, "Share (0 to 1) of the sure frames that is kept anyway, at random.")
    novel_share: float = number(
        0.05,
        0,
        1,
        "A frame is new when it is less like anything labelled than this share (0 to 1) of the labelled frames is.",
    )
    duplicate_cosine: float = number(0.992, 0, 1, "Cosine similarity (0 to 1) from which two frames count as the same.")
    max_per_minute: float = number(6.0, 0, 3600, "Most frames kept per minute, for any reason.")
    max_uncertain_per_hour: float = number(120.0, 0, 3600, "Most frames kept per hour because the model was unsure.")
    max_disagreement_per_hour: float = number(
        30.0, 0, 3600, "Most frames kept per hour because the model before says otherwise."
    )
    max_novel_per_hour: float = number(
        60.0, 0, 3600, "Most frames kept per hour because nothing like them is labelled."
    )
    max_transition_per_hour: float = number(
        20.0, 0, 3600, "Most frames kept per hour because the posture has just changed."
    )
    max_audit_per_hour: float = number(6.0, 0, 3600, "Most frames kept per hour at random, to find confident mistakes.")
    max_frames: int = number(2000, 1, 1_000_000, "Most frames that wait in the queue.")
    max_mb: float = number(200.0, 1, 1_000_000, "Most disk space for waiting frames, in megabytes of 1,000,000 bytes.")
    jpeg_longest_side_px: int = number(
        640, 64, 1920, "Longest side of a kept frame, in pixels; larger ones are shrunk."
    )
    jpeg_quality: int = number(88, 30, 100, "JPEG quality of a kept frame (30 to 100).")


class LabelSettings(Section):
    """How labelled images are cut into time blocks and split into training, holdout and test."""

    block_gap_s: float = number(300.0, 1, 86_400, "Pause between two frames that begins a new time block, in seconds.")
    block_length_s: float = number(900.0, 1, 86_400, "Longest time block, in seconds.")
    block_files: int = number(20, 1, 10_000, "Files per block where no capture time is known.")
    holdout_every: int = number(5, 2, 20, "One block of a class in this many is held out from training.")
    first_teach: int = number(
        12,
        0,
        1000,
        "First labels of a day at the camera, none of which is held out: it is today that they are given for.",
    )
    test_every: int = number(
        0, 0, 20, "One block of a class in this many is kept for tests that decide nothing; 0 keeps none."
    )


class PageSettings(Section):
    """The label page. It is for this computer alone unless `host` says otherwise; then its link holds a secret."""

    enabled: bool = Field(default=True, description="Serve the label page while the daemon runs (true or false).")
    host: str = Field(
        default="127.0.0.1",
        min_length=1,
        description="Address that the label page listens on; other devices than this computer can open it only with the link "
        "that `posture-daemon label` prints.",
    )
    port: int = number(8760, 0, 65_535, "Port of the label page; 0 takes any free one.")
    link: str = Field(
        default="",
        pattern=r"^(https?://([^\s/?#@:\[\]]+|\[[0-9A-Fa-f:.]+\])(:\d{1,5})?/?)?$",
        json_schema_extra={"allowed": "an address such as http://127.0.0.1:8760/, or nothing"},
        description="Address at which your browser reaches the page, where it is another one than the page listens on, "
        "such as the published port of a container; empty for none.",
    )


class KeepSettings(Section):
    """How much of the past is kept. A day of use is one on which the daemon recorded something."""

    refusals_days: int = number(90, 1, 36_500, "Days of use for which refused attempts to train are kept.")
    discarded_days: int = number(
        30, 1, 36_500, "Days of use for which frames that you discarded are kept, in case you take it back."
    )
    history_days: int = number(730, 1, 36_500, "Days of use for which the history of your posture is kept.")
    models: int = number(
        20,
        1,
        100_000,
        "Newest models whose files are kept; files of the champion, the one before it, and imported models are "
        "kept as well, and what is known about a model always is.",
    )
    restore_damaged: bool = Field(
        default=False,
        description="Restore the newest good backup, and keep the damaged file, when the database is damaged at the start of "
        "the daemon (true or false); otherwise it stops and says so.",
    )
