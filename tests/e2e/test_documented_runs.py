"""The commands that README and docs print, run as they are written there, from a folder that is no checkout."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from posture_daemon.fake_desk.sessions import Session, write_pictures
from tests.documented import PROJECT, Documented, documented
from tests.e2e.command import environment

pytestmark = [pytest.mark.slow, pytest.mark.torch]

CLASSES = ("good_posture", "bad_posture", "na")

ODD = "it's #1 [x] 100% a?b"
"""The folder of it all: whatever people call theirs, every command works in it."""

SETTINGS = """\
[training]
views = 1
[strategies]
epochs = 1
[limits]
memory_reserve_mb = 256
start_celsius = 100
pause_celsius = 100
stop_celsius = 100
"""
"""So that a busy or a small machine runs them too."""

MAY_SAY_NO = {"doctor": (0, 1), "train --explain": (0, 1)}
"""Exit codes with which these answer, rather than fail."""

RUN = {
    found.words: found for found in sorted(documented(), key=lambda found: found.is_inline) if found.why_not_run is None
}


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home with labels, a training and a backup; and a folder with all that the docs write in capitals."""
    root = tmp_path_factory.mktemp("documented") / ODD
    here = root / "here"
    for number, split in enumerate(("train", "val")):
        sessions = [Session("docs", 2, 5, 9.0 + 3 * day, 100 * number + day) for day in range(2)]
        write_pictures(sessions, here / "DATASET" / split, CLASSES, 6, 160)
    shutil.copytree(here / "DATASET" / "val", here / "FOLDER")
    data = root / "home/.local/share/posture-daemon"
    data.mkdir(parents=True)
    (data / "posture-daemon.toml").write_text(SETTINGS)
    for name in (here / ".venv/bin/posture-daemon", root / "bin/posture-daemon"):
        _program(name, f'exec {sys.executable} -m posture_daemon "$@"')
    _program(root / "bin/sudo", 'exec "$@"')
    for line in (
        "label --import DATASET",
        "train --force",
        "backup",
        "models export FILE.pt",
        "label --export sorting/",
    ):
        done = run(root, f"posture-daemon {line}")
        assert done.returncode == 0, (line, done.stdout, done.stderr)
    shutil.copyfile(next((data / "backups").glob("posture-*.db")), here / "BACKUP")
    return root


def _program(path: Path, line: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\n{line}\n")
    path.chmod(0o755)


def run(root: Path, line: str) -> subprocess.CompletedProcess[str]:
    """Run a line of a page in the folder `here`, with its own home."""
    search = {"PATH": f"{root / 'bin'}:{os.environ['PATH']}", "PYTHONPATH": str(PROJECT)}
    where = {"HOME": str(root / "home"), "XDG_DATA_HOME": "", "STATE_DIRECTORY": ""}
    return subprocess.run(
        ["sh", "-c", line], cwd=root / "here", env=environment(**search, **where), capture_output=True, text=True,
        stdin=subprocess.DEVNULL, timeout=900, check=False,
    )  # fmt: skip


@pytest.mark.parametrize("found", RUN.values(), ids=lambda found: f"{found.page}: {' '.join(found.words)}")
def test_a_documented_command_does_what_it_says(found: Documented, prepared: Path, tmp_path: Path) -> None:
    """It ends well, with the program called as the page calls it; relative paths mean the folder of the caller."""
    root = tmp_path / ODD
    shutil.copytree(prepared, root, symlinks=True)
    before = {entry.name for entry in (root / "here").iterdir()}
    done = run(root, found.line.removeprefix("$ "))
    allowed = MAY_SAY_NO.get(" ".join(found.words).removesuffix(" --fix"), (0,))
    assert done.returncode in allowed, done.stdout + done.stderr
    assert "Traceback" not in done.stderr
    named = {word.partition("/")[0] for word in found.words} & {"out", "report", "mine.pt"}
    assert {entry.name for entry in (root / "here").iterdir()} == before | named
