"""What a lesson shows of where its owner sits: offered as the part of the picture to look at, where nobody has chosen yet.

It is only said. On real frames a box around the owner was worth some points with one base and cost some with another
(docs/region.md), so it is the owner's to choose, and the gate's to judge.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass

from posture_daemon.bootstrap.region import RegionChoice
from posture_daemon.errors import PostureError
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


def advise_region(store: Store, means: Means, since: float) -> None:
    """Say what could be chosen, from labels given after `since` (s since the epoch); for after a lesson, to delay none.

    It is advice: what the store refuses is logged, so that a lesson that went well does not end with an error.
    """
    if not means.region.is_open:
        return
    try:
        found = propose_region(store, since)
    except (PostureError, OSError) as error:
        log.warning("no part of the picture is proposed: %s", error)
        return
    if found is not None:
        means.tell(
            f"You sit in the box {found} (left, top, width, height) of the picture; posture-daemon region propose "
            "--write has the next training try to look at that only."
        )
