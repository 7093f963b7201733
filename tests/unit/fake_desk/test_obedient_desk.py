"""The fake desk whose person does what is asked."""

import pytest

from posture_daemon.domain import Frame
from posture_daemon.errors import CameraError
from posture_daemon.fake_desk import CLASSES, FakeDeskCamera, ObedientDesk
from posture_daemon.fake_desk.day import day_number


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
    desk.show(posture)
    for _ in range(20):
        desk.read()
        assert desk.shows == posture
        assert not desk._camera.desk.transition_at(desk._shown_at)


def test_two_rounds_are_of_one_day_and_show_different_stretches_of_it() -> None:
    """In the same clothes, but not in neighbouring pictures."""
    desk = obedient()
    shown = []
    for posture in (*CLASSES, *CLASSES):
        desk.show(posture)
        frames(desk, 30)
        shown.append(desk._shown_at)
    assert shown == sorted(shown)
    assert len({day_number(at) for at in shown}) == 1
    assert min(later - sooner for sooner, later in zip(shown, shown[4:], strict=False)) > 240


def test_its_frames_carry_the_clock_of_the_camera_whatever_they_show() -> None:
    """A lesson of two minutes is two minutes of the session, not a day of one posture."""
    desk, camera = obedient(), obedient()
    desk.show("standing")
    assert [one.captured_at for one in frames(desk, 5)] == [one.captured_at for one in frames(camera, 5)]


def test_as_long_as_nobody_asks_it_is_the_fake_desk_itself() -> None:
    """Before a lesson and after it: the same pictures at the same times."""
    desk, plain = obedient(), obedient()
    first = frames(desk, 2)
    desk.show("standing")
    frames(desk, 3)
    desk.show(None)
    asked = [*first, *frames(desk, 2)]
    own = frames(plain, 7)
    assert desk._asked_at > desk._shown_at + 60  # what is asked for next is what was not shown yet
    for one, other in zip(asked, [*own[:2], *own[5:]], strict=True):
        assert one.captured_at == other.captured_at
        assert (one.image == other.image).all()


def test_a_posture_that_is_not_shown_here_is_refused() -> None:
    """Rather than looked for in all eternity."""
    desk = obedient(classes="good_posture,na")
    with pytest.raises(CameraError, match="cannot show 'standing', only good_posture, na"):
        desk.show("standing")
    assert len(frames(desk, 2)) == 2


def test_its_film_ends_like_any_other() -> None:
    """With `duration`."""
    assert obedient(duration=0.2).read() is not None
    desk = obedient(duration=0.2, fps=5)
    desk.read()
    assert (desk.read(), desk.read()) == (None, None)
