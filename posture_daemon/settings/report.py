"""The settings as a person reads them: the rows of `config show`."""

from typing import NamedTuple

from posture_daemon.settings.fields import FIELDS, Settings, shown
from posture_daemon.settings.load import Loaded


class Row(NamedTuple):
    """One setting in force."""

    key: str
    value: str
    description: str
    source: str


def rows(loaded: Loaded) -> list[Row]:
    """List every setting in force, with where it came from; passwords in addresses are masked."""
    return [
        Row(key, shown(_value(loaded.settings, key)), str(field.description), loaded.sources[key])
        for key, field in FIELDS.items()
    ]


def _value(settings: Settings, key: str) -> object:
    value: object = settings
    for name in key.split("."):
        value = getattr(value, name)
    return value
