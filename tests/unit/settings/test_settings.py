"""Settings: where values come from, what is refused and in which words."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from pydantic import ValidationError

from posture_daemon.domain import MIN_REGION_SIDE, Region
from posture_daemon.errors import SettingsError
from posture_daemon.settings import FIELDS, CameraSettings, Settings, load_settings, rows
from posture_daemon.settings import load as load_module
from tests.checks import raising
from tests.settings_page import settings_markdown

PROJECT = Path(__file__).parents[3]


ALLOWED_REGION = (
    "left, top, width and height as shares of the picture, such as 0.2,0.1,0.6,0.8, within it and 0.1 or more each side; or "
    "nothing"
)


def write(file: Path, text: str) -> Path:
    """Write a file in a folder that need not exist yet."""
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text, encoding="utf-8")
    return file


def refused(config: Path | None = None, **overrides: object) -> str:
    """Return the one sentence with which these settings are refused."""
    with pytest.raises(SettingsError) as caught:
        load_settings(config, overrides)
    return str(caught.value)


class TestLayers:
    def test_nothing_set(self, tmp_path: Path) -> None:
        """With no file and no environment, every value is its default and says so."""
        loaded = load_settings()
        assert (loaded.file, set(loaded.sources.values()), loaded.settings.camera.fps) == (None, {"default"}, 10.0)
        assert loaded.settings.data_dir == tmp_path / "home/.local/share/posture-daemon"

    def test_order(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """An option beats the environment, which beats the file, which beats the default; each source is named."""
        file = write(tmp_path / "a.toml", '[camera]\naddress = "file"\nfps = 1\nstale_s = 7\n')
        monkeypatch.setenv("POSTURE_CAMERA__ADDRESS", "environment")
        monkeypatch.setenv("POSTURE_CAMERA__FPS", "2.5")
        loaded = load_settings(file, {"camera.address": "option", "camera.max_retry_s": None})
        camera = loaded.settings.camera
        assert (camera.address, camera.fps, camera.stale_s, camera.max_retry_s) == ("option", 2.5, 7, 1)
        assert [loaded.sources[f"camera.{name}"] for name in ("address", "fps", "stale_s", "max_retry_s")] == [
            "--camera",
            "POSTURE_CAMERA__FPS",
            str(file),
            "default",
        ]

    def test_lower_case_variable(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """The case of an environment variable does not matter."""
        monkeypatch.setenv("posture_training__flip", "no")
        assert load_settings().settings.training.flip is False

    def test_camera_number(self, tmp_path: Path) -> None:
        """A camera number may be written without quotes."""
        file = write(tmp_path / "a.toml", "camera.address = 1\n")
        assert load_settings(file).settings.camera.address == "1"

    def test_built_directly(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """`Settings(...)` reads no environment, and is frozen."""
        monkeypatch.setenv("POSTURE_CAMERA__FPS", "1")
        settings = Settings(data_dir=tmp_path)
        assert settings.camera.fps == 10.0
        with pytest.raises(ValidationError):
            settings.camera.fps = 3.0


class TestFile:
    def test_looked_for(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """The file is --config, else POSTURE_CONFIG, else in the data folder, else in /etc."""
        system = write(load_module.SYSTEM_FILE, "")
        assert load_settings().file == system
        in_data = write(tmp_path / "d" / "posture-daemon.toml", "")
        assert load_settings(None, {"data_dir": str(tmp_path / "d")}).file == in_data
        monkeypatch.setenv("POSTURE_CONFIG", str(write(tmp_path / "env.toml", "")))
        assert load_settings().file == tmp_path / "env.toml"
        assert load_settings(write(tmp_path / "option.toml", "")).file == tmp_path / "option.toml"

    def test_own_file(self, tmp_path: Path) -> None:
        """A change goes to the file in force; beside a service, whose file only names the folder, into that folder."""
        system, data = tmp_path / "etc" / "posture-daemon.toml", tmp_path / "srv"
        assert load_settings(overrides={"data_dir": str(data)}).own_file == data / "posture-daemon.toml"
        write(system, f"data_dir = '{data}'\n")
        assert load_settings().own_file == data / "posture-daemon.toml"
        write(system, f"data_dir = '{data}'\n[camera]\nfps = 5\n")
        assert load_settings().own_file == system
        write(data / "posture-daemon.toml", "")
        assert load_settings().own_file == data / "posture-daemon.toml"

    def test_named_but_missing(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """A file that was asked for by name must exist."""
        assert refused(Path("none.toml")) == f"--config: there is no file {tmp_path}/none.toml; check the path."
        monkeypatch.setenv("POSTURE_CONFIG", "/none.toml")
        assert refused() == "POSTURE_CONFIG: there is no file /none.toml; check the path."

    @pytest.mark.parametrize("broken", [b"[camera\nfps = 1", b"\xff\xfe", b"fps 3"])
    def test_not_toml(self, tmp_path: Path, broken: bytes) -> None:
        """A broken file is named in one sentence."""
        file = tmp_path / "a.toml"
        file.write_bytes(broken)
        assert refused(file).startswith(f"{file}: is not valid TOML: ")

    def test_unreadable(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """A file that may not be read is named in one sentence."""
        file = write(tmp_path / "a.toml", "")
        no = raising(PermissionError(13, "Permission denied"))
        monkeypatch.setattr(load_module, "TomlConfigSettingsSource", no)
        assert refused(file) == f"{file}: cannot be read: Permission denied."


class TestDataFolder:
    def test_checkout(self, tmp_path: Path) -> None:
        """In a checkout of this project, but of no other, the data folder is data/."""
        write(tmp_path / "pyproject.toml", '[project]\nname = "other"\n')
        assert load_settings().settings.data_dir != tmp_path / "data"
        write(tmp_path / "pyproject.toml", '[project]\nname = "posture-daemon"\n')
        assert load_settings().settings.data_dir == tmp_path / "data"

    def test_systemd(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Under systemd it is the state folder, the first one if there are several."""
        monkeypatch.setenv("STATE_DIRECTORY", "/var/lib/posture-daemon:/var/lib/other")
        loaded = load_settings()
        assert loaded.settings.data_dir == Path("/var/lib/posture-daemon")
        assert loaded.sources["data_dir"] == "STATE_DIRECTORY"

    def test_installed_service(self, tmp_path: Path) -> None:
        """Where a service is installed, every command means its data and its settings, also in a checkout."""
        write(tmp_path / "pyproject.toml", '[project]\nname = "posture-daemon"\n')
        write(tmp_path / "data" / "posture-daemon.toml", "[camera]\nfps = 3\n")
        write(load_module.SYSTEM_FILE, f'data_dir = "{tmp_path / "service"}"\n')
        loaded = load_settings()
        assert loaded.settings.data_dir == tmp_path / "service"
        assert loaded.sources["data_dir"] == str(load_module.SYSTEM_FILE)
        assert loaded.settings.camera.fps == 10.0
        theirs = write(tmp_path / "service" / "posture-daemon.toml", "[camera]\nfps = 7\n")
        loaded = load_settings()
        assert (loaded.file, loaded.settings.camera.fps) == (theirs, 7.0)
        assert loaded.settings.data_dir == tmp_path / "service"
        assert load_settings(None, {"data_dir": tmp_path / "data"}).settings.camera.fps == 3.0

    def test_xdg(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """A user's own data home is respected."""
        monkeypatch.setenv("XDG_DATA_HOME", "/xdg")
        assert load_settings().settings.data_dir == Path("/xdg/posture-daemon")

    def test_relative(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """A relative folder counts from the file that names it, or from the current folder; ~ is the home folder."""
        file = write(tmp_path / "conf" / "a.toml", 'data_dir = "there"')
        assert load_settings(file).settings.data_dir == tmp_path / "conf/there"
        monkeypatch.setenv("POSTURE_DATA_DIR", "here")
        assert load_settings(file).settings.data_dir == tmp_path / "here"
        assert load_settings(file, {"data_dir": Path("~/x")}).settings.data_dir == tmp_path / "home/x"


class TestRefused:
    @pytest.mark.parametrize(
        ("text", "sentence"),
        [
            ("[camera]\nfps = 100", "camera.fps is 100, but must be a number from 0.1 to 60."),
            ("[camera]\nfps = nan", "camera.fps is nan, but must be a number from 0.1 to 60."),
            ("[training]\nviews = 1.5", "training.views is 1.5, but must be a whole number from 0 to 64."),
            ("[camera]\nfps = true", "camera.fps is true, but must be a number from 0.1 to 60."),
            ("[camera]\nfps = {}", "camera.fps is {}, but must be a number from 0.1 to 60."),
            (
                "[camera]\nregion = '0.5,0,0.6,1'",
                f"camera.region is '0.5,0,0.6,1', but must be {ALLOWED_REGION}.",
            ),
            (
                "[camera]\nregion = '0.5,0.5,0.01,0.01'",
                f"camera.region is '0.5,0.5,0.01,0.01', but must be {ALLOWED_REGION}.",
            ),
            ("[camera]\nregion = 'left'", f"camera.region is 'left', but must be {ALLOWED_REGION}."),
            ("[camera]\naddress = ''", "camera.address is '', but must be text that is not empty."),
            ("[camera]\naddress = ['0']", "camera.address is ['0'], but must be text that is not empty."),
            ("[training]\nflip = 'perhaps'", "training.flip is 'perhaps', but must be true or false."),
            ("data_dir = ''", "data_dir is '', but must be the path of a folder."),
            ("data_dir = 3", "data_dir is 3, but must be the path of a folder."),
            ("[camera]\nadress = '0'", "there is no setting camera.adress; did you mean camera.address?"),
            ("fps = 3", "there is no setting fps; did you mean camera.fps?"),
            ("[camra]\nfps = 3", "there is no setting camra.fps; did you mean camera.fps?"),
            ("[camera.fps]\nx = 3", "there is no setting camera.fps.x; did you mean camera.fps?"),
            ("[wyvern]", "there is no setting wyvern; `posture-daemon config show` lists all of them."),
            ("camera = 3", "camera is a section, not a setting; give its settings one by one."),
            ("[[camera]]\nfps = 3", "camera is a section, not a setting; give its settings one by one."),
        ],
    )
    def test_in_file(self, tmp_path: Path, text: str, sentence: str) -> None:
        """A wrong key or value in a file: file, key, what was given, what is allowed."""
        file = write(tmp_path / "a.toml", text)
        assert refused(file) == f"{file}: {sentence}"

    @pytest.mark.parametrize(
        ("variable", "value", "sentence"),
        [
            ("POSTURE_CAMERA__FPS", "fast", "camera.fps is 'fast', but must be a number from 0.1 to 60."),
            ("POSTURE_CAMERA__FPS", "", "camera.fps is '', but must be a number from 0.1 to 60."),
            (
                "POSTURE_CAMERA__ADDRESS",
                "replay:/\udcff",
                "camera.address is 'replay:/***', which is no UTF-8; rename what is called so, or link to it.",
            ),
            ("POSTURE_DATA_DIR", "", "data_dir is '', but must be the path of a folder."),
            ("POSTURE_CAMERA__FSP", "3", "there is no setting camera.fsp; did you mean POSTURE_CAMERA__FPS?"),
            ("POSTURE_DATADIR", "/x", "there is no setting datadir; did you mean POSTURE_DATA_DIR?"),
            ("POSTURE_CAMERA", '{"fps": 3}', "camera is a section, not a setting; give its settings one by one."),
        ],
    )
    def test_in_environment(self, monkeypatch: pytest.MonkeyPatch, variable: str, value: str, sentence: str) -> None:
        """A wrong variable is named, and the right name is given as a variable too."""
        monkeypatch.setenv(variable, value)
        assert refused() == f"{variable}: {sentence}"

    def test_on_command_line(self) -> None:
        """A wrong option is named as the user typed it."""
        assert refused(**{"camera.address": ""}).startswith("--camera: camera.address is ''")
        assert refused(**{"camera.nope": 1}).startswith("--camera.nope: there is no setting camera.nope")

    def test_password(self, tmp_path: Path) -> None:
        """A password in an address never reaches an error message or `config show`."""
        secret = "rtsp://me:p@ss@host/1"
        assert "p@ss" not in refused(write(tmp_path / "a.toml", f'[camera]\naddress = ["{secret}"]'))
        shown = {row.key: row.value for row in rows(load_settings(None, {"camera.address": secret}))}
        assert shown["camera.address"] == "rtsp://***@host/1"


class TestFields:
    @pytest.mark.parametrize("key", FIELDS)
    def test_described(self, key: str) -> None:
        """Every setting has one sentence."""
        assert re.fullmatch(r"[A-Z][^.]*(\d\.\d[^.]*)*\.", FIELDS[key].description or "")

    @pytest.mark.parametrize("key", [key for key, field in FIELDS.items() if field.annotation in (int, float)])
    def test_bounds_hold(self, key: str, tmp_path: Path) -> None:
        """Every number has two bounds; the bounds themselves are allowed, what lies beyond is not."""
        bounds = {type(item).__name__: item for item in FIELDS[key].metadata}
        low, high = bounds["Ge"].ge, bounds["Le"].le
        assert low < high
        others = {"limits.start_celsius": 20, "limits.pause_celsius": 110, "limits.stop_celsius": 115}
        for value in (low, high):
            if key in others:  # these three must rise: each is tried beside the widest others
                pause = value if key != "limits.stop_celsius" else low
                load_settings(None, {**others, "limits.pause_celsius": min(110, pause), key: value})
            else:
                load_settings(None, {key: value})
        for value in (low - 1, high + 1):
            assert f"from {low} to {high}" in refused(**{key: value})

    def test_temperatures_must_rise(self, tmp_path: Path) -> None:
        """A training that begins where it must pause would do neither; the sentence names the place, both keys and values."""
        file = write(tmp_path / "a.toml", "[limits]\npause_celsius = 60\n")
        assert refused(file) == (
            f"{file}: limits.start_celsius is 72, but must not be above limits.pause_celsius (60)."
        )
        assert "limits.pause_celsius is 90, but must not be above limits.stop_celsius (88)" in refused(
            **{"limits.pause_celsius": 90}
        )

    @pytest.mark.parametrize("text", ["noon", "12:00", "12:00-25:00", "12:60-13:00", "12:00-13:00,", "12:00–13:00"])
    def test_windows_that_are_none(self, text: str) -> None:
        """What is not a list of times is refused, with an example."""
        assert f"is '{text}', but must be times of day such as 12:00-13:00" in refused(**{"schedule.windows": text})

    @pytest.mark.parametrize("text", ["", "12:00-13:00", " 8:30 - 9:00 ,22:00-24:00", "22:00-06:00, 12:00-13:00"])
    def test_windows(self, text: str) -> None:
        """With and without spaces and leading zeros, over midnight."""
        assert load_settings(None, {"schedule.windows": text}).settings.schedule.windows == text

    def test_region(self) -> None:
        """Written in one way; it counts for the camera that it was drawn for, whatever its password, or for any."""
        assert f"{MIN_REGION_SIDE:g} or more" in ALLOWED_REGION

        def camera(**values: str) -> CameraSettings:
            known = {f"camera.{name}": value for name, value in values.items()}
            return load_settings(None, {"camera.region": "0.20,0.1, .6,0.8", **known}).settings.camera

        region = Region(0.2, 0.1, 0.6, 0.8)
        assert (camera().region, camera().seen, camera().region_is_of_another) == ("0.2,0.1,0.6,0.8", region, False)
        own = camera(address="rtsp://me:secret@desk/1", region_camera="rtsp://***@desk/1")
        assert (own.seen, own.region_is_of_another) == (region, False)
        other = camera(address="1", region_camera="0")
        assert (other.seen, other.region_is_of_another) == (None, True)
        assert (camera(region="").seen, camera(region="", region_camera="7").region_is_of_another) == (None, False)

    @pytest.mark.parametrize(
        ("ending", "unit"), [("_s", "econds"), ("_celsius", "Celsius"), ("_mb", "egabytes"), ("_px", "pixels")]
    )
    def test_unit_in_words(self, ending: str, unit: str) -> None:
        """A unit in a name is also in the sentence."""
        for key in (key for key in FIELDS if key.endswith(ending)):
            assert unit in str(FIELDS[key].description), key


class TestReport:
    def test_rows(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Each setting is one row: key, value as it would be written, sentence, source."""
        monkeypatch.setenv("POSTURE_TRAINING__FLIP", "off")
        table = rows(load_settings())
        assert [row.key for row in table] == list(FIELDS)
        flip = next(row for row in table if row.key == "training.flip")
        assert (flip.value, flip.source) == ("false", "POSTURE_TRAINING__FLIP")

    def test_example_is_valid(self, tmp_path: Path) -> None:
        """The example file in the documentation loads."""
        example = settings_markdown().split("```toml\n")[1].split("```")[0]
        assert load_settings(write(tmp_path / "a.toml", example)).settings.training.min_new_labels == 40


def test_import_is_light() -> None:
    """Importing the settings brings in neither torch nor OpenCV nor a web or command-line library."""
    code = "import sys, posture_daemon.settings; print(*sys.modules)"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=PROJECT)
    assert not {"torch", "ultralytics", "cv2", "fastapi", "typer", "rich", "numpy"} & set(run.stdout.split())


def test_a_file_nested_without_end_is_one_sentence(tmp_path: Path) -> None:
    """Python's parser gives up on it in its own way."""
    file = tmp_path / "deep.toml"
    file.write_text("[camera]\nfps = " + "[" * 20_000)
    with pytest.raises(SettingsError, match=r"deep\.toml: is not valid TOML: it is nested too deep\.$"):
        load_settings(file)


def test_a_variable_of_bytes_that_are_no_text_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """As an environment gives them."""
    monkeypatch.setenv("POSTURE_CAMERA__REGION", os.fsdecode(b"\xed\xa0\x80"))
    with pytest.raises(SettingsError, match=r"POSTURE_CAMERA__REGION.* holds bytes that are no text"):
        load_settings()
