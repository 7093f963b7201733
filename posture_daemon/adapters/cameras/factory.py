"""Builds a `Camera` from its address, e.g. `0`, `rtsp://…` or `replay:frames?fps=5`.

`FORMS` is the whole grammar: patterns with the options that each takes and what it builds. The first match wins.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any
from urllib.parse import parse_qsl

from posture_daemon.adapters.cameras.address import without_password
from posture_daemon.adapters.cameras.network_patience import DEFAULT_NETWORK, NetworkPatience
from posture_daemon.errors import SettingsError
from posture_daemon.ports import Camera
from posture_daemon.settings.address import FILM, HIDDEN, CameraAddress, remember, split_options
from posture_daemon.settings.paths import absolute

ALLOWED = (
    "0 (a camera number), /dev/video0, /dev/v4l/by-id/NAME, csi://0, rtsp://HOST/PATH, http://HOST/PATH, "
    "VIDEO.mp4, file:VIDEO, replay:FOLDER, fake:desk"
)
Options = Mapping[str, Any]
Converter = Callable[[str], Any]


@dataclass(frozen=True)
class Form:
    """One form of address: `pattern` captures the target, `build(name, target, options)` makes the camera."""

    pattern: re.Pattern[str]
    options: Mapping[str, Converter]
    build: Callable[[str, str, Options, NetworkPatience], Camera]
    split: Callable[[str], tuple[str, str]] = lambda target: (target.partition("?")[0], target.partition("?")[2])
    """Into target and options."""


def open_camera(address: str, network: NetworkPatience = DEFAULT_NETWORK) -> Camera:
    """Build the camera that `address` names; only `Camera.open` accesses the device. `network` is for network cameras alone.

    Raises `SettingsError` when the address is not understood, an option is unknown or its value is malformed, and
    `CameraError` when the fake desk refuses a value.
    """
    typed = CameraAddress(address)
    text = typed.trimmed
    remember(typed)
    for form in FORMS:
        match = form.pattern.fullmatch(text)
        if match:
            target, query = form.split(match["target"]) if form.options else (match["target"], "")
            name = without_password(text)
            return form.build(name, target, _read_options(name, query, form.options), network)
    raise SettingsError(f'camera "{without_password(text)}" is not understood: write one of {ALLOWED}.')


def _read_options(name: str, query: str, allowed: Mapping[str, Converter]) -> Options:
    """Convert `a=1&b=true` with the converters of `allowed`."""
    options = {}
    for key, text in parse_qsl(query, keep_blank_values=True):
        if key not in allowed:
            known = key if re.fullmatch("[A-Za-z_]{1,20}", key) else HIDDEN
            raise SettingsError(f'camera "{name}" has no option "{known}": it takes {", ".join(allowed)}.')
        try:
            options[key] = allowed[key](text)
        except ValueError as error:
            shown = text if re.fullmatch(r"[\w.:,+-]{0,64}", text) else HIDDEN
            raise SettingsError(f'camera "{name}": {key}={shown} is not {error}.') from None
    return options


def _number(low: float, high: float) -> Converter:
    def convert(text: str) -> float:
        expected = f"a number from {low:g} to {high:g}"
        try:
            value = float(text)
        except ValueError:
            raise ValueError(expected) from None
        if not low <= value <= high:  # also false for nan
            raise ValueError(expected)
        return value

    return convert


def _whole(low: int, high: int) -> Converter:
    def convert(text: str) -> int:
        if not re.fullmatch(r"[0-9]{1,9}", text) or not low <= int(text) <= high:
            raise ValueError(f"a whole number from {low} to {high}")
        return int(text)

    return convert


def _flag(text: str) -> bool:
    if text not in ("true", "false"):
        raise ValueError("true or false")
    return text == "true"


def _text(text: str) -> str:
    if not text:
        raise ValueError("a text")
    return text


# Adapters are imported when first built, so that an error about a wrong address need not import cv2.


def _v4l2(name: str, target: str, options: Options, _network: NetworkPatience) -> Camera:
    from posture_daemon.adapters.cameras.device import device_at
    from posture_daemon.adapters.cameras.opencv import Picture, V4l2Camera

    device = device_at(f"/dev/video{int(target)}" if target.isdecimal() else target)
    return V4l2Camera(name, device, Picture(**options))


def _csi(name: str, target: str, options: Options, _network: NetworkPatience) -> Camera:
    from posture_daemon.adapters.cameras.opencv import CsiCamera, CsiPicture

    return CsiCamera(name, int(target), CsiPicture(**options))


def _http(name: str, target: str, _options: Options, network: NetworkPatience) -> Camera:
    from posture_daemon.adapters.cameras.http_camera import HttpCamera

    return HttpCamera(name, target, network)


def _rtsp(name: str, target: str, _options: Options, network: NetworkPatience) -> Camera:
    from posture_daemon.adapters.cameras.network_url import network_url
    from posture_daemon.adapters.cameras.opencv import FfmpegCamera
    from posture_daemon.adapters.cameras.rtsp_question import RtspQuestion

    return FfmpegCamera(name, target, network, question=RtspQuestion(network_url(name, target), network))


def _replay(name: str, target: str, options: Options, _network: NetworkPatience, is_folder: bool = False) -> Camera:
    from posture_daemon.adapters.cameras.replay import ImageFolder, Pace, ReplayCamera, VideoFile

    path = absolute(target)
    recording = ImageFolder(path) if is_folder else VideoFile(path)
    pace = Pace(options.get("fps"), skip=options.get("skip", True))
    return ReplayCamera(name, recording, loop=options.get("loop", False), pace=pace)


def _fake_desk(name: str, target: str, options: Options, _network: NetworkPatience) -> Camera:
    from posture_daemon.fake_desk import FakeDeskCamera

    return FakeDeskCamera(**options)


PICTURE: dict[str, Converter] = {"width": _whole(16, 8192), "height": _whole(16, 8192), "fps": _whole(1, 240)}

# A recording slower than one frame in two seconds would be taken for a stalled camera.
REPLAY: dict[str, Converter] = {"fps": _number(0.5, 1000), "loop": _flag, "skip": _flag}

DESK: dict[str, Converter] = {
    "seed": _whole(0, 999_999_999),
    "person": _whole(0, 999_999_999),
    "fps": _number(0.5, 1000),
    "speed": _number(0.001, 100_000),
    "start": _text,
    "classes": _text,
    "duration": _number(0, 1e9),
}

FORMS = (
    Form(re.compile(r"(?P<target>[0-9]{1,3}(\?.*)?)"), PICTURE, _v4l2),
    Form(re.compile(r"(?P<target>/dev/[^?]+(\?.*)?)"), PICTURE, _v4l2),
    Form(re.compile(r"csi://(?P<target>[0-9]{1,2}(\?.*)?)"), {**PICTURE, "flip": _whole(0, 7)}, _csi),
    # The query of a network URL belongs to the camera, so these take no options of ours.
    Form(re.compile(r"(?P<target>(?i:https?)://[^\s/]\S*)"), {}, _http),
    Form(re.compile(r"(?P<target>(?i:rtsps?)://[^\s/]\S*)"), {}, _rtsp),
    Form(re.compile(r"fake:desk(?P<target>(\?.*)?)"), DESK, _fake_desk),
    Form(re.compile(r"replay:(?P<target>.+)", re.DOTALL), REPLAY, partial(_replay, is_folder=True), split_options),
    Form(re.compile(r"file:(?P<target>.+)", re.DOTALL), REPLAY, _replay, split_options),
    Form(re.compile(rf"(?P<target>(?:{FILM.pattern})(\?.*)?)", re.DOTALL), REPLAY, _replay, split_options),
)
