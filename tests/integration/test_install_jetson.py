"""`systemd/install-jetson.sh` on folders that stand for boards: what it refuses, plans, does, resumes and takes off again."""

import os
import re
import subprocess
from pathlib import Path

import pytest

from tests.fakes.jetson_board import JP6, JP7, PROJECT, SCRIPT, TORCH, TORCHVISION, Board
from tests.other_user import OWNER, needs_root

APT = "apt-get -qq -o DPkg::Lock::Timeout=300"
OPENCV_WITH_GSTREAMER = {"__init__.py": "def getBuildInformation(): return '    GStreamer:    YES (1.20.3)'"}
NANO, THOR = "NVIDIA Jetson Orin Nano Developer Kit", "NVIDIA Jetson AGX Thor Developer Kit"


@pytest.fixture
def board(tmp_path: Path) -> Board:
    """An Orin Nano with JetPack 6, freshly flashed."""
    return Board(tmp_path)


def titles(output: str) -> list[str]:
    """The numbered lines of a run, with what they say of a step that had nothing to do."""
    return re.findall(r"^\d+\. (.*)$", output, re.M)


class TestArguments:
    @pytest.mark.parametrize(
        ("arguments", "says"),
        [
            (["--bogus"], "There is no option --bogus; --help lists them."),
            (["install"], "There is no option install; --help lists them."),
            (["--torch-index"], "--torch-index needs a value; --help lists the options."),
            (["--purge"], "--purge deletes your data and goes only with --uninstall."),
            (["--uninstall", "--csi"], "--uninstall goes with --purge, --dry-run and --root only."),
            (["--root", "/no/such/folder"], "There is no folder /no/such/folder; --root takes one that stands for /."),
        ],
    )
    def test_refused(self, board: Board, arguments: list[str], says: str) -> None:
        """What it does not understand ends in one sentence and exit code 2, with nothing done."""
        before = board.files
        run = board.run(*arguments)
        assert (run.returncode, run.stderr, run.stdout) == (2, f"install-jetson: {says}\n", "")
        assert (board.files, board.calls) == (before, [])

    def test_help(self, board: Board) -> None:
        """`--help` names every option."""
        run = board.run("--help")
        assert run.returncode == 0
        for option in ("--dry-run", "--csi", "--jtop", "--torch-index", "--uninstall", "--purge", "--root"):
            assert option in run.stdout


class TestBoard:
    @pytest.mark.parametrize(
        ("release", "model", "says"),
        [
            (None, None, "not a Jetson"),
            (("35", "6.1", "3.8"), NANO, "JetPack 5 or older"),
            (("36", "3.0", "3.10"), NANO, "upgrade to JetPack 6.2"),
            (("38", "2.0", "3.12"), NANO, "for the Thor alone"),
            (("39", "2.0", "3.12"), THOR, 'this board is "NVIDIA Jetson AGX Thor'),
            (("35", "6.1", "3.8"), "NVIDIA Jetson Xavier NX Developer Kit", 'this board is "NVIDIA Jetson Xavier NX'),
            (("36", "4.7", "3.10"), None, 'this board is "of unknown name"'),
            (("40", "1.0", "3.14"), NANO, "R40.1.0 is not known"),
            (("x", "y", "3.10"), NANO, "R(unreadable) is not known"),
            (("36", "4.7", "3.11"), NANO, "comes with Python 3.10"),
        ],
    )
    def test_refused(self, tmp_path: Path, release: tuple[str, str, str] | None, model: str | None, says: str) -> None:
        """Any other board, JetPack or Python is refused in one sentence that says what to do, and nothing is touched."""
        board = Board(tmp_path, release, model)
        before = board.files
        run = board.run()
        assert run.returncode == 1
        assert says in run.stderr
        assert run.stderr.count("\n") == 1
        assert run.stderr.endswith((".\n", ").\n"))
        assert (board.files, board.calls, run.stdout) == (before, [], "")

    def test_another_board(self, tmp_path: Path) -> None:
        """A plan is refused as well; removing needs no Jetson, as a disk may have moved, or the board been upgraded."""
        board = Board(tmp_path, None, None)
        assert board.run("--dry-run").returncode == 1
        assert board.run("--uninstall").returncode == 0


class TestPlan:
    @pytest.mark.parametrize(
        ("release", "torch", "index"),
        [
            (JP6, "torch==2.9.1 torchvision==0.24.1", "https://pypi.jetson-ai-lab.io/jp6/cu126"),
            (JP7, "torch==2.13.0 torchvision==0.28.0", "https://download.pytorch.org/whl/cu130"),
        ],
    )
    def test_plan(self, tmp_path: Path, release: tuple[str, str, str], torch: str, index: str) -> None:
        """`--dry-run` numbers what it would do, a line a step, with PyTorch before what depends on it, and does none of it."""
        board = Board(tmp_path, release)
        before = board.files
        run = board.run("--dry-run")
        plan = run.stdout.splitlines()
        assert run.returncode == 0
        assert plan[0].startswith("NVIDIA Jetson Orin Nano")
        assert [line.partition(". ")[0] for line in plan[1:-1]] == [str(n) for n in range(1, 9)]
        assert f"({torch}) from {index}" in plan[3]
        assert "posture-daemon and what it needs" in plan[5]
        assert "service install" in plan[6]
        assert plan[-1] == "Nothing was changed: this was the plan."
        assert (board.files, board.calls) == (before, [])

    def test_plan_when_installed(self, board: Board) -> None:
        """On a board where all is done, the plan says of each step that it is so already."""
        board.run()
        done = [title.endswith(": already so") for title in titles(board.run("--dry-run").stdout)]
        assert done == [True] * 6 + [False] * 2

    def test_plan_of_removal(self, board: Board) -> None:
        """The removal has a plan too, and it deletes nothing."""
        board.run()
        before = board.files
        run = board.run("--uninstall", "--purge", "--dry-run")
        assert len(titles(run.stdout)) == 5
        assert (board.files, board.calls) == (before, [])


class TestInstall:
    def test_jetpack_6(self, board: Board) -> None:
        """NVIDIA's PyTorch comes first and alone, then the rest by the lock file, then the service, then the checks."""
        run = board.run()
        code = "/opt/posture-daemon"
        assert run.returncode == 0, run.stderr
        assert run.stdout.splitlines()[-1].startswith("Installed.")
        assert board.calls == [
            f"{APT} update",
            f"{APT} install --yes --no-install-recommends python3-venv libgl1 libglib2.0-0 libopenblas0",
            f"venv --clear --system-site-packages {code}/venv",
            "pip install --no-deps --index-url https://pypi.jetson-ai-lab.io/jp6/cu126 torch==2.9.1 torchvision==0.24.1",
            f"pip install --no-deps --requirement {code}/libraries.txt",
            "ldconfig",
            f"pip install --no-deps --require-hashes --only-binary=:all: --requirement {code}/requirements.txt",
            "pip install jetson-stats>=4.3",
            "pip install --no-deps CHECKOUT",
            "posture-daemon service install --root",
            "posture-daemon --data-dir /var/lib/posture-daemon doctor",
        ]  # fmt: skip

    @pytest.mark.parametrize(
        ("release", "lock", "numpy"),
        [(JP6, "systemd/requirements-jetpack6.txt", "1."), (JP7, "requirements.txt", "2.")],
    )
    def test_lock_file(self, tmp_path: Path, release: tuple[str, str, str], lock: str, numpy: str) -> None:
        """Every package comes from the lock file of this JetPack, whole; on JetPack 6 numpy stays 1."""
        board = Board(tmp_path, release)
        assert board.run().returncode == 0
        text = (PROJECT / lock).read_text()
        assert board.files["opt/posture-daemon/requirements.txt"] == text
        assert str(board.installed("numpy")).startswith(numpy)
        for name in ("polars", "onnxruntime", "opencv-python", "ultralytics"):
            assert f"\n{name}=={board.installed(name)} " in text
        libraries = board.files["opt/posture-daemon/libraries.txt"].split()
        assert (libraries[0] == "nvidia-cudss-cu12==0.7.1.6") == (release == JP6)

    @pytest.mark.parametrize("release", [JP6, JP7])
    @pytest.mark.parametrize("arguments", [(), ("--csi",)])
    def test_pytorch_stays(self, tmp_path: Path, release: tuple[str, str, str], arguments: tuple[str, ...]) -> None:
        """The PyTorch that was installed first is there at the end, and nothing brought a second CUDA or developers' tools."""
        board = Board(tmp_path, release)
        board.give_package("cv2", OPENCV_WITH_GSTREAMER)
        assert board.run(*arguments).returncode == 0
        assert board.installed("torch") == {JP6: "2.9.1", JP7: "2.13.0"}[release]
        assert board.files["opt/posture-daemon/venv/site/torch/version.py"] == "cuda = '12.6'"
        assert not any(board.installed(name) for name in ("cuda-toolkit", "nvidia-cublas-cu12", "triton", "pytest"))

    def test_package_without_hash(self, board: Board) -> None:
        """A line of the lock file that has no hash ends the installation before anything of it is there."""
        lock = board.checkout / "systemd/requirements-jetpack6.txt"
        lock.write_text("somethingelse==1.0\n" + lock.read_text())
        run = board.run()
        assert run.returncode != 0
        assert "all requirements must have their hashes" in run.stderr
        assert (board.installed("somethingelse"), board.installed("polars")) == (None, None)

    def test_jetson_stats(self, board: Board) -> None:
        """It is in no lock file, as its version is the board's; it is asked for as in pyproject.toml and brings its own."""
        board.run()
        assert (board.installed("jetson-stats"), board.installed("smbus2")) == ("4.3.2", "1.0")
        assert "jetson-stats" not in board.files["opt/posture-daemon/requirements.txt"]
        asked = next(call for call in board.calls if "jetson-stats" in call).removeprefix("pip install ")
        assert f'"{asked}; ' in (PROJECT / "pyproject.toml").read_text()

    def test_linker(self, board: Board) -> None:
        """The libraries that NVIDIA's PyTorch asks the linker for are found there."""
        board.run()
        libraries = board.root / "opt/posture-daemon/venv/site/nvidia"
        assert board.files["etc/ld.so.conf.d/posture-daemon.conf"].split() == [
            f"{libraries}/nvidia-cudss-cu12/lib", f"{libraries}/nvidia-cusparselt-cu12/lib",
        ]  # fmt: skip

    def test_jetpack_7(self, tmp_path: Path) -> None:
        """JetPack 7.2 gets PyTorch from where there is one for its GPU, and nothing is told to the linker."""
        board = Board(tmp_path, JP7)
        assert board.run().returncode == 0
        wheels = "--index-url https://download.pytorch.org/whl/cu130 torch==2.13.0 torchvision==0.28.0"
        assert f"pip install --no-deps {wheels}" in board.calls
        assert "ldconfig" not in board.calls
        assert board.files["opt/posture-daemon/libraries.txt"].split()[0] == "nvidia-cudnn-cu13"

    def test_index(self, board: Board) -> None:
        """Another index of PyTorch's wheels can be named."""
        board.run("--torch-index", "https://wheels.example/jp6")
        wheels = "--index-url https://wheels.example/jp6 torch==2.9.1 torchvision==0.24.1"
        assert f"pip install --no-deps {wheels}" in board.calls

    def test_pytorch_of_the_system_stays(self, board: Board) -> None:
        """A PyTorch with CUDA that the system's Python has already is kept as it is."""
        board.give_package("torch", {"__init__.py": TORCH, "version.py": "cuda = '12.6'"})
        board.give_package("torchvision", {"__init__.py": TORCHVISION})
        assert board.run().returncode == 0
        assert (board.installed("torch"), board.installed("torchvision")) == (None, None)

    def test_pytorch_without_cuda_does_not_count(self, board: Board) -> None:
        """A PyTorch that cannot use the GPU is no reason to leave NVIDIA's out."""
        board.give_package("torch", {"__init__.py": "", "version.py": "cuda = None"})
        board.give_package("torchvision", {"__init__.py": ""})
        assert board.run().returncode == 0
        assert board.installed("torch") == "2.9.1"


class TestAgain:
    @pytest.mark.parametrize("release", [JP6, JP7])
    def test_nothing_changes(self, tmp_path: Path, release: tuple[str, str, str]) -> None:
        """A second run changes no file, calls nothing that would, and says so."""
        board = Board(tmp_path, release)
        board.run()
        before = board.files
        run = board.run()
        assert run.returncode == 0
        assert run.stdout.splitlines()[-1] == "Everything was in place; nothing was changed."
        assert board.calls == ["posture-daemon --data-dir /var/lib/posture-daemon doctor"]
        assert board.files == before

    def test_newer_checkout(self, board: Board) -> None:
        """A newer checkout is installed and brought into service; PyTorch and the system's packages are left alone."""
        board.run()
        board.code.write_text("# newer\n")
        assert board.run().returncode == 0
        calls = [" ".join(call.split()[:2]) for call in board.calls[:-1]]
        assert calls == ["pip install"] * 3 + ["posture-daemon service"]
        assert not any("torch==" in call for call in board.calls)

    @pytest.mark.parametrize(
        ("release", "lock"), [(JP6, "systemd/requirements-jetpack6.txt"), (JP7, "requirements.txt")]
    )
    def test_newer_lock_file(self, tmp_path: Path, release: tuple[str, str, str], lock: str) -> None:
        """With another version in the lock file, and nothing else, the next run installs that version."""
        board = Board(tmp_path, release)
        board.run()
        path = board.checkout / lock
        path.write_text(re.sub(r"^rich==\S+", "rich==99.1", path.read_text(), flags=re.M))
        assert board.run().returncode == 0
        assert board.installed("rich") == "99.1"

    @pytest.mark.parametrize(
        ("fails", "step"),
        [
            (f"{APT} install", 1),
            ("python3 -m venv", 2),
            ("torch==2.9.1", 3),
            ("libraries.txt", 4),
            ("ldconfig", 4),
            ("posture-daemon/requirements.txt", 5),
            ("jetson-stats", 5),
            ("install --quiet --no-deps /checkout", 5),
            ("service install", 6),
            ("doctor", 7),
        ],
    )
    def test_resumes(self, board: Board, fails: str, step: int) -> None:
        """A step that fails is named with what to do; the next run skips what is done, and all ends well."""
        run = board.run(fails=fails)
        assert run.returncode != 0
        says = rf"^install-jetson: step {step} \(.+\) failed\. .+ Running this again resumes at this step\.$"
        assert re.search(says, run.stderr, re.M)
        assert len(titles(run.stdout)) == step
        again = board.run()
        assert again.returncode == 0, again.stderr
        assert [title.endswith(": already so") for title in titles(again.stdout)[: step - 1]] == [True] * (step - 1)
        assert (board.installed("torch"), board.installed("polars")) == ("2.9.1", "2.0.0")

    def test_gpu_that_does_not_compute(self, board: Board) -> None:
        """Without the GPU the last check fails, and says that the service runs all the same."""
        run = board.run(fails="computes on")
        assert run.returncode != 0
        assert "The service runs all the same" in run.stderr
        assert (board.root / "etc/systemd/system/posture-daemon.service").exists()


class TestCsi:
    @pytest.mark.parametrize("release", [JP6, JP7])
    def test_the_systems_opencv_stays(self, tmp_path: Path, release: tuple[str, str, str]) -> None:
        """With `--csi` pip brings no OpenCV, so that the system's is imported, and numpy 1, which that one needs."""
        board = Board(tmp_path, release)
        board.give_package("cv2", OPENCV_WITH_GSTREAMER)
        run = board.run("--csi")
        assert run.returncode == 0, run.stderr
        assert board.installed("opencv-python") is None
        lock = {JP6: "systemd/requirements-jetpack6.txt", JP7: "systemd/requirements-jetpack7-csi.txt"}[release]
        before, _, entry = (PROJECT / lock).read_text().partition("opencv-python==")
        after = entry[entry.index("\nopentelemetry") + 1 :]
        assert board.files["opt/posture-daemon/requirements.txt"] == before + after
        assert str(board.installed("numpy")).startswith("1.")
        assert "etc/systemd/system/posture-daemon.service.d/20-csi.conf" in board.files
        assert not any("libopencv-python" in call for call in board.calls)

    @pytest.mark.parametrize(("release", "package"), [(JP6, "libopencv-python"), (JP7, "python3-opencv")])
    def test_opencv_is_missing(self, tmp_path: Path, release: tuple[str, str, str], package: str) -> None:
        """Where the system has no OpenCV with GStreamer its package is installed; if it still has none, that step fails."""
        board = Board(tmp_path, release)
        run = board.run("--csi")
        assert f"{APT} install --yes --no-install-recommends {package}" in board.calls
        assert "step 2 (Keep the system's OpenCV" in run.stderr
        assert run.returncode != 0

    def test_choice_is_kept(self, board: Board) -> None:
        """Chosen later it takes pip's OpenCV away, and an update without the option does not bring it back."""
        board.give_package("cv2", OPENCV_WITH_GSTREAMER)
        board.run()
        assert board.installed("opencv-python") == "4.11.0.86"
        board.run("--csi")
        assert board.installed("opencv-python") is None
        board.code.write_text("# newer\n")
        board.run()
        assert board.installed("opencv-python") is None


class TestJtop:
    def test_service_of_the_same_package(self, board: Board) -> None:
        """`--jtop` starts jetson-stats from the daemon's own environment, before the service that wants its group."""
        assert board.run("--jtop").returncode == 0
        assert board.calls.index("groupadd --force jtop") < board.calls.index("posture-daemon service install --root")
        assert "jtop --install-service" in board.calls
        assert board.files["usr/local/bin/jtop"] == f"{board.root}/opt/posture-daemon/venv/bin/jtop"
        board.run("--uninstall")
        assert {"systemctl disable --now jtop.service", "groupdel jtop"} <= set(board.calls)

    def test_somebody_elses_stays(self, board: Board) -> None:
        """A jtop.service that was there before is neither replaced nor removed."""
        unit = board.root / "etc/systemd/system/jtop.service"
        unit.parent.mkdir(parents=True)
        unit.write_text("[Unit]\n")
        board.run("--jtop")
        board.run("--uninstall", "--purge")
        assert unit.read_text() == "[Unit]\n"
        assert not any("jtop" in call for call in board.calls)


class TestUninstall:
    @pytest.mark.parametrize("arguments", [(), ("--jtop",)])
    def test_leaves_the_data(self, board: Board, arguments: tuple[str, ...]) -> None:
        """Everything that was put there is gone again, but for the data."""
        before = board.files
        board.run(*arguments)
        label = board.root / "var/lib/posture-daemon/posture.db"
        label.write_text("a label")
        run = board.run("--uninstall")
        assert run.returncode == 0
        assert board.files == {**before, "var/lib/posture-daemon/posture.db": "a label"}
        assert not (board.root / "opt/posture-daemon").exists()
        assert "Your data stays in /var/lib/posture-daemon" in run.stdout
        assert board.calls[0] == "posture-daemon service uninstall --root"

    def test_twice(self, board: Board) -> None:
        """Where nothing is, nothing is removed."""
        run = board.run("--uninstall")
        assert (run.returncode, board.calls) == (0, [])
        assert run.stdout.splitlines()[-1] == "There was nothing to remove."

    def test_broken_installation(self, board: Board) -> None:
        """Where the program no longer runs, the service is removed without it."""
        before = board.files
        board.run()
        (board.root / "opt/posture-daemon/venv/bin/posture-daemon").unlink()
        assert board.run("--uninstall", "--purge").returncode == 0
        assert board.files == before
        assert board.calls[:2] == ["systemctl disable --now posture-daemon.service", "systemctl daemon-reload"]

    @pytest.mark.parametrize(("fails", "purge"), [("posture-daemon/requirements.txt", ()), ("", ("--purge",))])
    def test_nothing_is_left(self, board: Board, fails: str, purge: tuple[str, ...]) -> None:
        """An installation that stopped in the middle can be taken off; with `--purge` the data goes too."""
        before = board.files
        board.run(fails=fails)
        assert board.run("--uninstall", *purge).returncode == 0
        assert board.files == before
        assert not (purge and (board.root / "var/lib/posture-daemon").exists())


def test_what_the_page_says() -> None:
    """The page names the same versions and places as the script."""
    page, script = ((PROJECT / name).read_text(encoding="utf-8") for name in ("docs/jetson.md", SCRIPT))
    for found in re.findall(
        r"torch(?:vision)?==[\d.]+|https://[\w./-]+/cu\d+|nvidia-cud\w+-cu\d+|systemd/requirements[\w.-]+", script
    ):
        assert found in page, found


def test_syntax() -> None:
    """The script is sound shell."""
    subprocess.run(["bash", "-n", str(PROJECT / SCRIPT)], check=True)


class TestRoot:
    """What root runs comes from nobody else."""

    def test_python_is_isolated(self, board: Board) -> None:
        """Else `cv2.py` or `venv.py` in the folder where sudo was typed would run as root."""
        for arguments in (["--csi"], [], ["--jtop"], ["--uninstall"]):
            board.give_package("cv2", OPENCV_WITH_GSTREAMER) if arguments == ["--csi"] else None
            board.run(*arguments)
        assert board.not_isolated == ""

    @needs_root
    @pytest.mark.parametrize("place", ["opt", "opt/posture-daemon"])
    @pytest.mark.parametrize("how", ["owner", "mode", "link"])
    def test_folder_of_others(self, board: Board, place: str, how: str) -> None:
        """A folder that others can change is not installed into; nothing is done, and the command is told."""
        folder = board.root / place
        folder.parent.mkdir(exist_ok=True)
        if how == "link":
            folder.symlink_to(board.folder)
        else:
            folder.mkdir()
            os.chown(folder, OWNER.uid, 0) if how == "owner" else folder.chmod(0o777)
        before = board.files
        run = board.run()
        assert run.returncode == 1
        assert f"Others can change {folder}" in run.stderr
        assert run.stderr.count("\n") == 1
        assert (board.files, board.calls) == (before, [])

    @needs_root
    def test_checkout_of_somebody(self, open_place: Path) -> None:
        """Its wheel is built with their rights, so that a link in it brings nothing of root's into the installation."""
        (open_place / "board").mkdir()
        board = Board(open_place / "board")
        for path in (board.checkout, *board.checkout.rglob("*")):
            os.chown(path, OWNER.uid, OWNER.gid)
        for name in ("built-by", "calls", "not-isolated"):
            (board.folder / name).touch()
            (board.folder / name).chmod(0o666)
        run = board.run()
        assert run.returncode == 0, run.stderr
        assert (board.folder / "built-by").read_text() == f"{OWNER.uid}\n"
        assert not any("CHECKOUT" in call and " install" in call for call in board.calls)

    @needs_root
    def test_link_in_somebodys_checkout(self, open_place: Path) -> None:
        """A lock file that leads to what only root may read is not read: nothing of it is shown, or written elsewhere."""
        (open_place / "board").mkdir()
        board = Board(open_place / "board")
        secret = open_place / "secret"
        secret.write_text("of root's\n")
        secret.chmod(0o600)
        lock = board.checkout / "systemd/requirements-jetpack6.txt"
        lock.unlink()
        lock.symlink_to(secret)
        for path in (board.checkout, *board.checkout.rglob("*")):
            os.chown(path, OWNER.uid, OWNER.gid, follow_symlinks=False)
        run = board.run()
        assert run.returncode != 0
        assert "of root's" not in run.stdout + run.stderr + "".join(board.files.values())
        assert re.search(r"step 5 \(.+\) failed", run.stderr)
