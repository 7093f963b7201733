"""Hair, beards, glasses and headphones, in the head's local coordinates (see `draw_head`)."""

from dataclasses import dataclass

import numpy as np

from posture_daemon.fake_desk import chance
from posture_daemon.fake_desk.canvas import Canvas, Points
from posture_daemon.fake_desk.draw_body import Figure, tinted
from posture_daemon.fake_desk.draw_head import Head
from posture_daemon.fake_desk.shapes import closed, ellipse, mirrored, open_curve


@dataclass(frozen=True)
class Cut:
    """A haircut: how far it stands out at top and sides, how far down it goes, metres."""

    top: float = 0.02
    side: float = 0.008
    drop: float = 0.02  # y where the hair ends beside the face
    line: float = 0.074  # y of the hairline in the middle
    part: float = 0.0  # x of the parting
    fall: float | None = None  # y where hair behind the neck ends
    bumps: float = 0.0


CUTS = {
    "short": Cut(top=0.022, side=0.006, drop=0.005, line=0.074),
    "long": Cut(top=0.02, side=0.014, drop=-0.1, line=0.08, part=0.01, fall=-0.28),
    "parted": Cut(top=0.034, side=0.007, drop=0.0, line=0.074, part=0.035),
    "curly": Cut(top=0.055, side=0.04, drop=-0.03, line=0.072, bumps=0.01, fall=-0.06),
    "bob": Cut(top=0.022, side=0.024, drop=-0.105, line=0.05, fall=-0.12),
    "bun": Cut(top=0.013, side=0.004, drop=0.01, line=0.084),
    "buzz": Cut(top=0.006, side=0.002, drop=0.01, line=0.078),
}


def draw_back_hair(canvas: Canvas, head: Head) -> None:
    """Paint the hair that hangs behind neck and shoulders, and a bun."""
    cut = CUTS.get(head.figure.person.hair_style)
    if cut is None:
        return
    colour = tinted(head.figure.person.hair, 0.75)
    if cut.fall is not None:
        wide = 0.075 + cut.side
        half = [(0.0, 0.1, -0.05), (wide * 0.8, 0.08, -0.05), (wide, 0.0, -0.05), (wide * 1.12, cut.fall * 0.6, -0.05)]
        right = [*half, (wide * 0.95, cut.fall, -0.05)]
        canvas.part(closed(head.place(mirrored(right))), colour, 0.03 * head.scale)
    if head.figure.person.hair_style == "bun":
        knot = head.place([(0.0, 0.15, -0.06)])[0]
        canvas.part(ellipse(knot, 0.04 * head.scale, 0.034 * head.scale), head.figure.person.hair, 0.025 * head.scale)


def draw_hair(canvas: Canvas, head: Head) -> None:
    """Paint the hair over forehead and temples, with strands."""
    cut = CUTS.get(head.figure.person.hair_style)
    if cut is None:
        return
    colour = head.figure.person.hair
    outline = head.place(_cap(cut, head.figure.person.number))
    canvas.part(outline, colour, 0.03 * head.scale, shadow=0.25)
    if cut.top > 0.01:
        _draw_strands(canvas, head, cut)


def _cap(cut: Cut, number: int) -> Points:
    """`(n, 3)`: over the top from the left temple to the right, and back along the hairline."""
    angles = np.linspace(-0.05, np.pi + 0.05, 49)[::-1]
    rng = chance.generator(0x4A1, number)
    curls = np.abs(np.sin(angles * 8.0)) + rng.normal(0, 0.06, len(angles))
    ragged = 1.0 + (cut.bumps / 0.09) * curls + rng.normal(0, 0.004, len(angles))
    outer_x = (0.074 + cut.side) * np.cos(angles) * ragged
    outer_y = 0.02 + (0.102 + cut.top) * np.sin(angles) * ragged
    outer = np.column_stack([outer_x, outer_y, np.full(len(angles), -0.005)])
    edge = 0.074 + cut.side * 0.8
    right = [
        (edge, cut.drop, 0.0),
        (0.066, cut.drop + 0.005, 0.03),
        (0.0655, 0.03, 0.04),
        (0.056, 0.8 * cut.line, 0.06),
    ]
    left = [(-x, y, z) for x, y, z in right[::-1]]
    middle = [(cut.part + 0.025, cut.line, 0.075), (cut.part, cut.line + 0.006, 0.08), (-0.03, cut.line, 0.075)]
    return np.vstack([outer, open_curve([*right, *middle, *left], 4)])


def _draw_strands(canvas: Canvas, head: Head, cut: Cut) -> None:
    """Draw single strands from the parting outwards, some lighter, some darker than the hair."""
    person = head.figure.person
    rng = chance.generator(0x57A, person.number)
    x = np.linspace(-0.06, 0.06, 17) + rng.normal(0, 0.002, 17)
    edge = np.interp(np.abs(x), (0.0, 0.03, 0.058, 0.066), (cut.line, cut.line, 0.8 * cut.line, 0.035)) + 0.006
    crown = np.maximum(edge, 0.014 + (0.102 + cut.top) * np.sqrt(np.maximum(0.05, 1 - (x / 0.08) ** 2)))
    root = np.stack([cut.part * 0.5 + x * 0.55, crown, np.full(17, 0.02)], axis=1)
    end = np.stack([x * 1.03, edge, 0.07 - 0.5 * np.abs(x)], axis=1)
    bent = (root[:, 0] + end[:, 0]) / 2 + 0.12 * x
    middle = np.stack([bent, edge + 0.62 * (crown - edge), np.full(17, 0.055)], axis=1)
    strands = head.place(np.stack([root, middle, end], axis=1).reshape(-1, 3)).reshape(17, 3, 2)
    for strand in strands:
        canvas.line(open_curve(strand, 3), tinted(person.hair, rng.uniform(0.7, 1.3)), 1.0)


def draw_beard(canvas: Canvas, head: Head) -> None:
    """Paint a full beard, a moustache, or the shadow of a beard."""
    person = head.figure.person
    if person.beard == "none":
        return
    if person.beard == "stubble":
        canvas.dim(head.place([(0.0, -0.08)])[0], (0.055 * head.scale, 0.035 * head.scale), (0.8, 0.76, 0.72))
        return
    dark = tinted(person.hair, 0.85)
    lip = [(0.0, -0.053), (0.02, -0.057), (0.032, -0.07), (0.02, -0.0645), (0.0, -0.0615)]
    if person.beard == "full":
        _draw_full_beard(canvas, head)
    canvas.part(closed(head.place(mirrored(lip)), 4), dark, 0.006 * head.scale, shadow=0.2)


def _draw_full_beard(canvas: Canvas, head: Head) -> None:
    """Paint a beard from ear to ear that leaves the mouth free."""
    half = [(0.074, 0.005, 0.0), (0.073, -0.04, 0.02), (0.063, -0.085, 0.04), (0.042, -0.115, 0.06)]
    half += [(0.0, -0.131, 0.075)]
    inner = [(0.0, -0.088, 0.1), (0.026, -0.082, 0.09), (0.03, -0.06, 0.088), (0.045, -0.05, 0.07)]
    inner += [(0.064, -0.02, 0.03)]
    back = [(-x, y, z) for x, y, z in inner[::-1]]
    outline = np.vstack([open_curve(head.place(mirrored(half))), open_curve(head.place([*back, *inner[1:]]))])
    canvas.part(outline, tinted(head.figure.person.hair, 0.85), 0.02 * head.scale, shadow=0.15)


def draw_glasses(canvas: Canvas, head: Head) -> None:
    """Paint a frame with two glasses that mirror the screen a little."""
    kind = head.figure.person.glasses
    if kind == "none":
        return
    width, height = (0.021, 0.019) if kind == "round" else (0.025, 0.016)
    power = 2.0 if kind == "round" else 3.5
    t = np.linspace(0, 2 * np.pi, 24, endpoint=False)
    x = 0.032 + width * np.sign(np.cos(t)) * np.abs(np.cos(t)) ** (2 / power)
    y = 0.003 + height * np.sign(np.sin(t)) * np.abs(np.sin(t)) ** (2 / power)
    colour = (34, 32, 36) if kind == "square" else (40, 60, 96)
    for rim in head.both(np.column_stack([x, y, np.full(24, 0.1)]).tolist()):
        canvas.line(np.vstack([rim, rim[:1]]), colour, 0.0042 * head.scale)
        shine = rim.mean(axis=0) + (rim[20] - rim.mean(axis=0)) * 0.4
        canvas.dim(shine, (0.012 * head.scale, 0.008 * head.scale), (1.22, 1.16, 1.1))
    canvas.line(head.place([(-0.011, 0.006, 0.104), (0.011, 0.006, 0.104)]), colour, 0.0042 * head.scale)
    for temple in head.both([(0.032 + width, 0.008, 0.1), (0.074, 0.01, 0.01)]):
        canvas.line(temple, colour, 0.0035 * head.scale)


def draw_headphones(canvas: Canvas, head: Head) -> None:
    """Paint a band over the hair and two cups on the ears."""
    if not head.figure.clothes.headphones:
        return
    cut = CUTS.get(head.figure.person.hair_style, Cut(top=0.0, side=0.0))
    reach, top = 0.082 + cut.side * 0.6, 0.128 + cut.top * 0.8
    angles = np.linspace(0, np.pi, 15)
    band = np.column_stack([reach * np.cos(angles), 0.015 + (top - 0.015) * np.sin(angles), np.full(15, -0.005)])
    canvas.line(head.place(band), (44, 42, 42), 0.013 * head.scale)
    for side in (-1.0, 1.0):
        cup = head.place([(side * (reach + 0.004), 0.008, 0.0)])[0]
        canvas.part(ellipse(cup, 0.017 * head.scale, 0.036 * head.scale), (48, 46, 46), 0.012 * head.scale)


def draw_head_dress(canvas: Canvas, figure: Figure) -> None:
    """Paint everything that is worn on or grows from a head, over the face."""
    head = Head(figure)
    draw_beard(canvas, head)
    draw_hair(canvas, head)
    draw_glasses(canvas, head)
    draw_headphones(canvas, head)
