"""SIGKILL for the real daemon, at a random moment of each phase; the next one must start without a hand and have everything."""

import time
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

from posture_daemon.fake_desk import FakeDesk
from posture_daemon.store import Store
from tests.fakes.page_owner import PageOwner
from tests.faults.bench import Bench, Owner, Watched
from tests.faults.old_schemas import OLD_SCHEMAS, make_old
from tests.faults.places import SEED, settings_text
from tests.faults.processes import is_alive, kill, stop_of
from tests.faults.witness import Witness, database
from tests.waiting import poll

BEST, WORST = 1, 2
"""Models of the folder; see `places`."""

SHARES = {"start": 15, "write": 25, "label": 25, "train": 6, "promote": 7, "swap": 8, "back up": 9, "migrate": 5}
FAULT = "SIGKILL"
TRIALS_A_FOLDER = 25


class DaemonKills:
    """A series of kills; each begins with the restart after the one before."""

    def __init__(self, bench: Bench) -> None:
        self._bench, self._ledger, self._chance = bench, bench.ledger, bench.chance
        self._folders = 0
        self._owner: Owner | None = None
        self._phases: dict[str, Callable[[Watched, Witness, str], Any]] = {
            "write": self._write, "label": self._label, "train": self._train, "promote": self._promote,
            "swap": self._swap, "back up": self._back_up,
        }  # fmt: skip

    def run(
        self, number: int, phases: dict[str, int] | None = None, go_on: Callable[[int], bool] = lambda _done: True
    ) -> None:
        """So many kills, phases by their shares, or fewer when `go_on` says no.

        After some of them comes a new folder, and the last restart in the old one is stopped in peace.
        """
        shares = phases or SHARES
        names = self._chance.choices([*shares], [*shares.values()], k=number)
        for start in range(0, number, TRIALS_A_FOLDER):
            self._series(names[start : start + TRIALS_A_FOLDER])
            if not go_on(min(number, start + TRIALS_A_FOLDER)):
                return

    def _series(self, names: list[str]) -> None:
        self._folders += 1
        folder = self._bench.folder(f"daemon-{self._folders}")
        witness = Witness(folder)
        before: str | None = None
        witness.changed_answers()
        for name in names:
            began = time.monotonic()
            if name == "migrate":
                self._migrate()
            else:
                self._one(name, before, folder, witness)
                before = name
            self._ledger.of(name, FAULT).seconds += time.monotonic() - began
        if before is not None:
            self._end(before, folder, witness)

    def _one(self, name: str, before: str | None, folder: Path, witness: Witness) -> None:
        """Start (the restart after `before`), look whether all is there, get into the phase, kill at a random moment of it."""
        (folder / "posture-daemon.toml").write_text(
            settings_text(learns=name in ("train", "promote"), backs_up=name == "back up")
        )
        if name == "promote":
            _promote(folder, WORST, witness)
        daemon = self._bench.start(folder, hurried=name == "back up")
        if name == "start":
            time.sleep(self._chance.uniform(0, 0.6))
            self._kill(name, daemon)
            return
        address = self._look(before, witness, daemon)
        witness.promoting = witness.promoting or name in ("train", "promote")
        if address is not None:
            self._phases[name](daemon, witness, address)
        self._kill(name, daemon)
        if self._chance.random() < 0.25:  # at times before anybody else has opened, and so mended, the file
            self._check(name, witness)

    def _kill(self, name: str, daemon: Watched) -> None:
        alone = self._chance.random() < 0.7  # else at once with its training, as when the power goes
        count = self._ledger.of(name, FAULT)
        count.done += 1
        self._ledger.landed[name, _seen(name, daemon)] += 1
        orphans = kill(daemon.process, with_children=not alone)
        count.orphans += len(orphans)
        count.odd.extend(f"orphan {orphan}" for orphan in orphans)
        if self._owner is not None:  # answers were on their way until the end
            self._owner.stop()
            self._owner = None

    def _look(self, before: str | None, witness: Witness, daemon: Watched) -> str | None:
        """After a restart; `before` is the phase in which the daemon before it was killed. The address of the page."""
        if before is None:
            return daemon.wait_ready()
        address = self._bench.count_restart(before, FAULT, daemon)
        if before == "promote":
            self._ledger.landed[before, _record(witness.folder)] += 1
        self._check(before, witness)
        return address

    def _check(self, before: str, witness: Witness) -> None:
        self._bench.check(before, FAULT, witness)
        witness.look()

    def _write(self, daemon: Watched, witness: Witness, _address: str) -> None:
        end = time.monotonic() + self._chance.uniform(0.05, 0.8)
        while time.monotonic() < end and is_alive(daemon.process):
            witness.look()
            time.sleep(0.005)

    def _label(self, _daemon: Watched, witness: Witness, address: str) -> None:
        owner = self._owner = Owner(witness, address).start()
        poll(lambda: owner.given, 10)
        store = Store(witness.folder)
        witness.pause = store.pauses.begin(time.time()).id
        store.close()
        time.sleep(self._chance.uniform(0, 0.7))

    def _train(self, _daemon: Watched, witness: Witness, address: str) -> None:
        self._answer_something(witness, address)
        poll(partial(_trains, witness.folder), 20)
        time.sleep(self._chance.uniform(0, 2.0))

    def _promote(self, daemon: Watched, witness: Witness, address: str) -> None:
        """From the moment when the training child is done until some time after the decision."""
        self._answer_something(witness, address)
        done = poll(lambda: [*witness.folder.glob(".training-*/result.json")], 30)
        poll(lambda: done and not daemon.process.children(), 20)
        time.sleep(self._chance.uniform(0, 0.12))

    def _swap(self, _daemon: Watched, witness: Witness, _address: str) -> None:
        """Somebody makes another model champion; the daemon follows within a second."""
        _promote(witness.folder, BEST if witness.champion != BEST else WORST, witness)
        time.sleep(self._chance.uniform(0, 1.3))

    def _back_up(self, _daemon: Watched, witness: Witness, _address: str) -> None:
        poll((witness.folder / "backups").exists, 10)
        time.sleep(self._chance.uniform(0, 0.4))

    def _answer_something(self, witness: Witness, address: str) -> None:
        """New labels, so that there is something to learn."""
        store = Store(witness.folder)
        store.pauses.end()
        store.close()
        witness.pause = None
        page = PageOwner(address, FakeDesk(seed=SEED), acknowledged=witness.labels)

        def answered() -> int:
            with suppress(OSError, ValueError):
                return page.answer(1)
            return 0

        poll(answered, 10)

    def _migrate(self) -> None:
        """A folder of an older release: killed while it is brought up to date, then started again."""
        revision = self._chance.choice(OLD_SCHEMAS)
        folder = self._bench.folder("old")
        make_old(folder, revision)
        witness = Witness(folder)
        daemon = self._bench.start(folder)
        time.sleep(self._chance.uniform(0, 0.5))
        self._kill("migrate", daemon)
        with database(folder) as connection:
            found = connection.execute("SELECT version_num FROM alembic_version").fetchone()[0]
        self._ledger.landed["migrate", "before the commit" if found == revision else "after the commit"] += 1
        again = self._bench.start(folder)
        self._look("migrate", witness, again)
        kill(again.process)

    def _end(self, before: str, folder: Path, witness: Witness) -> None:
        """The restart after the last kill, then a stop in peace."""
        daemon = self._bench.start(folder)
        self._look(before, witness, daemon)
        if not stop_of(daemon.process, 100):
            self._ledger.of(before, FAULT).odd.append("it did not stop within 100 s")
            kill(daemon.process)
        for name in leftovers(folder):
            self._ledger.leftovers[name] += 1


def leftovers(folder: Path) -> list[str]:
    """The kind of each file that a killed process left and nobody has taken away yet."""
    kinds = {
        "training folders": folder.glob(".training-*"),
        "imports": folder.glob(".import-*"),
        "partial heads": (folder / "models" / "heads").glob(".*"),
        "partial backbones": (folder / "models" / "backbones").glob(".*"),
        "partial backups": (folder / "backups").glob(".*"),
        "partial caches": (folder / "cache").rglob("*.partial"),
    }
    return [kind for kind, found in kinds.items() for _ in found]


def _seen(name: str, daemon: Watched) -> str:
    """What the daemon was doing when it was killed, as far as it can be seen from outside."""
    if not is_alive(daemon.process):
        return "it had ended"
    if name in ("train", "promote"):
        return "beside a training child" if daemon.process.children() else "no training child"
    if name == "back up":
        return "beside a half written copy" if [*daemon.folder.glob("backups/.*")] else "between two copies"
    if name == "swap":
        return "after the swap" if "answers from now on" in daemon.log.read_text() else "before the swap"
    return "running" if daemon.ready() else "starting"


def _record(folder: Path) -> str:
    """The same, as the database tells it afterwards."""
    with database(folder) as connection:
        row = connection.execute("SELECT outcome FROM training_runs ORDER BY id DESC LIMIT 1").fetchone()
    return f"the run is {row[0] if row else 'not there'}"


def _promote(folder: Path, version_id: int, witness: Witness) -> None:
    """As `models rollback` does, in a process that is not the daemon."""
    store = Store(folder)
    store.models.promote(version_id, time.time())
    store.close()
    witness.champion, witness.promoting = version_id, False


def _trains(folder: Path) -> bool:
    with database(folder) as connection:
        return bool(connection.execute("SELECT 1 FROM training_runs WHERE outcome IS NULL").fetchone())
