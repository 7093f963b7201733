"""Camera discovery: the devices of this machine, each tried by opening it and reading one frame."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from posture_daemon.adapters.cameras.address import without_password
from posture_daemon.adapters.cameras.device import stable_link
from posture_daemon.adapters.cameras.factory import open_camera
from posture_daemon.adapters.cameras.network_patience import DEFAULT_NETWORK, NetworkPatience
from posture_daemon.adapters.cameras.own_thread import first_frame
from posture_daemon.adapters.probes.jetson import is_jetson
from posture_daemon.domain import Image
from posture_daemon.errors import CameraError


@dataclass(frozen=True, eq=False)
class Tried:
    """A camera's address with its first frame (BGR), or one sentence on why there is none."""

    address: str
    image: Image | None
    error: str | None

    @property
    def words(self) -> str:
        """Width×height of its frame in pixels, or the error."""
        return self.error or (f"{self.image.shape[1]}×{self.image.shape[0]}" if self.image is not None else "")

    @property
    def shown(self) -> str:
        """The address without a password."""
        return without_password(self.address)


def addresses(root: Path = Path("/")) -> Iterator[str]:
    """Devices in the order in which they are tried; on a Jetson the CSI (ribbon-cable) camera as well.

    A camera with a link by make and serial number gets that as its address, since its number may change at the next boot.
    """
    devices = root / "dev"
    numbered = [path for path in devices.glob("video[0-9]*") if re.fullmatch(r"video\d+", path.name)]
    for path in sorted(numbered, key=lambda path: int(path.name[5:])):
        link = stable_link(str(path), devices, kinds=("by-id",))
        yield f"/dev/{(link or path).relative_to(devices)}"
    if is_jetson(root):
        yield "csi://0"


def try_camera(address: str, network: NetworkPatience = DEFAULT_NETWORK) -> Tried:
    """Open it, read one frame, close it. Raises `SettingsError` for an invalid address."""
    camera = open_camera(address, network)
    try:
        frame = first_frame(camera)
    except CameraError as error:
        return Tried(address, None, str(error))
    return Tried(address, frame.image, None) if frame else Tried(address, None, "It gives no picture.")
