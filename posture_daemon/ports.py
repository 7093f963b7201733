"""The seams: Protocols at the camera, the neural network, the device's sensors and the training process, and nowhere else.

Each has a real implementation in `adapters/` and is driven by the same contract test as its stand-in.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from posture_daemon.device.resources import Resources
from posture_daemon.domain import Failure, Features, Floats, Frame, Image, Order, Region


class Camera(Protocol):
    """Something that gives pictures. Not thread-safe: one thread opens, reads and closes it."""

    @property
    def name(self) -> str:
        """How the user chose it, without passwords, e.g. `fake:desk?seed=7`."""

    @property
    def wanted_size(self) -> tuple[int, int] | None:
        """(width, height) that a device was asked for, px; `None` where whatever comes is right."""

    def open(self) -> None:
        """Open or reopen the device. Raises `CameraError` with one sentence when it cannot."""

    def read(self) -> Frame | None:
        """Block until the next frame, at most a few seconds. `None` at the end of a finite source (file, folder without loop).

        Raises `CameraError` when the source is lost; the caller closes, waits and opens again.
        """

    def close(self) -> None:
        """Release the device; safe to call twice and before `open`."""


class Backbone(Protocol):
    """The frozen part of the network: layers 0–9 of a YOLO11 classification model, with its preprocessing."""

    @property
    def sha256(self) -> str:
        """Digest of the file it was loaded from; with a region the `feature_key` of both."""

    @property
    def region(self) -> Region | None:
        """The part of each picture that it looks at; `None`: all of it."""

    @property
    def image_size(self) -> int:
        """Side of the square input, pixels."""

    def extract(self, image: Image) -> Features:
        """Cut a whole BGR image of any size to the region, preprocess it and run layers 0–9."""

    def extract_batch(self, images: Sequence[Image]) -> Floats:
        """The feature maps of several BGR images of any sizes, `float32 (n, channels, h, w)`.

        They are cut to the region already (`vision.region.crop`), since augmented views are drawn from what was cut.
        """


class ResourceProbe(Protocol):
    """Reads the device's memory, temperatures, power and load."""

    def read(self) -> Resources:
        """Never raises and never blocks for long; what cannot be read is `None` or missing."""

    def close(self) -> None:
        """End what was begun in order to read; safe to call twice."""


@dataclass(frozen=True)
class TrainingSeen:
    """A running training as its parent sees it: the memory of all its processes (bytes; `None`: unknown)."""

    memory_bytes: int | None


@dataclass(frozen=True)
class Instruction:
    """What to do, and why in words. With a `failure` the training is over and has failed; it is not continued."""

    order: Order
    reason: str
    failure: Failure | None = None


GO_ON = Instruction(Order.RUN, "nothing stands against it")

Supervise = Callable[[TrainingSeen], Instruction]
"""Asked once a second while a training runs; the answer is carried out at the end of the batch that is being computed."""


class Trainer(Protocol):
    """Trains a challenger head in a process of its own."""

    def train(self, request: Path, supervise: Supervise) -> Path:
        """Run the job described by the JSON file `request`; return the path of its JSON result.

        Raises with one sentence `TrainingCancelled` when it was told to end, `TrainingOutOfMemory` when memory ran out, and
        `TrainingError` when the process dies otherwise or gives no result.
        """

    def cancel(self) -> None:
        """End what is running, and refuse new jobs."""
