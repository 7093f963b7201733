"""Import of an image folder into the store. Importing the same folder again changes nothing."""

import logging
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TypeVar

from posture_daemon.datasets.blocks import Block, cut_blocks
from posture_daemon.datasets.images import cause_of, read_as_jpeg
from posture_daemon.datasets.import_report import ImportReport
from posture_daemon.datasets.layout import FolderImage, Layout, read_layout
from posture_daemon.datasets.manifest import Manifest, read_manifest
from posture_daemon.datasets.provenance import Provenance, read_provenance
from posture_daemon.domain import NewFrame, Reason, Status
from posture_daemon.errors import DatasetError, Stopped
from posture_daemon.labelling.class_names import DISCARDED, UNCATEGORIZED, find, flaw_of, key_of, tidy
from posture_daemon.labelling.session import Labelling
from posture_daemon.service.plain_text import visible
from posture_daemon.settings import Settings
from posture_daemon.store import Store
from posture_daemon.store.files import sha256_of
from posture_daemon.store.imports import BlockImport
from posture_daemon.store.open_step import StepKind
from posture_daemon.store.sessions import IMPORT_PREFIX

log = logging.getLogger(__name__)

T = TypeVar("T")

NEVER_KEPT = "discarded that were never here"


def import_folder(
    store: Store,
    settings: Settings,
    path: Path,
    now: float,
    stopped: Callable[[], bool] = lambda: False,
    layout: Layout | None = None,
) -> ImportReport:
    """Read a folder of pictures into the store; see `layout` for what its folders mean, where it was not read already.

    An unreadable picture is reported and does not end the import. Raises `DatasetError` before anything is written when the
    folder is missing, holds no pictures or no class folders, or has a folder name that cannot be a class.

    Each time block is one transaction, so an interrupted import can be repeated and adds the rest. When `stopped` returns
    true it ends after the present block with `Stopped`.
    """
    layout = layout or read_layout(path, class_names(store))
    known, left_in = read_provenance(layout.root), read_manifest(layout.root)
    _refuse_without_pictures(path, layout, settings)
    labelling = Labelling(store, settings.labels, lambda: now)
    place = path.resolve()
    title = visible(str(place))  # the database keeps text, and a path may hold bytes that are none
    classes = _Classes(labelling, layout, known, lambda: store.steps.begin(StepKind.IMPORT, title, now))
    source = f"{IMPORT_PREFIX}{visible(place.name)}"
    run = _Import(store, settings, source, now, classes, left_in)
    in_blocks = [_as_exported(image, known) for image in layout.images if image.folder != DISCARDED]

    def until_stopped(things: Iterable[T]) -> Iterator[T]:
        for one in things:
            if stopped():
                raise Stopped(f"The import of {path} was stopped. {run.so_far()}")
            yield one

    for block in until_stopped(cut_blocks(until_stopped(in_blocks), settings.labels, now, known.pictures)):
        run.add_block(block)
    run.discard(until_stopped(image for image in layout.images if image.folder == DISCARDED))
    return run.report(layout.left_out, classes.new)


def _refuse_without_pictures(path: Path, layout: Layout, settings: Settings) -> None:
    """Before a class is made, if no file can be read; mostly the first one can."""
    refused: list[str] = []
    for image in layout.images:
        try:
            read_as_jpeg(image.path, settings.queue)
        except DatasetError as error:
            refused.append(str(error))
        else:
            return
    raise DatasetError(f"No picture in {path} can be read (of {len(refused)}), so nothing was imported. {refused[0]}")


def class_names(store: Store) -> set[str]:
    """What is a class already, for the owner or the champion; nothing is written."""
    champion = store.models.champion()
    return {c.name for c in (*store.labels.classes(), *(champion.classes if champion else ()))}


def _as_exported(image: FolderImage, known: Provenance) -> FolderImage:
    """Give a picture of an export its split back, unless its folder says another."""
    said = known.pictures.get(image.path.name)
    return image if said is None or image.split is not None else replace(image, split=said.split)


class _Classes:
    """Maps folders to classes: the one called so in any case or form of letters, else a new one of the import's step."""

    def __init__(self, labelling: Labelling, layout: Layout, said: Provenance, begin: Callable[[], int]) -> None:
        """Create the new classes. Raises `DatasetError`, before any is created, for a folder that can be no class.

        `begin` begins the step, once every folder is known to be a class or to make one.
        """
        known = [c.name for c in labelling.classes()]
        new: dict[str, str] = {}
        for folder in layout.class_folders:
            if find(folder, [*known, *new]) is None:
                new[_class_name(folder)] = ""
        self.step = begin()
        for name in new:
            new[name] = labelling.add_class(name, said.roles.get(key_of(name)), self.step).name
        self.new = tuple(new.values())
        there = [*known, *self.new]
        self.names = {folder: find(folder, there) or folder for folder in layout.class_folders}


def _class_name(folder: str) -> str:
    """What a new class is called after its folder."""
    if flaw := flaw_of(folder):
        raise DatasetError(f"{flaw}; rename the folder '{folder}'.")
    return tidy(folder)


class _Import:
    """State of a running import."""

    def __init__(
        self,
        store: Store,
        settings: Settings,
        source: str,
        now: float,
        classes: _Classes,
        left_in: Manifest | None,
    ) -> None:
        self._store, self._settings, self._source, self._now = store, settings, source, now
        self._classes, self._step, self._left_in = classes.names, classes.step, left_in
        self._seen: dict[str, FolderImage] = {}
        self._blocks = BlockImport()
        self._done: Counter[str] = Counter()
        self._conflicts: list[str] = []
        self._never_kept: list[str] = []
        self._unreadable: list[str] = []
        self._causes: Counter[str] = Counter()

    def add_block(self, block: Block) -> None:
        """Import the pictures of one time block in one transaction."""
        frames: list[tuple[NewFrame, str | None]] = []
        for timed in block:
            jpeg = self._read_once(timed.image)
            if jpeg is not None:
                explanation = f"imported as {timed.image.name}"
                new = NewFrame(jpeg, timed.captured_at, self._source, Reason.IMPORTED, explanation)
                frames.append((new, self._class_of(timed.image, jpeg)))
        if frames:
            labels, split = self._settings.labels, block[0].image.split
            every = labels.holdout_every, labels.test_every
            self._blocks += self._store.imports.add_block(frames, split, self._now, *every, step=self._step)

    def discard(self, images: Iterable[FolderImage]) -> None:
        """Discard the frames of these pictures; pictures that are not in the store are ignored."""
        for image in images:
            jpeg = self._read_once(image)
            frame = None if jpeg is None else self._store.queue.find(jpeg)
            if frame is not None and frame.status is not Status.DISCARDED and not self._untouched(image):
                every = self._settings.labels.holdout_every
                self._store.labels.answer(frame.id, None, "import", self._now, every, within=self._step)
                self._done["discarded"] += 1
            elif frame is not None:
                self._done["known"] += 1
            elif jpeg is not None:
                self._never_kept.append(image.name)

    def report(self, left_out: Mapping[str, Sequence[str]], new_classes: tuple[str, ...]) -> ImportReport:
        """Summarise the import."""
        return ImportReport(
            labelled=self._blocks.added,
            queued=self._blocks.queued,
            relabelled=self._blocks.relabelled,
            discarded=self._done["discarded"],
            known=self._blocks.known + self._done["known"],
            copies=self._done["copies"],
            left_out={**left_out, **({NEVER_KEPT: self._never_kept} if self._never_kept else {})},
            new_classes=new_classes,
            conflicts=tuple(self._conflicts),
            unreadable=tuple(self._unreadable),
            causes=dict(self._causes.most_common()),
        )

    def so_far(self) -> str:
        """What a stopped import has done, and how to continue or undo it."""
        done = self._blocks.added + self._blocks.queued + self._blocks.relabelled + self._done["discarded"]
        return (
            f"{done} pictures are in, whole; the same import again adds the rest, and posture-daemon dataset undo takes back "
            "what this one did."
        )

    def _read_once(self, image: FolderImage) -> bytes | None:
        """Return a picture's JPEG; `None` when it is unreadable or a duplicate within this import."""
        try:
            jpeg = read_as_jpeg(image.path, self._settings.queue)
        except DatasetError as error:
            log.info("%s", error)
            self._unreadable.append(str(error))
            self._causes[cause_of(error)] += 1
            return None
        first = self._seen.setdefault(sha256_of(jpeg), image)
        if first is image:
            return jpeg
        self._done["copies"] += 1
        one, other = (self._classes.get(folder, folder) for folder in (image.folder, first.folder))
        if one != other and UNCATEGORIZED not in (one, other):
            self._conflicts.append(f"{image.name} is the same picture as {first.name}, which counts.")
        return None

    def _class_of(self, image: FolderImage, jpeg: bytes) -> str | None:
        """Class that the folder gives; `None` if it gives none, or the file is untouched since the export."""
        if image.folder == UNCATEGORIZED or (self._untouched(image) and self._store.queue.find(jpeg) is not None):
            return None
        return self._classes[image.folder]

    def _untouched(self, image: FolderImage) -> bool:
        """True when the file lies where the last export put it."""
        return self._left_in is not None and self._left_in.untouched(image.path.name, image.folder)
