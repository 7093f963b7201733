"""The real daemon on the fake desk: it tells its status, stops, survives being killed, learns and swaps."""

import random
import signal
import sqlite3
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path

import psutil
import pytest

from posture_daemon.bootstrap.demo import SimulatedOwner
from posture_daemon.domain import Outcome, Status
from posture_daemon.fake_desk import FakeDesk
from posture_daemon.settings import Settings, load_settings
from posture_daemon.store import Store
from posture_daemon.store.database import FILE_NAME
from tests.e2e.command import frames_answered, posture_daemon, refused, running, status, told
from tests.fakes.page_owner import PageOwner
from tests.history import seconds_by_posture
from tests.waiting import allowed_s, wait_until

SEED = 37
SETTINGS = f"""\
[ui]
port = 0
[camera]
address = "fake:desk?seed={SEED}&fps=5&speed=120&start=2026-03-02T16:00"
fps = 30
[queue]
unsure_below = 0.95
duplicate_cosine = 0.999
[labels]
block_length_s = 300
[training]
min_new_labels = 40
views = 1
[schedule]
cooldown_s = 3
check_every_s = 1
away_s = 0
[limits]
memory_reserve_mb = 100
start_celsius = 105
pause_celsius = 110
stop_celsius = 115
[promotion]
max_recall_loss = 1.0
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A data folder with settings for a sped-up desk, and the starter as champion."""
    data_dir = tmp_path / "data"
    data_dir.mkdir()
    (data_dir / "posture-daemon.toml").write_text(SETTINGS)
    told(data_dir, "models", "list")
    return data_dir


def settings_of(folder: Path) -> Settings:
    """The settings that the daemon of this folder runs with."""
    return load_settings(None, {"data_dir": folder}).settings


def test_it_tells_its_status_and_stops_within_five_seconds(folder: Path) -> None:
    """`status` works from another process while it runs and after; SIGTERM ends it with code 0."""
    with running(folder) as daemon:
        wait_until(lambda: frames_answered(folder) > 3, "frames")
        found = status(folder)
        assert found["daemon"]["camera"]["status"] == "running"
        assert found["daemon"]["resources"]["memory_available_bytes"] > 0
        assert found["daemon"]["model"] == found["champion"]["id"]
        assert found["daemon"]["next_at"]["learn"] is not None
        assert told(folder, "status", "--check") == "The daemon is well; its camera is running.\n"
        began = time.monotonic()
        daemon.send_signal(signal.SIGTERM)
        assert daemon.wait(100) == 0
        assert time.monotonic() - began < allowed_s(5)
    assert status(folder)["daemon"] is None
    unwell = refused(folder, "status", "--check")
    assert unwell == "posture-daemon: No posture-daemon is running on this data folder.\n"
    assert seconds_by_posture(Store(folder))


def test_the_running_daemon_imports_neither_torch_nor_ultralytics(folder: Path) -> None:
    """Nor what only fits or draws. All of `run`, frames answered and queued, in a process whose modules are then listed."""
    program = f"""
import sys, threading
from pathlib import Path
from posture_daemon.bootstrap.daemon import build_daemon
from posture_daemon.settings import load_settings
stop = threading.Event()
threading.Timer(4, stop.set).start()
build_daemon(load_settings(None, {{"data_dir": Path({str(folder)!r})}}).settings).run(stop)
print(sorted(set(sys.modules) & {{"torch", "torchvision", "ultralytics", "scipy", "matplotlib"}}))
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=600, check=True)
    assert done.stdout.strip() == "[]"
    assert Store(folder).queue.counts()[Status.QUEUED] > 0


def unfinished(store: Store) -> list[int]:
    """The trainings that have begun and not ended."""
    return [run.id for run in store.runs.recent() if run.outcome is None]


@pytest.mark.slow
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_killed_at_any_moment_it_comes_back_with_everything(folder: Path, seed: int) -> None:
    """SIGKILL while frames are kept, labelled and learned from: every acknowledged answer is there, and no process is left."""
    store = Store(folder)
    desk = FakeDesk(seed=SEED)
    with running(folder) as daemon:
        owner = SimulatedOwner(store, settings_of(folder), desk)
        wait_until(lambda: (owner.answer_all(), store.labels.total() >= 8)[1], "labels")
        if seed == 3:  # in the middle of a training; the owner goes on, as the first may have ended before this look
            wait_until(lambda: (owner.answer_all(), unfinished(store))[1], "a training")
        time.sleep(random.Random(seed).uniform(0, 0.5))
        children = psutil.Process(daemon.pid).children(recursive=True)
        labels = store.labels.labelled()
        daemon.kill()
        daemon.wait(50)
        _, alive = psutil.wait_procs(children, timeout=50)
        assert not alive
    assert store.labels.labelled() == labels
    champion = store.models.champion_id()
    with sqlite3.connect(folder / "posture.db") as connection:
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    connection.close()
    with running(folder) as daemon:
        wait_until(lambda: frames_answered(folder) > 0, "frames after the restart")
        assert status(folder)["daemon"]["model"] >= champion  # or what it has learned since
        wait_until(lambda: not unfinished(store), "the dead run's end")
        daemon.send_signal(signal.SIGTERM)
        assert daemon.wait(100) == 0
    assert not list(folder.glob(".training-*"))


def stopped_between_writes(daemon: subprocess.Popen[str], folder: Path) -> bool:
    """Stop it by SIGSTOP; in the middle of a write nobody else could write, so then it goes on."""
    daemon.send_signal(signal.SIGSTOP)
    with closing(sqlite3.connect(folder / FILE_NAME, timeout=0.2, isolation_level=None)) as database:
        try:
            database.execute("BEGIN IMMEDIATE")
        except sqlite3.OperationalError:
            daemon.send_signal(signal.SIGCONT)
            return False
    return True


@pytest.mark.slow
def test_the_loop_closes(folder: Path) -> None:
    """Frames → queue → labels → training → promotion → swap while frames flow; then a rollback that the daemon follows."""
    store = Store(folder)
    owner = SimulatedOwner(store, settings_of(folder), FakeDesk(seed=SEED))
    with running(folder) as daemon:

        def promoted() -> int | None:
            owner.answer_all()
            return next((r.challenger_id for r in store.runs.recent() if r.outcome is Outcome.PROMOTED), None)

        version = wait_until(promoted, "a promotion")
        wait_until(lambda: status(folder)["daemon"]["model"] >= version, "the swap")
        frames = status(folder)["daemon"]["frames"]
        assert frames["skipped"] <= allowed_s(frames["frames"] * 0.05), "stretched like seconds where others work"
        assert frames["failed"] == 0
        assert frames["longest_gap_s"] < allowed_s(2)
        assert "standing" in [c.name for c in store.models.get(version).classes] or store.labels.counts()["standing"]
        wait_until(lambda: stopped_between_writes(daemon, folder), "a moment without a write")  # nor any promotion
        told(folder, "models", "rollback")
        back = store.models.champion_id()
        daemon.send_signal(signal.SIGCONT)
        wait_until(lambda: status(folder)["daemon"]["model"] == back, "the rollback")


def test_the_end_of_a_recording_ends_the_daemon(folder: Path, tmp_path: Path) -> None:
    """A finite replay is watched to its end; then the daemon ends by itself, with code 0."""
    import cv2

    desk = FakeDesk(seed=2)
    (tmp_path / "frames").mkdir()
    for i in range(5):
        cv2.imwrite(str(tmp_path / "frames" / f"{i}.jpg"), desk.render(desk.start + 60 * i))
    done = posture_daemon(folder, "run", "--camera", f"replay:{tmp_path / 'frames'}?fps=10")
    assert done.returncode == 0
    assert "end" in done.stderr


@pytest.mark.slow
def test_a_lesson_uses_the_camera_of_the_running_daemon(folder: Path) -> None:
    """On its page: frames are labelled by what was asked, while the daemon goes on; stopped, nothing of it is lost."""
    with running(folder):
        wait_until(lambda: frames_answered(folder) > 3, "frames")
        page = PageOwner(str(status(folder)["daemon"]["page"]), FakeDesk(seed=SEED), timeout_s=100)
        page.call("api/teach", {"classes": ["good_posture", "bad_posture"]})
        before = frames_answered(folder)
        kept = wait_until(lambda: (page.call("api/teach").get("frames") or {}).get("good_posture"), "a kept frame")
        page.call("api/teach/stop", {})
        wait_until(lambda: page.call("api/teach")["phase"] == "stopped", "the end of the lesson")
        assert frames_answered(folder) > before
        labelled = Store(folder).labels.labelled()
        assert len(labelled) >= int(kept)
        names = {image.class_name for image in labelled}
        assert "good_posture" in names
        assert names <= {"good_posture", "bad_posture"}, "a slow machine may have come to the second pose"
