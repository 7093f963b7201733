"""What a lesson shows of where its owner sits: offered as the part of the picture to look at, where nobody has chosen yet.

It is only said. On real frames a box around the owner was worth some points with one base and cost some with another
(docs/region.md), so it is the owner's to choose, and the gate's to judge.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass

from posture_daemon.bootstrap.region import RegionChoice
from posture_daemon.labelling.region_of_session import propose_region
from posture_daemon.ports import ResourceProbe
from posture_daemon.store import Store

log = logging.getLogger(__name__)


@dataclass(frozen=True, eq=False)
class Means:
    """What else a lesson needs of its program: the owner's choice, whom to tell, and a `probe` if there is one already."""

    region: RegionChoice
    tell: Callable[[str], object] = log.info
    probe: ResourceProbe | None = None


class RegionOfLesson:
    """Says what could be chosen, at most once."""

    def __init__(self, store: Store, means: Means, clock: Callable[[], float] = time.time) -> None:
        self._store, self._means, self._since = store, means, clock()
        self._said = False

    def look(self) -> None:
        """Look at the pictures of the lesson, once all of them are there."""
        if self._said or not self._means.region.is_open:
            return
        found = propose_region(self._store, self._since)
        if found is not None:
            self._said = True
            self._means.tell(
                f"You sit in the box {found} (left, top, width, height) of the picture; posture-daemon region propose "
                "--write has the next training try to look at that only."
            )
