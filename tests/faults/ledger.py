"""What came of the faults, by phase and fault: the table, and whether anything was lost."""

from collections import defaultdict
from dataclasses import dataclass, field

from rich.table import Table

MAX_TOLD = 5
"""Complaints of one phase and fault that are printed; the table has their number."""


@dataclass
class Count:
    """Of one phase and fault. `odd` names what was wrong, in words."""

    done: int = 0
    restarts: int = 0
    hands: int = 0
    lost: int = 0
    orphans: int = 0
    odd: list[str] = field(default_factory=list)
    seconds: float = 0.0


@dataclass
class Ledger:
    """Grows with every fault."""

    counts: dict[tuple[str, str], Count] = field(default_factory=lambda: defaultdict(Count))
    acknowledged: int = 0
    landed: dict[tuple[str, str], int] = field(default_factory=lambda: defaultdict(int))
    leftovers: dict[str, int] = field(default_factory=lambda: defaultdict(int))

    def of(self, phase: str, fault: str) -> Count:
        """The count of a phase and a fault."""
        return self.counts[phase, fault]

    def lose(self, phase: str, fault: str, found: list[str]) -> None:
        """Something that was acknowledged is not there, or not as it was."""
        count = self.of(phase, fault)
        count.lost += len(found)
        count.odd.extend(found)

    @property
    def complaints(self) -> list[str]:
        """Everything that went wrong, in words."""
        return [
            f"{phase}, {fault}: {odd}" for (phase, fault), count in self.counts.items() for odd in count.odd[:MAX_TOLD]
        ]

    @property
    def total(self) -> Count:
        """The sum of all."""
        whole = Count()
        for count in self.counts.values():
            for name in ("done", "restarts", "hands", "lost", "orphans", "seconds"):
                setattr(whole, name, getattr(whole, name) + getattr(count, name))
        return whole

    def table(self) -> Table:
        """One line a phase and fault, and their sum."""
        shown = Table("phase", "fault", "times", "restarts", "a hand needed", "acknowledged, lost", "orphans")
        for (phase, fault), count in self.counts.items():
            shown.add_row(phase, fault, *_numbers(count))
        shown.add_section()
        shown.add_row("all", "", *_numbers(self.total))
        return shown

    def moments(self) -> str:
        """What was going on at the moments of the faults, one line a phase."""
        phases: dict[str, list[str]] = defaultdict(list)
        for (phase, what), number in sorted(self.landed.items()):
            phases[phase].append(f"{what} {number}")
        return "\n".join(f"{phase}: {', '.join(found)}" for phase, found in phases.items())

    def verdict(self) -> str:
        """One line."""
        left = ", ".join(f"{name} {number}" for name, number in sorted(self.leftovers.items())) or "none"
        return f"acknowledged and looked for: {self.acknowledged}; leftover files after the last restarts: {left}"


def _numbers(count: Count) -> list[str]:
    return [str(count.done), str(count.restarts), str(count.hands), str(count.lost), str(count.orphans)]
