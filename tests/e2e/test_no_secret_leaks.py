"""The password of a camera, from the settings to a daemon that runs: no screen, no file and no list of processes shows it."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.e2e.command import environment, posture_daemon, started
from tests.waiting import wait_until

SECRET = "s3cr3tW0rd"
ADDRESS = f"rtsp://me:{SECRET}@127.0.0.1:1/live?token={SECRET}"
LOUD = {
    "OPENCV_LOG_LEVEL": "DEBUG",
    "OPENCV_VIDEOIO_DEBUG": "1",
    "OPENCV_FFMPEG_DEBUG": "1",
    "OPENCV_FFMPEG_LOGLEVEL": "56",
}

COMMANDS = [
    ("run", "--camera", ADDRESS),
    ("--verbose", "run", "--camera", ADDRESS),
    ("run", f"--camera={ADDRESS}"),
    ("run", ADDRESS),
    (ADDRESS,),
    ("setup", "--yes", "--skip", "teach", "--camera", ADDRESS),
    ("setup", "--yes", "--skip", "camera", "--skip", "teach", "--skip", "settings", "--camera", ADDRESS),
    ("teach", "--camera", ADDRESS),
    ("models", "fetch", "yolo11n-cls", "--release", f"http://me:{SECRET}@127.0.0.1:1/x?token={SECRET}"),
    ("backup", "--to", ADDRESS),
]
OF_SETTINGS = [
    line.split()
    for line in ("config show", "status", "status --json", "region show", "region set 0.1,0.1,0.5,0.5", "doctor")
]


def said(done: subprocess.CompletedProcess[str]) -> str:
    """All that a command wrote."""
    assert "Traceback" not in done.stderr
    return done.stdout + done.stderr


@pytest.mark.slow
@pytest.mark.parametrize("arguments", COMMANDS, ids=lambda arguments: " ".join(arguments).replace(ADDRESS, "…")[:60])
def test_no_command_shows_what_was_typed(arguments: tuple[str, ...], tmp_path: Path) -> None:
    """Also where it was typed in the wrong place, and with all noise of OpenCV and FFmpeg asked for."""
    done = posture_daemon(tmp_path, *arguments, **LOUD)
    assert SECRET not in said(done)
    files = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert not [path for path in files if SECRET.encode() in path.read_bytes()]


@pytest.mark.slow
def test_no_command_shows_what_the_settings_say(tmp_path: Path) -> None:
    """Of all that is in the data folder, only the settings file holds the password."""
    file = tmp_path / "posture-daemon.toml"
    file.write_text(f'[camera]\naddress = "{ADDRESS}"\n')
    for arguments in OF_SETTINGS:
        assert SECRET not in said(posture_daemon(tmp_path, *arguments))
    with started(tmp_path, "run", stderr=subprocess.PIPE) as daemon:
        wait_until((tmp_path / "status.json").exists, "status.json")
        for arguments in OF_SETTINGS:
            assert SECRET not in said(posture_daemon(tmp_path, *arguments))
        daemon.terminate()
        assert daemon.stderr is not None
        assert SECRET not in daemon.stderr.read()
    holders = [path.name for path in tmp_path.rglob("*") if path.is_file() and SECRET.encode() in path.read_bytes()]
    assert holders == [file.name]


@pytest.mark.slow
def test_the_list_of_processes_loses_a_typed_password(tmp_path: Path) -> None:
    """It is blanked as soon as the program runs, and the owner is told of a better way."""
    command = [sys.executable, "-m", "posture_daemon", "--data-dir", str(tmp_path), "run", "--camera"]
    held = f"http://me:{SECRET}@192.0.2.1:81/live"  # of nobody, so that it hangs for some seconds
    with subprocess.Popen([*command, held], env=environment(), stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        told = process.stderr.readline()
        shown = Path(f"/proc/{process.pid}/cmdline").read_bytes()
        process.kill()
    assert SECRET.encode() not in shown
    assert b"posture_daemon\0--data-dir\0" in shown
    assert "POSTURE_CAMERA__ADDRESS" in told
    assert SECRET not in told
