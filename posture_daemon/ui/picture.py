"""Draws a frame as coloured half blocks, two pixels per character cell."""

import cv2
import numpy as np
from rich.color import Color
from rich.console import Console, ConsoleOptions, RenderResult
from rich.segment import Segment
from rich.style import Style

from posture_daemon.domain import Image

UPPER_HALF = "▀"


class HalfBlocks:
    """A BGR image scaled to at most `columns` × `rows` cells, keeping its aspect ratio (cells are twice as high as wide)."""

    def __init__(self, image: Image, columns: int, rows: int) -> None:
        height, width = image.shape[:2]
        scale = min(columns / width, 2 * rows / height)
        size = max(1, round(width * scale)), max(2, round(height * scale / 2) * 2)
        self._pixels = np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_AREA), dtype=np.uint8)

    @property
    def size(self) -> tuple[int, int]:
        """Columns and rows of cells."""
        height, width = self._pixels.shape[:2]
        return width, height // 2

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """Yield one segment per cell; rich maps the colours to those of the terminal."""
        for upper, lower in zip(self._pixels[::2].tolist(), self._pixels[1::2].tolist(), strict=True):
            for above, below in zip(upper, lower, strict=True):
                yield Segment(UPPER_HALF, Style(color=_colour(above), bgcolor=_colour(below)))
            yield Segment.line()


def can_draw(console: Console) -> bool:
    """True if the terminal shows 256 colours or more, and Unicode."""
    coloured = console.color_system in ("256", "truecolor") and not console.no_color
    return coloured and console.encoding.lower().startswith("utf")


def _colour(bgr: list[int]) -> Color:
    blue, green, red = bgr
    return Color.from_rgb(red, green, blue)
