"""An owner who answers over HTTP, as the label page does, from a process of its own; a drawn desk tells them the truth."""

import json
import urllib.request
import uuid
from dataclasses import dataclass, field
from http.client import HTTPException
from typing import Any

from posture_daemon.fake_desk import FakeDesk

HEADERS = {"content-type": "application/json", "x-posture-daemon": "label"}


@dataclass
class PageOwner:
    """`acknowledged` holds what the daemon has said is done: the class of each frame by its id and capture time."""

    address: str
    desk: FakeDesk
    timeout_s: float = 15.0
    acknowledged: dict[tuple[int, float], str] = field(default_factory=dict)

    def answer(self, questions: int) -> int:
        """Answer up to so many questions by the truth; returns how many frames the daemon says are labelled now.

        Raises `OSError` when the daemon is not there, or refuses.
        """
        done = 0
        for group in self.call(f"api/groups?limit={questions}")["groups"]:
            frames = [(int(frame["id"]), float(frame["at"])) for frame in group["frames"]]
            truth = self.desk.truth_at(frames[0][1])
            alike = [frame for frame in frames if self.desk.truth_at(frame[1]) == truth]
            done += self._answer(alike, truth)
        return done

    def call(self, path: str, body: object = None) -> dict[str, Any]:
        """One request as the page makes it."""
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(f"{self.address.rstrip('/')}/{path}", data, HEADERS)
        try:
            with urllib.request.urlopen(request, timeout=self.timeout_s) as reply:
                return dict(json.loads(reply.read()))
        except HTTPException as error:  # killed in the middle of its reply
            raise ConnectionResetError(f"half a reply: {error}") from error

    def _answer(self, frames: list[tuple[int, float]], truth: str) -> int:
        if truth not in [c["name"] for c in self.call("api/state")["classes"]]:
            self.call("api/classes", {"name": truth})
        reply = self.call("api/answers", {"key": uuid.uuid4().hex, "frames": frames, "class": truth})
        done = set(reply["done"])
        self.acknowledged.update({frame: truth for frame in frames if frame[0] in done})
        return len(done)
