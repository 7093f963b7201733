"""Keys that were renamed: read as before from wherever a setting can be given, with one warning that names today's."""

import logging
from pathlib import Path

import pytest

from posture_daemon.errors import SettingsError
from posture_daemon.settings import FIELDS, Settings, keys, load_settings, rows, values_in
from posture_daemon.settings.fields import variable_name
from posture_daemon.settings.keys import RENAMED
from tests.settings_page import settings_markdown

OLD_FILE = """\
# As an owner wrote it before the renaming.
[camera]
fps = 5
retry_first_s = 0.25
retry_most_s = 2.5

[queue]
most_per_minute = 7
uncertain_per_hour = 121
disagreement_per_hour = 31
novel_per_hour = 61
transition_per_hour = 21
audit_per_hour = 7
most_frames = 2001
most_mb = 201

[training]
cache_mb = 501

[limits]
memory_most_mb = 4097
pause_most_s = 901
"""


@pytest.fixture
def old_file(tmp_path: Path) -> Path:
    """A settings file with every old key."""
    file = tmp_path / "old.toml"
    file.write_text(OLD_FILE)
    return file


def refused(config: Path | None = None, **overrides: object) -> str:
    """The sentence with which these settings are refused."""
    with pytest.raises(SettingsError) as caught:
        load_settings(config, overrides)
    return str(caught.value)


def test_a_new_name_exists_and_an_old_one_does_not() -> None:
    """No chain, and no old name that means something else today; the section stays."""
    assert set(RENAMED.values()) <= set(FIELDS)
    assert not set(RENAMED) & set(FIELDS)
    assert all(old.split(".")[0] == new.split(".")[0] for old, new in RENAMED.items())


def test_bounds_are_called_by_one_word() -> None:
    """`min_*` and `max_*`, nothing else."""
    words = {word for key in FIELDS for word in key.partition(".")[2].split("_")}
    assert not words & {"most", "least", "minimum", "maximum", "largest", "smallest", "lowest", "highest", "shortest"}
    assert all(key.partition(".")[2].find(word) <= 0 for key in FIELDS for word in ("min_", "max_"))


def test_an_old_file_means_what_it_meant(old_file: Path, tmp_path: Path) -> None:
    """With every old key it loads to the same values as the file of new keys; the source is the file."""
    text = OLD_FILE
    for old, new in RENAMED.items():
        leaf = old.partition(".")[2]
        assert f"\n{leaf} = " in text
        text = text.replace(f"\n{leaf} = ", f"\n{new.partition('.')[2]} = ")
    new_file = tmp_path / "new.toml"
    new_file.write_text(text)
    loaded = load_settings(old_file)
    assert loaded.settings == load_settings(new_file).settings
    assert loaded.settings.queue.max_frames == 2001
    defaults = {row.key: row.value for row in rows(load_settings())}
    changed = {row.key for row in rows(loaded) if row.value != defaults[row.key]}
    assert changed == {*RENAMED.values(), "camera.fps"}
    assert loaded.sources["queue.max_frames"] == str(old_file)


def test_each_old_key_is_warned_of_once(old_file: Path, caplog: pytest.LogCaptureFixture) -> None:
    """File, old and new key, once in a start, however often the file is read."""
    for _ in range(3):
        load_settings(old_file)
        values_in(old_file)
    assert [record.levelno for record in caplog.records] == [logging.WARNING] * len(RENAMED)
    assert {record.getMessage() for record in caplog.records} == {
        f"{old_file}: {old} is now called {new}; the old name is still read." for old, new in RENAMED.items()
    }


def test_in_the_environment_and_as_an_option(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, old_file: Path
) -> None:
    """The usual order holds, whichever name is used where; each place is named in its warning."""
    for old, new in RENAMED.items():
        monkeypatch.setenv(variable_name(old), str(FIELDS[new].default))
    monkeypatch.setenv("POSTURE_QUEUE__MOST_FRAMES", "50")
    assert load_settings(old_file).settings.queue.max_frames == 50
    caplog.clear()
    loaded = load_settings(None, {"queue.most_frames": 9, "queue.max_mb": 8})
    assert (loaded.settings.queue.max_frames, loaded.settings.queue.max_mb) == (9, 8)
    assert loaded.sources["queue.max_frames"] == "--queue.most_frames"
    assert loaded.sources["limits.max_pause_s"] == "POSTURE_LIMITS__PAUSE_MOST_S"
    assert caplog.messages == [
        "--queue.most_frames: queue.most_frames is now called queue.max_frames; the old name is still read."
    ]
    keys._warn.cache_clear()
    load_settings()
    assert "POSTURE_QUEUE__MOST_MB is now called POSTURE_QUEUE__MAX_MB; the old name is still read." in caplog.messages


@pytest.mark.parametrize("order", [1, -1])
def test_both_names_in_one_place(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, order: int) -> None:
    """Which one is meant cannot be known: one sentence, in whatever order they stand."""
    names = ["queue.most_mb", "queue.max_mb"][::order]
    file = tmp_path / "a.toml"
    file.write_text("".join(f"{name} = 5\n" for name in names))
    assert refused(file) == f"{file}: queue.most_mb and queue.max_mb are one setting; remove the old name."
    assert refused(**dict.fromkeys(names, 5)) == (
        "--queue.most_mb: queue.most_mb and queue.max_mb are one setting; remove the old name."
    )
    for name in names:
        monkeypatch.setenv(variable_name(name), "5")
    assert refused() == "POSTURE_QUEUE__MOST_MB and POSTURE_QUEUE__MAX_MB are one setting; remove the old name."


def test_an_old_key_with_a_wrong_value_is_named_as_it_is_written(tmp_path: Path) -> None:
    """So that the owner finds it in the file."""
    file = tmp_path / "a.toml"
    file.write_text("[limits]\npause_most_s = 0\n")
    assert refused(file) == f"{file}: limits.pause_most_s is 0, but must be a number from 1 to 86400."


def test_a_key_that_never_was_is_refused_with_todays_name(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Also when an old name is the nearest."""
    file = tmp_path / "a.toml"
    file.write_text("[limits]\nmemory_mostt_mb = 4096\n")
    assert refused(file) == f"{file}: there is no setting limits.memory_mostt_mb; did you mean limits.max_memory_mb?"
    assert not caplog.messages


def test_old_names_are_documented() -> None:
    """The page of settings ends with the table of them."""
    table = settings_markdown().partition("## Old names\n")[2]
    assert all(f"| `{old}` | `{new}` |\n" in table for old, new in RENAMED.items())


def test_settings_built_directly_know_new_names_only(tmp_path: Path) -> None:
    """Old ones are the matter of what people wrote, not of code."""
    with pytest.raises(ValueError, match="most_mb"):
        Settings(data_dir=tmp_path, queue={"most_mb": 5})  # type: ignore[arg-type]
