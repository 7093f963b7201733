"""Natural sort order of image file names."""

import re


def natural_key(text: str) -> list[str | int]:
    """Sort key that compares digits as numbers: `2.jpg` before `10.jpg`."""
    return [int(part) if part.isdecimal() else part.casefold() for part in re.split(r"(\d+)", text)]
