"""What grows for ever is bounded; what somebody may still need stays, whatever the clock says."""

import os
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from posture_daemon.cli import show
from posture_daemon.domain import Decision, ModelVersion, Outcome, Status, Verdict
from posture_daemon.errors import DataFolderError, ModelError
from posture_daemon.settings import KeepSettings
from posture_daemon.store import Store, model_files, retention
from posture_daemon.store.files import sha256_of
from posture_daemon.store.retention import Tidied
from tests.builders import add_frame, add_version, ensure_classes, label, label_block, random_head
from tests.checks import query, raising

DAY = 86_400.0
NOW = 20_000.5 * DAY
"""Not within a day of the real time, which the files of these tests have."""
YEARS = 3650 * DAY
KEEP = KeepSettings(refusals_days=90, discarded_days=30, history_days=100, models=2)
NOTHING = Tidied(0, 0, 0, 0, 0)


@pytest.fixture
def store(store: Store) -> Store:
    """A store that was in use on every one of the last 99 days."""
    use(store, NOW - 99 * DAY, 99)
    return store


def use(store: Store, start: float, days: int) -> None:
    """A period of posture on each day."""
    for day in range(days + 1):
        store.history.add("good", start + day * DAY - 60, start + day * DAY)


def count(store: Store, table: str) -> int:
    """Rows as SQLite has them."""
    return int(query(store, f"SELECT count(*) FROM {table}")[0][0])


def refuse(store: Store, at: float, reason: str) -> int:
    """A refusal for a reason of its own, so that it is not the last one again."""
    return store.runs.defer("schedule", Decision((Verdict(reason, False, reason),)), None, at).id


def discard(store: Store, at: float, added: float | None = None) -> int:
    """A frame that the owner discarded."""
    frame_id = add_frame(store, at if added is None else added)
    label(store, frame_id, None, at)
    return frame_id


def there(store: Store) -> set[int]:
    """Frames of any status."""
    return {id_ for (id_,) in query(store, "SELECT id FROM frames")}


# ── rows ──────────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_old_refusals_go_and_all_other_runs_stay(store: Store) -> None:
    """Just over the limit goes, just under it stays; a training of any age stays."""
    kept = store.runs.begin("hand", Decision(()), None, NOW - 99 * DAY)
    store.runs.finish(kept, Outcome.KEPT, "no better", NOW - 99 * DAY)
    old, young = refuse(store, NOW - 91 * DAY, "hot"), refuse(store, NOW - 89 * DAY, "busy")
    newest = refuse(store, NOW - 88 * DAY, "hot")
    assert store.retention.tidy(NOW, KEEP).refusals == 1
    assert [run.id for run in store.runs.recent()] == [newest, young, kept]
    assert old == kept + 1


def test_the_newest_refusal_stays_however_old_it_is(store: Store) -> None:
    """It says why there was no training, and keeps its number from being given again."""
    refuse(store, NOW - 95 * DAY, "hot")
    newest = refuse(store, NOW - 94 * DAY, "busy")
    assert store.retention.tidy(NOW, KEEP).refusals == 1
    assert [run.id for run in store.runs.recent()] == [newest]


def test_discarded_frames_go_with_their_answers_and_others_never(store: Store) -> None:
    """Labelled and waiting frames of any age stay; of the discarded ones those that were discarded lately."""
    labelled = label_block(store, "good", NOW - 99 * DAY, 2)
    waiting = add_frame(store, NOW - 99 * DAY + 10)
    old = discard(store, NOW - 31 * DAY)
    young, newest = discard(store, NOW - 29 * DAY), discard(store, NOW - 1 * DAY)
    answers = count(store, "answers")
    size = len(store.queue.jpeg(old))
    done = store.retention.tidy(NOW, KEEP)
    assert (done.frames, done.bytes) == (1, size)
    assert there(store) == {*labelled, waiting, young, newest}
    assert count(store, "answers") == answers - 1
    assert store.retention.tidy(NOW, KEEP).frames == 0


def test_a_frame_that_waited_long_can_be_taken_back_for_as_long_as_any_other(store: Store) -> None:
    """What counts is when it was discarded, not when it was kept; the last answer counts, not the first."""
    waited = discard(store, NOW - DAY, added=NOW - 99 * DAY)
    ensure_classes(store, "good")
    again = discard(store, NOW - 60 * DAY)
    label(store, again, "good", NOW - 50 * DAY)
    label(store, again, None, NOW - 2 * DAY)
    discard(store, NOW)
    assert store.retention.tidy(NOW, KEEP) == NOTHING
    assert {waited, again} <= there(store)
    assert store.queue.get(again).status is Status.DISCARDED


def test_numbers_of_frames_and_answers_are_not_given_again(store: Store) -> None:
    """Who has learned from frame 7, or has seen the answers up to 9, must not take another one for it."""
    ensure_classes(store, "good")
    older, newest_answer, newest_frame = (add_frame(store, NOW - 60 * DAY + number) for number in range(3))
    for frame_id in (newest_frame, older, newest_answer):
        label(store, frame_id, None, NOW - 60 * DAY)
    assert store.retention.tidy(NOW, KEEP).frames == 1
    assert there(store) == {newest_answer, newest_frame}
    label(store, add_frame(store, NOW), "good", NOW)
    assert store.retention.tidy(NOW, KEEP).frames == 2


def test_frames_that_were_discarded_with_their_class_wait_as_well(store: Store) -> None:
    """Their last answer is old, but they were discarded today; thirty days later they go."""
    ensure_classes(store, "good", "bad")
    block = label_block(store, "bad", NOW - 99 * DAY, 2)
    store.classes.retire("bad", Status.DISCARDED, NOW - DAY)
    label_block(store, "good", NOW, 1)
    assert store.retention.tidy(NOW, KEEP).frames == 0
    use(store, NOW, 40)
    assert store.retention.tidy(NOW + 40 * DAY, KEEP).frames == 2
    assert not set(block) & there(store)


def test_old_history_goes(store: Store) -> None:
    """Just over the limit and just under it."""
    use(store, NOW, 1)
    assert store.retention.tidy(NOW + 0.9 * DAY, KEEP).periods == 0
    assert store.retention.tidy(NOW + 1.1 * DAY, KEEP).periods == 1


@pytest.mark.parametrize("number", [4, 5])
def test_more_rows_than_one_transaction_takes(store: Store, monkeypatch: pytest.MonkeyPatch, number: int) -> None:
    """All go, a portion at a time, also when the portions come out even."""
    monkeypatch.setattr(retention, "PICTURES_AT_ONCE", 2)
    ids = [discard(store, NOW - 60 * DAY + second) for second in range(number)]
    label_block(store, "good", NOW, 1)
    assert store.retention.tidy(NOW, KEEP).frames == number
    assert not set(ids) & there(store)


# ── clocks ────────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_clock_that_leaps_into_the_future_makes_nothing_old(store: Store) -> None:
    """Tidied while it is ten years ahead, after the daemon has recorded things there, and when it is back.

    The one day that it recorded there counts as one: of 101 days of history the oldest goes.
    """
    frames = [discard(store, NOW - day * DAY) for day in (20, 10, 0)]
    refusals = [refuse(store, NOW - day * DAY, f"{day}") for day in (60, 30, 0)]
    assert store.retention.tidy(NOW + YEARS, KEEP) == NOTHING
    store.history.add("good", NOW + YEARS, NOW + YEARS + 60)
    ahead = discard(store, NOW + YEARS + 60)
    assert store.retention.tidy(NOW + YEARS + 120, KEEP) == Tidied(0, 0, periods=1, models=0, bytes=0)
    assert store.retention.tidy(NOW + 60, KEEP) == NOTHING
    assert {*frames, ahead} == there(store)
    assert [run.id for run in store.runs.recent()] == refusals[::-1]
    assert count(store, "posture_periods") == 100


def test_what_was_dated_into_the_future_ages_with_its_neighbours(store: Store) -> None:
    """Back in the present it does not stay for ten years: it goes once what came after it is old."""
    ahead = discard(store, NOW - 40 * DAY + YEARS)
    store.history.add("bad", NOW + YEARS, NOW + YEARS + 60)
    after, newest = discard(store, NOW - 20 * DAY), discard(store, NOW)
    assert store.retention.tidy(NOW, KEEP).frames == 0
    use(store, NOW + DAY, 30)
    assert store.retention.tidy(NOW + 15 * DAY, KEEP).frames == 2
    assert not {ahead, after} & there(store)
    assert newest in there(store)
    use(store, NOW + 31 * DAY, 90)
    store.retention.tidy(NOW + 121 * DAY, KEEP)
    assert count(store, "posture_periods WHERE posture = 'bad'") == 0


def test_days_without_use_make_nothing_old(store: Store) -> None:
    """Switched off for a year, what was discarded before can be taken back for as long as ever."""
    frame = discard(store, NOW)
    label_block(store, "good", NOW + 1, 1)
    back = NOW + 365 * DAY
    use(store, back, 28)
    assert store.retention.tidy(back + 28 * DAY, KEEP).frames == 0
    use(store, back + 29 * DAY, 2)
    assert store.retention.tidy(back + 31 * DAY, KEEP).frames == 1
    assert frame not in there(store)


def test_a_clock_that_is_set_back_makes_nothing_old(store: Store) -> None:
    """As on a board that starts in 1970."""
    discard(store, NOW - 60 * DAY)
    label_block(store, "good", NOW, 1)
    assert store.retention.tidy(1000.0, KEEP) == NOTHING


# ── model files ───────────────────────────────────────────────────────────────────────────────────────────────────────


def child(store: Store, parent: ModelVersion, seed: int, backbone: str = "b" * 64, **fields: Any) -> ModelVersion:
    """A version that a training made from another."""
    head = random_head(2, seed=seed)
    return add_version(store, head, backbone, "good", "bad", parent_id=parent.id, source="fine-tune", **fields)


def children(store: Store, parent: ModelVersion, *seeds: int) -> list[ModelVersion]:
    """Several of them."""
    return [child(store, parent, seed) for seed in seeds]


@pytest.fixture
def imported(store: Store) -> ModelVersion:
    """The first champion."""
    version = add_version(store, random_head(2), "b" * 64, "good", "bad")
    store.models.promote(version.id, 0.0)
    return version


def with_files(store: Store) -> set[int]:
    """Versions whose head is there, checked against what the rows say."""
    found = {v.id for v in store.models.all() if store.models.head_path(v.head_sha256).exists()}
    assert found == {v.id for v in store.models.all() if v.files_removed_at is None}
    return found


def test_the_files_of_old_challengers_go_and_all_that_is_known_of_them_stays(
    store: Store, imported: ModelVersion
) -> None:
    """Beyond the newest two: neither champion, nor imported. Row, metrics and lineage are as before."""
    made = [child(store, imported, n, metrics={"n": n}, lineage={"seed": n}) for n in range(1, 5)]
    sizes = sum(store.models.head_path(v.head_sha256).stat().st_size for v in made[:2])
    assert store.retention.tidy(NOW, KEEP) == Tidied(0, 0, 0, models=2, bytes=sizes)
    assert with_files(store) == {imported.id, made[2].id, made[3].id}
    gone = store.models.get(made[0].id)
    assert (gone.files_removed_at, gone.metrics, gone.lineage, gone.parent_id) == (NOW, {"n": 1}, {"seed": 1}, 1)
    assert store.retention.tidy(NOW + DAY, KEEP) == NOTHING


def test_files_that_somebody_may_ask_for_stay(store: Store, imported: ModelVersion) -> None:
    """Champion, previous and an imported model, but no champion of long ago; once the roles move on, they go."""
    grandparent = child(store, imported, 1)
    parent = child(store, grandparent, 2)
    previous, champion = child(store, imported, 3), child(store, parent, 4)
    another = add_version(store, random_head(2, seed=5), "c" * 64, "good", "bad")
    for version in (previous, champion):
        store.models.promote(version.id, 1.0)
    newer = [child(store, imported, n) for n in range(6, 10)]
    store.retention.tidy(NOW, KEEP)
    assert with_files(store) == {v.id for v in (imported, previous, champion, another, *newer[2:])}
    for version in newer[2:]:
        store.models.promote(version.id, 2.0)
    store.retention.tidy(NOW, KEEP)
    assert with_files(store) == {v.id for v in (imported, another, *newer[2:])}


def test_what_later_trainings_go_back_to_keeps_its_files(store: Store, imported: ModelVersion) -> None:
    """The first version on a backbone that a training made knows what was there before the labels; those in between do not."""
    first = child(store, imported, 1, backbone="d" * 64)
    between = child(store, first, 2, backbone="d" * 64)
    champion = child(store, between, 3, backbone="d" * 64)
    store.models.promote(champion.id, 1.0)
    newer = children(store, imported, 4, 5)
    store.retention.tidy(NOW, KEEP)
    assert with_files(store) == {v.id for v in (imported, first, champion, *newer)}


def test_both_sides_of_an_open_watch_keep_their_files(store: Store, imported: ModelVersion) -> None:
    """Also when neither has a role any more; until the watch is over."""
    before, after = child(store, imported, 1), child(store, imported, 2)
    store.models.promote(before.id, 1.0)
    store.models.promote(after.id, 2.0, watched=True)
    newer = children(store, imported, 3, 4)
    with store.database.write() as session:
        for role, version in zip(("champion", "previous"), newer, strict=True):
            session.get_one(model_files.RoleRow, role).version_id = version.id
    store.retention.tidy(NOW, KEEP)
    assert {before.id, after.id} <= with_files(store)
    store.watches.keep(store.watches.current(), "it is over", 3.0)
    store.retention.tidy(NOW, KEEP)
    assert with_files(store) == {imported.id, *(v.id for v in newer)}


def test_what_a_running_training_began_from_keeps_its_files(store: Store, imported: ModelVersion) -> None:
    """The child process reads them when it likes; afterwards they go."""
    incumbent = child(store, imported, 1)
    run = store.runs.begin("hand", Decision(()), incumbent.id, NOW)
    children(store, imported, 2, 3)
    store.retention.tidy(NOW, KEEP)
    assert incumbent.id in with_files(store)
    store.runs.finish(run, Outcome.KEPT, "no better", NOW)
    store.retention.tidy(NOW, KEEP)
    assert incumbent.id not in with_files(store)


def test_a_head_that_two_versions_share_stays_for_the_one(store: Store, imported: ModelVersion) -> None:
    """The same labels give the same head again. When the last of its versions goes, it goes."""
    first = child(store, imported, 1)
    children(store, imported, 2, 3)
    again = child(store, imported, 1)
    child(store, imported, 4)
    store.retention.tidy(NOW, KEEP)
    path = store.models.head_path(first.head_sha256)
    assert store.models.get(first.id).files_removed_at == NOW
    assert store.models.get(again.id).files_removed_at is None
    assert store.models.read_head(again.head_sha256)
    children(store, imported, 5, 6)
    store.retention.tidy(NOW, KEEP)
    assert not path.exists()


def backbone(store: Store, sha256: str, modified: float = NOW - 3 * DAY) -> Path:
    """A folder as `add_backbone` makes it."""
    folder = store.models.backbone_folder(sha256)
    folder.mkdir(parents=True)
    (folder / "backbone.onnx").write_bytes(b"graph")
    os.utime(folder, (modified, modified))
    return folder


def test_a_backbone_goes_with_the_last_version_that_needs_it(store: Store, imported: ModelVersion) -> None:
    """Training the whole network makes a backbone each time."""
    of_all, of_one = backbone(store, "b" * 64), backbone(store, "d" * 64)
    child(store, imported, 1, backbone="d" * 64)
    child(store, imported, 2)
    store.retention.tidy(NOW, KEEP)
    assert of_one.exists()
    child(store, imported, 3)
    store.retention.tidy(NOW, KEEP)
    assert of_all.exists()
    assert not of_one.exists()


@pytest.mark.parametrize(("age", "stays"), [(0.0, True), (0.9 * DAY, True), (1.1 * DAY, False), (-YEARS, False)])
def test_files_that_no_version_points_to_go_after_a_day(store: Store, age: float, stays: bool) -> None:
    """A crash left them; younger ones may belong to a version that is just being recorded."""
    left = [store.models.folder / "heads" / name for name in ("0123.safetensors", ".0123.safetensors.x1y2")]
    for path in left:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"head")
        os.utime(path, (NOW - age, NOW - age))
    left += [backbone(store, sha256, NOW - age) for sha256 in ("e" * 64, ".ffff.partial")]
    freed = store.retention.tidy(NOW, KEEP).bytes
    assert [path.exists() for path in left] == [stays] * 4
    assert freed == (0 if stays else 2 * len(b"head") + 2 * len(b"graph"))


def test_a_crash_between_row_and_file_is_made_good(
    store: Store, imported: ModelVersion, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The row is first, so the crash leaves a file too many, never a version without its files."""
    made = children(store, imported, 1, 2, 3)
    with monkeypatch.context() as patched:
        patched.setattr(store.models, "remove", raising(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            store.retention.tidy(NOW, KEEP)
    assert store.models.get(made[0].id).files_removed_at == NOW
    assert store.models.head_path(made[0].head_sha256).exists()
    assert store.retention.tidy(NOW + DAY, KEEP).bytes > 0
    assert with_files(store) == {imported.id, made[1].id, made[2].id}


def test_a_version_made_within_a_day_keeps_its_files_and_what_it_goes_back_to(
    store: Store, imported: ModelVersion
) -> None:
    """The very same head may be being recorded again at this moment."""
    parent = child(store, imported, 1, backbone="d" * 64)
    young = child(store, parent, 2, backbone="d" * 64)
    os.utime(store.models.head_path(young.head_sha256), (NOW - 0.5 * DAY, NOW - 0.5 * DAY))
    children(store, imported, 3, 4)
    assert store.retention.tidy(NOW, KEEP).models == 0
    assert store.retention.tidy(NOW + DAY, KEEP).models == 2
    assert not {parent.id, young.id} & with_files(store)


def test_a_backbone_that_is_used_again_counts_as_fresh(store: Store, tmp_path: Path) -> None:
    """Between its files and its row nobody deletes it."""
    digest = sha256_of(b"graph")
    folder = backbone(store, digest, 1000.0)
    (folder / "backbone.json").write_text(f'{{"sha256": "{digest}"}}')
    os.utime(folder, (1000.0, 1000.0))
    store.models.add_backbone(tmp_path, digest)
    assert folder.stat().st_mtime > NOW


def test_a_version_without_files_cannot_be_champion_and_says_why(store: Store, imported: ModelVersion) -> None:
    """In one sentence, with the day and the setting; also who reads its head is told. A missing file is another matter."""
    made = children(store, imported, 1, 2, 3)
    store.retention.tidy(NOW, KEEP)
    told = r"The files of model 2 were removed on 2024-10-0\d to save space \(keep\.models\); choose another model"
    with pytest.raises(ModelError, match=told) as error:
        store.models.promote(made[0].id, NOW)
    assert "\n" not in str(error.value)
    with pytest.raises(ModelError, match=told):
        store.models.read_head(made[0].head_sha256)
    assert store.models.champion() == imported
    assert store.models.promote(made[1].id, NOW)
    store.models.head_path(made[2].head_sha256).unlink()
    with pytest.raises(ModelError, match="cannot be read"):
        store.models.read_head(made[2].head_sha256)


def test_the_list_of_models_tells_whose_files_are_gone(store: Store, imported: ModelVersion) -> None:
    """And only theirs."""
    children(store, imported, 1, 2, 3)
    store.retention.tidy(NOW, KEEP)
    console = Console(width=200, file=StringIO(), record=True)
    show.versions(console, store.models.all(), {})
    lines = [line for line in console.export_text().splitlines() if "fine-tune" in line or "test" in line]
    assert ["(files removed)" in line for line in lines] == [False, False, True, False]


def test_a_file_that_cannot_be_deleted_is_said_in_one_sentence(
    store: Store, imported: ModelVersion, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The row stays marked; the next tidy tries again."""
    children(store, imported, 1, 2, 3)
    monkeypatch.setattr(Path, "unlink", raising(PermissionError(13, "Permission denied")))
    with pytest.raises(DataFolderError, match=r"cannot be deleted \(Permission denied\)"):
        store.retention.tidy(NOW, KEEP)
