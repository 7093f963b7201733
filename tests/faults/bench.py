"""What every fault needs: a folder, a daemon on it that is being used, and the questions that are asked afterwards."""

from __future__ import annotations

import random
import re
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import psutil

from posture_daemon.fake_desk import FakeDesk
from tests.fakes.page_owner import PageOwner
from tests.faults.ledger import Ledger
from tests.faults.places import SEED, camera, copy_of, settings_text
from tests.faults.processes import Nursery, is_alive, kill
from tests.faults.witness import Witness
from tests.waiting import poll

READY_S, MENDED_S = 600.0, 450.0


class Watched:
    """A daemon on a folder, seen through its log."""

    def __init__(self, process: psutil.Process, folder: Path, log: Path) -> None:
        self.process, self.folder, self.log = process, folder, log

    def ready(self) -> str | None:
        """The address of its page, once it says that it runs."""
        said = self.log.read_text(errors="replace")
        found = re.search(r"label page is at (\S+)", said)
        return found.group(1) if found and "running: camera" in said else None

    def wait_ready(self) -> str | None:
        """The same, after waiting for it; `None` when it has ended or says nothing."""
        poll(lambda: self.ready() or not is_alive(self.process), READY_S)
        return self.ready() if is_alive(self.process) else None

    def failed_badly(self) -> bool:
        """Whether it said something that no user should read."""
        said = self.log.read_text(errors="replace")
        return "Traceback" in said or "a bug in posture-daemon" in said

    def last_words(self) -> str:
        """The end of its log."""
        return self.log.read_text(errors="replace")[-600:]


class Owner:
    """Answers in a thread until told to stop; a refusal or a daemon that is gone is not an answer."""

    def __init__(self, witness: Witness, address: str) -> None:
        self._page = PageOwner(address, FakeDesk(seed=SEED), timeout_s=15, acknowledged=witness.labels)
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._answer)
        self.given = 0

    def start(self) -> Owner:
        """Begin."""
        self._thread.start()
        return self

    def stop(self) -> None:
        """What was not acknowledged is nobody's promise."""
        self._over.set()
        self._thread.join()

    def _answer(self) -> None:
        while not self._over.is_set():
            with suppress(OSError, ValueError):
                self.given += self._page.answer(2)
            self._over.wait(0.02)


@dataclass
class Bench:
    """Where faults are tried; `chance` decides their moments."""

    nursery: Nursery
    template: Path
    place: Path
    ledger: Ledger
    chance: random.Random
    day: int = 0
    logs: int = field(default=0)

    def folder(self, name: str, *, learns: bool = False, inside: Path | None = None) -> Path:
        """A fresh data folder."""
        folder = copy_of(self.template, (inside or self.place) / name)
        (folder / "posture-daemon.toml").write_text(settings_text(learns=learns))
        return folder

    def log(self) -> Path:
        """A new file for what a process says, never inside the folder that has the fault."""
        self.logs += 1
        path = self.place / f"said-{self.logs}.log"
        path.write_text("")
        return path

    def start(self, folder: Path, *, hurried: bool = False) -> Watched:
        """Start a daemon; no two see the same day at the desk."""
        self.day += 1
        log = self.log()
        arguments = ("--data-dir", folder, "run", "--camera", camera(self.day))
        return Watched(self.nursery.fork("posture_daemon.cli", *arguments, out=log, hurried=hurried), folder, log)

    @contextmanager
    def in_use(self, daemon: Watched, witness: Witness) -> Iterator[Owner | None]:
        """For the block, an owner answers and somebody looks what is there; `None` when the daemon does not start."""
        address = daemon.wait_ready()
        if address is None:
            yield None
            return
        owner = Owner(witness, address).start()
        try:
            poll(lambda: owner.given, MENDED_S)
            witness.look()
            yield owner
        finally:
            owner.stop()

    def restart(self, phase: str, fault: str, folder: Path, witness: Witness) -> None:
        """SIGKILL is done with; start again, and look whether all is there."""
        daemon = self.start(folder)
        self.count_restart(phase, fault, daemon)
        self.check(phase, fault, witness)
        self.ledger.of(phase, fault).orphans += len(kill(daemon.process))

    def count_restart(self, phase: str, fault: str, daemon: Watched) -> str | None:
        """Wait for it, and count a hand that would be needed; returns the address of its page."""
        count, address = self.ledger.of(phase, fault), daemon.wait_ready()
        count.restarts += 1
        if address is None:
            count.hands += 1
            count.odd.append(f"no restart: {daemon.last_words()}")
        return address

    def check(self, phase: str, fault: str, witness: Witness) -> None:
        """Look whether everything that was acknowledged is there."""
        self.ledger.lose(phase, fault, [*witness.missing(), *witness.changed_answers()])
        self.ledger.acknowledged += len(witness.labels) + len(witness.frames) + len(witness.decisions) + 1

    def goes_on(self, phase: str, fault: str, daemon: Watched, owner: Owner, witness: Witness) -> None:
        """The fault is over: without a restart, answers are acknowledged and frames kept again."""
        given, kept = owner.given, len(witness.frames)
        count = self.ledger.of(phase, fault)
        if not poll(lambda: owner.given > given or not is_alive(daemon.process), MENDED_S) or not is_alive(
            daemon.process
        ):
            count.odd.append(f"no answers after it: {daemon.last_words()}")
        poll(lambda: _more_frames(witness, kept), MENDED_S)
        if len(witness.frames) <= kept:
            count.odd.append(f"no frames after it: {daemon.last_words()}")


def wait_a_moment(chance: random.Random, max_s: float) -> None:
    """A random one."""
    time.sleep(chance.uniform(0, max_s))


def _more_frames(witness: Witness, kept: int) -> bool:
    witness.look()
    return len(witness.frames) > kept
