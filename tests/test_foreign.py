"""What other programs used of a core: the arithmetic, with made-up readings."""

import os
import sys
import time
from pathlib import Path

import pytest

from harness.models import CoreUsage
from harness.processes import foreign
from harness.processes.foreign import Account, CoreSeconds

needs_proc_stat = pytest.mark.skipif(
    sys.platform != "linux", reason="only Linux tells the time of each core, in /proc/stat"
)
#: user nice system idle iowait irq softirq steal guest guest_nice
SAMPLED = """\
cpu  600 20 300 5000 40 0 90 30 0 0
cpu0 500 10 200 2000 20 0 80 10 0 0
cpu1 100 10 100 3000 20 0 10 20 0 0
intr 12345 0 0
ctxt 99
"""


def stat(folder: Path, text: str) -> Path:
    file = folder / "stat"
    file.write_text(text)
    return file


def reading(
    available_s: float, busy_s: float, interrupt_s: float = 0.0, steal_s: float = 0.0
) -> CoreSeconds:
    return CoreSeconds(available_s, busy_s, interrupt_s, steal_s)


def test_the_cores_of_a_group_are_added_up(tmp_path: Path) -> None:
    file = stat(tmp_path, SAMPLED)
    found = foreign.read({"one": [0], "both": [0, 1]}, stat=file)
    tick_s = 1 / os.sysconf("SC_CLK_TCK")
    assert found["one"].steal_s == pytest.approx(10 * tick_s)
    assert found["both"].steal_s == pytest.approx(30 * tick_s)
    assert found["both"].interrupt_s == pytest.approx(90 * tick_s)
    assert found["both"].available_s == pytest.approx(2 * found["one"].available_s)


def test_a_kernel_that_samples_leaves_interrupts_in_the_time_of_processes(tmp_path: Path) -> None:
    tick_s = 1 / os.sysconf("SC_CLK_TCK")
    found = foreign.read({"servers": [0]}, stat=stat(tmp_path, SAMPLED))["servers"]
    assert found.busy_s == pytest.approx((500 + 10 + 200 + 80) * tick_s)


def test_a_kernel_that_measures_interrupts_takes_them_off_the_time_of_processes(
    tmp_path: Path,
) -> None:
    tick_s = 1 / os.sysconf("SC_CLK_TCK")
    measured = SAMPLED.replace("cpu0 500 10 200 2000 20 0 80", "cpu0 500 10 200 2000 20 7 80")
    found = foreign.read({"servers": [0]}, stat=stat(tmp_path, measured))["servers"]
    assert found.busy_s == pytest.approx((500 + 10 + 200) * tick_s)
    assert found.interrupt_s == pytest.approx(87 * tick_s)


@pytest.mark.parametrize("cores", [[], [2], [0, 2]], ids=["unpinned", "unknown", "partly unknown"])
def test_cores_that_the_system_does_not_tell_about_are_unknown(
    tmp_path: Path, cores: list[int]
) -> None:
    assert foreign.read({"servers": cores}, stat=stat(tmp_path, SAMPLED)) == {}


def test_a_system_without_the_file_knows_nothing(tmp_path: Path) -> None:
    assert foreign.read({"servers": [0]}, stat=tmp_path / "missing") == {}


def test_a_core_that_counts_nothing_at_all_is_unknown_and_not_idle(tmp_path: Path) -> None:
    file = stat(tmp_path, "cpu  0 0 0 0 0 0 0 0\ncpu0 0 0 0 0 0 0 0 0\n")
    assert foreign.read({"servers": [0]}, stat=file) == {}


def test_an_old_kernel_without_a_column_of_stolen_time_has_none(tmp_path: Path) -> None:
    file = stat(tmp_path, "cpu  5 0 5 9 0 0 0\ncpu0 5 0 5 9 0 0 0\n")
    assert foreign.read({"servers": [0]}, stat=file)["servers"].steal_s == 0.0


def test_slices_are_added_up_and_what_is_not_ours_is_foreign() -> None:
    account = Account()
    account.add({"servers": reading(100, 50)}, {"servers": reading(101, 51)}, {"servers": 0.6})
    account.add({"servers": reading(200, 80)}, {"servers": reading(202, 81)}, {"servers": 0.9})
    assert account.usage() == {"servers": CoreUsage(3.0, 2.0, 1.5, 0.0, 0.0)}
    assert account.usage()["servers"].foreign_s == pytest.approx(0.5)


def test_more_time_of_our_own_than_the_core_was_busy_leaves_nothing_for_others() -> None:
    account = Account()
    account.add({"servers": reading(100, 50)}, {"servers": reading(101, 50.9)}, {"servers": 0.95})
    assert account.usage()["servers"].foreign_s == 0.0


def test_a_counter_that_goes_backwards_makes_the_whole_sum_unknown() -> None:
    account = Account()
    known = {"servers": 0.5, "load": 0.1}
    first = {"servers": reading(100, 50), "load": reading(100, 9)}
    account.add(first, {"servers": reading(101, 1), "load": reading(101, 10)}, known)
    account.add(first, {"servers": reading(101, 51), "load": reading(101, 10)}, known)
    assert set(account.usage()) == {"load"}


def test_a_slice_that_could_not_be_read_makes_the_whole_sum_unknown() -> None:
    account = Account()
    account.add({"servers": reading(100, 50)}, {"servers": reading(101, 51)}, {"servers": 0.6})
    account.add({"servers": reading(100, 50)}, {}, {"servers": 0.6})
    assert account.usage() == {}


@needs_proc_stat
def test_this_machine_tells_the_time_of_the_cores_that_we_may_use() -> None:
    groups = {"ours": sorted(os.sched_getaffinity(0))}
    before = foreign.read(groups)["ours"]
    time.sleep(0.05)
    passed = foreign.read(groups)["ours"].since(before)
    assert passed is not None
    assert passed.available_s >= 0.05 * len(groups["ours"])
