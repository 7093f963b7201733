"""`classes …` as a person uses it: beside a running daemon, refused without a person to ask, and a class that comes later."""

import shutil
from pathlib import Path

import pytest

from posture_daemon.bootstrap.models import champion
from posture_daemon.store import Store
from tests.e2e.command import of_daemon, refused, running, status, told, told_json
from tests.waiting import wait_until

EXAMPLE = Path(__file__).parents[2] / "data" / "example"
NEW_NAMES = {"good_posture": "upright", "bad_posture": "slouching", "na": "nobody"}


def seen(data: Path) -> str | None:
    """What the running daemon sees now."""
    return (of_daemon(data).get("sees") or {}).get("label")


@pytest.mark.slow
def test_a_running_daemon_answers_with_the_new_names(tmp_path: Path) -> None:
    """Within seconds, without a restart and without another model; none of the old names comes back."""
    told(tmp_path, "classes", "list")
    with running(tmp_path, "--camera", "fake:desk?seed=1"):
        wait_until(lambda: seen(tmp_path) in NEW_NAMES, "an answer with an old name")
        for old, new in NEW_NAMES.items():
            told(tmp_path, "classes", "rename", old, new)
        wait_until(lambda: seen(tmp_path) in NEW_NAMES.values(), "an answer with a new name")
        listed = told(tmp_path, "classes", "list")
        assert all(new in listed for new in NEW_NAMES.values())
        assert "good_posture" not in listed
        assert status(tmp_path)["champion"]["id"] == 1


@pytest.mark.parametrize("command", [("delete", "na"), ("merge", "na", "bad_posture")])
def test_without_a_person_to_ask_nothing_is_deleted(tmp_path: Path, command: tuple[str, ...]) -> None:
    """One sentence that names `--yes`; with it, the account is printed and the class is gone."""
    assert "--yes" in refused(tmp_path, "classes", *command)
    assert "na" in status(tmp_path)["champion"]["classes"]
    assert "only answers with bad_posture, good_posture" in told(tmp_path, "classes", *command, "--yes")
    assert "na" not in status(tmp_path)["champion"]["classes"]


@pytest.mark.slow
def test_a_class_that_comes_in_mid_life_is_learned_beside_the_old_ones(tmp_path: Path) -> None:
    """The champion of three classes gets labels of a fourth: the head grows by a row, in the champion's order."""
    pictures, data = tmp_path / "pictures", tmp_path / "data"
    for name in ("good_posture", "bad_posture", "na", "standing"):
        files = sorted((EXAMPLE / name).iterdir())
        for split, chosen in (("train", files[:8]), ("val", files[8:])):
            (pictures / split / name).mkdir(parents=True)
            for file in chosen:
                shutil.copy(file, pictures / split / name)
    told(data, "classes", "add", "standing", "--role", "good")
    told(data, "label", "--import", pictures)
    assert told(data, "train", "--force", POSTURE_TRAINING__VIEWS="1").startswith("PROMOTED")
    learned = champion(Store(data))
    assert [c.name for c in learned.classes] == ["bad_posture", "good_posture", "na", "standing"]
    assert learned.classes[3].role.value == "good"
    confusion = learned.metrics["challenger"]["confusion"]
    assert confusion[3][3] >= 1  # of 8, from 8 images; the champion of before: 0
    assert sum(confusion[row][row] for row in range(3)) >= 19  # of 24: as many as the champion of before


def test_the_stats_of_the_labels_are_printed_for_people_and_programs(tmp_path: Path) -> None:
    """A table with images and blocks, the warnings, and what would help; with `--json` the same as one value."""
    told(tmp_path, "label", "--import", EXAMPLE)
    shown = told(tmp_path, "dataset", "stats")
    assert "16 (1)" in shown
    assert "warning: 'standing' comes from a single time block" in shown
    found = told_json(tmp_path, "dataset", "stats")
    assert {c["name"]: c["images"]["train"] for c in found["classes"]}["standing"] == 16
    assert found["advice"][0].startswith("Show it 'bad_posture' at another hour or day")
