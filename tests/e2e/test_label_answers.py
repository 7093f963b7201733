"""What the command line answers about labels, on the example dataset of the fake desk."""

import re
from pathlib import Path

import pytest

from posture_daemon.store import Store
from tests.builders import coloured_jpeg
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


@pytest.fixture(scope="module")
def with_a_slip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Green and red pictures, six time blocks of each; one green one lies among the red ones."""
    folder, pictures = tmp_path_factory.mktemp("data"), tmp_path_factory.mktemp("pictures")
    for number in range(96):
        colour = ("good", "bad")[number % 2]
        place = pictures / ("bad_posture" if number == 40 else f"{colour}_posture")
        place.mkdir(exist_ok=True)
        (place / f"{number:03d}.jpg").write_bytes(coloured_jpeg(colour, number))
    told(folder, "label", "--import", pictures, POSTURE_LABELS__BLOCK_FILES="8")
    return folder


def test_a_slip_is_listed_and_a_kept_label_is_not_doubted_again(with_a_slip: Path) -> None:
    """With its chance, and how many labels could be checked; JSON says the same. Kept anywhere, it leaves the list."""
    text = told(with_a_slip, "dataset", "doubts", COLUMNS="200", **ONE_VIEW)
    found = told_json(with_a_slip, "dataset", "doubts", **ONE_VIEW)
    [doubt] = found["doubts"]
    assert (doubt["label"], doubt["instead"]) == ("bad_posture", "good_posture")
    assert re.findall(r"^│ (\d+) .* (\d+)% ", text, re.M) == [(str(doubt["frame_id"]), f"{doubt['wrong'] * 100:.0f}")]
    assert "1 label is likelier wrong than right" in text
    assert "dataset doubts --review" in text
    assert re.search(r"\d+ of 96 labels could be checked|All 96 labels could be checked", text)
    store = Store(with_a_slip)
    store.labels.keep(doubt["frame_id"], 1.0)
    store.close()
    assert told_json(with_a_slip, "dataset", "doubts", **ONE_VIEW)["doubts"] == []
    assert "No label is doubted" in told(with_a_slip, "dataset", "doubts", "--review", COLUMNS="200", **ONE_VIEW)


def test_labels_that_cannot_be_checked_are_said_to_be_so(data_dir: Path) -> None:
    """The example's labels agree with two thirds of each other: it doubts none, and says that it cannot tell."""
    text = told(data_dir, "dataset", "doubts", COLUMNS="400", **ONE_VIEW)
    found = told_json(data_dir, "dataset", "doubts", **ONE_VIEW)
    assert found["doubts"] == []
    assert found["checked"] < 0.1 * found["labels"]
    assert "Your labels cannot be checked by this model yet" in text
    assert f"it agrees with {found['agreement']:.0%} of them" in text


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
