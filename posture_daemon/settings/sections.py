"""The settings of watching and labelling: each with its unit, default and bounds."""

from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationInfo, field_validator


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
    fps: float = Field(default=10.0, ge=0.1, le=60, description="Pictures looked at per second.")
    stale_s: float = Field(
        default=4.0, ge=0.1, le=20, description="Seconds without a new picture after which the camera counts as lost."
    )
    blind_s: float = Field(
        default=3.0,
        ge=0.1,
        le=20,
        description="Seconds of nothing but black, blank or repeated pictures after which the camera counts as blind.",
    )
    min_retry_s: float = Field(
        default=0.5,
        ge=0.01,
        le=60,
        description="Seconds before the first attempt to reopen a lost camera; doubled after each that fails.",
    )
    max_retry_s: float = Field(
        default=1.0, ge=0.01, le=3600, description="Longest pause between two attempts to reopen a camera, in seconds."
    )


class PostureSettings(Section):
    """When a prediction becomes the posture that is shown."""

    unsure_below: float = Field(
        default=0.6, ge=0, le=1, description="Confidence (0 to 1) under which the posture shown is unknown."
    )
    hold_s: float = Field(
        default=3.0,
        ge=0,
        le=600,
        description="Seconds that a new posture must last before it counts, so a glance does not.",
    )


class QueueSettings(Section):
    """Which frames are kept for labelling, and how many."""

    unsure_below: float = Field(
        default=0.8, ge=0, le=1, description="Calibrated confidence (0 to 1) below which a frame is kept for labelling."
    )
    audit_share: float = Field(
        default=0.002, ge=0, le=1, description="Share (0 to 1) of the sure frames that is kept anyway, at random."
    )
    novel_share: float = Field(
        default=0.05,
        ge=0,
        le=1,
        description="A frame is new when it is less like anything labelled than this share (0 to 1) of the labelled frames is.",
    )
    duplicate_cosine: float = Field(
        default=0.992, ge=0, le=1, description="Cosine similarity (0 to 1) from which two frames count as the same."
    )
    max_per_minute: float = Field(
        default=6.0, ge=0, le=3600, description="Most frames kept per minute, for any reason."
    )
    max_uncertain_per_hour: float = Field(
        default=120.0, ge=0, le=3600, description="Most frames kept per hour because the model was unsure."
    )
    max_disagreement_per_hour: float = Field(
        default=30.0, ge=0, le=3600, description="Most frames kept per hour because the model before says otherwise."
    )
    max_novel_per_hour: float = Field(
        default=60.0, ge=0, le=3600, description="Most frames kept per hour because nothing like them is labelled."
    )
    max_transition_per_hour: float = Field(
        default=20.0, ge=0, le=3600, description="Most frames kept per hour because the posture has just changed."
    )
    max_audit_per_hour: float = Field(
        default=6.0, ge=0, le=3600, description="Most frames kept per hour at random, to find confident mistakes."
    )
    max_frames: int = Field(default=2000, ge=1, le=1_000_000, description="Most frames that wait in the queue.")
    max_mb: float = Field(
        default=200.0,
        ge=1,
        le=1_000_000,
        description="Most disk space for waiting frames, in megabytes of 1,000,000 bytes.",
    )
    jpeg_longest_side_px: int = Field(
        default=640, ge=64, le=1920, description="Longest side of a kept frame, in pixels; larger ones are shrunk."
    )
    jpeg_quality: int = Field(default=88, ge=30, le=100, description="JPEG quality of a kept frame (30 to 100).")


class LabelSettings(Section):
    """How labelled images are cut into time blocks and split into training, holdout and test."""

    block_gap_s: float = Field(
        default=300.0, ge=1, le=86_400, description="Pause between two frames that begins a new time block, in seconds."
    )
    block_length_s: float = Field(default=900.0, ge=1, le=86_400, description="Longest time block, in seconds.")
    block_files: int = Field(default=20, ge=1, le=10_000, description="Files per block where no capture time is known.")
    holdout_every: int = Field(
        default=5, ge=2, le=20, description="One block of a class in this many is held out from training."
    )
    test_every: int = Field(
        default=0,
        ge=0,
        le=20,
        description="One block of a class in this many is kept for tests that decide nothing; 0 keeps none.",
    )
