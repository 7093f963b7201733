"""A camera's address: whatever place its secret is in, it is not shown; and two cameras are still told apart."""

from pathlib import Path
from urllib.parse import quote

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from posture_daemon.settings import address as address_module
from posture_daemon.settings.address import CameraAddress, hide_secrets, remember

SECRET = "s3cr3tW0rd"

SHOWN = [
    ("rtsp://me:{}@cam/live", "rtsp://***@cam/live"),
    ("http://{}@cam/", "http://***@cam/"),
    ("HTTP://ME:{}@CAM:8080/Video.MJPG", "HTTP://***@CAM:8080/Video.MJPG"),
    ("rtsp://me:{}@[fe80::1%25eth0]:554/Streaming/Channels/101", "rtsp://***@[fe80::1%25eth0]:554/Streaming/Channels/101"),
    ("rtsp://me:{}@cam.local:8421/h264_stream.sdp", "rtsp://***@cam.local:8421/h264_stream.sdp"),
    # the query
    ("http://cam/v.cgi?user=me&pwd={}&res=1", "http://cam/v.cgi?res=1&***"),
    ("http://cam/v.cgi?loginuse=a&loginpas={}#top", "http://cam/v.cgi?***"),
    ("rtsp://cam/cam/realmonitor?channel=1&subtype=0&authbasic={}", "rtsp://cam/cam/realmonitor?channel=1&subtype=0&***"),
    ("http://cam/video.mjpg?{}", "http://cam/video.mjpg?***"),
    ("http://cam/video.mjpg?channel={}", "http://cam/video.mjpg?***"),
    ("http://cam/video.mjpg;pass={}", "http://cam/***"),
    # the path
    ("rtsp://10.0.0.2/user=admin_password={}_channel=1_stream=0.sdp", "rtsp://10.0.0.2/***"),
    ("http://10.0.0.2/stream/{}", "http://10.0.0.2/stream/***"),
    ("http://10.0.0.2/{}/stream.mjpg", "http://10.0.0.2/***"),
    ("http://10.0.0.2/live/me/{}/11", "http://10.0.0.2/live/***"),
    ("http://10.0.0.2/stream#{}", "http://10.0.0.2/***"),
    # behind a colon, and an @ in the password: nobody can tell what is the host
    ("rtsp://cam:554/admin:{}@stream", "rtsp://***"),
    ("rtsp://cam:554/admin:{}%40stream", "rtsp://***"),
    ("rtsp://me:{}/x@cam/live", "rtsp://***"),
    ("rtsp://me:a@{}/t?x@cam/live", "rtsp://***"),
    ("rtsp://me:a@b@{}@cam/live", "rtsp://***@cam/live"),
    ("rtsp://admin:{}/cam/live", "rtsp://***"),
    ("rtsp://me:{}\n@cam/", "rtsp://***"),
    ("rtsp://cam/live\nrtsp://me:{}@cam/", "rtsp://***"),
    # another scheme, a mistyped one, none
    ("rtmp://10.0.0.2/bcs/channel0_main.bcs?channel=0&user=admin&password={}", "rtmp://10.0.0.2/bcs/channel0_main.bcs?channel=0&***"),
    ("rstp://me:{}@cam/live", "rstp://***@cam/live"),
    ("http//me:{}@cam/live", "http//***@cam/live"),
    ("http//cam/user=me_password={}/video.mjpg", "http//cam/***"),
    ("rtsp:/me:{}@cam/live", "rtsp:/***@cam/live"),
    ("rtsp:me:{}@cam/live", "rtsp:***@cam/live"),
    ("rtsp:\\\\me:{}@cam", "rtsp:\\\\***@cam"),
    ("{}://cam/live", "***://cam/live"),
    ("//me:{}@cam.home/live", "//***@cam.home/live"),
    ("me:{}@cam", "***"),
    ("me:{}@192.168.1.5:554/stream1", "***@192.168.1.5:554/stream1"),
    ("192.168.1.5/stream/{}", "192.168.1.5/stream/***"),
    ("192.168.1.5/{}.mp4", "192.168.1.5/***"),
    ("admin:{}", "***"),
    ("user=me&pwd={}", "***"),
    # an address behind the word for something else
    ("file:rtsp://me:{}@cam/live", "file:rtsp://***@cam/live"),
    ("replay:http//cam/stream/{}", "replay:http//cam/stream/***"),
    ("/dev/video0?password={}", "/dev/video0?***"),
    ("0?{}", "0?***"),
    ("fake:desk?seed=1&key={}", "fake:desk?seed=1&***"),
    ("video.mjpg?user=me&pwd={}", "video.mjpg?***"),
    ("/home/me:{}@cam/video.mjpg", "/home/***/video.mjpg"),
]  # fmt: skip


@pytest.mark.parametrize(("form", "shown"), SHOWN)
def test_no_secret_is_shown(form: str, shown: str) -> None:
    """Only scheme, host, port and known words are, wherever the secret is, however the rest is mistyped."""
    address = CameraAddress(form.format(SECRET))
    assert (address.shown, str(address), address.hides) == (shown, shown, True)
    assert SECRET not in repr(address)


@given(st.sampled_from([form for form, _ in SHOWN]), st.text("abzAZ059!$'()*+,;:@/?#[]%&= é\\\t", max_size=12))
@settings(deadline=None, derandomize=True, max_examples=300)
def test_no_password_is_shown_whatever_is_in_it(form: str, noise: str) -> None:
    """A password of any characters, as typed or percent-encoded: no word of it that is long enough to be one gets out."""
    for password in (f"Xq7{noise}Kj9w", quote(f"Xq7{noise}Kj9w", safe="")):
        shown = CameraAddress(form.format(password)).shown
        assert "Xq7" not in shown
        is_taken_for_the_host = "@" in password and form == "rtsp://admin:{}/cam/live"  # nobody could tell
        assert "Kj9w" not in shown or is_taken_for_the_host


@pytest.mark.parametrize(
    "address",
    [
        "0",
        "0?width=640&height=480&fps=30",
        "/dev/v4l/by-id/usb-046d_HD_Pro_Webcam_C920-video-index0?fps=10",
        "csi://1?flip=2",
        "rtsp://192.168.1.5:554/stream1",
        "rtsp://nas:8554/live/main",
        "rtsp://cam/Streaming/Channels/101",
        "rtsp://cam/axis-media/media.amp?resolution=1280x720&fps=15",
        "http://cam:8080/?action=stream",
        "https://camera/video",
        "clip.mp4",
        "/home/me/a b.AVI?loop=true",
        "file:/home/me/2026-01-01T10:00.dat?fps=5&skip=false",
        "replay:some/folder?fps=2.5",
        "replay:~nosuchuser/frames",
        "fake:desk?seed=37&fps=5&speed=120&start=2026-03-02T16:00&classes=good,bad",
        "nonsense",
        "rplay:a.mp4",
        "csi://left",
        "rtsp://",
        "",
    ],
)
def test_what_holds_no_secret_is_shown_as_it_was_typed(address: str) -> None:
    """Owners see which camera is meant, and what they mistyped."""
    assert (CameraAddress(address).shown, CameraAddress(address).hides) == (address, False)


def test_a_recording_that_is_there_is_shown_whatever_its_name(tmp_path: Path) -> None:
    """A file is no secret of a camera; its control characters go nowhere."""
    folder = tmp_path / "a@b=c&pwd=1 \x1b[31m?"
    folder.mkdir()
    assert CameraAddress(f"replay:{folder}").shown == f"replay:{folder}".replace("\x1b", "?")


def test_cameras_of_one_host_are_told_apart() -> None:
    """A region is remembered for the camera that it was drawn for; a new password makes no new camera."""
    office, garden = CameraAddress("rtsp://nas:8554/office"), CameraAddress("rtsp://nas:8554/garden")
    assert office.shown == garden.shown
    assert office.identity != garden.identity
    assert "office" not in office.identity
    assert CameraAddress("rtsp://me:old@cam/x1y").identity == CameraAddress("rtsp://me:new@cam/x1y").identity
    assert CameraAddress("rtsp://me:old@cam/live").identity == "rtsp://***@cam/live"


def test_messages_of_libraries_lose_the_secrets_of_addresses_that_were_read(monkeypatch: pytest.MonkeyPatch) -> None:
    """A library quotes a whole address or parts of it; short words, and parts that are shown anyway, stay."""
    monkeypatch.setattr(address_module, "_known", set())
    remember(CameraAddress("http://me:p%40ssw0rd@cam/video.mjpg?pwd=s3cr3t&to=1"))
    said = (
        "cannot open http://me:p%40ssw0rd@cam/video.mjpg?pwd=s3cr3t&to=1: '/video.mjpg?pwd=s3cr3t' of cam, by p@ssw0rd"
    )
    shown = "cannot open http://***@cam/video.mjpg?***: '/video.mjpg?***' of cam, by ***"
    assert hide_secrets(said) == shown
