"""What a guided capture works with; `bootstrap` puts it together."""

import time
from collections.abc import Callable
from concurrent.futures import Executor
from dataclasses import dataclass
from typing import Any, Protocol

from posture_daemon.domain import TrainingRun
from posture_daemon.labelling.guided_capture_plan import PoseRequest
from posture_daemon.live.capture import FrameSource
from posture_daemon.live.classifier import LiveClassifier
from posture_daemon.settings import Settings
from posture_daemon.store import Store


class WatchedSource(FrameSource, Protocol):
    """A frame source that also has the state of its camera."""

    @property
    def state(self) -> Any:
        """A frozen dataclass with `status` and `error`."""


@dataclass(frozen=True, eq=False)
class GuidedCaptureParts:
    """Collaborators of a guided capture.

    `train` runs the ordinary training and `cancel` ends a running one. `follow` loads a new champion into `live`; it does
    nothing inside the daemon, which does that itself. `announce` is called with each pose and, when there is none, with `None`;
    `prepare` after each: what the training will need can be computed meanwhile, elsewhere.
    """

    source: WatchedSource
    live: LiveClassifier
    store: Store
    settings: Settings
    train: Callable[[], TrainingRun]
    cancel: Callable[[], None]
    executor: Executor
    follow: Callable[[], None] = lambda: None
    announce: Callable[[PoseRequest | None], None] = lambda _ask: None
    prepare: Callable[[], None] = lambda: None
    clock: Callable[[], float] = time.time
