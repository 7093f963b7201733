"""Exports in both layouts: where each label came from, ultralytics really reads it, and reading it back changes nothing."""

import errno
import json
import os
import shutil
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from posture_daemon.datasets import export_folder, import_folder
from posture_daemon.datasets.manifest import MANIFEST
from posture_daemon.datasets.provenance import PROVENANCE
from posture_daemon.domain import DatasetLayout, NewFrame, PostureClass, Reason, Role, Split
from posture_daemon.errors import DatasetError
from posture_daemon.labelling.session import Labelling
from posture_daemon.settings import Settings
from posture_daemon.store import Store
from posture_daemon.store.files import sha256_of
from tests.builders import add_champion, add_frame, coloured_jpeg, ensure_classes, label, label_block

NOW = 1_700_000_000.0
ARTICLE, ULTRALYTICS = DatasetLayout.ARTICLE, DatasetLayout.ULTRALYTICS


@pytest.fixture
def store(store: Store) -> Store:
    """Blocks of camera frames of three classes in all three splits, two frames of them still waiting."""
    champion = add_champion(store, "good", "bad")
    ensure_classes(store, "good", "bad", "away")
    for day, name in enumerate(("good", "bad", "away", "good", "bad", "away")):
        label_block(store, name, NOW + 90_000 * day, count=3)
    about = ("import:x", Reason.IMPORTED, "x")
    for_test = [(NewFrame(coloured_jpeg("good", 900 + i), NOW - 9e6 + i, *about), "good") for i in (0, 1)]
    store.imports.add_block(for_test, Split.TEST, NOW, 5)
    known = {"predicted": "bad", "confidence": 0.5, "version_id": champion.id}
    for at in (2.0, 90_002.5):
        add_frame(store, NOW + at, coloured_jpeg("bad", int(at) + 77), **known)
    return store


@pytest.fixture
def settings(store: Store) -> Settings:
    """The defaults."""
    return Settings(data_dir=store.folder)


@pytest.fixture
def other(tmp_path: Path) -> Iterator[Store]:
    """Another store, which knows nothing yet."""
    with closing(Store(tmp_path / "other")) as store:
        yield store


def state(store: Store) -> list[tuple[object, ...]]:
    """Every frame with its number, label, block and split."""
    return [(o.frame_id, o.sha256, o.class_name, o.block_id, o.split, o.labelled_at) for o in store.origins.all()]


def told(folder: Path) -> dict[str, dict[str, object]]:
    """What the export says of each picture."""
    return json.loads((folder / PROVENANCE).read_text(encoding="utf-8"))["pictures"]


@pytest.mark.parametrize("layout", list(DatasetLayout))
def test_reading_an_export_back_changes_nothing(
    tmp_path: Path, store: Store, settings: Settings, layout: DatasetLayout
) -> None:
    """The same numbers, no new rows, the same splits; also a second time, and after a second export."""
    before = state(store)
    for _ in range(2):
        export_folder(store, settings, tmp_path / "out", NOW, layout)
        report = import_folder(store, settings, tmp_path / "out", NOW + 50)
        assert not report.changed
        assert report.ignored == 0
        assert state(store) == before


@pytest.mark.parametrize("layout", list(DatasetLayout))
def test_another_store_gets_labels_times_blocks_splits_and_roles(
    tmp_path: Path, store: Store, other: Store, settings: Settings, layout: DatasetLayout
) -> None:
    """Whatever its own rule would say, and whatever its clock says; reading it twice changes nothing there either."""
    store.labels.ensure_class(PostureClass("away", Role.AWAY), NOW)
    store.classes.set_role("bad", Role.NEUTRAL)
    export_folder(store, settings, tmp_path / "out", NOW, layout)
    import_folder(other, settings, tmp_path / "out", NOW + 1e7)
    assert other.labels.counts() == store.labels.counts()
    assert other.labels.block_counts() == store.labels.block_counts()
    theirs, ours = ({o.sha256: (o.class_name, o.split, o.captured_at) for o in s.origins.all()} for s in (other, store))
    assert {sha: ours[sha] for sha in theirs} == theirs
    assert len(theirs) == (len(ours) if layout is ARTICLE else len(ours) - 2)
    assert {c.name: c.role for c in other.labels.classes()}["bad"] is Role.NEUTRAL
    before = state(other)
    assert not import_folder(other, settings, tmp_path / "out", NOW + 2e7).changed
    assert state(other) == before


def test_ultralytics_gets_train_val_and_test(tmp_path: Path, store: Store, settings: Settings) -> None:
    """Every class has its folder in each split, if only an empty one; what waits is not there."""
    report = export_folder(store, settings, tmp_path / "out", NOW, ULTRALYTICS)
    folders = sorted(str(path.relative_to(tmp_path / "out")) for path in (tmp_path / "out").glob("*/*"))
    assert folders == [f"{tree}/{name}" for tree in ("test", "train", "val") for name in ("away", "bad", "good")]
    found = {folder: len(list((tmp_path / "out" / folder).glob("*.jpg"))) for folder in folders}
    assert (found["train/good"], found["val/good"], found["test/good"], found["test/bad"]) == (3, 3, 2, 0)
    assert (report.labelled, report.uncategorized, report.not_held_out) == (20, 0, ())
    assert "yolo classify train data=" in report.sentences()[-1]


def test_a_class_that_ultralytics_will_miss_in_val_is_named(tmp_path: Path, store: Store, settings: Settings) -> None:
    """It says so itself, in red; better to know why."""
    label_block(store, "standing", NOW + 9e6, count=2)
    report = export_folder(store, settings, tmp_path / "out", NOW, ULTRALYTICS)
    assert any("val/ has no pictures of standing yet" in line for line in report.sentences())


def test_the_provenance_tells_where_each_label_came_from(tmp_path: Path, store: Store, settings: Settings) -> None:
    """Digest, split, block, who labelled it and when, and which model had asked with what guess."""
    waiting = store.queue.waiting()[0]
    label(store, waiting.id, "bad", now=NOW + 5)
    store.labels.keep(waiting.id, NOW + 6)
    export_folder(store, settings, tmp_path / "out", NOW, ARTICLE)
    [path] = [path for path in told(tmp_path / "out") if path.endswith(f"_{waiting.id}.jpg")]
    said = told(tmp_path / "out")[path]
    data = (tmp_path / "out" / path).read_bytes()
    assert said["sha256"] == sha256_of(data)
    assert (said["class"], said["split"], said["labelled_by"]) == ("bad", "train", "owner")
    assert said["labelled_at"] == "2023-11-14T22:13:25+00:00"
    assert said["kept_after_review_at"] == "2023-11-14T22:13:26+00:00"
    assert (said["model"], said["its_guess"], said["its_confidence"], said["reason"]) == (1, "bad", 0.5, "uncertain")
    models = json.loads((tmp_path / "out" / PROVENANCE).read_text())["models"]
    assert models["1"]["head_sha256"] == store.models.get(1).head_sha256
    assert {one["labelled_by"] for one in told(tmp_path / "out").values()} == {"owner", "import", None}


def test_a_frame_that_was_relabelled_moves_in_the_next_export(tmp_path: Path, store: Store, settings: Settings) -> None:
    """And a file moved by hand between class folders is a new answer, in the layout of ultralytics too."""
    out = tmp_path / "out"
    export_folder(store, settings, out, NOW, ULTRALYTICS)
    image = next(i for i in store.labels.labelled() if i.class_name == "good" and i.split is Split.TRAIN)
    Labelling(store, settings.labels, lambda: NOW).answer(image.frame_id, "bad")
    assert export_folder(store, settings, out, NOW, ULTRALYTICS).removed == 1
    [file] = out.rglob(f"*_{image.frame_id}.jpg")
    assert file.parent == out / "train" / "bad"
    file.rename(out / "train" / "away" / file.name)
    with pytest.raises(DatasetError, match="sorted by hand and not imported yet"):
        export_folder(store, settings, out, NOW, ULTRALYTICS)
    assert import_folder(store, settings, out, NOW).relabelled == 1
    assert {i.frame_id: i.class_name for i in store.labels.labelled()}[image.frame_id] == "away"


IN_THE_WAY = {
    "a file as a class folder": ("good", "out/good is a file"),
    "a dangling link as a class folder": ("good -> nowhere", "out/good is a link that leads to nothing"),
    "a file as a split": ("train", "out/train is a file"),
    "a folder as the file about it": ("provenance.json/", r"out/provenance\.json is a folder"),
    "a dangling link as the folder": (" -> nowhere", "out is a link that leads to nothing"),
    "a file above the folder": ("../above", "above is a file"),
    "a pipe as a class folder": ("bad |", "out/bad is no folder"),
}


@pytest.mark.parametrize("case", IN_THE_WAY)
@pytest.mark.parametrize("layout", DatasetLayout)
def test_what_is_in_the_way_is_named_before_anything_is_written(
    tmp_path: Path, store: Store, settings: Settings, case: str, layout: DatasetLayout
) -> None:
    """With what to do; the list of an earlier export stays as it was."""
    what, words = IN_THE_WAY[case]
    out, name = tmp_path / "out", what.split(" ")[0]
    folder = {"../above": tmp_path / "above" / "out", "": tmp_path / "out"}.get(name, out)
    split = "train/" if layout is ULTRALYTICS and name in ("good", "bad") else ""
    place = tmp_path / "above" if name == "../above" else out / split / name if name else out
    if layout is ARTICLE and name == "train":
        pytest.skip("of the other layout")
    if folder == out and name:
        export_folder(store, settings, out, NOW, layout)
        shutil.rmtree(place) if place.is_dir() else place.unlink(missing_ok=True)
    if "->" in what:
        place.symlink_to(tmp_path / "nowhere")
    elif "|" in what:
        os.mkfifo(place)
    elif what.endswith("/"):
        place.mkdir()
    else:
        place.write_text("mine")
    before = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    with pytest.raises(DatasetError, match=words.replace("out/", f"out/{split}")) as refused:
        export_folder(store, settings, folder, NOW, layout)
    assert "nothing was written" in str(refused.value)
    assert {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()} == before


def test_a_disk_that_takes_nothing_is_said_with_the_place_and_a_way_on(
    tmp_path: Path, store: Store, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By the name that the file was to have, not by that of its first bytes."""
    export_folder(store, settings, tmp_path / "out", NOW)
    write = Path.write_bytes

    def full(path: Path, data: bytes) -> int:
        if "provenance" in path.name:
            raise OSError(errno.ENOSPC, "No space left on device", str(path))
        return write(path, data)

    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(
        DatasetError, match=r"out/provenance\.json cannot be written \(No space left on device\); mend that"
    ):
        export_folder(store, settings, tmp_path / "out", NOW)


def test_an_export_of_the_other_layout_is_refused(tmp_path: Path, store: Store, settings: Settings) -> None:
    """Before anything is written, in one sentence."""
    export_folder(store, settings, tmp_path / "out", NOW, ARTICLE)
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises(DatasetError, match=r"in the layout of article; nothing was written.*\.$"):
        export_folder(store, settings, tmp_path / "out", NOW, ULTRALYTICS)
    assert sorted(tmp_path.rglob("*")) == before


@pytest.mark.parametrize("text", ["", "{}", "[1]", '{"pictures": {"a": 3}, "classes": []}', "\x00"])
def test_a_provenance_that_makes_no_sense_is_not_believed(
    tmp_path: Path, store: Store, other: Store, settings: Settings, text: str
) -> None:
    """The pictures and folders count; nothing is refused."""
    export_folder(store, settings, tmp_path / "out", NOW, ARTICLE)
    (tmp_path / "out" / PROVENANCE).write_text(text)
    assert import_folder(other, settings, tmp_path / "out", NOW).labelled == store.labels.total()


def test_an_export_of_an_earlier_version_is_still_read(tmp_path: Path, store: Store, settings: Settings) -> None:
    """Its manifest names no layout, and it has no provenance."""
    out = tmp_path / "out"
    export_folder(store, settings, out, NOW, ARTICLE)
    (out / PROVENANCE).unlink()
    manifest = json.loads((out / MANIFEST).read_text())
    (out / MANIFEST).write_text(json.dumps({"written_by": "…", "folders": manifest["folders"]}))
    assert not import_folder(store, settings, out, NOW).changed
    assert export_folder(store, settings, out, NOW, ARTICLE).labelled == store.labels.total()


@pytest.mark.slow
@pytest.mark.torch
def test_ultralytics_loads_the_export(tmp_path: Path, store: Store, settings: Settings, run_ultralytics) -> None:
    """By its own check and its own dataset class: classes in one order in each split, every picture readable."""
    out = tmp_path / "out"
    export_folder(store, settings, out, NOW, ULTRALYTICS)
    run_ultralytics("dataset", out, tmp_path / "seen.json")
    seen = json.loads((tmp_path / "seen.json").read_text())
    three_each = {"away": 3, "bad": 3, "good": 3}
    assert seen["names"] == ["away", "bad", "good"]
    assert seen["labels"] == {"train": three_each, "val": three_each, "test": {"good": 2}}
    assert not import_folder(store, settings, out, NOW).changed  # ultralytics left its caches there
