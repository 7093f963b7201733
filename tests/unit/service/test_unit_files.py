"""The unit, its drop-ins and its user: what systemd itself says of them, and that each line has its reason."""

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from posture_daemon.service.code import Code, shipped

SYSTEMD = Path(__file__).resolve().parents[3] / "systemd"
UNIT = SYSTEMD / "posture-daemon.service"
DROP_INS = sorted((SYSTEMD / "drop-ins").glob("*.conf"))
MAX_EXPOSURE = 30
"""Tenths, as `--threshold` takes them."""

NEWER_THAN_249 = (
    "RestartSteps", "RestartMaxDelaySec", "RestartMode", "MemoryPressureWatch", "RestrictFileSystems", "LogFilterPatterns",
    "OpenFile", "RootEphemeral", "StartupMemoryHigh", "DelegateSubgroup", "PrivatePIDs", "SurviveFinalKillSignal",
)  # fmt: skip


@pytest.fixture
def analyze() -> str:
    """systemd-analyze, which CI must have."""
    found = shutil.which("systemd-analyze")
    if found is None:
        if os.environ.get("CI") == "true":
            pytest.fail("systemd-analyze is missing, but must be there in CI")
        pytest.skip("systemd-analyze is not installed")
    return found


def written(folder: Path, *drop_ins: str) -> Path:
    """The unit with these drop-ins active."""
    unit = folder / UNIT.name
    shutil.copy(UNIT, unit)
    active = folder / f"{UNIT.name}.d"
    active.mkdir()
    for number, text in enumerate(drop_ins):
        (active / f"{number}.conf").write_text(text)
    return unit


IN_HOME = Code(Path("/home/jetson/p/.venv/bin/python"), (Path("/home/jetson/p/.venv"),)).drop_in() or ""
VARIANTS = {"alone": "", "in a home": IN_HOME, **{path.stem: path.read_text() for path in DROP_INS}}


@pytest.mark.parametrize("variant", VARIANTS)
def test_systemd_finds_nothing_wrong(variant: str, analyze: str, tmp_path: Path) -> None:
    """`verify` only warns of a misspelt key and exits 0, so that any word of it counts."""
    unit = written(tmp_path, VARIANTS[variant])
    done = subprocess.run([analyze, "verify", str(unit)], capture_output=True, text=True, check=False)
    assert (done.stderr, done.returncode) == ("", 0)


@pytest.mark.parametrize("variant", VARIANTS)
def test_little_of_the_system_is_exposed_to_it(variant: str, analyze: str, tmp_path: Path) -> None:
    """3.0 at most, with any drop-in too."""
    options = ["security", "--offline=true", f"--threshold={MAX_EXPOSURE}", "--no-pager"]
    if "--offline" not in subprocess.run([analyze, "--help"], capture_output=True, text=True, check=True).stdout:
        pytest.skip("this systemd-analyze (before 250) cannot look at a unit that is not loaded")
    unit = written(tmp_path, VARIANTS[variant])
    done = subprocess.run([analyze, *options, str(unit)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-300:]


def test_a_misspelt_key_would_be_found(analyze: str, tmp_path: Path) -> None:
    """Whoever breaks the unit hears of it: the check itself is checked."""
    unit = written(tmp_path, "[Service]\nProtectSystems=strict\n")
    done = subprocess.run([analyze, "verify", str(unit)], capture_output=True, text=True, check=False)
    assert "ProtectSystems" in done.stderr


@pytest.mark.parametrize("file", [UNIT, *DROP_INS], ids=lambda path: path.name)
def test_each_line_has_its_reason(file: Path) -> None:
    """Above every setting, or the group of settings that it opens, stands a comment."""
    explained = False
    for line in file.read_text().splitlines():
        if line.startswith("#"):
            explained = True
        elif not line or line.startswith("["):
            explained = explained and file != UNIT and bool(line)  # a drop-in says it in front of its section
        elif not re.match(r"(Description|ExecStart|WantedBy)=", line):
            assert explained, line


def test_camera_and_gpu_stay_within_reach() -> None:
    """None of the keys that hide devices; with systemd 249 `ProtectClock` does, by allowing the clock's alone."""
    hiding = ("PrivateDevices", "DevicePolicy", "DeviceAllow", "ProtectClock", "PrivateUsers", "MemoryDenyWriteExecute")
    for file in (UNIT, *DROP_INS):
        assert not set(re.findall(r"^(\w+)=", file.read_text(), re.M)) & set(hiding), file


def test_jetpack_6_knows_every_key() -> None:
    """Its systemd is 249."""
    for file in (UNIT, *DROP_INS):
        assert not set(re.findall(r"^(\w+)=", file.read_text(), re.M)) & set(NEWER_THAN_249), file


def test_systemd_can_make_the_user(tmp_path: Path) -> None:
    """systemd-sysusers itself, in an empty system; a second time it changes nothing."""
    if shutil.which("systemd-sysusers") is None:
        pytest.skip("systemd-sysusers is not installed")
    (tmp_path / "etc").mkdir()
    command = ["systemd-sysusers", f"--root={tmp_path}", str(SYSTEMD / "posture-daemon.sysusers")]
    for _ in range(2):
        subprocess.run(command, check=True, capture_output=True)
        assert (tmp_path / "etc/passwd").read_text().count("posture-daemon:x:") == 1
        groups = (tmp_path / "etc/group").read_text()
        assert re.findall(r"^(\w+):.*:posture-daemon$", groups, re.M) == ["video", "render"]


def test_the_checkout_and_the_wheel_bring_the_same_unit() -> None:
    """`service install` reads it from here."""
    assert shipped("posture-daemon.service") == UNIT.read_text()
