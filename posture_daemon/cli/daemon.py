"""`run` and `status`."""

import threading
import time
from typing import Annotated

import typer

from posture_daemon.cli import show
from posture_daemon.cli.context import AsJson, console, opened, options, say, say_json
from posture_daemon.cli.typed import camera as typed_camera
from posture_daemon.service.daemon_status import check_health, read_status
from posture_daemon.service.signals import on_stop
from posture_daemon.settings import Settings
from posture_daemon.store.json_values import as_json


def run(
    context: typer.Context,
    camera: Annotated[
        str | None,
        typer.Option(
            callback=typed_camera, help="Camera: 0, /dev/video0, csi://0, rtsp://…, a file, replay:FOLDER, fake:desk."
        ),
    ] = None,
) -> None:
    """Watch the camera, keep unsure frames, learn when it is safe. Ends with SIGTERM or Ctrl-C."""
    stop = threading.Event()
    on_stop(stop.set)  # before anything that takes long is imported
    from posture_daemon.bootstrap.daemon import build_daemon
    from posture_daemon.bootstrap.region import RegionChoice
    from posture_daemon.device.allocator import settle
    from posture_daemon.service.sd_notify import supervisor

    chosen = options(context)
    region = RegionChoice.of(chosen.load({"camera.address": camera}))
    settings = chosen.settings({"camera.address": camera})
    # Who types a camera wants to know at once that it is wrong; a service waits for it.
    daemon = build_daemon(settings, supervisor(), stop.is_set, needs_camera=camera is not None, region=region)
    settle()
    daemon.run(stop)


def status(
    context: typer.Context,
    json: AsJson = False,
    check: Annotated[
        bool, typer.Option("--check", help="Only tell whether the daemon is well, and exit with 1 if it is not.")
    ] = False,
) -> None:
    """Tell the posture now, the queue, the champion, the last training and why, the next one, camera and resources."""
    from posture_daemon.reports.status import overview

    if check:
        _check(options(context).settings())
        return
    found = overview(*opened(context), time.time())
    if json:
        say_json(as_json(found))
    else:
        show.status(console, found)


def _check(settings: Settings) -> None:
    """For health checks: reads one small file, and opens no database."""
    said = read_status(settings.data_dir)
    check_health(said, time.time())
    camera = "unknown" if said is None or said.camera is None else said.camera.status
    say(f"The daemon is well; its camera is {camera}.")
