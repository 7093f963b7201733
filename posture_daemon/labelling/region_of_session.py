"""Where somebody sits in the frames of the newest session: the proposal of `vision/region_proposal.py` from the store."""

from __future__ import annotations

import logging
from collections.abc import Sequence

import numpy as np

from posture_daemon.domain import Image, LabelledImage, Region, Role, Status
from posture_daemon.errors import DatasetError
from posture_daemon.store import Store
from posture_daemon.vision.jpeg import decode
from posture_daemon.vision.region_proposal import MIN_EMPTY, MIN_PICTURES, propose

log = logging.getLogger(__name__)

MAX_PICTURES = 60
"""Of somebody, and as many of the empty chair: more say nothing new, and take a second to decode."""


def propose_region(store: Store, since: float = float("-inf")) -> Region | None:
    """From labels given after `since`, of the newest session that has pictures of somebody; else from waiting frames.

    `None` where there is nothing to propose (see `region_proposal.propose`).
    One class alone, which may be a pose held still, tells nothing without it either.
    """
    away = {c.name for c in store.labels.classes() if c.role is Role.AWAY}
    for images in _sessions(store, since):
        there = [image.frame_id for image in images if image.class_name not in away]
        if len(there) >= MIN_PICTURES:
            empty = [image.frame_id for image in images if image.class_name in away]
            one_class = len({image.class_name for image in images} - away) < 2
            if len(empty) < MIN_EMPTY and one_class:
                return None
            return propose(_pictures(store, there), _pictures(store, empty))
    if since > float("-inf"):
        return None
    return propose(_pictures(store, [frame.id for frame in store.queue.waiting()][-MAX_PICTURES:]))


def newest_picture(store: Store) -> Image | None:
    """The picture of the newest frame that waits, else of the last labelled one; `None` without any."""
    frame = store.queue.newest(Status.QUEUED) or store.queue.newest(Status.LABELLED)
    found = [] if frame is None else _pictures(store, [frame.id])
    return found[-1] if found else None


def _sessions(store: Store, since: float) -> list[list[LabelledImage]]:
    """Labelled images by session, the newest session first."""
    numbers = store.labels.sessions()
    found: dict[int, list[LabelledImage]] = {}
    for image in store.labels.labelled(since):  # in the order of their capture
        session = numbers.get(image.block_id, -1)
        images = found.pop(session, [])
        images.append(image)
        found[session] = images  # the session of the last image comes last
    return list(found.values())[::-1]


def _pictures(store: Store, frame_ids: Sequence[int]) -> list[Image]:
    """Some of these frames, evenly spaced; what is no picture, or one of another shape than the last, is left out."""
    if not frame_ids:
        return []
    picked = [frame_ids[at] for at in np.linspace(0, len(frame_ids) - 1, min(MAX_PICTURES, len(frame_ids))).astype(int)]
    found: list[Image] = []
    for frame_id, jpeg in store.queue.jpegs(picked).items():
        try:
            found.append(decode(jpeg))
        except DatasetError as error:  # at each poll of the page, so no warning
            log.debug("frame %d is left out: %s", frame_id, error)
    return [picture for picture in found if picture.shape == found[-1].shape]
