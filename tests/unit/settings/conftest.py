"""Where every test of settings begins: with nothing set, and nothing warned of."""

import os
from pathlib import Path

import pytest

from posture_daemon.settings import keys
from posture_daemon.settings import load as load_module


@pytest.fixture(autouse=True)
def nothing_set(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In an empty folder, as a user who has set nothing, and as a process that has only just begun."""
    for name in [name for name in os.environ if name.startswith("POSTURE_")] + ["STATE_DIRECTORY", "XDG_DATA_HOME"]:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setattr(load_module, "SYSTEM_FILE", tmp_path / "etc" / "posture-daemon.toml")
    monkeypatch.chdir(tmp_path)
    keys._warn.cache_clear()
