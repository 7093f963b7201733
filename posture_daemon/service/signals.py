"""What happens when a command is told to stop: by SIGTERM, by Ctrl-C, or by SIGHUP because its terminal has gone.

The one place that sets handlers. An order that is obeyed is no failure, so that the exit code is 0:

- while Python still loads the program, nothing has begun: the process leaves at once (`leave_at_once`);
- then `Stopped` is raised in the main thread (`raised`), whatever the command does, and what is open is closed on its way out;
- what ends in good order by itself, such as the daemon or a lesson, takes the order over (`on_stop`, `taken_over`);
- at the very end, nothing is left to stop (`ignore`).

This is imported before everything else, and imports only what Python has loaded anyway.
"""

import errno
import os
import signal
import sys
import termios
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from types import FrameType

from posture_daemon.errors import Stopped

NUMBERS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)

SAME_ORDER_S = 2.0
"""A second signal so soon is the same order, from somebody impatient: what is being closed is not interrupted. A later one is
obeyed again, for whoever waits on something that hangs."""

_told_at = float("-inf")


def leave_at_once() -> None:
    """Until something else is set, a signal ends the process with 0; for as long as it has done nothing."""
    _set(_leave)


def ignore() -> None:
    """The command is over, and its exit code stands."""
    for number in NUMBERS:
        signal.signal(number, signal.SIG_IGN)


def on_stop(act: Callable[[], object]) -> None:
    """From now on, call `act` instead; what runs goes on, and sees to its own end."""
    _set(lambda *_: _act(act))


@contextmanager
def taken_over(act: Callable[[], object]) -> Iterator[None]:
    """The same for the block."""
    with _for_the_block(lambda *_: _act(act)):
        yield


@contextmanager
def raised() -> Iterator[None]:
    """Raise `Stopped` in the block.

    In the main thread only, as Python has it; nothing changes for other threads.
    """
    with _for_the_block(_raise):
        yield


@contextmanager
def _for_the_block(handler: Callable[[int, FrameType | None], object]) -> Iterator[None]:
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {number: signal.getsignal(number) for number in NUMBERS}
    _set(handler)
    try:
        yield
    finally:
        for number, old in before.items():
            signal.signal(number, signal.SIG_DFL if old is None else old)


def _set(handler: Callable[[int, FrameType | None], object]) -> None:
    for number in NUMBERS:
        if number == signal.SIGHUP and signal.getsignal(number) is signal.SIG_IGN:
            continue  # `nohup`: it is to outlive its terminal
        signal.signal(number, handler)


def _leave(_number: int, _frame: FrameType | None) -> None:
    with suppress(OSError):  # nobody reads it
        os.write(2, f"posture-daemon: {Stopped()}\n".encode())
    os._exit(0)


def _act(act: Callable[[], object]) -> None:
    _let_go_of_a_dead_terminal()
    act()


def _raise(number: int, _frame: FrameType | None) -> None:
    global _told_at  # noqa: PLW0603 - the order is to the process, whichever block hears it
    _let_go_of_a_dead_terminal()
    now = time.monotonic()
    if now - _told_at < SAME_ORDER_S:
        return
    _told_at = now
    raise Stopped(by=number)


def _let_go_of_a_dead_terminal() -> None:
    """Whatever is written to a terminal that has gone fails, which would end in the middle what shall end in good order."""
    for stream in (sys.__stdout__, sys.__stderr__):
        with suppress(OSError, ValueError, AttributeError):  # closed
            descriptor = stream.fileno()  # type: ignore[union-attr]
            if _has_gone(descriptor):
                nowhere = os.open(os.devnull, os.O_WRONLY)
                os.dup2(nowhere, descriptor)
                os.close(nowhere)


def _has_gone(descriptor: int) -> bool:
    try:
        termios.tcgetattr(descriptor)
    except termios.error as error:
        return bool(error.args[0] == errno.EIO)  # what never was a terminal says ENOTTY
    return False
