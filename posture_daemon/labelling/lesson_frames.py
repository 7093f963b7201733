"""The frames that one lesson has kept: their ids and capture times, their features and what they are for, by pose."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

import numpy as np

from posture_daemon.domain import Floats, PostureClass, Split
from posture_daemon.labelling.guided_capture_plan import PoseRequest
from posture_daemon.labelling.pose_likeness import PoseDoubt, pose_doubts

T = TypeVar("T")


@dataclass
class _Pose:
    """One pose as it was shown: ids and capture times of its frames, and their unit feature vectors."""

    split: Split
    frames: list[tuple[int, float]] = field(default_factory=list)
    features: list[Floats] = field(default_factory=list)


class LessonFrames:
    """Frames by class and round, in the order of the lesson."""

    def __init__(self, classes: Iterable[PostureClass]) -> None:
        self.classes = tuple(dict.fromkeys(classes))
        self._poses: dict[str, dict[int, _Pose]] = {one.name: {} for one in self.classes}
        self._seen: dict[str, list[Floats]] = {one.name: [] for one in self.classes}

    def add(self, ask: PoseRequest, frame_id: int, captured_at: float, features: Floats) -> None:
        """A frame of this pose was kept: when it was captured (s since the epoch), its unit feature vector `(width,)`."""
        pose = self._poses[ask.posture_class.name].setdefault(ask.round, _Pose(ask.split))
        pose.frames.append((frame_id, captured_at))
        pose.features.append(features)
        self._seen[ask.posture_class.name].append(features)

    def seen(self, name: str) -> list[Floats]:
        """Features of all frames of a class, which grows as they are added."""
        return self._seen[name]

    def counts(self) -> Mapping[str, int]:
        """Number of frames by class."""
        return {name: sum(len(pose.frames) for pose in poses.values()) for name, poses in self._poses.items()}

    def examined(self) -> Mapping[str, Sequence[int]]:
        """Ids of the frames of the exam, by class."""
        return {
            name: [id_ for pose in poses.values() if pose.split is Split.HOLDOUT for id_, _ in pose.frames]
            for name, poses in self._poses.items()
        }

    def sheet(self) -> Mapping[str, tuple[tuple[int, float], ...]]:
        """Ids and capture times of all frames, by class, in the order in which they were kept."""
        return {
            name: tuple(one for pose in poses.values() for one in pose.frames) for name, poses in self._poses.items()
        }

    def doubts(self) -> tuple[PoseDoubt, ...]:
        """What is wrong with them; see `pose_likeness`."""
        return pose_doubts(
            {one: [np.stack(pose.features) for pose in self._poses[one.name].values()] for one in self.classes}
        )

    def drop(self, names: Sequence[str]) -> list[int]:
        """Forget the frames of these classes; returns their ids."""
        sheet = self.sheet()
        gone = [id_ for name in names for id_, _ in sheet[name]]
        for name in names:
            self._poses[name].clear()
            self._seen[name].clear()
        return gone


def spread(ones: Sequence[T], most: int) -> list[T]:
    """At most so many of these, spread over all of them."""
    if len(ones) <= most:
        return list(ones)
    return [ones[round(at)] for at in np.linspace(0, len(ones) - 1, most)]
