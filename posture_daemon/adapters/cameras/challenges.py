"""What a camera asks for in `WWW-Authenticate`: schemes with their parameters (RFC 9110, section 11.6.1).

Several may stand in one line, and any word in a quoted text, also the name of another scheme.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

WORD = r"[\w!#$%&'*+.^`|~-]+"
TOKEN = re.compile(
    rf'(?P<key>{WORD})\s*=\s*(?:"(?P<quoted>(?:[^"\\]|\\.)*)"?|(?P<bare>[^\s,"]*))|(?P<scheme>{WORD})', re.DOTALL
)


@dataclass(frozen=True)
class Challenge:
    """`raw` are the parameters as they came, without their quotes, to be sent back as they are; `scheme` in small letters."""

    scheme: str
    raw: Mapping[str, str] = field(default_factory=dict)

    def value(self, key: str) -> str:
        r"""What a parameter means, empty where it is not there.

        Only an escaped quote or backslash is undone: cameras write names like DOMAIN\user as they are.
        """
        return re.sub(r'\\(["\\])', r"\1", self.raw.get(key, ""))


def challenges(lines: Iterable[str]) -> Iterator[Challenge]:
    """Those of all lines, in their order."""
    for line in lines:
        scheme, raw = "", dict[str, str]()
        for found in TOKEN.finditer(line):
            if found["key"] and scheme:
                raw.setdefault(found["key"].lower(), found["quoted"] or found["bare"] or "")
            elif found["scheme"]:
                if scheme:
                    yield Challenge(scheme, raw)
                scheme, raw = found["scheme"].lower(), {}
        if scheme:
            yield Challenge(scheme, raw)
