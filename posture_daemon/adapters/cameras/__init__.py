"""Cameras behind the `Camera` Protocol. Begin in `factory.py`: it turns what the user typed into one of them."""

from posture_daemon.adapters.cameras.factory import open_camera

__all__ = ["open_camera"]
