"""What part of the picture the owner has chosen: kept in the settings file, for one camera, and followed by what runs."""

from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from posture_daemon.bootstrap.region import RegionChoice
from posture_daemon.cli import app
from posture_daemon.domain import Region
from posture_daemon.errors import SettingsError
from posture_daemon.settings import load_settings, values_in
from posture_daemon.store import Store

BOX, OTHER = Region(0.2, 0.1, 0.6, 0.8), Region(0.3, 0.1, 0.6, 0.8)


def choice(folder: Path, address: str = "0") -> RegionChoice:
    """As a program begins with it."""
    return RegionChoice.of(load_settings(None, {"data_dir": folder, "camera.address": address}))


def file_of(folder: Path) -> Path:
    """The settings file."""
    return folder / "posture-daemon.toml"


def test_a_choice_is_kept_for_the_camera_in_use(tmp_path: Path) -> None:
    """Without its password; with another camera it does not count, and nobody has chosen for that one."""
    mine = choice(tmp_path, "rtsp://me:secret@desk/1")
    assert (mine(), mine.is_open) == (None, True)
    mine.choose(BOX)
    assert (mine(), mine.is_open) == (BOX, False)
    assert values_in(file_of(tmp_path)) == {"camera.region": str(BOX), "camera.region_camera": "rtsp://***@desk/1"}
    assert choice(tmp_path, "rtsp://me:secret@desk/1")() == BOX
    another = choice(tmp_path, "1")
    assert (another(), another.is_open, another.camera.region_is_of_another) == (None, True, True)


def test_the_whole_picture_can_be_chosen_too(tmp_path: Path) -> None:
    """Then nothing is proposed any more."""
    mine = choice(tmp_path)
    mine.choose(BOX)
    mine.choose(None)
    assert (mine(), mine.is_open, choice(tmp_path).is_open) == (None, False, False)


def test_a_running_program_follows_the_file(tmp_path: Path) -> None:
    """Changed by a command or by hand; while it says nothing that can be read, the last word counts."""
    mine = choice(tmp_path)
    choice(tmp_path).choose(BOX)
    assert mine() == BOX
    file_of(tmp_path).write_text(f'[camera]\nregion = "{OTHER}"\n')
    assert mine() == OTHER
    file_of(tmp_path).write_text('[camera]\nregion = "0.5,0.5,0.9,0.9"\n')
    assert mine() == OTHER
    file_of(tmp_path).write_text("[camera\n")
    assert mine() == OTHER
    file_of(tmp_path).unlink()
    assert mine() is None


def test_what_a_variable_says_cannot_be_changed_in_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One sentence that names it; the file would have no effect."""
    monkeypatch.setenv("POSTURE_CAMERA__REGION", str(BOX))
    mine = choice(tmp_path)
    with pytest.raises(SettingsError, match=r"^POSTURE_CAMERA__REGION: camera\.region is set there"):
        mine.choose(OTHER)
    assert (mine(), file_of(tmp_path).exists()) == (BOX, False)


def region(folder: Path, *arguments: str) -> Result:
    """One command."""
    return CliRunner().invoke(app, ["--data-dir", str(folder), "region", *arguments])


def test_a_region_is_set_shown_and_cleared(tmp_path: Path) -> None:
    """With what the champion looks at meanwhile."""
    said = region(tmp_path, "set", "0.20,0.1,0.6,0.8").output
    assert "From now on: the box 0.2,0.1,0.6,0.8 (left, top, width, height) of the picture" in said
    said = region(tmp_path, "show").output
    assert "settings: the box 0.2,0.1,0.6,0.8" in said
    assert "model 1, the champion: the whole picture" in said
    assert "The next training looks at what the settings say." in said
    assert "From now on: the whole picture" in region(tmp_path, "clear").output
    assert "settings: the whole picture" in region(tmp_path, "show").output


@pytest.mark.parametrize("wrong", ["0.5,0,0.6,1", "0.5,0.5,0.003,0.003", "left"])
def test_what_is_no_region_is_not_kept(tmp_path: Path, wrong: str) -> None:
    """Outside the picture, two pixels, no numbers: one sentence."""
    found = region(tmp_path, "set", wrong)
    assert isinstance(found.exception, SettingsError)
    assert "region" in str(found.exception)
    assert not file_of(tmp_path).exists()


def test_a_region_of_another_camera_is_told(tmp_path: Path) -> None:
    """And that the whole picture counts."""
    choice(tmp_path, "7").choose(BOX)
    said = region(tmp_path, "show").output
    assert "settings: the whole picture" in said
    assert "The region 0.2,0.1,0.6,0.8 was drawn for the camera 7, so it does not count" in said


def test_without_pictures_nothing_is_proposed(tmp_path: Path) -> None:
    """One sentence, and what to do instead."""
    Store(tmp_path).close()
    said = region(tmp_path, "propose", "--write")
    assert (said.exit_code, "Nothing is proposed" in said.output) == (0, True)
    assert not file_of(tmp_path).exists()
