"""Calls to a camera in a thread of their own, since a driver can hang in them: a signal then ends the wait, not the call."""

import threading
from collections.abc import Callable
from concurrent.futures import Future
from contextlib import closing
from typing import TypeVar

from posture_daemon.adapters.cameras.reader_thread import Interruptible
from posture_daemon.domain import Frame
from posture_daemon.errors import Stopped
from posture_daemon.ports import Camera
from posture_daemon.service.signals import raised

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
        with raised():
            if is_stopped():
                raise Stopped
            threading.Thread(target=run, name="camera", daemon=True).start()
            return done.result()
    finally:
        if not done.done() and isinstance(camera, Interruptible):
            camera.interrupt()
