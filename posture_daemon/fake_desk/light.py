"""The light of an hour of the day, as a webcam with automatic exposure and imperfect white balance sees it."""

import math
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from posture_daemon.fake_desk import chance
from posture_daemon.fake_desk.chance import ease

Light3 = tuple[float, float, float]


@dataclass(frozen=True)
class Light:
    """Light as BGR factors on a surface's own colour; `noise` is the sensor's standard deviation in grey levels."""

    day: float  # 0 night … 1 full daylight
    lamp: float  # 0 off … 1 on
    ambient: Light3
    key: Light3
    screen: Light3
    key_side: float  # −1 from the left … 1 from the right
    sky: Light3  # top of the sky in the window, 0–255
    horizon: Light3
    noise: float

    @cached_property
    def key_direction(self) -> NDArray[np.float32]:
        """`(3,)` unit vector towards the main light: right, down, towards the camera."""
        vector = np.array([0.75 * self.key_side, -0.5, 0.55])
        return np.asarray(vector / np.linalg.norm(vector), np.float32)


def _mix(a: Light3, b: Light3, weight: float) -> Light3:
    return (a[0] + (b[0] - a[0]) * weight, a[1] + (b[1] - a[1]) * weight, a[2] + (b[2] - a[2]) * weight)


def _times(a: Light3, factor: float) -> Light3:
    return (a[0] * factor, a[1] * factor, a[2] * factor)


NOON: Light3 = (1.04, 1.0, 0.97)
LOW_SUN: Light3 = (0.72, 0.92, 1.12)
LAMP: Light3 = (0.62, 0.86, 1.1)
SCREEN: Light3 = (1.12, 1.0, 0.88)


def light_at(hour: float, cloud: float, window_side: int, lamp_side: int) -> Light:
    """Return the light of `hour` (0–24) under `cloud` (0 clear … 1 overcast); sides are −1 left, 0 none, 1 right."""
    sun = math.sin((hour - 6.0) / 13.0 * math.pi) if 5.0 < hour < 20.0 else -0.3
    day = ease((sun + 0.12) / 0.5)
    low = day * (1.0 - ease(sun / 0.85)) * (1.0 - 0.7 * cloud)
    lamp = 1.0 - ease((sun + 0.05) / 0.35)
    daylight = _mix(NOON, LOW_SUN, low)
    level = 0.4 + 0.6 * day * (1.0 - 0.2 * cloud)
    key = _mix(_times(LAMP, 0.62), _times(daylight, 0.66 - 0.2 * cloud), day)
    side = lamp_side + ((window_side or 0.35) - lamp_side) * day
    return Light(
        day=day,
        lamp=lamp,
        ambient=_times(_mix(LAMP, daylight, 0.25 + 0.75 * day), level * (0.56 + 0.1 * cloud)),
        key=key,
        screen=_times(SCREEN, 0.16 + 0.2 * (1.0 - day)),
        key_side=side,
        sky=_mix(_mix((46.0, 26.0, 14.0), (120.0, 120.0, 200.0), low), (240.0, 200.0, 150.0), day * (1 - low)),
        horizon=_mix(_mix((60.0, 40.0, 30.0), (120.0, 180.0, 250.0), low), (252.0, 244.0, 236.0), day * (1 - low)),
        noise=1.2 + 2.6 * (1.0 - day),
    )


def cloud_on(seed: int, day_number: int) -> float:
    """Return the weather of a desk day, 0 clear … 1 overcast."""
    return chance.unit(seed, 0xC10D, day_number)
