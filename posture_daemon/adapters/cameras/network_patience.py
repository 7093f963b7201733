"""How long a network camera may take, and how it is asked; built from the settings."""

import re
from dataclasses import dataclass


@dataclass(frozen=True)
class NetworkPatience:
    """Seconds until the first picture, seconds between two, stills a second, and whether a TLS certificate must be right."""

    open_s: float = 20.0
    read_s: float = 20.0
    polls_per_s: float = 5.0
    check_certificate: bool = True


DEFAULT_NETWORK = NetworkPatience()
MAX_POLLS_PER_S = 5.0
"""Stills are asked for one by one, each with a connection of its own: more would keep a small camera from its work."""


def is_network_camera(address: str) -> bool:
    """Whether a camera is reached over the network, where everything takes longer than at a cable."""
    return re.match(r"(?i)(rtsps?|https?)://", address.strip()) is not None
