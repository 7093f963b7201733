"""Access control: only the page itself, in the owner's browser, may make requests; others get one sentence.

The pictures show somebody at home, so other web sites must not reach them through the owner's browser:

- DNS rebinding is refused by the `Host` header, or by the missing secret;
- CSRF is refused by `Origin`, `Sec-Fetch-Site` and a header that only scripts of the same origin can set;
- framing, cross-origin images and caching by proxies are forbidden by response headers.

Other devices need the secret of the link once; then a cookie holds it. What no browser sends (two hosts, other forms of
targets, more headers than anybody needs, a body of two lengths) is refused before anything is made of it.
"""

import hmac
import re

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from posture_daemon.ui.web.host import host_in, is_loopback, is_same_origin
from posture_daemon.ui.web.refusals import NO_STORE, SECURITY, refused

COOKIE = "posture_label"
COOKIE_S = 365 * 86_400
HEADER = "x-posture-daemon"
MAX_BODY_BYTES = 100_000
"""Bytes; an answer to a thousand frames has about 30,000."""

MAX_TARGET_BYTES, MAX_HEADERS, MAX_HEADER_BYTES = 2_000, 64, 16_000
"""Path with query, number of headers, and bytes of them all; a browser's own are below half of each."""

MAX_RUNNING = 50
"""Requests that are worked on at once, also for those who did not wait for the answer."""

_PATH = re.compile(r"/(?:[A-Za-z0-9_.-]+(?:/[A-Za-z0-9_.-]+)*/?)?")
_COOKIE = re.compile(rf"(?:^|;) *{COOKIE}=([A-Za-z0-9_-]+) *(?:;|$)")
TOO_LARGE = "That is more than an answer can be."


class Guard:
    """ASGI application around the page's; `token` is the secret of the link, `None` if it listens on loopback only."""

    def __init__(self, app: ASGIApp, token: str | None) -> None:
        self._app = app
        self._token = token
        self._running = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, or refuse it."""

        async def send_guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                headers.update(SECURITY)
                for name, value in NO_STORE.items():
                    headers.setdefault(name, value)
            await send(message)

        answer = self._refusal(scope) or self._welcome(Request(scope))
        if answer is not None:
            await answer(scope, receive, send_guarded)
        elif self._running >= MAX_RUNNING:
            words = "The page has more to do than it can; it will answer again in a moment."
            await refused(scope["path"], 503, words)(scope, receive, send_guarded)
        else:
            await self._pass_on(scope, receive, send_guarded)

    async def _pass_on(self, scope: Scope, receive: Receive, send: Send) -> None:
        """The application gets a request when it is there as a whole; a client that goes away meanwhile gets no answer."""
        try:
            body = await _body(receive)
        except ValueError as error:
            await refused(scope["path"], 413, str(error))(scope, receive, send)
            return
        if body is None:
            return
        rest: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]

        async def receive_read() -> Message:
            return rest.pop() if rest else await receive()

        self._running += 1
        try:
            await self._app(scope, receive_read, send)
        finally:
            self._running -= 1

    def _welcome(self, request: Request) -> Response | None:
        """Redirect a request with the secret in its link to the plain address, with the secret as a cookie."""
        given = request.query_params.get("token")
        if self._token is None or given is None or not self._is_token(given):
            return None
        response = RedirectResponse(request.scope["path"], 303)  # on this server, see `_PATH`
        response.set_cookie(COOKIE, self._token, max_age=COOKIE_S, httponly=True, samesite="lax")
        return response

    def _refusal(self, scope: Scope) -> Response | None:
        path, headers = scope["path"], Headers(scope=scope)
        status, words = _malformed(scope, headers) or self._forbidden(scope, headers) or (0, "")
        return refused(path, status, words) if status else None

    def _forbidden(self, scope: Scope, headers: Headers) -> tuple[int, str] | None:
        host = headers["host"]
        if self._token is None and not is_loopback(host_in(host) or ""):
            return 421, f"This page is for this computer alone and does not answer to '{host[:80]}'."
        if self._token is not None and not self._has_secret(scope, headers):
            return 401, "This link lacks its secret; on the device, `posture-daemon label` prints the whole link."
        changes = scope["method"] not in ("GET", "HEAD")
        if not _is_same_site(headers, host, changes) or (changes and HEADER not in headers):
            return 403, "Only the label page itself may do that."
        length = headers.get("content-length", "0")
        if not length.isdecimal() or len(length) > 9 or int(length) > MAX_BODY_BYTES:
            return 413, TOO_LARGE
        return None

    def _has_secret(self, scope: Scope, headers: Headers) -> bool:
        """In the cookie; or in the link, which is for looking only."""
        given = _COOKIE.search(headers.get("cookie", ""))
        if given is not None and self._is_token(given[1]):
            return True
        linked = Request(scope).query_params.get("token", "")
        return scope["method"] in ("GET", "HEAD") and self._is_token(linked)

    def _is_token(self, given: str) -> bool:
        return self._token is not None and hmac.compare_digest(given.encode(), self._token.encode())


def _malformed(scope: Scope, headers: Headers) -> tuple[int, str] | None:
    """What is wrong with a request that no browser of an owner sends."""
    path, version, hosts = scope["path"], scope["http_version"], headers.getlist("host")
    target, sizes = (
        scope["raw_path"] + scope["query_string"],
        [len(name) + len(value) for name, value in scope["headers"]],
    )
    is_path = path.startswith("/") and scope["method"] != "CONNECT"
    two_lengths = "transfer-encoding" in headers and ("content-length" in headers or version == "1.0")
    wrong = (
        (len(target) > MAX_TARGET_BYTES, 414, "That address is too long."),
        (len(sizes) > MAX_HEADERS or sum(sizes) > MAX_HEADER_BYTES, 431, "That request has too many headers."),
        (version not in ("1.0", "1.1"), 400, "This page speaks HTTP/1.1."),
        (not is_path, 400, "This is a page and no proxy: a request names a path."),
        (
            len(hosts) != 1 or host_in(hosts[0]) is None,
            400,
            "A request names its host once, as in 'Host: jetson:8760'.",
        ),
        (len(headers.getlist("origin")) > 1, 400, "A request comes from one origin."),
        (two_lengths, 400, "A body has one length."),
        (not _PATH.fullmatch(path) or ".." in path.split("/"), 404, "There is nothing at that address."),
    )
    return next(((status, words) for is_so, status, words in wrong if is_so), None)


def _is_same_site(headers: Headers, host: str, changes: bool) -> bool:
    """Whether no other site is behind a request, as far as the browser says; opening the page from a link is no harm."""
    sites, origins = headers.getlist("sec-fetch-site"), headers.getlist("origin")
    asked_by_us = not changes or all(site == "same-origin" for site in sites)
    return asked_by_us and all(is_same_origin(origin, host) for origin in origins)


async def _body(receive: Receive) -> bytes | None:
    """The whole body; `None` when the client has gone. Raises `ValueError` as soon as it is too large, however it is sent."""
    body = bytearray()
    while True:
        message = await receive()
        if message["type"] != "http.request":
            return None
        body += message.get("body", b"")
        if len(body) > MAX_BODY_BYTES:
            raise ValueError(TOO_LARGE)
        if not message.get("more_body", False):
            return bytes(body)
