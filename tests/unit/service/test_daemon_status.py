"""What a daemon says of itself: the trip through the file, what older versions and broken files say, and its health."""

import json
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import psutil
import pytest

from posture_daemon.device.resources import Resources, ThermalZone
from posture_daemon.domain import PostureState
from posture_daemon.errors import UnwellError
from posture_daemon.service.daemon_status import (
    SILENT_S,
    CameraSaid,
    DaemonStatus,
    FrameCounts,
    OnlineState,
    Sees,
    camera_trouble,
    check_health,
    learned_today,
    read_status,
    why_stale,
    write_status,
)
from posture_daemon.store.json_values import as_json
from posture_daemon.store.lock import exclusive
from posture_daemon.store.status_file import FILE_NAME, LOCK_NAME, is_damaged, stopped_cleanly

NOW = 1_000_000.0
WELL = DaemonStatus(
    pid=1,
    started_at=NOW - 60,
    written_at=NOW - 1,
    camera=CameraSaid("desk", "lost", NOW - 5, "gone", 9, size=(1280, 720)),
    posture=PostureState("good", NOW - 30),
    step_s=0.1,
    sees=Sees("good", 0.75),
    frames=FrameCounts(9, 1, 0, 2, 0.5),
    routed={"kept": 2},
    model=3,
    online=OnlineState(2, True, "learned from 2 answers today"),
    resources=Resources(memory_available_bytes=5, zones=(ThermalZone("cpu", 50.5, {"hot": 99.0}),), sources=("proc",)),
    next_at={"learn": NOW + 60, "watch": None},
)


def test_a_daemon_that_gets_on_is_well_even_without_its_camera() -> None:
    """It looks for a lost camera by itself, and starting it anew would not help; nor does one late word make it ill."""
    check_health(WELL, NOW)
    check_health(replace(WELL, written_at=NOW - SILENT_S, step_s=SILENT_S), NOW)


@pytest.mark.parametrize(
    ("status", "words"),
    [
        (None, "No posture-daemon is running on this data folder."),
        (DaemonStatus(), "The daemon has not yet told how it is."),
        (replace(WELL, written_at=NOW - 31), "The daemon has said nothing for 31 s."),
        (replace(WELL, written_at=NOW + 3600), "The daemon has said nothing for 3600 s."),
        (replace(WELL, step_s=45.0), "The capture loop has hung for 45 s."),
    ],
    ids=["none", "starting", "silent", "silent since the clock was set back", "hung"],
)
def test_what_is_wrong_is_one_sentence(status: DaemonStatus | None, words: str) -> None:
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
        for broken in (WELL.to_json()[:80], "{", "", "[]", "null", '{"camera": {"error": "dark"}}', "\udcff"):
            (tmp_path / FILE_NAME).write_bytes(broken.encode(errors="surrogateescape"))
            assert read_status(tmp_path) == DaemonStatus()
            assert camera_trouble(tmp_path, NOW) is None


def test_only_a_clean_stop_is_one(tmp_path: Path) -> None:
    """The words of a running daemon do not name it at all, so that older versions are not misled either."""
    write_status(tmp_path, WELL)
    assert not stopped_cleanly(tmp_path)
    write_status(tmp_path, replace(WELL, stopped_at=NOW))
    assert stopped_cleanly(tmp_path)
    assert not is_damaged(tmp_path)


def test_for_programs_nothing_is_said_while_it_starts() -> None:
    """An empty object, then every key, known or not."""
    assert as_json(DaemonStatus()) == {}
    assert {"page", "away_s", "posture"} <= set(as_json(DaemonStatus(pid=1)))


@pytest.mark.parametrize(
    ("changed", "known"),
    [
        ({"mood": "fine"}, WELL),
        (
            {"camera": {"name": "desk", "status": "running", "lens": 2}},
            replace(WELL, camera=CameraSaid("desk", "running")),
        ),
        ({"camera": {"error": "dark"}}, replace(WELL, camera=CameraSaid(error="dark"))),
        ({"camera": "desk"}, replace(WELL, camera=None)),
        ({"frames": {"frames": "many"}, "step_s": None}, replace(WELL, frames=None, step_s=0.0)),
        ({"online": {"answers": "two"}}, replace(WELL, online=None)),
        ({"resources": {"zones": 7}}, replace(WELL, resources=Resources())),
        ({"next_at": None, "sees": {"label": "good"}}, replace(WELL, next_at={}, sees=None)),
    ],
    ids=[
        "a key more",
        "a key more below",
        "keys missing",
        "no object",
        "no numbers",
        "no number of answers",
        "no list",
        "nulls",
    ],
)
def test_what_another_version_wrote_is_read_as_far_as_it_can_be(
    changed: dict[str, object], known: DaemonStatus
) -> None:
    """Key by key: what is not understood is unknown, and the rest counts."""
    assert DaemonStatus.from_json(json.dumps({**as_json(WELL), **changed})) == known


def test_an_older_version_said_less() -> None:
    """Only a process number is needed for it to be a word of a daemon."""
    assert DaemonStatus.from_json('{"pid": 4, "model": 2}') == DaemonStatus(pid=4, model=2)


def test_who_answers_is_told_while_a_daemon_runs_that_was_answered(tmp_path: Path) -> None:
    """In words for the page; nothing before the first answer, of a daemon that has ended, and of an older version."""
    write_status(tmp_path, WELL)
    assert learned_today(tmp_path) == ""
    with exclusive(tmp_path / LOCK_NAME):
        assert learned_today(tmp_path) == "learned from 2 answers today"
        for online in (OnlineState(), None):
            write_status(tmp_path, replace(WELL, online=online))
            assert learned_today(tmp_path) == ""


def test_an_older_version_has_no_line_about_answers() -> None:
    """`online` is the third state of who answers: a program sees null where nothing is known."""
    assert as_json(replace(WELL, online=None))["online"] is None
    assert as_json(WELL)["online"] == {"answers": 2, "serving": True, "why": "learned from 2 answers today"}


@pytest.mark.parametrize("age_s", [0.0, 4.9, -4.9])
def test_fresh_words_are_not_called_old(tmp_path: Path, age_s: float) -> None:
    """It speaks each second, and a clock that is slewed is no reason to say anything."""
    assert why_stale(tmp_path, replace(WELL, written_at=NOW - age_s), NOW) is None
    assert why_stale(tmp_path, DaemonStatus(), NOW) is None, "one that has not spoken is starting"


@pytest.mark.parametrize(
    ("free", "read_only", "state", "age_s", "words"),
    [
        (0, False, "running", 320, "the daemon last said how it is 5 minutes ago: the disk of {} is full"),
        (10**9, True, "running", 9_000, "2 hours ago: the disk of {} has become read-only"),
        (10**9, False, psutil.STATUS_STOPPED, 7, "7 s ago: process 1 is stopped; wake it with kill -CONT 1."),
        (10**9, False, "running", 400_000, "5 days ago: it is busy or hangs; if that lasts, see its log"),
        (10**9, False, "running", -7_300, "is dated 2 hours ahead of now: the clock was set back."),
    ],
)
def test_old_words_are_called_old_and_the_reason_is_given(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, free: int, read_only: bool, state: str, age_s: float, words: str
) -> None:
    """The owner looks at what a daemon said before its disk was full, and must not take it for now."""
    monkeypatch.setattr("shutil.disk_usage", lambda folder: SimpleNamespace(free=free))
    monkeypatch.setattr("posture_daemon.service.daemon_status.on_read_only_mount", lambda folder: read_only)
    monkeypatch.setattr(psutil.Process, "status", lambda self: state)
    assert words.format(tmp_path) in str(why_stale(tmp_path, replace(WELL, written_at=NOW - age_s), NOW))


def test_the_page_is_told_why_nothing_comes_of_a_silent_daemon(tmp_path: Path) -> None:
    """Its camera was fine when it last spoke, which says nothing of now."""
    with exclusive(tmp_path / LOCK_NAME):
        write_status(tmp_path, replace(WELL, written_at=NOW - 60, camera=CameraSaid("desk", "ok")))
        assert "60 s ago" in str(camera_trouble(tmp_path, NOW))
