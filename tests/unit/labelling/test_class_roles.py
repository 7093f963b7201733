import pytest

from posture_daemon.domain import Role
from posture_daemon.labelling.class_roles import guess_role, looks_like_postures


@pytest.mark.parametrize(
    ("name", "role"),
    [
        ("good_posture", Role.GOOD),
        ("GoodPosture", Role.GOOD),
        ("sitting upright", Role.GOOD),
        ("bad_posture", Role.BAD),
        ("slouching", Role.BAD),
        ("leaning_right", Role.BAD),
        ("bad_sitting_upright", Role.BAD),
        ("na", Role.AWAY),
        ("NA", Role.AWAY),
        ("empty-chair", Role.AWAY),
        ("standing", Role.NEUTRAL),
        ("banana", Role.NEUTRAL),
        ("", Role.NEUTRAL),
    ],
)
def test_role_is_guessed_from_the_words_of_the_name(name: str, role: Role) -> None:
    """Any spelling of the usual words is understood; other names are neutral."""
    assert guess_role(name) is role


@pytest.mark.parametrize(
    ("classes", "expected"),
    [
        (("good_posture", "bad_posture", "na"), True),
        (("sitting", "standing"), True),
        (("paper", "rock", "scissors"), False),
        (("tench", "goldfish", "folding chair", "park bench") * 100, False),
        (("0", "1"), False),
        ((), False),
    ],
)
def test_a_model_of_postures_is_told_from_a_base(classes: tuple[str, ...], expected: bool) -> None:
    """Most class names must speak of postures."""
    assert looks_like_postures(classes) is expected
