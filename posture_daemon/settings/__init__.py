"""Every setting, with its unit, default and bounds; and the one way they are loaded: `load_settings`."""

from posture_daemon.settings.fields import FIELDS, Settings
from posture_daemon.settings.load import DEFAULT, FILE_NAME, SYSTEM_FILE, Loaded, Row, load_settings, rows, values_in
from posture_daemon.settings.sections import (
    CameraSettings,
    KeepSettings,
    LabelSettings,
    PageSettings,
    PostureSettings,
    QueueSettings,
)
from posture_daemon.settings.training import (
    LimitsSettings,
    PromotionSettings,
    ScheduleSettings,
    StrategySettings,
    TrainingSettings,
    WatchSettings,
)

__all__ = [
    "DEFAULT",
    "FIELDS",
    "FILE_NAME",
    "SYSTEM_FILE",
    "CameraSettings",
    "KeepSettings",
    "LabelSettings",
    "LimitsSettings",
    "Loaded",
    "PageSettings",
    "PostureSettings",
    "PromotionSettings",
    "QueueSettings",
    "Row",
    "ScheduleSettings",
    "Settings",
    "StrategySettings",
    "TrainingSettings",
    "WatchSettings",
    "load_settings",
    "rows",
    "values_in",
]
