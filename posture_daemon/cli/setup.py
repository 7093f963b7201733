"""`setup`: what a first start needs, step by step; every step can be skipped, and every answer be given as an option."""

from __future__ import annotations

import shlex
import time
from collections.abc import Callable, Sequence
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from posture_daemon.cli.context import Options, confirm, console, has_keyboard, options, prompt, say
from posture_daemon.cli.identity import called_as
from posture_daemon.cli.teach import run_guided_capture
from posture_daemon.cli.typed import camera as typed_camera
from posture_daemon.cli.typed import path
from posture_daemon.settings import CameraAddress
from posture_daemon.settings.paths import absolute

if TYPE_CHECKING:
    from posture_daemon.adapters.cameras.discovery import Tried
    from posture_daemon.settings import Settings


DRAWN = "(a drawn person, to try things out)"

CLASS_WORDS = {
    "good_posture": "sitting the way you want to sit",
    "bad_posture": "slumped, leaning, head propped: what you want to know of",
    "na": "nobody is there: the empty chair, so that it is not taken for a posture",
    "standing": "up, but in the picture",
}
"""What the usual classes mean."""


class SetupStep(str, Enum):
    """What can be skipped."""

    CAMERA = "camera"
    MODEL = "model"
    CLASSES = "classes"
    SETTINGS = "settings"
    TEACH = "teach"


def setup(
    context: typer.Context,
    camera: Annotated[
        str | None, typer.Option(callback=typed_camera, help="Camera, as for `run`; not searched for.")
    ] = None,
    model: Annotated[
        Path | None,
        typer.Option(parser=path, metavar="FILE.pt", help="YOLO11 classification checkpoint to begin with."),
    ] = None,
    classes: Annotated[str | None, typer.Option(help="Your classes, separated by commas.")] = None,
    skip: Annotated[list[SetupStep] | None, typer.Option(help="Leave this step out; may be given again.")] = None,
    yes: Annotated[bool, typer.Option("--yes", help="Ask nothing: take what is offered first.")] = False,
    simulate_owner: Annotated[
        bool,
        typer.Option("--simulate-owner", help="With fake:desk: the lesson, and the drawn person, four times as fast."),
    ] = False,
) -> None:
    """The first start: find the camera, choose a model and your classes, keep that in the settings file, and teach."""
    from posture_daemon.bootstrap.guided_capture import refuse_beside_daemon

    chosen, asks = options(context), not yes and has_keyboard()
    refuse_beside_daemon(chosen.settings())
    steps = _Steps(chosen, asks, frozenset(skip or ()))
    address = steps.camera(camera)
    steps.model(model, address)
    names = steps.classes(classes)
    steps.settings_file(address, yes)
    steps.teach(address, names, simulate_owner)
    steps.say_how_to_run(address)


class _Steps:
    """One setup. `asks` says whether there is somebody to ask."""

    def __init__(self, chosen: Options, asks: bool, skipped: frozenset[SetupStep]) -> None:
        self._chosen, self._asks, self._skipped = chosen, asks, skipped

    def camera(self, given: str | None) -> str:
        """The address of a camera that gives pictures, and its first picture."""
        from posture_daemon.adapters.cameras.discovery import addresses, try_camera
        from posture_daemon.bootstrap.parts import network_of
        from posture_daemon.errors import CameraError

        settings = self._settings(given)
        if not self._begins(SetupStep.CAMERA, "the camera"):
            return settings.camera.address
        known = None if self._chosen.load().sources["camera.address"] == "default" else settings.camera.address
        if given is not None or (known is not None and not self._asks):
            return self._tried(settings.camera.address)
        network = network_of(settings)
        tried = [try_camera(address, network) for address in dict.fromkeys([*([known] if known else []), *addresses()])]
        for one in tried:
            say(f"  {one.shown}: {one.words}")
        good = [one.address for one in tried if one.image is not None]
        if not good:
            none = "No camera of this machine gives a picture; name one, such as --camera rtsp://HOST/PATH."
            if not self._asks:
                raise CameraError(none)
            say(none)
        return self._choose_camera([*good, "fake:desk"])

    def _choose_camera(self, offered: Sequence[str]) -> str:
        """Ask until one gives a picture; without anybody to ask, the first must."""
        from posture_daemon.adapters.cameras.address import without_password
        from posture_daemon.errors import CameraError, SettingsError

        while True:
            try:
                return self._tried(self._choose("Which camera?", offered, DRAWN, without_password))
            except (CameraError, SettingsError) as error:
                if not self._asks:
                    raise
                say(str(error))

    def _tried(self, address: str) -> str:
        """The address, once its picture was shown. Raises `CameraError` when it gives none."""
        from posture_daemon.adapters.cameras.discovery import try_camera
        from posture_daemon.bootstrap.parts import network_of
        from posture_daemon.errors import CameraError

        settings = self._settings(address)
        address = settings.camera.address  # of a recording with its whole path
        found = try_camera(address, network_of(settings))
        if found.error is not None:
            raise CameraError(found.error)
        self._show(found)
        return address

    def model(self, given: Path | None, address: str) -> None:
        """Import a checkpoint, or go on with the champion."""
        from posture_daemon.bootstrap.models import champion, import_model, open_store
        from posture_daemon.training.starter_root import FAKE, drawn_people_only

        if not self._begins(SetupStep.MODEL, "the model"):
            return
        settings = self._settings(None)
        store = open_store(settings)
        now = champion(store)
        drawn = drawn_people_only(store, now)
        keep = f"model {now.id}, {now.source}" + (" (it knows drawn people only)" if drawn else "")
        downloads = [str(path) for path in sorted((settings.data_dir / "downloads").glob("*.pt"))]
        wants_base = drawn and not address.startswith(FAKE)
        choice = str(given) if given is not None else keep
        if given is None:
            offered = [*downloads, keep] if wants_base else [keep, *downloads]
            choice = self._choose("Which model shall learn?", offered)
            if choice == keep and wants_base:
                say(
                    "A base is far better for real pictures: posture-daemon models fetch yolo11n-cls, then setup again."
                )
        if choice != keep:
            version = import_model(store, absolute(choice))
            say(f"model {version.id} is champion, imported from {choice}.")
        store.close()

    def classes(self, given: str | None) -> list[str] | None:
        """Names, or `None` for those that there are or the usual ones."""
        from posture_daemon.labelling.guided_capture_plan import DEFAULT_CLASSES

        if given is None and self._begins(SetupStep.CLASSES, "the classes") and self._asks:
            say("A class is a posture that it learns to tell from the others:")
            for name in DEFAULT_CLASSES:
                say(f"  {name}  {CLASS_WORDS[name]}")
            given = prompt("Your classes, separated by commas", default=",".join(DEFAULT_CLASSES))
        return None if given is None else given.split(",")

    def settings_file(self, address: str, yes: bool) -> None:
        """Keep the camera in the file that is in force, else in a new one in the data folder."""
        from posture_daemon.adapters.cameras.address import without_password
        from posture_daemon.bootstrap.settings_file import set_text
        from posture_daemon.settings import values_in

        if not self._begins(SetupStep.SETTINGS, "the settings file"):
            return
        file = self._chosen.load().own_file
        before = values_in(file).get("camera.address") if file.exists() else None
        if file.exists() and before != address and not yes:
            was = "none" if before is None else without_password(str(before))
            question = f"{file} is there. Change camera.address from {was} to {without_password(address)}?"
            if not self._asks or not confirm(question, default=True):
                say(f"{file} is left as it is.")
                return
        changed = set_text(file, "camera.address", address)
        say(f"{file} {'says now' if changed else 'says already'}: camera.address = {without_password(address)}")

    def teach(self, address: str, names: list[str] | None, simulate_owner: bool) -> None:
        """Teach at once, or only create the classes."""
        from posture_daemon.bootstrap.models import open_store
        from posture_daemon.labelling.classes import ClassChanges
        from posture_daemon.labelling.guided_capture_plan import LIVE_S, SECONDS, choose, duration_s, plan, would_choose

        if names is None and SetupStep.TEACH in self._skipped:
            return
        settings, store = self._settings(address), open_store(self._settings(address))
        changes = ClassChanges(store, settings.labels, time.time)
        poses_s = duration_s(plan(would_choose(changes, names)))
        title = f"teaching: {poses_s:.0f} seconds of poses, then it learns, and you see it live for {LIVE_S:.0f}"
        wanted = self._begins(SetupStep.TEACH, title)
        if wanted and self._asks:
            wanted = confirm("Are you at your desk, ready to be asked for poses?", default=True)
        if wanted:
            loaded = self._chosen.load({"camera.address": address})
            run_guided_capture(loaded, names, SECONDS, simulate_owner, self._asks)
        elif names is not None:
            choose(changes, names)
        store.close()

    def say_how_to_run(self, address: str) -> None:
        """The command that watches from now on."""
        place = [] if self._chosen.data_dir is None else ["--data-dir", str(self._chosen.data_dir)]
        config = [] if self._chosen.config is None else ["--config", str(self._chosen.config)]
        is_kept, secret = self._settings(None).camera.address == address, CameraAddress(address).hides
        camera = [] if is_kept or secret else ["--camera", address]
        run = ["posture-daemon", *place, *config, "run", *camera]
        console.print()
        say(f"Watch from now on: {shlex.join(run)}")
        if secret and not is_kept:
            say(
                "Its camera has a password, so write the address into the settings file, or set POSTURE_CAMERA__ADDRESS."
            )
        install = ["sudo", *called_as(), *place, *config, "service", "install"]
        say(f"From every start of this machine on: {shlex.join(install)}")

    def _settings(self, address: str | None) -> Settings:
        return self._chosen.settings({"camera.address": address})

    def _begins(self, step: SetupStep, title: str) -> bool:
        """Say which step begins; False when it is to be left out."""
        if step in self._skipped:
            return False
        console.rule(title)
        return True

    def _choose(
        self, question: str, offered: Sequence[str], remark_on_last: str = "", show: Callable[[str], str] = str
    ) -> str:
        """One of these by its number, or what is typed; the first without anybody to ask. `show` writes one down."""
        if not self._asks:
            return offered[0]
        for number, one in enumerate(offered, 1):
            say(f"  {number}  {show(one)} {remark_on_last if number == len(offered) else ''}".rstrip())
        typed = prompt(f"{question} A number, or something else", default="1").strip()
        return offered[int(typed) - 1] if typed.isdecimal() and 1 <= int(typed) <= len(offered) else typed

    def _show(self, found: Tried) -> None:
        """The picture where the terminal can draw, and its size in any case."""
        from posture_daemon.ui.picture import HalfBlocks, can_draw

        if found.image is not None and can_draw(console):
            console.print(HalfBlocks(found.image, min(console.width, 80), max(4, console.height // 2)))
        say(f"{found.shown}: {found.words}")
