"""What the command line tells of models: how one was made, and where two differ."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.conftest import REPOSITORY
from tests.e2e.command import posture_daemon


@pytest.fixture(scope="module")
def data_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data folder with the starter (model 1) and what it learned from the example dataset (model 2)."""
    folder = tmp_path_factory.mktemp("data")
    example = REPOSITORY / "data" / "example"
    assert posture_daemon(folder, "label", "--import", example, POSTURE_LABELS__BLOCK_FILES="3").returncode == 0
    done = posture_daemon(folder, "train", "--force", POSTURE_TRAINING__VIEWS="1", POSTURE_TRAINING__SEED="5")
    assert done.returncode == 0, done.stderr
    return folder


def test_a_trained_model_tells_how_it_was_made(data_dir: Path) -> None:
    """Everything that is needed to understand it, and to make it again."""
    text = posture_daemon(data_dir, "models", "show", "2", COLUMNS="200").stdout
    told = dict(re.findall(r"^(\w+(?: \w+)?)  +(.+?)\s*$", text, re.M))
    assert told["parent"] == "model 1"
    assert told["strategy"] == "replay, seed 5"
    assert re.fullmatch(r"\d+ labels, SHA-256 [0-9a-f]{16}", told["learned from"])
    assert "views 1" in text
    assert "min_probability 0.8" in text
    assert re.search(r"top-1 [01]\.\d{3} of \d+ images: .*good_posture \d+/\d+", told["holdout"])
    assert re.search(r"expected error 0\.\d{3} before", told["calibration"])
    assert re.fullmatch(r"\d+ MB", told["peak memory"])
    assert re.search(r"python 3\.\d+\.\d+, posture-daemon \S+, numpy \S+, scipy \S+, onnxruntime \S+", told["software"])
    assert re.match(r"run 1, (PROMOTED|KEPT): .*fixed \d+, broke \d+ of \d+|.*'standing'", told["training"])


def test_the_champion_is_shown_by_default_and_fits_a_narrow_terminal(data_dir: Path) -> None:
    """Forty columns are enough: long values go on in the next line, and nothing is cut off."""
    done = posture_daemon(data_dir, "models", "show", "1", COLUMNS="40")
    assert done.returncode == 0
    assert max(map(len, done.stdout.splitlines())) <= 40
    assert "…" not in done.stdout
    assert posture_daemon(data_dir, "models", "show").stdout.startswith("model ")


def test_two_models_differ_on_these_images(data_dir: Path) -> None:
    """As many lines as answers that changed; each with the truth and both answers; the other way round, fixed is broken."""
    there = posture_daemon(data_dir, "models", "diff", "1", "2", COLUMNS="200").stdout
    back = posture_daemon(data_dir, "models", "diff", "2", "1", COLUMNS="200").stdout
    counts = [
        re.search(r"of (\d+) holdout images, model \d fixes (\d+) and breaks (\d+)", text) for text in (there, back)
    ]
    assert counts[0] is not None
    assert counts[1] is not None
    assert counts[0].group(1, 2, 3) == counts[1].group(1, 3, 2)
    rows = re.findall(r"│ (\d+) +│ (\w+) +│ (\w+) (\d+)% +│ (\w+) (\d+)% +│", there)
    same = re.search(r"(\d+) answers are the same", there)
    assert same is not None
    assert len(rows) == int(counts[0][1]) - int(same[1]) > 0
    assert sum(truth == after for _, truth, _, _, after, _ in rows) == int(counts[0][2])
    alike = posture_daemon(data_dir, "models", "diff", "2", "2").stdout
    assert "fixes 0 and breaks 0" in alike
    assert "│" not in alike


@pytest.mark.parametrize("command", [("show", "99"), ("diff", "1", "99"), ("diff", "99", "1")])
def test_a_model_that_is_not_there_is_said_in_one_sentence(data_dir: Path, command: tuple[str, ...]) -> None:
    """With what to do."""
    done = posture_daemon(data_dir, "models", *command)
    assert done.returncode == 1
    assert done.stderr == (
        "posture-daemon: There is no model version 99; `posture-daemon models list` shows those there are.\n"
    )
