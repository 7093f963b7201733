"""What HTTP and RTSP cameras want to see as user and password: Basic (RFC 7617) and Digest (RFC 7616), as they ask for it."""

import base64
import hashlib
import os
import re
from collections.abc import Iterable, Mapping

HASHES = {"MD5": "md5", "SHA-256": "sha256"}
PARAMETER = re.compile(r'(\w+)\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^\s,]+))')


class Credentials:
    """Of one camera. Before it has asked nothing is sent; afterwards every request has what it asked for."""

    def __init__(self, user: str | None, password: str) -> None:
        """`user` is `None` where the address has none."""
        self._user, self._password = user, password
        self._challenge: tuple[str, Mapping[str, str]] | None = None
        self._count = 0

    @property
    def are_there(self) -> bool:
        """Whether the address has a user."""
        return self._user is not None

    def take(self, challenges: Iterable[str]) -> None:
        """Keep what the camera asks for: the values of its `WWW-Authenticate`; without any, Basic is tried."""
        schemes: dict[str, Mapping[str, str]] = {}
        for text in challenges:
            for scheme, rest in re.findall(r"(?i)\b(basic|digest)\b((?:(?!\bbasic\s|\bdigest\s).)*)", text):
                found = {key.lower(): quoted or bare for key, quoted, bare in PARAMETER.findall(rest)}
                if scheme.lower() != "digest" or _hash(found):
                    schemes.setdefault(scheme.lower(), found)
        scheme = "digest" if "digest" in schemes else "basic"
        self._challenge, self._count = (scheme, schemes.get(scheme, {})), 0

    def header(self, method: str, target: str) -> str | None:
        """The value of `Authorization` for this request, or `None`."""
        if self._user is None or self._challenge is None:
            return None
        scheme, asked = self._challenge
        if scheme == "basic":
            return "Basic " + base64.b64encode(f"{self._user}:{self._password}".encode()).decode()
        return self._digest(asked, method, target)

    def _digest(self, asked: Mapping[str, str], method: str, target: str) -> str:
        algorithm = asked.get("algorithm", "MD5")
        name = _hash(asked)

        def digest(*parts: str) -> str:
            return hashlib.new(name, ":".join(parts).encode(), usedforsecurity=False).hexdigest()

        realm, nonce, own = asked.get("realm", ""), asked.get("nonce", ""), os.urandom(8).hex()
        self._count += 1
        count = f"{self._count:08x}"
        secret = digest(str(self._user), realm, self._password)
        if algorithm.upper().endswith("-SESS"):
            secret = digest(secret, nonce, own)
        request = digest(method, target)
        has_qop = "auth" in re.split(r"[\s,]+", asked.get("qop", ""))
        middle = (nonce, count, own, "auth") if has_qop else (nonce,)
        fields = {"username": str(self._user), "realm": realm, "nonce": nonce, "uri": target,
                  "response": digest(secret, *middle, request)}  # fmt: skip
        words = [f'{key}="{_escaped(value)}"' for key, value in fields.items()]
        if "opaque" in asked:
            words.append(f'opaque="{asked["opaque"]}"')
        if "algorithm" in asked:
            words.append(f"algorithm={algorithm}")
        if has_qop:
            words += ["qop=auth", f"nc={count}", f'cnonce="{own}"']
        return "Digest " + ", ".join(words)


def _hash(asked: Mapping[str, str]) -> str:
    """Python's name of the algorithm, empty where we have none."""
    return HASHES.get(asked.get("algorithm", "MD5").upper().removesuffix("-SESS"), "")


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"')
