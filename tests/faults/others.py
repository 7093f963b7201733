"""All faults that are not kills: what each is called, in which phases it is tried, and whether it can be tried here."""

from collections.abc import Callable
from dataclasses import dataclass

from tests.faults import busy, clocks, damage, disks
from tests.faults.bench import Bench


@dataclass(frozen=True)
class Other:
    """A fault. `why_not` says why it cannot be tried here, `None` when it can."""

    name: str
    phases: tuple[str, ...]
    run: Callable[[Bench, str], None]
    why_not: Callable[[], str | None] = lambda: None


IN_USE, ALSO_TRAINING = ("write and label",), ("write and label", "train")

OTHERS = (
    Other("disk full", ALSO_TRAINING, disks.disk_full, disks.why_not),
    Other("disk read-only", ALSO_TRAINING, disks.disk_read_only, disks.why_not),
    Other("database busy", ALSO_TRAINING, busy.database_busy),
    Other("clock set", ALSO_TRAINING, clocks.clock_set, clocks.why_not),
    Other("model file damaged", IN_USE, damage.model_damaged),
    Other("feature cache damaged", ("train",), damage.cache_damaged),
    Other("settings file damaged", IN_USE, damage.settings_damaged),
    Other("database page damaged", IN_USE, damage.page_damaged),
)
