"""What happens again and again is told a few times, and then rarely and with its number: no camera can fill the journal."""

from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field

FEW, SPAN_S = 3, 3600.0
"""So many events of a kind are told one by one in such a span."""
PAUSE_S = 600.0
"""While it goes on, one line in this time has the number of the others."""
QUIET_S = 60.0
"""After this time without another one it is over."""


@dataclass
class _Kind:
    told_at: list[float] = field(default_factory=list)
    untold: int = 0
    last_at: float = 0.0


class LogThrottle:
    """Counts the events of each kind, and decides which are told. Not thread-safe."""

    def __init__(self, clock: Callable[[], float]) -> None:
        """`clock` gives seconds; one that is set back only makes more be told."""
        self._clock = clock
        self._kinds: defaultdict[str, _Kind] = defaultdict(_Kind)

    def tells(self, kind: str, is_new: bool = True) -> int | None:
        """Note an event. `None`: say nothing; else say it, and how many before it were passed over in silence.

        One that goes on and was not told yet is asked about again with `is_new` off.
        """
        now, one = self._clock(), self._kinds[kind]
        one.last_at = now
        one.told_at = [at for at in one.told_at if 0 <= now - at < SPAN_S]
        if len(one.told_at) >= FEW and now - one.told_at[-1] < PAUSE_S:
            one.untold += is_new
            return None
        untold, one.untold = one.untold - (not is_new), 0
        one.told_at.append(now)
        return untold

    def take_untold(self) -> int:
        """How many of all kinds were passed over in silence, once it has been quiet for a while; else 0, and 0 afterwards."""
        kinds = [one for one in self._kinds.values() if one.untold]
        if not kinds or any(0 <= self._clock() - one.last_at < QUIET_S for one in kinds):
            return 0
        untold = sum(one.untold for one in kinds)
        for one in kinds:
            one.untold = 0
        return untold
