"""A connection that keeps to a deadline as a whole, and that another thread can interrupt.

A time-out of a socket begins anew with each byte, so a camera that drips one a second would be waited for for ever. Here
`deadline` counts for everything that is read until it is moved. No call blocks for longer than `SLICE_S`.
"""

import io
import os
import select
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any, TypeVar

from posture_daemon.adapters.cameras.network_url import NetworkUrl
from posture_daemon.errors import CameraError

SLICE_S = 0.2
CONNECT_S = 5.0
"""Longest wait for a host to accept: a lost first packet is sent again after 1, 3 and 7 s, so asking anew is sooner."""

Value = TypeVar("Value")


class OutOfTime(Exception):
    """The deadline has passed."""


class Interrupted(Exception):
    """Another thread wants this one to end."""


class Deadline:
    """When whoever waits has waited long enough, and whether somebody has called it off. Thread-safe."""

    def __init__(self, seconds: float) -> None:
        self._interrupted = threading.Event()
        self.restart(seconds)

    def restart(self, seconds: float) -> None:
        """Count from now."""
        self._at = time.monotonic() + seconds

    def interrupt(self) -> None:
        """End every wait, now and later. Called from any thread."""
        self._interrupted.set()

    @contextmanager
    def at_most(self, seconds: float) -> Iterator[None]:
        """Wait no longer than this in the block."""
        at = self._at
        self._at = min(at, time.monotonic() + seconds)
        try:
            yield
        finally:
            self._at = at

    def pause(self, seconds: float) -> None:
        """Sleep, at most until the deadline or an interruption."""
        self._interrupted.wait(min(seconds, max(0.0, self._at - time.monotonic())))
        self.slice_ms()

    def slice_ms(self) -> int:
        """How long to wait at once, milliseconds. Raises `OutOfTime` or `Interrupted`."""
        if self._interrupted.is_set():
            raise Interrupted
        left_s = self._at - time.monotonic()
        if left_s <= 0:
            raise OutOfTime
        return max(1, int(min(left_s, SLICE_S) * 1000))


class PatientSocket(io.RawIOBase):
    """A connection to a camera. As a file it reads; `http.client` can be given it as if it were a socket."""

    def __init__(self, connection: socket.socket, deadline: Deadline) -> None:
        self._socket, self._deadline = connection, deadline

    def readable(self) -> bool:
        """It is."""
        return True

    def readinto(self, buffer: Any) -> int:
        """What has come; 0 at the end. Raises `OutOfTime`, `Interrupted` and `OSError`."""
        return self._patiently(lambda: self._socket.recv_into(buffer))

    def sendall(self, data: bytes) -> None:
        """Send all of it."""
        left = memoryview(data)
        while left:
            left = left[self._patiently(partial(self._socket.send, left)) :]

    def handshake(self, context: ssl.SSLContext, host: str) -> None:
        """Speak TLS from now on."""
        secured = context.wrap_socket(self._socket, server_hostname=host, do_handshake_on_connect=False)
        self._socket = secured
        self._patiently(secured.do_handshake)

    def makefile(self, *_mode: object) -> io.BufferedReader:
        """What `http.client` reads from."""
        return io.BufferedReader(self, 65536)

    def close(self) -> None:
        """Hang up."""
        self._socket.close()
        super().close()

    def _patiently(self, act: Callable[[], Value]) -> Value:
        while True:
            self._deadline.slice_ms()  # a camera that sends without a pause is never waited for
            try:
                return act()
            except (BlockingIOError, ssl.SSLWantReadError):
                _wait(self._socket, select.POLLIN, self._deadline)
            except ssl.SSLWantWriteError:
                _wait(self._socket, select.POLLOUT, self._deadline)


def connect(url: NetworkUrl, deadline: Deadline, check_certificate: bool) -> PatientSocket:
    """Connect to the camera. Raises `CameraError` with what went wrong, `OutOfTime` and `Interrupted`."""
    made = PatientSocket(_dial(url, deadline), deadline)
    try:
        if url.is_tls:
            context = ssl.create_default_context()
            if not check_certificate:
                context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
            made.handshake(context, url.host.partition("%")[0])
    except ssl.SSLCertVerificationError as error:
        made.close()
        raise CameraError(
            f"camera {url.name}: its TLS certificate is not trusted ({error.verify_message.rstrip('.')}): cameras mostly sign "
            "it themselves; if this is yours, set camera.check_certificate = false."
        ) from None
    except (ssl.SSLError, OSError):
        made.close()
        raise CameraError(
            f"camera {url.name} does not speak TLS there, or one too old: try {url.scheme.removesuffix('s')}:// instead, "
            "and look at the port."
        ) from None
    except BaseException:
        made.close()
        raise
    return made


def _dial(url: NetworkUrl, deadline: Deadline) -> socket.socket:
    try:
        found = socket.getaddrinfo(url.host, url.port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        raise CameraError(
            f"camera {url.name}: no host of the name {url.host} is known here: check its spelling, and whether the network "
            "is up; its IP address always works."
        ) from None
    failed: list[OSError] = []
    for place in found:
        try:
            return _dial_one(place, deadline, CONNECT_S / len(found))
        except OSError as error:
            failed.append(error)
    raise CameraError(f"camera {url.name} {_unreached(url, failed)}.")


def _unreached(url: NetworkUrl, failed: list[OSError]) -> str:
    """What tells most of all addresses of a host: often only one of IPv4 and IPv6 can lead there."""
    if any(isinstance(error, ConnectionRefusedError) for error in failed):
        return f"refused the connection: nothing listens at {url.host}:{url.port}; check the address, or wait: it may start"
    if any(isinstance(error, TimeoutError) for error in failed):
        return f"gives no answer: {url.host} is switched off, not in this network, or behind a firewall"
    said = failed[0].strerror if failed else "nothing"
    return f"cannot be reached ({said}): check the network cable or Wi-Fi, and the address"


def _dial_one(place: tuple[Any, ...], deadline: Deadline, longest_s: float) -> socket.socket:
    """Connect to one that `getaddrinfo` found. Raises `OSError`, also where this machine knows no such kind of address."""
    family, kind, protocol, _, address = place
    connection, began = socket.socket(family, kind, protocol), time.monotonic()
    try:
        connection.setblocking(False)
        try:
            connection.connect(address)
        except BlockingIOError:
            while not _wait(connection, select.POLLOUT, deadline):
                if time.monotonic() - began > longest_s:
                    raise TimeoutError from None
        if number := connection.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR):
            raise OSError(number, os.strerror(number))
    except BaseException:
        connection.close()
        raise
    return connection


def _wait(connection: socket.socket, event: int, deadline: Deadline) -> bool:
    """Wait for one slice; whether the connection is ready."""
    poll = select.poll()
    poll.register(connection, event)
    return bool(poll.poll(deadline.slice_ms()))
