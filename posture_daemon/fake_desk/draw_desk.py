"""The desk top and what lies on it, painted once per room and day as a layer to lay over the sitter."""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from posture_daemon.domain import Image
from posture_daemon.fake_desk import chance
from posture_daemon.fake_desk.canvas import Layer, fixed, make_layer
from posture_daemon.fake_desk.people import CLOTH_COLOURS, Colour
from posture_daemon.fake_desk.room import DESK_HEIGHT_M, HEIGHT, WIDTH, Room, View
from posture_daemon.fake_desk.shapes import ellipse


@dataclass
class _Painting:
    """A desk while it is painted: every shape goes into the picture and into the mask."""

    image: Image
    mask: NDArray[np.uint8]
    view: View

    def on_desk(self, points: list[tuple[float, float, float]]) -> NDArray[np.float64]:
        """Project (x, height above the desk top, z) in metres to `(n, 2)` pixels."""
        p = np.array(points)
        p[:, 1] += DESK_HEIGHT_M
        return self.view.project(p)

    def fill(self, outline: NDArray[np.float64], colour: Colour) -> None:
        """Fill one outline, opaque."""
        cv2.fillPoly(self.image, fixed(outline), colour, cv2.LINE_AA, 4)
        cv2.fillPoly(self.mask, fixed(outline), 255, cv2.LINE_AA, 4)


def paint(room: Room, view: View, day: int) -> Layer:
    """Paint the desk with today's clutter."""
    rng = chance.generator(room.layout, day)
    layer = _Painting(np.full((HEIGHT, WIDTH, 3), room.desk, np.uint8), np.zeros((HEIGHT, WIDTH), np.uint8), view)
    z = room.edge_z
    top = layer.on_desk([(-2, 0, z), (2, 0, z), (2, 0, 0.2), (-2, 0, 0.2)])
    layer.fill(top, room.desk)
    _grain(layer, rng)
    lip = layer.on_desk([(-2, 0, z), (2, 0, z), (2, -0.004, z - 0.012), (-2, -0.004, z - 0.012)])
    layer.fill(lip, (min(255, room.desk[0] + 24), min(255, room.desk[1] + 24), min(255, room.desk[2] + 24)))
    _clutter(layer, room, rng)
    return make_layer(layer.image, layer.mask)


def _grain(layer: _Painting, rng: np.random.Generator) -> None:
    rows = rng.normal(0, 3.0, (HEIGHT, 1, 1)) + rng.normal(0, 1.5, (HEIGHT, WIDTH // 60, 1))[:, :1]
    layer.image[:] = np.clip(layer.image + rows, 0, 255).astype(np.uint8)


def _clutter(layer: _Painting, room: Room, rng: np.random.Generator) -> None:
    z = room.edge_z
    _paper(layer, rng.uniform(-0.45, -0.3), z - 0.1, rng)
    _keyboard(layer, rng.uniform(-0.02, 0.02), z - 0.13)
    side = 1.0 if rng.random() < 0.5 else -1.0
    _mug(layer, side * rng.uniform(0.36, 0.5), z - rng.uniform(0.05, 0.1), rng)
    if rng.random() < 0.5:
        _laptop(layer, -side * rng.uniform(0.5, 0.58), z - 0.16)
    elif rng.random() < 0.6:
        _plant(layer, -side * rng.uniform(0.48, 0.56), z - 0.05, rng)


def _paper(layer: _Painting, x: float, z: float, rng: np.random.Generator) -> None:
    turn = rng.uniform(-0.3, 0.3)
    c, s = np.cos(turn), np.sin(turn)
    corners = [(-0.1, -0.07), (0.1, -0.07), (0.1, 0.07), (-0.1, 0.07)]
    layer.fill(layer.on_desk([(x + a * c - b * s, 0.0, z + a * s + b * c) for a, b in corners]), (228, 232, 234))


def _keyboard(layer: _Painting, x: float, z: float) -> None:
    def slab(left: float, right: float, back: float, front: float, height: float, colour: Colour) -> None:
        corners = [(left, height, back), (right, height, back), (right, height, front), (left, height, front)]
        layer.fill(layer.on_desk(corners), colour)

    for w, d, height, colour in ((0.22, 0.065, 0.0, (40, 40, 42)), (0.22 - 0.002, 0.065 - 0.002, 0.012, (70, 70, 74))):
        slab(x - w, x + w, z + d, z - d, height, colour)
    for row in range(5):
        for column in range(15):
            left, back = x - 0.21 + column * 0.028, z + 0.055 - row * 0.024
            slab(left, left + 0.022, back, back - 0.019, 0.016, (36, 36, 38))


def _mug(layer: _Painting, x: float, z: float, rng: np.random.Generator) -> None:
    colour = CLOTH_COLOURS[int(rng.integers(len(CLOTH_COLOURS)))]
    foot, rim, handle = layer.on_desk([(x, 0.0, z), (x, 0.1, z), (x + 0.05, 0.05, z)])
    scale = layer.view.pixels_per_metre(np.array([x, DESK_HEIGHT_M, z]))
    r = 0.042 * scale
    ring = np.vstack([ellipse(handle, 0.028 * scale, 0.03 * scale), ellipse(handle, 0.028 * scale, 0.03 * scale)[:1]])
    for target, value in ((layer.image, colour), (layer.mask, 255)):
        cv2.polylines(target, fixed(ring), False, value, max(2, round(0.009 * scale)), cv2.LINE_AA, 4)
    for i in range(12):
        a, b = -1 + 2 * i / 12, -1 + 2 * (i + 1) / 12
        glow = 0.62 + 0.5 * (1 - abs((a + b) / 2 + 0.35))
        strip = _band(rim, (a * r, b * r + 1), foot, (a * r * 0.92, b * r * 0.92 + 1))
        layer.fill(
            strip, (min(255, int(colour[0] * glow)), min(255, int(colour[1] * glow)), min(255, int(colour[2] * glow)))
        )
    layer.fill(ellipse(rim, r, r * 0.42), colour)
    layer.fill(ellipse((rim[0], rim[1] + 1), r * 0.86, r * 0.34), (24, 36, 54))


def _laptop(layer: _Painting, x: float, z: float) -> None:
    lean = 0.06
    lid = [(x - 0.17, 0.0, z), (x + 0.17, 0.0, z), (x + 0.17, 0.2, z - lean), (x - 0.17, 0.2, z - lean)]
    layer.fill(layer.on_desk(lid), (150, 150, 152))
    layer.fill(ellipse(layer.on_desk([(x, 0.11, z - lean / 2)])[0], 9, 9), (176, 176, 178))


def _plant(layer: _Painting, x: float, z: float, rng: np.random.Generator) -> None:
    scale = layer.view.pixels_per_metre(np.array([x, DESK_HEIGHT_M, z]))
    foot, rim = layer.on_desk([(x, 0.0, z), (x, 0.085, z)])
    r = 0.05 * scale
    for _ in range(34):
        angle, length = rng.uniform(-1.35, 1.35), rng.uniform(0.07, 0.15) * scale
        tip = rim + np.array([np.sin(angle), -np.cos(angle)]) * length
        side = np.array([np.cos(angle), np.sin(angle)]) * 0.012 * scale
        middle = (rim + tip) / 2
        green = (int(rng.integers(40, 70)), int(rng.integers(90, 160)), int(rng.integers(50, 90)))
        layer.fill(np.array([rim, middle + side, tip, middle - side]), green)
    layer.fill(_band(rim, (-r, r), foot, (-r * 0.75, r * 0.75)), (150, 170, 200))


def _band(
    upper: NDArray[np.float64], above: tuple[float, float], lower: NDArray[np.float64], below: tuple[float, float]
) -> NDArray[np.float64]:
    """`(4, 2)`: from x offsets `above` around one place to x offsets `below` around another, pixels."""
    (ux, uy), (lx, ly) = upper, lower
    return np.array([(ux + above[0], uy), (ux + above[1], uy), (lx + below[1], ly), (lx + below[0], ly)])
