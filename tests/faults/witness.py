"""Who remembers what was acknowledged, and looks whether it is still so: labels, frames, decisions, answers of the champion."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from posture_daemon.bootstrap.models import champion, load_model
from posture_daemon.domain import Floats
from posture_daemon.errors import PostureError
from posture_daemon.fake_desk import FakeDesk
from posture_daemon.ports import Backbone
from posture_daemon.store import Store
from posture_daemon.store.files import sha256_of
from tests.faults.places import SEED

DECIDED = ("PROMOTED", "KEPT", "ROLLED_BACK")
Frame = tuple[int, float]
"""Id and capture time."""


@contextmanager
def database(folder: Path) -> Iterator[sqlite3.Connection]:
    """The file as any program reads it."""
    with closing(sqlite3.connect(folder / "posture.db", timeout=30)) as connection:
        yield connection


@dataclass
class Witness:
    """One per data folder. What is in it was acknowledged: by a reply, or by being there for everybody to read."""

    folder: Path
    labels: dict[Frame, str] = field(default_factory=dict)
    frames: dict[int, str] = field(default_factory=dict)
    decisions: dict[int, tuple[str, int | None]] = field(default_factory=dict)
    champion: int | None = None
    pause: int | None = None
    promoting: bool = False
    """Whether the daemon may make another model champion by itself meanwhile."""
    _answers: dict[int, Floats] = field(default_factory=dict)
    _backbone: Backbone | None = None
    _desk: FakeDesk = field(default_factory=lambda: FakeDesk(seed=SEED))

    def __post_init__(self) -> None:
        self.look()

    def look(self) -> None:
        """Take down what everybody can read now: frames that are kept, decisions that are recorded, who is champion."""
        with database(self.folder) as connection:
            self.frames.update(connection.execute("SELECT id, sha256 FROM frames").fetchall())
            self.decisions.update(_decisions(connection))
            self.champion = _champion(connection)

    def missing(self) -> list[str]:
        """What is not as it was acknowledged, in words; empty when all is well."""
        with database(self.folder) as connection:
            return [*self._missing_rows(connection), *_damage(connection), *self._other_champion(connection)]

    def changed_answers(self) -> list[str]:
        """Whether the champion's files are whole and it says what it said when it was first asked."""
        store = Store(self.folder)
        try:
            version = champion(store)
            path = store.models.backbone_folder(version.backbone_sha256) / "backbone.onnx"
            if sha256_of(path.read_bytes()) != version.backbone_sha256:
                return [f"the backbone of model {version.id} is damaged"]
            model = load_model(store, version, self._backbone)
        except (PostureError, OSError) as error:
            return [f"the champion cannot be loaded: {error}"]
        finally:
            store.close()
        self._backbone = model.backbone
        said = model.predict(self._desk.render(self._desk.start)).probabilities
        before = self._answers.setdefault(version.id, said)
        return [] if np.array_equal(before, said) else [f"model {version.id} says {said}, before {before}"]

    def _missing_rows(self, connection: sqlite3.Connection) -> Iterator[str]:
        labelled = {
            (frame_id, at): name
            for frame_id, at, name in connection.execute(
                "SELECT f.id, f.captured_at, c.name FROM labels l JOIN frames f ON f.id = l.frame_id "
                "JOIN classes c ON c.id = l.class_id"
            )
        }
        for frame, name in self.labels.items():
            if labelled.get(frame) != name:
                yield f"label {frame}: {name}, found {labelled.get(frame)}"
        frames = dict(connection.execute("SELECT id, sha256 FROM frames"))
        yield from (f"frame {number}" for number, digest in self.frames.items() if frames.get(number) != digest)
        decisions = dict(_decisions(connection))
        for number, was in self.decisions.items():
            if decisions.get(number) != was:
                yield f"run {number}: {was}, found {decisions.get(number)}"
        paused = connection.execute("SELECT id FROM training_pauses").fetchone()
        if self.pause is not None and (paused is None or paused[0] < self.pause):
            yield f"pause {self.pause}, found {paused}"

    def _other_champion(self, connection: sqlite3.Connection) -> Iterator[str]:
        """Only a newer one that a training has promoted may have taken its place."""
        now = _champion(connection)
        if self.champion is not None and now != self.champion and not (self.promoting and now and now > self.champion):
            yield f"champion {self.champion}, found {now}"
        odd = connection.execute(
            "SELECT v.id FROM model_roles m JOIN model_versions v ON v.id = m.version_id WHERE m.role = 'champion' "
            "AND v.source = 'fine-tune' AND NOT EXISTS (SELECT 1 FROM training_runs r WHERE r.outcome IS NULL OR "
            "(r.challenger_id = v.id AND r.outcome = 'PROMOTED'))"
        ).fetchall()
        yield from (f"model {number} is champion, but no record says that it was promoted" for (number,) in odd)


def _decisions(connection: sqlite3.Connection) -> list[tuple[int, tuple[str, int | None]]]:
    marks = ", ".join("?" * len(DECIDED))
    rows = connection.execute(
        f"SELECT id, outcome, challenger_id FROM training_runs WHERE outcome IN ({marks})", DECIDED
    )
    return [(number, (outcome, challenger)) for number, outcome, challenger in rows]


def _champion(connection: sqlite3.Connection) -> int | None:
    row = connection.execute("SELECT version_id FROM model_roles WHERE role = 'champion'").fetchone()
    return None if row is None else int(row[0])


def _damage(connection: sqlite3.Connection) -> list[str]:
    found = [row[0] for row in connection.execute("PRAGMA integrity_check")]
    broken = connection.execute("PRAGMA foreign_key_check").fetchall()
    return [f"the database: {found}"] if found != ["ok"] else [f"rows point nowhere: {broken[:3]}"] if broken else []
