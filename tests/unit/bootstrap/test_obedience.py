"""Who does what a lesson asks for: the person at the fake desk, in every command that films it."""

from pathlib import Path

import pytest

from posture_daemon.adapters.cameras.factory import open_camera
from posture_daemon.bootstrap.guided_capture import TRIGGER, obedient, obey, open_guided_capture, try_poses
from posture_daemon.bootstrap.models import champion, open_store
from posture_daemon.domain import Decision, PostureClass, Role
from posture_daemon.errors import CameraError, LabelError, SettingsError
from posture_daemon.fake_desk import ObedientDesk
from posture_daemon.labelling.guided_capture_plan import plan
from posture_daemon.settings import Settings


def desk() -> ObedientDesk:
    """As every command has it."""
    camera = obedient(open_camera("fake:desk?seed=1"))
    assert isinstance(camera, ObedientDesk)
    return camera


def settings_for(folder: Path, address: str = "fake:desk") -> Settings:
    """A data folder and a camera."""
    return Settings(data_dir=folder, camera={"address": address})


@pytest.mark.parametrize(
    ("name", "role", "shown"),
    [
        ("standing", Role.NEUTRAL, "standing"),
        ("upright", Role.GOOD, "good_posture"),
        ("slumped", Role.BAD, "bad_posture"),
        ("gone", Role.AWAY, "na"),
    ],
)
def test_a_class_is_shown_by_its_name_or_by_what_it_means(name: str, role: Role, shown: str) -> None:
    """So that an owner's own names do not get wrong labels."""
    camera = desk()
    camera.open()
    obey(camera)(plan([PostureClass(name, role)])[0])
    camera.read()
    assert camera.shows == shown


def test_a_class_that_nobody_can_guess_is_refused_before_the_lesson(tmp_path: Path) -> None:
    """In one sentence, and no class is created."""
    with pytest.raises(CameraError, match="cannot show 'yoga'"):
        try_poses(desk(), [PostureClass("yoga", Role.NEUTRAL)])
    settings = settings_for(tmp_path)
    with pytest.raises(CameraError, match="cannot show 'yoga'"), open_guided_capture(settings, ["yoga"]):
        pass
    with pytest.raises(LabelError, match="'a/b'"), open_guided_capture(settings, ["a/b"]):
        pass
    assert not {"yoga", "a/b"} & {one.name for one in open_store(settings).labels.classes()}


def test_any_other_camera_stays_what_it_is(tmp_path: Path) -> None:
    """And whoever films people cannot have them hurry."""
    (tmp_path / "desk").mkdir()
    address = f"replay:{tmp_path / 'desk'}"
    camera = open_camera(address)
    assert obedient(camera) is camera
    obey(camera)(None)
    with (
        pytest.raises(SettingsError, match="--simulate-owner works with the fake desk only"),
        open_guided_capture(settings_for(tmp_path, address), None, pace=4.0),
    ):
        pass


def test_each_lesson_of_teach_is_another_day(tmp_path: Path) -> None:
    """As it is in life: other clothes, and no picture of the first one again."""
    settings = settings_for(tmp_path)
    times = []
    for _ in range(2):
        with open_guided_capture(settings, None) as capture:
            while capture.picture() is None:
                capture.step(0.0)
            assert capture._frame is not None
            times.append(capture._frame.captured_at)
        store = open_store(settings)
        store.runs.defer(TRIGGER, Decision(()), champion(store).id, 0.0)
        store.close()
    assert times[1] - times[0] == pytest.approx(86_400, abs=5)
