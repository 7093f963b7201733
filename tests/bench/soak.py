"""An hour in the life of the daemon: whether it grows, and whether it keeps up.

    python tests/bench/soak.py [--minutes 60] [--warm-up 10] [--out docs/images]

The real daemon in a process of its own, on the fake desk at 10 frames a second. An owner in this process answers over HTTP
all the time, trainings begin every few minutes, the champion changes by promotion and by `models rollback`, backups, tidying
and refits run on short intervals. Every ten seconds the daemon is looked at from outside. `soak.csv` and `soak.png` keep what
was seen, and the exit code says whether the bars are met.
"""

import shutil
import sqlite3
import sys
import tempfile
import time
from contextlib import closing
from datetime import datetime, timedelta, timezone
from pathlib import Path

import psutil

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from posture_daemon.fake_desk import FakeDesk
from tests.bench.shared import REPOSITORY, Daemon, machine, options, tell
from tests.bench.soak_report import Sample, draw, read_csv, report, write_csv
from tests.e2e.command import environment
from tests.fakes.page_owner import PageOwner
from tests.waiting import wait_until

SEED = 37
SETTINGS = f"""\
[camera]
address = "fake:desk?seed={SEED}&fps=10&speed=12"
fps = 10
[queue]
unsure_below = 0.95
audit_share = 0.02
duplicate_cosine = 0.999
max_frames = 300
max_per_day = 100000
[labels]
block_length_s = 600
[training]
min_new_labels = 20
[schedule]
check_every_s = 10
cooldown_s = 120
away_s = 0
backup_every_h = 0.2
tidy_every_h = 0.25
calibrate_every_h = 0.25
[limits]
memory_reserve_mb = 256
start_celsius = 105
pause_celsius = 110
stop_celsius = 115
[promotion]
min_probability = 0.6
max_recall_loss = 0.2
[ui]
port = 0
"""
SAMPLE_EVERY_S, ROLL_BACK_EVERY_S = 10.0, 600.0
ANSWERS_A_TIME = 1


def main() -> int:
    """Run, or with `--report` only read what an earlier run has written; `--begin-with` takes a copy of a data folder.

    Of the minutes, those of `--warm-up` do not count; `--answer-every` so many seconds the owner answers.
    """
    place = REPOSITORY / "docs" / "images"
    given = options(__doc__, minutes=60.0, warm_up=10.0, out=place, begin_with=None, answer_every=4.0, report=False)
    file = given.out / "soak.csv"
    if not given.report:
        with tempfile.TemporaryDirectory(prefix="soak-") as folder:
            write_csv(file, Soak(Path(folder), given.begin_with, given.answer_every).run(given.minutes * 60, file))
    samples = read_csv(file)
    draw(samples, given.warm_up * 60, given.out / "soak.png")
    tell(f"one run; {machine()}")
    return report(samples, given.warm_up * 60)


def _day_after(folder: Path) -> datetime:
    """The week after the newest frame, since what was seen once is not asked about again."""
    with closing(sqlite3.connect(folder / "posture.db")) as connection:
        [newest] = connection.execute("SELECT max(captured_at) FROM frames").fetchone()
    return datetime.fromtimestamp(newest, timezone.utc) + timedelta(days=7)


class Soak:
    """One run in a data folder of its own."""

    def __init__(self, folder: Path, begin_with: Path | None, answer_every_s: float) -> None:
        self.folder, self.answer_every_s, settings = folder, answer_every_s, SETTINGS
        if begin_with is not None:
            shutil.copytree(begin_with, folder, dirs_exist_ok=True)
            settings = SETTINGS.replace("speed=12", f"speed=12&start={_day_after(folder):%Y-%m-%dT08:00}")
        self.daemon = Daemon(folder, settings, environment())
        self.labels = self.rollbacks = 0

    def run(self, seconds: float, file: Path) -> list[Sample]:
        """Look at the daemon for so long; `file` is written as it goes, so that a run that ends early shows what it saw."""
        self.daemon.start()
        assert self.daemon.process is not None
        try:
            address = wait_until(lambda: self.daemon.status().get("page"), "the page")
            owner = PageOwner(address, FakeDesk(seed=SEED))
            return self._watch(psutil.Process(self.daemon.process.pid), owner, seconds, file)
        finally:
            tell(f"the daemon ended with code {self.daemon.stop()}")
            said = self.daemon.log().splitlines()
            tell(*(f"  {line}" for line in said if "WARNING" in line or "ERROR" in line or "PROMOTED" in line))

    def _watch(self, process: psutil.Process, owner: PageOwner, seconds: float, file: Path) -> list[Sample]:
        began = time.monotonic()
        answer_at, sample_at, roll_back_at = 0.0, SAMPLE_EVERY_S, ROLL_BACK_EVERY_S
        samples: list[Sample] = []
        while (now := time.monotonic() - began) < seconds and process.is_running():
            if now >= sample_at:
                samples.append(self._sample(process, now))
                write_csv(file, samples)
                sample_at += SAMPLE_EVERY_S
            elif now >= answer_at:
                self._answer(owner)
                answer_at = now + self.answer_every_s
            elif now >= roll_back_at:
                self.rollbacks += self.daemon.run("models", "rollback").returncode == 0
                roll_back_at += ROLL_BACK_EVERY_S
            time.sleep(0.1)
        return samples

    def _answer(self, owner: PageOwner) -> None:
        try:
            self.labels += owner.answer(ANSWERS_A_TIME)
        except OSError as error:  # counted by its absence in the labels; a daemon that is gone ends the loop
            tell(f"an answer failed: {error}")

    def _sample(self, process: psutil.Process, now: float) -> Sample:
        said = self.daemon.status()
        # Threads first: reading the others takes a while, in which a job may end.
        threads, handles = process.num_threads(), process.num_fds()
        sizes = [self._size(name) for name in ("posture.db", "posture.db-wal")]
        return Sample(
            seconds=round(now, 1),
            **_memory(process.pid),
            children=_children(process),
            handles=handles,
            threads=threads,
            frames=said["frames"]["frames"],
            skipped=said["frames"]["skipped"],
            longest_gap_s=round(said["frames"]["longest_gap_s"], 3),
            model=said["model"],
            labels=self.labels,
            rollbacks=self.rollbacks,
            database=sizes[0],
            wal=sizes[1],
            load=round(psutil.getloadavg()[0], 2),
        )

    def _size(self, name: str) -> int:
        try:
            return (self.folder / name).stat().st_size
        except FileNotFoundError:
            return 0


def _memory(pid: int) -> dict[str, int]:
    """Bytes by kind, from the kernel's own sums over the mappings of the process."""
    found = dict(line.split(":", 1) for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()[1:])
    kb = {name: int(text.split()[0]) * 1024 for name, text in found.items()}
    return {
        "rss": kb["Rss"],
        "pss": kb["Pss"],
        "uss": kb["Private_Clean"] + kb["Private_Dirty"],
        "anonymous": kb["Anonymous"] + kb.get("Swap", 0),
    }


def _children(process: psutil.Process) -> int:
    total = 0
    for child in process.children(recursive=True):
        try:
            total += _memory(child.pid)["pss"]
        except (OSError, psutil.Error, KeyError, ValueError):  # it has just ended
            continue
    return total


if __name__ == "__main__":
    sys.exit(main())
