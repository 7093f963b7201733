"""One setting in the settings file, changed in place: comments and everything else stay as the owner wrote them."""

from __future__ import annotations

import json
import re
import tempfile
from pathlib import Path

from posture_daemon.errors import SettingsError
from posture_daemon.settings import values_in
from posture_daemon.store.files import write_durably

HEADER = "# Settings of posture-daemon. What else can be set, and what is in force: posture-daemon config show\n"


def set_text(file: Path, key: str, value: str) -> bool:
    """Set a text such as `camera.address` in the file, which is created where there is none; False when it was so already.

    The file is replaced in one step, and only by one that reads as the old one with this key changed. Raises `SettingsError`
    when it cannot be read or written, or is written in a way that cannot be changed safely.
    """
    before = values_in(file) if file.exists() else {}
    if before.get(key) == value:
        return False
    try:
        text = file.read_text(encoding="utf-8") if file.exists() else HEADER
        changed = _changed(text, key, value)
        if _values_of(changed) != {**before, key: value}:
            raise SettingsError(f"{file}: {key} cannot be changed safely; write {key} = {json.dumps(value)} by hand.")
        mode = file.stat().st_mode & 0o777 if file.exists() else 0o600
        write_durably(file, changed.encode())
        file.chmod(mode)
    except OSError as error:
        raise SettingsError(f"{file}: cannot be written: {error.strerror}.") from None
    return True


def _changed(text: str, key: str, value: str) -> str:
    """The text with one line more, or one line changed; a comment behind the old value stays."""
    section, _, leaf = key.partition(".")
    line = f"{leaf} = {json.dumps(value, ensure_ascii=False)}"
    header = re.search(rf"^[ \t]*\[[ \t]*{section}[ \t]*\][^\n]*\n?", text, re.MULTILINE)
    if header is None:
        return f"{text.rstrip()}\n\n[{section}]\n{line}\n"
    following = re.search(r"^[ \t]*\[", text[header.end() :], re.MULTILINE)
    end = header.end() + following.start() if following else len(text)
    table = text[header.end() : end]
    pattern = rf"^([ \t]*){leaf}[ \t]*=[ \t]*(\"(?:\\.|[^\"\\\n])*\"|'[^'\n]*'|[^#\n\"']*?)([ \t]*(?:#[^\n]*)?)$"
    found = re.search(pattern, table, re.MULTILINE)
    if found is None:
        lead = text[: header.end()]
        return f"{lead}{'' if lead.endswith(chr(10)) else chr(10)}{line}\n{text[header.end() :]}"
    table = f"{table[: found.start()]}{found[1]}{line}{found[3]}{table[found.end() :]}"
    return text[: header.end()] + table + text[end:]


def _values_of(text: str) -> dict[str, object] | None:
    """What the text says; `None` when it is no valid file of settings."""
    with tempfile.NamedTemporaryFile("w", suffix=".toml", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        try:
            return values_in(Path(file.name))
        except SettingsError:
            return None
