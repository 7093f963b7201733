"""Connections to the label page that came when there was no place: each waits at the door until its request is there.

A client connects first, sends then, and often the head and the body of a request apart. So who is looked at only once, when it
comes, may seem to have sent nothing or half a request, though it is a browser. Here it is looked at again and again for a
while; the room is small, and who came first and has not sent all leaves first, so that a crowd that sends nothing costs next to
nothing. Who has sent all is next when a place can be had, in turn.
"""

import asyncio
import math
import re
import socket
from collections.abc import Callable
from enum import Enum

MAX_WAIT_S = 1.0
"""Seconds after which a connection that waits for its client may be closed for any new one, not only for a whole request."""
MAX_NEWCOMERS = 100
"""Connections at the door; the next one takes the place of the first of those that have not sent all. Even of ten thousand
that come in a second, each has ten milliseconds, a hundred times what a client on this computer needs from connecting to
sending."""
ARRIVE_S = 2.0
"""Seconds that a request has to arrive: over a bad network the first packet may have to be sent again, after a second."""
TURN_S = 10.0
"""Seconds that one who has sent all waits for a place, while the page is answering others."""
LOOK_S = 0.01
"""Seconds between two looks."""
BATCH = 8
"""Connections taken over in one turn of the loop: far fewer than there may be, so that what a new one has sent is read before
it could be the oldest, however many others come meanwhile."""

PEEK_BYTES = 1 << 17
"""More than the largest request that is allowed."""

NEVER = math.inf

_LENGTH = re.compile(rb"\r\ncontent-length:[ \t]*(\d{1,9})[ \t]*(?:\r\n|$)", re.IGNORECASE)


class Arrived(Enum):
    """What of a request is there, as far as that can be seen from outside; it stays there to be read."""

    GONE = "nothing, and nothing will come"
    PART = "nothing yet, or a part"
    WHOLE = "all"


class Newcomers:
    """The door.

    `take(connection, wait_s)` takes one over if there is a place, or if somebody who has kept the page waiting for at least
    `wait_s` seconds can give theirs; it says whether.
    """

    def __init__(self, take: Callable[[socket.socket, float], bool]) -> None:
        self._take = take
        self._part: dict[socket.socket, float] = {}
        """Whose request is not there yet, as they came, and when each has to leave, in the loop's seconds."""
        self._whole: dict[socket.socket, float] = {}
        """Whose request is there, in the order in which it was; they are next, and nobody who comes later is before them."""
        self._timer: asyncio.TimerHandle | None = None
        self._seen = bytearray(PEEK_BYTES)

    def welcome(self, connection: socket.socket) -> int:
        """Let one in that has just come; how many were taken over now. Half a request may only replace who waits for long."""
        now = asyncio.get_running_loop().time()
        came = arrived(connection, self._seen)
        if came is Arrived.GONE:
            connection.close()
            return 0
        if came is Arrived.PART and not self._whole and self._take(connection, MAX_WAIT_S):
            return 1
        if came is Arrived.WHOLE:
            self._whole[connection] = now + TURN_S
        else:
            self._part[connection] = now + ARRIVE_S
        taken = self._serve(BATCH)
        while len(self._part) + len(self._whole) > MAX_NEWCOMERS:
            self._make_room()
        self._look_later()
        return taken

    def close(self) -> None:
        """Send all away."""
        if self._timer is not None:
            self._timer.cancel()
        for one in (*self._part, *self._whole):
            one.close()
        self._part.clear()
        self._whole.clear()

    def _look_later(self) -> None:
        if self._timer is None and (self._part or self._whole):
            self._timer = asyncio.get_running_loop().call_later(LOOK_S, self._look)

    def _look(self) -> None:
        """Look at all again, as far as one turn allows."""
        self._timer = None
        for one in list(self._part):
            self._look_at(one)
        self._serve(BATCH)
        now = asyncio.get_running_loop().time()
        for waiting in (self._part, self._whole):
            for one in [one for one, until in waiting.items() if now >= until]:
                self._leave(one, waiting)
        self._look_later()

    def _look_at(self, one: socket.socket) -> None:
        """Note that the request has come meanwhile, or that nobody waits for an answer to it any more."""
        came = arrived(one, self._seen) if one in self._part else Arrived.PART
        if came is Arrived.GONE:
            self._leave(one, self._part)
        elif came is Arrived.WHOLE:
            del self._part[one]
            self._whole[one] = asyncio.get_running_loop().time() + TURN_S

    def _serve(self, most: int) -> int:
        """Hand over who is next; how many. A place that nobody else wants is for the first of those who have not sent all."""
        taken = 0
        while taken < most and (self._whole or self._part):
            waiting, wait_s = (self._whole, 0.0) if self._whole else (self._part, NEVER)
            first = next(iter(waiting))
            if not self._take(first, wait_s):
                break
            del waiting[first]
            taken += 1
        return taken

    def _make_room(self) -> None:
        """Send the first away that has not sent all, after a last look; only among others who have, the first of all."""
        while self._part:
            first = next(iter(self._part))
            self._look_at(first)
            if first in self._part:
                self._leave(first, self._part)
                return
        self._leave(next(iter(self._whole)), self._whole)

    def _leave(self, one: socket.socket, waiting: dict[socket.socket, float]) -> None:
        """Close one of those who wait."""
        if waiting.pop(one, None) is not None:
            one.close()


def arrived(connection: socket.socket, seen: bytearray) -> Arrived:
    """Look without taking anything, and without waiting; what is there is written to `seen`."""
    try:
        size = connection.recv_into(seen, 0, socket.MSG_PEEK | socket.MSG_DONTWAIT)
    except (BlockingIOError, InterruptedError):
        return Arrived.PART
    except OSError:
        return Arrived.GONE
    if size == 0:
        return Arrived.GONE
    head, end, body = bytes(memoryview(seen)[:size]).partition(b"\r\n\r\n")
    length = _LENGTH.search(head)
    if b"\r\ntransfer-encoding:" in head.lower():
        is_whole = body.endswith(b"0\r\n\r\n")
    else:
        is_whole = bool(end) and len(body) >= (0 if length is None else int(length[1]))
    return Arrived.WHOLE if is_whole else Arrived.PART
