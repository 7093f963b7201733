"""Writes `docs/settings.md` from the settings: `python -m tests.settings_page > docs/settings.md`."""

import sys

from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from posture_daemon.settings import FIELDS, Settings
from posture_daemon.settings.fields import allowed, shown, variable_name
from posture_daemon.settings.keys import RENAMED
from posture_daemon.settings.load import CONFIG_VARIABLE, FILE_NAME, OPTIONS, SYSTEM_FILE

INTRODUCTION = f"""\
# Settings

<!-- Written by `make docs` from posture_daemon/settings/; a test fails when it is not current. -->

Every setting has a default, so no file is needed. The last one of these that gives a value wins:

1. the default in the tables below;
2. one TOML file: the one named by `--config` or `{CONFIG_VARIABLE}`, else `{FILE_NAME}` in the data folder, else
   `{SYSTEM_FILE}`;
3. the environment: `camera.fps` is `{variable_name("camera.fps")}`;
4. a command-line option, for {" and ".join(f"`{key}` (`{option}`)" for key, option in OPTIONS.items())}.

`posture-daemon config show` prints every value in force and where it came from. A key that does not exist, or a value
that is not allowed, is refused with the file, the key and what is allowed. [Old names](#old-names) are still read.

A relative path counts from the current folder, in a settings file from the folder of that file. `~` and `~name` are homes:
`HOME`, if that is a whole path, else what the system says. Nothing else in a path means anything but itself: any character
may be in it, and a data folder of any name shares nothing with another one. Two things are refused: a new data folder
inside another one, and one with more than 400 bytes in its path, since SQLite opens no longer ones.

The data folder is `--data-dir`, `{variable_name("data_dir")}` or `data_dir` in the file (relative to that file); else
systemd's `$STATE_DIRECTORY` (`/var/lib/posture-daemon`), the folder that `{SYSTEM_FILE}` names (where
[the service](service.md) is installed, every command means its data), `data/` in a checkout of the project, or
`~/.local/share/posture-daemon`.

```toml
[camera]
address = "/dev/video0"
fps = 5

[training]
min_new_labels = 40  # trains less often, on more

[schedule]
windows = "12:00-13:00, 22:00-06:00"

[limits]
start_celsius = 65
```
"""

OLD_NAMES = """\
## Old names

These are still read from a file, the environment or an option, with one warning that says the new name. A setting that is
given by both names in one place is refused.

| old name | today |
|---|---|"""


def settings_markdown() -> str:
    """Write the whole of `docs/settings.md`."""
    parts = [INTRODUCTION, _table("data_dir", "The data folder.", ["data_dir"])]
    for name, section in Settings.model_fields.items():
        keys = [key for key in FIELDS if key.startswith(f"{name}.")]
        if keys:
            parts.append(_table(f"[{name}]", str(getattr(section.annotation, "__doc__", "")), keys))
    return "\n".join([*parts, OLD_NAMES, *(f"| `{old}` | `{new}` |" for old, new in RENAMED.items()), ""])


def _table(title: str, sentence: str, keys: list[str]) -> str:
    lines = [f"## {title}", "", sentence, "", "| setting | default | allowed | meaning |", "|---|---|---|---|"]
    for key in keys:
        field = FIELDS[key]
        lines.append(f"| `{key.rpartition('.')[2]}` | {_default(field)} | {allowed(key)} | {field.description} |")
    return "\n".join(lines) + "\n"


def _default(field: FieldInfo) -> str:
    if field.default is PydanticUndefined:
        return "see above"
    return f"`{shown(field.default, '')}`" if field.default != "" else "empty"


if __name__ == "__main__":
    sys.stdout.write(settings_markdown())
