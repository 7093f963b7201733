"""A sheet of pictures of the fake desk: `.venv/bin/python .ci/contact_sheet.py OUT.jpg`.

One row per way of sitting, one column per room, person and hour.
"""

import sys
from collections.abc import Sequence
from itertools import count
from pathlib import Path

import cv2
import numpy as np

from posture_daemon.domain import Image
from posture_daemon.fake_desk.desk import DEFAULT_START, FakeDesk
from posture_daemon.fake_desk.pose import AWAY, BAD, GOOD, STANDING, bad_kind

ROWS = (
    (GOOD, "upright"),
    (BAD, "slumped"),
    (BAD, "leaning"),
    (BAD, "head on hand"),
    (AWAY, "empty chair"),
    (STANDING, "standing"),
)
COLUMNS = ((1, 7.0), (8, 9.5), (19, 12.0), (15, 14.5), (9, 17.5), (6, 19.0), (3, 22.5))
"""Seed and hour of each column."""

CELL_WIDTH, CELL_HEIGHT = 256, 144
_GAP, _LEFT, _TOP = 6, 150, 34
_PAPER, _INK, _FAINT = (250, 250, 250), (40, 40, 40), (130, 130, 130)
_SHARPNESS = 2  # text is drawn this many times larger and then reduced, for smooth letters


def write_contact_sheet(path: Path, columns: Sequence[tuple[int, float]] = COLUMNS) -> None:
    """Write the sheet as a JPEG; the usual columns make one of less than 400 KB."""
    sheet = _labels(columns)
    for column, (seed, hour) in enumerate(columns):
        desk = FakeDesk(seed)
        t = DEFAULT_START + 3600.0 * (hour - 8.0)
        for row, (posture, kind) in enumerate(ROWS):
            picture = desk.render_pose(posture, _variation(kind, seed), t + 9.0 * row)
            x, y = _corner(row, column)
            small = cv2.resize(picture, (CELL_WIDTH, CELL_HEIGHT), interpolation=cv2.INTER_AREA)
            sheet[y : y + CELL_HEIGHT, x : x + CELL_WIDTH] = small
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(cv2.imencode(".jpg", sheet, [cv2.IMWRITE_JPEG_QUALITY, 84])[1].tobytes())


def _variation(kind: str, seed: int) -> int:
    """Find a variation of this kind, another one for each seed."""
    return next(
        n for n in count(seed * 1000) if kind not in ("slumped", "leaning", "head on hand") or bad_kind(n) == kind
    )


def _corner(row: int, column: int) -> tuple[int, int]:
    """Return the top left corner of a cell, pixels."""
    return _LEFT + column * (CELL_WIDTH + _GAP), _TOP + row * (CELL_HEIGHT + _GAP)


def _labels(columns: Sequence[tuple[int, float]]) -> Image:
    """Return the empty sheet with its row and column labels."""
    width, height = _corner(len(ROWS), len(columns))
    large = np.full((height * _SHARPNESS, width * _SHARPNESS, 3), _PAPER, np.uint8)
    for row, (posture, kind) in enumerate(ROWS):
        _, y = _corner(row, 0)
        _write(large, posture, (10, y + CELL_HEIGHT // 2 - 4), _INK)
        _write(large, kind, (10, y + CELL_HEIGHT // 2 + 16), _FAINT)
    for column, (seed, hour) in enumerate(columns):
        x, _ = _corner(0, column)
        _write(large, f"seed {seed}", (x + 2, 22), _INK)
        _write(large, f"{int(hour):02d}:{round(hour % 1 * 60):02d}", (x + 72, 22), _FAINT)
    return np.asarray(cv2.resize(large, (width, height), interpolation=cv2.INTER_AREA), np.uint8)


def _write(sheet: Image, text: str, place: tuple[int, int], colour: tuple[int, int, int]) -> None:
    """Write one line; `place` is its left end on the base line, pixels of the reduced sheet."""
    at = (place[0] * _SHARPNESS, place[1] * _SHARPNESS)
    cv2.putText(sheet, text, at, cv2.FONT_HERSHEY_SIMPLEX, 0.5 * _SHARPNESS, colour, _SHARPNESS, cv2.LINE_AA)


if __name__ == "__main__":
    write_contact_sheet(Path(sys.argv[1]))
