"""The one waiter of the tests: its limits suit a busy machine, and it prints that it goes on."""

import time
from collections.abc import Callable
from typing import Any

import psutil

LIMIT_S = 300.0
"""Many times what anything here takes, seconds: no test depends on a quiet machine."""
TELL_EVERY_S = 30.0


def poll(condition: Callable[[], Any], limit_s: float = LIMIT_S, *, what: str = "it", every_s: float = 0.02) -> Any:
    """What the condition gives as soon as that is true, or its last word after `limit_s`."""
    began = time.monotonic()
    tell_at = began + TELL_EVERY_S
    while not (found := condition()) and (now := time.monotonic()) - began < limit_s:
        if now >= tell_at:
            print(f"still waiting for {what}, {now - began:.0f} of at most {limit_s:.0f} s", flush=True)  # noqa: T201
            tell_at = now + TELL_EVERY_S
        time.sleep(every_s)
    return found


def wait_until(condition: Callable[[], Any], what: str = "it", limit_s: float = LIMIT_S, every_s: float = 0.1) -> Any:
    """Like `poll`, but fail with words after `limit_s`."""
    found = poll(condition, limit_s, what=what, every_s=every_s)
    assert found, f"{what} did not happen within {limit_s:g} s"
    return found


def computed_s(process: psutil.Process) -> float:
    """What it has computed so far, seconds of a processor: a bar that other work on the machine does not move."""
    times = process.cpu_times()
    return float(times.user + times.system)


def allowed_s(promised_s: float) -> float:
    """What the product promises on a machine of its own, seconds, stretched by how slow other work makes this one now."""
    wall, computed = time.monotonic(), time.thread_time()
    while time.thread_time() - computed < 0.1:
        pass
    slowness = (time.monotonic() - wall) / 0.1
    return promised_s * max(1.0, 1 + 5 * (slowness - 1))
