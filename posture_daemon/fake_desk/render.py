"""From room, person, pose and light to one frame of 1280×720. Slow parts (walls, desks, light, the chair) are kept."""

from dataclasses import dataclass, replace
from functools import lru_cache

import cv2
import numpy as np
from numpy.typing import NDArray

from posture_daemon.domain import Floats, Image
from posture_daemon.fake_desk import chance, draw_body, draw_desk, draw_room
from posture_daemon.fake_desk.canvas import Canvas, Layer
from posture_daemon.fake_desk.draw_body import Figure
from posture_daemon.fake_desk.draw_chair import Chair, draw_chair
from posture_daemon.fake_desk.draw_hair import draw_back_hair, draw_head_dress
from posture_daemon.fake_desk.draw_head import Head, draw_face
from posture_daemon.fake_desk.light import Light, cloud_on, light_at
from posture_daemon.fake_desk.people import Clothes, Person
from posture_daemon.fake_desk.pose import OUT_OF_SIGHT_M, Pose
from posture_daemon.fake_desk.room import HEIGHT, WIDTH, Room, View
from posture_daemon.fake_desk.skeleton import skeleton

FRAME_WIDTH, FRAME_HEIGHT = 1280, 720
LIGHT_STEP_H = 1 / 20
_NOISE_MARGIN = 64


@dataclass(frozen=True)
class Scene:
    """Everything that does not change within one desk day."""

    room: Room
    person: Person
    clothes: Clothes
    day: int


@dataclass(frozen=True, eq=False)
class _Lit:
    """A backdrop and a desk under one light."""

    light: Light
    backdrop: Image
    desk: Layer


def render(scene: Scene, pose: Pose, hour: float, grain: int) -> Image:
    """Draw `scene` at `hour` (0–24): `uint8 (720, 1280, 3)` BGR. `grain` chooses the sensor's noise."""
    step = round(hour / LIGHT_STEP_H)
    lit = _lit(scene.room, scene.day, step)
    view = _view(scene.room, scene.day)
    canvas = _with_chair(scene.room, scene.day, step, (pose.chair_x, pose.chair_z, pose.chair_yaw)).copy()
    figure = None
    if abs(pose.x) < OUT_OF_SIGHT_M - 0.1:
        figure = Figure(scene.person, scene.clothes, skeleton(pose, scene.person, scene.room.seat_z), view)
        _draw_person(canvas, figure)
    canvas.cover(lit.desk)
    if figure is not None:
        for arm in figure.bones.arms:
            if arm.rests or arm.props:
                draw_body.draw_forearm(canvas, figure, arm)
    return _develop(canvas.finish(), lit.light, grain)


def _draw_person(canvas: Canvas, figure: Figure) -> None:
    """Paint a body from back to front, without the forearms that lie on the desk."""
    head = Head(figure)
    draw_back_hair(canvas, head)
    draw_body.draw_trunk(canvas, figure)
    for arm in figure.bones.arms:
        draw_body.draw_upper_arm(canvas, figure, arm)
    draw_body.draw_neck(canvas, figure)
    for arm in figure.bones.arms:
        if not (arm.rests or arm.props):
            draw_body.draw_forearm(canvas, figure, arm)
    draw_face(canvas, head)
    draw_head_dress(canvas, figure)


def _develop(image: Image, light: Light, grain: int) -> Image:
    more, less = _noise(round(light.noise * 4))
    dx, dy = chance.key(grain, 1) % _NOISE_MARGIN, chance.key(grain, 2) % _NOISE_MARGIN
    window = (slice(dy, dy + HEIGHT), slice(dx, dx + WIDTH))
    cv2.add(image, more[window], dst=image)
    cv2.subtract(image, less[window], dst=image)
    return np.asarray(cv2.resize(image, (FRAME_WIDTH, FRAME_HEIGHT), interpolation=cv2.INTER_LINEAR), np.uint8)


@lru_cache(maxsize=4)
def _noise(level: int) -> tuple[Image, Image]:
    """Two tiles to add and to subtract: noise of `level` quarter grey steps, part grey, part coloured blotches."""
    rng = chance.generator(0x401, level)
    shape = (HEIGHT + _NOISE_MARGIN, WIDTH + _NOISE_MARGIN)
    grey = rng.standard_normal((*shape, 1), dtype=np.float32)
    blotches = rng.standard_normal((shape[0] // 2, shape[1] // 2, 3), dtype=np.float32)
    noise = level / 4 * (0.9 * grey + 0.9 * cv2.resize(blotches, shape[::-1], interpolation=cv2.INTER_LINEAR))
    return np.maximum(noise, 0).round().astype(np.uint8), np.maximum(-noise, 0).round().astype(np.uint8)


@lru_cache(maxsize=16)
def _view(room: Room, day: int) -> View:
    return room.view_on(day)


@lru_cache(maxsize=4)
def _painted(room: Room, day: int) -> tuple[draw_room.Backdrop, Layer]:
    view = _view(room, day)
    return draw_room.paint(room, view), draw_desk.paint(room, view, day)


@lru_cache(maxsize=4)
def _lit(room: Room, day: int, step: int) -> _Lit:
    light = light_at(step * LIGHT_STEP_H, cloud_on(room.seed, day), room.window_side, room.lamp_side)
    backdrop, desk = _painted(room, day)
    field = _light_field(light, backdrop)
    image = cv2.multiply(backdrop.image, field, scale=1 / 100.0)
    image = _look_out(np.asarray(image, np.uint8), backdrop, light)
    image = _glow(image, backdrop, light)
    near = _desk_field(light)
    desk_image = np.asarray(cv2.multiply(desk.image, near, scale=1 / 100.0), np.uint8)
    return _Lit(light, image, replace(desk, image=desk_image))


@lru_cache(maxsize=2)
def _with_chair(room: Room, day: int, step: int, place: tuple[float, float, float]) -> Canvas:
    """Paint the chair before the backdrop; it stands still for minutes."""
    lit = _lit(room, day, step)
    canvas = Canvas(lit.backdrop.copy(), lit.light)
    draw_chair(canvas, Chair(room, _view(room, day), *place))
    return canvas


def _distance(place: tuple[float, float], reach: float) -> Floats:
    """`float32 (54, 96)`: a soft spot of light around a place on the sensor, 1 at its middle."""
    y, x = np.mgrid[0:54, 0:96].astype(np.float32) * 10
    away = (x - place[0]) ** 2 + (y - place[1]) ** 2
    return np.asarray(1.0 / (1.0 + away / reach**2), np.float32)


def _enlarge(factor: Floats) -> NDArray[np.uint8]:
    """Enlarge a small map of light to the sensor; 100 stands for a factor of 1."""
    large = cv2.resize(factor, (WIDTH, HEIGHT), interpolation=cv2.INTER_CUBIC)
    return np.asarray(cv2.convertScaleAbs(large, alpha=100.0), np.uint8)


@lru_cache(maxsize=1)
def _vignette() -> Floats:
    """`float32 (54, 96, 1)`: 1 in the middle, darker towards the corners."""
    y, x = np.mgrid[0:54, 0:96].astype(np.float32)
    return np.asarray(1.0 - 0.4 * ((x / 95 - 0.5) ** 2 + (y / 53 - 0.5) ** 2), np.float32)[:, :, None]


def _light_field(light: Light, backdrop: draw_room.Backdrop) -> NDArray[np.uint8]:
    """Light on the wall: even from everywhere, brighter near the window by day and near the lamp by night."""
    ambient, key = np.asarray(light.ambient, np.float32), np.asarray(light.key, np.float32)
    by_day = light.day * (0.25 + 0.75 * _distance(backdrop.window, 420.0))
    by_lamp = light.lamp * (0.1 + 1.3 * _distance(backdrop.lamp, 210.0))
    spot = (by_day + by_lamp * 0.9)[:, :, None]
    return _enlarge((ambient + key * spot) * _vignette())


def _desk_field(light: Light) -> NDArray[np.uint8]:
    """Light on the desk: from above, and from the screen in front of it."""
    ambient, key = np.asarray(light.ambient, np.float32), np.asarray(light.key, np.float32)
    screen = np.asarray(light.screen, np.float32)
    spot = _distance((WIDTH / 2, HEIGHT * 1.1), 330.0)[:, :, None]
    return _enlarge((ambient * 1.05 + key * 0.55 + screen * spot * 1.1) * _vignette())


def _look_out(image: Image, backdrop: draw_room.Backdrop, light: Light) -> Image:
    level = np.clip(np.linspace(0, 2.2, HEIGHT, dtype=np.float32), 0, 1)[:, None]
    sky = np.asarray(light.sky, np.float32) * (1 - level) + np.asarray(light.horizon, np.float32) * level
    outside = np.repeat(sky[:, None].astype(np.uint8), WIDTH, axis=1)
    weight = backdrop.glass.astype(np.float32) * np.float32(1 / 255)
    return np.asarray(cv2.blendLinear(outside, image, weight, 1 - weight), np.uint8)


def _glow(image: Image, backdrop: draw_room.Backdrop, light: Light) -> Image:
    if light.lamp <= 0.0:
        return image
    warm = np.array([120.0, 190.0, 235.0], np.float32) * light.lamp
    halo = _distance(backdrop.lamp, 34.0)[:, :, None] * warm
    large = cv2.resize(halo, (WIDTH, HEIGHT), interpolation=cv2.INTER_CUBIC)
    return np.asarray(cv2.add(image, cv2.convertScaleAbs(large)), np.uint8)
