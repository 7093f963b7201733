"""A model that has only ever seen drawn people says so wherever it meets real ones."""

from posture_daemon.integrity.checkup import look
from posture_daemon.integrity.model_recovery import install
from posture_daemon.reports.status import overview
from posture_daemon.settings import Settings
from posture_daemon.store import Store
from posture_daemon.store.model_copies import STARTER, STARTER_SOURCE
from posture_daemon.training.starter_root import drawn_people_only, drawn_people_warning
from tests.builders import add_champion, add_version, random_head


def test_the_starter_and_what_grew_from_it_say_so(store: Store) -> None:
    """Before a camera that films people, each in its own words; before the fake desk it is right."""
    starter = install(store, STARTER, STARTER_SOURCE, as_base=False)
    grown = add_version(store, random_head(2, 128), starter.backbone_sha256, "good", "bad", parent_id=starter.id)
    assert "is the starter model, which has only ever seen drawn" in str(drawn_people_warning(store, starter, "0"))
    assert "grew from the starter model" in str(drawn_people_warning(store, grown, "rtsp://camera/1"))
    assert drawn_people_warning(store, starter, "fake:desk?seed=3") is None
    assert drawn_people_only(store, install(store, STARTER, f"{STARTER_SOURCE}, as a base", as_base=True))


def test_an_imported_model_says_nothing(store: Store) -> None:
    """Nor does a folder without a model."""
    assert drawn_people_warning(store, add_champion(store, "good", "bad"), "0") is None
    assert drawn_people_warning(store, None, "0") is None


def test_status_and_doctor_tell_it(store: Store) -> None:
    """Of the champion, for the camera of the settings."""
    install(store, STARTER, STARTER_SOURCE, as_base=False)
    real = Settings(data_dir=store.folder, camera={"address": "0"})
    drawn = Settings(data_dir=store.folder, camera={"address": "fake:desk"})
    assert "drawn people" in str(overview(store, real, 0.0).warning)
    assert overview(store, drawn, 0.0).warning is None
    assert [finding.line.name for finding in look(real, 0.0) if "drawn people" in finding.line.text] == ["starter"]
    assert not [finding for finding in look(drawn, 0.0) if "drawn people" in finding.line.text]
