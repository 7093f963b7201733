"""Changes of classes: what a change would do, in words, and the change itself. Front ends change classes only here."""

import shlex
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from posture_daemon.domain import PostureClass, Role, Status
from posture_daemon.errors import LabelError
from posture_daemon.labelling.class_names import check, find, shown
from posture_daemon.labelling.session import Labelling
from posture_daemon.settings import LabelSettings
from posture_daemon.store import Store
from posture_daemon.store.classes import ClassUse
from posture_daemon.store.lock import TRAINING_LOCK, exclusive


@dataclass(frozen=True)
class ClassLine:
    """One class with its use, and whether the champion has an output for it."""

    posture_class: PostureClass
    use: ClassUse
    known: bool


@dataclass(frozen=True)
class Plan:
    """The effects of a change, one sentence each, the function that carries it out, and the `done` sentence after it."""

    sentences: tuple[str, ...]
    carry_out: Callable[[], None]
    done: str


class ClassChanges:
    """Changes classes. Raises `LabelError`, before anything is changed, for wrong names and while a training runs."""

    def __init__(self, store: Store, settings: LabelSettings, clock: Callable[[], float]) -> None:
        self._store, self._clock = store, clock
        self._labelling = Labelling(store, settings, clock)

    def all(self) -> list[ClassLine]:
        """Every class in the order of its creation."""
        champion = self._store.models.champion()
        known = {c.name for c in champion.classes} if champion else set()
        return [ClassLine(c, self._store.classes.use_of(c.name), c.name in known) for c in self._labelling.classes()]

    def add(self, name: str, role: Role | None = None) -> PostureClass:
        """Create a class or restore a deleted one; without a role it is guessed from the name."""
        with self._without_training():
            added = self._labelling.add_class(name, role)
            self._store.classes.set_role(added.name, added.role)  # also in models that know it already
            return added

    def rename(self, old: str, new: str) -> tuple[str, str]:
        """Rename a class everywhere; returns its name before and from now on."""
        old = self._find(old)
        new = self._new_name(old, new)
        with self._without_training():
            self._store.classes.rename(old, new)
        return old, new

    def set_role(self, name: str, role: Role) -> str:
        """Set the role of a class; returns its name."""
        name = self._find(name)
        with self._without_training():
            self._store.classes.set_role(name, role)
        return name

    def plan_merge(self, name: str, into: str) -> Plan:
        """Plan of moving everything of one class into another."""
        name, into = self._find(name), self._find(into)
        if name == into:
            raise LabelError(f"'{name}' cannot be merged into itself; name another class.")
        use = self._store.classes.use_of(name)
        sentences = (
            f"Merging '{name}' into '{into}':",
            f"labels: {_images(use)} become '{into}' and count as new; their time blocks keep their splits.",
            f"history: {use.history_s / 3600:.1f} h of '{name}' become '{into}'.",
            f"models: {self._model_effect(name, into)}",
            "This cannot be undone.",
        )
        return Plan(sentences, lambda: self._merge(name, into), f"'{name}' is part of '{into}' now.")

    def plan_delete(self, name: str, images_become: Status) -> Plan:
        """Plan of deleting a class; its images become `QUEUED` or `DISCARDED`."""
        name = self._find(name)
        use = self._store.classes.use_of(name)
        fate = "wait in the queue again" if images_become is Status.QUEUED else "are discarded"
        guesses = f", and {use.guessed} waiting frames lose this guess" if use.guessed else ""
        sentences = (
            f"Deleting '{name}':",
            f"labels: {_images(use)} {fate}; their time blocks keep their splits{guesses}.",
            f"history: {use.history_s / 3600:.1f} h stay recorded under its name.",
            f"models: {self._model_effect(name, None)}",
            "This cannot be undone.",
        )
        return Plan(sentences, lambda: self._retire(name, images_become), f"'{name}' is deleted.")

    def _merge(self, name: str, into: str) -> None:
        with self._without_training():
            self._store.classes.merge(name, into, self._clock())

    def _retire(self, name: str, images_become: Status) -> None:
        with self._without_training():
            self._store.classes.retire(name, images_become, self._clock())

    def _model_effect(self, name: str, into: str | None) -> str:
        """Effect on the champion; the previous model is changed in the same way, so that a rollback stays possible."""
        champion = self._store.models.champion()
        names = [c.name for c in champion.classes] if champion else []
        if champion is None or name not in names:
            return f"the champion does not know '{name}' and stays as it is."
        if into is not None and into not in names:
            return f"a new version of model {champion.id} answers '{into}' wherever it answered '{name}'."
        left = [other for other in names if other != name]
        if len(left) < 2:
            return f"a new version of model {champion.id} knows no classes until the next training: one alone tells nothing."
        follows = "" if into is None else f"; the next training teaches it that these are '{into}'"
        return f"a new version of model {champion.id} only answers with {', '.join(left)}{follows}."

    def _find(self, name: str) -> str:
        """The name under which a class is stored. Raises `LabelError` when there is none."""
        return self._labelling.find_class(name).name

    def _new_name(self, old: str, new: str) -> str:
        """What a class may be called from now on: its own name in another form, or one that no class has or had."""
        kept = check(new, (c.name for c in self._labelling.classes() if c.name != old))
        deleted = find(kept, self._store.labels.retired())
        if deleted is not None:
            raise LabelError(
                f"{shown(deleted)} is a class that you deleted, and older models still know it; choose another name, or bring "
                f"it back with posture-daemon classes add {shlex.quote(deleted)}."
            )
        return kept

    @contextmanager
    def _without_training(self) -> Iterator[None]:
        """Hold the training lock, since a running training would end with the old classes. Raises `LabelError`."""
        with exclusive(self._store.folder / TRAINING_LOCK) as alone:
            if not alone:
                raise LabelError("A training is running; wait until it has ended, then change the classes.")
            yield


def _images(use: ClassUse) -> str:
    splits = ", ".join(f"{number} {split.value}" for split, number in use.images.items())
    return f"{use.labels} images ({splits})" if use.labels else "no images"
