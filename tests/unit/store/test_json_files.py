import os
from collections.abc import Callable
from pathlib import Path

import pytest

from posture_daemon.datasets.manifest import MANIFEST, read_manifest
from posture_daemon.datasets.provenance import PROVENANCE, Provenance, read_provenance
from posture_daemon.errors import DatasetError
from posture_daemon.store.json_files import parse_json, read_json

DEEP = 100_000 * "["


def write(text: str) -> Callable[[Path], None]:
    """A file with this text."""
    return lambda path: path.write_text(text) and None


ODD: list[tuple[str, Callable[[Path], None]]] = [
    ("nested", write(DEEP)),
    ("half nested", write('{"pictures":' * 100_000)),
    ("no JSON", write("no")),
    ("no UTF-8", lambda path: path.write_bytes(b"\xff\xfe{}") and None),
    ("a pipe", os.mkfifo),
    ("a folder", Path.mkdir),
    ("more than it may have", write(" " * 1_000_001)),
]


@pytest.mark.parametrize("make", [make for _, make in ODD], ids=[name for name, _ in ODD])
def test_whatever_is_wrong_with_a_file_is_one_of_two_errors(tmp_path: Path, make: Callable[[Path], None]) -> None:
    """Nothing waits, nothing goes on for ever, and no other error gets through."""
    path = tmp_path / "a.json"
    make(path)
    with pytest.raises((ValueError, OSError)):
        read_json(path, max_mb=1)


def test_what_is_right_is_read(tmp_path: Path) -> None:
    """Text and files."""
    (tmp_path / "a.json").write_text('{"a": [1, "é"]}', encoding="utf-8")
    assert read_json(tmp_path / "a.json") == {"a": [1, "é"]} == parse_json('{"a": [1, "é"]}')


@pytest.mark.parametrize("make", [make for _, make in ODD[:6]])
def test_an_odd_manifest_is_one_sentence(tmp_path: Path, make: Callable[[Path], None]) -> None:
    """It names the file, and what to do."""
    make(tmp_path / MANIFEST)
    with pytest.raises(DatasetError, match=r"posture-daemon\.json is damaged; delete it"):
        read_manifest(tmp_path)


@pytest.mark.parametrize("make", [make for _, make in ODD[:6]])
def test_an_odd_provenance_is_said_and_left_out(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, make: Callable[[Path], None]
) -> None:
    """The pictures are imported without it."""
    make(tmp_path / PROVENANCE)
    assert read_provenance(tmp_path) == Provenance()
    [record] = caplog.records
    assert record.getMessage().startswith(
        f"{tmp_path / PROVENANCE} cannot be read, so times and splits of the pictures"
    )


def test_without_a_provenance_nothing_is_said(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Most folders have none."""
    assert read_provenance(tmp_path) == Provenance()
    assert caplog.text == ""
