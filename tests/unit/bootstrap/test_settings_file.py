"""One setting changed in the settings file: all else stays."""

from pathlib import Path

import pytest

from posture_daemon.bootstrap.settings_file import set_text
from posture_daemon.errors import SettingsError
from posture_daemon.settings import load_settings, values_in

KEY, VALUE = "camera.address", 'rtsp://me:pass"word\\@host/1?a=b#c'


def test_a_new_file_is_made_for_its_owner_alone(tmp_path: Path) -> None:
    """An address may hold a password."""
    file = tmp_path / "new" / "posture-daemon.toml"
    assert set_text(file, KEY, VALUE)
    assert load_settings(file).settings.camera.address == VALUE
    assert file.stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ('[camera]\naddress = "0" # the old one\nfps = 5\n', '[camera]\naddress = "1" # the old one\nfps = 5\n'),
        ("# a\n[camera]\n  address='x#y'\n", '# a\n[camera]\n  address="1"\n'),
        ('[camera]\nfps = 5\n# address = "2"\n', '[camera]\naddress = "1"\nfps = 5\n# address = "2"\n'),
        ("[queue]\nmax_frames = 9", '[queue]\nmax_frames = 9\n\n[camera]\naddress = "1"\n'),
        ("[camera]\n[queue]\nmax_frames = 9\n", '[camera]\naddress = "1"\n[queue]\nmax_frames = 9\n'),
        ("[camera] # mine", '[camera] # mine\naddress = "1"\n'),
        ("[camera]\naddress = 0\n", '[camera]\naddress = "1"\n'),
        ("[camera]\nfps = 5\n\n# the queue\n[queue]\n", '[camera]\naddress = "1"\nfps = 5\n\n# the queue\n[queue]\n'),
        ('camera = {address = "0", fps = 5} # a\n', 'camera = {address = "1", fps = 5} # a\n'),
        ('camera.address = "0"\n[queue]\n', 'camera.address = "1"\n[queue]\n'),
        ("camera.fps = 5\n[queue]\n", 'camera.address = "1"\ncamera.fps = 5\n[queue]\n'),
        (
            'camera.fps = 5 # a\ndata_dir = "x"\ncamera.address = "0" # b\n',
            'camera.fps = 5 # a\ndata_dir = "x"\ncamera.address = "1" # b\n',
        ),
        ('[camera]\naddress = """0"""\n', '[camera]\naddress = "1"\n'),
        ("[camera]\r\naddress = '0' # a\r\nfps = 5\r\n", '[camera]\r\naddress = "1" # a\r\nfps = 5\r\n'),
    ],
)
def test_only_its_line_changes(tmp_path: Path, before: str, after: str) -> None:
    """Comments, other keys and their order stay; so does the mode of the file."""
    file = tmp_path / "posture-daemon.toml"
    file.write_bytes(before.encode())
    file.chmod(0o644)
    assert set_text(file, KEY, "1")
    assert file.read_bytes().decode() == after
    assert load_settings(file).settings.camera.address == "1"
    assert file.stat().st_mode & 0o777 == 0o644


def test_what_is_so_already_is_not_written(tmp_path: Path) -> None:
    """The file keeps its bytes and its time."""
    file = tmp_path / "posture-daemon.toml"
    file.write_text('[camera]\naddress="1"')
    assert not set_text(file, KEY, "1")
    assert file.read_text() == '[camera]\naddress="1"'


def test_what_cannot_be_changed_safely_is_left_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A text that lost something on the way is not written: one sentence tells the owner what to write."""
    file = tmp_path / "posture-daemon.toml"
    file.write_text("[camera]\nfps = 5\n")
    monkeypatch.setattr("tomlkit.dumps", lambda _document: '[camera]\naddress = "1"\n')
    with pytest.raises(SettingsError, match=r'write camera\.address = "1" by hand'):
        set_text(file, KEY, "1")
    assert file.read_text() == "[camera]\nfps = 5\n"


@pytest.mark.parametrize("text", ["not toml [", "[camera]\nadress = '0'\n"])
def test_a_file_that_cannot_be_read_is_refused(tmp_path: Path, text: str) -> None:
    """As every command refuses it, in one sentence."""
    file = tmp_path / "posture-daemon.toml"
    file.write_text(text)
    with pytest.raises(SettingsError, match=r"posture-daemon\.toml"):
        set_text(file, KEY, "1")
    assert file.read_text() == text


def test_the_values_of_a_file_are_told_by_their_keys(tmp_path: Path) -> None:
    """As they are written, without defaults."""
    (tmp_path / "a.toml").write_text("[camera]\nfps = 5\n")
    assert values_in(tmp_path / "a.toml") == {"camera.fps": 5}
