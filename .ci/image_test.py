"""Build the image of docker/Dockerfile, start docker/compose.yaml, and try in the containers what docs/docker.md promises.

    make image-test

Prints a line a promise and exits 1 if one is broken. See `containers` for what it needs.
"""

import json
import re
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from http.cookiejar import CookieJar
from pathlib import Path

from containers import PROJECT, Workshop, enter_own_mounts, pip_settings, workshop
from plain_install import RECORDED_BYTES, plain_bytes
from setup import CPU_INDEX, index_answers
from trial import CONTAINER, DATA, IMAGE, LINK, STOP_S, Broken, Trial, demand, free_port, wait_until

GB = 1e9
HEALTHY_S = 180.0
"""A busy CI machine may be slow to start Python."""

EXAMPLE = f"{PROJECT}/data/example:/example:ro"
SHORT_BLOCKS = ("-e", "POSTURE_LABELS__BLOCK_FILES=4")
ANY_GAIN = ("-e", "POSTURE_PROMOTION__MIN_PROBABILITY=0.5")

PROMISES: list[Callable[[Trial], str]] = []


def promise(check: Callable[[Trial], str]) -> Callable[[Trial], str]:
    """Its docstring is what is promised; it returns what was found, or raises `Broken`. They are tried in this order."""
    PROMISES.append(check)
    return check


@promise
def is_small(trial: Trial) -> str:
    """At most half the size of a plain pip install with CUDA."""
    image = int(trial.shop.run("podman", "image", "inspect", "--format", "{{.Size}}", IMAGE))
    measured = plain_bytes()
    plain, how = (RECORDED_BYTES, "recorded") if measured is None else (measured, "measured in .venv")
    demand(image <= plain / 2, f"{image / GB:.2f} GB")
    return f"{image / GB:.2f} GB, base included; plain {plain / GB:.2f} GB ({how}): {image / plain:.0%}"


@promise
def tells_what_it_is_made_of(trial: Trial) -> str:
    """The list of ingredients (CycloneDX) names every Python package that is there, in its version."""
    inside = ("podman", "run", "--rm", "--entrypoint")
    bill = json.loads(trial.shop.run(*inside, "cat", IMAGE, "/opt/posture-daemon/sbom.cdx.json"))
    names = "from importlib.metadata import distributions as d; print(*{f'{i.name}=={i.version}' for i in d()})"
    there = trial.shop.run(*inside, "python", IMAGE, "-c", names).split()
    listed = {f"{part['name']}=={part['version']}" for part in bill["components"]}
    missing = sorted(set(there) - listed)
    demand(bill["bomFormat"] == "CycloneDX" and not missing, f"not listed: {', '.join(missing)}")
    return f"{len(listed)} packages, CycloneDX {bill['specVersion']}"


@promise
def starts_with_one_command(trial: Trial) -> str:
    """`docker compose up` starts it, and it becomes healthy."""
    began = time.monotonic()
    trial.compose("up", "-d", "--no-build")
    wait_until(trial.is_healthy, "healthy daemon", HEALTHY_S)
    return f"healthy after {time.monotonic() - began:.1f} s"


@promise
def answers_frames(trial: Trial) -> str:
    """Frames of the fake desk are answered, ten a second."""
    wait_until(lambda: trial.frames() >= 20, "20 answered frames", 30)
    first, began = trial.frames(), time.monotonic()
    time.sleep(5)
    rate = (trial.frames() - first) / (time.monotonic() - began)
    demand(rate > 5, f"{rate:.1f} frames/s")  # two busy cores are asked twice meanwhile
    return f"{rate:.1f} frames/s"


@promise
def has_no_cuda(trial: Trial) -> str:
    """No CUDA packages, and PyTorch for the CPU."""
    names = [line.split("==")[0] for line in trial.inside("pip", "list", "--format", "freeze").splitlines()]
    bad = [name for name in names if re.match("nvidia-(?!ml-py)|cuda|triton", name)]  # nvidia-ml-py: 50 kB of Python
    demand(not bad, ", ".join(bad))
    torch = trial.inside("python", "-c", "import torch; print(torch.__version__, torch.cuda.is_available())").split()
    demand(torch[1] == "False" and torch[0].endswith("+cpu"), f"torch {torch[0]}")
    return f"{len(names)} packages, torch {torch[0]}"


@promise
def opens_cameras(trial: Trial) -> str:
    """Its OpenCV can read network cameras and USB cameras."""
    built = trial.inside("python", "-c", "import cv2; print(cv2.__version__, cv2.getBuildInformation())")
    found = {name: re.search(rf"{name}\S*:\s+YES", built) is not None for name in ("FFMPEG", "v4l")}
    demand(all(found.values()), str(found))
    return f"OpenCV {built.split()[0]} with {' and '.join(found)}"


@promise
def is_confined(trial: Trial) -> str:
    """An ordinary user, no capabilities, no new privileges, a read-only root, limits."""
    processes = trial.inside("sh", "-c", "cat /proc/[0-9]*/status")
    users = set(re.findall(r"^Uid:\s+(\d+)", processes, re.MULTILINE))
    capabilities = set(re.findall(r"^CapBnd:\s+(\w+)", processes, re.MULTILINE))
    privileges = set(re.findall(r"^NoNewPrivs:\s+(\d)", processes, re.MULTILINE))
    demand((users, capabilities, privileges) == ({"1000"}, {"0" * 16}, {"1"}), f"{users} {capabilities} {privileges}")
    demand("Read-only" in trial.inside("sh", "-c", "touch /opt/x 2>&1 || true"), "the root can be written")
    limits = trial.shop.run(
        "podman", "inspect", CONTAINER, "--format", "{{.HostConfig.Memory}} {{.HostConfig.PidsLimit}}"
    )
    demand(limits.split() == [str(4 * 2**30), "256"], limits)
    return "user 1000, none, set, read-only, 4 GiB and 256 processes"


@promise
def page_answers_its_owner(trial: Trial) -> str:
    """The label page answers at 127.0.0.1, and only to its link."""
    said = trial.inside("posture-daemon", "label").strip()
    link = re.fullmatch(LINK.format(port=trial.port), said)
    demand(link is not None, said)
    published = trial.shop.run("podman", "port", CONTAINER).strip()
    demand(published == f"8760/tcp -> 127.0.0.1:{trial.port}", published)
    try:
        urllib.request.urlopen(f"http://127.0.0.1:{trial.port}/", timeout=10)
        raise Broken("it answers without the secret")
    except urllib.error.HTTPError as refusal:
        demand(refusal.code == 401, f"HTTP {refusal.code}")
    browser = urllib.request.build_opener(urllib.request.HTTPCookieProcessor(CookieJar()))
    with browser.open(said.split()[-1], timeout=10) as page:
        text = page.read().decode()
    demand("<title>" in text, text[:100])
    return f"{len(text)} bytes of HTML with the secret, 401 without"


@promise
def learns(trial: Trial) -> str:
    """Labels are learned, and the running daemon answers with the new model."""
    trial.inside("posture-daemon", "label", "--import", "/example", options=SHORT_BLOCKS)
    began = time.monotonic()
    trial.inside("posture-daemon", "train", "--force", options=ANY_GAIN, timeout_s=300)
    trained_s, found = time.monotonic() - began, trial.status()
    demand(found["last_attempt"]["outcome"] == "PROMOTED", found["last_attempt"]["reason"])
    wait_until(lambda: trial.status()["daemon"]["model"] == found["champion"]["id"], "the swap", 20)
    return f"trained in {trained_s:.0f} s, model {found['champion']['id']} answers"


@promise
def torch_works(trial: Trial) -> str:
    """PyTorch and ultralytics work in their child process."""
    trial.inside("posture-daemon", "models", "export", "/tmp/mine.pt", timeout_s=300)
    size = int(trial.inside("stat", "--format", "%s", "/tmp/mine.pt"))
    vision = trial.inside("sh", "-c", "python -c 'import torchvision' 2>/dev/null && echo works || echo does not")
    return f"a checkpoint of {size / 1e6:.1f} MB exported; torchvision {vision.strip()}"


@promise
def reaps_orphans(trial: Trial) -> str:
    """No zombies: what a killed training leaves is ended."""
    trial.inside("sh", "-c", "(sleep 1 &)")
    time.sleep(2)
    states = re.findall(r"^State:\s+(\w)", trial.inside("sh", "-c", "cat /proc/[0-9]*/status"), re.MULTILINE)
    demand("Z" not in states, f"{states.count('Z')} zombies")
    return f"{len(states)} processes, none dead"


@promise
def data_survives(trial: Trial) -> str:
    """Stopped within 5 s; a new container on the same volume has everything."""
    before, link = trial.status(), trial.inside("posture-daemon", "label")
    began = time.monotonic()
    trial.compose("stop")
    stopped_s = time.monotonic() - began
    code = trial.shop.run("podman", "inspect", CONTAINER, "--format", "{{.State.ExitCode}}").strip()
    demand(stopped_s < STOP_S and code == "0", f"code {code} after {stopped_s:.1f} s")
    trial.compose("down")
    trial.compose("up", "-d", "--no-build")
    wait_until(trial.is_healthy, "healthy daemon", HEALTHY_S)
    after = trial.status()
    same = [name for name in ("labels", "champion", "last_attempt") if before[name] == after[name]]
    demand(len(same) == 3, f"only {same} as before")
    demand(trial.inside("posture-daemon", "label") == link, "another link")
    labels = sum(sum(splits.values()) for splits in after["labels"].values())
    return f"stopped in {stopped_s:.1f} s; {labels} labels, model and link as before"


@promise
def stops_as_first_process(trial: Trial) -> str:
    """`docker run` without compose: as process 1 it ends within 5 s."""
    shop, volume = trial.shop, f"alone:{DATA}"
    shop.run("podman", "run", "-d", "--name", "alone", "-e", "POSTURE_CAMERA__ADDRESS=fake:desk", "-v", volume, IMAGE)
    wait_until(lambda: shop.succeeds("podman", "healthcheck", "run", "alone"), "healthy daemon", HEALTHY_S)
    began = time.monotonic()
    shop.run("podman", "stop", "alone")
    stopped_s = time.monotonic() - began
    code = shop.run("podman", "inspect", "alone", "--format", "{{.State.ExitCode}}").strip()
    demand(stopped_s < STOP_S and code == "0", f"code {code} after {stopped_s:.1f} s")
    well = shop.succeeds("podman", "run", "--rm", "-v", volume, IMAGE, "status", "--check")
    demand(not well, "the health check passes where no daemon runs")
    return f"in {stopped_s:.1f} s with code 0; then unhealthy"


@promise
def leaves_nothing(trial: Trial) -> str:
    """`docker compose down --volumes` removes everything but the image."""
    trial.compose("down", "--volumes")
    left = trial.shop.run("podman", "ps", "-aq", "--filter", f"name={CONTAINER}") + trial.shop.run(
        "podman", "volume", "ls", "-q", "--filter", "name=posture-daemon"
    )
    demand(not left.split(), left)
    return "no container, no volume"


def cpu_torch() -> tuple[dict[str, str], str]:
    """The build arguments for PyTorch without CUDA, and where that comes from."""
    if index_answers():
        return {}, CPU_INDEX
    for folder in pip_settings().get("find-links", "").split():
        for wheel in Path(folder).glob("torch-*+cpu-cp311-*x86_64.whl"):
            version = wheel.name.split("-")[1]
            torch = f"torch=={version} torchvision"
            return {"TORCH_INDEX": "", "TORCH": torch}, f"a wheel of {version} on this machine"
    sys.exit(f"image-test: {CPU_INDEX} does not answer, and pip's find-links has no PyTorch for CPUs and Python 3.11.")


def build(shop: Workshop) -> None:
    """Build the image, and say of what."""
    began = time.monotonic()
    base = shop.fetch_base()
    print(f"base    {base} ({time.monotonic() - began:.0f} s)", flush=True)
    began = time.monotonic()
    arguments, source = cpu_torch()
    shop.build(IMAGE, PROJECT / "docker" / "Dockerfile", PROJECT, **arguments)
    print(f"image   PyTorch: {source} ({time.monotonic() - began:.0f} s)", flush=True)


def tell(check: Callable[[Trial], str], trial: Trial) -> bool:
    """Try a promise and print its line."""
    try:
        kept, found = True, check(trial)
    except (Broken, subprocess.SubprocessError, OSError, LookupError, ValueError) as error:
        kept, found = False, f"{type(error).__name__}: {error}"
    print(f"{'ok    ' if kept else 'BROKEN'}  {(check.__doc__ or '').strip('. '):76}  {found}", flush=True)
    return kept


def main() -> None:
    """Build, try every promise, tidy up."""
    enter_own_mounts()
    began = time.monotonic()
    with workshop() as shop:
        try:
            build(shop)
        except subprocess.SubprocessError as error:
            sys.exit(f"image-test: the image was not built: {error}")
        trial = Trial(shop, free_port(), EXAMPLE)
        kept = [tell(check, trial) for check in PROMISES]
    print(f"image-test: {sum(kept)} of {len(kept)} promises kept, {time.monotonic() - began:.0f} s")
    sys.exit(0 if all(kept) else 1)


if __name__ == "__main__":
    main()
