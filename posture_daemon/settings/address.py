"""A camera's address, and what of it may be shown: the scheme, the host, its port, and words that are known to be harmless.

Cameras take their secrets in any place: `user:password@`, a query, a part of the path, behind a colon; and people mistype the
rest. So nothing is looked for that is secret; all is hidden but what is known not to be (an allow-list).
"""

import difflib
import hashlib
import os
import re
from dataclasses import dataclass
from functools import cached_property
from urllib.parse import unquote

HIDDEN = "***"

SCHEMES = (
    "rtsp", "rtsps", "rtspu", "rtmp", "rtmps", "rtp", "http", "https", "udp", "tcp", "srt", "mms", "hls", "ftp", "onvif",
    "webrtc", "whep", "ndi", "csi",
)  # fmt: skip
"""Of networks, whether we can read them or not: a refusal names what was typed."""

LOCAL = ("replay", "file", "fake")

PORTS = frozenset({80, 81, 88, 443, 554, 555, 1935, 8000, 8001, 8080, 8081, 8088, 8443, 8554, 8555, 8888, 8889})
"""Shown behind any host. Others only behind one with dots: `rtsp://admin:8421` may be a name and a password."""

_WORDS = """
action amp audio av avc axis bcs bin body cam camera cameras capture cgi ch channel channels cif codec color
compression d delay end feed ffmpeg flv fps full h hd hevc hi high hls htm html image images img index input jpeg jpg
ld live livestream lo low m main mainstream media mjpeg mjpg monitor mp mpeg mpg multicast nph nphmotionjpeg nvr onvif
original play playlist png preview primary profile push quality raw real realmonitor realtime record res resolution s
sd sdp second secondary size smp snap snapshot snapshots start stream streaming streams sub substream subtype tcp test
track tracks ts type udp unicast v vga video videofeed videomain videostream videosub view wide x xvga
"""
WORDS = frozenset(_WORDS.split())
"""In paths and queries of cameras; with numbers of up to three digits, and the sizes of pictures, what is not hidden there."""

SIZES = frozenset(
    {"1024", "1080", "1280", "1440", "1536", "1600", "1920", "2048", "2160", "2304", "2560", "2592", "3840"}
)

_KEYS = """
action audio camera ch channel classes codec compression duration flip fps height img loop person profile quality res
resolution seed size skip speed start stream subtype type video width
"""
KEYS = frozenset(_KEYS.split())
"""Of options and queries; a value is shown if it is harmless, or if the option is our own."""

FILM = re.compile(r"(?:[/.~].*|[^:]+)\.(?i:mp4|m4v|avi|mkv|mov|webm|mjpe?g|ts)", re.DOTALL)
"""A film by its name alone; with a colon in it only where it cannot be taken for the end of a scheme."""

_PREFIX = re.compile(r"(?P<scheme>[A-Za-z][A-Za-z0-9+.-]{0,11})(?P<separator>:[/\\]*|[/\\]{2,})")
_HOST = re.compile(r"(?P<host>\[[0-9A-Fa-f:.]+(?:%\w+)?\]|[\w-]+(?:\.[\w-]+)*\.?)(?P<port>:[0-9]{0,5})?")
_DEVICE = re.compile(r"([0-9]{1,3}|/dev/[\w/.:+-]+|(?i:csi)://[0-9]{1,2}|fake:desk)(?P<options>\?.*)?", re.DOTALL)
_PLAIN = re.compile(r"[\w .,:()+~#\[\]!^{}-]*")
"""A part of a path of this machine."""


@dataclass(frozen=True, repr=False)
class CameraAddress:
    """An address as it was typed. Only who dials reads `text`; whatever writes an address down uses `str()` of this."""

    text: str

    def __str__(self) -> str:
        return self.shown

    def __repr__(self) -> str:
        return f"CameraAddress({self.shown!r})"

    @property
    def is_live(self) -> bool:
        """Whether it names a live sensor: it may disappear and return, and never gives the same frame twice."""
        return re.match(r"(?i)([0-9]|/dev/|csi:|rtsps?:|https?:)", self.text.strip()) is not None

    @property
    def trimmed(self) -> str:
        """The text without spaces around it, unless a recording's name ends with them."""
        text = self.text.lstrip()
        path = re.sub(r"^(replay|file):", "", text)
        return text if split_options(path)[0] != path.rstrip() and _exists(split_options(path)[0]) else text.strip()

    @cached_property
    def shown(self) -> str:
        """What may stand on a screen, on a page, in a log and in a row of the database; one line."""
        return "".join(c if c.isprintable() else "?" for c in _shown(self.trimmed))

    @property
    def hides(self) -> bool:
        """Whether something in it is not shown."""
        return HIDDEN in self.shown

    @property
    def identity(self) -> str:
        """`shown`, told apart from other cameras of that host by eight bits of what is hidden behind the host.

        So few bits tell nobody the secret. A name and a password before the host do not count: they may change.
        """
        _, _, place = self.text.strip().rpartition("@")
        if HIDDEN not in self.shown.replace(f"{HIDDEN}@", ""):
            return self.shown
        return f"{self.shown} ({hashlib.sha256(place.encode(errors='surrogateescape')).hexdigest()[:2]})"

    def hide_in(self, words: str) -> str:
        """The words, such as a library's message, without this address and without each part of it that is not shown."""
        if not self.hides:
            return words
        words = words.replace(self.text, self.shown)
        for piece in sorted(self._pieces(), key=len, reverse=True):
            words = re.sub(rf"(?<!\w){re.escape(piece)}(?!\w)", HIDDEN, words)
        return words

    def _pieces(self) -> set[str]:
        """What must not be shown, in parts, as typed and decoded; short and ordinary words tell nothing."""
        parts: set[str] = set()
        for text in (self.text, unquote(self.text)):
            login = re.sub(r"^[^:/]*:[/\\]*", "", text.rpartition("@")[0])
            parts |= {text.strip(), login, *login.split(":", 1), *_split(text)}
        known = _split(self.shown) | set(re.findall(r"(?<=[?&;])[A-Za-z_]{1,20}(?==)", self.text))  # names of options
        return {part for part in parts - known if len(part) > 2 and not _is_word(part)}


def _split(text: str) -> set[str]:
    """The parts of an address, the smaller ones too."""
    return {*re.split(r"[/?&;:@\s]+", text), *re.split(r"[/?&;:@=\s]+", text)}


def _shown(text: str) -> str:
    device = _DEVICE.fullmatch(text)
    if device:
        options = device["options"] or ""
        return text.removesuffix(options) + _query(options, own=True)
    if _exists(text):
        return text
    prefix = _PREFIX.match(text)
    near = near_scheme(prefix["scheme"]) if prefix else None
    if prefix and near in LOCAL:
        return f"{prefix['scheme']}:{_local(text[prefix.end('scheme') + 1 :])}"
    if prefix and (near or prefix["separator"] != ":"):
        scheme = prefix["scheme"] if near else HIDDEN
        return f"{scheme}{prefix['separator']}{_network(text[prefix.end() :], has_scheme=True)}"
    return _bare(text)


def _bare(text: str) -> str:
    """Of an address without a scheme, or with one that is none."""
    if re.match(r"[/\\]{2}", text):
        return text[:2] + _network(text.lstrip("/\\"), has_scheme=False)
    if re.match(r"\.{0,2}/|~", text) or re.fullmatch(r"[\w .,()+#-]*", text):
        return _path(text)
    return _film(text) if FILM.fullmatch(text.partition("?")[0]) else _network(text, has_scheme=False)


def near_scheme(scheme: str) -> str | None:
    """The scheme that was probably meant; `None` for none."""
    found = difflib.get_close_matches(scheme.lower(), (*SCHEMES, *LOCAL), n=1, cutoff=0.7)
    return found[0] if found else None


def _exists(path: str) -> bool:
    """Whether it is a file or folder here: then it is no address with a secret. Options behind it may be."""
    try:
        return bool(path) and os.path.lexists(os.path.expanduser(path))
    except ValueError:  # a NUL in it
        return False


def _film(text: str) -> str:
    """A film of this folder or one below; of one that is not there, no more is shown than the first part that is missing."""
    path, mark, options = text.partition("?")
    parts = path.split("/")
    there = next((n for n in range(len(parts), 0, -1) if _exists("/".join(parts[:n]))), 0)
    hidden = [HIDDEN] if there + 1 < len(parts) else []
    return "/".join([_path("/".join(parts[: there + 1])), *hidden]) + (_query(f"?{options}", own=True) if mark else "")


def _local(rest: str) -> str:
    """A recording, unless it is an address of a network behind the wrong word."""
    return _shown(rest) if is_network(rest) and not _exists(rest) else _path(rest)


def is_network(text: str) -> bool:
    """Whether it begins like an address of a network: with a scheme and slashes, or with two slashes."""
    return re.match(r"[A-Za-z][A-Za-z0-9+.-]{0,11}(:[/\\]+|[/\\]{2,})|[/\\]{2}[^/\\]", text) is not None


def _path(text: str) -> str:
    """A path of this machine, with options; parts that look like anything else are hidden."""
    path, options = split_options(text)
    if not _exists(path):
        is_odd = "@" in unquote(text)
        path = "/".join(
            HIDDEN if not _PLAIN.fullmatch(one) or (is_odd and ":" in one) else one for one in path.split("/")
        )
    return path + _query(options and f"?{options}", own=True)


def split_options(text: str) -> tuple[str, str]:
    """The path of a recording, and the options behind its last `?`; a file or folder that is there may have one in its name."""
    path, mark, options = text.rpartition("?")
    return (text, "") if not mark or _exists(text) else (path, options)


def _network(text: str, has_scheme: bool) -> str:
    """Host and port if it is plain which they are, and what is harmless behind them.

    Where an `@` stands behind the host, nobody can tell a password that contains `/` from a path that contains `@`: then
    nothing is shown.
    """
    authority = re.split(r"[/\\?#;&\s]", text, maxsplit=1)[0]
    rest = text[len(authority) :]
    _, at, host = authority.rpartition("@")
    if "@" in unquote(unquote(rest)) or not _is_host(host, has_scheme):
        return HIDDEN if text else ""
    return f"{HIDDEN}@{host}{_behind(rest)}" if at else f"{host}{_behind(rest)}"


def _is_host(text: str, has_scheme: bool) -> bool:
    """Whether this is a host with a port that may be shown. Without a scheme only one with dots is taken for one."""
    found = _HOST.fullmatch(text)
    if found is None:
        return False
    is_plain = found["host"].startswith("[") or "." in found["host"] or found["host"].lower() == "localhost"
    port = (found["port"] or ":")[1:]
    return is_plain or (has_scheme and (not port or int(port) in PORTS))


def _behind(rest: str) -> str:
    """Path and query: up to the first part that may be a secret."""
    path, _, query = rest.partition("?")
    shown = []
    for part in path.split("/"):
        if not is_harmless(part):
            shown.append(HIDDEN)
            break
        shown.append(part)
    return "/".join(shown) + _query(query and f"?{query}")


def _query(text: str, own: bool = False) -> str:
    """`?channel=1&user=me` as `?channel=1&***`. With `own` the values of known keys are options of ours, and shown if plain."""
    if not text:
        return ""
    shown, hidden = [], False
    for item in re.split(r"[&;]", text[1:]):
        key, _, value = item.partition("=")
        is_known = key.lower() in KEYS and (is_harmless(value) or (own and re.fullmatch(r"[\w.:,+-]{0,64}", value)))
        if is_known:
            shown.append(item)
        hidden = hidden or not is_known
    return "?" + "&".join([*shown, *([HIDDEN] if hidden else [])])


def is_harmless(part: str) -> bool:
    """Whether a part of a path, or a value, is made of known words and short numbers only."""
    if not re.fullmatch(r"[A-Za-z0-9_.-]*", part):
        return False
    whole = re.split(r"[_.-]+|(?<=[A-Za-z])(?=[0-9])|(?<=[0-9])(?=[A-Za-z])", part)
    return all(not one or one in SIZES or _is_word(one) or (one.isdigit() and len(one) <= 3) for one in whole)


def _is_word(text: str) -> bool:
    """A known word, or several written togetherLikeThis."""
    return text.lower() in (*WORDS, *SCHEMES, *LOCAL) or all(
        one.lower() in WORDS for one in re.findall(r"[A-Z]?[a-z]+|[A-Z]+|[^A-Za-z]+", text)
    )


_known: set[CameraAddress] = set()


def remember(address: CameraAddress) -> None:
    """From now on `hide_secrets` knows this address. Called where settings are loaded and where a camera is built."""
    if address.hides:
        _known.add(address)


def hide_secrets(words: str) -> str:
    """The words without the secrets of all addresses that this process has read: for messages that are not ours."""
    for address in _known:
        words = address.hide_in(words)
    return words
