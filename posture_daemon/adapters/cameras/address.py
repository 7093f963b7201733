"""What a camera needs of its address; the address itself is a setting: `settings/address.py`."""

from posture_daemon.settings.address import CameraAddress


def is_live(address: str) -> bool:
    """Whether the address names a live sensor: it may disappear and return, and never gives the same frame twice."""
    return CameraAddress(address).is_live


def without_password(address: str) -> str:
    """The address for names, messages and logs: see `CameraAddress.shown`."""
    return CameraAddress(address).shown
