"""How a bench of lives hands its tasks to workers and collects what they lived."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Event

import pytest

from tests.bench import bench_days
from tests.bench.bench_days import Task, live_all
from tests.bench.life_columns import Tried


def task(seed: int) -> Task:
    """A day with this seed."""
    return Task(Path("days"), 0, "monday", seed, None, Path("base"), Path("scratch"), ultralytics=False)


def test_lives_come_back_in_the_order_of_their_tasks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whichever ends first."""
    monkeypatch.setattr(bench_days, "lead", lambda task: Tried(f"{task.seed}", "monday", (), {}, {}, {}))
    with ThreadPoolExecutor(2) as pool:
        found = live_all([task(seed) for seed in range(7)], pool)  # type: ignore[arg-type]
    assert [one.seed for one in found] == [f"{seed}" for seed in range(7)]


class Pool(ThreadPoolExecutor):
    """One worker; `ended` is set once what has not begun is cancelled."""

    def __init__(self) -> None:
        super().__init__(1)
        self.ended = Event()

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """Cancel first, then let go on what has begun, then wait for it."""
        super().shutdown(wait=False, cancel_futures=cancel_futures)
        self.ended.set()
        super().shutdown(wait=wait)


def test_a_life_that_fails_ends_those_that_have_not_begun(monkeypatch: pytest.MonkeyPatch) -> None:
    """Only the one that has begun meanwhile goes on to its end."""
    begun: list[int] = []

    def lead(task: Task) -> Tried:
        begun.append(task.seed)
        if task.seed == 0:
            raise RuntimeError("the capture loop failed")
        assert pool.ended.wait(100)
        return Tried(f"{task.seed}", "monday", (), {}, {}, {})

    monkeypatch.setattr(bench_days, "lead", lead)
    with Pool() as pool, pytest.raises(RuntimeError, match="capture loop"):
        live_all([task(seed) for seed in range(50)], pool)  # type: ignore[arg-type]
    assert begun in ([0], [0, 1])
