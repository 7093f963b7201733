"""Access control: only the page itself, in the owner's browser, may make requests; others get one sentence.

The pictures show somebody at home, so other web sites must not reach them through the owner's browser:

- DNS rebinding is refused by the `Host` header, or by the missing secret;
- CSRF is refused by `Origin`, `Sec-Fetch-Site` and a header that only scripts of the same origin can set;
- framing, cross-origin images and caching by proxies are forbidden by response headers.

Other devices need the secret of the link once; then a cookie holds it.
"""

import hmac
from urllib.parse import urlsplit

from starlette.datastructures import MutableHeaders
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from posture_daemon.ui.web.link import is_loopback

COOKIE = "posture_label"
COOKIE_S = 365 * 86_400
HEADER = "x-posture-daemon"
MAX_BODY_BYTES = 100_000
"""Bytes; an answer to a thousand frames has about 30,000."""

HEADERS = {
    "content-security-policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "cross-origin-resource-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
}


class Guard:
    """ASGI middleware; `token` is the secret of the link, `None` if the page listens on loopback only."""

    def __init__(self, app: ASGIApp, token: str | None) -> None:
        self._app = app
        self._token = token

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, or refuse it."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def send_guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in HEADERS.items():
                    headers[name] = value
                headers.setdefault("cache-control", "no-store")
            await send(message)

        request = Request(scope)
        answer = self._welcome(request) or self._refusal(request) or self._app
        await answer(scope, receive, send_guarded)

    def _welcome(self, request: Request) -> Response | None:
        """Redirect a request with the secret in its link to the plain address, with the secret as a cookie."""
        given = request.query_params.get("token")
        if self._token is None or given is None or not self._is_token(given):
            return None
        response = RedirectResponse(request.url.path, 303)
        response.set_cookie(COOKIE, self._token, max_age=COOKIE_S, httponly=True, samesite="lax")
        return response

    def _refusal(self, request: Request) -> Response | None:
        host = request.headers.get("host", "")
        if self._token is None and not is_loopback(urlsplit(f"//{host}").hostname or ""):
            return _refused(request, 421, f"This page is for this computer alone and does not answer to '{host[:80]}'.")
        if self._token is not None and not self._is_token(request.cookies.get(COOKIE, "")):
            words = "This link lacks its secret; on the device, `posture-daemon label` prints the whole link."
            return _refused(request, 401, words)
        if request.method not in ("GET", "HEAD") and not _is_from_the_page(request, host):
            return _refused(request, 403, "Only the label page itself may do that.")
        if request.method == "POST" and not _is_small(request):
            return _refused(request, 413, "That is more than an answer can be.")
        return None

    def _is_token(self, given: str) -> bool:
        return self._token is not None and hmac.compare_digest(given.encode(), self._token.encode())


def _is_from_the_page(request: Request, host: str) -> bool:
    origin = request.headers.get("origin")
    same_origin = origin is None or urlsplit(origin).netloc == host
    same_site = request.headers.get("sec-fetch-site", "same-origin") == "same-origin"
    return same_origin and same_site and HEADER in request.headers


def _is_small(request: Request) -> bool:
    length = request.headers.get("content-length", "")
    return length.isdecimal() and int(length) <= MAX_BODY_BYTES


def _refused(request: Request, status: int, words: str) -> Response:
    if request.url.path.startswith("/api/"):
        return JSONResponse({"error": words}, status)
    return PlainTextResponse(words + "\n", status)
