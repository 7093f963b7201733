"""User and password as cameras ask for them: the examples of the RFCs, and cameras that ask for nothing clear."""

import re

import pytest

from posture_daemon.adapters.cameras import credentials as module
from posture_daemon.adapters.cameras.credentials import Credentials


def fields(header: str) -> dict[str, str]:
    """The parameters of an `Authorization`."""
    return {key: quoted or bare for key, quoted, bare in re.findall(r'(\w+)=(?:"([^"]*)"|([^,]+))', header)}


def asked(*challenges: str, user: str | None = "Aladdin", password: str = "open sesame") -> str | None:
    """What is answered to these challenges."""
    given = Credentials(user, password)
    given.take(challenges)
    return given.header("GET", "/dir/index.html")


def test_basic_is_as_in_its_rfc() -> None:
    """RFC 7617, section 2; also without any challenge, and for what we cannot compute."""
    expected = "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ=="
    assert asked('Basic realm="WallyWorld"') == expected
    assert asked() == expected
    assert asked('Digest realm="x", nonce="n", algorithm=SHA-512-256', 'Basic realm="x"') == expected
    assert asked("Basic", user="me", password="ü") == "Basic bWU6w7w="


@pytest.mark.parametrize(
    ("algorithm", "response"),
    [("MD5", "8ca523f5e9506fed4657c9700eebdbec"),
     ("SHA-256", "753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1")],
)  # fmt: skip
def test_digest_is_as_in_its_rfc(algorithm: str, response: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """RFC 7616, section 3.9.1, with its nonces."""
    own = "f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ"

    class Given(bytes):
        def hex(self, *_: object) -> str:
            return own

    monkeypatch.setattr(module.os, "urandom", lambda _: Given())
    header = asked(
        f'Digest realm="http-auth@example.org", qop="auth, auth-int", algorithm={algorithm}, '
        'nonce="7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v", '
        'opaque="FQhe/qaU925kfnzjCev0ciny7QMkPqMAFRtzCUYo5tdS"',
        user="Mufasa", password="Circle of Life",
    )  # fmt: skip
    assert header is not None
    assert fields(header)["response"] == response
    assert fields(header)["opaque"].startswith("FQhe")


def test_old_digest_without_qop_and_two_challenges_in_one_line() -> None:
    """RFC 2069, as old cameras speak it; of Basic and Digest the better one is taken."""
    header = asked('Basic realm="cam", Digest realm="cam", nonce="abc"', user="a", password="b")
    assert header is not None
    assert header.startswith("Digest ")
    assert "qop" not in fields(header)


def test_nothing_is_sent_before_it_is_asked_for_or_without_a_user() -> None:
    """A password goes to nobody who does not want one."""
    assert Credentials("me", "secret").header("GET", "/") is None
    assert asked("Basic", user=None) is None
