"""Names of computers in HTTP: what is well formed, and which of them only this computer can reach."""

import ipaddress
import re

LOOPBACK = re.compile(r"localhost|::1|127(?:\.(?:25[0-5]|2[0-4]\d|1\d\d|[1-9]?\d)){3}", re.ASCII | re.IGNORECASE)
"""The one pattern for what is loopback: the plain name, and the two kinds of addresses as browsers write them.

Other spellings (`localhost.`, `127.1`, `0x7f000001`, `::ffff:127.0.0.1`, a zone behind `%`) are not: browsers send none of
them, and whoever takes a spelling for loopback that another program does not has a hole.
"""

_NAME = r"(?P<name>[a-z0-9_](?:[a-z0-9_.-]{0,251}[a-z0-9_])?)"
_AUTHORITY = re.compile(
    rf"(?:{_NAME}|\[(?P<v6>[0-9a-f:.]{{2,45}})\])(?::(?P<port>[1-9]\d{{0,4}}))?", re.ASCII | re.IGNORECASE
)
_ORIGIN = re.compile(r"https?://(?P<authority>[^/]+)", re.ASCII)


def is_loopback(host: str) -> bool:
    """True when `host`, an address without brackets or a name, is loopback; no name server is asked."""
    return LOOPBACK.fullmatch(host) is not None


def host_in(authority: str) -> str | None:
    """The name or address in a `Host` header such as `jetson:8760` or `[::1]:8760`; `None` when that is malformed."""
    found = _AUTHORITY.fullmatch(authority)
    if found is None or int(found["port"] or 0) > 65_535 or ".." in authority:
        return None
    return found["name"] or _address(found["v6"])


def is_same_origin(origin: str, authority: str) -> bool:
    """True when an `Origin` header names the very server that the `Host` header named; `null` and anything odd does not."""
    found = _ORIGIN.fullmatch(origin)
    return found is not None and found["authority"].lower() == authority.lower()


def _address(v6: str) -> str | None:
    try:
        return str(ipaddress.IPv6Address(v6))
    except ValueError:
        return None
