"""What can be set: every field with its unit, default and bounds, and how a field is named and described in words."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationInfo, field_validator
from pydantic.fields import FieldInfo
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

ENV_PREFIX = "POSTURE_"


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
        default=5.0, ge=0.1, le=600, description="Seconds without a new picture after which the camera counts as lost."
    )
    retry_first_s: float = Field(
        default=0.5,
        ge=0.01,
        le=60,
        description="Seconds before the first attempt to reopen a lost camera; then doubled.",
    )
    retry_most_s: float = Field(
        default=30.0, ge=0.01, le=3600, description="Longest pause between two attempts to reopen a camera, in seconds."
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
    duplicate_cosine: float = Field(
        default=0.99, ge=0, le=1, description="Cosine similarity (0 to 1) from which two frames count as the same."
    )
    most_per_minute: float = Field(default=6.0, ge=0, le=3600, description="Most frames kept per minute.")
    most_frames: int = Field(default=2000, ge=1, le=1_000_000, description="Most frames that wait in the queue.")
    most_mb: float = Field(
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


class TrainingSettings(Section):
    """When the device may train, and how."""

    min_new_labels: int = Field(
        default=20, ge=1, le=100_000, description="Labels since the last training from which the next one may begin."
    )
    min_images_per_class: int = Field(
        default=2,
        ge=1,
        le=10_000,
        description="Training images below which a class is learned with a warning; a first training waits for two "
        "classes that have them.",
    )
    cooldown_s: float = Field(
        default=3600.0, ge=0, le=604_800, description="Shortest pause between two training runs, in seconds."
    )
    check_every_s: float = Field(
        default=60.0, ge=0.1, le=86_400, description="Seconds between two looks at whether training may begin."
    )
    memory_reserve_mb: int = Field(
        default=1024, ge=0, le=65_536, description="Megabytes (1,000,000 bytes) that training must leave available."
    )
    temperature_limit_celsius: float = Field(
        default=72.0,
        ge=20,
        le=105,
        description="Degrees Celsius of the hottest thermal zone from which training waits.",
    )
    views: int = Field(default=4, ge=0, le=64, description="Augmented views made of each image.")
    flip: bool = Field(
        default=True,
        description="Mirror images in training; turn it off if left and right are different classes (true or false).",
    )
    timeout_s: float = Field(default=3600.0, ge=1, le=86_400, description="Longest training run, in seconds.")
    nice: int = Field(default=10, ge=0, le=19, description="Niceness of the training process (0 to 19).")
    threads: int = Field(default=2, ge=1, le=64, description="CPU threads of the training process.")
    seed: int = Field(default=0, ge=0, le=2**31 - 1, description="Number that fixes all randomness of a training run.")
    cache_mb: float = Field(
        default=500.0,
        ge=0,
        le=1_000_000,
        description="Most disk space for cached vectors, in megabytes (1,000,000 bytes).",
    )
    cache_bits: int = Field(
        default=16, ge=8, le=16, multiple_of=8, description="Bits of each number in a cached vector (8 or 16)."
    )
    prepare_s: float = Field(
        default=20.0,
        ge=0,
        le=3600,
        description="Seconds for which views of new labels are computed ahead, at most once per look; 0 never.",
    )


class StrategySettings(Section):
    """How ultralytics trains when `train --strategy` names one of the article's four."""

    epochs: int = Field(default=10, ge=1, le=1000, description="Passes over the training images.")
    batch: int = Field(default=16, ge=1, le=512, description="Images per step.")
    learning_rate: float = Field(
        default=0.001, ge=1e-7, le=1, description="Learning rate (AdamW) of scratch, all and new."
    )
    finetune_learning_rate: float = Field(
        default=0.0002, ge=1e-7, le=1, description="Learning rate (AdamW) of finetune, which trains the head alone."
    )


class PromotionSettings(Section):
    """What a challenger must show, and keep, in order to replace the champion."""

    min_probability: float = Field(
        default=0.8,
        ge=0.5,
        le=0.999,
        description="Probability (0.5 to 0.999) that the challenger truly is better, from the holdout images that it and the "
        "champion call differently; at 0.8, two fixed and none broken are enough (87.5 %), one is not (75 %).",
    )
    max_recall_loss: float = Field(
        default=0.05, ge=0, le=1, description="Recall (0 to 1) that any one class may lose to a better model."
    )
    min_class_images: int = Field(
        default=10,
        ge=1,
        le=100_000,
        description="Holdout images from which the recall of a class can veto a promotion.",
    )


class WatchSettings(Section):
    """How long a new champion is watched, and when it has to give way to the one before it."""

    enabled: bool = Field(
        default=True, description="Roll a new champion back when your labels show that it is worse (true or false)."
    )
    hours: float = Field(default=72.0, ge=0.01, le=8760, description="Longest watch over a new champion, in hours.")
    labels: int = Field(default=50, ge=1, le=100_000, description="Labels after which the watch is over.")
    min_probability: float = Field(
        default=0.98,
        ge=0.5,
        le=0.999,
        description="Probability (0.5 to 0.999) that the champion before was better, from which it comes back; at 0.98, five "
        "frames that only it is right about are enough, if there are none the other way round.",
    )


class Settings(BaseSettings):
    """All settings, checked. Built by `load_settings`; built directly, it reads neither file nor environment."""

    model_config = SettingsConfigDict(
        frozen=True, extra="forbid", env_prefix=ENV_PREFIX, env_nested_delimiter="__", case_sensitive=False
    )

    data_dir: Path = Field(description="Folder of the database, the models and the caches.")
    camera: CameraSettings = CameraSettings()
    posture: PostureSettings = PostureSettings()
    queue: QueueSettings = QueueSettings()
    labels: LabelSettings = LabelSettings()
    training: TrainingSettings = TrainingSettings()
    strategies: StrategySettings = StrategySettings()
    promotion: PromotionSettings = PromotionSettings()
    watch: WatchSettings = WatchSettings()

    @field_validator("data_dir", mode="before")
    @classmethod
    def _absolute(cls, folder: Any) -> Any:
        """Refuse an empty name, which would quietly mean the current folder; pydantic refuses other types."""
        if folder == "":
            raise ValueError("a folder needs a name")
        return absolute(folder) if isinstance(folder, (str, Path)) else folder

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        *_unused: PydanticBaseSettingsSource,
        **_ignored: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Leave the layers to `load_settings`, which must know where each value came from."""
        return (init_settings,)


def _fields() -> dict[str, FieldInfo]:
    found: dict[str, FieldInfo] = {}
    for name, field in Settings.model_fields.items():
        if isinstance(field.annotation, type) and issubclass(field.annotation, Section):
            found.update({f"{name}.{leaf}": info for leaf, info in field.annotation.model_fields.items()})
        else:
            found[name] = field
    return found


FIELDS: Mapping[str, FieldInfo] = _fields()
"""Every setting by its dotted key, e.g. `camera.fps`, in the order of the documentation."""


def absolute(path: str | Path) -> Path:
    """Resolve `~` and the current folder, but no symbolic link."""
    return Path(os.path.abspath(os.path.expanduser(path)))


def variable_name(key: str) -> str:
    """Turn `camera.fps` into `POSTURE_CAMERA__FPS`."""
    return ENV_PREFIX + key.replace(".", "__").upper()


def allowed(key: str) -> str:
    """Say in words what may be given for `key`."""
    field = FIELDS[key]
    if field.annotation is bool:
        return "true or false"
    if field.annotation in (int, float):
        bounds = {type(item).__name__: item for item in field.metadata}
        kind = "a whole number" if field.annotation is int else "a number"
        step = f" in steps of {bounds['MultipleOf'].multiple_of}" if "MultipleOf" in bounds else ""
        return f"{kind} from {bounds['Ge'].ge} to {bounds['Le'].le}{step}"
    return "the path of a folder" if field.annotation is Path else "text that is not empty"


def shown(value: Any) -> str:
    """Write a value as a user would, with `rtsp://me:secret@host/1` as `rtsp://***@host/1`."""
    if isinstance(value, bool):
        return str(value).lower()
    return re.sub(r"(?<=://)[^/\s]*@", "***@", str(value))
