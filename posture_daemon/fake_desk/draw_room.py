"""Wall, floor and what hangs on the wall: painted once per room and camera position, in its own colours, without light.

The wall is a flat picture of 200 pixels per metre that is put into perspective at the end.
"""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from posture_daemon.domain import Image
from posture_daemon.fake_desk import chance
from posture_daemon.fake_desk.people import CLOTH_COLOURS, Colour
from posture_daemon.fake_desk.room import HEIGHT, WIDTH, Room, View

PER_M = 200
_SHADOW_PX = 24
WALL_W_M, WALL_H_M = 5.6, 2.6
_TRIM: Colour = (232, 236, 238)


@dataclass(frozen=True, eq=False)
class Backdrop:
    """The room behind the chair. `glass` is `uint8 (HEIGHT, WIDTH)`: where one looks out of the window."""

    image: Image
    glass: NDArray[np.uint8]
    lamp: tuple[float, float]  # where the lamp glows, sensor pixels
    window: tuple[float, float]  # the middle of the window, sensor pixels


@dataclass
class _Wall:
    """The flat picture of the wall while it is painted; `box` takes metres from the middle and from the floor."""

    image: Image
    glass: NDArray[np.uint8]
    rng: np.random.Generator

    def corners(self, x: float, y: float, w: float, h: float) -> tuple[tuple[int, int], tuple[int, int]]:
        """Turn a box (left, bottom, width, height in metres) into two pixel corners."""
        left, top = round((x + WALL_W_M / 2) * PER_M), round((WALL_H_M - y - h) * PER_M)
        return (left, top), (left + round(w * PER_M), top + round(h * PER_M))

    def box(self, x: float, y: float, w: float, h: float, colour: Colour) -> None:
        """Fill a box."""
        a, b = self.corners(x, y, w, h)
        cv2.rectangle(self.image, a, b, colour, -1)

    def shadow(self, x: float, y: float, w: float, h: float) -> None:
        """Darken the wall softly around a box that stands out from it."""
        (left, top), (right, bottom) = self.corners(x - 0.02, y - 0.05, w + 0.04, h + 0.05)
        x0, y0 = max(0, left - _SHADOW_PX), max(0, top - _SHADOW_PX)
        area = self.image[y0 : bottom + _SHADOW_PX, x0 : right + _SHADOW_PX]
        mask = np.full(area.shape, 255, np.uint8)
        cv2.rectangle(mask, (left - x0, top - y0), (right - x0, bottom - y0), (166, 166, 166), -1)
        mask = np.asarray(cv2.blur(cv2.blur(mask, (17, 17)), (17, 17)), np.uint8)
        area[:] = cv2.multiply(area, mask, scale=1 / 255)


def paint(room: Room, view: View) -> Backdrop:
    """Paint the room as this camera sees it."""
    shape = (round(WALL_H_M * PER_M), round(WALL_W_M * PER_M))
    rng = chance.generator(room.layout)
    wall = _Wall(np.full((*shape, 3), room.wall, np.uint8), np.zeros(shape, np.uint8), rng)
    _plaster(wall)
    _furnish(wall, room)
    wall.box(-WALL_W_M / 2, 0.0, WALL_W_M, 0.09, _TRIM)
    image = _floor(room, view, rng)
    matrix = _wall_to_sensor(room, view)
    warped = cv2.warpPerspective(wall.image, matrix, (WIDTH, HEIGHT), flags=cv2.INTER_AREA)
    inside = cv2.warpPerspective(np.full(shape, 255, np.uint8), matrix, (WIDTH, HEIGHT))
    cv2.copyTo(warped, inside, image)
    glass = cv2.warpPerspective(wall.glass, matrix, (WIDTH, HEIGHT))
    lamp = view.project(np.array([[room.lamp_side * 1.25, 1.55, room.wall_z - 0.2]]))[0]
    window = view.project(np.array([[(room.window_side or 0.6) * 1.3, 1.5, room.wall_z]]))[0]
    _draw_lamp(image, room, view)
    soft = np.asarray(cv2.GaussianBlur(image, (0, 0), 1.1), np.uint8)
    soft_glass = np.asarray(cv2.GaussianBlur(glass, (0, 0), 1.1), np.uint8)
    return Backdrop(soft, soft_glass, (float(lamp[0]), float(lamp[1])), (float(window[0]), float(window[1])))


def _wall_to_sensor(room: Room, view: View) -> NDArray[np.float64]:
    """`(3, 3)`: from the flat wall's pixels to the sensor's."""
    x, y = WALL_W_M / 2, WALL_H_M
    world = np.array([(-x, y, room.wall_z), (x, y, room.wall_z), (x, 0, room.wall_z), (-x, 0, room.wall_z)])
    w, h = WALL_W_M * PER_M, WALL_H_M * PER_M
    flat = np.array([(0, 0), (w, 0), (w, h), (0, h)], np.float32)
    return np.asarray(cv2.getPerspectiveTransform(flat, view.project(world).astype(np.float32)), np.float64)


def _floor(room: Room, view: View, rng: np.random.Generator) -> Image:
    """Lay planks from the wall to the desk: `uint8 (HEIGHT, WIDTH, 3)`."""
    tile = np.empty((400, 560, 3), np.float32)
    tile[:] = room.floor
    for x in range(0, 560, 20):
        tile[:, x : x + 20] *= rng.uniform(0.88, 1.1)
        tile[:, x : x + 1] *= 0.7
        seam = int(rng.integers(400))
        tile[seam : seam + 2, x : x + 20] *= 0.75
    half, far = 2.8, room.wall_z
    world = np.array([(-half, 0, far), (half, 0, far), (half, 0, 0.6), (-half, 0, 0.6)])
    flat = np.array([(0, 0), (560, 0), (560, 400), (0, 400)], np.float32)
    matrix = cv2.getPerspectiveTransform(flat, view.project(world).astype(np.float32))
    pixels = np.clip(tile, 0, 255).astype(np.uint8)
    return np.asarray(cv2.warpPerspective(pixels, matrix, (WIDTH, HEIGHT), borderMode=cv2.BORDER_REPLICATE), np.uint8)


def _plaster(wall: _Wall) -> None:
    h, w = wall.image.shape[:2]
    coarse = wall.rng.normal(0, 1, (h // 40, w // 40)).astype(np.float32)
    uneven = cv2.resize(coarse, (w, h), interpolation=cv2.INTER_CUBIC)
    wall.image[:] = np.clip(wall.image + 1.6 * uneven[:, :, None], 0, 255).astype(np.uint8)


def _furnish(wall: _Wall, room: Room) -> None:
    """Put a window on one side, furniture on the other, a picture where there is room."""
    if room.window_side:
        _window(wall, room.window_side * 1.3 - 0.6)
    free = -room.window_side or 1
    pieces = (_bookcase, _wall_shelf, _door, _pictures)
    first = int(wall.rng.integers(len(pieces)))
    pieces[first](wall, free * 1.3)
    if room.window_side == 0:
        pieces[(first + 1) % len(pieces)](wall, -1.3)
    if wall.rng.random() < 0.55:
        _picture(wall, wall.rng.uniform(-0.35, 0.05), 1.35, 0.42, 0.5)


def _window(wall: _Wall, x: float) -> None:
    """Paint a window of two wings with curtains; what is outside depends on the hour and comes later."""
    y, w, h = 0.95, 1.2, 1.25
    wall.shadow(x - 0.05, y, w + 0.1, h)
    wall.box(x - 0.06, y - 0.06, w + 0.12, h + 0.12, _TRIM)
    for wing in (0, 1):
        left = x + wing * (w / 2 + 0.015)
        a, b = wall.corners(left, y, w / 2 - 0.03, h)
        cv2.rectangle(wall.image, a, b, (120, 110, 100), -1)
        cv2.rectangle(wall.glass, a, b, 255, -1)
    wall.box(x - 0.12, y - 0.1, w + 0.24, 0.05, (238, 240, 242))
    colour = CLOTH_COLOURS[int(wall.rng.integers(len(CLOTH_COLOURS)))]
    for side in (x - 0.24, x + w - 0.02):
        _curtain(wall, side, colour)


def _curtain(wall: _Wall, x: float, colour: Colour) -> None:
    (left, top), (right, bottom) = wall.corners(x, 0.62, 0.26, 1.75)
    left, right = max(0, left), min(wall.image.shape[1], right)
    if right <= left:
        return
    pleats = 0.86 + 0.2 * np.sin(np.arange(right - left) * 2 * np.pi / 13)
    cloth = np.asarray(colour, np.float32) * 0.7 + 70
    strip = np.clip(pleats[:, None] * cloth, 0, 255).astype(np.uint8)
    wall.image[top:bottom, left:right] = strip[None]
    wall.glass[top:bottom, left:right] = 0


def _books(wall: _Wall, x: float, y: float, width: float, height: float) -> None:
    end = x + width
    while x < end - 0.03:
        thick = wall.rng.uniform(0.02, 0.05)
        if wall.rng.random() < 0.12:
            x += wall.rng.uniform(0.05, 0.12)
            continue
        colour = CLOTH_COLOURS[int(wall.rng.integers(len(CLOTH_COLOURS)))]
        tall = height * wall.rng.uniform(0.6, 0.92)
        thick = min(thick, end - x)
        wall.box(x, y, thick - 0.006, tall, colour)
        light = tuple(min(255, c + 70) for c in colour)
        wall.box(x + thick * 0.3, y + tall * 0.7, thick * 0.3, tall * 0.12, (light[0], light[1], light[2]))
        x += thick


def _bookcase(wall: _Wall, x: float) -> None:
    w, h = 0.95, 2.0
    x -= w / 2
    wall.shadow(x, 0, w, h)
    wood: Colour = ((96, 132, 172), (222, 226, 230), (48, 66, 96))[int(wall.rng.integers(3))]
    dark: Colour = (int(wood[0] * 0.62), int(wood[1] * 0.62), int(wood[2] * 0.62))
    wall.box(x, 0.0, w, h, wood)
    for row in range(5):
        y = 0.1 + row * 0.38
        wall.box(x + 0.03, y, w - 0.06, 0.34, dark)
        _books(wall, x + 0.04, y, w - 0.08, 0.34)


def _wall_shelf(wall: _Wall, x: float) -> None:
    for y in (1.2, 1.62):
        wall.shadow(x - 0.45, y - 0.03, 0.9, 0.03)
        _books(wall, x - 0.42, y, 0.5, 0.28)
        wall.box(x - 0.45, y - 0.03, 0.9, 0.03, (80, 116, 158))
        _pot_plant(wall, x + 0.28, y)
    wall.box(x - 0.5, 0.0, 1.0, 0.7, (200, 206, 210))
    wall.box(x - 0.005, 0.05, 0.01, 0.62, (160, 166, 170))
    wall.box(x - 0.52, 0.7, 1.04, 0.03, (90, 124, 166))


def _pot_plant(wall: _Wall, x: float, y: float) -> None:
    (left, top), (right, bottom) = wall.corners(x - 0.06, y, 0.12, 0.11)
    middle = (left + right) // 2
    for _ in range(26):
        angle, length = wall.rng.uniform(-1.3, 1.3), wall.rng.uniform(0.06, 0.17) * PER_M
        tip = (round(middle + np.sin(angle) * length), round(top - np.cos(angle) * length))
        green = (40, int(wall.rng.integers(80, 150)), int(wall.rng.integers(40, 80)))
        cv2.line(wall.image, (middle, top + 2), tip, green, 4, cv2.LINE_AA)
    cv2.rectangle(wall.image, (left, top), (right, bottom), (90, 120, 190), -1)


def _door(wall: _Wall, x: float) -> None:
    wall.box(x - 0.48, 0, 0.96, 2.1, _TRIM)
    wall.box(x - 0.43, 0, 0.86, 2.05, (214, 222, 226))
    for y, h in ((0.2, 0.7), (1.1, 0.75)):
        wall.box(x - 0.3, y, 0.6, h, (190, 198, 204))
        wall.box(x - 0.28, y + 0.02, 0.56, h - 0.04, (218, 226, 230))
    wall.box(x - 0.4, 1.0, 0.13, 0.03, (90, 96, 100))


def _pictures(wall: _Wall, x: float) -> None:
    _picture(wall, x - 0.45, 1.25, 0.4, 0.55)
    _picture(wall, x + 0.05, 1.5, 0.36, 0.3)
    _picture(wall, x + 0.05, 1.12, 0.36, 0.3)


def _picture(wall: _Wall, x: float, y: float, w: float, h: float) -> None:
    """Hang one framed picture: hills under a sky, or circles."""
    wall.shadow(x, y, w, h)
    frame: Colour = ((36, 36, 38), (200, 206, 210), (60, 92, 130))[int(wall.rng.integers(3))]
    wall.box(x, y, w, h, frame)
    wall.box(x + 0.02, y + 0.02, w - 0.04, h - 0.04, (236, 238, 238))
    (left, top), (right, bottom) = wall.corners(x + 0.06, y + 0.06, w - 0.12, h - 0.12)
    view = wall.image[top:bottom, left:right]
    view[:] = CLOTH_COLOURS[int(wall.rng.integers(len(CLOTH_COLOURS)))]
    for band in range(3):
        level = bottom - top - (bottom - top) * (3 - band) // 5
        wave = level + 8 * np.sin(np.arange(right - left) / 12 + wall.rng.uniform(0, 6))
        colour = CLOTH_COLOURS[int(wall.rng.integers(len(CLOTH_COLOURS)))]
        below = np.arange(bottom - top)[:, None] > wave[None, :]
        view[below] = colour


def _draw_lamp(image: Image, room: Room, view: View) -> None:
    x, z = room.lamp_side * 1.25, room.wall_z - 0.2
    points = [
        (x, 0.0, z), (x, 1.45, z), (x - 0.16, 1.42, z), (x + 0.16, 1.42, z), (x + 0.11, 1.7, z), (x - 0.11, 1.7, z),
    ]  # fmt: skip
    p = np.round(view.project(np.array(points))).astype(np.int32)
    cv2.line(image, p[0].tolist(), p[1].tolist(), (60, 62, 66), 4, cv2.LINE_AA)
    cv2.fillPoly(image, [p[2:]], (190, 216, 228), cv2.LINE_AA)
