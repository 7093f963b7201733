"""One string names a camera: which forms exist, what is refused and in which words, and that passwords never show."""

from pathlib import Path

import pytest

from posture_daemon.adapters.cameras import open_camera
from posture_daemon.adapters.cameras.address import without_password
from posture_daemon.adapters.cameras.http_camera import HttpCamera
from posture_daemon.adapters.cameras.opencv import (
    CsiCamera,
    CsiPicture,
    FfmpegCamera,
    Picture,
    V4l2Camera,
    csi_pipeline,
)
from posture_daemon.adapters.cameras.replay import ImageFolder, ReplayCamera, VideoFile
from posture_daemon.errors import SettingsError


def refused(address: str) -> str:
    """Return the sentence with which this address is refused."""
    with pytest.raises(SettingsError) as caught:
        open_camera(address)
    return str(caught.value)


@pytest.mark.parametrize(
    ("address", "kind"),
    [
        ("0", V4l2Camera),
        (" 2?width=640&height=480&fps=30 ", V4l2Camera),
        ("/dev/video0", V4l2Camera),
        ("/dev/v4l/by-id/usb-046d_HD_Pro_Webcam_C920-video-index0?fps=10", V4l2Camera),
        ("csi://0", CsiCamera),
        ("csi://1?flip=2&width=320", CsiCamera),
        ("rtsp://192.168.1.5:554/stream1", FfmpegCamera),
        ("RTSPS://camera.local/a?channel=1&x=y", FfmpegCamera),
        ("http://camera/video.mjpg?action=stream", HttpCamera),
        ("https://camera/video", HttpCamera),
        ("clip.mp4", ReplayCamera),
        ("/home/me/a b.AVI?loop=true", ReplayCamera),
        ("file:/home/me/2026-01-01T10:00.dat?fps=5&skip=false", ReplayCamera),
        ("replay:some/folder?fps=2.5&loop=true&skip=false", ReplayCamera),
    ],
)
def test_each_form_builds_its_camera(address: str, kind: type) -> None:
    """Every documented form is understood without touching a device, and the camera is named without what may be a secret."""
    camera = open_camera(address)
    assert type(camera) is kind
    assert camera.name == without_password(address)


def test_a_number_is_a_device_file() -> None:
    """`2` means /dev/video2, so that a message can name the file; the options are what is asked of the driver."""
    camera = open_camera("2?width=640&fps=30")
    assert (camera._device.path, camera._picture) == ("/dev/video2", Picture(width=640, height=720, fps=30))


def test_a_network_url_reaches_the_camera_whole() -> None:
    """What is shown is redacted, what is dialled is not; the URL's own query is no option of ours."""
    camera = open_camera("rtsp://me:secret@10.0.0.2/live?channel=1&fps=x")
    assert camera._url == "rtsp://me:secret@10.0.0.2/live?channel=1&fps=x"
    assert camera.name == "rtsp://***@10.0.0.2/live?channel=1&fps=x"


def test_recordings_get_their_path_and_options() -> None:
    """A folder and a video are both replays; `~` is the home folder."""
    folder, video = open_camera("replay:~/frames?loop=true"), open_camera("film.mkv")
    assert isinstance(folder._recording, ImageFolder)
    assert folder._recording._folder == Path.home() / "frames"
    assert folder._loop
    assert isinstance(video._recording, VideoFile)
    assert not video._loop


def test_the_fake_desk_gets_its_options() -> None:
    """`fake:desk` is built from its query, each value converted."""
    module = pytest.importorskip("posture_daemon.fake_desk")
    if not hasattr(module, "FakeDeskCamera"):
        pytest.skip("the fake desk is not written yet")
    camera = open_camera("fake:desk?seed=7&speed=60")
    assert isinstance(camera, module.FakeDeskCamera)
    assert "fake:desk" in camera.name
    assert "seed=7" in camera.name


@pytest.mark.parametrize(
    "address", ["nonsense", "", "-1", "csi://left", "rtsp://", "replay:", "ftp://a", "rplay:a.mp4"]
)
def test_a_wrong_address_is_answered_with_all_forms(address: str) -> None:
    """Whoever mistypes learns in one sentence what can be written."""
    sentence = refused(address)
    assert f'camera "{address}" is not understood' in sentence
    for form in ("/dev/video0", "csi://0", "rtsp://", "http://", "replay:FOLDER", "file:VIDEO", "fake:desk"):
        assert form in sentence


@pytest.mark.parametrize(
    ("address", "words"),
    [
        ("0?framerate=3", 'has no option "framerate": it takes width, height, fps.'),
        ("replay:a?lop=true", 'has no option "lop": it takes fps, loop, skip.'),
        ("replay:a?loop=yes", "loop=yes is not true or false."),
        ("replay:a?loop", "loop= is not true or false."),
        ("replay:a?fps=fast", "fps=fast is not a number from 0.5 to 1000."),
        ("replay:a?fps=nan", "fps=nan is not a number from 0.5 to 1000."),
        ("a.mp4?fps=0", "fps=0 is not a number from 0.5 to 1000."),
        ("0?width=-5", "width=-5 is not a whole number from 16 to 8192."),
        ("csi://0?flip=9", "flip=9 is not a whole number from 0 to 7."),
        ("fake:desk?seed=x", "seed=x is not a whole number from 0 to 999999999."),
        ("fake:desk?start=", "start= is not a text."),
    ],
)
def test_a_wrong_option_is_named_with_what_is_allowed(address: str, words: str) -> None:
    """An option that is unknown or out of range is refused at once, never ignored."""
    assert refused(address).endswith(words)


def test_a_refusal_hides_the_password() -> None:
    """A URL with a typing error is quoted without its password."""
    assert "secret" not in refused("rtps://me:secret@cam/live")
    assert "secret" not in refused("0?me:secret") + refused("0?fps=rtsp://secret@cam") + refused("replay:x?secret@cam")


def test_the_csi_pipeline_is_the_one_known_to_work_on_a_jetson() -> None:
    """Hardware capture and scaling, BGR out, and only the newest frame kept."""
    assert csi_pipeline(1, CsiPicture(width=640, height=360, fps=30, flip=2)) == (
        "nvarguscamerasrc sensor-id=1 ! video/x-raw(memory:NVMM),width=1280,height=720,format=NV12,framerate=30/1"
        " ! nvvidconv flip-method=2 ! video/x-raw,width=640,height=360,format=BGRx"
        " ! videoconvert ! video/x-raw,format=BGR ! appsink drop=true max-buffers=1 sync=false"
    )
