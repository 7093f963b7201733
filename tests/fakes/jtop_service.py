"""A jtop service without a board, in a process of its own: the real manager and protocol of jetson-stats on another socket.

    python tests/fakes/jtop_service.py SOCKET answers|hangs [VERSION]

Prints `ready` when clients may come. `hangs` lets them in and never tells them its configuration, as a wedged service does.
"""

import sys
import threading
import time
from queue import Queue
from typing import Any

from jtop import __version__, service

UPTIME_EVERY_S = 0.1


def told(version: str) -> dict[str, Any]:
    """What a client needs to know at first."""
    nvpmodel = {"models": ["15W", "25W", "MAXN_SUPER"], "default": {"id": 1, "name": "25W"}}
    hardware = {"Module": "NVIDIA Jetson Orin Nano (8GB ram)"}
    always: dict[str, Any] = {"version": version, "interval": 1.0, "board": {"hardware": hardware}, "jc": False}
    return {**always, "memory": {}, "fan": {}, "nvpmodel": nvpmodel}


def measured() -> dict[str, Any]:
    """What it measures; the uptime moves on."""
    return {
        "uptime": time.monotonic(),
        "gpu": {"gpu": {"type": "integrated", "status": {"load": 33.4}, "freq": {"cur": 306000}}},
        "mem": {"RAM": {"tot": 7802968, "used": 2800000, "free": 412356}},
        "fan": {},
        "temperature": {"cpu": {"temp": 51.5, "online": True}, "cv0": {"temp": -256, "online": False}},
        "power": {"rail": {}, "tot": {"volt": 5072, "curr": 1420, "power": 7202, "avg": 7100, "name": "VDD_IN"}},
        "nvp": {"status": [True, True, True], "thread": False, "model": {"id": 0, "name": "15W"}},
    }


def main() -> None:
    """Serve until killed."""
    socket, mode, version = (*sys.argv[1:], __version__)[:3]
    service.JTOP_PIPE = socket
    queue: Queue[dict[str, Any]] = Queue()
    data, event = measured(), threading.Event()
    for name, shared in (("get_queue", queue), ("sync_data", data), ("sync_event", event)):
        service.JtopManager.register(name, callable=lambda shared=shared: shared)

    def configure() -> None:
        while True:
            asked = queue.get()
            if "interval" in asked and mode == "answers":
                queue.put({"init": told(version)})
                time.sleep(UPTIME_EVERY_S)  # so that the client takes it, and not we ourselves
            elif "init" in asked:
                queue.put(asked)

    def measure() -> None:
        while True:
            data.update(measured())
            event.set()
            time.sleep(UPTIME_EVERY_S)

    for work in (configure, measure):
        threading.Thread(target=work, daemon=True).start()
    server = service.JtopManager().get_server()
    print("ready", flush=True)  # noqa: T201
    server.serve_forever()


if __name__ == "__main__":
    main()
