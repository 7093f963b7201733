"""Where a data folder may be: not in another one, and not deeper than SQLite can open."""

import os
from pathlib import Path

from posture_daemon.errors import DataFolderError

MAX_BYTES = 400
"""SQLite opens files whose path, after all symbolic links, has up to 512 bytes; our longest name below the folder has 80."""

MARK, MODELS = "posture.db", "models"


def refuse_long(folder: Path, what: str) -> None:
    """Raise `DataFolderError` where SQLite could not open a database: it would only say "unable to open"."""
    if len(os.fsencode(os.path.realpath(folder))) > MAX_BYTES:
        raise DataFolderError(
            f"{what} that ends with {folder.name[-40:]} has a longer path than the {MAX_BYTES} bytes that SQLite opens; "
            "choose a shorter one."
        )


def refuse_shared(folder: Path) -> None:
    """Raise `DataFolderError` for a new data folder inside another one, or around one that would take our names.

    What tidies up in the outer folder would meet the files of the inner one.
    """
    if (folder / MARK).exists():
        return
    real = folder.resolve()
    outer = next((above for above in real.parents if _is_data_folder(above)), None)
    if outer is not None:
        raise DataFolderError(
            f"{folder} lies in another data folder, {outer}, and two must not share anything; choose a folder outside it."
        )
    inner = next((entry for entry in _entries(real) if _is_data_folder(entry)), None)
    if inner is not None:
        raise DataFolderError(
            f"{folder} holds another data folder, {inner}, and two must not share anything; choose that one or a new one."
        )


def _is_data_folder(folder: Path) -> bool:
    return os.path.isfile(folder / MARK) and os.path.isdir(folder / MODELS)


def _entries(folder: Path) -> list[Path]:
    try:
        return sorted(folder.iterdir())
    except OSError:  # new, or closed: what opens it says so
        return []
