"""Which cameras are there."""

from pathlib import Path

import pytest

from posture_daemon.adapters.cameras.discovery import addresses, try_camera
from posture_daemon.errors import SettingsError


def test_devices_are_found_in_the_order_of_their_numbers(tmp_path: Path) -> None:
    """Ten comes after two, and what only begins like a camera is none."""
    (tmp_path / "dev").mkdir()
    for name in ("video10", "video2", "video0x", "vide", "null"):
        (tmp_path / "dev" / name).touch()
    assert list(addresses(tmp_path)) == ["/dev/video2", "/dev/video10"]


def test_a_camera_is_named_by_make_and_serial_number_where_it_tells_them(tmp_path: Path) -> None:
    """Its number may be another one after the next start; a name by the socket would bind it to that."""
    devices = tmp_path / "dev"
    for kind, link, name in (("by-id", "usb-Logi-index0", "video2"), ("by-path", "usb-0:1-index0", "video4")):
        (devices / "v4l" / kind).mkdir(parents=True)
        (devices / name).touch()
        (devices / "v4l" / kind / link).symlink_to(f"../../{name}")
    assert list(addresses(tmp_path)) == ["/dev/v4l/by-id/usb-Logi-index0", "/dev/video4"]


def test_a_jetson_may_have_a_ribbon_cable_camera(tmp_path: Path) -> None:
    """It is tried last."""
    (tmp_path / "etc").mkdir()
    (tmp_path / "etc/nv_tegra_release").write_text("# R36 (release), REVISION: 4.0")
    assert list(addresses(tmp_path)) == ["csi://0"]


def test_a_camera_is_tried_by_its_first_picture() -> None:
    """Its size is told."""
    found = try_camera("fake:desk")
    assert (found.error, found.words) == (None, "1280×720")


def test_a_camera_that_is_not_there_says_why(tmp_path: Path) -> None:
    """One sentence, as the daemon would say it."""
    found = try_camera("/dev/video77")
    assert found.image is None
    assert "/dev/video77" in found.words
    (tmp_path / "empty").mkdir()
    assert try_camera(f"replay:{tmp_path / 'empty'}").error


def test_a_password_is_not_shown() -> None:
    """Nor is an address that nobody understands."""
    assert try_camera("rtsp://me:secret@127.0.0.1:9/x").shown == "rtsp://***@127.0.0.1:9/x"
    with pytest.raises(SettingsError):
        try_camera("telepathy:1")
