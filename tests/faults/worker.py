"""Store operations in a loop, as fast as they go, each written down as soon as it has returned. Made to be killed.

    python -m tests.faults.worker FOLDER PHASE ACKNOWLEDGEMENTS

The acknowledgements are lines of JSON in a file beside the folder, written after the operation with one `write` each: what
the kernel has of them outlives the process, as what a person was told does.
"""

import itertools
import json
import os
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np

from posture_daemon.bootstrap.models import champion
from posture_daemon.domain import NewFrame, Reason
from posture_daemon.store import Store
from posture_daemon.vision.head import Head

GAP_S, LENGTH_S = 300.0, 900.0
Say = Callable[..., None]


def main() -> None:
    """Work until killed."""
    folder, phase, acknowledgements = sys.argv[1:4]
    descriptor = os.open(acknowledgements, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)

    def say(kind: str, *values: object) -> None:
        os.write(descriptor, (json.dumps([kind, *values]) + "\n").encode())

    store = Store(Path(folder))
    say("open")
    for number in itertools.count(int(time.time() * 1000)):
        WORK[phase](store, number, say)


def write(store: Store, number: int, say: Say) -> None:
    """A frame, and at times an eviction."""
    frame = NewFrame(number.to_bytes(8, "big") * 1000, float(number), "camera", Reason.UNCERTAIN, "unsure")
    say("frame", store.queue.add(frame, float(number), GAP_S, LENGTH_S), float(number))


def label(store: Store, number: int, say: Say) -> None:
    """An answer, at times to a whole group, at times taken back."""
    waiting = [frame.id for frame in store.queue.waiting()[:3]]
    if len(waiting) < 3:
        for more in range(20):
            write(store, number * 100 + more, say)
        return
    names = [c.name for c in store.labels.classes()]
    name = names[number % len(names)]
    done, _, _ = store.labels.answer_waiting(waiting, name, "owner", time.time(), 3)
    say("label", done, name)
    if number % 7 == 0:
        say("undoing", done)
        store.steps.undo(time.time())
        say("undone", done)


def promote(store: Store, number: int, say: Say) -> None:
    """A new model becomes champion: file, row, role."""
    before = champion(store)
    head = Head.from_bytes(store.models.read_head(before.head_sha256))
    changed = replace(head, linear_bias=np.asarray(head.linear_bias) + np.float32(number % 1000) / 1e6)
    digest = store.models.add_head(changed.to_bytes())
    version = store.models.add_version(replace(before, head_sha256=digest, parent_id=before.id))
    say("promoting", version.id)
    store.models.promote(version.id, time.time(), watched=number % 2 == 0)
    say("champion", version.id, digest)


def pause(store: Store, number: int, say: Say) -> None:
    """The owner changes their mind."""
    say("pausing")
    if number % 3:
        say("pause", store.pauses.begin(time.time()).id)
    else:
        store.pauses.end()
        say("pause", None)


def back_up(store: Store, number: int, say: Say) -> None:
    """A copy; two are kept."""
    write(store, number, say)
    path = store.backups.make(float(number % 10**9), 2)  # a second each, so that each has a name of its own
    say("backup", str(path))


def migrate(store: Store, _number: int, _say: Say) -> None:
    """It has happened by now: wait for the end."""
    del store
    time.sleep(60)


WORK: dict[str, Callable[[Store, int, Say], None]] = {
    "write": write, "label": label, "promote": promote, "pause": pause, "back up": back_up, "migrate": migrate,
}  # fmt: skip


def acknowledged(file: Path) -> Iterator[list[object]]:
    """What a worker has said, in order."""
    if file.exists():
        yield from (json.loads(line) for line in file.read_text().splitlines())


if __name__ == "__main__":
    main()
