"""Serves the label page from a thread of this process."""

from __future__ import annotations

import errno
import logging
import socket
import threading
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from posture_daemon.domain import Frame
from posture_daemon.errors import PageError
from posture_daemon.labelling.session import Labelling
from posture_daemon.settings import Settings
from posture_daemon.store import Store
from posture_daemon.ui.web.link import address_of, token_for

if TYPE_CHECKING:
    import uvicorn

    from posture_daemon.ui.web.region_desk import RegionDesk
    from posture_daemon.ui.web.teach import GuidedCaptureThread, OpenGuidedCapture

log = logging.getLogger(__name__)

OTHER_PORT, OTHER_HOST = " (ui.port chooses another port)", " (ui.host takes an address of this computer)"
ADVICE = {
    errno.EADDRINUSE: OTHER_PORT,
    errno.EACCES: OTHER_PORT,
    errno.EADDRNOTAVAIL: OTHER_HOST,
    socket.EAI_NONAME: OTHER_HOST,
}

STOP_S = 1.0
"""Seconds that running requests have to finish when the page stops."""


class LabelPage:
    """The page of one data folder. Start once, stop at any time."""

    def __init__(
        self,
        store: Store,
        settings: Settings,
        clock: Callable[[], float] = time.time,
        new_labelling: Callable[..., Labelling] = Labelling,
        open_guided_capture: OpenGuidedCapture | None = None,
        desk: RegionDesk | None = None,
        look: Callable[[], Frame | None] = lambda: None,
    ) -> None:
        """`open_guided_capture` opens a guided capture, if there is a camera; for `look` see `teach.GuidedCaptureThread`.

        On `desk` the part of the picture to look at is chosen.
        """
        self._desk, self._look = desk, look
        self._store, self._settings, self._clock = store, settings, clock
        self._new_labelling, self._open_guided_capture = new_labelling, open_guided_capture
        self._guided_capture: GuidedCaptureThread | None = None
        self._token: str | None = None
        self._server: uvicorn.Server | None = None
        self._thread: threading.Thread | None = None
        self._stopped = threading.Event()
        self.address: str | None = None
        """URL without the secret; `None` while not serving."""

    def start(self, port: int | None = None) -> None:
        """Start to listen, at `port` instead of the one in the settings if given; requests are answered once all is loaded.

        Raises `PageError` when the port is taken or the address is not one of this computer.
        """
        host, port = self._settings.ui.host, self._settings.ui.port if port is None else port
        listener = _listen(host, port)
        try:
            self._token = token_for(self._store.folder, host)
        except OSError as error:
            listener.close()
            raise PageError(f"The secret of the label page cannot be kept in {self._store.folder}: {error}.") from error
        self.address = self._settings.ui.link or address_of(host, listener.getsockname()[1])
        self._thread = threading.Thread(target=self._serve, args=(listener,), name="label-page", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Finish running requests, then close. Safe to call again, and before `start`."""
        self._stopped.set()
        self.address = None
        if self._guided_capture is not None:
            self._guided_capture.close(STOP_S)
        if self._server is not None:
            self._server.should_exit = True
        if self._thread is not None:
            self._thread.join(2 * STOP_S)

    def _serve(self, listener: socket.socket) -> None:
        """Body of the thread; slow imports happen here, so that `start` does not wait for them."""
        try:
            self._server = self._build()
            if not self._stopped.is_set():
                self._server.run(sockets=[listener])
        except Exception:  # the page must not take the daemon with it
            log.exception("the label page has failed; everything else goes on")
        finally:
            self.address = None
            listener.close()

    def _build(self) -> uvicorn.Server:
        import uvicorn

        from posture_daemon.ui.web.app import create_app
        from posture_daemon.ui.web.connections import Connection, PageServer
        from posture_daemon.ui.web.teach import GuidedCaptureThread

        self._guided_capture = (
            None
            if self._open_guided_capture is None
            else GuidedCaptureThread(self._open_guided_capture, self._store, self._settings, self._look)
        )
        app = create_app(
            self._store, self._settings, self._clock, self._token, self._new_labelling, self._guided_capture, self._desk
        )
        return PageServer(
            uvicorn.Config(
                app, log_config=None, log_level="error", access_log=False, server_header=False, lifespan="off",
                loop="asyncio", http=Connection, ws="none", proxy_headers=False,
                timeout_graceful_shutdown=round(STOP_S),
            )
        )  # fmt: skip


def _listen(host: str, port: int) -> socket.socket:
    try:
        family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]
        return socket.create_server((host, port), family=family, backlog=64)
    except UnicodeError as error:  # what the `idna` codec says of names that cannot be one
        raise PageError(f"The label page cannot be served at {host[:80]}: that is no name{OTHER_HOST}.") from error
    except OSError as error:
        cause, advice = (error.strerror or str(error)).partition(" (while")[0], ADVICE.get(error.errno or 0, "")
        raise PageError(f"The label page cannot be served at {host}:{port}: {cause}{advice}.") from error


def taken(error: PageError) -> bool:
    """Whether the error is that the port is taken."""
    return getattr(error.__cause__, "errno", None) == errno.EADDRINUSE
