"""Head and face, in metres from the middle of the head: x right, y up, z towards the camera when the head looks ahead."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from posture_daemon.fake_desk.canvas import Canvas, Points
from posture_daemon.fake_desk.draw_body import Figure, tinted
from posture_daemon.fake_desk.shapes import closed, ellipse, mirrored, open_curve

FACE = (
    (0.0, 0.122, 0.02), (0.036, 0.116, 0.02), (0.061, 0.088, 0.015), (0.072, 0.045, 0.01), (0.073, 0.0, 0.01),
    (0.069, -0.04, 0.02), (0.058, -0.075, 0.04), (0.04, -0.1, 0.06), (0.018, -0.114, 0.07), (0.0, -0.116, 0.072),
)  # fmt: skip


@dataclass(frozen=True)
class Head:
    """A figure's head, ready to be drawn on."""

    figure: Figure

    @property
    def scale(self) -> float:
        """Pixels per metre at the head."""
        return self.figure.view.pixels_per_metre(self.figure.bones.head)

    def place(self, points: Sequence[Sequence[float]] | Points) -> Points:
        """Map local points to pixels; `(n, 2)` points are laid on the face, `(n, 3)` are taken as they are."""
        p = np.array(points, dtype=np.float64)
        if p.shape[1] == 2:
            p = np.column_stack([p, _depth(p)])
        p[:, 0] *= self.figure.person.face_width
        bones = self.figure.bones
        return self.figure.view.project(bones.head + (p * self.figure.person.height) @ bones.turn.T)

    def both(self, points: Sequence[Sequence[float]]) -> tuple[Points, Points]:
        """Map a feature of the right side and its mirror image."""
        right = np.array(points, dtype=np.float64)
        left = right.copy()
        left[:, 0] *= -1.0
        return self.place(right), self.place(left)


def _depth(points: Points) -> Points:
    """`(n,)`: how far the front of the face stands out at local x, y."""
    rounding = 1.0 - (points[:, 0] / 0.085) ** 2 - 0.35 * (points[:, 1] / 0.14) ** 2
    depth: Points = 0.095 * np.sqrt(np.maximum(0.02, rounding))
    return depth


def draw_face(canvas: Canvas, head: Head) -> None:
    """Paint ears, face and features; hair, beard and glasses come later."""
    person, scale = head.figure.person, head.scale
    skin = person.skin
    skull = [(0.0, 0.12, -0.06), (0.06, 0.09, -0.06), (0.07, 0.03, -0.06), (0.04, -0.05, -0.05)]
    canvas.flat(closed(head.place(mirrored(skull))), tinted(skin, 0.8))
    for ear in head.both([(0.07, 0.03, -0.01), (0.088, 0.03, -0.02), (0.084, -0.01, -0.015), (0.07, -0.03, 0.0)]):
        canvas.flat(closed(ear), tinted(skin, 0.82))
    canvas.part(closed(head.place(mirrored(FACE))), skin, 0.062 * scale, shadow=0.45)
    _model(canvas, head)
    _draw_eyes(canvas, head)
    _draw_nose(canvas, head)
    _draw_mouth(canvas, head)


def _model(canvas: Canvas, head: Head) -> None:
    """Shape the face by soft light and shadow: eye sockets, cheeks, nose, chin."""
    s = head.scale
    for x in (-0.032, 0.032):
        canvas.dim(head.place([(x, 0.014)])[0], (0.021 * s, 0.014 * s), (0.8, 0.79, 0.84))
        canvas.dim(head.place([(x * 1.35, -0.035)])[0], (0.022 * s, 0.02 * s), (0.97, 0.96, 1.02))
    side = -0.013 if head.figure.view.x > canvas.light.key_side else 0.013
    canvas.dim(head.place([(side, -0.02, 0.095)])[0], (0.009 * s, 0.025 * s), (0.84, 0.84, 0.88))
    canvas.dim(head.place([(0.0, -0.02, 0.115)])[0], (0.008 * s, 0.02 * s), (1.12, 1.11, 1.1))
    canvas.dim(head.place([(0.0, -0.09)])[0], (0.022 * s, 0.008 * s), (0.86, 0.86, 0.89))
    canvas.dim(head.place([(0.0, 0.07)])[0], (0.04 * s, 0.025 * s), (1.06, 1.06, 1.06))


def _draw_eyes(canvas: Canvas, head: Head) -> None:
    person, s = head.figure.person, head.scale
    almond = [(0.018, 0.003), (0.025, 0.0088), (0.034, 0.0095), (0.044, 0.0045), (0.035, -0.0015), (0.025, -0.0015)]
    for eye in head.both(almond):
        canvas.flat(closed(eye, 4), (196, 204, 210))
    for iris in head.both([(0.0312, 0.0042)]):
        canvas.flat(ellipse(iris[0], 0.006 * s, 0.0058 * s), (38, 52, 70))
        canvas.flat(ellipse(iris[0], 0.003 * s, 0.003 * s), (14, 14, 16))
        canvas.flat(ellipse(iris[0] + (0.0018 * s, -0.002 * s), 0.0013 * s, 0.0013 * s), (240, 240, 240))
    for lid in head.both([(0.0165, 0.002), (0.0245, 0.0088), (0.034, 0.0098), (0.0465, 0.0045)]):
        canvas.line(open_curve(lid), tinted(person.skin, 0.34), 0.0038 * s)
    for crease in head.both([(0.019, 0.0095), (0.031, 0.0148), (0.046, 0.0095)]):
        canvas.line(open_curve(crease), tinted(person.skin, 0.78), 0.002 * s)
    thick = 0.0045 * person.brow
    brow = [(0.013, 0.025), (0.03, 0.032 + thick / 2), (0.051, 0.025), (0.03, 0.031 - thick), (0.014, 0.0245 - thick)]
    colour = tinted(person.hair, 0.8) if person.hair_style != "bald" else (40, 48, 58)
    for shape in head.both(brow):
        canvas.flat(closed(shape, 4), colour)


def _draw_nose(canvas: Canvas, head: Head) -> None:
    person, s = head.figure.person, head.scale
    dark = tinted(person.skin, 0.52)
    for nostril in head.both([(0.0075, -0.0425, 0.105)]):
        canvas.flat(ellipse(nostril[0], 0.0042 * s, 0.0022 * s), dark)
    for wing in head.both([(0.0135, -0.03, 0.096), (0.0165, -0.038, 0.094), (0.013, -0.044, 0.096)]):
        canvas.line(open_curve(wing), tinted(person.skin, 0.76), 0.0024 * s)
    tip = head.place([(-0.008, -0.046, 0.105), (0.0, -0.0485, 0.11), (0.008, -0.046, 0.105)])
    canvas.line(open_curve(tip), tinted(person.skin, 0.74), 0.0024 * s)


def _draw_mouth(canvas: Canvas, head: Head) -> None:
    s = head.scale
    b, g, r = head.figure.person.skin
    lip = (b * 0.68, g * 0.62, min(255.0, r * 0.86))
    upper = [(-0.024, -0.0675), (-0.011, -0.063), (0.0, -0.0645), (0.011, -0.063), (0.024, -0.0675), (0.0, -0.0685)]
    lower = [(-0.022, -0.0685), (0.0, -0.0695), (0.022, -0.0685), (0.012, -0.0775), (0.0, -0.079), (-0.012, -0.0775)]
    canvas.flat(closed(head.place(upper), 4), tinted(lip, 0.88))
    canvas.flat(closed(head.place(lower), 4), lip)
    seam = [(-0.025, -0.0675), (-0.01, -0.0685), (0.0, -0.0692), (0.01, -0.0685), (0.025, -0.0675)]
    canvas.line(open_curve(head.place(seam)), tinted(lip, 0.5), 0.0022 * s)
