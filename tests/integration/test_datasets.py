"""Folders ↔ store: real files, a real SQLite file."""

import io
import os
import time
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import ExifTags
from PIL import Image as PillowImage

from posture_daemon.datasets import ImportReport, export_folder, import_folder
from posture_daemon.datasets.images import capture_time, read_as_jpeg
from posture_daemon.datasets.manifest import MANIFEST, file_name, time_in_name
from posture_daemon.domain import Image, NewFrame, PostureClass, Reason, Role, Split, Status
from posture_daemon.errors import DatasetError
from posture_daemon.labelling.session import Labelling
from posture_daemon.settings import QueueSettings, Settings
from posture_daemon.store import Store
from posture_daemon.store.open_step import StepKind
from posture_daemon.vision import jpeg as pictures
from posture_daemon.vision.image_files import natural_key
from tests.builders import add_frame, ensure_classes
from tests.waiting import allowed_s

NOW = 1_700_000_000.0


def noise(seed: int, height: int = 24, width: int = 32) -> Image:
    """Make a picture unlike that of any other seed."""
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)


def jpeg(path: Path, seed: int, taken: str = "", **exif: object) -> Path:
    """Write a baseline colour JPEG, with `DateTimeOriginal` when `taken` is given and other tags of the Exif IFD."""
    path.parent.mkdir(parents=True, exist_ok=True)
    tags = PillowImage.Exif()
    if taken:
        tags.get_ifd(ExifTags.IFD.Exif)[ExifTags.Base.DateTimeOriginal] = taken
    for name, value in exif.items():
        tags.get_ifd(ExifTags.IFD.Exif)[ExifTags.Base[name]] = value
    PillowImage.fromarray(noise(seed)).save(path, "JPEG", exif=tags)
    return path


def jpegs(folder: Path, count: int, first_seed: int = 0) -> None:
    """Write `1.jpg` … into a folder."""
    for number in range(count):
        jpeg(folder / f"{number + 1}.jpg", first_seed + number)


@pytest.fixture
def settings(store: Store) -> Settings:
    """Blocks of three files, every second one of a class held out from the second on."""
    return Settings(data_dir=store.folder, labels={"block_files": 3, "holdout_every": 2})


@pytest.fixture
def load(store: Store, settings: Settings) -> Callable[[Path], ImportReport]:
    """Import a folder at `NOW`."""
    return lambda path: import_folder(store, settings, path, NOW)


@pytest.fixture
def save(store: Store, settings: Settings) -> Callable[[Path], object]:
    """Export to a folder at `NOW`."""
    return lambda path: export_folder(store, settings, path, NOW)


def labels(store: Store) -> list[str]:
    """Classes of the labelled pictures in the order of their times."""
    return [image.class_name for image in store.labels.labelled()]


def splits(store: Store) -> list[Split]:
    """Splits of the labelled pictures in the order of their times."""
    return [image.split for image in store.labels.labelled()]


# --- layouts ---------------------------------------------------------------------------------------------------------


def test_class_folders_become_labels_and_a_second_import_changes_nothing(tmp_path: Path, store: Store, load) -> None:
    """Unknown folders become classes whose role the name suggests; nothing is added twice."""
    jpegs(tmp_path / "d" / "good_posture", 2)
    jpegs(tmp_path / "d" / "bad_posture", 1, first_seed=50)
    report = load(tmp_path / "d")
    assert (report.labelled, report.known, report.changed) == (3, 0, True)
    assert report.new_classes == ("bad_posture", "good_posture")
    assert store.labels.classes() == [PostureClass("bad_posture", Role.BAD), PostureClass("good_posture", Role.GOOD)]
    again = load(tmp_path / "d")
    assert (again.labelled, again.known, again.changed) == (0, 3, False)
    assert again.sentences() == ["Nothing changed: 3 already there."]
    assert store.labels.total() == 3


def test_one_undo_takes_a_whole_import_back(tmp_path: Path, store: Store, labelling: Labelling, load) -> None:
    """All blocks of it with their pictures; the answer before the import is the next to be undone."""
    before = keep(store, 99)
    labelling.answer(before, "good")
    jpegs(tmp_path / "d" / "good", 25)
    jpegs(tmp_path / "d" / "bad", 3, first_seed=50)
    load(tmp_path / "d")
    assert len(labels(store)) == 29
    assert labelling.undo() is not None
    assert labels(store) == ["good"]
    assert store.queue.counts() == {Status.QUEUED: 0, Status.LABELLED: 1, Status.DISCARDED: 0}
    taken = labelling.undo()
    assert taken is not None
    assert [frame.id for frame in taken.frames] == [before]


def test_uncategorized_pictures_enter_the_queue(tmp_path: Path, store: Store, load) -> None:
    """The article's layout: what lies in `uncategorized/` waits, with the reason that it was imported."""
    jpegs(tmp_path / "d" / "uncategorized", 2)
    jpegs(tmp_path / "d" / "good", 1, first_seed=50)
    report = load(tmp_path / "d")
    assert (report.queued, report.labelled) == (2, 1)
    waiting = store.queue.waiting()
    assert {frame.reason for frame in waiting} == {"imported"}
    assert [frame.explanation for frame in waiting] == [f"imported as uncategorized/{number}.jpg" for number in (1, 2)]
    assert not load(tmp_path / "d").changed


def test_a_tree_with_val_and_test_fixes_the_splits(tmp_path: Path, store: Store, load) -> None:
    """`val` becomes holdout, `test` stays test, and the rule adds no holdout from `train`."""
    for number, tree in enumerate(("train", "val", "test")):
        jpegs(tmp_path / "d" / tree / "good", 7, first_seed=100 * number)
    assert load(tmp_path / "d").labelled == 21
    assert store.labels.counts()["good"] == {Split.TRAIN: 7, Split.HOLDOUT: 7, Split.TEST: 7}


def test_nested_sessions_are_read_in_natural_order(tmp_path: Path, store: Store, load) -> None:
    """Pictures deeper in a class folder count; session2 comes before session10, 9.jpg before 10.jpg."""
    for seed, name in enumerate(("session10/1.jpg", "session2/10.jpg", "session2/9.jpg")):
        jpeg(tmp_path / "d" / "good" / name, seed)
    load(tmp_path / "d")
    by_time = [store.queue.get(image.frame_id).explanation for image in store.labels.labelled()]
    assert [text.partition("good/")[2] for text in by_time] == ["session2/9.jpg", "session2/10.jpg", "session10/1.jpg"]


def test_files_that_are_no_pictures_of_a_class_are_ignored_and_counted(tmp_path: Path, load) -> None:
    """Hidden files, texts and pictures outside class folders; capital letters in the file type do not matter."""
    root = tmp_path / "d"
    jpeg(root / "good" / "A.JPG", 1)
    jpeg(root / "good" / ".hidden.jpg", 2)
    jpeg(root / ".trash" / "x.jpg", 3)
    jpeg(root / "loose.jpg", 4)
    (root / "good" / "notes.txt").write_text("no picture")
    report = load(root)
    assert (report.labelled, report.ignored) == (1, 4)


def test_a_folder_means_the_class_of_its_name_in_any_case(
    tmp_path: Path, store: Store, settings: Settings, load
) -> None:
    """`Good_Posture/` does not make a second class beside `good_posture`."""
    Labelling(store, settings.labels, lambda: NOW).add_class("good_posture")
    jpegs(tmp_path / "d" / "Good_Posture", 1)
    assert load(tmp_path / "d").new_classes == ()
    assert labels(store) == ["good_posture"]


# --- splits by time block --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("folder", ["good", "train/good"])
def test_files_without_times_are_cut_into_blocks_of_so_many(tmp_path: Path, store: Store, load, folder: str) -> None:
    """Three files a block; the second of a class is held out. Without `val` the rule decides, or no model could be judged."""
    jpegs(tmp_path / "d" / folder, 8)
    load(tmp_path / "d")
    assert splits(store) == [Split.TRAIN] * 3 + [Split.HOLDOUT] * 3 + [Split.TRAIN] * 2


def test_files_with_times_are_cut_at_pauses_over_all_classes(tmp_path: Path, store: Store, load) -> None:
    """Neighbours in time share a split whatever their class; 300 s without a picture begin a new block."""
    for minute, name in ((0, "good/a"), (1, "bad/b"), (2, "good/c"), (10, "good/d"), (11, "bad/e")):
        jpeg(tmp_path / "d" / f"{name}.jpg", minute, taken=f"2024:05:01 12:{minute:02}:00")
    load(tmp_path / "d")
    assert labels(store) == ["good", "bad", "good", "good", "bad"]
    assert splits(store) == [Split.TRAIN] * 3 + [Split.HOLDOUT] * 2


def test_a_long_recording_is_cut_by_length(tmp_path: Path, store: Store, load) -> None:
    """No pause, but after 900 s a new block begins."""
    for minute in range(0, 32, 4):
        jpeg(tmp_path / "d" / "good" / f"{minute}.jpg", minute, taken=f"2024:05:01 12:{minute:02}:00")
    load(tmp_path / "d")
    assert splits(store) == [Split.TRAIN] * 4 + [Split.HOLDOUT] * 4


@pytest.mark.parametrize(
    ("count", "gone", "added", "held_out"),
    [
        pytest.param(5, (), "6.jpg", 3, id="after its neighbours"),
        pytest.param(6, (1, 2, 3), "3a.jpg", 4, id="in front of a block that is held out"),
        pytest.param(6, (1, 2), "4a.jpg", 4, id="in the middle of a block that is held out"),
    ],
)
def test_a_file_added_later_stays_on_the_side_of_its_neighbours(
    tmp_path: Path, store: Store, load, count: int, gone: tuple[int, ...], added: str, held_out: int
) -> None:
    """Else near-duplicates would lie in training and holdout."""
    folder = tmp_path / "d" / "good"
    jpegs(folder, count)
    load(tmp_path / "d")
    for number in gone:
        (folder / f"{number}.jpg").unlink()
    jpeg(folder / added, 77)
    report = load(tmp_path / "d")
    assert (report.labelled, report.known) == (1, count - len(gone))
    assert store.labels.counts()["good"] == {Split.TRAIN: 3, Split.HOLDOUT: held_out, Split.TEST: 0}


def test_made_up_times_lie_in_the_past_and_keep_blocks_apart(
    tmp_path: Path, store: Store, settings: Settings, load
) -> None:
    """An export of such frames, imported elsewhere, is cut into the same blocks."""
    jpegs(tmp_path / "d" / "good", 4)
    load(tmp_path / "d")
    times = [store.queue.get(image.frame_id).captured_at for image in store.labels.labelled()]
    assert times[1] - times[0] == times[2] - times[1] == 1
    assert times[3] - times[2] > settings.labels.block_gap_s
    assert times[3] <= NOW


# --- one picture -----------------------------------------------------------------------------------------------------


def test_a_small_baseline_jpeg_is_kept_byte_for_byte(tmp_path: Path) -> None:
    """So that it is recognised by its digest, and loses no quality."""
    path = jpeg(tmp_path / "a.jpg", 1, taken="2024:05:01 12:00:00")
    assert read_as_jpeg(path, QueueSettings()) == path.read_bytes()


@pytest.mark.parametrize("kind", ["progressive", "grey", "cmyk", "too large"])
def test_other_jpegs_are_encoded_again(tmp_path: Path, kind: str) -> None:
    """What is stored is baseline, in colour, and at most 640 px long."""
    picture = PillowImage.fromarray(noise(1, 700, 1400) if kind == "too large" else noise(1))
    picture = picture.convert({"grey": "L", "cmyk": "CMYK"}.get(kind, "RGB"))
    picture.save(tmp_path / "a.jpg", progressive=kind == "progressive")
    stored = read_as_jpeg(tmp_path / "a.jpg", QueueSettings())
    assert stored != (tmp_path / "a.jpg").read_bytes()
    with PillowImage.open(io.BytesIO(stored)) as result:
        assert (result.format, result.mode, "progressive" in result.info) == ("JPEG", "RGB", False)
        assert result.size == ((640, 320) if kind == "too large" else (32, 24))


@pytest.mark.parametrize("suffix", [".png", ".bmp", ".webp", ".jpeg"])
def test_colours_survive_every_file_type(tmp_path: Path, suffix: str) -> None:
    """An orange picture stays orange: the channels are not swapped."""
    path = tmp_path / f"a{suffix}"
    PillowImage.new("RGB", (32, 24), (250, 120, 10)).save(path)
    blue, green, red = pictures.decode(read_as_jpeg(path, QueueSettings())).reshape(-1, 3).mean(axis=0)
    assert (red, green, blue) == pytest.approx((250, 120, 10), abs=6)


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGBA", "I;16"])
def test_grey_palette_transparent_and_16_bit_pictures_are_converted(tmp_path: Path, mode: str) -> None:
    """Bright stays bright and dark stays dark, in three channels."""
    ramp = np.tile(np.linspace(0, 1, 64), (48, 1))
    path, bright = tmp_path / "a.png", PillowImage.fromarray((ramp * 255).astype(np.uint8))
    if mode == "I;16":
        cv2.imwrite(str(path), (ramp * 65535).astype(np.uint16))
    else:
        bright.convert(mode, dither=PillowImage.Dither.NONE).save(path)
    image = pictures.decode(read_as_jpeg(path, QueueSettings()))
    assert image.shape == (48, 64, 3)
    assert image[:, :8].mean() < 30
    assert image[:, -8:].mean() > 225


def test_16_bit_colour_is_converted(tmp_path: Path) -> None:
    """The high bytes count."""
    cv2.imwrite(str(tmp_path / "a.png"), np.full((24, 32, 3), (10 << 8, 120 << 8, 250 << 8), np.uint16))
    image = pictures.decode(read_as_jpeg(tmp_path / "a.png", QueueSettings()))
    assert image.reshape(-1, 3).mean(axis=0) == pytest.approx((10, 120, 250), abs=6)


def test_exif_orientation_is_applied_to_the_pixels(tmp_path: Path) -> None:
    """A phone's portrait picture is stored upright, so that readers without EXIF see it so."""
    exif = PillowImage.Exif()
    exif[ExifTags.Base.Orientation] = 6
    sideways = np.zeros((24, 32, 3), np.uint8)
    sideways[:, :16] = 255  # white on the left becomes white on top
    PillowImage.fromarray(sideways).save(tmp_path / "a.jpg", exif=exif)
    image = np.asarray(PillowImage.open(io.BytesIO(read_as_jpeg(tmp_path / "a.jpg", QueueSettings()))))
    assert image.shape == (32, 24, 3)
    assert image[:12].mean() > 250
    assert image[-12:].mean() < 5


def test_a_huge_picture_is_shrunk(tmp_path: Path) -> None:
    """100 megapixels, more than Pillow takes without a warning."""
    PillowImage.new("RGB", (12_500, 8_000), (10, 120, 250)).save(tmp_path / "a.jpg")
    assert pictures.decode(read_as_jpeg(tmp_path / "a.jpg", QueueSettings())).shape == (409, 640, 3)


def test_damaged_and_empty_pictures_are_named_and_do_not_end_the_import(tmp_path: Path, load) -> None:
    """A half JPEG, an empty file, a text called PNG, a single pixel and a folder called JPEG; the good one is imported."""
    folder = tmp_path / "d" / "good"
    jpeg(folder / "whole.jpg", 1)
    (folder / "half.jpg").write_bytes((folder / "whole.jpg").read_bytes()[:-300])
    (folder / "empty.jpg").touch()
    (folder / "text.png").write_text("hello")
    PillowImage.fromarray(noise(1, 1, 1)).save(folder / "dot.png")
    (folder / "folder.jpg").mkdir()
    report = load(tmp_path / "d")
    assert report.labelled == 1
    names = [Path(line.split(" cannot")[0]).name for line in report.unreadable]
    assert names == ["dot.png", "empty.jpg", "half.jpg", "text.png"]
    assert all(line.endswith(".") for line in report.sentences())


def test_a_file_name_that_is_not_text_is_imported(tmp_path: Path, load) -> None:
    """Names in an old encoding come from old disks."""
    path = jpeg(tmp_path / "d" / "good" / "a.jpg", 1)
    os.rename(path, os.fsencode(path.parent) + b"/\xfc.jpg")
    assert load(tmp_path / "d").labelled == 1


def test_a_folder_whose_path_is_not_text_is_imported_and_taken_back(tmp_path: Path, store: Store, load) -> None:
    """The database keeps its path in a form that can be printed; above the class folders it may also be a wrapper."""
    top = Path(os.fsdecode(os.fsencode(tmp_path) + b"/d/b\xfcro"))
    jpegs(top / "good", 2)
    jpegs(top / "bad", 2, 10)
    assert load(top).labelled == 4
    step = store.steps.last(StepKind.IMPORT)
    assert step is not None
    assert step.title.endswith("b\\xfcro")
    assert store.steps.undo(NOW, step.id) is not None
    assert load(tmp_path / "d").labelled == 4


def test_a_class_folder_whose_name_is_not_text_is_refused_by_name(tmp_path: Path, load) -> None:
    """It is no folder of boxes, although `gt` would be one."""
    jpegs(tmp_path / "d" / "bad", 1)
    jpegs(Path(os.fsdecode(os.fsencode(tmp_path) + b"/d/g\xfct")), 1, 10)
    with pytest.raises(DatasetError, match=r"(?s)no text \(U\+DCFC\); rename the folder"):
        load(tmp_path / "d")


# --- capture times ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("tags", "expected"),
    [
        ({"OffsetTimeOriginal": "+02:00"}, 1_714_557_600.0),
        ({"OffsetTimeOriginal": "+00:00", "SubsecTimeOriginal": "25"}, 1_714_564_800.25),
        ({}, time.mktime((2024, 5, 1, 12, 0, 0, 0, 0, -1))),
    ],
)
def test_the_capture_time_is_read_from_exif(tmp_path: Path, tags: dict[str, str], expected: float) -> None:
    """With zone and fraction where they are given, else in this computer's zone."""
    assert capture_time(jpeg(tmp_path / "a.jpg", 1, taken="2024:05:01 12:00:00", **tags)) == expected


def test_a_clock_that_was_never_set_is_no_time(tmp_path: Path) -> None:
    """Zeros, nonsense and a missing tag count as unknown, and so does the time of the file."""
    for taken in ("0000:00:00 00:00:00", "yesterday", ""):
        assert capture_time(jpeg(tmp_path / "a.jpg", 1, taken=taken)) is None


def test_an_exported_name_carries_the_time_to_the_millisecond(tmp_path: Path) -> None:
    """And is sorted by it in a file manager; without EXIF the time comes from it. Other names carry none."""
    name = "2024-05-01_12-00-00.250Z_17.jpg"
    assert file_name(1_714_564_800.25, 17) == name
    assert time_in_name(name) == capture_time(jpeg(tmp_path / name, 1)) == 1_714_564_800.25
    assert time_in_name("2024-13-99_12-00-00.250Z_17.jpg") is None
    assert time_in_name("IMG_0001.jpg") is None


def test_natural_order_reads_numbers_as_numbers() -> None:
    """`2.jpg` before `10.jpg`, capitals do not matter."""
    assert sorted(["b10.jpg", "B2.jpg", "a.jpg"], key=natural_key) == ["a.jpg", "B2.jpg", "b10.jpg"]


# --- the same picture twice ------------------------------------------------------------------------------------------


def test_a_picture_in_two_class_folders_counts_once_and_is_reported(tmp_path: Path, store: Store, load) -> None:
    """The first folder in natural order wins, also when the import is repeated."""
    jpeg(tmp_path / "d" / "bad" / "x.jpg", 1)
    jpeg(tmp_path / "d" / "good" / "y.jpg", 1)
    for _ in range(2):
        report = load(tmp_path / "d")
        assert report.conflicts == ("good/y.jpg is the same picture as bad/x.jpg, which counts.",)
        assert labels(store) == ["bad"]
    assert not report.changed


@pytest.mark.parametrize("copy", ["uncategorized/x.jpg", "good/y.jpg"])
def test_a_copy_without_another_class_is_no_conflict(tmp_path: Path, load, copy: str) -> None:
    """It is only counted: whoever copied instead of moved has still given a label."""
    for name in ("good/x.jpg", copy):
        jpeg(tmp_path / "d" / name, 1)
    report = load(tmp_path / "d")
    assert (report.labelled, report.queued, report.copies, report.conflicts) == (1, 0, 1, ())


def test_a_picture_in_another_folder_than_before_is_relabelled(tmp_path: Path, store: Store, load) -> None:
    """The newest import of a plain folder says what is right."""
    path = jpeg(tmp_path / "d" / "bad" / "x.jpg", 1)
    load(tmp_path / "d")
    path.parent.rename(tmp_path / "d" / "good")
    assert load(tmp_path / "d").relabelled == 1
    assert labels(store) == ["good"]


def test_a_block_may_name_a_picture_twice(store: Store) -> None:
    """The first one counts, in the store too."""
    ensure_classes(store, "good", "bad")
    frame = NewFrame(pictures.encode_jpeg(noise(1), 640, 90), NOW, "import:d", Reason.IMPORTED, "")
    done = store.imports.add_block([(frame, "good"), (frame, "bad")], None, NOW, 5)
    assert (done.added, done.relabelled, labels(store)) == (1, 0, ["good"])


# --- export, sort, import --------------------------------------------------------------------------------------------


@pytest.fixture
def labelling(store: Store, settings: Settings) -> Labelling:
    """A session of somebody who labels, with the classes good and bad."""
    ensure_classes(store, "good", "bad")
    return Labelling(store, settings.labels, lambda: NOW)


def keep(store: Store, seed: int) -> int:
    """Let a camera frame wait; return its number."""
    return add_frame(store, NOW + seed, pictures.encode_jpeg(noise(seed), 640, 90))


def files(folder: Path) -> dict[str, str]:
    """The folder of each visible file."""
    return {path.name: path.parent.name for path in folder.rglob("*.jpg")}


def test_frames_sorted_by_hand_are_labelled_relabelled_and_discarded(
    tmp_path: Path, store: Store, labelling: Labelling, load, save
) -> None:
    """The whole trip: export, move files in a file manager, import; then export and import change nothing."""
    to_label, to_leave, to_discard, to_relabel = (keep(store, seed) for seed in range(4))
    labelling.answer(to_relabel, "bad")
    out = tmp_path / "out"
    save(out)
    path_of = {int(path.stem.rpartition("_")[2]): path for path in out.rglob("*.jpg")}
    assert path_of[to_label].read_bytes() == store.queue.jpeg(to_label)
    assert path_of[to_relabel].parent.name == "bad"
    for frame_id, folder in ((to_label, "good"), (to_discard, "discarded"), (to_relabel, "standing")):
        (out / folder).mkdir(exist_ok=True)
        path_of[frame_id].rename(out / folder / path_of[frame_id].name)
    report = load(out)
    assert (report.relabelled, report.discarded, report.known, report.new_classes) == (2, 1, 1, ("standing",))
    given = {image.frame_id: image.class_name for image in store.labels.labelled()}
    assert given == {to_label: "good", to_relabel: "standing"}
    assert store.queue.get(to_leave).status is Status.QUEUED
    assert store.queue.get(to_discard).status is Status.DISCARDED
    assert not load(out).changed
    before = files(out)
    save(out)
    assert files(out) == before


def test_answers_given_elsewhere_since_the_export_are_not_overruled(
    tmp_path: Path, store: Store, labelling: Labelling, load, save
) -> None:
    """Files that lie where the export left them say nothing; the next export moves them to their new place."""
    relabelled, labelled, discarded = (keep(store, seed) for seed in range(3))
    labelling.answer(relabelled, "bad")
    save(tmp_path / "out")
    labelling.answer(relabelled, "good")
    labelling.answer(labelled, "bad")
    labelling.discard(discarded)
    assert not load(tmp_path / "out").changed
    assert dict(zip((relabelled, labelled), labels(store), strict=True)) == {relabelled: "good", labelled: "bad"}
    assert save(tmp_path / "out").removed == 3
    assert sorted(files(tmp_path / "out").values()) == ["bad", "good"]


def test_sorting_that_was_not_imported_is_never_lost(tmp_path: Path, store: Store, save) -> None:
    """An export into a folder where somebody has sorted is refused until the sorting is imported."""
    keep(store, 1)
    out = tmp_path / "out"
    save(out)
    (file,) = out.rglob("*.jpg")
    (out / "good").mkdir()
    file.rename(out / "good" / file.name)
    with pytest.raises(DatasetError, match=r"1 pictures that were sorted by hand and not imported yet; .*\.$"):
        save(out)
    assert files(out) == {file.name: "good"}


def test_foreign_files_are_left_alone(tmp_path: Path, store: Store, labelling: Labelling, save) -> None:
    """In an earlier export only our own, unedited files are refreshed or removed."""
    frame_id = keep(store, 1)
    out = tmp_path / "out"
    save(out)
    foreign = jpeg(out / "uncategorized" / "mine.jpg", 5)
    (out / "uncategorized" / "copy.jpg").write_bytes(store.queue.jpeg(frame_id))
    labelling.answer(frame_id, "good")
    save(out)
    assert sorted(files(out).values()) == ["good", "uncategorized", "uncategorized"]
    assert foreign.exists()


def test_an_export_whose_memory_is_damaged_is_refused_in_one_sentence(tmp_path: Path, store: Store, save) -> None:
    """Nothing is written; nor is it into a file or among other things (see the catalogue in `tests/faults`)."""
    keep(store, 1)
    out = tmp_path / "out"
    out.mkdir()
    (out / MANIFEST).write_text("hello")
    with pytest.raises(DatasetError, match=r"\.$"):
        save(out)
    assert files(out) == {}


def test_an_export_that_was_interrupted_can_be_repeated(tmp_path: Path, store: Store, save) -> None:
    """A missing and a half-written file are written again."""
    for seed in range(3):
        keep(store, seed)
    out = tmp_path / "out"
    save(out)
    first, second, _ = sorted(out.rglob("*.jpg"))
    whole = first.read_bytes()
    first.write_bytes(whole[:100])
    second.unlink()
    assert save(out).uncategorized == 3
    assert first.read_bytes() == whole
    assert second.exists()


# --- real frames -----------------------------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.shared
def test_the_real_webcam_frames_are_imported_soon(store: Store, shared_data: Path) -> None:
    """1,387 frames in 15 s where it is quiet, a fifth of them held out by blocks; importing again changes nothing."""
    settings, frames = Settings(data_dir=store.folder), shared_data / "front_webcam" / "first_sessions"
    begin = time.perf_counter()
    report = import_folder(store, settings, frames, NOW)
    assert time.perf_counter() - begin < allowed_s(15)
    assert (report.labelled, report.unreadable, report.conflicts) == (1387, (), ())
    counts = store.labels.counts()
    assert [sum(counts[name].values()) for name in ("bad_posture", "good_posture")] == [666, 721]
    assert all(0.18 < numbers[Split.HOLDOUT] / sum(numbers.values()) < 0.24 for numbers in counts.values())
    assert not import_folder(store, settings, frames, NOW + 1000).changed
