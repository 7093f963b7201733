"""What was typed: an address of a camera shows no secret, and all else is quoted as it was typed."""

from collections.abc import Sequence

import pytest

from posture_daemon.cli.typed import hide_typed
from posture_daemon.settings import address as address_module
from posture_daemon.settings.address import hide_secrets

SECRET = "s3cr3tW0rd"


@pytest.fixture(autouse=True)
def _nothing_known(monkeypatch: pytest.MonkeyPatch) -> None:
    """Addresses are remembered for the whole process."""
    monkeypatch.setattr(address_module, "_known", set())


@pytest.mark.parametrize(
    "words",
    [
        ["run", "--camera", f"rtmp://127.0.0.1:1/bcs/channel0_main.bcs?user=admin&password={SECRET}"],
        ["run", f"--camera=admin:{SECRET}"],
        ["setup", "--camera", f"user=me&pwd={SECRET}"],
        ["teach", "--camera", f"http://10.0.0.2/stream/{SECRET}"],
        ["run", f"rtsp://me:{SECRET}@cam/live"],
        ["run", f"me:{SECRET}@192.168.1.5:554/stream1"],
        ["run", f"me:{SECRET}@cam"],
        ["run", "--kamera", f"rstp://me:{SECRET}@cam/live"],
        ["run", f"--camara=http//me:{SECRET}@cam/live"],
        ["run", "--address", f"http://cam/v.cgi?loginuse=a&loginpas={SECRET}"],
        ["run", f"rtsp://10.0.0.2/user=admin_password={SECRET}_channel=1_stream=0.sdp"],
        ["run", f"camera.address=rtsp://me:{SECRET}@cam/live"],
        ["backup", "--to", f"http://cam/x?token={SECRET}"],
        [f"https://{SECRET}@cam/"],
        ["run", f"http:/10.0.0.1/axis/{SECRET}"],
        [f"cam1:{SECRET}/video"],
        ["--data-dir", "/srv/data", f"cam1:{SECRET}/video"],
        ["region", f"rtsp:10.0.0.1:{SECRET}"],
        ["models", "import", f"rtps:me:{SECRET}:10.0.0.1"],
    ],
)
def test_no_secret_of_an_address_is_shown(words: Sequence[str]) -> None:
    """Of the camera, or of what looks like one in the wrong place."""
    hide_typed(words, {})
    assert SECRET not in hide_secrets(f"Got unexpected extra argument ({words[-1]})")


@pytest.mark.parametrize("name", ["POSTURE_CAMERA__ADDRESS", "posture_camera__address", "POSTURE_UI__LINK"])
def test_no_secret_of_the_environment_is_shown(name: str) -> None:
    """The camera's address, whatever it looks like; of other variables what looks like one."""
    value = f"https://me:{SECRET}@desk.home/" if "UI" in name else f"admin:{SECRET}"
    hide_typed([], {name: value})
    assert SECRET not in hide_secrets(f"{name} is {value}")


@pytest.mark.parametrize(
    "words",
    [
        ["models", "import", "names.pt", "--rename", "bad=1=a/b"],
        ["models", "import", "names.pt", "--rename=bad_posture="],
        ["models", "import", "names.pt", "--rename", "bad:1=sits@desk"],
        ["classes", "add", "x=a|b"],
        ["classes", "add", "me@desk"],
        ["label", "--import", "/tmp/nope=1|2"],
        ["label", "--import", "/home/me/a@b//pictures=1"],
        ["label", "--import", "//nas/photos/desk"],
        ["label", "--import", "/home/sets//me@desk/1=2"],
        ["--data-dir", "/srv/password=x/data", "status"],
        ["models", "fetch", "yolo11n-cls", "--release", "https://host.home/assets/v8.3.0/download"],
        ["models", "fetch", "yolo11n-cls", "--sha256", "sha256:abc=def"],
        ["train", "--strategy", "head=full"],
        ["run", "--data-dir=/tmp/nowhere=at/all"],
        ["run", "--camera", "fake:desk?seed=3", "--speed", "x=2"],
    ],
)
def test_other_words_are_quoted_as_they_were_typed(words: Sequence[str]) -> None:
    """So that the way on that a sentence prints can be copied."""
    hide_typed(words, {"POSTURE_LABELS__HOLDOUT_EVERY": "a=b", "HOME": "/home/a=b"})
    said = f"these were typed: {' '.join(words)} (a=b), parts: {' '.join(words).replace('=', ' ')}"
    assert hide_secrets(said) == said
