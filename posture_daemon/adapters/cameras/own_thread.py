"""Calls to a camera in a thread of their own, since a driver can hang in them: a signal then ends the wait, not the call."""

import signal
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import closing, contextmanager
from typing import TypeVar

from posture_daemon.adapters.cameras.reader_thread import Interruptible
from posture_daemon.domain import Frame
from posture_daemon.errors import Stopped
from posture_daemon.ports import Camera

Value = TypeVar("Value")


def first_frame(camera: Camera) -> Frame | None:
    """Open it, read one frame, close it. Raises `CameraError`, and `Stopped` at SIGTERM or Ctrl-C."""

    def read() -> Frame | None:
        with closing(camera):
            camera.open()
            return camera.read()

    return _in_own_thread(camera, read)


def open_and_close(camera: Camera, is_stopped: Callable[[], bool] = lambda: False) -> None:
    """Open it and close it. Raises `CameraError`, and `Stopped` at SIGTERM or Ctrl-C; `is_stopped`: one came before."""

    def try_it() -> None:
        with closing(camera):
            camera.open()

    _in_own_thread(camera, try_it, is_stopped)


def _in_own_thread(camera: Camera, call: Callable[[], Value], is_stopped: Callable[[], bool] = lambda: False) -> Value:
    """What it returns or raises; a call that cannot be ended is left behind."""
    done: Future[Value] = Future()

    def run() -> None:
        try:
            done.set_result(call())
        except BaseException as error:
            done.set_exception(error)

    try:
        with _ended_by_signals():
            if is_stopped():
                raise Stopped
            threading.Thread(target=run, name="camera", daemon=True).start()
            return done.result()
    finally:
        if not done.done() and isinstance(camera, Interruptible):
            camera.interrupt()


@contextmanager
def _ended_by_signals() -> Iterator[None]:
    """SIGTERM and Ctrl-C raise `Stopped` in the block, where nothing runs that this could hurt; none is heard after the first.

    In the main thread only, as Python has it; other threads have nobody waiting for them.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    numbers = (signal.SIGTERM, signal.SIGINT)
    is_over = False

    def obey(_number: int, _frame: object) -> None:
        nonlocal is_over
        is_over = True
        for number in numbers:
            signal.signal(number, signal.SIG_IGN)
        raise Stopped

    before = {number: signal.signal(number, obey) for number in numbers}
    try:
        yield
    finally:
        if not is_over:
            for number, handler in before.items():
                signal.signal(number, handler)
