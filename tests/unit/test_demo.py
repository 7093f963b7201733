"""When the demo has shown what it promises, and when it must end as failed."""

from __future__ import annotations

import pytest

from posture_daemon.demo import Ending, check
from posture_daemon.errors import PostureError


@pytest.mark.parametrize("skipped", [0, 3])
def test_a_busy_machine_may_lose_a_frame_in_a_hundred(skipped: int) -> None:
    """It is printed, but it is no failure of what was shown."""
    check(Ending(promoted=True, answered=300, skipped=skipped, failed=0, exit_code=0))


@pytest.mark.parametrize(
    ("ending", "sentence"),
    [
        (Ending(promoted=False, answered=300, skipped=0, failed=0, exit_code=0), "No challenger was promoted"),
        (Ending(promoted=True, answered=300, skipped=4, failed=0, exit_code=0), "frames were dropped"),
        (Ending(promoted=True, answered=300, skipped=0, failed=1, exit_code=0), "frames were dropped"),
        (Ending(promoted=True, answered=300, skipped=0, failed=0, exit_code=1), "did not end well"),
        (Ending(promoted=True, answered=0, skipped=-1, failed=-1, exit_code=0), "frames were dropped"),
    ],
)
def test_otherwise_it_fails_with_a_sentence(ending: Ending, sentence: str) -> None:
    """Not promoted, too many dropped, one that failed, a bad end, or no status at all."""
    with pytest.raises(PostureError, match=sentence):
        check(ending)
