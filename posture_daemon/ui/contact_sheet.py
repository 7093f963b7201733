"""A few small pictures of each class in one picture, a row a class, for terminals that can draw."""

from collections.abc import Mapping, Sequence

import cv2
import numpy as np

from posture_daemon.domain import Image
from posture_daemon.vision.jpeg import decode

COLUMNS, WIDTH_PX, HEIGHT_PX = 4, 160, 90


def contact_sheet(jpegs: Mapping[str, Sequence[bytes]]) -> Image:
    """A row for each class, `COLUMNS` pictures wide, in the order of the mapping; BGR `uint8`. Grey where there is none."""
    sheet = np.full((HEIGHT_PX * max(1, len(jpegs)), WIDTH_PX * COLUMNS, 3), 90, np.uint8)
    for row, pictures in enumerate(jpegs.values()):
        for column, jpeg in enumerate(pictures[:COLUMNS]):
            top, left = row * HEIGHT_PX, column * WIDTH_PX
            small = cv2.resize(decode(jpeg), (WIDTH_PX, HEIGHT_PX), interpolation=cv2.INTER_AREA)
            sheet[top : top + HEIGHT_PX, left : left + WIDTH_PX] = small
    return sheet
