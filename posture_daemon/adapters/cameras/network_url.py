"""The URL of a network camera, taken apart; what is shown of it is its name, without passwords."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from urllib.parse import quote, unquote, urljoin, urlsplit

from posture_daemon.errors import SettingsError

PORTS = {"http": 80, "https": 443, "rtsp": 554, "rtsps": 322}
NEEDS_ENCODING = re.compile(r"[^A-Za-z0-9._~-]")


@dataclass(frozen=True)
class NetworkUrl:
    """`target` is path and query as they are sent. `url` and the password are never shown; `name` is.

    `is_odd` tells that user or password hold characters that mean something in a URL, encoded or not.
    """

    name: str
    url: str
    scheme: str
    host: str
    port: int
    target: str
    user: str | None = None
    password: str = ""
    is_odd: bool = False

    @property
    def is_tls(self) -> bool:
        """Whether what is said is encrypted."""
        return self.scheme in ("https", "rtsps")

    @property
    def netloc(self) -> str:
        """Host and port as the camera is told them."""
        host = f"[{self.host.partition('%')[0]}]" if ":" in self.host else self.host
        return host if self.port == PORTS[self.scheme] else f"{host}:{self.port}"

    @property
    def bare(self) -> str:
        """The URL without user and password, as RTSP wants it in its request."""
        return f"{self.scheme}://{self.netloc}{self.target}"

    def redirected(self, location: str) -> NetworkUrl | None:
        """Where the camera sends on to, with the same user; `None` when that is no URL of the same host."""
        try:
            there = network_url(self.name, urljoin(self.bare, location.strip()))
        except (SettingsError, ValueError):
            return None
        is_same = there.host.lower() == self.host.lower() and there.scheme in ("http", "https")
        if not is_same or (self.is_tls and not there.is_tls):
            return None
        user = "" if self.user is None else f"{quote(self.user, safe='')}:{quote(self.password, safe='')}@"
        url = f"{there.scheme}://{user}{there.netloc}{there.target}"
        return replace(there, url=url, user=self.user, password=self.password, is_odd=self.is_odd)


def network_url(name: str, text: str) -> NetworkUrl:
    """Take `scheme://user:password@host:port/path?query` apart. Raises `SettingsError` with `name` in its sentence."""
    authority = re.split(r"[/?#]", text.partition("://")[2])[0]
    try:
        parts = urlsplit(text)
        host, port = parts.hostname, parts.port
    except ValueError:
        host, port = None, None
    if not host or (port is None and _looks_cut(authority, text)):
        raise SettingsError(f'camera "{name}" {_why(authority, text)}.')
    scheme = parts.scheme.lower()
    user, password = (None if part is None else unquote(part) for part in (parts.username, parts.password))
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    target = quote(path, safe="%/:=&?~+!$,;'@()*[]|", errors="surrogateescape")  # bytes that are no text stay as typed
    typed = re.sub(r"%[0-9A-Fa-f]{2}", "/", f"{parts.username or ''}{parts.password or ''}")
    is_odd = NEEDS_ENCODING.search(typed) is not None
    return NetworkUrl(
        name, text, scheme, unquote(host), port or PORTS[scheme], target, user, password or "", is_odd
    )  # fmt: skip


def _looks_cut(authority: str, text: str) -> bool:
    """Whether `user:pa/ss@host` was typed: the host would be the user, and the `@` comes later."""
    return ":" in authority.rpartition("]")[2] and "@" not in authority and "@" in text


def _why(authority: str, text: str) -> str:
    if "@" not in authority and "@" in text:
        return (
            "cannot be taken apart: its user or password holds one of / ? # as it is; write such characters percent-encoded, "
            "/ as %2F, ? as %3F, # as %23, @ as %40 and % as %25"
        )
    return "has no host, or a port that is no number from 1 to 65535; write it like rtsp://HOST:554/PATH"
