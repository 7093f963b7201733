"""Jetson-specific values from /proc, /sys and /etc, without jtop: board, GPU load, power draw, power mode."""

import re
from pathlib import Path

from posture_daemon.adapters.probes.files import find, read_int, read_text

GPU_LOADS = (
    "sys/devices/platform/bus@0/17000000.gpu/load",  # JetPack 6
    "sys/devices/platform/17000000.gpu/load",
    "sys/devices/platform/gpu.0/load",
    "sys/devices/gpu.0/load",
    "sys/devices/17000000.ga10b/load",  # JetPack 5
    "sys/class/devfreq/*.gpu/device/load",
    "sys/class/devfreq/*.ga10b/device/load",
)
TOTAL_RAILS = ("VDD_IN", "POM_5V_IN")
"""Power rails of the whole module. On boards without one the sum of several rails would be a guess."""

PLACEHOLDERS = {"", "none", "default string", "system product name", "to be filled by o.e.m."}
"""Placeholders that PC manufacturers leave as product name, in lower case."""


def is_jetson(root: Path) -> bool:
    """Detected by NVIDIA's release file or the device tree; a container often has only the latter."""
    tree = "".join(read_text(root / "proc/device-tree" / name) or "" for name in ("model", "compatible")).lower()
    return (root / "etc/nv_tegra_release").exists() or "tegra" in tree or "jetson" in tree


def board(root: Path) -> str | None:
    """Name of the board, or the product name of a PC; `None` if unknown."""
    for path in ("proc/device-tree/model", "sys/class/dmi/id/product_name"):
        name = read_text(root / path)
        if name is not None and name.lower() not in PLACEHOLDERS:
            return name
    return None


def gpu_percent(root: Path) -> float | None:
    """Load of the integrated GPU, 0-100 % (the kernel reports thousandths); `None` on anything but a Jetson."""
    for pattern in GPU_LOADS:
        for path in find(root, pattern):
            load = read_int(path)
            if load is not None and 0 <= load <= 1000:
                return load / 10
    return None


def power_watts(root: Path) -> float | None:
    """Power draw of the module in watts, from the INA3221 monitor; in7 is a sum of shunt voltages, not a rail."""
    for label in find(root / "sys/bus/i2c/drivers/ina3221", "*/hwmon/hwmon*/in[1-6]_label"):
        if read_text(label) in TOTAL_RAILS:
            channel = label.name[2]
            millivolts = read_int(label.with_name(f"in{channel}_input"))
            milliamperes = read_int(label.with_name(f"curr{channel}_input"))
            if millivolts is not None and milliamperes is not None:
                return millivolts * milliamperes / 1e6
    return None


def power_mode(root: Path) -> str | None:
    """Name of the power mode that nvpmodel set last; `mode 7` when its configuration has no name for the number."""
    noted = re.search(r"pmode:\s*(\d+)", read_text(root / "var/lib/nvpmodel/status") or "")
    if noted is None:
        return None
    number, settings = int(noted[1]), read_text(root / "etc/nvpmodel.conf") or ""
    models = re.findall(r"^\s*<\s*POWER_MODEL\s+ID=(\d+)\s+NAME=(\S+)", settings, re.M)
    return {int(model): str(name) for model, name in models}.get(number, f"mode {number}")
