"""Limits of control groups, on trees as containers, units and machines of both versions have them."""

from pathlib import Path

import pytest

from posture_daemon.adapters.probes import DeviceProbe
from posture_daemon.device.limits import memory_verdict
from posture_daemon.domain import MB
from posture_daemon.settings import LimitsSettings
from tests.fakes.devices import put

NO_LIMIT_V1 = "9223372036854771712"
MACHINE = "MemTotal: 31250000 kB\nMemAvailable: 15625000 kB\n"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A machine of 32,000 MB, half of them available."""
    put(tmp_path, "proc/meminfo", MACHINE)
    return tmp_path


def group(root: Path, path: str, limit: str, used_mb: int | None = None, inactive_mb: int = 0, **more: str) -> None:
    """A group of version 2."""
    put(root, "sys/fs/cgroup/cgroup.controllers", "cpu memory\n")
    folder = f"sys/fs/cgroup/{path}".rstrip("/")
    put(root, f"{folder}/memory.max", f"{limit}\n")
    if used_mb is not None:
        put(root, f"{folder}/memory.current", f"{used_mb * MB}\n")
    put(root, f"{folder}/memory.stat", f"anon 1\ninactive_file {inactive_mb * MB}\n")
    for name, text in more.items():
        put(root, f"{folder}/memory.{name}", f"{text}\n")


def group_v1(
    root: Path,
    path: str,
    limit: str,
    used_mb: int | None,
    inactive_mb: int = 0,
    hierarchical: str = NO_LIMIT_V1,
    mount: str = "sys/fs/cgroup/memory",
) -> None:
    """A group of version 1."""
    folder = f"{mount}/{path}".rstrip("/")
    put(root, f"{folder}/memory.limit_in_bytes", f"{limit}\n")
    if used_mb is not None:
        put(root, f"{folder}/memory.usage_in_bytes", f"{used_mb * MB}\n")
    stat = f"total_inactive_file {inactive_mb * MB}\nhierarchical_memory_limit {hierarchical}\n"
    put(root, f"{folder}/memory.stat", stat)


def memory(root: Path) -> tuple[int | None, int | None]:
    """(available, total) in MB, as the gate sees them."""
    found = DeviceProbe(root, root).read()
    return tuple(None if one is None else one // MB for one in (found.memory_available_bytes, found.memory_total_bytes))


def member(root: Path, *lines: str) -> None:
    """What the kernel says of the process's own groups."""
    put(root, "proc/self/cgroup", "".join(f"{line}\n" for line in lines))


def mounted(root: Path, *lines: str) -> None:
    """What is mounted, among what every machine has; each line is PART FOLDER KIND OPTIONS."""
    text = ["22 1 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw", "nonsense", "23 22 0:5 /"]
    for number, line in enumerate(lines, start=30):
        part, folder, kind, options = line.split(" ")
        text.append(
            f"{number} 22 0:{number} {part} {folder} rw,nosuid shared:{number} master:2 - {kind} {kind} {options}"
        )
    put(root, "proc/self/mountinfo", "\n".join(text) + "\n")


def test_a_container_s_limit_counts_without_what_the_kernel_can_drop(root: Path) -> None:
    """512 MB less 477 used, of which 100 are file pages that nobody has touched lately."""
    member(root, "0::/")
    group(root, "", str(512 * MB), 477, 100)
    assert memory(root) == (135, 512)


def test_the_least_of_all_levels_above_counts(root: Path) -> None:
    """A unit with much room in a slice that has little, in a machine that has more."""
    member(root, "0::/user.slice/kiosk.slice/posture.service")
    group(root, "user.slice/kiosk.slice/posture.service", str(4000 * MB), 100)
    group(root, "user.slice/kiosk.slice", str(1000 * MB), 900)
    group(root, "user.slice", "max", 5000)
    assert memory(root) == (100, 1000)


def test_memory_high_is_a_limit_too(root: Path) -> None:
    """Above it the kernel slows every step of the group down (systemd's MemoryHigh)."""
    member(root, "0::/posture.service")
    group(root, "posture.service", "max", 200, high=str(600 * MB))
    assert memory(root) == (400, 600)


def test_a_group_that_is_over_its_limit_has_no_room_and_never_less(root: Path) -> None:
    """Not a negative number of bytes."""
    member(root, "0::/")
    group(root, "", str(100 * MB), 130)
    assert memory(root) == (0, 100)


def test_a_machine_with_less_than_the_limit_has_what_it_has(root: Path) -> None:
    """A limit is no reservation."""
    member(root, "0::/")
    group(root, "", str(64_000 * MB), 10)
    assert memory(root) == (16_000, 32_000)


def test_version_1_in_docker_where_the_own_path_is_not_visible(root: Path) -> None:
    """`/proc/self/cgroup` has the host's path, and the mount begins at the container's own group."""
    member(root, "9:memory:/docker/0123abc", "3:cpu,cpuacct:/docker/0123abc", "1:name=systemd:/docker/0123abc")
    group_v1(root, "", str(768 * MB), 700, 32)
    assert memory(root) == (100, 768)


def test_version_1_without_a_limit_is_the_machine(root: Path) -> None:
    """The highest number of whole pages means none."""
    member(root, "9:hugetlb,memory:/user.slice")
    group_v1(root, "user.slice", NO_LIMIT_V1, 700)
    group_v1(root, "", NO_LIMIT_V1, 900)
    assert memory(root) == (16_000, 32_000)


def test_version_1_tells_of_a_limit_above_the_container(root: Path) -> None:
    """Of a pod, for one: only the statistics say it."""
    member(root, "9:memory:/kubepods/pod1/abc")
    group_v1(root, "", NO_LIMIT_V1, 200, hierarchical=str(1024 * MB))
    assert memory(root) == (824, 1024)


def test_both_versions_at_once(root: Path) -> None:
    """A hybrid machine: version 2 below `unified`, which has no memory files, and the limit in version 1."""
    member(root, "4:memory:/box", "0::/box")
    put(root, "sys/fs/cgroup/unified/cgroup.controllers", "\n")
    group_v1(root, "box", str(300 * MB), 100)
    assert memory(root) == (200, 300)


@pytest.mark.parametrize(
    "lines", [[], ["0::/../../elsewhere"], ["0::/gone (deleted)"], ["nonsense"], ["0:"], ["::"]], ids=repr
)
def test_a_path_that_makes_no_sense_leaves_what_is_visible(root: Path, lines: list[str]) -> None:
    """A namespace's own view may lead out of the mount; and text that is none never stops the daemon."""
    member(root, *lines)
    group(root, "", "max")
    assert memory(root) == (16_000, 32_000)


def test_pressure_in_the_group_counts_as_well_as_the_machine_s(root: Path) -> None:
    """A container that waits for its own memory, on a machine that does not."""
    member(root, "0::/box")
    put(root, "proc/pressure/memory", "some avg10=0.50 avg60=0.00 avg300=0.00 total=1\n")
    group(root, "box", "max", 10, pressure="some avg10=31.50 avg60=2.00 avg300=0.00 total=9")
    assert DeviceProbe(root, root).read().memory_waiting_percent == 31.5


def test_the_gate_says_so_and_names_the_limit(root: Path) -> None:
    """No training of 500 MB in a container of 512, however much the machine has."""
    member(root, "0::/")
    group(root, "", str(512 * MB), 300)
    found = DeviceProbe(root, root).read()
    assert not memory_verdict(found, LimitsSettings(memory_reserve_mb=0), 500 * MB).passed
    assert any("limit memory to 512 MB" in source for source in found.sources)


def test_a_limit_whose_use_cannot_be_read_still_counts(root: Path) -> None:
    """There is never more room than the limit; a container that hides `memory.current` is no reason to believe the machine."""
    member(root, "0::/a/b")
    group(root, "", str(4000 * MB))
    group(root, "a/b", str(512 * MB))
    assert memory(root) == (512, 512)
    group(root, "a", str(1000 * MB), 600)
    assert memory(root) == (400, 512)


def test_a_limit_of_version_1_whose_use_cannot_be_read_still_counts(root: Path) -> None:
    """Also without one for the group itself, where the statistics tell of one above."""
    member(root, "9:memory:/")
    group_v1(root, "", NO_LIMIT_V1, None, 100, hierarchical=str(300 * MB))
    assert memory(root) == (300, 300)


USUAL = "sys/fs/cgroup"


@pytest.mark.parametrize(
    ("path", "mounts", "at"),
    [
        pytest.param("/x", [], f"{USUAL}/cpu,memory/x", id="together with another controller, without mountinfo"),
        pytest.param("/x", ["/ /sys/fs/cgroup/cpu,memory cgroup rw,cpu,memory"], f"{USUAL}/cpu,memory/x", id="and with"),
        pytest.param("/x", ["/ /cgroup/all cgroup rw,cpuset,cpu,memory"], "cgroup/all/x", id="where old systems have it"),
        pytest.param("/x", ["/ /dev/memcg cgroup rw,memory"], "dev/memcg/x", id="where Android has it"),
        pytest.param("/x", ["/ /my\\040groups cgroup rw,memory"], "my groups/x", id="a folder with a space"),
        pytest.param("/docker/1/docker/2", ["/docker/1 /sys/fs/cgroup/memory cgroup rw,memory"],
            f"{USUAL}/memory/docker/2", id="a container in a container, which sees the outer one's part"),
        pytest.param("/docker/1", ["/docker/1 /sys/fs/cgroup/memory cgroup rw,memory"], f"{USUAL}/memory", id="a container"),
        pytest.param("/docker/1", ["/docker/7 /other cgroup rw,memory", "/ /all cgroup rw,memory"], "all/docker/1",
            id="mounted twice, once for somebody else"),
        pytest.param("/docker/1", ["/../.. /sys/fs/cgroup/memory cgroup rw,memory"], f"{USUAL}/memory",
            id="a namespace's own view, which leads out of it"),
        pytest.param("/x", ["/ /sys/fs/cgroup/cpu cgroup rw,cpu", "/ /sys/fs/cgroup/systemd cgroup rw,name=memory"],
            f"{USUAL}/memory/x", id="no mount is told: where it is by custom"),
    ],
)  # fmt: skip
def test_version_1_is_found_wherever_it_is_mounted(root: Path, path: str, mounts: list[str], at: str) -> None:
    """The kernel tells where, and what part of it; the folders' names are only custom."""
    member(root, f"3:cpu,memory:{path}", "1:name=systemd:/")
    if mounts:
        mounted(root, *mounts)
    group_v1(root, "", str(10 * MB), 10, mount="other")
    group_v1(root, "", str(400 * MB), 100, mount=at)
    assert memory(root) == (300, 400)


def test_version_2_is_found_wherever_it_is_mounted(root: Path) -> None:
    """With its pressure, in a part that a container has mounted elsewhere."""
    member(root, "0::/pod/box")
    mounted(root, "/pod /groups cgroup2 rw,nsdelegate")
    for name, text in (("max", 400 * MB), ("current", 100 * MB), ("pressure", "some avg10=12.00 avg60=0")):
        put(root, f"groups/box/memory.{name}", f"{text}\n")
    assert memory(root) == (300, 400)
    assert DeviceProbe(root, root).read().memory_waiting_percent == 12.0


def test_mounts_after_a_thousand_others_are_read(root: Path) -> None:
    """A machine with many containers: the list is longer than what one read gives, of which there are several."""
    member(root, "3:memory:/x")
    others = [f"/ /var/lib/docker/overlay2/{number:064d}/merged overlay rw" for number in range(1000)]
    mounted(root, *others, "/ /dev/memcg cgroup rw,memory")
    group_v1(root, "x", str(400 * MB), 100, mount="dev/memcg")
    assert memory(root) == (300, 400)
