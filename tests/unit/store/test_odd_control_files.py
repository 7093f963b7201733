"""What others have put in the place of our small files: a pipe waits for ever for somebody at its other end."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from posture_daemon.errors import DataFolderError
from posture_daemon.store.files import read_ordinary
from posture_daemon.store.json_files import read_json
from posture_daemon.store.lock import exclusive, is_held, owner_of
from posture_daemon.store.status_file import FILE_NAME, last_words, replace_words
from posture_daemon.ui.web.link import TOKEN_NAME, token_for


def null_device(path: Path) -> None:
    """A link to a device that everybody has."""
    path.symlink_to(os.devnull)


@pytest.mark.parametrize("make", [os.mkfifo, Path.mkdir, null_device])
def test_a_lock_that_is_no_file_is_a_sentence(tmp_path: Path, make: Callable[[Path], None]) -> None:
    """For who looks at it and for who wants it; nothing waits, and its owner is unknown."""
    path = tmp_path / "daemon.lock"
    make(path)
    for call in (lambda: is_held(path), lambda: exclusive(path).__enter__()):
        with pytest.raises(
            DataFolderError, match=r"daemon\.lock is no ordinary file, as a lock must be; move it away\."
        ):
            call()
    assert owner_of(path) is None


@pytest.mark.parametrize("read", [read_ordinary, read_json])
def test_a_pipe_is_not_read(tmp_path: Path, read: Callable[[Path], object]) -> None:
    """It would be waited for."""
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(ValueError, match="no ordinary file"):
        read(tmp_path / "pipe")


def test_a_pipe_for_a_status_or_a_token_counts_as_damaged(tmp_path: Path) -> None:
    """Nobody said anything in it, and a new token takes its place."""
    for name in (FILE_NAME, TOKEN_NAME):
        os.mkfifo(tmp_path / name)
    assert last_words(tmp_path) == ""
    assert token_for(tmp_path, "0.0.0.0")
    assert (tmp_path / TOKEN_NAME).is_file()


def link_to_a_letter(path: Path) -> None:
    """A link to a file of somebody's."""
    letter = path.parent / "letter"
    letter.write_text("dear")
    path.symlink_to(letter)


@pytest.mark.parametrize("make", [os.mkfifo, link_to_a_letter, lambda path: path.write_text('{"pid')])
def test_what_lies_where_the_status_is_written_is_replaced(tmp_path: Path, make: Callable[[Path], None]) -> None:
    """A pipe is not waited for, or the daemon would hang for ever; nothing is written through a link."""
    make(tmp_path / f".{FILE_NAME}.partial")
    replace_words(tmp_path, "fine")
    assert last_words(tmp_path) == "fine"
    assert [path.read_text() for path in tmp_path.glob("letter")] in ([], ["dear"])
    assert not (tmp_path / FILE_NAME).is_symlink()


def test_a_folder_where_the_status_is_written_is_a_sentence(tmp_path: Path) -> None:
    """It may hold something, so it stays."""
    (tmp_path / f".{FILE_NAME}.partial").mkdir()
    with pytest.raises(DataFolderError, match=r"status\.json, in which the daemon says how it is, cannot be written"):
        replace_words(tmp_path, "fine")
