"""What the daemon does for itself: when it is due, and that a failure is only a line in the log."""

from typing import Any

import pytest

from posture_daemon.daemon import maintenance as upkeep_module
from posture_daemon.daemon.maintenance import Maintenance
from posture_daemon.errors import DatabaseDamaged, DataFolderError
from posture_daemon.learning.recalibrate import Recalibrator
from posture_daemon.settings import ScheduleSettings, Settings
from posture_daemon.store import Store
from tests.builders import add_champion
from tests.checks import raising
from tests.fakes.backbone import StandInBackbone

DAY = 86_400.0
NOW = 20_000 * DAY


@pytest.fixture
def store(store: Store) -> Store:
    """A data folder with a champion."""
    add_champion(store, "good", "bad")
    return store


def upkeep_at(store: Store, now: float, **schedule: Any) -> Maintenance:
    """Upkeep at a time."""
    settings = Settings(data_dir=store.folder, schedule=ScheduleSettings(**schedule))
    recalibrator = Recalibrator(store, lambda _version: StandInBackbone(), settings)
    return Maintenance(store, recalibrator, settings, clock=lambda: now)


@pytest.mark.parametrize(
    ("later_s", "copies"),
    [(60.0, 1), (DAY - 1, 1), (DAY, 2), (-400 * DAY, 2)],
    ids=["soon", "almost", "due", "clock back"],
)
def test_a_backup_is_made_when_the_newest_is_a_day_old(store: Store, later_s: float, copies: int) -> None:
    """Whoever made it, and whenever the daemon was started; a copy from the future counts for nothing."""
    upkeep_at(store, NOW).back_up()
    upkeep_at(store, NOW + later_s).back_up()
    assert len(store.backups.list()) == copies


def test_only_so_many_backups_are_kept(store: Store) -> None:
    """The newest."""
    for day in range(5):
        upkeep_at(store, NOW + day * DAY, backups=2).back_up()
    assert [copy.made_at for copy in store.backups.list()] == [NOW + 4 * DAY, NOW + 3 * DAY]


def test_what_is_switched_off_is_no_job(store: Store) -> None:
    """Zero hours are never. Free memory always goes back."""
    always = ["give back memory"]
    assert [job.name for job in upkeep_at(store, NOW).jobs()] == [*always, "backup", "tidy", "calibrate"]
    off = upkeep_at(store, NOW, backup_every_h=0, tidy_every_h=0, calibrate_every_h=0)
    assert [job.name for job in off.jobs()] == always


def test_a_job_that_fails_is_a_line_in_the_log(
    store: Store, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """The next time it is tried again; the daemon does not end of it."""
    monkeypatch.setattr(store.backups, "make", raising(DataFolderError("The disk is full; free some space.")))
    for job in upkeep_at(store, NOW).jobs():
        job.run()
    assert caplog.messages == ["The disk is full; free some space."]


@pytest.mark.parametrize("sound", [True, False])
def test_a_backup_that_fails_tells_whether_the_database_itself_is_damaged(
    store: Store, monkeypatch: pytest.MonkeyPatch, sound: bool
) -> None:
    """Only that is a reason to start anew; the copy alone may lie on a bad place."""
    monkeypatch.setattr(store.backups, "make", raising(DatabaseDamaged("The copy does not pass its check.")))
    monkeypatch.setattr(upkeep_module, "is_good", lambda _: sound)
    upkeep = upkeep_at(store, NOW)
    for job in upkeep.jobs():
        job.run()
    assert (upkeep.damage is None) == sound
