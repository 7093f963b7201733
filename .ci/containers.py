"""Images and containers on a machine without a Docker engine: buildah builds, podman runs, in a store that is thrown away.

Needs root, and Debian's packages buildah, podman and what `PROGRAMS` names. Containers here are real ones: namespaces,
cgroups, seccomp, a read-only root, published ports.
"""

import ast
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

PROJECT = Path(__file__).resolve().parents[1]
CACHE = PROJECT / ".cache" / "image-test"
PROGRAMS = ("buildah", "podman", "crun", "iptables", "debootstrap", "unshare")
SECOND_CGROUPS = "/sys/fs/cgroup/unified"
PULL_S = 120

BASE = "docker.io/library/python:3.11-slim-bookworm"
BASE_PACKAGES = "python3,python3-venv,ca-certificates,netbase,tzdata"
"""What the real base has, except that its Python is Debian's own, of the same version."""

BASE_FILE = """
FROM scratch
ADD base.tar.gz /
RUN ln -s /usr/bin/python3 /usr/local/bin/python3 && ln -s /usr/bin/python3 /usr/local/bin/python
"""


def enter_own_mounts() -> None:
    """Go on in a mount namespace of our own, where everything that is mounted ends with us.

    A machine with both versions of cgroups gets the first alone there, since crun takes either but not both.
    """
    missing = [name for name in PROGRAMS if shutil.which(name) is None]
    if missing or os.geteuid() != 0:
        sys.exit(f"image-test: needs {'to be root' if not missing else 'these programs: ' + ', '.join(missing)}.")
    if "POSTURE_OWN_MOUNTS" in os.environ:
        del os.environ["POSTURE_OWN_MOUNTS"]
        return
    os.environ["POSTURE_OWN_MOUNTS"] = "1"
    script = f'if mountpoint -q {SECOND_CGROUPS}; then umount {SECOND_CGROUPS}; fi; exec "$@"'
    os.execvp("unshare", ["unshare", "--mount", "sh", "-c", script, "sh", sys.executable, *sys.argv])


@dataclass(frozen=True)
class Workshop:
    """A store of images and containers. `volumes` are shown to every step of a build, and are no part of what it makes."""

    folder: Path
    environment: Mapping[str, str]
    volumes: tuple[str, ...]

    def run(self, *command: str, timeout_s: float = 120, **variables: str) -> str:
        """What a program says on stdout; its last words are shown when it fails. Raises `CalledProcessError`."""
        done = self._run(command, timeout_s, variables)
        if done.returncode != 0:
            sys.stderr.write(done.stdout[-3000:] + done.stderr[-3000:])
            done.check_returncode()
        return done.stdout

    def succeeds(self, *command: str, timeout_s: float = 120) -> bool:
        """Whether a program ends with 0; what it says is lost."""
        return self._run(command, timeout_s, {}).returncode == 0

    def _run(
        self, command: Sequence[str], timeout_s: float, variables: Mapping[str, str]
    ) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            command, env={**self.environment, **variables}, cwd=PROJECT, capture_output=True, text=True,
            timeout=timeout_s, stdin=subprocess.DEVNULL, check=False,
        )  # fmt: skip

    def build(self, tag: str, dockerfile: Path, context: Path, **arguments: str) -> None:
        """Build an image; what it is built from must be in the store."""
        given = [word for name, value in arguments.items() for word in ("--build-arg", f"{name}={value}")]
        shown = [word for volume in self.volumes for word in ("--volume", volume)]
        self.run(
            "buildah", "bud", "--isolation", "chroot", "--pull-never", "--format", "docker", "--tag", tag,
            "--file", str(dockerfile), *given, *shown, str(context), timeout_s=1800,
        )  # fmt: skip

    def fetch_base(self) -> str:
        """Bring the base of our Dockerfile into the store, from its registry or made of Debian's packages; says which."""
        with suppress(subprocess.TimeoutExpired):
            if self.succeeds("buildah", "pull", "--quiet", BASE, timeout_s=PULL_S):
                return "from its registry"
        context = self.folder / "base"
        context.mkdir()
        shutil.copy(debian(), context / "base.tar.gz")
        (context / "Dockerfile").write_text(BASE_FILE)
        self.build(BASE, context / "Dockerfile", context)
        return "made by debootstrap, since no registry answers"


@contextmanager
def workshop() -> Iterator[Workshop]:
    """A new store; whatever happens, nothing that runs and no file of it remains."""
    CACHE.mkdir(parents=True, exist_ok=True)
    folder = Path(tempfile.mkdtemp(prefix="store-", dir=CACHE))
    shop = Workshop(folder, _environment(folder), tuple(pip_volumes(folder)))
    try:
        yield shop
    finally:
        shop.succeeds("podman", "rm", "--all", "--force", "--time", "0", "--volumes")
        shop.succeeds("podman", "network", "prune", "--force")
        for mounted in reversed(Path("/proc/self/mounts").read_text().splitlines()):
            if mounted.split()[1].startswith(str(folder)):
                subprocess.run(["umount", "--lazy", mounted.split()[1]], check=False, capture_output=True)
        shutil.rmtree(folder)


def _environment(folder: Path) -> dict[str, str]:
    """Ours, and what buildah and podman are told: everything in `folder`, no systemd, limits that we may set."""
    (folder / "containers.conf").write_text(
        f'[containers]\ndefault_ulimits = ["nofile=1024:1024", "nproc=4096:4096"]\n'
        f'[network]\nnetwork_backend = "netavark"\nnetwork_config_dir = "{folder}/networks"\n'
        f'[engine]\ncgroup_manager = "cgroupfs"\nevents_logger = "file"\nruntime = "crun"\n'
        f'tmp_dir = "{folder}/tmp"\nvolume_path = "{folder}/volumes"\n'
    )
    (folder / "storage.conf").write_text(
        f'[storage]\ndriver = "overlay"\ngraphroot = "{folder}/images"\nrunroot = "{folder}/run"\n'
    )
    return {
        **{name: value for name, value in os.environ.items() if not name.startswith("POSTURE_")},
        "CONTAINERS_CONF": str(folder / "containers.conf"),
        "CONTAINERS_STORAGE_CONF": str(folder / "storage.conf"),
    }


def debian() -> Path:
    """A minimal Debian with the Python of our base as an archive, made once."""
    archive = CACHE / "base.tar.gz"
    if not archive.exists():
        with tempfile.TemporaryDirectory(dir=CACHE) as folder:
            root, partial = Path(folder, "root"), Path(folder, "base.tar.gz")
            _quietly("debootstrap", "--variant=minbase", f"--include={BASE_PACKAGES}", "bookworm", str(root))
            for rubbish in (*root.glob("var/cache/apt/**/*.*"), *root.glob("var/lib/apt/lists/*_*")):
                rubbish.unlink()
            _quietly("tar", "--use-compress-program", "gzip -1", "-C", str(root), "-cf", str(partial), ".")
            partial.rename(archive)
    return archive


def _quietly(*command: str) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        sys.exit(f"image-test: {command[0]} failed: {(done.stdout + done.stderr)[-2000:]}")


def pip_settings() -> dict[str, str]:
    """What this machine's pip is told: where its packages come from, and by which certificates; the last word wins."""
    said = subprocess.run([sys.executable, "-m", "pip", "config", "list"], capture_output=True, text=True, check=True)
    lines = sorted(said.stdout.splitlines(), key=lambda line: line.startswith(":env:"))
    pairs = [line.split("=", 1) for line in lines]
    return {name.rpartition(".")[2]: str(ast.literal_eval(value)) for name, value in pairs}


def pip_volumes(folder: Path) -> Iterator[str]:
    """Let the pip of a build get its packages as ours does, except from an index on our disk."""
    wanted = {"cert", "find-links", "index-url", "proxy", "timeout", "trusted-host"}
    settings = {name: value for name, value in pip_settings().items() if name in wanted}
    lines = [f"{name} = {value}" for name, value in settings.items()]
    (folder / "pip.conf").write_text("\n".join(["[global]", *lines, ""]))
    yield f"{folder}/pip.conf:/etc/pip.conf:ro"
    for name in ("cert", "find-links"):
        for path in settings.get(name, "").split():
            if path.startswith("/") and os.path.exists(path):
                yield f"{path}:{path}:ro"
