"""What lies where a file is written before it gets its name: a pipe would be waited for, a link followed to somebody's file."""

import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from posture_daemon.adapters.strategies.checkpoint import CheckpointKeeper
from posture_daemon.datasets.manifest import replace_file
from posture_daemon.learning.feature_cache import FeatureCache


def write_manifest(folder: Path) -> tuple[Path, Callable[[], None]]:
    """Of a dataset."""
    return folder / ".manifest.json.partial", lambda: replace_file(folder / "manifest.json", b"{}")


def write_cache(folder: Path) -> tuple[Path, Callable[[], None]]:
    """The file of a space, written anew."""
    space = FeatureCache(folder).space("space", 8, lambda: ())
    space.put([("0" * 64, 0)], np.ones((1, 8), np.float32))
    return space.path.with_suffix(".partial"), space._rewrite


def save_checkpoint(folder: Path) -> tuple[Path, Callable[[], None]]:
    """Of a training."""
    keeper = CheckpointKeeper(folder, "this training", print)
    assert keeper._path is not None
    return keeper._path.with_suffix(".partial"), lambda: keeper.save({"epoch": 1})


@pytest.mark.parametrize("writer", [write_manifest, write_cache, save_checkpoint])
def test_what_lies_there_is_removed_and_not_opened(
    tmp_path: Path, writer: Callable[[Path], tuple[Path, Callable[[], None]]]
) -> None:
    """Twice: with a pipe, and with a link."""
    letter = tmp_path / "letter"
    letter.write_text("dear")
    partial, write = writer(tmp_path / "folder")
    partial.parent.mkdir(parents=True, exist_ok=True)
    os.mkfifo(partial)
    write()
    partial.symlink_to(letter)
    write()
    assert not partial.is_symlink()
    assert letter.read_text() == "dear"
