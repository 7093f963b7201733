"""Answers of the label page to what it does not accept, and the headers that every answer has."""

from http import HTTPStatus

from starlette.responses import JSONResponse, PlainTextResponse, Response

SECURITY = {
    "content-security-policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "cross-origin-resource-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
}
"""Headers of every answer: the page itself, its files, refusals, errors, and what is said before a request is understood."""

NO_STORE = {"cache-control": "no-store"}
"""Of every answer that does not say for itself how long it may be kept."""


def refused(path: str, status: int, words: str) -> Response:
    """One sentence: as JSON where a script asked, else as text."""
    if path.startswith("/api/"):
        return JSONResponse({"error": words}, status)
    return PlainTextResponse(words + "\n", status)


def raw_refusal(status: int, words: str) -> bytes:
    """A whole HTTP/1.1 answer for a request that never became one, after which the connection ends."""
    body = f"{words}\n".encode()
    headers = {
        **SECURITY, **NO_STORE,
        "content-type": "text/plain; charset=utf-8", "content-length": str(len(body)), "connection": "close",
    }  # fmt: skip
    lines = [f"HTTP/1.1 {status} {HTTPStatus(status).phrase}", *(f"{name}: {value}" for name, value in headers.items())]
    return "\r\n".join([*lines, "", ""]).encode("ascii") + body
