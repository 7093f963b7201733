"""Chairs. Local coordinates: metres from the middle of the seat, x right, y up from the floor, z to the back."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from posture_daemon.fake_desk.canvas import Canvas, Points
from posture_daemon.fake_desk.draw_body import tinted
from posture_daemon.fake_desk.room import Room, View
from posture_daemon.fake_desk.shapes import closed, ellipse, limb, mirrored, open_curve

SEAT_M = 0.47


@dataclass(frozen=True)
class Chair:
    """A room's chair where it stands in one moment."""

    room: Room
    view: View
    x: float
    z: float  # pushed back from its place at the desk
    yaw: float

    @property
    def scale(self) -> float:
        """Pixels per metre at the backrest."""
        return self.view.pixels_per_metre(np.array([self.x, 0.9, self.room.seat_z + self.z]))

    def place(self, points: Sequence[Sequence[float]] | Points) -> Points:
        """Turn and move local points `(n, 3)` and map them to pixels."""
        p = np.asarray(points, dtype=np.float64)
        c, s = np.cos(self.yaw), np.sin(self.yaw)
        x, z = p[:, 0] * c - p[:, 2] * s, p[:, 0] * s + p[:, 2] * c
        middle = (self.x, 0.0, self.room.seat_z + 0.05 + self.z)
        return self.view.project(np.column_stack([x, p[:, 1], z]) + middle)


BACK_Z = 0.2


def draw_chair(canvas: Canvas, chair: Chair) -> None:
    """Paint the room's chair."""
    _MAKERS[chair.room.chair](canvas, chair)


def _plate(canvas: Canvas, chair: Chair, half: Sequence[Sequence[float]], factor: float = 1.0) -> None:
    """Paint a mirrored, padded piece of the backrest: `half` is its right side (x, y), top to bottom."""
    right = [(x, y, BACK_Z) for x, y in half]
    outline = closed(chair.place(mirrored(right)))
    canvas.part(outline, tinted(chair.room.chair_colour, factor), 0.04 * chair.scale)


def _seat(canvas: Canvas, chair: Chair) -> None:
    corners = [(-0.24, -0.2), (0.24, -0.2), (0.25, 0.1), (0.2, 0.2), (-0.2, 0.2), (-0.25, 0.1)]
    for y, factor in ((SEAT_M - 0.07, 0.6), (SEAT_M, 1.0)):
        outline = closed(chair.place([(x, y, z) for x, z in corners]))
        canvas.part(outline, tinted(chair.room.chair_colour, factor), 0.03 * chair.scale)


def _armrests(canvas: Canvas, chair: Chair) -> None:
    for s in (-0.3, 0.3):
        foot, top, back, front = chair.place([(s, 0.45, 0.02), (s, 0.64, 0.02), (s, 0.66, 0.12), (s, 0.66, -0.16)])
        canvas.part(limb(foot, 0.02 * chair.scale, top, 0.02 * chair.scale), (40, 40, 40), 0.02 * chair.scale)
        canvas.part(limb(back, 0.03 * chair.scale, front, 0.033 * chair.scale), (48, 46, 46), 0.02 * chair.scale)


def _office(canvas: Canvas, chair: Chair) -> None:
    post = chair.place([(0.0, 0.5, BACK_Z + 0.02), (0.0, 1.2, BACK_Z + 0.02)])
    canvas.part(limb(post[0], 0.04 * chair.scale, post[1], 0.03 * chair.scale), (36, 36, 36), 0.03 * chair.scale)
    _seat(canvas, chair)
    back = [(0.0, 1.08), (0.14, 1.075), (0.2, 1.02), (0.225, 0.85), (0.22, 0.66), (0.18, 0.6), (0.0, 0.59)]
    _plate(canvas, chair, back)
    _plate(canvas, chair, [(0.0, 1.29), (0.1, 1.285), (0.135, 1.24), (0.12, 1.16), (0.0, 1.15)])
    crease = chair.place([(-0.2, 0.8, BACK_Z - 0.01), (0.0, 0.785, BACK_Z - 0.01), (0.2, 0.8, BACK_Z - 0.01)])
    canvas.line(open_curve(crease), tinted(chair.room.chair_colour, 0.55), 0.008 * chair.scale)
    _armrests(canvas, chair)


def _gaming(canvas: Canvas, chair: Chair) -> None:
    _seat(canvas, chair)
    half = [
        (0.0, 1.36), (0.11, 1.35), (0.15, 1.28), (0.15, 1.17), (0.25, 1.1), (0.26, 0.95), (0.2, 0.75), (0.23, 0.58),
        (0.0, 0.52),
    ]  # fmt: skip
    _plate(canvas, chair, half)
    for s in (-1.0, 1.0):
        stripe = [
            (s * 0.14, 1.14), (s * 0.22, 1.07), (s * 0.235, 0.96), (s * 0.175, 0.76), (s * 0.14, 0.78),
            (s * 0.17, 0.96),
        ]  # fmt: skip
        outline = closed(chair.place([(x, y, BACK_Z - 0.01) for x, y in stripe]))
        canvas.part(outline, chair.room.trim, 0.02 * chair.scale)
        hole = [(s * 0.05, 1.25), (s * 0.11, 1.245), (s * 0.1, 1.21), (s * 0.055, 1.215)]
        canvas.flat(closed(chair.place([(x, y, BACK_Z - 0.01) for x, y in hole])), (24, 24, 26))
    _plate(canvas, chair, [(0.0, 0.76), (0.12, 0.755), (0.14, 0.7), (0.12, 0.63), (0.0, 0.625)], 1.5)
    _armrests(canvas, chair)


def _wooden(canvas: Canvas, chair: Chair) -> None:
    colour = chair.room.chair_colour
    for s in (-0.2, 0.2):
        low, high = chair.place([(s, 0.1, BACK_Z), (s * 1.06, 1.02, BACK_Z + 0.03)])
        canvas.part(limb(low, 0.02 * chair.scale, high, 0.022 * chair.scale), tinted(colour, 0.9), 0.018 * chair.scale)
    for x in (-0.1, 0.0, 0.1):
        low, high = chair.place([(x, 0.5, BACK_Z), (x * 1.05, 0.98, BACK_Z + 0.03)])
        bar = limb(low, 0.014 * chair.scale, high, 0.014 * chair.scale)
        canvas.part(bar, tinted(colour, 0.85), 0.012 * chair.scale)
    rail = [(0.0, 1.06), (0.2, 1.03), (0.235, 0.99), (0.21, 0.93), (0.0, 0.955)]
    _plate(canvas, chair, rail)
    _seat(canvas, chair)


def _mesh(canvas: Canvas, chair: Chair) -> None:
    _seat(canvas, chair)
    _plate(canvas, chair, [(0.0, 1.12), (0.16, 1.11), (0.22, 1.04), (0.235, 0.8), (0.2, 0.6), (0.0, 0.57)], 0.7)
    inner = [(0.0, 1.09), (0.14, 1.08), (0.195, 1.02), (0.21, 0.8), (0.175, 0.63), (0.0, 0.6)]
    _plate(canvas, chair, inner, 1.7)
    for y in np.linspace(0.64, 1.06, 15):
        wide = 0.18 if 0.66 < y < 1.02 else 0.14
        line = chair.place([(-wide, y, BACK_Z - 0.005), (0.0, y - 0.012, BACK_Z + 0.01), (wide, y, BACK_Z - 0.005)])
        canvas.line(open_curve(line), tinted(chair.room.chair_colour, 1.05), 0.004 * chair.scale)
    lumbar = ellipse(chair.place([(0.0, 0.74, BACK_Z - 0.01)])[0], 0.14 * chair.scale, 0.03 * chair.scale)
    canvas.part(lumbar, tinted(chair.room.chair_colour, 0.75), 0.02 * chair.scale)
    _armrests(canvas, chair)


_MAKERS = {"office": _office, "gaming": _gaming, "wooden": _wooden, "mesh": _mesh}
