"""The URL of a camera taken apart: odd passwords, IPv6, redirects, and what cannot be read in one sentence."""

import pytest

from posture_daemon.adapters.cameras import open_camera
from posture_daemon.adapters.cameras.network_url import network_url
from posture_daemon.errors import SettingsError


@pytest.mark.parametrize(
    ("text", "host", "port", "target", "user", "password"),
    [
        ("http://cam/video", "cam", 80, "/video", None, ""),
        ("http://cam", "cam", 80, "/", None, ""),
        ("rtsp://me:p%40s%2Fs@10.0.0.2/live?channel=1&x=y#z", "10.0.0.2", 554, "/live?channel=1&x=y", "me", "p@s/s"),
        ("http://me:p@ss@cam:8080/a", "cam", 8080, "/a", "me", "p@ss"),
        ("http://me@cam/a", "cam", 80, "/a", "me", ""),
        ("https://[fe80::1%25eth0]:8443/a b", "fe80::1%eth0", 8443, "/a%20b", None, ""),
        ("rtsps://cam/ü", "cam", 322, "/%C3%BC", None, ""),
        ("http://cam/a@b.jpg", "cam", 80, "/a@b.jpg", None, ""),
    ],
)
def test_a_url_is_taken_apart(text: str, host: str, port: int, target: str, user: str | None, password: str) -> None:
    """Encoded characters mean themselves, and an `@` that was typed in a password does no harm."""
    url = network_url("cam", text)
    assert (url.host, url.port, url.target, url.user, url.password) == (host, port, target, user, password)


@pytest.mark.parametrize("text", ["rtsp://me:s3cr/t@cam/live", "http://me:s3cr?t@cam/live", "http://me:s3cr#t@cam/"])
def test_a_password_that_had_to_be_encoded_is_told(text: str) -> None:
    """Before anything is sent to a host that would be the user's name; the password is not in the sentence."""
    with pytest.raises(SettingsError, match="percent-encoded, / as %2F") as refused:
        open_camera(text)
    assert "s3cr" not in str(refused.value)


@pytest.mark.parametrize("text", ["http://cam:port/", "http://cam:70000/", "http://:80/", "rtsp://[::1/x"])
def test_a_host_or_port_that_is_none_is_told(text: str) -> None:
    """One sentence with a form that is right."""
    with pytest.raises(SettingsError, match="write it like rtsp://HOST:554/PATH"):
        open_camera(text)


def test_odd_characters_are_known_for_the_sentence_on_a_wrong_password() -> None:
    """Encoded ones are right, others may be what is wrong."""
    assert network_url("c", "http://me:a@b@cam/").is_odd
    assert network_url("c", "http://me:a%40b@cam/").is_odd
    assert not network_url("c", "http://me:ab-1@cam/").is_odd


@pytest.mark.parametrize(
    ("location", "there"),
    [("/b?c=1", "http://cam:81/b?c=1"), ("b", "http://cam:81/a/b"), ("http://cam/x", "http://cam/x"),
     ("https://CAM/x", "https://cam/x"), ("http://elsewhere/x", None), ("rtsp://cam/x", None), ("http://[::1", None)],
)  # fmt: skip
def test_a_redirect_is_followed_on_its_own_host_only(location: str, there: str | None) -> None:
    """The user goes along; no picture of a home is asked for elsewhere."""
    found = network_url("c", "http://me:secret@cam:81/a/").redirected(location)
    assert (None if found is None else found.bare) == there
    assert found is None or found.password == "secret"


def test_a_redirect_never_takes_a_password_out_of_tls() -> None:
    """From https to http it would be readable."""
    assert network_url("c", "https://me:secret@cam/").redirected("http://cam/") is None
