"""What a guided capture shows: its phases, what its exam says of each pose, and the state that every front end reads."""

from collections import Counter
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from enum import Enum

from posture_daemon.domain import PostureClass, TrainingRun
from posture_daemon.labelling.guided_capture_plan import PoseRequest
from posture_daemon.labelling.pose_likeness import PoseDoubt
from posture_daemon.training.run_record import RunRecord


class Phase(str, Enum):
    """Steps of a guided capture."""

    READY = "get ready"
    HOLD = "hold it"
    REVIEW = "look at them"
    TRAIN = "training"
    LOOK = "first look"
    LIVE = "live"
    DONE = "done"
    STOPPED = "stopped"


@dataclass(frozen=True)
class PoseResult:
    """A model on pictures of one class: `right` of `of`; `instead` is what it says most often where it is wrong."""

    name: str
    right: int
    of: int
    instead: str | None = None

    @property
    def seen(self) -> bool:
        """Whether the model can be said to see it: it is right at least half of the time."""
        return 2 * self.right >= self.of


def pose_result(name: str, called: Collection[str]) -> PoseResult:
    """The result of these answers to pictures of this class."""
    wrong = Counter(one for one in called if one != name)
    instead = wrong.most_common(1)[0][0] if wrong else None
    return PoseResult(name, len(called) - wrong.total(), len(called), instead)


def exam_results(run: TrainingRun, frames: Mapping[str, Collection[int]]) -> tuple[PoseResult, ...]:
    """What the challenger of a run answered to these frames, ids by class; classes without any answer are left out."""
    answers = RunRecord.of(run.metrics).answers
    if answers is None:
        return ()
    called = dict(zip(answers.frame_ids, answers.challenger, strict=True))
    asked = ((name, [called[one] for one in ids if one in called]) for name, ids in frames.items())
    return tuple(pose_result(name, found) for name, found in asked if found)


@dataclass(frozen=True)
class GuidedCaptureState:
    """All that a front end shows. Immutable and replaced as a whole, so that any thread may read it.

    Pose `number` (from 1) of `of`; `seconds_left` of the phase: the countdown, the pose, the time to look at the pictures, the
    live look. `seconds` is how long the training has lasted. `frames` counts the kept frames by class, without those that were
    dropped. `problem` is one sentence while it waits for something. Once all poses were shown, `sheet` has the ids and capture
    times of their frames by class, and `doubts` what is wrong with them. `run` is the training once it has ended and `exam`
    what its challenger said of the last round, by pose. `says` is what the new model, which knows these `classes`, sees now:
    one and its probability (0-1); `lived` is what it said live.
    """

    phase: Phase
    ask: PoseRequest | None
    number: int
    of: int
    seconds_left: float = 0.0
    seconds: float = 0.0
    frames: Mapping[str, int] = field(default_factory=dict)
    problem: str | None = None
    sheet: Mapping[str, tuple[tuple[int, float], ...]] = field(default_factory=dict)
    doubts: tuple[PoseDoubt, ...] = ()
    dropped: tuple[str, ...] = ()
    run: TrainingRun | None = None
    exam: tuple[PoseResult, ...] = ()
    says: tuple[str, float] | None = None
    classes: tuple[PostureClass, ...] = ()
    lived: tuple[PoseResult, ...] = ()

    @property
    def over(self) -> bool:
        """True when no further step follows."""
        return self.phase in (Phase.DONE, Phase.STOPPED)

    @property
    def unseen(self) -> tuple[str, ...]:
        """Classes to show once more: those that the exam says are not seen, worst first, and those that were dropped."""
        weak = sorted((one for one in self.exam if not one.seen), key=lambda one: one.right / one.of)
        return (*(one.name for one in weak), *self.dropped)
