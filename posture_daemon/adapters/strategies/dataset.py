"""Labels of the store as a folder that ultralytics reads: made anew for each training, thrown away with it.

Class folders carry numbers, the rows of the head: ultralytics sorts the folders by name and would otherwise reorder the
classes. Every class has its folder, because a class without one is lost; it may be empty. Pictures are copies: ultralytics
repairs files in place and leaves `*.cache` files beside them, which a second training would believe.
"""

import logging
from collections.abc import Iterable, Sequence
from pathlib import Path

from posture_daemon.domain import Image, LabelledImage, Region
from posture_daemon.errors import DatasetError, LabelError, TrainingError
from posture_daemon.store import Store
from posture_daemon.vision.jpeg import decode, encode_jpeg
from posture_daemon.vision.region import crop

log = logging.getLogger(__name__)

CUT_QUALITY = 95
"""JPEG quality of what was cut, which is compressed a second time."""


def folder_names(count: int) -> list[str]:
    """Names that sort as the rows do: `000`, `001` and so on."""
    return [f"{row:03d}" for row in range(count)]


def write_dataset(
    store: Store,
    folder: Path,
    names: Sequence[str],
    training: Iterable[LabelledImage],
    holdout: Iterable[LabelledImage],
    region: Region | None = None,
) -> list[LabelledImage]:
    """Write `train/` and `val/`; returns the training images that could be read. Raises `TrainingError` without any.

    With a `region` the pictures are cut to it, since ultralytics knows of none.

    Ultralytics insists on pictures in `val/`. Without a `holdout` it gets the first of the training pictures, and its
    opinion of them is not used: to choose an epoch by the holdout would make the holdout's judgement too good, and blocks
    taken from the training set for it would be missing there.
    """
    for row in folder_names(len(names)):
        (folder / "train" / row).mkdir(parents=True)
        (folder / "val" / row).mkdir(parents=True)
    written = [image for image in training if _write(store, image, folder / "train", names, region)]
    if not written:
        raise TrainingError("None of the labelled images for training can be read.")
    if not [image for image in holdout if _write(store, image, folder / "val", names, region)]:
        _write(store, written[0], folder / "val", names, region)
    return written


def _write(store: Store, image: LabelledImage, folder: Path, names: Sequence[str], region: Region | None) -> bool:
    """False when the class takes no part, or the picture is none."""
    if image.class_name not in names:
        return False
    try:
        jpeg = store.queue.jpeg(image.frame_id)
        picture = decode(jpeg)
    except (DatasetError, LabelError) as error:  # not a picture; or taken back and evicted meanwhile
        log.warning("frame %d is left out: %s", image.frame_id, error)
        return False
    row = folder_names(len(names))[names.index(image.class_name)]
    (folder / row / f"{image.frame_id}.jpg").write_bytes(jpeg if region is None else _cut(picture, region))
    return True


def _cut(picture: Image, region: Region) -> bytes:
    part = crop(picture, region)
    return encode_jpeg(part, max(part.shape), CUT_QUALITY)
