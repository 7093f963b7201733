"""Cameras behind the `Camera` Protocol. Start in `factory.py`: it builds a camera from the address that the user typed."""

from posture_daemon.adapters.cameras.factory import open_camera

__all__ = ["open_camera"]
