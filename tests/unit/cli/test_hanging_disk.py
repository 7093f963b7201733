"""A command whose disk does not answer ends by Ctrl-C, SIGTERM and SIGHUP all the same."""

import signal
import threading

import pytest

from posture_daemon.cli.context import though_a_disk_hangs
from posture_daemon.errors import Stopped
from posture_daemon.service import signals
from tests.waiting import poll


@pytest.fixture(autouse=True)
def _usual_signals():
    """Nobody else's handlers are changed."""
    before = {number: signal.getsignal(number) for number in signals.NUMBERS}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


def test_what_the_work_gives_or_raises_comes_back() -> None:
    """As if it had been done here."""
    assert though_a_disk_hangs(lambda: 7, threading.Event()) == 7
    with pytest.raises(ZeroDivisionError):
        though_a_disk_hangs(lambda: 1 // 0, threading.Event())


@pytest.mark.parametrize("number", signals.NUMBERS)
def test_a_signal_ends_what_hangs(number: signal.Signals) -> None:
    """The thread is left behind, in a call that never returns."""
    hangs, answer, stop = threading.Event(), threading.Event(), threading.Event()

    def work() -> None:
        hangs.set()
        answer.wait()

    def send() -> None:
        poll(hangs.is_set)
        signal.raise_signal(number)

    threading.Thread(target=send).start()
    with pytest.raises(Stopped):
        though_a_disk_hangs(work, stop)
    answer.set()


def test_work_that_sees_the_signal_ends_by_itself() -> None:
    """It has its time for that, and its last word counts."""
    began, stop = threading.Event(), threading.Event()

    def work() -> str:
        began.set()
        stop.wait()
        return "whole blocks are in"

    def send() -> None:
        poll(began.is_set)
        signal.raise_signal(signal.SIGTERM)

    threading.Thread(target=send).start()
    assert though_a_disk_hangs(work, stop, grace_s=60) == "whole blocks are in"
