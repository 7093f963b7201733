"""Address of the label page, and the secret in its link when other devices can reach it."""

import re
import secrets
import socket
from pathlib import Path
from urllib.parse import urlsplit

from posture_daemon.store.files import read_ordinary, write_durably
from posture_daemon.store.lock import in_turn
from posture_daemon.ui.web.host import is_loopback

TOKEN_NAME = "label.token"  # noqa: S105 - a file's name
TOKEN_BYTES = 24
_TOKEN = re.compile(r"[\w-]{16,}", re.ASCII)


def token_for(folder: Path, host: str) -> str | None:
    """The secret of this data folder, created if missing or damaged; `None` for a loopback `host`."""
    if is_loopback(host):
        return None
    path = folder / TOKEN_NAME
    with in_turn(folder):  # daemon and command may create it at the same time
        token = _read(path) if path.exists() else ""
        return token if _TOKEN.fullmatch(token) else _new_token(path)  # replaces a damaged file


def _read(path: Path) -> str:
    try:
        return read_ordinary(path).decode("ascii").strip()
    except ValueError:
        return ""


def address_of(host: str, port: int) -> str:
    """URL of the page; for a wildcard host with the address of this device in its network."""
    if host in ("0.0.0.0", "::", ""):  # noqa: S104 - where the owner has set it
        host = _own_address() or socket.gethostname()
    return f"http://{f'[{host}]' if ':' in host else host}:{port}/"


def link_to(address: str, folder: Path, host: str) -> str:
    """The address, with the secret of the data folder if needed.

    The host in `address` may differ from `host`, on which the page listens, e.g. for a container with a published port.
    """
    token = token_for(folder, urlsplit(address).hostname or "") or token_for(folder, host)
    return address if token is None else f"{address}?token={token}"


def _new_token(path: Path) -> str:
    token = secrets.token_urlsafe(TOKEN_BYTES)
    write_durably(path, f"{token}\n".encode())  # in the place of whatever is there
    return token


def _own_address() -> str | None:
    """The source address of outgoing traffic; connecting a datagram socket sends nothing."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))  # TEST-NET-1, unassigned
            return str(probe.getsockname()[0])
        except OSError:
            return None
