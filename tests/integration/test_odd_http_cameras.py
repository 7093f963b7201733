"""Cameras that speak HTTP in their own way: interim answers, odd heads, types and packings, and every form of challenge."""

import base64
import gzip
import hashlib
import re
import socket
import zlib
from contextlib import closing

import cv2
import numpy as np
import pytest

from posture_daemon.adapters.cameras import open_camera
from posture_daemon.adapters.cameras.network_patience import NetworkPatience
from posture_daemon.errors import CameraRefused
from tests.fakes.raw_camera import RawCamera, head, jpeg, part

QUICK = NetworkPatience(open_s=10.0, read_s=10.0, polls_per_s=1000.0)
STILL = head("image/jpeg", "200 OK", f"Content-Length: {len(jpeg(2))}") + jpeg(2)
STREAM = part(jpeg(2)) * 3
UNSTARTED = STREAM.removeprefix(b"--frame\r\n")
UNDASHED = STREAM.replace(b"--frame", b"frame")
SAME = cv2.imdecode(np.frombuffer(jpeg(2), np.uint8), cv2.IMREAD_COLOR)


def first(url: str, count: int = 1) -> list[np.ndarray]:
    """The first pictures of a camera."""
    with closing(open_camera(url, QUICK)) as camera:
        camera.open()
        frames = [camera.read() for _ in range(count)]
    return [frame.image for frame in frames if frame is not None]


def raw_deflate(data: bytes) -> bytes:
    """Without the header that zlib puts before it."""
    packer = zlib.compressobj(wbits=-15)
    return packer.compress(data) + packer.flush()


def packed(encoding: str, body: bytes) -> bytes:
    """A still in some packing."""
    return head("image/jpeg", "200 OK", f"Content-Encoding: {encoding}", f"Content-Length: {len(body)}") + body


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n" + STILL,
        b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 102 Processing\r\n\r\n" + STILL,
        STILL.replace(b"200 OK", b"200 OK\r\n" + b"\r\n".join(b"X-%d: y" % number for number in range(120)), 1),
        STILL.replace(b"200 OK", b"200 OK\r\nSet-Cookie: " + b"y" * 70_000, 1),
        STILL.replace(b"200 OK", b"200 OK\r\nno header at all\r\n: none", 1),
        STILL.replace(b"HTTP/1.0", b"HTTP/2.0", 1),
        STILL.replace(b"HTTP/1.0", b"HTTP/2", 1),
        STILL.replace(b"HTTP/1.0", b"http/1.1", 1),
        STILL.replace(b"HTTP/1.0 200 OK", b"HTTP/1.1 200", 1),
        b"\r\n" + STILL,
        head().replace(b"HTTP/1.0", b"ICY", 1) + STREAM,
        head("multipart/x-mixed-replace;\r\n boundary=frame") + STREAM,
        head("video/x-motion-jpeg; boundary=frame") + UNSTARTED,
        head("video/mpeg") + UNDASHED,
        head("video/x-mjpeg") + jpeg(2) * 3,
        head("text/html") + UNDASHED,
        head("text/html") + UNSTARTED,
        head("application/xhtml+xml") + jpeg(2) * 3,
        packed("deflate", raw_deflate(jpeg(2))),
        packed("deflate", zlib.compress(jpeg(2))),
        packed("deflate", gzip.compress(jpeg(2))),
        packed("gzip", jpeg(2)),
        packed("gzip", gzip.compress(jpeg(2)) + bytes(8)),
        head("multipart/x-mixed-replace", "200 OK", "Content-Encoding: deflate") + STREAM,
        head("multipart/x-mixed-replace", "200 OK", "Content-Encoding: gzip")
        + gzip.compress(STREAM[:700]) + gzip.compress(STREAM[700:]),
    ],
)  # fmt: skip
def test_a_picture_is_read_however_it_is_announced(answer: bytes) -> None:
    """What browsers take is taken: the bytes count, and not what surrounds them."""
    with RawCamera(answer) as camera:
        assert np.array_equal(first(camera.url())[0], SAME)


@pytest.mark.parametrize("content_type", [None, "application/octet-stream", "text/html", "video/x-motion-jpeg"])
@pytest.mark.parametrize("length", [None, 99_999])
def test_a_still_on_a_kept_connection_is_one_whatever_its_type(content_type: str | None, length: int | None) -> None:
    """Nothing follows its one picture, so the next one is asked for."""
    lines = [] if length is None else [f"Content-Length: {length}"]

    def answer(to: socket.socket, _head: str) -> None:
        to.sendall(head(content_type, "200 OK", *lines) + jpeg(len(camera.heads)))
        camera.over.wait()

    with RawCamera(answer) as camera:
        assert len(first(camera.url(), count=4)) == 4


def needs_digest(realm: bytes, meant: bytes, more: str = ', qop="auth"') -> RawCamera:
    """A camera that computes with `meant`, and writes `realm`."""

    def answer(to: socket.socket, request: str) -> None:
        given = dict(re.findall(r'(\w+)="?([^",\r]+)', request.partition("Authorization: Digest")[2]))
        digest = lambda said: hashlib.md5(said).hexdigest()  # noqa: E731
        request_digest = digest(
            b"GET:/video:" + digest(b"").encode() if given.get("qop") == "auth-int" else b"GET:/video"
        )
        parts = [digest(b"me:" + meant + b":secret"), "n1"]
        parts += [given.get("nc", ""), given.get("cnonce", ""), given.get("qop", "")] if "qop" in more else []
        if given.get("response") == digest(":".join([*parts, request_digest]).encode()):
            to.sendall(STILL)
            return
        challenge = b'WWW-Authenticate: Digest realm="%b", nonce="n1"%b\r\n\r\n' % (realm, more.encode())
        to.sendall(b"HTTP/1.0 401 Unauthorized\r\n" + challenge)

    return RawCamera(answer)


@pytest.mark.parametrize(
    ("realm", "meant"),
    [
        ("Küche".encode(), "Küche".encode()),
        ("Küche".encode("latin-1"), "Küche".encode("latin-1")),
        ("摄像头".encode("gbk"), "摄像头".encode("gbk")),
        (rb"my \"cam\"", b'my "cam"'),
        (rb"a\\b", rb"a\b"),
        (rb"HOME\cam", rb"HOME\cam"),
        (b"Basic Camera", b"Basic Camera"),
        (b"Digest, or basic login", b"Digest, or basic login"),
        (b'', b''),
    ],
)  # fmt: skip
def test_digest_is_computed_from_the_bytes_of_the_realm(realm: bytes, meant: bytes) -> None:
    """In whatever alphabet, with quotes in it, and with the names of schemes."""
    with needs_digest(realm, meant) as camera:
        assert len(first(camera.url(user="me:secret"))) == 1
    sent = camera.heads[-1].encode("latin-1")
    assert b'realm="' + realm + b'"' in sent


@pytest.mark.parametrize("more", ["", ', qop="auth-int"', ", qop=auth", ', qop="auth,auth-int", algorithm=""'])
def test_digest_is_answered_in_every_quality(more: str) -> None:
    """None as of old, and the one over an empty body where nothing else is offered."""
    with needs_digest(b"cam", b"cam", more) as camera:
        assert len(first(camera.url(user="me:secret"))) == 1


@pytest.mark.parametrize(
    "lines",
    [
        ['Basic realm="Digest login"'],
        ['Basic realm="use digest or basic"'],
        ["Basic realm=My Digest Camera"],
        ["Basic realm=\"with, nonce=\\\"x\\\", Digest nonce=y\""],
        ["Negotiate", "NTLM TlRMTVNTUAAC==", 'Basic realm="x"'],
        ['Bearer realm="x", Basic realm="y"'],
        ['Digest realm="x", nonce="n", algorithm=SHA-512-256', 'Basic realm="x"'],
        ["BASIC"],
        [],
    ],
)  # fmt: skip
def test_basic_is_found_among_what_is_offered(lines: list[str]) -> None:
    """Words in a quoted text are no schemes."""
    wanted = "Basic " + base64.b64encode(b"me:secret").decode()

    def answer(to: socket.socket, request: str) -> None:
        asks = head(None, "401 Unauthorized", *(f"WWW-Authenticate: {line}" for line in lines))
        to.sendall(STILL if wanted in request else asks)

    with RawCamera(answer) as camera:
        assert len(first(camera.url(user="me:secret"))) == 1


@pytest.mark.parametrize(
    ("challenge", "named"),
    [
        ('Digest realm="x", nonce="n", algorithm=SHA-512-256', r"\(Digest SHA-512-256\)"),
        ('Bearer realm="x"', r"\(Bearer\)"),
        ('Negotiate, NTLM', r"\(Negotiate, Ntlm\)"),
        ('Hawk s3cret="basic"', r"\(Hawk\)"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("scheme", ["http", "rtsp"])
def test_what_cannot_be_answered_is_told_and_no_password_is_sent(challenge: str, named: str, scheme: str) -> None:
    """By its name, and not as a wrong password."""
    ours = []

    def answer(to: socket.socket, request: str) -> None:
        ours.extend([request] if "posture-daemon" in request else [])
        asks = head(None, "401 Unauthorized", f"WWW-Authenticate: {challenge}", "CSeq: 1")
        to.sendall(asks.replace(b"HTTP/1.0", b"RTSP/1.0") if scheme == "rtsp" else asks)

    with RawCamera(answer) as camera, pytest.raises(CameraRefused, match=f"a way that is not known here {named}"):
        open_camera(camera.url(user="me:secret", scheme=scheme), NetworkPatience(open_s=5.0)).open()
    assert len(ours) == 1
    assert not any("Authorization" in request for request in ours)
