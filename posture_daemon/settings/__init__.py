"""Every setting, with its unit, default and bounds; and the one way they are loaded: `load_settings`."""

from posture_daemon.settings.fields import (
    FIELDS,
    CameraSettings,
    LabelSettings,
    PostureSettings,
    PromotionSettings,
    QueueSettings,
    Settings,
    TrainingSettings,
    WatchSettings,
)
from posture_daemon.settings.load import Loaded, load_settings
from posture_daemon.settings.report import Row, rows, settings_markdown

__all__ = [
    "FIELDS",
    "CameraSettings",
    "LabelSettings",
    "Loaded",
    "PostureSettings",
    "PromotionSettings",
    "QueueSettings",
    "Row",
    "Settings",
    "TrainingSettings",
    "WatchSettings",
    "load_settings",
    "rows",
    "settings_markdown",
]
