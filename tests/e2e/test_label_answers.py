"""What the command line answers about labels, on the example dataset of the fake desk."""

import re
from pathlib import Path

import pytest

from posture_daemon.store import Store
from tests.conftest import REPOSITORY
from tests.e2e.command import told, told_json

ONE_VIEW = {"POSTURE_TRAINING__VIEWS": "1"}


@pytest.fixture(scope="module")
def data_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The starter, the example, and what was learned from it."""
    folder = tmp_path_factory.mktemp("data")
    # Each session of the example has four pictures a class.
    told(folder, "label", "--import", REPOSITORY / "data" / "example", POSTURE_LABELS__BLOCK_FILES="4")
    told(folder, "train", "--force", **ONE_VIEW)
    return folder


@pytest.mark.slow
def test_the_curve_ends_in_a_sentence(data_dir: Path) -> None:
    """Sixteen holdout images are too few, and it says so; JSON says the same; `--in-order` is the plain curve."""
    text = told(data_dir, "dataset", "curve", "--draws", "2", **ONE_VIEW)
    assert "Too few to tell: label frames of another hour or day" in text
    assert re.search(r"\d+ of 16 holdout images, of 4 time blocks, are right now; .* likely \d+ to \d+ of 100\.", text)
    assert "2 draws of time blocks" in text
    found = told_json(data_dir, "dataset", "curve", "--draws", "1", "--seed", "3", **ONE_VIEW)
    assert (found["answer"], found["draws"], found["seed"]) == ("too few to tell", 1, 3)
    assert found["steps"][-1]["labels"] == 48
    assert told_json(data_dir, "dataset", "curve", "--in-order", **ONE_VIEW)[-1]["labels"] == 48


def test_what_the_training_changed_is_told_at_once_and_later(data_dir: Path) -> None:
    """In `status`, and frame by frame in `dataset effect`; as many lines as answers that flipped."""
    status = told(data_dir, "status", COLUMNS="200")
    assert re.search(r"its effect +On the holdout: .*(more right|fewer right)", status)
    assert re.search(r"Of your 64 new labels the model before was right on \d+, this one is on \d+", status)
    text = told(data_dir, "dataset", "effect", COLUMNS="200")
    assert text.startswith("run 1, ")
    assert "On the holdout: " in text
    found = told_json(data_dir, "dataset", "effect", "1")
    assert len(re.findall(r"^│ \d+ ", text, re.M)) == len(found["flips"]) > 0
    assert all(flip["before"] != flip["after"] for flip in found["flips"])


def test_doubts_are_listed_with_how_much_they_are_worth(data_dir: Path) -> None:
    """Picture by picture, with the share of labels that the others agree with: low here, and it says so."""
    text = told(data_dir, "dataset", "doubts", COLUMNS="200", **ONE_VIEW)
    found = told_json(data_dir, "dataset", "doubts", **ONE_VIEW)
    assert len(re.findall(r"^│ \d+ ", text, re.M)) == len(found["doubts"]) > 0
    assert f"agree with {found['agreement']:.0%} of all labels: too few to be trusted" in text
    assert "dataset doubts --review" in text


def test_a_kept_label_is_not_doubted_again(data_dir: Path) -> None:
    """Kept anywhere, it leaves the list."""
    before = told_json(data_dir, "dataset", "doubts", **ONE_VIEW)["doubts"]
    store = Store(data_dir)
    store.labels.keep(before[0]["frame_id"], 1.0)
    after = told_json(data_dir, "dataset", "doubts", **ONE_VIEW)["doubts"]
    store.labels.undo()
    store.close()
    assert after == before[1:]


def test_stats_and_status_say_what_to_show_next(data_dir: Path) -> None:
    """The same sentences."""
    advice = told_json(data_dir, "dataset", "stats")["advice"]
    assert 1 <= len(advice) <= 3
    assert advice == told_json(data_dir, "status")["advice"]
    assert all(sentence in told(data_dir, "dataset", "stats") for sentence in advice)
    assert "show it next" in told(data_dir, "status")


@pytest.mark.parametrize("layout", ["article", "ultralytics"])
def test_an_export_read_back_changes_nothing(data_dir: Path, tmp_path: Path, layout: str) -> None:
    """Through the commands that a person types."""
    assert "64 labelled pictures" in told(data_dir, "dataset", "export", tmp_path / "out", "--layout", layout)
    assert told(data_dir, "label", "--import", tmp_path / "out").startswith("Nothing changed: ")
    assert (tmp_path / "out" / "provenance.json").exists()
