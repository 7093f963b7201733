"""What the files in docker/ promise, as far as that can be read; `make image-test` builds and runs them."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import tomlkit
import yaml
from packaging.requirements import Requirement

from posture_daemon.settings import load_settings

REPOSITORY = Path(__file__).resolve().parents[3]
DOCKER = REPOSITORY / "docker"
DOCKERFILES = ["Dockerfile", "Dockerfile.jetson"]
DATA = "/var/lib/posture-daemon"
DAEMON = yaml.safe_load((DOCKER / "compose.yaml").read_text())["services"]["daemon"]


def last_stage(name: str) -> str:
    """The instructions that make the image itself, a line each."""
    text = (DOCKER / name).read_text().replace("\\\n", " ")
    return re.sub(r" {2,}", " ", text[text.rindex("\nFROM ") :])


def variables(name: str) -> dict[str, str]:
    """What `ENV` sets."""
    words = " ".join(re.findall(r"^ENV (.*)$", last_stage(name), re.M)).split()
    return dict(word.split("=", 1) for word in words)


@pytest.mark.parametrize("name", DOCKERFILES)
def test_hadolint_has_nothing_to_say(name: str) -> None:
    """Not even a hint."""
    places = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")])
    hadolint = shutil.which("hadolint", path=places)
    if hadolint is None:
        assert os.environ.get("CI") != "true", "hadolint is not installed"
        pytest.skip("hadolint is not installed")
    done = subprocess.run([hadolint, str(DOCKER / name)], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "")


@pytest.mark.parametrize("name", DOCKERFILES)
def test_an_image_is_for_an_ordinary_user_with_its_data_in_a_volume(name: str) -> None:
    """Health is asked by `status --check`, and SIGTERM reaches the daemon itself, since no shell stands in between."""
    lines = last_stage(name).splitlines()
    assert "USER 1000" in lines
    assert f"VOLUME {DATA}" in lines
    assert "STOPSIGNAL SIGTERM" in lines
    assert 'ENTRYPOINT ["posture-daemon"]' in lines
    assert 'CMD ["run"]' in lines
    assert any(line.endswith('CMD ["posture-daemon", "status", "--check"]') for line in lines if "HEALTHCHECK" in line)
    last_user = max(index for index, line in enumerate(lines) if line.startswith("USER "))
    assert not [line for line in lines[last_user:] if line.startswith(("RUN ", "USER 0", "USER root"))]


@pytest.mark.parametrize("name", DOCKERFILES)
def test_its_variables_are_settings(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A misspelt one would be refused by the daemon; the page is reached by its published port, with the secret."""
    for variable, value in variables(name).items():
        if variable.startswith("POSTURE_"):
            monkeypatch.setenv(variable, value)
    settings = load_settings().settings
    assert settings.data_dir == Path(DATA)
    assert (settings.ui.host, settings.ui.link) == ("0.0.0.0", f"http://127.0.0.1:{settings.ui.port}/")
    assert f"EXPOSE {settings.ui.port}" in last_stage(name).splitlines()


def locked(name: str) -> dict[str, str]:
    """The versions in a lock file, those for the oldest Python; each must have a hash."""
    entries = re.findall(
        r"^([a-z0-9-]+)==(\S+).*\\\n +--hash=sha256:[0-9a-f]{64}", (REPOSITORY / name).read_text(), re.M
    )
    return dict(reversed(entries))


def test_on_a_jetson_nothing_replaces_the_pytorch_of_nvidia() -> None:
    """It is installed first, and from then on pip takes what the lock file names, in which there is numpy 1 and no PyTorch."""
    text = (DOCKER / "Dockerfile.jetson").read_text().replace("\\\n", " ")
    installs = re.findall(r"pip install ([^&\n]*)", text)
    first = next(index for index, what in enumerate(installs) if "$TORCH " in what)
    assert all("--no-deps" in what or "jetson-stats" in what for what in installs[first:])
    there = locked("docker/requirements-jetpack6.txt")
    assert there["numpy"].startswith("1.")
    assert not {"torch", "torchvision", "opencv-python"} & set(there)
    assert text.index("nvcr.io/nvidia/l4t-jetpack:r36.4.0") < text.index("pip install")


@pytest.mark.parametrize("name", DOCKERFILES)
def test_packages_get_in_by_their_hashes_alone(name: str) -> None:
    """Whatever the index holds on the day of the build; PyTorch and jetson-stats, which fit the machine, are named apart."""
    text = (DOCKER / name).read_text().replace("\\\n", " ")
    for what in re.findall(r"pip install ([^&\n]*)", text):
        apart = "TORCH" in what or "nvidia-cudss" in what or "jetson-stats" in what or "/wheel/" in what
        assert apart or "--require-hashes" in what, what
    assert "sbom.cdx.json" in text


@pytest.mark.parametrize(
    "name",
    [
        "requirements.txt",
        "systemd/requirements-jetpack6.txt",
        "systemd/requirements-jetpack7-csi.txt",
        "docker/requirements.txt",
        "docker/requirements-jetpack6.txt",
    ],
)
def test_a_lock_file_has_all_that_the_project_needs(name: str) -> None:
    """In a version that pyproject.toml allows; after a change of it, `make lock` writes them anew."""
    project = tomlkit.loads((REPOSITORY / "pyproject.toml").read_text())["project"]
    there = locked(name)
    for line in project["dependencies"]:
        wanted = Requirement(line)
        windows = (
            "opencv-python-headless" if wanted.name == "opencv-python" and name.startswith("docker") else wanted.name
        )
        if wanted.name not in ("torch", "torchvision", "jetson-stats"):
            assert wanted.specifier.contains(there[windows.lower()]), line


def test_numpy_is_1_where_the_systems_libraries_need_that() -> None:
    """On JetPack 6, and on JetPack 7.2 with the system's OpenCV; the tests run with numpy 2."""
    assert locked("systemd/requirements-jetpack6.txt")["numpy"].startswith("1.")
    assert locked("systemd/requirements-jetpack7-csi.txt")["numpy"].startswith("1.")
    assert locked("requirements.txt")["numpy"].startswith("2.")


def test_make_install_takes_the_lock_file_first() -> None:
    """Then PyTorch finds all that it shares with the rest; the wheel of the checkout brings nothing more."""
    recipe = (REPOSITORY / "Makefile").read_text().partition("\ninstall: ")[2].partition("\n\n")[0]
    lock, torch, wheel = re.findall(r"\$\(INTO_OPT\) (.*)", recipe)
    assert lock == "--no-deps --require-hashes --requirement requirements.txt"
    assert torch.endswith("--requirement $(WHEEL)/torch.txt")
    assert "--no-deps" in wheel


def test_compose_shows_the_page_to_this_computer_alone() -> None:
    """Whatever port is chosen; the link that `label` prints is that of the port."""
    assert DAEMON["ports"] == ["127.0.0.1:${POSTURE_PORT:-8760}:8760"]
    assert DAEMON["environment"]["POSTURE_UI__LINK"] == "http://127.0.0.1:${POSTURE_PORT:-8760}/"


def test_compose_gives_no_more_than_needed() -> None:
    """No capabilities, no new privileges, a root that cannot be written; the data in a named volume; bounded logs."""
    assert (DAEMON["cap_drop"], DAEMON["security_opt"]) == (["ALL"], ["no-new-privileges"])
    assert DAEMON["read_only"] is True
    assert "privileged" not in DAEMON
    assert DAEMON["init"] is True
    assert DAEMON["volumes"] == [f"data:{DATA}"]
    assert "max-size" in DAEMON["logging"]["options"]


def test_compose_starts_the_fake_desk_unless_told_otherwise(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its variables are settings, too."""
    for variable, value in DAEMON["environment"].items():
        if variable.startswith("POSTURE_"):
            monkeypatch.setenv(variable, re.sub(r"\$\{\w+:-([^}]*)\}", r"\1", value))
    settings = load_settings().settings
    assert (settings.camera.address, settings.ui.link) == ("fake:desk", "http://127.0.0.1:8760/")


def test_a_usb_camera_is_an_addition_to_the_same_service() -> None:
    """The device, and the group that may open it."""
    usb: dict[str, Any] = yaml.safe_load((DOCKER / "compose.usb.yaml").read_text())["services"]["daemon"]
    device = usb["environment"]["POSTURE_CAMERA__ADDRESS"]
    assert [mapping.rpartition(":")[2] for mapping in usb["devices"]] == [device]
    assert usb["group_add"] == ["video"]


def test_images_are_built_of_the_code_alone() -> None:
    """Everything is left out but for what is named, so no data of the owner gets into an image."""
    lines = [line for line in (REPOSITORY / ".dockerignore").read_text().splitlines() if not line.startswith("#")]
    assert lines[0] == "*"
    assert {line for line in lines if line.startswith("!")} == {
        "!pyproject.toml",
        "!README.md",
        "!LICENSE",
        "!posture_daemon",
        "!systemd",
        "!docker/requirements*.txt",
    }
