"""One setting in the settings file, changed in place: comments and everything else stay as the owner wrote them."""

import json
from pathlib import Path
from typing import Any

import tomlkit
from tomlkit.exceptions import TOMLKitError
from tomlkit.items import Table

from posture_daemon.errors import SettingsError
from posture_daemon.settings import shown, values_in
from posture_daemon.store.files import write_durably

HEADER = "# Settings of posture-daemon. What else can be set, and what is in force: posture-daemon config show\n"


def set_text(file: Path, key: str, value: str) -> bool:
    """Set a text such as `camera.address` in the file, which is created where there is none; False when it was so already.

    The file is replaced in one step, and only by one that reads as the old one with this key changed. Raises `SettingsError`
    when it cannot be read or written, or is written in a way that cannot be changed safely.
    """
    if file.exists() and values_in(file).get(key) == value:
        return False
    try:
        # read_text would change the line ends of Windows
        text = file.read_bytes().decode() if file.exists() else HEADER
        mode = file.stat().st_mode & 0o777 if file.exists() else 0o600
        write_durably(file, _changed(text, key, value).encode())
        file.chmod(mode)
    except TOMLKitError:
        wanted = json.dumps(shown(value, key), ensure_ascii=False)
        raise SettingsError(f"{file}: {key} cannot be changed safely; write {key} = {wanted} by hand.") from None
    except OSError as error:
        raise SettingsError(f"{file}: cannot be written: {error.strerror}.") from None
    return True


def _changed(text: str, key: str, value: str) -> str:
    """The text with one line more, or one line changed. Raises `TOMLKitError` unless it says the same but for that."""
    section, _, leaf = key.partition(".")
    if section not in tomlkit.parse(text):
        text = f"{text.rstrip()}\n\n[{section}]".lstrip()
    document = tomlkit.parse(text if text.endswith("\n") else f"{text}\n")
    wanted = document.unwrap()
    wanted[section][leaf] = value
    table: Any = document[section]
    if isinstance(table, Table) and leaf not in table:
        # At the top, not at the end as tomlkit would: a comment there is about the next table.
        table.value.body.insert(0, (tomlkit.key(leaf), tomlkit.item(value)))
    else:
        table[leaf] = value
    changed = tomlkit.dumps(document)
    if tomlkit.parse(changed).unwrap() != wanted:
        raise TOMLKitError
    return changed
