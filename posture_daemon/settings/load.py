"""Read the settings from where people put them, and remember where each came from.

A value is looked for in this order, and the last one found wins: default, TOML file, `POSTURE_*` environment, option.
All that a user can get wrong ends in a `SettingsError` of one sentence: where, which key, what was given, what is
allowed.
"""

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from operator import attrgetter
from pathlib import Path
from typing import Any, NamedTuple

from pydantic import ValidationError
from pydantic_settings import EnvSettingsSource, TomlConfigSettingsSource

from posture_daemon.errors import SettingsError
from posture_daemon.settings.address import CameraAddress, remember
from posture_daemon.settings.fields import ADDRESSES, ENV_PREFIX, FIELDS, Settings, allowed, shown, variable_name
from posture_daemon.settings.keys import Given, by_current_key, check_known
from posture_daemon.settings.paths import absolute, home, placed

FILE_NAME = "posture-daemon.toml"
SYSTEM_FILE = Path("/etc") / FILE_NAME
RISING = (
    ("limits.start_celsius", "limits.pause_celsius"),
    ("limits.pause_celsius", "limits.stop_celsius"),
    ("camera.stale_s", "camera.read_timeout_s"),
)
"""Pairs of numbers of which the second must not be below the first."""
CONFIG_VARIABLE = "POSTURE_CONFIG"
DEFAULT = "default"

OPTIONS = {"data_dir": "--data-dir", "camera.address": "--camera"}
"""The command-line option that overrides a key, where it is not called after the key."""


@dataclass(frozen=True)
class Loaded:
    """Settings, where each dotted key came from, and the file that was read (`None`: there is none)."""

    settings: Settings
    sources: dict[str, str]
    file: Path | None

    @property
    def own_file(self) -> Path:
        """Where a setting of the owner's belongs: the file in force, or one in the data folder.

        In the data folder, too, where a service is installed and the file of the whole system only names that folder.
        """
        if self.file is None or (self.file == SYSTEM_FILE and values_in(self.file).keys() <= {"data_dir"}):
            return self.settings.data_dir / FILE_NAME
        return self.file


def load_settings(config: Path | None = None, overrides: Mapping[str, Any] | None = None) -> Loaded:
    """Read and check all settings: `config` is the file of `--config`, `overrides` are options by key, `None`: not given."""
    base, environment, options = _without_file(overrides)
    folder = {**base, **environment, **options}["data_dir"].value
    file = _find_file(config, absolute(folder) if folder else Path("/"))  # an empty one is refused below
    given = {**base, **_from_file(file), **environment, **options}
    try:
        settings = Settings(**_nested(given))
    except ValidationError as error:
        raise SettingsError(_sentence(error, given)) from None
    except UnicodeError:  # of bytes in a variable or an option; a file with them is no TOML
        raise SettingsError(_not_text(given)) from None
    remember(CameraAddress(settings.camera.address))
    _check_order(settings, given)
    return Loaded(settings, {key: given[key].source if key in given else DEFAULT for key in FIELDS}, file)


def named_file(config: Path | None) -> Path | None:
    """The settings file that was named outright, by `--config` or by a variable."""
    named = config or os.environ.get(CONFIG_VARIABLE)
    return absolute(named) if named else None


def first_folder(overrides: Mapping[str, Any] | None = None) -> tuple[Path, str]:
    """The data folder by all but the settings file in it, of which nothing is read, and where that was said."""
    base, environment, options = _without_file(overrides)
    given = {**base, **environment, **options}["data_dir"]
    named = (
        isinstance(given.value, (str, Path)) and given.value != ""
    )  # else `load_settings` says what is wrong with it
    return absolute(given.value) if named else Path("/"), given.source


def _without_file(overrides: Mapping[str, Any] | None) -> tuple[dict[str, Given], dict[str, Given], dict[str, Given]]:
    """What is given before a settings file is looked for: the usual folder, the environment, options; in rising order."""
    wanted = {key: value for key, value in (overrides or {}).items() if value is not None}
    options = _from_here(by_current_key(wanted, lambda key: OPTIONS.get(key, f"--{key}")))
    environment = _from_here(_from_environment())
    base = {} if "data_dir" in {**environment, **options} else {"data_dir": _default_data_dir()}
    return base, environment, options


def _from_environment() -> dict[str, Given]:
    for variable in map(str.upper, os.environ):
        if variable.startswith(ENV_PREFIX) and variable != CONFIG_VARIABLE:
            check_known(variable[len(ENV_PREFIX) :].lower().replace("__", "."), variable)
    return by_current_key(_flat(EnvSettingsSource(Settings)()), variable_name)


def _from_here(given: dict[str, Given]) -> dict[str, Given]:
    """Of options and variables: relative paths of recordings count from the current folder."""
    return {
        key: replace(item, value=placed(item.value)) if key in ADDRESSES and isinstance(item.value, str) else item
        for key, item in given.items()
    }


def values_in(file: Path) -> dict[str, Any]:
    """What a file says, by dotted key, unchecked but for the keys. Raises `SettingsError` when it cannot be read."""
    return {key: given.value for key, given in _from_file(file).items()}


def _from_file(file: Path | None) -> dict[str, Given]:
    if file is None:
        return {}
    try:
        values = _flat(TomlConfigSettingsSource(Settings, file)())
    except OSError as error:
        raise SettingsError(f"{file}: cannot be read: {error.strerror}.") from None
    except ValueError as error:  # bad TOML or UTF-8; the parser's own class differs between Python versions
        raise SettingsError(f"{file}: is not valid TOML: {error}.") from None
    except RecursionError:
        raise SettingsError(f"{file}: is not valid TOML: it is nested too deep.") from None
    return by_current_key(_placed(values, file), lambda _key: str(file))


def _placed(values: dict[str, Any], file: Path) -> dict[str, Any]:
    """Relative paths count from the folder of their file, since a service has no useful current folder."""
    found = dict(values)
    for key, place in {"data_dir": absolute, **dict.fromkeys(ADDRESSES, placed)}.items():
        if found.get(key) and isinstance(found[key], str):
            try:
                found[key] = place(found[key], file.parent)
            except SettingsError as error:
                raise SettingsError(f"{file}: {key}: {error}") from None
    return found


def _find_file(config: Path | None, data_dir: Path) -> Path | None:
    """Return the file to read; one that was named explicitly must exist."""
    if file := named_file(config):
        if not file.is_file():
            raise SettingsError(
                f"{'--config' if config else CONFIG_VARIABLE}: there is no file {file}; check the path."
            )
        return file
    # os.path.isfile, since Path.is_file raises in a folder that this user may not enter
    return next((file for file in (data_dir / FILE_NAME, SYSTEM_FILE) if os.path.isfile(file)), None)


def _default_data_dir() -> Given:
    """Without any wish of the user: systemd's folder, the installed service's, a checkout's, else the user's own."""
    if state := os.environ.get("STATE_DIRECTORY"):  # set by systemd's StateDirectory=; may list several
        return Given(state.split(":")[0], "STATE_DIRECTORY", "data_dir")
    if os.path.isfile(SYSTEM_FILE) and (installed := _from_file(SYSTEM_FILE).get("data_dir")):
        return installed  # where a service is installed, every command means its data
    if _is_checkout():
        return Given(Path.cwd() / "data", DEFAULT, "data_dir")
    share = os.environ.get("XDG_DATA_HOME", "")
    base = Path(share) if os.path.isabs(share) else home() / ".local/share"  # a relative one must be ignored, XDG says
    return Given(base / "posture-daemon", DEFAULT, "data_dir")


def _is_checkout() -> bool:
    try:
        text = (Path.cwd() / "pyproject.toml").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return False
    return re.search(r'^name\s*=\s*"posture-daemon"', text, re.MULTILINE) is not None


def _flat(tree: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """`{"camera": {"fps": 5}}` as `{"camera.fps": 5}`; an unknown empty table stays, so that it is refused."""
    flat: dict[str, Any] = {}
    for name, value in tree.items():
        key = prefix + name
        if isinstance(value, dict) and (value or key in Settings.model_fields):
            flat.update(_flat(value, key + "."))
        else:
            flat[key] = value
    return flat


def _nested(given: Mapping[str, Given]) -> dict[str, Any]:
    """Undo `_flat`, for known keys, which are at most two deep."""
    tree: dict[str, Any] = {}
    for key, item in given.items():
        section, _, leaf = key.rpartition(".")
        (tree.setdefault(section, {}) if section else tree)[leaf] = item.value
    return tree


def _check_order(settings: Settings, given: Mapping[str, Given]) -> None:
    """A training that begins where it must pause would do neither, nor a camera that is given up before it is lost."""
    for pair in RISING:
        values = attrgetter(*pair)(settings)
        if values[0] > values[1]:
            key = next(key for key in pair if key in given)
            raise SettingsError(
                f"{given[key].source}: {pair[0]} is {values[0]:g}, but must not be above {pair[1]} ({values[1]:g})."
            )


def _sentence(error: ValidationError, given: Mapping[str, Given]) -> str:
    """Tell the first thing wrong; the user meets the next one when this is mended."""
    key = ".".join(str(part) for part in error.errors()[0]["loc"])
    item = given[key]
    wrote = f"'{shown(item.value, key)}'" if isinstance(item.value, str) else shown(item.value, key)
    if error.errors()[0]["type"] == "string_unicode":
        return f"{item.source}: {item.written} is {wrote}, which is no UTF-8; rename what is called so, or link to it."
    return f"{item.source}: {item.written} is {wrote}, but must be {allowed(key)}."


def _not_text(given: Mapping[str, Given]) -> str:
    """Which value holds bytes that no character has."""
    for item in given.values():
        if not str(item.value).isprintable() and any("\ud800" <= letter <= "\udfff" for letter in str(item.value)):
            return f"{item.source}: {item.written} holds bytes that are no text; write it in UTF-8."
    return "A setting holds bytes that are no text; write it in UTF-8."


class Row(NamedTuple):
    """One setting in force."""

    key: str
    value: str
    description: str
    source: str


def rows(loaded: Loaded) -> list[Row]:
    """List every setting in force, with where it came from; passwords in addresses are masked."""
    return [
        Row(key, shown(attrgetter(key)(loaded.settings), key), str(field.description), loaded.sources[key])
        for key, field in FIELDS.items()
    ]
