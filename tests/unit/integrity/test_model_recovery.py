"""Who answers when model files are damaged: the same model after mending, the one before it, the starter; and who is told."""

import json
from pathlib import Path

import pytest

from posture_daemon.domain import ModelVersion
from posture_daemon.errors import DataFolderError, ModelError
from posture_daemon.integrity.model_recovery import answering, install
from posture_daemon.store import Store
from posture_daemon.store.model_copies import STARTER, STARTER_SOURCE
from posture_daemon.store.models import Models
from tests.builders import add_backbone, add_version, make_store, random_head
from tests.checks import raising

NOW = 1_760_000_400.0
STARTER_BACKBONE = json.loads((STARTER / "backbone.json").read_text())["sha256"]


@pytest.fixture
def store(store: Store) -> Store:
    """A store with the starter as champion."""
    install(store, STARTER, STARTER_SOURCE, as_base=False)
    return store


def promoted(store: Store, seed: int, backbone: str = STARTER_BACKBONE) -> ModelVersion:
    """A new champion."""
    version = add_version(store, random_head(3, seed=seed), backbone, "good", "bad", "na", source="fine-tune")
    store.models.promote(version.id, float(seed))
    return version


def load_from(store: Store):
    """A load that reads both files as the real one does; its result is the number."""

    def load(version: ModelVersion) -> int:
        store.models.read_head(version.head_sha256)
        if not store.models.has_backbone(version.backbone_sha256):
            raise ModelError(f"The backbone of model {version.id} is damaged.")
        return version.id

    return load


def answers(store: Store) -> int:
    """The number of the version that answers at a start now; the database says the same."""
    champion = store.models.champion()
    number = answering(store, champion, load_from(store), NOW)
    assert store.models.champion_id() == number
    return number


def damage(path: Path) -> None:
    """Turn one bit over."""
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)


def test_a_sound_champion_answers_and_nothing_is_told(store: Store) -> None:
    """The usual start."""
    version = promoted(store, 1)
    assert answers(store) == version.id
    assert store.incidents.unseen() == []


@pytest.mark.parametrize("lost", [False, True])
def test_the_model_before_answers_in_place_of_a_damaged_one(
    store: Store, lost: bool, caplog: pytest.LogCaptureFixture
) -> None:
    """It is champion then, the damaged one `previous`, and it is told as an error and for the owner, once."""
    before, champion = promoted(store, 1), promoted(store, 2)
    head = store.models.head_path(champion.head_sha256)
    head.unlink() if lost else damage(head)
    assert answers(store) == before.id
    assert store.models.previous().id == champion.id
    [incident] = store.incidents.unseen()
    assert (
        f"Model {champion.id} cannot answer, so model {before.id} (fine-tune) is champion: The head file"
        in incident.text
    )
    assert incident.text in caplog.text
    assert answers(store) == before.id
    assert len(store.incidents.unseen()) == 1


def test_a_damaged_one_is_champion_again_only_when_it_is_sound(store: Store) -> None:
    """A start with it as champion puts it out again as long as it is damaged; mended, it answers."""
    before, champion = promoted(store, 1), promoted(store, 2)
    head = store.models.head_path(champion.head_sha256)
    sound = head.read_bytes()
    damage(head)
    assert answers(store) == before.id
    store.models.promote(champion.id, NOW)
    assert answers(store) == before.id
    head.write_bytes(sound)
    store.models.promote(champion.id, NOW)
    assert answers(store) == champion.id


def test_the_starter_answers_when_champion_and_previous_are_damaged(store: Store) -> None:
    """Also when its own files are gone: they are in the package."""
    for version in (promoted(store, 1), promoted(store, 2)):
        damage(store.models.head_path(version.head_sha256))
    starter = store.models.get(1)
    store.models.head_path(starter.head_sha256).unlink()
    damage(store.models.backbone_folder(STARTER_BACKBONE) / "backbone.onnx")
    assert answers(store) == starter.id
    assert "(starter model)" in store.incidents.unseen()[0].text


def test_a_damaged_backbone_of_the_starter_mends_itself_and_every_model_on_it(store: Store) -> None:
    """The champion goes on; what was mended is told."""
    champion = promoted(store, 1)
    damage(store.models.backbone_folder(STARTER_BACKBONE) / "backbone.onnx")
    assert answers(store) == champion.id
    assert store.models.damage(champion) == []
    assert store.incidents.unseen()[0].text == (
        f"Damaged files of model {champion.id} have been replaced by sound copies; it answers as before."
    )


def test_a_backbone_that_cannot_be_mended_takes_all_its_models_with_it(store: Store, tmp_path: Path) -> None:
    """The model before has the same one and cannot answer either, so the starter does."""
    own = add_backbone(store, tmp_path / "in", b"own graph")
    promoted(store, 1, own)
    promoted(store, 2, own)
    damage(store.models.backbone_folder(own) / "backbone.onnx")
    assert answers(store) == 1


def test_without_any_starter_in_the_database_a_new_one_is_recorded(tmp_path: Path) -> None:
    """As for a data folder that began with an import."""
    store = make_store(tmp_path)
    champion = promoted(store, 1, add_backbone(store, tmp_path / "in", b"own graph"))
    damage(store.models.head_path(champion.head_sha256))
    number = answers(store)
    assert number != champion.id
    assert store.models.get(number).source == STARTER_SOURCE
    assert answers(store) == number
    store.close()


def test_a_starter_that_knows_a_deleted_class_answers_as_a_base(store: Store) -> None:
    """The owner's word stands: what they deleted does not come back; frames are unknown until the next training."""
    champion = promoted(store, 1, STARTER_BACKBONE)
    for known in store.models.get(1).classes:
        store.labels.ensure_class(known, 0.0)
    with store.database.write() as session:
        from posture_daemon.store.schema import ClassRow

        for row in session.query(ClassRow):
            row.retired_at = 1.0
    damage(store.models.head_path(champion.head_sha256))
    number = answers(store)
    assert store.models.get(number).is_base
    assert answers(store) == number
    assert len(store.models.all()) == 3


def test_when_no_model_can_answer_that_is_one_sentence(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """With what to do; and the champion stays."""

    def load(version: ModelVersion) -> int:
        raise ModelError(f"Model {version.id} is no good.")

    champion = promoted(store, 1)
    with pytest.raises(
        ModelError, match=r"No model can answer: Model \d is no good\. Import one: posture-daemon"
    ) as error:
        answering(store, champion, load, NOW)
    assert "\n" not in str(error.value)
    assert store.models.champion_id() == champion.id


def test_a_full_disk_does_not_keep_the_model_before_from_answering(
    store: Store, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """It answers although nothing can be written down; the log has it."""
    full = raising(DataFolderError("The disk is full."))
    before, champion = promoted(store, 1), promoted(store, 2)
    damage(store.models.head_path(champion.head_sha256))
    monkeypatch.setattr(Models, "promote", full)
    monkeypatch.setattr(store.incidents, "add", full)
    assert answering(store, champion, load_from(store), NOW) == before.id
    assert f"model {before.id} answers, but cannot be made champion: The disk is full." in caplog.text
