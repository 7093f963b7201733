"""Every setting, with its unit, default and bounds; and the one way they are loaded: `load_settings`."""

from posture_daemon.settings.address import CameraAddress, hide_secrets
from posture_daemon.settings.fields import FIELDS, Settings, shown
from posture_daemon.settings.load import (
    DEFAULT,
    FILE_NAME,
    SYSTEM_FILE,
    Loaded,
    Row,
    first_folder,
    load_settings,
    named_file,
    rows,
    values_in,
)
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
    "CameraAddress",
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
    "first_folder",
    "hide_secrets",
    "load_settings",
    "named_file",
    "rows",
    "shown",
    "values_in",
]
