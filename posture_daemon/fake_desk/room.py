"""Where the desk stands: what a seed decides about room and camera. Metres and radians; colours BGR."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from posture_daemon.fake_desk import chance
from posture_daemon.fake_desk.people import Colour

WIDTH, HEIGHT = 960, 540
"""The fake sensor, pixels. Frames are enlarged to 1280×720, which makes them as soft as a cheap webcam's."""

DESK_HEIGHT_M = 0.74
WALLS: tuple[Colour, ...] = (
    (205, 214, 220), (190, 200, 196), (176, 190, 208), (198, 190, 176), (150, 160, 164), (170, 196, 214),
)  # fmt: skip
FLOORS: tuple[Colour, ...] = ((70, 100, 140), (96, 128, 160), (110, 112, 116), (60, 76, 100))
DESKS: tuple[Colour, ...] = ((110, 150, 190), (66, 92, 128), (215, 220, 224), (58, 60, 64), (140, 176, 206))
CHAIRS = ("office", "gaming", "wooden", "mesh")
CHAIR_COLOURS: tuple[Colour, ...] = ((52, 50, 48), (40, 40, 44), (82, 122, 166), (104, 92, 80))
TRIMS: tuple[Colour, ...] = ((44, 44, 190), (190, 120, 40), (90, 170, 70), (200, 200, 205))


@dataclass(frozen=True)
class View:
    """A camera without lens errors; `project` maps the room to the sensor."""

    focal: float  # pixels
    height: float  # of the lens above the floor, m
    pitch: float  # positive looks down
    roll: float
    x: float

    @cached_property
    def _rotation(self) -> NDArray[np.float64]:
        """`(3, 3)`: room to camera axes (right, down, forward)."""
        c, s = np.cos(self.pitch), np.sin(self.pitch)
        tilt = np.array([[1, 0, 0], [0, -c, -s], [0, -s, c]])
        cr, sr = np.cos(self.roll), np.sin(self.roll)
        result: NDArray[np.float64] = np.array([[cr, -sr, 0], [sr, cr, 0], [0, 0, 1]]) @ tilt
        return result

    def project(self, points: NDArray[np.float64]) -> NDArray[np.float64]:
        """Map `(n, 3)` metres to `(n, 2)` sensor pixels; points behind the lens are held just in front of it."""
        camera = (np.asarray(points, dtype=np.float64) - (self.x, self.height, 0.0)) @ self._rotation.T
        depth = np.maximum(camera[:, 2:], 0.05)
        pixels: NDArray[np.float64] = camera[:, :2] / depth * self.focal + (WIDTH / 2, HEIGHT / 2)
        return pixels

    def pixels_per_metre(self, point: NDArray[np.float64]) -> float:
        """Return how large one metre looks at this place, pixels."""
        forward = self._rotation[2] @ (point - np.array([self.x, self.height, 0.0]))
        return self.focal / max(0.05, float(forward))


@dataclass(frozen=True)
class Room:
    """The furniture and the mounting of the camera: everything that stays for years."""

    seed: int
    wall: Colour
    floor: Colour
    desk: Colour
    chair: str
    chair_colour: Colour
    trim: Colour
    wall_z: float
    seat_z: float
    edge_z: float  # the edge of the desk on the sitter's side
    window_side: int  # −1 left, 1 right, 0 none in sight
    lamp_side: int
    layout: int
    view: View

    def view_on(self, day: int) -> View:
        """Return the camera as it is mounted on one desk day: it is knocked a little now and then."""
        rng = chance.generator(self.seed, 0xCA11, day)
        turn, nod, shift = rng.normal(0, 1, 3)
        view = self.view
        return View(view.focal, view.height, view.pitch + 0.008 * nod, view.roll + 0.006 * turn, view.x + 0.012 * shift)


def room(seed: int) -> Room:
    """Furnish the room of this seed."""
    rng = chance.generator(0x900, seed)

    def pick(options: tuple[Colour, ...]) -> Colour:
        return options[int(rng.integers(len(options)))]

    chair = CHAIRS[seed % len(CHAIRS)] if seed < 64 else CHAIRS[int(rng.integers(len(CHAIRS)))]
    seat_z = float(rng.uniform(0.96, 1.1))
    window = int(rng.choice((-1, 1, -1, 1, 0)))
    return Room(
        seed=seed,
        wall=pick(WALLS),
        floor=pick(FLOORS),
        desk=pick(DESKS),
        chair=chair,
        chair_colour=(70, 110, 156) if chair == "wooden" else pick(CHAIR_COLOURS),
        trim=pick(TRIMS),
        wall_z=float(rng.uniform(2.3, 3.1)),
        seat_z=seat_z,
        edge_z=seat_z - 0.23,
        window_side=window,
        lamp_side=-window or 1,
        layout=int(rng.integers(1 << 30)),
        view=_mount(rng),
    )


def _mount(rng: np.random.Generator) -> View:
    """Clip the camera on top of a monitor, about at the height of the eyes."""
    return View(
        focal=float(rng.uniform(0.61, 0.68) * WIDTH),
        height=float(rng.uniform(1.22, 1.3)),
        pitch=float(rng.uniform(0.22, 0.28)),
        roll=float(rng.normal(0, 0.012)),
        x=float(rng.uniform(-0.06, 0.06)),
    )
