"""The containers on which `image_test` tries its promises."""

import json
import socket
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from containers import Workshop

IMAGE = "localhost/posture-daemon"
CONTAINER = "posture-daemon_daemon_1"
DATA = "/var/lib/posture-daemon"
LINK = r"The label page: http://127\.0\.0\.1:{port}/\?token=[\w-]{{32}}"
STOP_S = 5.0


class Broken(Exception):
    """A promise that is not kept; the text says what was found instead."""


def demand(kept: bool, found: str) -> None:
    """Raise `Broken` unless this holds."""
    if not kept:
        raise Broken(found)


def wait_until(condition: Callable[[], bool], what: str, limit_s: float) -> None:
    """Poll until it holds; raises `Broken` after `limit_s`."""
    end = time.monotonic() + limit_s
    while not condition():
        demand(time.monotonic() < end, f"no {what} within {limit_s:g} s")
        time.sleep(0.5)


def free_port() -> int:
    """A port of 127.0.0.1 that nobody has."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@dataclass(frozen=True)
class Trial:
    """What docker/compose.yaml starts from the images of `shop`, its page at `port`, with one more volume to read from."""

    shop: Workshop
    port: int
    volume: str

    def compose(self, *arguments: str, **options: Any) -> str:
        """What `docker compose` would do, done by podman-compose."""
        files = ("-f", "docker/compose.yaml", "-f", str(self._additions()))
        return self.shop.run("podman-compose", *files, *arguments, POSTURE_PORT=str(self.port), **options)

    def inside(self, *command: str, options: Sequence[str] = (), timeout_s: float = 120) -> str:
        """What a command says in the container of the daemon."""
        return self.compose("exec", "-T", *options, "daemon", *command, timeout_s=timeout_s)

    def status(self) -> dict[str, Any]:
        """What the daemon says of itself."""
        said: dict[str, Any] = json.loads(self.inside("posture-daemon", "status", "--json"))
        return said

    def frames(self) -> int:
        """How many frames the daemon has answered."""
        return int(self.status()["daemon"]["frames"]["frames"])

    def is_healthy(self) -> bool:
        """Run the health check that the image brings."""
        return self.shop.succeeds("podman", "healthcheck", "run", CONTAINER)

    def _additions(self) -> Any:
        file = self.shop.folder / "compose.json"  # JSON is YAML
        file.write_text(json.dumps({"services": {"daemon": {"volumes": [self.volume]}}}))
        return file
