"""The keys of settings: those that there are, those that there were, and what is said of one that is neither."""

import difflib
import logging
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

from posture_daemon.errors import SettingsError
from posture_daemon.settings.address import CameraAddress
from posture_daemon.settings.fields import ENV_PREFIX, FIELDS, Settings, variable_name

log = logging.getLogger(__name__)

RENAMED: Mapping[str, str] = {
    "camera.retry_first_s": "camera.min_retry_s",
    "camera.retry_most_s": "camera.max_retry_s",
    "queue.most_per_minute": "queue.max_per_minute",
    "queue.uncertain_per_hour": "queue.max_uncertain_per_hour",
    "queue.disagreement_per_hour": "queue.max_disagreement_per_hour",
    "queue.novel_per_hour": "queue.max_novel_per_hour",
    "queue.transition_per_hour": "queue.max_transition_per_hour",
    "queue.audit_per_hour": "queue.max_audit_per_hour",
    "queue.most_frames": "queue.max_frames",
    "queue.most_mb": "queue.max_mb",
    "training.cache_mb": "training.max_cache_mb",
    "limits.memory_most_mb": "limits.max_memory_mb",
    "limits.pause_most_s": "limits.max_pause_s",
}
"""Each old key and today's. An old one is still read from wherever a setting can be given, with a warning."""


@dataclass(frozen=True)
class Given:
    """A value as somebody wrote it, where, and by which key."""

    value: Any
    source: str
    written: str


def current_key(key: str) -> str:
    """The key of today for one that may be old."""
    return RENAMED.get(key, key)


def by_current_key(values: Mapping[str, Any], source_of: Callable[[str], str]) -> dict[str, Given]:
    """The values of one place, such as a file, by today's keys; each old key is warned of once.

    `source_of` names the place of a key for people. Raises `SettingsError` for an unknown key, and for one setting by both its
    old and its new key.
    """
    found: dict[str, Given] = {}
    for written, value in values.items():
        key, source = current_key(written), source_of(written)
        check_known(written, source)
        if key in found:
            old, new = sorted((written, found[key].written), key=FIELDS.__contains__)
            raise SettingsError(
                f"{_at(source_of(old), old)} and {_name(source, new)} are one setting; remove the old name."
            )
        found[key] = Given(value, source, written)
    for key, item in found.items():
        if item.written != key:
            _warn(
                f"{_at(item.source, item.written)} is now called {_name(item.source, key)}; the old name is still read."
            )
    return found


def check_known(key: str, source: str) -> None:
    """Raise `SettingsError`, if possible with a hint, unless there is or was such a setting."""
    if current_key(key) in FIELDS:
        return
    if key in Settings.model_fields:
        raise SettingsError(f"{source}: {key} is a section, not a setting; give its settings one by one.")
    key = CameraAddress(key).shown if re.search(r"[@=:/]", key) else key  # a line without its key
    near = difflib.get_close_matches(key, [*FIELDS, *RENAMED], n=1, cutoff=0.4)
    if not near:
        raise SettingsError(f"{source}: there is no setting {key}; `posture-daemon config show` lists all of them.")
    raise SettingsError(f"{source}: there is no setting {key}; did you mean {_name(source, current_key(near[0]))}?")


@cache
def _warn(sentence: str) -> None:
    """Once in the life of the process, however often the settings are read."""
    log.warning(sentence)


def _name(source: str, key: str) -> str:
    """The key as it would be written there."""
    return variable_name(key) if source.startswith(ENV_PREFIX) else key


def _at(source: str, key: str) -> str:
    """Place and key; a variable is both."""
    return source if source.startswith(ENV_PREFIX) else f"{source}: {key}"
