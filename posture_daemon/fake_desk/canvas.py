"""A canvas of two layers: flat colours on the sensor, and a small map of light that is multiplied on top at the end.

Each painted part is given a soft relief made from its own outline: the outline is blurred into a hill, the slope of
the hill meets the light, and the part's shadow falls on whatever was painted before. The map of light is a fifth of
the sensor's size, which is why a frame takes milliseconds.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import cv2
import numpy as np
from numpy.typing import NDArray

from posture_daemon.domain import Image
from posture_daemon.fake_desk.light import Light
from posture_daemon.fake_desk.room import HEIGHT, WIDTH

Points = NDArray[np.float64]
"""`(n, 2)` sensor pixels, x then y."""

Colour = tuple[float, float, float] | tuple[int, int, int]

LIGHT_MAP_SHRINK = 5
"""The map of light is this many times smaller than the sensor."""

_FRACTION_BITS = 4
_SCREEN_DIRECTION = np.array([0.0, 0.3, 0.954], np.float32)
_CROSS = cv2.getStructuringElement(cv2.MORPH_CROSS, (3, 3))
_UNIT = 100.0
"""The 8-bit value of the map of light that stands for a factor of 1."""


def fixed(points: Points) -> list[NDArray[np.int32]]:
    """Turn pixels into OpenCV's fixed-point polygon, for edges that fall between pixels."""
    return [(points * (1 << _FRACTION_BITS)).astype(np.int32)]


@dataclass(frozen=True)
class Patch:
    """A pattern to lay on a part: `tile` is an image, its corners go to `quad` `(4, 2)` (clockwise from top left)."""

    tile: Image
    quad: Points


@dataclass(frozen=True, eq=False)
class Layer:
    """A picture to lay over the lower rows: `alpha` is `float32 (HEIGHT − top, WIDTH)`, and 1 from row `solid` on.

    `top` is a multiple of `LIGHT_MAP_SHRINK`; `small_alpha` is `alpha` for the map of light, `(rows, columns, 1)`.
    """

    image: Image
    alpha: NDArray[np.float32]
    top: int
    solid: int
    small_alpha: NDArray[np.float32]


def make_layer(image: Image, mask: NDArray[np.uint8]) -> Layer:
    """Soften the mask (255: opaque) a little and find the rows in which it matters."""
    alpha = np.asarray(cv2.GaussianBlur(mask, (0, 0), 0.7), np.float32) / np.float32(255)
    top = int(np.argmax((alpha > 0).any(axis=1))) // LIGHT_MAP_SHRINK * LIGHT_MAP_SHRINK
    alpha = alpha[top:]
    clear = np.flatnonzero((alpha < 1.0).any(axis=1))
    solid = top + (int(clear[-1]) + 1 if len(clear) else 0)
    small = cv2.resize(alpha, (WIDTH // LIGHT_MAP_SHRINK, len(alpha) // LIGHT_MAP_SHRINK), interpolation=cv2.INTER_AREA)
    return Layer(image, alpha, top, solid, np.asarray(small, np.float32)[:, :, None])


@dataclass(frozen=True, eq=False)
class Joint:
    """Where a part grows out of another one: a place `(2,)` and a radius, pixels."""

    place: Points
    radius: float


@dataclass
class Canvas:
    """One frame while it is being painted."""

    image: Image
    light: Light
    shade: NDArray[np.float32] = field(init=False)
    _touched: tuple[int, int, int, int] = (1 << 20, 1 << 20, 0, 0)

    def __post_init__(self) -> None:
        """Start with everything as bright as it was painted."""
        self.shade = np.ones((HEIGHT // LIGHT_MAP_SHRINK, WIDTH // LIGHT_MAP_SHRINK, 3), np.float32)

    def copy(self) -> Canvas:
        """Return a canvas on which one can paint on without changing this one."""
        twin = Canvas(self.image.copy(), self.light)
        twin.shade, twin._touched = self.shade.copy(), self._touched
        return twin

    def flat(self, outline: Points, colour: Colour) -> None:
        """Fill an outline without any relief: markings, eyes, letters."""
        cv2.fillPoly(self.image, fixed(outline), colour, cv2.LINE_AA, _FRACTION_BITS)

    def line(self, points: Points, colour: Colour, width: float) -> None:
        """Draw an open line, `width` pixels."""
        thickness = max(1, round(width))
        cv2.polylines(self.image, fixed(points), False, colour, thickness, cv2.LINE_AA, _FRACTION_BITS)

    def part(
        self,
        outline: Points,
        colour: Colour,
        relief: float,
        patch: Patch | None = None,
        *,
        shadow: float = 0.3,
        joint: Joint | None = None,
    ) -> None:
        """Paint a body with a round edge `relief` pixels wide, and let its shadow fall on what is behind it.

        Around `joint` the part keeps the light of what it grows out of, so that no seam shows.
        """
        self.flat(outline, colour)
        if patch is not None:
            self._lay(outline, patch)
        self._raise(outline / LIGHT_MAP_SHRINK, max(1, round(relief / LIGHT_MAP_SHRINK)), shadow, joint)

    def dim(self, centre: Points, radius: tuple[float, float], factor: Colour) -> None:
        """Multiply the light around `centre` `(2,)` by up to `factor` (BGR), softly within `radius` (x, y) pixels."""
        rx, ry = max(1.0, radius[0] / LIGHT_MAP_SHRINK), max(1.0, radius[1] / LIGHT_MAP_SHRINK)
        cx, cy = centre[0] / LIGHT_MAP_SHRINK, centre[1] / LIGHT_MAP_SHRINK
        box = _clip(cx - 2 * rx, cy - 2 * ry, cx + 2 * rx + 1, cy + 2 * ry + 1, self.shade.shape)
        if box is None:
            return
        x0, y0, x1, y1 = box
        falloff_x = np.exp(-(((np.arange(x0, x1, dtype=np.float32) - cx) / rx) ** 2))
        falloff_y = np.exp(-(((np.arange(y0, y1, dtype=np.float32) - cy) / ry) ** 2))
        weight = (falloff_y[:, None] * falloff_x[None, :])[:, :, None]
        self.shade[y0:y1, x0:x1] *= 1.0 + weight * (np.asarray(factor, np.float32) - 1.0)
        self._touch(box)

    def cover(self, layer: Layer) -> None:
        """Lay a finished, already lit layer over what was painted so far."""
        edge, body = slice(layer.top, layer.solid), slice(layer.solid, None)
        alpha = layer.alpha[: layer.solid - layer.top]
        rows = np.ascontiguousarray(self.image[edge])
        self.image[edge] = cv2.blendLinear(rows, layer.image[edge], 1.0 - alpha, alpha)
        self.image[body] = layer.image[body]
        shade = self.shade[layer.top // LIGHT_MAP_SHRINK :]
        shade += (1.0 - shade) * layer.small_alpha

    def finish(self) -> Image:
        """Multiply colours by light where anything was painted: `uint8 (HEIGHT, WIDTH, 3)`."""
        x0, y0, x1, y1 = self._touched
        if x1 <= x0:
            return self.image
        small = cv2.convertScaleAbs(self.shade[y0:y1, x0:x1], alpha=_UNIT)
        size = ((x1 - x0) * LIGHT_MAP_SHRINK, (y1 - y0) * LIGHT_MAP_SHRINK)
        light = cv2.resize(small, size, interpolation=cv2.INTER_LINEAR)
        area = self.image[y0 * LIGHT_MAP_SHRINK : y1 * LIGHT_MAP_SHRINK, x0 * LIGHT_MAP_SHRINK : x1 * LIGHT_MAP_SHRINK]
        cv2.multiply(area, light, dst=area, scale=1.0 / _UNIT)
        return self.image

    def _touch(self, box: tuple[int, int, int, int]) -> None:
        """Remember that the light inside this box of the small map is no longer 1 everywhere."""
        a, b = self._touched, box
        self._touched = (min(a[0], b[0]), min(a[1], b[1]), max(a[2], b[2]), max(a[3], b[3]))

    def _lay(self, outline: Points, patch: Patch) -> None:
        low, high = outline.min(axis=0), outline.max(axis=0)
        box = _clip(low[0], low[1], high[0] + 1, high[1] + 1, self.image.shape)
        if box is None:
            return
        x0, y0, x1, y1 = box
        height, width = patch.tile.shape[:2]
        corners = np.array([(0, 0), (width, 0), (width, height), (0, height)], np.float32)
        matrix = cv2.getPerspectiveTransform(corners, (patch.quad - (x0, y0)).astype(np.float32))
        size = (x1 - x0, y1 - y0)
        warped = cv2.warpPerspective(patch.tile, matrix, size, flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
        mask = np.zeros((y1 - y0, x1 - x0), np.uint8)
        cv2.fillPoly(mask, fixed(outline - (x0, y0)), 255, cv2.LINE_8, _FRACTION_BITS)
        cv2.copyTo(warped, mask, self.image[y0:y1, x0:x1])

    def _raise(self, outline: Points, radius: int, shadow: float, joint: Joint | None) -> None:
        """Light one part (coordinates and radius in the small map) and darken what lies behind it."""
        pad = 2 * radius + 2
        low, high = outline.min(axis=0) - pad, outline.max(axis=0) + pad
        box = _clip(low[0], low[1], high[0] + 1, high[1] + 1, self.shade.shape)
        if box is None:
            return
        x0, y0, x1, y1 = box
        region = self.shade[y0:y1, x0:x1]
        local = outline - (x0, y0)
        mask = _mask(local, region.shape)
        hill = _hill(mask, radius)
        if shadow > 0.0:
            dx, dy = -self.light.key_direction[:2] * radius * 0.7
            shift = np.array([[1, 0, dx], [0, 1, dy]])
            cast = cv2.warpAffine(hill, shift, hill.shape[::-1], borderMode=cv2.BORDER_REPLICATE)
            region *= cv2.merge([1.0 - shadow * cast] * 3)
        lit = self._lit(hill, radius)
        if joint is not None:
            _keep(lit, region, joint.place / LIGHT_MAP_SHRINK - (x0, y0), joint.radius / LIGHT_MAP_SHRINK)
        lit -= region
        _join(region, lit, mask)
        self._touch(box)

    def _lit(self, hill: NDArray[np.float32], radius: int) -> NDArray[np.float32]:
        """`float32 (h, w, 3)`: how bright each place of a hill is under the present light."""
        steep = 0.16 * (2 * radius + 1)
        right = np.asarray(cv2.Sobel(hill, cv2.CV_32F, 1, 0, scale=-steep), np.float32)
        down = np.asarray(cv2.Sobel(hill, cv2.CV_32F, 0, 1, scale=-steep), np.float32)
        nz = np.float32(1) / np.sqrt(right * right + down * down + np.float32(1))
        nx, ny = right * nz, down * nz
        k, s = self.light.key_direction, _SCREEN_DIRECTION
        facing_key = np.maximum(nx * k[0] + ny * k[1] + nz * k[2], np.float32(0))
        facing_screen = np.maximum(ny * s[1] + nz * s[2], np.float32(0))
        open_sky = nz * np.float32(0.18) - ny * np.float32(0.12) + np.float32(0.82)
        colours = np.array([self.light.ambient, self.light.key, self.light.screen], np.float32)
        return np.asarray(cv2.transform(cv2.merge([open_sky, facing_key, facing_screen]), colours.T), np.float32)


def _join(region: NDArray[np.float32], change: NDArray[np.float32], mask: NDArray[np.float32]) -> None:
    """Add `change` inside the mask; brighter light stops a pixel short of the edge, or it would leave a halo."""
    inner = np.asarray(cv2.erode(mask, _CROSS), np.float32)
    darker = np.minimum(change, np.float32(0))
    region += darker * mask[:, :, None] + (change - darker) * inner[:, :, None]


def _keep(lit: NDArray[np.float32], before: NDArray[np.float32], place: Points, radius: float) -> None:
    """Let the new light `lit` give way to the light `before` around a place (pixels of the small map)."""
    height, width = lit.shape[:2]
    across = np.exp(-(((np.arange(width, dtype=np.float32) - place[0]) / radius) ** 2))
    down = np.exp(-(((np.arange(height, dtype=np.float32) - place[1]) / radius) ** 2))
    weight = (down[:, None] * across[None, :]).astype(np.float32)[:, :, None]
    lit += (before - lit) * weight


def _mask(outline: Points, shape: tuple[int, ...]) -> NDArray[np.float32]:
    """`float32 (h, w)`: 1 inside the outline, 0 outside, between the two on its edge."""
    mask = np.zeros(shape[:2], np.uint8)
    cv2.fillPoly(mask, fixed(outline), 255, cv2.LINE_AA, _FRACTION_BITS)
    return np.asarray(mask * np.float32(1 / 255), np.float32)


def _hill(mask: NDArray[np.float32], radius: int) -> NDArray[np.float32]:
    """`float32 (h, w)` in 0–1: the mask with a slope `radius` wide; the picture's border is not an edge."""
    size = (2 * radius + 1, 2 * radius + 1)
    hill = cv2.blur(mask, size, borderType=cv2.BORDER_REPLICATE)
    return np.asarray(cv2.blur(hill, size, borderType=cv2.BORDER_REPLICATE), dtype=np.float32)


def _clip(x0: float, y0: float, x1: float, y1: float, shape: tuple[int, ...]) -> tuple[int, int, int, int] | None:
    """Round a box to whole pixels inside `shape`; `None` when nothing of it is inside."""
    left, top = max(0, int(np.floor(x0))), max(0, int(np.floor(y0)))
    right, bottom = min(shape[1], int(np.ceil(x1))), min(shape[0], int(np.ceil(y1)))
    return (left, top, right, bottom) if right - left > 1 and bottom - top > 1 else None
