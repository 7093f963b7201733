"""Second copies of model files: what a backup needs lies beside it once, and mends what is damaged."""

import json
import sqlite3
from contextlib import closing
from pathlib import Path

from posture_daemon.domain import ModelVersion
from posture_daemon.store import Store
from posture_daemon.store.model_copies import STARTER
from tests.builders import add_backbone, add_version, random_head

NOON = 1_760_000_400.0
DAY = 86_400.0


def promoted(store: Store, digest: str, seed: int, now: float = 0.0) -> ModelVersion:
    """A version that is champion."""
    version = add_version(store, random_head(2, seed=seed), digest, "good", "bad")
    store.models.promote(version.id, now)
    return version


def spares(store: Store) -> set[str]:
    """Names of the second copies."""
    folder = store.backups.folder / "models"
    return {path.name for path in [*folder.glob("heads/*"), *folder.glob("backbones/*")]}


def names(*versions: ModelVersion) -> set[str]:
    """What these versions need."""
    heads = {f"{version.head_sha256[:16]}.safetensors" for version in versions}
    return heads | {version.backbone_sha256[:16] for version in versions}


def test_a_backup_has_the_models_of_its_champion_and_the_one_before(store: Store, tmp_path: Path) -> None:
    """And no others; what no backup needs any more goes, what a kept one needs stays."""
    digest = add_backbone(store, tmp_path / "in", b"graph")
    first, second, third, fourth = (promoted(store, digest, seed) for seed in range(4))
    store.back_up(NOON, keep=2)
    assert spares(store) == names(third, fourth)
    fifth = promoted(store, digest, 5)
    sixth = promoted(store, digest, 6)
    store.back_up(NOON + DAY, keep=2)
    assert spares(store) == names(third, fourth, fifth, sixth)
    store.back_up(NOON + 2 * DAY, keep=2)
    assert spares(store) == names(fifth, sixth)
    assert first.id < second.id
    for path in (store.backups.folder / "models").rglob("*"):
        assert path.stat().st_mode & 0o077 == 0, path


def test_a_backup_elsewhere_is_enough_by_itself(store: Store, tmp_path: Path) -> None:
    """It brings its models along; the data folder's own backups are left alone."""
    champion = promoted(store, add_backbone(store, tmp_path / "in", b"graph"), 1)
    assert store.back_up(NOON, 1, tmp_path / "stick").parent == tmp_path / "stick"
    assert (tmp_path / "stick/models/heads" / f"{champion.head_sha256[:16]}.safetensors").exists()
    assert store.backups.list() == []


def test_in_a_folder_that_is_not_ours_nothing_is_deleted(store: Store, tmp_path: Path) -> None:
    """Neither what somebody else calls a model, nor, where the data folder itself is named, the live models."""
    digest = add_backbone(store, tmp_path / "in", b"graph")
    unused = [promoted(store, digest, seed) for seed in range(4)]
    theirs = tmp_path / "stick" / "models" / "heads" / "mine.safetensors"
    theirs.parent.mkdir(parents=True)
    theirs.write_bytes(b"mine")
    store.back_up(NOON, 100, tmp_path / "stick")
    store.back_up(NOON, 100, store.folder)
    assert theirs.exists()
    assert [store.models.damage(version) for version in unused] == [[]] * 4


def test_damaged_and_missing_files_come_back_from_the_backup(store: Store, tmp_path: Path) -> None:
    """Each by its digest; a sound version is left alone."""
    champion = promoted(store, add_backbone(store, tmp_path / "in", b"graph"), 1)
    store.back_up(NOON, keep=1)
    head, folder = store.models.head_path(champion.head_sha256), store.models.backbone_folder(champion.backbone_sha256)
    assert store.model_copies.mend(champion) == []
    head.unlink()
    (folder / "backbone.onnx").write_bytes(b"grabh")
    assert store.models.damage(champion) == [head, folder]
    assert store.model_copies.mend(champion) == [head, folder]
    assert store.models.damage(champion) == []
    assert len(store.models.read_head(champion.head_sha256)) > 0


def test_without_a_sound_copy_nothing_is_replaced(store: Store, tmp_path: Path) -> None:
    """A copy that is damaged itself is not used."""
    champion = promoted(store, add_backbone(store, tmp_path / "in", b"graph"), 1)
    store.back_up(NOON, keep=1)
    for path in (store.backups.folder / "models").rglob("*.*"):
        path.write_bytes(b"damaged, too")
    store.models.head_path(champion.head_sha256).write_bytes(b"x")
    (store.models.backbone_folder(champion.backbone_sha256) / "backbone.json").write_bytes(b"\xff")
    assert store.model_copies.mend(champion) == []
    assert len(store.models.damage(champion)) == 2


def test_a_damaged_second_copy_is_replaced_by_the_next_backup(store: Store, tmp_path: Path) -> None:
    """It is looked at each time, and a damaged file is never copied over a sound one."""
    champion = promoted(store, add_backbone(store, tmp_path / "in", b"graph"), 1)
    store.back_up(NOON, keep=1)
    copy = store.backups.folder / "models/heads" / f"{champion.head_sha256[:16]}.safetensors"
    sound = copy.read_bytes()
    copy.write_bytes(b"x")
    store.back_up(NOON + DAY, keep=1)
    assert copy.read_bytes() == sound
    store.models.head_path(champion.head_sha256).write_bytes(b"x")
    store.back_up(NOON + 2 * DAY, keep=1)
    assert copy.read_bytes() == sound


def test_the_starter_mends_itself_from_the_package(store: Store) -> None:
    """Without any backup; also the backbone of a version that was trained from it."""
    about = json.loads((STARTER / "backbone.json").read_text())
    store.models.add_backbone(STARTER, about["sha256"])
    trained = promoted(store, about["sha256"], 1)
    onnx = store.models.backbone_folder(about["sha256"]) / "backbone.onnx"
    onnx.write_bytes(onnx.read_bytes()[:-1])
    assert store.model_copies.mend(trained) == [onnx.parent]
    assert store.models.has_backbone(about["sha256"])


def test_what_a_backup_needs_that_cannot_be_read_stays(store: Store, tmp_path: Path) -> None:
    """Who cannot be asked may need everything."""
    digest = add_backbone(store, tmp_path / "in", b"graph")
    first = promoted(store, digest, 1)
    damaged = store.back_up(NOON, keep=2)
    promoted(store, digest, 2)
    promoted(store, digest, 3)
    damaged.write_bytes(b"no database at all" * 100)
    store.back_up(NOON + DAY, keep=2)
    assert names(first) <= spares(store)


def test_copies_of_every_schema_can_be_asked(tmp_path: Path) -> None:
    """The question has been the same since the first schema."""
    for dump in sorted((Path(__file__).parents[2] / "fixtures/schemas").glob("*.sql")):
        with closing(sqlite3.connect(tmp_path / f"{dump.stem}.db")) as connection:
            connection.executescript(dump.read_text())
    from posture_daemon.store.model_copies import needed_by

    needed, all_read = needed_by(sorted(tmp_path.glob("*.db")))
    assert (needed, all_read) == ({("c" * 64, "b" * 64), ("d" * 64, "b" * 64)}, True)
