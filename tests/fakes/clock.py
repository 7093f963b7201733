"""A clock that only moves when a test moves it, or somebody sleeps on it."""

from dataclasses import dataclass, field


@dataclass
class Clock:
    """Seconds. Call it, or its `monotonic`, for the time; `sleep` moves it at once and is remembered in `slept`."""

    now: float = 100.0
    slept: list[float] = field(default_factory=list)

    def __call__(self) -> float:
        """Tell the time."""
        return self.now

    monotonic = __call__

    def sleep(self, seconds: float) -> None:
        """Let it pass."""
        self.slept.append(seconds)
        self.now += seconds
