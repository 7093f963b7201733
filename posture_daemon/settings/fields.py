"""All settings together: what can be set, and how a field is named and described in words."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import Field, field_validator
from pydantic.fields import FieldInfo
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from posture_daemon.settings.address import CameraAddress
from posture_daemon.settings.paths import absolute
from posture_daemon.settings.sections import (
    CameraSettings,
    KeepSettings,
    LabelSettings,
    PageSettings,
    PostureSettings,
    QueueSettings,
    Section,
)
from posture_daemon.settings.training import (
    LimitsSettings,
    PromotionSettings,
    ScheduleSettings,
    StrategySettings,
    TrainingSettings,
    WatchSettings,
)

ENV_PREFIX = "POSTURE_"

ADDRESSES = frozenset({"camera.address", "camera.region_camera"})
"""Settings that are addresses of cameras."""


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
    schedule: ScheduleSettings = ScheduleSettings()
    limits: LimitsSettings = LimitsSettings()
    strategies: StrategySettings = StrategySettings()
    promotion: PromotionSettings = PromotionSettings()
    watch: WatchSettings = WatchSettings()
    keep: KeepSettings = KeepSettings()
    ui: PageSettings = PageSettings()

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


def variable_name(key: str) -> str:
    """Turn `camera.fps` into `POSTURE_CAMERA__FPS`."""
    return ENV_PREFIX + key.replace(".", "__").upper()


def allowed(key: str) -> str:
    """Say in words what may be given for `key`."""
    field = FIELDS[key]
    if isinstance(field.json_schema_extra, dict):
        return str(field.json_schema_extra["allowed"])
    if field.annotation is bool:
        return "true or false"
    if field.annotation in (int, float):
        bounds = {type(item).__name__: item for item in field.metadata}
        kind = "a whole number" if field.annotation is int else "a number"
        step = f" in steps of {bounds['MultipleOf'].multiple_of}" if "MultipleOf" in bounds else ""
        return f"{kind} from {bounds['Ge'].ge} to {bounds['Le'].le}{step}"
    return "the path of a folder" if field.annotation is Path else "text that is not empty"


def shown(value: Any, key: str) -> str:
    """Write a value as a user would; of an address, wherever it was written, only what may be seen."""
    if isinstance(value, bool):
        return str(value).lower()
    return str(_safe(value, key in ADDRESSES))


def _safe(value: Any, is_address: bool) -> Any:
    if isinstance(value, str):
        return CameraAddress(value).shown if is_address or re.search(r"[@=]|//|:/", value) else value
    if isinstance(value, list):
        return [_safe(one, is_address) for one in value]
    if isinstance(value, dict):
        return {_safe(key, is_address): _safe(one, is_address) for key, one in value.items()}
    return value
