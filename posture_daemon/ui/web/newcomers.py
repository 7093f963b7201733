"""Connections to the label page that came when there was no place: each waits at the door until its request is there.

A client connects first, sends then, and often the head and the body of a request apart. So who is looked at only once, when it
comes, may seem to have sent nothing or half a request, though it is a browser. Here it is looked at again and again for a
while; the room is small, and who came first leaves first, so that a crowd that sends nothing costs next to nothing.
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
"""Connections at the door; the next one takes the place of the first of them. Even of ten thousand that come in a second, each
has ten milliseconds, a hundred times what a client on this computer needs from connecting to sending."""
ARRIVE_S = 2.0
"""Seconds that one is kept: over a bad network the first packet after connecting may have to be sent again, after one."""
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
        self._until: dict[socket.socket, float] = {}
        """When each has to leave, in the loop's seconds; in the order in which they came."""
        self._timer: asyncio.TimerHandle | None = None
        self._seen = bytearray(PEEK_BYTES)

    def welcome(self, connection: socket.socket) -> int:
        """Let one in that has just come; how many were taken over now. Half a request may only replace who waits for long."""
        came = arrived(connection, self._seen)
        if came is Arrived.GONE:
            connection.close()
            return 0
        if self._take(connection, 0.0 if came is Arrived.WHOLE else MAX_WAIT_S):
            return 1
        taken = 0
        while len(self._until) >= MAX_NEWCOMERS:
            first = next(iter(self._until))
            taken += self._is_taken(first)  # a last look: it may have sent all in the meantime
            self._leave(first)
        self._until[connection] = asyncio.get_running_loop().time() + ARRIVE_S
        self._look_later()
        return taken

    def close(self) -> None:
        """Send all away."""
        if self._timer is not None:
            self._timer.cancel()
        for one in self._until:
            one.close()
        self._until.clear()

    def _look_later(self) -> None:
        if self._timer is None and self._until:
            self._timer = asyncio.get_running_loop().call_later(LOOK_S, self._look)

    def _look(self) -> None:
        """Look at all again, as far as one turn allows."""
        self._timer = None
        now, taken = asyncio.get_running_loop().time(), 0
        for one, until in list(self._until.items()):
            taken += self._is_taken(one)
            if now >= until:
                self._leave(one)
            if taken == BATCH:
                break
        self._look_later()

    def _is_taken(self, one: socket.socket) -> bool:
        """Take one over whose request has come meanwhile, or for whom a place has become free."""
        came = arrived(one, self._seen)
        if came is Arrived.GONE:
            self._leave(one)
        elif self._take(one, 0.0 if came is Arrived.WHOLE else NEVER):
            del self._until[one]
            return True
        return False

    def _leave(self, one: socket.socket) -> None:
        """Close it, unless it was taken over."""
        if self._until.pop(one, None) is not None:
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
