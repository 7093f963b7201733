"""The health of a daemon, as told by what it last said of itself."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from posture_daemon.errors import UnwellError
from posture_daemon.store.lock import exclusive
from posture_daemon.store.status_file import FILE_NAME, LOCK_NAME, SILENT_S, check_health, read_status, write_status

NOW = 1_000_000.0
WELL = {"pid": 1, "written_at": NOW - 1, "step_s": 0.1, "camera": {"name": "desk", "status": "lost"}}


def test_a_daemon_that_gets_on_is_well_even_without_its_camera() -> None:
    """It looks for a lost camera by itself, and starting it anew would not help; nor does one late word make it ill."""
    check_health(WELL, NOW)
    check_health(WELL | {"written_at": NOW - SILENT_S, "step_s": SILENT_S}, NOW)


@pytest.mark.parametrize(
    ("status", "words"),
    [
        (None, "No posture-daemon is running on this data folder."),
        ({}, "The daemon has not yet told how it is."),
        (WELL | {"written_at": NOW - 31}, "The daemon has said nothing for 31 s."),
        (WELL | {"written_at": NOW + 3600}, "The daemon has said nothing for 3600 s."),
        (WELL | {"step_s": 45.0}, "The capture loop has hung for 45 s."),
    ],
    ids=["none", "starting", "silent", "silent since the clock was set back", "hung"],
)
def test_what_is_wrong_is_one_sentence(status: dict[str, Any] | None, words: str) -> None:
    """Not running, starting, silent, hung."""
    with pytest.raises(UnwellError) as caught:
        check_health(status, NOW)
    assert str(caught.value) == words


def test_what_a_daemon_left_behind_counts_for_nothing(tmp_path: Path) -> None:
    """Only while somebody holds the lock is the file the word of a running daemon; a broken file is no word at all."""
    write_status(tmp_path, WELL)
    assert read_status(tmp_path) is None
    with exclusive(tmp_path / LOCK_NAME):
        assert read_status(tmp_path) == WELL
        (tmp_path / FILE_NAME).write_text("{")
        assert read_status(tmp_path) == {}
