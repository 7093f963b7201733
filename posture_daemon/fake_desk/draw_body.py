"""Trunk, neck, arms and hands."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from posture_daemon.fake_desk import fabric
from posture_daemon.fake_desk.canvas import Canvas, Colour, Joint, Patch, Points
from posture_daemon.fake_desk.people import Clothes, Person
from posture_daemon.fake_desk.room import View
from posture_daemon.fake_desk.shapes import closed, cuff, ellipse, limb, mirrored, open_curve
from posture_daemon.fake_desk.skeleton import SEATED_HIP_M, Arm, Skeleton, Vec, vec

TROUSERS: tuple[Colour, ...] = ((96, 70, 50), (50, 48, 46), (120, 140, 160), (70, 60, 60))


@dataclass(frozen=True)
class Figure:
    """One person in one pose before one camera; everything the drawing of a body needs."""

    person: Person
    clothes: Clothes
    bones: Skeleton
    view: View

    def at(self, point: Vec) -> Points:
        """Project one joint: `(2,)` pixels."""
        place: Points = self.view.project(point[None])[0]
        return place


def tinted(colour: Colour, factor: float) -> Colour:
    """Return a darker (below 1) or lighter colour."""
    b, g, r = (min(255.0, c * factor) for c in colour)
    return b, g, r


def draw_trunk(canvas: Canvas, figure: Figure) -> None:
    """Paint trousers and the garment over them."""
    if figure.bones.hip[1] > SEATED_HIP_M + 0.03:  # a sitter's legs are under the desk
        _draw_legs(canvas, figure)
    bones, clothes = figure.bones, figure.clothes
    outline = closed(figure.view.project(_trunk_outline(figure)))
    scale = figure.view.pixels_per_metre(bones.waist)
    up, across, width = vec(0, 1, 0), bones.across, 0.21 * figure.person.width
    corners = (
        bones.chest - across * width + 0.02 * up,
        bones.chest + across * width + 0.02 * up,
        bones.hip + across * width,
        bones.hip - across * width,
    )
    patch = Patch(fabric.tile(clothes), figure.view.project(np.array(corners)))
    canvas.part(outline, clothes.colour, 0.075 * scale, patch)


def _trunk_outline(figure: Figure) -> Vec:
    """`(n, 3)`: neck, shoulders, waist and hips, clockwise from the left of the neck."""
    bones, w = figure.bones, figure.person.width
    up = bones.chest - bones.waist
    up = up / np.linalg.norm(up)
    r = bones.across
    sides = []
    for s, arm in ((-1.0, bones.arms[0]), (1.0, bones.arms[1])):
        sides.append(
            [
                bones.chest + r * s * 0.058 + up * 0.03,
                (bones.chest + r * s * 0.06 + arm.shoulder + vec(0, 0.07, 0)) / 2,
                arm.shoulder + r * s * 0.01 + vec(0, 0.048, 0),
                arm.shoulder + r * s * 0.05 + vec(0, 0.012, 0),
                arm.shoulder + r * s * 0.045 - up * 0.09,
                bones.waist + r * s * 0.172 * w + up * 0.09,
                bones.waist + r * s * 0.165 * w - up * 0.05,
                bones.hip + r * s * 0.185 * w,
                bones.hip + r * s * 0.185 * w - vec(0, 0.09, 0),
            ]
        )
    return np.array([*sides[1], *sides[0][::-1]])


def _draw_legs(canvas: Canvas, figure: Figure) -> None:
    """Paint the thighs, which show only when the person stands."""
    bones = figure.bones
    colour = TROUSERS[figure.clothes.pattern_key % len(TROUSERS)]
    scale = figure.view.pixels_per_metre(bones.hip)
    for s in (-1.0, 1.0):
        top = bones.hip + bones.across * s * 0.09
        foot = top + vec(s * 0.02, -0.86, 0.0)
        outline = limb(figure.at(top), 0.1 * scale, figure.at(foot), 0.06 * scale)
        canvas.part(outline, colour, 0.06 * scale)


def draw_neck(canvas: Canvas, figure: Figure) -> None:
    """Paint neck and collar."""
    bones, person = figure.bones, figure.person
    scale = figure.view.pixels_per_metre(bones.throat)
    low, high = figure.at(bones.chest - vec(0, 0.01, 0.02)), figure.at(bones.throat + vec(0, 0.05, 0))
    radius = 0.053 * scale * (0.9 + 0.1 * person.width)
    canvas.part(limb(low, radius * 1.08, high, radius), person.skin, 0.045 * scale)
    canvas.dim(figure.at(bones.throat - vec(0, 0.01, 0)), (0.09 * scale, 0.05 * scale), (0.62, 0.6, 0.64))
    _draw_collar(canvas, figure, scale)


def _draw_collar(canvas: Canvas, figure: Figure, scale: float) -> None:
    """Paint what the garment does at the neck: a round seam, a hood, or a shirt's collar."""
    garment, colour = figure.clothes.garment, figure.clothes.colour
    origin = figure.at(figure.bones.chest)
    across = figure.at(figure.bones.chest + figure.bones.across) - origin
    across = across / np.linalg.norm(across)
    turn = np.array([across, (-across[1], across[0])]) * scale

    def place(points: Sequence[Sequence[float]] | Points) -> Points:
        placed: Points = np.array(points) @ turn + origin + np.array([0.0, 0.005 * scale])
        return placed

    if garment in ("shirt", "check"):
        _draw_shirt_collar(canvas, place, colour, scale)
    elif garment == "hoodie":
        _draw_hood(canvas, place, colour, scale)
    else:
        seam = [(-0.068, -0.045), (-0.057, 0.015), (-0.03, 0.052), (0.0, 0.064)]
        canvas.line(open_curve(place(mirrored(seam))), tinted(colour, 0.78), 0.016 * scale)


Place = Callable[[Sequence[Sequence[float]] | Points], Points]
"""Maps metres from the base of the neck (right, down, along the shoulders) to pixels."""


def _draw_shirt_collar(canvas: Canvas, place: Place, colour: Colour, scale: float) -> None:
    for side in (-1.0, 1.0):
        wing = [(side * x, y) for x, y in ((0.062, -0.05), (0.078, -0.02), (0.055, 0.055), (0.005, 0.05))]
        canvas.part(place(wing), tinted(colour, 1.08), 0.01 * scale)
    canvas.line(place([(0.0, 0.06), (0.003, 0.4)]), tinted(colour, 0.7), 0.006 * scale)
    for y in (0.09, 0.17, 0.25):
        canvas.flat(ellipse(place([(0.0, y)])[0], 0.006 * scale, 0.006 * scale), tinted(colour, 1.35))


def _draw_hood(canvas: Canvas, place: Place, colour: Colour, scale: float) -> None:
    outer = [(-0.07, -0.045), (-0.1, -0.02), (-0.085, 0.04), (-0.02, 0.09), (0.0, 0.06)]
    inner = [(0.06, -0.03), (0.045, 0.02), (0.0, 0.04)]
    outline = closed(place(np.vstack([mirrored(outer), mirrored(inner)])))
    canvas.part(outline, tinted(colour, 0.94), 0.02 * scale)
    for side in (-1.0, 1.0):
        cord = place([(side * 0.03, 0.07), (side * 0.036, 0.13), (side * 0.032, 0.19)])
        canvas.line(open_curve(cord), (225, 228, 230), 0.007 * scale)


def draw_upper_arm(canvas: Canvas, figure: Figure, arm: Arm) -> None:
    """Paint the upper arm in its sleeve, which grows out of the shoulder."""
    view, clothes = figure.view, figure.clothes
    top, low = figure.at(arm.shoulder - vec(0, 0.02, 0)), figure.at(arm.elbow)
    at_top, at_low = view.pixels_per_metre(arm.shoulder), view.pixels_per_metre(arm.elbow)
    joint = Joint(figure.at(arm.shoulder), 0.085 * at_top)
    if clothes.long_sleeves:
        patch = _sleeve_patch(figure, top, low, 0.06 * at_top)
        outline = limb(top, 0.05 * at_top, low, 0.047 * at_low)
        canvas.part(outline, clothes.colour, 0.04 * at_low, patch, shadow=0.12, joint=joint)
        return
    bare = limb(top, 0.044 * at_top, low, 0.039 * at_low)
    canvas.part(bare, figure.person.skin, 0.035 * at_low, shadow=0.12, joint=joint)
    hem, at_hem = top + (low - top) * 0.62, at_top + (at_low - at_top) * 0.62
    outline = cuff(top, 0.05 * at_top, hem, 0.054 * at_hem)
    patch = _sleeve_patch(figure, top, hem, 0.06 * at_top)
    canvas.part(outline, clothes.colour, 0.035 * at_hem, patch, shadow=0.12, joint=joint)


def _sleeve_patch(figure: Figure, start: Points, end: Points, radius: float) -> Patch | None:
    """Lay a strip of the cloth along a sleeve; plain cloth needs none."""
    if figure.clothes.garment not in fabric.PATTERNED:
        return None
    along = end - start
    side = np.array([along[1], -along[0]]) / max(1e-6, float(np.linalg.norm(along))) * radius
    quad = np.array([start + side, start - side, end - side, end + side])
    return Patch(fabric.tile(figure.clothes)[128:, :90], quad)


def draw_forearm(canvas: Canvas, figure: Figure, arm: Arm) -> None:
    """Paint forearm and hand."""
    view, person, clothes = figure.view, figure.person, figure.clothes
    elbow, wrist = figure.at(arm.elbow), figure.at(arm.wrist)
    near, far = view.pixels_per_metre(arm.elbow), view.pixels_per_metre(arm.wrist)
    _draw_hand(canvas, figure, arm, far)
    joint = Joint(elbow, 0.05 * near)
    if clothes.long_sleeves:
        outline = limb(elbow, 0.047 * near, wrist, 0.036 * far)
        patch = _sleeve_patch(figure, elbow, wrist, 0.05 * near)
        canvas.part(outline, clothes.colour, 0.035 * near, patch, shadow=0.12, joint=joint)
        return
    canvas.part(limb(elbow, 0.039 * near, wrist, 0.028 * far), person.skin, 0.03 * near, shadow=0.12, joint=joint)


def _draw_hand(canvas: Canvas, figure: Figure, arm: Arm, scale: float) -> None:
    """Paint a hand: a back and four fingers that go on from the forearm, or curl under the chin."""
    skin = figure.person.skin
    direction = arm.wrist - arm.elbow
    direction = direction / max(1e-6, float(np.linalg.norm(direction)))
    if arm.rests:
        direction = vec(direction[0] * 0.6, -0.12, direction[2])
    knuckles = arm.wrist + direction * 0.075
    wrist_px, knuckles_px = figure.at(arm.wrist), figure.at(knuckles)
    along = knuckles_px - wrist_px
    side = np.array([-along[1], along[0]]) / max(1.0, float(np.linalg.norm(along)))
    if arm.rests:
        side = np.array([1.0, 0.0])
    length = 0.03 if arm.props else 0.07
    reach = figure.at(knuckles + direction * length + vec(0, -0.02, 0)) - knuckles_px
    for i in range(4):
        root = knuckles_px + side * (i - 1.5) * 0.02 * scale
        finger = limb(root, 0.0115 * scale, root + reach * (0.85, 1.0, 1.0, 0.8)[i], 0.009 * scale)
        canvas.flat(finger, tinted(skin, 0.7))
        canvas.flat(limb(root, 0.009 * scale, root + reach * (0.82, 0.97, 0.97, 0.77)[i], 0.007 * scale), skin)
    canvas.part(limb(wrist_px, 0.03 * scale, knuckles_px, 0.04 * scale), skin, 0.025 * scale)
