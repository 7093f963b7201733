"""What HTTP and RTSP cameras want to see as user and password: Basic (RFC 7617) and Digest (RFC 7616), as they ask for it."""

import base64
import hashlib
import os
import re
from collections.abc import Iterable

from posture_daemon.adapters.cameras.challenges import Challenge, challenges

HASHES = {"MD5": "md5", "SHA-256": "sha256"}
BASIC = Challenge("basic")


class Credentials:
    """Of one camera. Before it has asked nothing is sent; afterwards every request has what it asked for."""

    def __init__(self, user: str | None, password: str) -> None:
        """`user` is `None` where the address has none."""
        self._user, self._password = user, password
        self._challenge: Challenge | None = None
        self._count = 0

    @property
    def are_there(self) -> bool:
        """Whether the address has a user."""
        return self._user is not None

    def take(self, lines: Iterable[str]) -> list[str]:
        """Keep what the camera asks for: the values of its `WWW-Authenticate`; without any, Basic is tried.

        Returns the names of what it offers when nothing among it can be answered, and then nothing is sent.
        """
        offered = list(challenges(lines)) or [BASIC]
        known = [one for one in offered if one.scheme == "digest" and one.value("nonce") and _hash(one)]
        known += [one for one in offered if one.scheme == "basic"]
        self._challenge, self._count = (known[0] if known else None), 0
        return [] if known else [_name(one) for one in offered]

    def header(self, method: str, target: str) -> str | None:
        """The value of `Authorization` for this request, or `None`. Surrogates in it are bytes of the camera's."""
        if self._user is None or self._challenge is None:
            return None
        if self._challenge.scheme == "basic":
            return "Basic " + base64.b64encode(_bytes(f"{self._user}:{self._password}")).decode()
        return self._digest(self._challenge, method, target)

    def _digest(self, asked: Challenge, method: str, target: str) -> str:
        name = _hash(asked)

        def digest(*parts: str) -> str:
            return hashlib.new(name, _bytes(":".join(parts)), usedforsecurity=False).hexdigest()

        nonce, own = asked.value("nonce"), os.urandom(8).hex()
        self._count += 1
        count = f"{self._count:08x}"
        secret = digest(str(self._user), asked.value("realm"), self._password)
        if _algorithm(asked).endswith("-SESS"):
            secret = digest(secret, nonce, own)
        offered = re.split(r"[\s,]+", asked.value("qop").lower())
        qop = next((one for one in ("auth", "auth-int") if one in offered), "")
        request = digest(method, target, digest("")) if qop == "auth-int" else digest(method, target)
        middle = (nonce, count, own, qop) if qop else (nonce,)
        quoted = {"username": _escaped(str(self._user)), "realm": asked.raw.get("realm", ""), "nonce": asked.raw["nonce"],
                  "uri": _escaped(target), "response": digest(secret, *middle, request)}  # fmt: skip
        quoted |= {"opaque": asked.raw["opaque"]} if "opaque" in asked.raw else {}
        words = [f'{key}="{value}"' for key, value in quoted.items()]
        if asked.value("algorithm"):
            words.append(f"algorithm={asked.value('algorithm')}")
        if qop:
            words += [f"qop={qop}", f"nc={count}", f'cnonce="{own}"']
        return "Digest " + ", ".join(words)


def _algorithm(asked: Challenge) -> str:
    return asked.value("algorithm").upper() or "MD5"


def _hash(asked: Challenge) -> str:
    """Python's name of the algorithm, empty where we have none."""
    return HASHES.get(_algorithm(asked).removesuffix("-SESS"), "")


def _name(offered: Challenge) -> str:
    """For a sentence: short, and nothing but letters."""
    words = [offered.scheme.title(), _algorithm(offered) if offered.scheme == "digest" else ""]
    return " ".join(re.sub(r"[^\w-]|_", "", word, flags=re.ASCII)[:20] for word in words if word)


def _bytes(text: str) -> bytes:
    """As the camera said it, also where that was no UTF-8."""
    return text.encode("utf-8", "surrogateescape")


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"')
