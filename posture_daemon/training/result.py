"""What the training process leaves for its parent: the counterpart of `TrainingJob`."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from posture_daemon.errors import TrainingError
from posture_daemon.learning.training_report import Judged
from posture_daemon.store.json_values import JsonText, as_json, from_json


@dataclass(frozen=True)
class NewBackbone:
    """A backbone that the training has moved: its `folder` within the folder of the run, and its digest."""

    folder: str
    sha256: str


@dataclass(frozen=True, kw_only=True)
class TrainingResult(Judged, JsonText):
    """`head` is a file in the folder of the run; `backbone` is `None` when the challenger has the incumbent's."""

    head: str
    backbone: NewBackbone | None = None

    @classmethod
    def from_json(cls, text: str) -> TrainingResult:
        """Read the result file. Raises `TrainingError` when it is not one."""
        try:
            return from_json(cls, json.loads(text))
        except ValueError as error:
            raise TrainingError(f"The training process left a result that cannot be used ({error}).") from error

    def for_run(self) -> Mapping[str, Any]:
        """What the record of the run keeps: not the file, and not the labels, which are the version's to know."""
        kept = replace(self, report=replace(self.report, label_ids=None))
        return {name: value for name, value in as_json(kept).items() if name != "head"}

    def for_version(self) -> Mapping[str, Any]:
        """What the version keeps of how good it was."""
        known = self.for_run()
        return {name: known[name] for name in ("challenger", "test", "report") if known[name]}
