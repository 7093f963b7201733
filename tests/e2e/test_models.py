"""What the command line tells of models: how one was made, and where two differ."""

import re
from pathlib import Path

import pytest

from tests.conftest import REPOSITORY
from tests.e2e.command import refused, told


@pytest.fixture(scope="module")
def data_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data folder with the starter (model 1) and what it learned from the example dataset (model 2)."""
    folder = tmp_path_factory.mktemp("data")
    told(folder, "label", "--import", REPOSITORY / "data" / "example", POSTURE_LABELS__BLOCK_FILES="3")
    told(folder, "train", "--force", POSTURE_TRAINING__VIEWS="1", POSTURE_TRAINING__SEED="5")
    return folder


@pytest.mark.slow
def test_a_trained_model_tells_how_it_was_made(data_dir: Path) -> None:
    """Everything that is needed to understand it, and to make it again."""
    text = told(data_dir, "models", "show", "2", COLUMNS="200")
    said = dict(re.findall(r"^(\w+(?: \w+)?)  +(.+?)\s*$", text, re.M))
    assert said["parent"] == "model 1"
    assert said["strategy"] == "replay, seed 5"
    assert re.fullmatch(r"\d+ labels, SHA-256 [0-9a-f]{16}", said["learned from"])
    assert "views 1" in text
    assert "min_probability 0.5" in text
    assert re.search(r"top-1 [01]\.\d{3} of \d+ images: .*good_posture \d+/\d+", said["holdout"])
    assert re.search(r"expected error 0\.\d{3} before", said["calibration"])
    assert re.fullmatch(r"\d+ MB", said["peak memory"])
    assert re.search(r"python 3\.\d+\.\d+, posture-daemon \S+, numpy \S+, scipy \S+, onnxruntime \S+", said["software"])
    assert re.match(r"run 1, (PROMOTED|KEPT): .*right in \d+ of \d+ moments|.*'standing'", said["training"])


def test_the_champion_is_shown_by_default_and_fits_a_narrow_terminal(data_dir: Path) -> None:
    """Forty columns are enough: long values go on in the next line, and nothing is cut off."""
    shown = told(data_dir, "models", "show", "1", COLUMNS="40")
    assert max(map(len, shown.splitlines())) <= 40
    assert "…" not in shown
    assert told(data_dir, "models", "show").startswith("model ")


def test_two_models_differ_on_these_images(data_dir: Path) -> None:
    """As many lines as answers that changed; each with the truth and both answers; the other way round, fixed is broken."""
    there = told(data_dir, "models", "diff", "1", "2", COLUMNS="200")
    back = told(data_dir, "models", "diff", "2", "1", COLUMNS="200")
    words = r"of (\d+) holdout images, model \d fixes (\d+) and breaks (\d+)"
    [(images, fixed, broken)], [turned] = (re.findall(words, text) for text in (there, back))
    assert turned == (images, broken, fixed)
    rows = re.findall(r"│ (\d+) +│ (\w+) +│ (\w+) (\d+)% +│ (\w+) (\d+)% +│", there)
    [same] = re.findall(r"(\d+) answers are the same", there)
    assert len(rows) == int(images) - int(same) > 0
    assert sum(truth == after for _, truth, _, _, after, _ in rows) == int(fixed)
    alike = told(data_dir, "models", "diff", "2", "2")
    assert "fixes 0 and breaks 0" in alike
    assert "│" not in alike


@pytest.mark.parametrize("command", [("show", "99"), ("diff", "1", "99"), ("diff", "99", "1")])
def test_a_model_that_is_not_there_is_said_in_one_sentence(data_dir: Path, command: tuple[str, ...]) -> None:
    """With what to do."""
    said = "posture-daemon: There is no model version 99; `posture-daemon models list` shows those there are.\n"
    assert refused(data_dir, "models", *command) == said
