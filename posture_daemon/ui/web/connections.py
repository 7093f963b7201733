"""Connections to the label page: how many there may be, and how long a client may keep one waiting.

uvicorn's own limits begin when a request is complete, so whoever sends half of one holds a connection, and a file handle of
the daemon, for as long as they like. Here each connection is always in one `State`; all but one of them wait for the client,
for a limited time that nothing extends. When there are `MAX_CONNECTIONS`, a new one waits at the door (`newcomers.py`) until
its request is there as a whole, as a browser's soon is, and takes the place of the one that has waited longest for its client;
half a request may only take the place of what has waited for a while, and is else closed before anything is made of it, so
that thousands cost next to nothing.
"""

import asyncio
import logging
import select
import socket
from collections.abc import Mapping
from enum import Enum
from typing import Any

import h11  # comes with uvicorn, whose protocol it is
import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol

from posture_daemon.ui.web.newcomers import BATCH, Newcomers
from posture_daemon.ui.web.refusals import raw_refusal

log = logging.getLogger(__name__)

MAX_CONNECTIONS = 50
MOST_MET = 64
"""New connections looked at in one turn; then those that are open have theirs."""
BACKLOG = 2048
"""Connections that the system holds until they are accepted; beyond it a client asks again only after a second."""
TRY_AGAIN_S = 1.0
"""Seconds after which it is tried again to accept, where that failed: no handles are left, for example."""

MAX_LINGER_BYTES = 10_000_000


class State(Enum):
    """What a connection waits for."""

    HEAD = "the head of a request"
    BODY = "the rest of a request"
    OURS = "our answer"
    ANSWER = "the client to take the answer"
    IDLE = "another request"
    LINGER = "the end of what a refused client still sends"


LIMIT_S = {State.HEAD: 10.0, State.BODY: 10.0, State.ANSWER: 30.0, State.IDLE: 5.0, State.LINGER: 2.0}
"""Seconds in which a client has to do its part. Over a bad network an answer, such as a picture, takes a few; what a refused
client still sends is thrown away for a while, because closing at once would take the refusal with it."""


class Connection(H11Protocol):
    """uvicorn's HTTP/1.1 connection with limits."""

    def __init__(self, *given: Any, **named: Any) -> None:
        super().__init__(*given, **named)
        self.state: State | None = None
        self.since = 0.0
        """When this state began, in the loop's seconds."""
        self._limit: asyncio.TimerHandle | None = None
        self._lingers = False
        self._thrown_away = 0

    # --- what happens to it

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Its time begins."""
        super().connection_made(transport)
        transport.set_write_buffer_limits(high=0)  # so that `pause_writing` tells of every answer that is not taken
        self._look()

    def data_received(self, data: bytes) -> None:
        """Take what was sent, or throw it away after a refusal."""
        if self._lingers:
            self._thrown_away += len(data)
            if self._thrown_away > MAX_LINGER_BYTES:
                self.drop()
            return
        super().data_received(data)
        self._look()

    def eof_received(self) -> bool:  # type: ignore[override]  # asyncio allows it
        """A client that has said all it will may still wait for its answer; true keeps the connection open for that."""
        if self.state in (State.OURS, State.ANSWER) and self.cycle is not None and not self.cycle.response_complete:
            self.cycle.keep_alive = False
            return True
        if not self._lingers and self._is_half_sent():
            self._refuse(400, "That request ended before it was whole.")
        return False

    def connection_lost(self, exc: Exception | None) -> None:
        """It has ended, by whomever."""
        self._cancel_limit()
        super().connection_lost(exc)

    def on_response_complete(self) -> None:
        """An answer was written; the next request may come."""
        super().on_response_complete()
        if not self.transport.is_closing() and self.conn.their_state is h11.SEND_BODY:
            self._linger()  # answered before all was read, since it was too much
        self._look()

    def pause_writing(self) -> None:
        """The client does not take what was written."""
        super().pause_writing()
        self._look()

    def resume_writing(self) -> None:
        """The client has taken all of it."""
        super().resume_writing()
        self._look()

    def send_400_response(self, msg: str) -> None:
        """Answer to what the parser does not understand."""
        self._refuse(400, msg)

    def shutdown(self) -> None:
        """End it when the page stops: at once, unless an answer is being made."""
        if self.state is State.OURS:
            self.cycle.keep_alive = False
        else:
            self.drop()

    def is_unread(self) -> bool:
        """Whether it waits for us and not for its client: a request has begun to arrive of which nothing was read yet."""
        if self.state not in (State.HEAD, State.IDLE) or self._is_half_sent():
            return False
        look = select.poll()
        look.register(self.transport.get_extra_info("socket").fileno(), select.POLLIN)
        return bool(look.poll(0))

    def drop(self) -> None:
        """End it now, without an answer; it does not count any more."""
        self._cancel_limit()
        self.connections.discard(self)
        self.transport.abort()

    # --- what it waits for

    def _look(self) -> None:
        """Begin the time of a new state; the time of one that goes on runs on, whatever arrives."""
        state = self._state_now()
        if state is self.state:
            return
        self._cancel_limit()
        self.state, self.since = state, self.loop.time()
        if state in LIMIT_S:
            self._limit = self.loop.call_later(LIMIT_S[state], self._expire)

    def _state_now(self) -> State:
        if self._lingers:
            return State.LINGER
        if self.flow.write_paused or self.transport.is_closing():
            return State.ANSWER
        their = self.conn.their_state
        if their is h11.SEND_BODY:
            return State.BODY
        if their is h11.IDLE:
            return State.HEAD if self.cycle is None or self._is_half_sent() else State.IDLE
        return State.OURS

    def _is_half_sent(self) -> bool:
        return self.conn.their_state is h11.SEND_BODY or bool(self.conn.trailing_data[0])

    def _expire(self) -> None:
        if self.state in (State.HEAD, State.BODY) and self._is_half_sent():
            self._refuse(408, "That request took too long to arrive.")
        else:
            self.drop()

    def _refuse(self, status: int, words: str) -> None:
        """Answer to what is no whole request, and end; nothing of the application's follows."""
        if self.conn.our_state not in (h11.IDLE, h11.SEND_RESPONSE):
            self.drop()  # an answer has begun, and a second one would be taken for its end
            return
        if self.cycle is not None:
            self.cycle.disconnected = True
            self.cycle.message_event.set()
        self.transport.write(raw_refusal(status, words))
        self._linger()
        self._look()

    def _linger(self) -> None:
        self._lingers = True
        self.flow.resume_reading()
        try:
            self.transport.write_eof()
        except OSError:  # the client has gone meanwhile
            self.drop()

    def _cancel_limit(self) -> None:
        if self._limit is not None:
            self._limit.cancel()
            self._limit = None


class PageServer(uvicorn.Server):
    """uvicorn's server with a door of our own."""

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Begin to accept at `sockets`."""
        await super().startup([])  # uvicorn would accept whatever comes
        loop = asyncio.get_running_loop()
        loop.set_exception_handler(self._once_each)
        self._said: set[str] = set()
        self._opening: set[asyncio.Task[Any]] = set()
        self._newcomers = Newcomers(self._take)
        for listener in sockets or []:
            listener.setblocking(False)
            listener.listen(BACKLOG)
            loop.add_reader(listener, self._accept, listener)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Accept no more, and end what is open."""
        for listener in sockets or []:
            asyncio.get_running_loop().remove_reader(listener)
        self._newcomers.close()
        await super().shutdown(sockets)

    def _accept(self, listener: socket.socket) -> None:
        """Let in what has come, as many as one turn allows."""
        taken = 0
        for _ in range(MOST_MET):
            try:
                connection, _address = listener.accept()
            except (BlockingIOError, InterruptedError, ConnectionAbortedError):
                return
            except OSError as error:
                self._pause(listener, error)
                return
            connection.setblocking(False)
            taken += self._newcomers.welcome(connection)
            if taken >= BATCH:
                return

    def _take(self, connection: socket.socket, wait_s: float) -> bool:
        """Take one over if there is a place, or one who has kept the page waiting for at least `wait_s` can give theirs."""
        if not self._has_room(wait_s):
            return False
        loop = asyncio.get_running_loop()
        task = loop.create_task(loop.connect_accepted_socket(self._new_connection, connection))
        self._opening.add(task)
        task.add_done_callback(self._opened)
        return True

    def _opened(self, task: asyncio.Task[Any]) -> None:
        self._opening.discard(task)
        if not task.cancelled():
            task.exception()  # a client that has gone meanwhile is no news

    def _new_connection(self) -> Connection:
        return Connection(self.config, self.server_state, self.lifespan.state)

    def _has_room(self, wait_s: float) -> bool:
        """Whether there is a place, or one was made by closing the connection that has waited longest for its client."""
        held = self.server_state.connections
        if len(held) + len(self._opening) < MAX_CONNECTIONS:
            return True
        waiting = [one for one in held if isinstance(one, Connection) and one.state is not State.OURS]
        in_turn = sorted(waiting, key=lambda one: one.since)
        oldest = next((one for one in in_turn if not one.is_unread()), None)
        if oldest is None or oldest.loop.time() - oldest.since < wait_s:
            return False
        oldest.drop()
        return True

    def _pause(self, listener: socket.socket, error: OSError) -> None:
        loop = asyncio.get_running_loop()
        self._once_each(loop, {"message": "it cannot accept", "exception": error})
        loop.remove_reader(listener)
        loop.call_later(TRY_AGAIN_S, self._go_on, listener)

    def _go_on(self, listener: socket.socket) -> None:
        if listener.fileno() >= 0:  # else it was closed meanwhile
            asyncio.get_running_loop().add_reader(listener, self._accept, listener)

    def _once_each(self, _loop: asyncio.AbstractEventLoop, context: Mapping[str, Any]) -> None:
        """Log what the loop says once for each kind, and not once a second."""
        error, message = context.get("exception"), str(context.get("message"))
        if message not in self._said:
            self._said.add(message)
            trace = None if isinstance(error, OSError) else error
            log.error("the label page: %s (%s); this is said once", message, error, exc_info=trace)
