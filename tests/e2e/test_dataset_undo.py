"""`dataset undo` and `dataset redo` as somebody types them who has given the wrong folder."""

from pathlib import Path

import cv2
import numpy as np

from tests.e2e.command import posture_daemon


def folder_of(place: Path, *names: str) -> Path:
    """A data set with two pictures of each class."""
    for number, name in enumerate(names):
        (place / name).mkdir(parents=True)
        for copy in range(2):
            picture = np.full((48, 64, 3), 40 * number + copy, np.uint8)
            cv2.imwrite(str(place / name / f"{copy}.png"), picture)
    return place


def said(data: Path, *words: object) -> str:
    """What a command prints that ends well."""
    done = posture_daemon(data, *words)
    assert (done.returncode, done.stderr) == (0, ""), done.stderr
    return done.stdout


def exported(data: Path, place: Path) -> dict[str, bytes]:
    """Every file of an export."""
    said(data, "dataset", "export", place)
    return {str(path.relative_to(place)): path.read_bytes() for path in place.rglob("*") if path.is_file()}


def test_the_wrong_folder_is_taken_back_to_the_byte_and_brought_again(tmp_path: Path) -> None:
    """Pictures and classes go, an export is as before, and redo gives the same as the import had."""
    data = tmp_path / "data"
    said(data, "label", "--import", folder_of(tmp_path / "right", "good_posture", "bad_posture"))
    before = exported(data, tmp_path / "before")
    said(data, "label", "--import", folder_of(tmp_path / "wrong", "reading", "writing", "arithmetic"))
    with_wrong = exported(data, tmp_path / "with wrong")
    assert "wrong" in said(data, "dataset", "undo", "--yes")
    assert exported(data, tmp_path / "after") == before
    assert "reading" not in said(data, "classes", "list")
    said(data, "dataset", "redo")
    assert exported(data, tmp_path / "again") == with_wrong


def test_nobody_to_ask_takes_nothing_back(tmp_path: Path) -> None:
    """One sentence and exit 1, also where there is nothing to take back or to bring again."""
    data = tmp_path / "data"
    said(data, "label", "--import", folder_of(tmp_path / "right", "good_posture", "bad_posture"))
    for words, why in ((("undo",), "--yes"), (("redo",), "nothing to bring back")):
        done = posture_daemon(data, "dataset", *words)
        assert (done.returncode, done.stderr.count("\n")) == (1, 1)
        assert why in done.stderr
    assert "good_posture 2" in said(data, "status")
