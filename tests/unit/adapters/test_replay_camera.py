"""Recordings as cameras: the order of images, damaged files, real time, and the end."""

from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image as PillowImage

from posture_daemon.adapters.cameras.replay import ImageFolder, Pace, ReplayCamera, VideoFile
from posture_daemon.errors import CameraError
from tests.fakes.clock import Clock


def picture(path: Path, value: int = 0) -> Path:
    """Write a grey 32×24 image."""
    path.parent.mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(path), np.full((24, 32, 3), value, dtype=np.uint8))
    return path


def folder_camera(folder: Path, time: Clock | None = None, *, loop: bool = False, skip: bool = True) -> ReplayCamera:
    """Open a camera on `folder`, 10 frames per second of fake time."""
    time = time or Clock()
    pace = Pace(10, skip=skip, monotonic=time.monotonic, sleep=time.sleep)
    camera = ReplayCamera(f"replay:{folder}", ImageFolder(folder), loop=loop, pace=pace, clock=time.monotonic)
    camera.open()
    return camera


def names(camera: ReplayCamera, count: int = 100) -> list[str]:
    """Return the file names of the next frames, at most `count`."""
    seen = []
    while len(seen) < count and camera.read() is not None:
        seen.append(camera.last_path.name)
    return seen


def numbered(folder: Path, count: int) -> Path:
    """Make a folder with 1.png … count.png; the grey value is the number."""
    for number in range(1, count + 1):
        picture(folder / f"{number}.png", number)
    return folder


@pytest.fixture
def video(tmp_path: Path) -> Path:
    """Write a real video: 6 frames at 5 per second, grey values 0, 40, … 200."""
    path = tmp_path / "clip.avi"
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"MJPG"), 5, (64, 48))
    for number in range(6):
        writer.write(np.full((48, 64, 3), 40 * number, dtype=np.uint8))
    writer.release()
    return path


def video_camera(path: Path, time: Clock, *, fps: float | None = None, loop: bool = False) -> ReplayCamera:
    """Open a camera on a video file."""
    pace = Pace(fps, monotonic=time.monotonic, sleep=time.sleep)
    camera = ReplayCamera(str(path), VideoFile(path), loop=loop, pace=pace)
    camera.open()
    return camera


def greys(camera: ReplayCamera, count: int = 100) -> list[int]:
    """Return the grey values of the next frames in steps of 40, at most `count`."""
    seen: list[int] = []
    while len(seen) < count:
        frame = camera.read()
        if frame is None:
            break
        seen.append(round(float(frame.image.mean()) / 40))
    return seen


def test_images_come_in_natural_order(tmp_path: Path) -> None:
    """Frame 2 is shown before frame 10, whatever the number of digits, and files of the folder itself come first."""
    for name in ("10.png", "2.png", "1.png", "b/frame9.png", "b/frame11.png", "a10/x.png", "a9/y.png"):
        picture(tmp_path / name)
    assert names(folder_camera(tmp_path)) == ["1.png", "2.png", "10.png", "y.png", "x.png", "frame9.png", "frame11.png"]


def test_only_visible_images_are_shown(tmp_path: Path) -> None:
    """Notes, hidden files and the leftovers of other programs are no pictures."""
    picture(tmp_path / "a.JPG")
    picture(tmp_path / ".hidden.png")
    picture(tmp_path / ".cache" / "b.png")
    (tmp_path / "notes.txt").write_text("hello", encoding="utf-8")
    assert names(folder_camera(tmp_path)) == ["a.JPG"]


def test_a_hidden_parent_folder_does_not_hide_the_recording(tmp_path: Path) -> None:
    """Only what is below the folder counts: ~/.local/frames can be replayed."""
    picture(tmp_path / ".local" / "frames" / "a.png")
    assert names(folder_camera(tmp_path / ".local" / "frames")) == ["a.png"]


@pytest.mark.parametrize("content", [b"", b"not an image", None])
def test_a_damaged_image_is_left_out_with_one_warning(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, content: bytes | None
) -> None:
    """Empty, wrong and cut-off files (None) never end the camera; each is reported once, also when looping."""
    numbered(tmp_path, 3)
    whole = picture(tmp_path / "whole.jpg", 90).read_bytes()
    (tmp_path / "2.png").write_bytes(whole[: len(whole) // 2] if content is None else content)
    (tmp_path / "whole.jpg").unlink()
    assert names(folder_camera(tmp_path, loop=True), 6) == ["1.png", "3.png"] * 3
    assert len(caplog.records) == 1
    assert "2.png is left out" in caplog.text


def test_a_file_that_vanishes_is_left_out(tmp_path: Path) -> None:
    """The folder may be edited while it is played."""
    camera = folder_camera(numbered(tmp_path, 3))
    (tmp_path / "2.png").unlink()
    assert names(camera) == ["1.png", "3.png"]


def test_pixels_are_bgr_and_upright(tmp_path: Path) -> None:
    """A red picture whose EXIF says "turned" arrives as blue, green, red with the sides exchanged."""
    exif = PillowImage.Exif()
    exif[0x0112] = 6  # Orientation: rotate by 90 degrees to view
    PillowImage.new("RGB", (40, 20), (250, 0, 0)).save(tmp_path / "red.png", exif=exif)
    frame = folder_camera(tmp_path).read()
    assert (frame.image.shape, frame.image.dtype) == ((40, 20, 3), np.uint8)
    assert frame.image[0, 0].tolist() == [0, 0, 250]


def test_a_folder_without_readable_images_is_refused(tmp_path: Path) -> None:
    """Nothing to show is an error at the start, not a silent camera."""
    (tmp_path / "a.jpg").write_bytes(b"broken")
    with pytest.raises(CameraError, match="holds no readable image"):
        folder_camera(tmp_path)
    with pytest.raises(CameraError, match="there is no folder"):
        folder_camera(tmp_path / "missing")


def test_a_looping_folder_that_is_emptied_is_a_lost_camera(tmp_path: Path) -> None:
    """Instead of looping for ever over nothing it says what is missing."""
    camera = folder_camera(numbered(tmp_path, 1), loop=True)
    assert camera.read() is not None
    (tmp_path / "1.png").unlink()
    with pytest.raises(CameraError, match="holds no readable image"):
        camera.read()


def test_frames_come_in_real_time(tmp_path: Path) -> None:
    """At 10 frames per second, a consumer that is fast enough gets one each 0.1 s, stamped when it was delivered."""
    time = Clock()
    camera = folder_camera(numbered(tmp_path, 4), time)
    frames = [camera.read() for _ in range(4)]
    assert [frame.captured_at for frame in frames if frame] == pytest.approx([100.0, 100.1, 100.2, 100.3])
    assert [frame.sequence for frame in frames if frame] == [1, 2, 3, 4]


def test_a_slow_consumer_misses_frames(tmp_path: Path) -> None:
    """Like a camera, a replay goes on meanwhile: after 0.35 s the frame of 0.3 s is current, and the beat is kept."""
    time = Clock()
    camera = folder_camera(numbered(tmp_path, 9), time)
    seen = names(camera, 1)
    time.now += 0.35
    seen += names(camera, 2)
    assert seen == ["1.png", "4.png", "5.png"]
    assert time.now == pytest.approx(100.4)


def test_without_skipping_a_slow_consumer_sees_every_frame(tmp_path: Path) -> None:
    """With `skip=false` time waits for the consumer, and there is no burst to catch up."""
    time = Clock()
    camera = folder_camera(numbered(tmp_path, 4), time, skip=False)
    seen = names(camera, 1)
    time.now += 0.35
    seen += names(camera)
    assert seen == ["1.png", "2.png", "3.png", "4.png"]
    assert time.slept == pytest.approx([0.1, 0.1, 0.1])  # before frames 3 and 4, and before the end is told


def test_looping_begins_again(tmp_path: Path) -> None:
    """With looping the first follows the last and the numbers go on."""
    camera = folder_camera(numbered(tmp_path, 2), loop=True)
    assert names(camera, 5) == ["1.png", "2.png", "1.png", "2.png", "1.png"]
    assert camera.read().sequence == 6


def test_a_video_plays_at_its_own_speed(video: Path) -> None:
    """A file of 5 frames per second gives one each 0.2 s, all of them, and then ends."""
    time = Clock()
    assert greys(video_camera(video, time)) == [0, 1, 2, 3, 4, 5]
    assert time.slept == pytest.approx([0.2] * 6)


def test_a_video_can_be_sped_up_and_looped(video: Path) -> None:
    """`fps` overrules the file's own; looping starts over."""
    time = Clock()
    assert greys(video_camera(video, time, fps=50, loop=True), 8) == [0, 1, 2, 3, 4, 5, 0, 1]
    assert time.slept == pytest.approx([0.02] * 7)


def test_a_slow_consumer_misses_video_frames(video: Path) -> None:
    """The same rule as for images: what came meanwhile is passed over."""
    time = Clock()
    camera = video_camera(video, time)
    seen = greys(camera, 1)
    time.now += 0.5
    seen += greys(camera, 1)
    time.now += 60
    seen += greys(camera)
    assert seen == [0, 2]


def test_a_file_without_video_is_refused(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """A missing and a wrong file each get a sentence, and OpenCV adds nothing on stderr."""
    (tmp_path / "text.mp4").write_text("not a video", encoding="utf-8")
    with pytest.raises(CameraError, match=r"there is no video file .*missing\.mp4"):
        video_camera(tmp_path / "missing.mp4", Clock())
    with pytest.raises(CameraError, match=r"text\.mp4 holds no video"):
        video_camera(tmp_path / "text.mp4", Clock())
    assert capfd.readouterr().err == ""


@pytest.mark.parametrize("loop", [False, True])
def test_a_film_without_pictures_is_an_error(tmp_path: Path, loop: bool) -> None:
    """One with no frame in it, and one whose pictures nobody here can decode: no good end after 0 frames."""
    empty, unknown = tmp_path / "empty.avi", tmp_path / "unknown.avi"
    writer = cv2.VideoWriter(str(empty), cv2.VideoWriter.fourcc(*"MJPG"), 5, (64, 48))
    writer.release()
    writer = cv2.VideoWriter(str(unknown), cv2.VideoWriter.fourcc(*"MJPG"), 5, (64, 48))
    for _ in range(3):
        writer.write(np.zeros((48, 64, 3), np.uint8))
    writer.release()
    unknown.write_bytes(unknown.read_bytes().replace(b"MJPG", b"QQQQ"))
    for film in (empty, unknown):
        with pytest.raises(CameraError, match=r"holds no (video|picture) that .*OpenCV can .*; convert it"):
            video_camera(film, Clock(), loop=loop)


def test_a_film_of_dots_is_an_error(tmp_path: Path) -> None:
    """Pictures too small to show anything are refused as files of them are."""
    path = tmp_path / "dots.avi"
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"MJPG"), 5, (8, 8))
    writer.write(np.zeros((8, 8, 3), np.uint8))
    writer.release()
    with pytest.raises(CameraError, match="less than 16 pixels"):
        video_camera(path, Clock())


def test_the_pictures_of_a_folder_are_what_an_import_reads(tmp_path: Path) -> None:
    """One decoder: 16 bits of grey, what is transparent and a missing end marker look the same; the rest is left out."""
    grey = np.full((24, 32), 0x8000, np.uint16)
    PillowImage.fromarray(grey).save(tmp_path / "1.png")
    PillowImage.new("RGBA", (32, 24), (0, 0, 0, 127)).save(tmp_path / "2.png")
    (tmp_path / "3.jpg").write_bytes(picture(tmp_path / "whole.jpg", 90).read_bytes()[:-2])
    (tmp_path / "whole.jpg").unlink()
    (tmp_path / "4.jpg").write_bytes(b"%!PS-Adobe-3.0 EPSF-3.0\n")
    (tmp_path / "@eaDir").mkdir()
    picture(tmp_path / "@eaDir" / "5.jpg", 1)
    camera = folder_camera(tmp_path)
    means = [round(float(frame.image.mean())) for frame in iter(camera.read, None)]
    assert means == [128, 128, 90]
