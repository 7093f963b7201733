"""The JPEGs of the store: encoding with a bounded longest side, and decoding.

Foreign files are for `picture_decoder`. Of what is stored OpenCV's decoder gives the same pixels bit for bit, in half the time.
"""

import cv2
import numpy as np

from posture_daemon.domain import Image
from posture_daemon.errors import DatasetError

JPEG_START = b"\xff\xd8\xff"


def encode_jpeg(image: Image, longest_side_px: int, quality: int) -> bytes:
    """Shrink a BGR image to at most `longest_side_px` and encode it (quality 0-100). Raises `DatasetError`."""
    scale = longest_side_px / max(image.shape[:2])
    if scale < 1:
        size = tuple(max(1, round(side * scale)) for side in image.shape[1::-1])
        image = np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_AREA), dtype=np.uint8)
    done, data = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, quality])
    if not done:
        raise DatasetError(f"A picture of shape {image.shape} could not be encoded as JPEG.")
    return data.tobytes()


def decode(data: bytes) -> Image:
    """Decode a JPEG of the store to BGR `uint8 (height, width, 3)`. Raises `DatasetError`."""
    is_jpeg = data.startswith(JPEG_START)  # OpenCV knows forty formats, and of those the store has one
    image = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR) if is_jpeg else None
    if image is None:
        raise DatasetError("The data is not a JPEG that OpenCV can decode.")
    return np.asarray(image, dtype=np.uint8)
