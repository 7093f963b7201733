"""The fake desk whose person does what is asked."""

import pytest

from posture_daemon.domain import Frame
from posture_daemon.errors import CameraError
from posture_daemon.fake_desk import CLASSES, FakeDeskCamera, ObedientDesk
from posture_daemon.fake_desk.day import DAY_S, day_number


def obedient(**options: object) -> ObedientDesk:
    """An open desk on a clock that moves only while the camera sleeps."""
    now = [50.0]
    camera = FakeDeskCamera(
        seed=3, monotonic=lambda: now[0], sleep=lambda seconds: now.__setitem__(0, now[0] + seconds), **options
    )
    desk = ObedientDesk(camera)
    desk.open()
    return desk


def frames(desk: ObedientDesk, count: int) -> list[Frame]:
    """So many pictures."""
    return [frame for frame in (desk.read() for _ in range(count)) if frame is not None]


@pytest.mark.parametrize("posture", CLASSES)
def test_it_shows_what_is_asked_and_nothing_in_between(posture: str) -> None:
    """Every picture from the next one on, over several stretches of the day."""
    desk = obedient()
    desk.show(posture, 0)
    seen = frames(desk, 20)
    assert {desk.truth_at(frame.captured_at) for frame in seen} == {posture}
    assert not any(desk._camera.desk.transition_at(frame.captured_at) for frame in seen)


def test_time_only_goes_forward_and_another_round_is_another_day() -> None:
    """So that the pictures of two rounds are not neighbours."""
    desk = obedient()
    times = []
    for day in (0, 1):
        for posture in CLASSES:
            desk.show(posture, day)
            times += [frame.captured_at for frame in frames(desk, 3)]
    assert times == sorted(times)
    assert day_number(times[12]) - day_number(times[11]) == 1
    assert times[12] - times[0] >= DAY_S


def test_a_posture_that_is_not_shown_here_is_refused() -> None:
    """Rather than looked for in all eternity."""
    desk = obedient(classes="good_posture,na")
    with pytest.raises(CameraError, match="cannot show 'standing', only good_posture, na"):
        desk.show("standing", 0)
    assert len(frames(desk, 2)) == 2


def test_its_film_ends_like_any_other() -> None:
    """With `duration`."""
    assert obedient(duration=0.2).read() is not None
    desk = obedient(duration=0.2, fps=5)
    desk.read()
    assert (desk.read(), desk.read()) == (None, None)
