"""Resource probes: `DeviceProbe` reads /proc, /sys and, on a Jetson, jtop.

One file each: `files` (reads that never block), `thermal`, `proc`, `jetson` (what only its /sys has), `jtop`, `device`.
"""

from posture_daemon.adapters.probes.device import DeviceProbe
from posture_daemon.adapters.probes.jtop import JtopReader, JtopSnapshot

__all__ = ["DeviceProbe", "JtopReader", "JtopSnapshot"]
