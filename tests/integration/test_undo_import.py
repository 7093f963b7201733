"""An import taken back whole: everything is as before it, to the byte of an export; real files, a real SQLite file."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image as PillowImage

from posture_daemon.datasets import export_folder, import_folder
from posture_daemon.domain import DatasetLayout, Decision, NewFrame, Outcome, Reason, Status
from posture_daemon.errors import LabelError
from posture_daemon.labelling.session import Labelling
from posture_daemon.labelling.undoing import Undoing
from posture_daemon.settings import Settings
from posture_daemon.store import Store
from posture_daemon.store.lock import TRAINING_LOCK, exclusive
from posture_daemon.store.open_step import StepKind
from tests.builders import add_champion, ensure_classes
from tests.checks import rows

NOW, EARLIER = 1_700_000_000.0, 1_690_000_000.0


def picture(path: Path, seed: int) -> Path:
    """Write a small picture, unlike that of any other seed."""
    path.parent.mkdir(parents=True, exist_ok=True)
    noise = np.random.default_rng(seed).integers(0, 256, (24, 32, 3), dtype=np.uint8)
    PillowImage.fromarray(noise).save(path, "JPEG", quality=95)
    return path


def pictures(folder: Path, count: int, first: int = 0) -> Path:
    """So many pictures."""
    for number in range(count):
        picture(folder / f"{number}.jpg", first + number)
    return folder


@pytest.fixture
def settings(store: Store) -> Settings:
    """Small blocks, so that an import has several."""
    return Settings(data_dir=store.folder, labels={"block_files": 3, "holdout_every": 2, "first_teach": 0})


@pytest.fixture
def load(store: Store, settings: Settings) -> Callable[..., object]:
    """Import a folder."""
    return lambda path, into=store: import_folder(into, settings, path, NOW)


@pytest.fixture
def undoing(store: Store) -> Undoing:
    """The history, as `dataset undo` has it."""
    return Undoing(store, lambda: NOW)


@pytest.fixture
def full(store: Store, settings: Settings, tmp_path: Path) -> Store:
    """A store with an owner's history: labelled, relabelled, kept, discarded and waiting camera frames, two classes."""
    ensure_classes(store, "good", "bad")
    labelling = Labelling(store, settings.labels, lambda: EARLIER)
    ids = [keep(store, tmp_path, number) for number in range(8)]
    for number, name in enumerate(("good", "bad", "good", "bad")):
        labelling.answer(ids[number], name)
    labelling.answer(ids[2], "bad")
    store.labels.keep(ids[3], EARLIER + 1)
    labelling.discard(ids[4])
    return store


def keep(store: Store, tmp_path: Path, number: int) -> int:
    """A camera frame that waits, each hour one; the same picture lies in `camera/`."""
    data = picture(tmp_path / "camera" / f"{number}.jpg", 1000 + number).read_bytes()
    frame = NewFrame(
        data, EARLIER + 3600 * number, "camera", Reason.UNCERTAIN, "unsure", predicted="good", confidence=0.6
    )
    found = store.queue.add(frame, EARLIER, 300, 900)
    assert found is not None
    return found


def exported(store: Store, settings: Settings, folder: Path) -> dict[str, bytes]:
    """Every file that an export writes, in both layouts, and every table that says something of pictures and classes."""
    shutil.rmtree(folder, ignore_errors=True)
    found: dict[str, bytes] = {}
    for layout in DatasetLayout:
        export_folder(store, settings, folder / layout.value, NOW, layout)
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            found[str(path.relative_to(folder))] = path.read_bytes()
    for table in ("frames", "labels", "blocks", "classes"):
        found[table] = repr(rows(store.database.path, f"SELECT * FROM {table} ORDER BY 1")).encode()
    return found


def wrong_folder(root: Path, camera: Path) -> Path:
    """New pictures in new classes, and camera frames: relabelled, answered, discarded, brought back, and one that stays."""
    pictures(root / "train" / "good", 7)
    pictures(root / "val" / "slouching", 4, first=50)
    pictures(root / "val" / "away_from_desk", 2, first=70)
    pictures(root / "uncategorized", 2, first=90)
    moved = {
        0: "val/slouching",
        1: "train/good",
        3: "train/good",
        4: "train/good",
        5: "val/slouching",
        6: "val/slouching",
        7: "discarded",
    }
    for number, folder in moved.items():
        (root / folder).mkdir(parents=True, exist_ok=True)
        shutil.copy(camera / f"{number}.jpg", root / folder / f"camera{number}.jpg")
    return root


def right_folder(root: Path) -> Path:
    """The same pictures, sorted right."""
    pictures(root / "train" / "good", 7)
    pictures(root / "train" / "bad", 4, first=50)
    pictures(root / "val" / "bad", 2, first=70)
    pictures(root / "val" / "good", 2, first=90)
    return root


def test_everything_is_as_before(full: Store, settings: Settings, tmp_path: Path, load, undoing: Undoing) -> None:
    """Frames, labels with who gave them and when, what was kept, splits, blocks, classes; and redo brings it back."""
    before = exported(full, settings, tmp_path / "e")
    load(wrong_folder(tmp_path / "wrong", tmp_path / "camera"))
    after = exported(full, settings, tmp_path / "e")
    assert after != before
    taken = undoing.undo()
    assert taken is not None
    assert "the import of" in taken.words
    assert "wrong" in taken.words
    assert "classes away_from_desk, slouching" in taken.words
    assert exported(full, settings, tmp_path / "e") == before
    assert undoing.redo() is not None
    assert exported(full, settings, tmp_path / "e") == after
    assert undoing.undo() is not None
    assert exported(full, settings, tmp_path / "e") == before


def test_the_right_folder_next_is_as_in_a_fresh_store(
    store: Store, settings: Settings, tmp_path: Path, load, undoing: Undoing
) -> None:
    """Names of files, splits, blocks and order of the classes too."""
    load(wrong_folder(tmp_path / "wrong", pictures(tmp_path / "camera", 8, first=1000)))
    undoing.undo()
    right = right_folder(tmp_path / "right")
    load(right)
    fresh = Store(tmp_path / "fresh")
    load(right, into=fresh)
    assert exported(store, settings, tmp_path / "e") == exported(fresh, settings, tmp_path / "e")
    fresh.close()


@pytest.mark.parametrize("kept", [1, 2, 7, 8, 20])
def test_an_import_is_brought_back_though_the_camera_went_on(
    full: Store, settings: Settings, tmp_path: Path, load, undoing: Undoing, kept: int
) -> None:
    """Its frames and blocks share no number with those of the camera since; undo then takes back these alone, and again."""
    load(wrong_folder(tmp_path / "wrong", tmp_path / "camera"))
    after = told(full)
    undoing.undo()
    since = [keep(full, tmp_path, 20 + number) for number in range(kept)]
    between = exported(full, settings, tmp_path / "e")
    for _ in range(2):
        assert undoing.redo() is not None
        assert {digest: what for digest, what in told(full).items() if what[0] not in CAMERA_SINCE} == after
        assert set(since) <= {frame.id for frame in full.queue.waiting()}
        undoing.undo()
        assert exported(full, settings, tmp_path / "e") == between


CAMERA_SINCE = {EARLIER + 3600 * (20 + number) for number in range(20)}
"""When `keep` keeps the frames that come after an import."""


def told(store: Store) -> dict[str, tuple[object, ...]]:
    """What is known of each picture, by its digest, but for numbers of rows."""
    query = (
        "SELECT sha256, captured_at, status, reason, name, labelled_by, labelled_at, split FROM frames"
        " JOIN blocks ON blocks.id = block_id LEFT JOIN labels ON frame_id = frames.id"
        " LEFT JOIN classes ON class_id = classes.id"
    )
    return {digest: tuple(rest) for digest, *rest in rows(store.database.path, query)}


def test_two_imports_are_taken_back_one_after_the_other(
    full: Store, settings: Settings, tmp_path: Path, load, undoing: Undoing
) -> None:
    """The second relabelled, and added to blocks of the first."""
    before = exported(full, settings, tmp_path / "e")
    load(wrong_folder(tmp_path / "wrong", tmp_path / "camera"))
    between = exported(full, settings, tmp_path / "e")
    load(right_folder(tmp_path / "right"))
    both = exported(full, settings, tmp_path / "e")
    undoing.undo()
    assert exported(full, settings, tmp_path / "e") == between
    undoing.undo()
    assert exported(full, settings, tmp_path / "e") == before
    undoing.redo()
    assert exported(full, settings, tmp_path / "e") == between
    undoing.redo()
    assert exported(full, settings, tmp_path / "e") == both
    undoing.undo(), undoing.undo()
    assert exported(full, settings, tmp_path / "e") == before


def test_answers_since_are_undone_first_or_go_with_it(full: Store, settings: Settings, tmp_path: Path, load) -> None:
    """Step by step it is as before; taken back at once, later answers to frames that were there before stay."""
    before = exported(full, settings, tmp_path / "e")
    load(wrong_folder(tmp_path / "wrong", tmp_path / "camera"))
    labelling = Labelling(full, settings.labels, lambda: NOW + 1)
    added = next(i.frame_id for i in full.labels.labelled() if i.class_name == "away_from_desk")
    labelling.answer(added, "bad")
    labelling.answer(6, "good")  # a camera frame that the import had answered
    for _ in range(3):
        ahead = labelling.before_undo()
        assert ahead is not None
        labelling.undo(ahead.step)
    assert exported(full, settings, tmp_path / "e") == before
    load(wrong_folder(tmp_path / "wrong", tmp_path / "camera"))
    labelling.answer(next(i.frame_id for i in full.labels.labelled() if i.class_name == "away_from_desk"), "bad")
    labelling.answer(6, "good")
    undoing = Undoing(full, lambda: NOW + 2)
    ahead = undoing.ahead(StepKind.IMPORT)
    assert ahead is not None
    assert "1 picture that were answered again since go with it" in ahead.words
    undoing.undo(ahead.step)
    labels = {image.frame_id: image.class_name for image in full.labels.labelled()}
    assert labels[6] == "good"
    assert full.queue.counts()[Status.LABELLED] == 5
    labelling.undo()  # the answer to 6: it waits, as before the import
    assert exported(full, settings, tmp_path / "e") == before


def test_a_training_in_between(full: Store, settings: Settings, tmp_path: Path, load, undoing: Undoing) -> None:
    """Labels that it learned count as changed, a class that it learned is retired, no frame gets a learned one's number."""
    before = exported(full, settings, tmp_path / "e")
    load(wrong_folder(tmp_path / "wrong", tmp_path / "camera"))
    newest = max(image.frame_id for image in full.labels.labelled())
    champion = add_champion(full, "good", "bad", "slouching")
    run = full.runs.begin("schedule", Decision(()), champion.id, NOW)
    full.runs.finish(run, Outcome.PROMOTED, "better", NOW, {}, champion.id)
    learned = full.runs.labels_learned()
    undoing.undo()
    after = exported(full, settings, tmp_path / "e")
    assert {k: v for k, v in after.items() if k not in ("labels", "classes")} == {
        k: v for k, v in before.items() if k not in ("labels", "classes")
    }
    assert [c.name for c in Labelling(full, settings.labels, lambda: NOW).classes()] == ["good", "bad"]
    assert "slouching" not in {c.name for c in full.models.champion().classes}
    assert full.labels.frames_after(learned) == {1, 2, 4}  # relabelled by the import, and back
    load(right_folder(tmp_path / "right"))
    assert min(i.frame_id for i in full.labels.labelled() if i.frame_id > 8) > newest


def test_no_import_is_taken_back_while_a_training_runs(full: Store, tmp_path: Path, load, undoing: Undoing) -> None:
    """It would end with classes and pictures that are gone."""
    load(right_folder(tmp_path / "right"))
    with exclusive(full.folder / TRAINING_LOCK), pytest.raises(LabelError, match="A training is running"):
        undoing.undo()
    assert undoing.undo() is not None


def test_an_interrupted_import_and_its_repetition(
    full: Store, settings: Settings, tmp_path: Path, load, undoing: Undoing
) -> None:
    """What was in by then goes; the second one, which added the rest, is a step of its own."""
    before = exported(full, settings, tmp_path / "e")
    folder = wrong_folder(tmp_path / "wrong", tmp_path / "camera")
    add_block, blocks = full.imports.add_block, iter(range(3))

    def power_cut(*given: object, **more: object) -> object:
        if next(blocks, None) is None:
            raise KeyboardInterrupt
        return add_block(*given, **more)  # type: ignore[arg-type]

    full.imports.add_block = power_cut  # type: ignore[method-assign, assignment]
    with pytest.raises(KeyboardInterrupt):
        load(folder)
    full.imports.add_block = add_block  # type: ignore[method-assign]
    half = exported(full, settings, tmp_path / "e")
    assert half != before
    load(folder)
    undoing.undo()
    assert exported(full, settings, tmp_path / "e") == half
    undoing.undo()
    assert exported(full, settings, tmp_path / "e") == before


def test_an_import_that_is_taken_back_while_it_goes_on_ends(
    full: Store, settings: Settings, tmp_path: Path, undoing: Undoing
) -> None:
    """With a sentence, so that nothing is added to what was taken back."""
    before = exported(full, settings, tmp_path / "e")
    add_block, done = full.imports.add_block, []

    def undone_after_the_first(*given: object, **more: object) -> object:
        if len(done) == 1:
            undoing.undo()
        done.append(add_block(*given, **more))  # type: ignore[arg-type]
        return done[-1]

    full.imports.add_block = undone_after_the_first  # type: ignore[method-assign, assignment]
    with pytest.raises(LabelError, match="taken back while it went on"):
        import_folder(full, settings, right_folder(tmp_path / "right"), NOW)
    assert exported(full, settings, tmp_path / "e") == before


def test_nothing_new_is_no_step(full: Store, tmp_path: Path, load, undoing: Undoing) -> None:
    """The second import of the same folder changes nothing, so that undo takes back the first."""
    load(right_folder(tmp_path / "right"))
    load(tmp_path / "right")
    undoing.undo()
    assert full.queue.counts()[Status.LABELLED] == 4


def test_frames_that_left_the_queue_are_not_mistaken(full: Store, tmp_path: Path, load, undoing: Undoing) -> None:
    """SQLite gives the number of an evicted newest frame again; the camera's frame under it stays."""
    pictures(tmp_path / "d" / "uncategorized", 2)
    load(tmp_path / "d")
    full.queue.evict(3, 10**9)
    kept = [keep(full, tmp_path, 20 + number) for number in range(2)]
    undoing.undo()
    assert set(kept) <= {frame.id for frame in full.queue.waiting()}


def test_what_was_taken_back_is_dropped_with_the_next_step_or_after_a_day(
    full: Store, settings: Settings, tmp_path: Path, load, undoing: Undoing
) -> None:
    """Private pictures do not stay; then there is nothing to do again."""
    kept = "SELECT count(*) FROM step_changes WHERE jpeg IS NOT NULL"
    load(right_folder(tmp_path / "right"))
    undoing.undo()
    assert rows(full.database.path, kept) == [(15,)]
    full.retention.tidy(NOW + 2 * 86_400, settings.keep)
    assert rows(full.database.path, kept) == [(0,)]
    assert undoing.redo() is None
    load(tmp_path / "right")
    undoing.undo()
    Labelling(full, settings.labels, lambda: NOW).answer(6, "good")
    assert rows(full.database.path, kept) == [(0,)]
    assert undoing.redo() is None


def test_a_deleted_class_that_an_import_brought_back_is_deleted_again(
    full: Store, settings: Settings, tmp_path: Path, load, undoing: Undoing
) -> None:
    """With the role it had."""
    ensure_classes(full, "slouching")
    full.classes.retire("slouching", Status.QUEUED, EARLIER + 5)
    before = exported(full, settings, tmp_path / "e")
    pictures(tmp_path / "d" / "slouching", 2)
    load(tmp_path / "d")
    assert "slouching" in {c.name for c in full.labels.classes()}
    undoing.undo()
    assert exported(full, settings, tmp_path / "e") == before


def test_provenance_says_the_same(full: Store, settings: Settings, tmp_path: Path, load, undoing: Undoing) -> None:
    """Who labelled a picture and when, after the import's label of it was taken back."""
    load(wrong_folder(tmp_path / "wrong", tmp_path / "camera"))
    undoing.undo()
    export_folder(full, settings, tmp_path / "e", NOW)
    said = json.loads((tmp_path / "e" / "provenance.json").read_text())["pictures"].values()
    assert {(one["labelled_by"], one["labelled_at"]) for one in said if one["class"]} == {
        ("owner", "2023-07-22T04:26:40+00:00")
    }
    assert {one["split"] for one in said if one["class"] is None} == {None}
