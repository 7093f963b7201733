"""Paths from outside: made absolute in one place, whatever is in them; homes that there are and that there are not."""

import os
import pwd
from collections.abc import Iterator
from pathlib import Path

import pytest

from posture_daemon.errors import SettingsError
from posture_daemon.settings import load_settings
from posture_daemon.settings.paths import absolute, placed


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A current folder, and a home."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    return tmp_path


@pytest.fixture
def nowhere(tmp_path: Path) -> Iterator[None]:
    """A current folder that somebody has deleted."""
    before, gone = os.getcwd(), tmp_path / "gone"
    gone.mkdir()
    os.chdir(gone)
    gone.rmdir()
    yield
    os.chdir(before)


@pytest.mark.parametrize(
    "name",
    [
        "a?b",
        "a#b",
        "%20",
        "100%",
        "a;b:c",
        "a&b=c",
        " a b ",
        "it's",
        '"',
        "a\nb",
        "-x",
        "[x]",
        "é",
        "e\u0301",
        "$HOME",
        "a\\b",
        "\udcff",
        "*",
        "a~",
    ],
)
def test_every_character_is_itself(name: str, here: Path) -> None:
    """Nothing in a path is a variable, a pattern or an escape."""
    assert absolute(name) == absolute(f"./{name}/") == here / name
    assert absolute(name, Path("/etc")) == Path("/etc") / name


def test_homes(here: Path) -> None:
    """`~` is HOME, `~user` what the system says; a file that is really called so is itself."""
    assert absolute("~") == here / "home"
    assert absolute("~/x") == here / "home/x"
    assert absolute("~root/x") == Path(pwd.getpwnam("root").pw_dir) / "x"
    (here / "~nosuchuser").mkdir()
    assert absolute("~nosuchuser") == absolute("./~nosuchuser") == here / "~nosuchuser"
    with pytest.raises(SettingsError, match=r"~other/x: there is no user other.*or \./~other/x"):
        absolute("~other/x")


@pytest.mark.parametrize("value", ["", "relative/home", None])
def test_without_a_home_that_is_a_folder_the_system_is_asked(
    value: str | None, here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An empty HOME would mean the root folder, and a relative one whatever folder one is in."""
    monkeypatch.delenv("HOME") if value is None else monkeypatch.setenv("HOME", value)
    monkeypatch.delenv("XDG_DATA_HOME", raising=False)
    assert absolute("~/x") == Path(pwd.getpwuid(os.getuid()).pw_dir) / "x"
    assert load_settings().settings.data_dir == absolute("~/.local/share/posture-daemon")


def test_a_user_without_any_home_is_told_what_to_name(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As in a container with a user's number that is in no list; with a data folder named, all is well."""

    def unknown(_number: int) -> None:
        raise KeyError

    monkeypatch.setattr(pwd, "getpwuid", unknown)
    monkeypatch.setenv("HOME", "")
    monkeypatch.setenv("XDG_DATA_HOME", "relative")  # which XDG says must be ignored
    with pytest.raises(SettingsError, match=r"has no home folder.*--data-dir or POSTURE_DATA_DIR"):
        load_settings()
    assert load_settings(None, {"data_dir": here / "x"}).settings.data_dir == here / "x"
    monkeypatch.setenv("XDG_DATA_HOME", str(here))
    assert load_settings().settings.data_dir == here / "posture-daemon"


@pytest.mark.usefixtures("nowhere")
def test_a_deleted_current_folder_is_no_bug(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Only what counts from it cannot be found."""
    monkeypatch.setenv("HOME", str(tmp_path))
    assert load_settings().settings.data_dir == tmp_path / ".local/share/posture-daemon"
    with pytest.raises(SettingsError, match="The current folder is gone, so data leads nowhere"):
        load_settings(None, {"data_dir": "data"})


def test_links_stay_but_lead_where_they_lead(here: Path) -> None:
    """`link/..` is the folder around what the link names, as for every other program."""
    (here / "a/b").mkdir(parents=True)
    (here / "link").symlink_to("a/b")
    assert absolute("link/x") == here / "link/x"
    assert absolute("link/../x") == here / "a/x"
    assert absolute("a/../b/./c//d/") == here / "b/c/d"
    assert absolute("//etc") == Path("/etc")


@pytest.mark.parametrize(
    ("path", "said"),
    [
        ("", "A path is empty"),
        ("a\0b", "NUL"),
        ("x" * 256, "too long"),
        ("a/" * 2500, "too long"),
        ("rtsp://me:secret@cam/x", r"^rtsp://\*\*\*@cam/x is an address"),
    ],
)
def test_what_can_be_no_path_is_refused_in_one_sentence(path: str, said: str, here: Path) -> None:
    """Before anything is made of it."""
    with pytest.raises(SettingsError, match=said) as caught:
        absolute(path)
    assert "secret" not in str(caught.value)


def test_relative_paths_in_a_settings_file_count_from_its_folder(here: Path) -> None:
    """A service has no useful current folder; options and variables count from where they are typed."""
    file = here / "etc/a.toml"
    file.parent.mkdir()
    file.write_text('data_dir = "data?"\n[camera]\naddress = "replay:frames?fps=5"\n')
    loaded = load_settings(file).settings
    assert (loaded.data_dir, loaded.camera.address) == (file.parent / "data?", f"replay:{file.parent}/frames?fps=5")
    typed = load_settings(file, {"camera.address": "film.mp4?loop=true"}).settings
    assert typed.camera.address == f"{here}/film.mp4?loop=true"
    file.write_text('data_dir = "~nosuchuser/x"\n')
    with pytest.raises(SettingsError, match=r"a\.toml: data_dir: ~nosuchuser/x: there is no user nosuchuser"):
        load_settings(file)


@pytest.mark.parametrize(
    "address",
    ["0", "/dev/video0", "csi://0", "rtsp://cam/x.mp4", "http//cam/x.mp4", "cam/x.mp4", "fake:desk", "replay:", ""],
)
def test_addresses_of_no_file_stay(address: str, here: Path) -> None:
    """Also those that are mistyped, so that what was typed can be named."""
    assert placed(address) == address


def test_recordings_get_whole_paths(here: Path) -> None:
    """With or without a prefix, and options behind it."""
    (here / "films").mkdir()
    assert placed("films/a.mp4") == f"{here}/films/a.mp4"
    assert placed(" ~/a b.mkv") == f"{here}/home/a b.mkv"
    assert placed("file:12:30.dat?fps=1") == f"file:{here}/12:30.dat?fps=1"
    with pytest.raises(SettingsError, match="there is no user nosuchuser"):
        placed("replay:~nosuchuser/frames")
