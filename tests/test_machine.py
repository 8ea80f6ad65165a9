import math
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import pytest

from harness.machine import facts as machine
from harness.machine import placement
from harness.processes.meter import cpu_seconds


def tree(root: Path, files: dict[str, str]) -> Path:
    """A made-up /proc and /sys."""
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text + "\n")
    return root


def test_figures_without_a_file_are_unknown_and_nothing_fails(tmp_path: Path) -> None:
    found = machine.read(0.01, root=tmp_path)
    assert found.governors == ()
    assert found.boost is None
    assert found.quota_cores is None
    assert found.hypervisor is None
    assert found.clock_source is None
    assert found.local_ports is None
    assert found.listen_backlog is None
    assert found.on_battery is None or sys.platform != "linux"
    assert found.memory_available_bytes > 0


def test_this_machine_has_cores_memory_and_a_clock() -> None:
    found = machine.read(0.05)
    assert found.cores >= (found.physical_cores or 1) >= 1
    assert found.can_pin == bool(placement.usable_cores())
    assert found.memory_available_bytes > 0
    assert 0 < found.clock_read_ns < 1e6
    assert found.open_files > 0
    assert found.steal_share is None or 0 <= found.steal_share <= 1


@pytest.fixture
def naming_all(monkeypatch: pytest.MonkeyPatch) -> None:
    """Name all busy processes, since those of other tests may be the three busiest."""
    monkeypatch.setattr(machine, "_NAMED", 10_000)


def test_no_more_than_the_three_busiest_processes_are_named(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(machine.psutil, "Process", lambda pid: SimpleNamespace(name=lambda: "x"))
    found = machine._named({1: 0.3, 2: 0.01, 3: 0.5, 4: 0.1, 5: 0.2})
    assert [(process.pid, process.core_share) for process in found] == [
        (3, 0.5),
        (1, 0.3),
        (5, 0.2),
    ]


@pytest.mark.usefixtures("naming_all")
def test_a_busy_process_is_found_by_name_and_pid() -> None:
    with subprocess.Popen([sys.executable, "-c", "while True: pass"]) as busy:
        try:
            until_it_has_used(busy.pid, 0.1)
            before_s = cpu_seconds(busy.pid)
            found = machine.read(0.5)
            used_s = cpu_seconds(busy.pid) - before_s
        finally:
            busy.kill()
    assert found.others_core_share is None or found.others_core_share > 0
    named = {process.pid: process for process in found.busiest}
    assert named[busy.pid].name.startswith("python")
    assert 0.02 <= named[busy.pid].core_share <= used_s / 0.5


def until_it_has_used(pid: int, cpu_s: float) -> None:
    """Wait, busily, until a process has used so much CPU time from now on."""
    enough_s = cpu_seconds(pid) + cpu_s
    deadline = time.monotonic() + 60
    while cpu_seconds(pid) < enough_s:
        assert time.monotonic() < deadline


@pytest.mark.usefixtures("naming_all")
@pytest.mark.skipif(sys.platform != "linux", reason="only Linux pins processes to cores")
def test_only_busy_processes_of_others_that_may_run_on_the_cores_are_named() -> None:
    first = placement.usable_cores()[0]
    # Descendants of this process are ours, so the shell that starts this one ends at once.
    loop = "import time\nend = time.time() + 200\nwhile time.time() < end: pass"
    orphan = subprocess.run(
        ["sh", "-c", f'taskset -c {first} "$0" -c "$1" >&- 2>&- & echo $!', sys.executable, loop],
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    pid = int(orphan.stdout)
    try:
        while os.sched_getaffinity(pid) != {first}:
            time.sleep(0.01)
        before = machine.others_cpu_seconds()
        until_it_has_used(pid, 0.1)
        with_it = machine.busiest_others(before, 0.2, [first])
        without_it = machine.busiest_others(before, 0.2, [first + 1])
    finally:
        os.kill(pid, signal.SIGKILL)
    assert pid in before
    assert os.getpid() not in before
    assert pid in {process.pid for process in with_it}
    assert pid not in {process.pid for process in without_it}


@pytest.mark.parametrize(
    ("files", "cores"),
    [
        ({"proc/self/cgroup": "0::/"}, math.inf),
        ({"proc/self/cgroup": "0::/a", "sys/fs/cgroup/a/cpu.max": "max 100000"}, math.inf),
        ({"proc/self/cgroup": "0::/a", "sys/fs/cgroup/a/cpu.max": "150000 100000"}, 1.5),
        (  # the outer limit is the smaller
            {
                "proc/self/cgroup": "0::/a/b",
                "sys/fs/cgroup/a/cpu.max": "50000 100000",
                "sys/fs/cgroup/a/b/cpu.max": "400000 100000",
            },
            0.5,
        ),
        (  # a container sees its own group as the outermost, under the name that the host gave it
            {
                "proc/self/cgroup": "4:cpu,cpuacct:/docker/0123",
                "sys/fs/cgroup/cpu,cpuacct/cpu.cfs_quota_us": "200000",
                "sys/fs/cgroup/cpu,cpuacct/cpu.cfs_period_us": "100000",
            },
            2.0,
        ),
        (
            {
                "proc/self/cgroup": "4:cpu:/a\n0::/",
                "sys/fs/cgroup/cpu/a/cpu.cfs_quota_us": "-1",
                "sys/fs/cgroup/cpu/a/cpu.cfs_period_us": "100000",
            },
            math.inf,
        ),
    ],
)
def test_a_cpu_quota_is_read_from_control_groups_of_both_versions(
    tmp_path: Path, files: dict[str, str], cores: float
) -> None:
    assert machine.quota_cores(tree(tmp_path, files)) == cores


def test_cached_pages_of_a_control_group_count_as_free_memory(tmp_path: Path) -> None:
    files = {
        "proc/self/cgroup": "0::/a",
        "sys/fs/cgroup/a/memory.max": "1000",
        "sys/fs/cgroup/a/memory.current": "800",
        "sys/fs/cgroup/a/memory.stat": "anon 500\ninactive_file 300",
    }
    assert machine.memory_left_bytes(tree(tmp_path, files)) == 500


@pytest.mark.parametrize("limit", ["max", "9223372036854771712"])
def test_a_control_group_without_a_limit_leaves_all_memory(tmp_path: Path, limit: str) -> None:
    name = "memory.max" if limit == "max" else "memory.limit_in_bytes"
    used = "memory.current" if limit == "max" else "memory.usage_in_bytes"
    files = {
        "proc/self/cgroup": "3:memory:/a\n0::/a",
        f"sys/fs/cgroup/memory/a/{name}": limit,
        f"sys/fs/cgroup/memory/a/{used}": "1",
    }
    assert machine.memory_left_bytes(tree(tmp_path, files)) is None


def test_only_governors_of_the_given_cores_are_read(tmp_path: Path) -> None:
    base = "sys/devices/system/cpu"
    files = {
        f"{base}/cpu0/cpufreq/scaling_governor": "powersave",
        f"{base}/cpu1/cpufreq/scaling_governor": "performance",
        f"{base}/cpu2/cpufreq/scaling_governor": "performance",
    }
    root = tree(tmp_path, files)
    assert machine.governors(root, [1, 2]) == ("performance",)
    assert machine.governors(root, [0, 1]) == ("performance", "powersave")


@pytest.mark.parametrize(
    ("name", "text", "on"),
    [
        ("intel_pstate/no_turbo", "0", True),
        ("intel_pstate/no_turbo", "1", False),
        ("cpufreq/boost", "1", True),
        ("cpufreq/boost", "0", False),
    ],
)
def test_boost_is_read_from_the_files_of_either_driver(
    tmp_path: Path, name: str, text: str, on: bool
) -> None:
    assert machine.boost(tree(tmp_path, {f"sys/devices/system/cpu/{name}": text})) is on


def test_only_a_battery_that_powers_the_system_counts(tmp_path: Path) -> None:
    base = "sys/class/power_supply"
    mouse = {
        f"{base}/mouse/type": "Battery",
        f"{base}/mouse/scope": "Device",
        f"{base}/mouse/status": "Discharging",
    }
    if sys.platform == "linux":
        assert machine.on_battery(tree(tmp_path, mouse)) is None
        own = {f"{base}/BAT0/type": "Battery", f"{base}/BAT0/status": "Charging"}
        assert machine.on_battery(tree(tmp_path, own)) is False
        own[f"{base}/BAT0/status"] = "Discharging"
        assert machine.on_battery(tree(tmp_path, own)) is True


@pytest.mark.parametrize(
    ("files", "name"),
    [
        ({"proc/cpuinfo": "flags : fpu sse2"}, ""),
        ({"proc/cpuinfo": "flags : fpu hypervisor"}, "unnamed"),
        (
            {
                "proc/cpuinfo": "flags : hypervisor",
                "sys/class/dmi/id/sys_vendor": "QEMU",
                "sys/class/dmi/id/product_name": "Standard PC",
            },
            "QEMU Standard PC",
        ),
        ({"sys/hypervisor/type": "xen"}, "xen"),
    ],
)
def test_a_hypervisor_is_named_as_far_as_the_system_tells(
    tmp_path: Path, files: dict[str, str], name: str
) -> None:
    assert machine.hypervisor(tree(tmp_path, files)) == name


def test_a_range_of_ports_includes_both_its_ends(tmp_path: Path) -> None:
    file = {"proc/sys/net/ipv4/ip_local_port_range": "32768\t60999"}
    assert machine.local_ports(tree(tmp_path, file)) == 28_232


def test_a_file_with_unexpected_content_counts_as_missing(tmp_path: Path) -> None:
    file = {"proc/sys/net/core/somaxconn": "many", "proc/sys/net/ipv4/ip_local_port_range": "?"}
    found = machine.read(0.01, root=tree(tmp_path, file))
    assert found.listen_backlog is None
    assert found.local_ports is None
