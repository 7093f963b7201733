"""Image files by name: the order in which a person would count them."""

from __future__ import annotations

import re


def natural_key(text: str) -> list[str | int]:
    """Make a sorting key that reads numbers as numbers: `2.jpg` before `10.jpg`."""
    return [int(part) if part.isdecimal() else part.casefold() for part in re.split(r"(\d+)", text)]
