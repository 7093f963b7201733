"""SIGKILL for a worker that does nothing but store operations: hundreds of kills in the narrow moments around a commit."""

import sqlite3
import time
from collections.abc import Callable
from contextlib import closing
from itertools import cycle, islice
from pathlib import Path
from typing import Any

from posture_daemon.bootstrap.models import champion
from posture_daemon.errors import PostureError
from posture_daemon.store import Store
from tests.faults.bench import Bench
from tests.faults.kills import leftovers
from tests.faults.old_schemas import OLD_SCHEMAS, make_old
from tests.faults.processes import is_alive, kill
from tests.faults.witness import Witness, database
from tests.faults.worker import WORK, acknowledged
from tests.waiting import poll

FAULT = "SIGKILL, worker"
TRIALS_A_FOLDER = 25
READY_S = 200.0
Said = list[Any]


class WorkerKills:
    """A series of kills; after each the store is opened, which mends what there is to mend, and asked."""

    def __init__(self, bench: Bench) -> None:
        self._bench, self._ledger, self._chance = bench, bench.ledger, bench.chance

    def run(self, number: int, go_on: Callable[[int], bool] = lambda _done: True) -> None:
        """So many kills, the phases in turn, or fewer when `go_on` says no."""
        phases = [*islice(cycle(WORK), number)]
        for start in range(0, number, TRIALS_A_FOLDER):
            folder = self._bench.folder(f"worker-{start}")
            witness = Witness(folder)
            for phase in sorted(phases[start : start + TRIALS_A_FOLDER]):
                began = time.monotonic()
                self._one(folder, phase, witness)
                self._ledger.of(phase, FAULT).seconds += time.monotonic() - began
            for kind in leftovers(folder):
                self._ledger.leftovers[kind] += 1
            if not go_on(min(number, start + TRIALS_A_FOLDER)):
                return

    def _one(self, folder: Path, phase: str, witness: Witness) -> None:
        if phase == "migrate":
            folder = self._bench.folder("old")
            make_old(folder, self._chance.choice(OLD_SCHEMAS))
            witness = Witness(folder)
        file = folder.with_name(f"{folder.name}.acknowledged")
        file.unlink(missing_ok=True)
        log = folder.with_name(f"{folder.name}.log")
        process = self._bench.nursery.fork("tests.faults.worker", folder, phase, file, out=log)
        if phase != "migrate":
            poll(lambda: file.exists() or not is_alive(process), READY_S)
        time.sleep(self._chance.uniform(0, 0.15))
        count = self._ledger.of(phase, FAULT)
        if not is_alive(process):
            count.odd.append(f"the worker ended by itself: {log.read_text()[-400:]}")
        count.done += 1
        count.orphans += len(kill(process))
        self._check(folder, phase, [*acknowledged(file)], witness)

    def _check(self, folder: Path, phase: str, said: list[Said], witness: Witness) -> None:
        count = self._ledger.of(phase, FAULT)
        count.restarts += 1
        try:
            store = Store(folder)
        except PostureError as error:
            count.hands += 1
            count.odd.append(f"no restart: {error}")
            return
        try:
            _remember(said, witness)
            found = [*witness.missing(), *_champion_unlike(store), *_backups_unlike(store, said)]
        finally:
            store.close()
        self._ledger.lose(phase, FAULT, found)
        self._ledger.acknowledged += len(said)
        witness.look()


def _remember(said: list[Said], witness: Witness) -> None:
    """Put what was acknowledged into the witness; what was under way may be either way."""
    with database(witness.folder) as connection:
        at = dict(connection.execute("SELECT id, captured_at FROM frames"))
        digests = dict(connection.execute("SELECT id, sha256 FROM frames"))
    for kind, *values in said:
        if kind == "frame":
            frame_id, captured_at = values
            witness.frames[frame_id] = digests.get(frame_id, "gone") if at.get(frame_id) == captured_at else "gone"
        elif kind == "label":
            witness.labels.update({(frame_id, at.get(frame_id, 0.0)): values[1] for frame_id in values[0]})
        elif kind == "undoing":
            for frame_id in values[0]:
                witness.labels.pop((frame_id, at.get(frame_id, 0.0)), None)
        elif kind == "pausing":
            witness.pause = None
        elif kind == "pause":
            witness.pause = values[0]
        elif kind in ("promoting", "champion"):
            witness.promoting = kind == "promoting"
            witness.champion = witness.champion if witness.promoting else values[0]


def _champion_unlike(store: Store) -> list[str]:
    """The champion's file is whole, whoever it is."""
    try:
        store.models.read_head(champion(store).head_sha256)
    except PostureError as error:
        return [str(error)]
    return []


def _backups_unlike(store: Store, said: list[Said]) -> list[str]:
    """The last copy that was acknowledged is there, or a newer one; all that have a name are whole."""
    there = store.backups.list()
    found = []
    for backup in there:
        with closing(sqlite3.connect(backup.path)) as connection:
            checked = connection.execute("PRAGMA integrity_check").fetchone()[0]
        found += [] if checked == "ok" else [f"{backup.path.name}: {checked}"]
    made = [values[0] for kind, *values in said if kind == "backup"]
    if made and not any(str(backup.path) >= made[-1] for backup in there):
        found.append(f"backup {made[-1]}")
    return found
