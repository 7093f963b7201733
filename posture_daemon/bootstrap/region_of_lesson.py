"""What a lesson shows of where its owner sits: chosen as the part of the picture to look at, where nobody has chosen yet.

By itself only for a first model, which begins with a base. One that has learned whole pictures would first have to be beaten
by one that looks at the box, so a lesson could end with nothing to show: there it is only said.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

from posture_daemon.bootstrap.region import RegionChoice
from posture_daemon.domain import Region
from posture_daemon.errors import SettingsError
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
    """Chooses, or says what could be chosen, at most once. Threads may share one."""

    def __init__(self, store: Store, means: Means, clock: Callable[[], float] = time.time) -> None:
        self._store, self._means, self._since = store, means, clock()
        self._lock = threading.Lock()
        champion = store.models.champion()
        self._chooses = champion is None or champion.is_base
        self._said = False

    def look(self, *, last: bool = False) -> None:
        """Look at the pictures so far. Before the `last` look only those count that have the empty chair beside them.

        So the views that are computed beside the poses are those of the box.
        """
        with self._lock:
            if self._said or not self._means.region.is_open or not (self._chooses or last):
                return
            found = propose_region(self._store, self._since, needs_empty=not last)
            if found is not None:
                self._said = True
                self._means.tell(self._chosen(found) if self._chooses else self._offered(found))

    def _chosen(self, found: Region) -> str:
        try:
            self._means.region.choose(found)
        except SettingsError as error:
            return f"The whole picture is looked at, although you sit in the box {found}: {error}"
        return (
            f"From now on only the box {found} (left, top, width, height) of the picture is looked at, where you sit; "
            "posture-daemon region clear undoes that."
        )

    def _offered(self, found: Region) -> str:
        return (
            f"You sit in the box {found} (left, top, width, height) of the picture; posture-daemon region propose --write has "
            "the next training try to look at that only."
        )
