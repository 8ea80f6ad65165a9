import math
from dataclasses import replace

import pytest

from harness.machine import disturbances
from harness.models import BusyProcess, Finding, Level, Machine

FINE, NOTE, DISTURBS = Level.FINE, Level.NOTE, Level.DISTURBS
GIB = 1 << 30

CALM = Machine(
    cores=4,
    physical_cores=4,
    can_pin=True,
    load_average=0.1,
    others_core_share=0.01,
    busiest=(),
    steal_share=0.0,
    governors=("performance",),
    boost=False,
    quota_cores=math.inf,
    memory_available_bytes=8 * GIB,
    swap_used_bytes=0,
    swapped_bytes_per_s=0.0,
    open_files=65_536,
    on_battery=False,
    hypervisor="",
    clock_source="tsc",
    clock_read_ns=40.0,
    local_ports=28_232,
    listen_backlog=4_096,
)
GOOD_RPS = {"16": 60_000.0, "64": 70_000.0}
BUSY = (BusyProcess(4711, "make", 0.15), BusyProcess(4712, "cc1", 0.05))


@pytest.mark.parametrize(
    ("finding", "level"),
    [
        (disturbances.other_work(0.04, (), 2), FINE),
        (disturbances.other_work(0.19, BUSY, 2), NOTE),
        (disturbances.other_work(0.2, BUSY, 2), DISTURBS),
        (disturbances.load_average(0.99, 2), FINE),
        (disturbances.load_average(1.0, 2), NOTE),
        (disturbances.load_average(2.0, 2), DISTURBS),
        (disturbances.steal(0.004), FINE),
        (disturbances.steal(0.006), NOTE),
        (disturbances.steal(0.03), DISTURBS),
        (disturbances.cores(3, 6), FINE),
        (disturbances.cores(2, 4), NOTE),
        (disturbances.cores(1, 2), DISTURBS),
        (disturbances.cores(None, 8), FINE),
        (disturbances.siblings(4, 4), FINE),
        (disturbances.siblings(4, 8), NOTE),
        (disturbances.pinning(can_pin=True), FINE),
        (disturbances.pinning(can_pin=False), DISTURBS),
        (disturbances.quota(math.inf, 2), FINE),
        (disturbances.quota(2.0, 2), FINE),
        (disturbances.quota(1.5, 2), DISTURBS),
        (disturbances.quota(4.0, 64), FINE),  # a run uses no more unless it is told to
        (disturbances.frequency(()), FINE),
        (disturbances.frequency(("performance",)), FINE),
        (disturbances.frequency(("performance", "schedutil")), NOTE),
        (disturbances.boost(on=False), FINE),
        (disturbances.boost(on=True), NOTE),
        (disturbances.battery(on=False), FINE),
        (disturbances.battery(on=True), DISTURBS),
        (disturbances.hypervisor(""), FINE),
        (disturbances.hypervisor("KVM"), NOTE),
        (disturbances.clock("tsc", 50), FINE),
        (disturbances.clock("xen", 250), NOTE),
        (disturbances.clock("hpet", 1200), DISTURBS),
        (disturbances.memory(3 * GIB), FINE),
        (disturbances.memory(2 * GIB), NOTE),
        (disturbances.memory(1 * GIB), DISTURBS),
        (disturbances.swap(0, 0.0), FINE),
        (disturbances.swap(GIB, 0.0), NOTE),
        (disturbances.swap(GIB, 4096.0), DISTURBS),
        (disturbances.open_files(65_536), FINE),
        (disturbances.open_files(4_096), NOTE),
        (disturbances.open_files(1_024), DISTURBS),
        (disturbances.ports(28_232), FINE),
        (disturbances.ports(5_000), NOTE),
        (disturbances.backlog(4_096), FINE),
        (disturbances.backlog(128), NOTE),
        (disturbances.ceiling({"16": 30_000, "64": 60_000}), FINE),
        (disturbances.ceiling({"16": 29_000, "64": 60_000}), NOTE),
        (disturbances.ceiling({"16": 60_000, "64": 11_000}), DISTURBS),
        (disturbances.ceiling({}), DISTURBS),
    ],
    ids=lambda value: value.what if isinstance(value, Finding) else str(value),
)
def test_a_figure_is_judged_by_its_bounds_and_has_a_remedy_unless_it_is_fine(
    finding: Finding, level: Level
) -> None:
    assert finding.level is level
    assert bool(finding.mend) == (level is not FINE)
    assert finding.figure


@pytest.mark.parametrize(
    "finding",
    [
        disturbances.other_work(None, (), 2),
        disturbances.load_average(None, 2),
        disturbances.steal(None),
        disturbances.siblings(None, 2),
        disturbances.quota(None, 2),
        disturbances.hypervisor(None),
        disturbances.ports(None),
        disturbances.backlog(None),
    ],
    ids=lambda finding: finding.what,
)
def test_a_figure_that_the_system_does_not_tell_is_unknown_and_no_fault(finding: Finding) -> None:
    assert finding.level is FINE
    assert finding.figure.startswith("unknown")


def test_the_busiest_process_is_named_and_the_remedy_pauses_it() -> None:
    finding = disturbances.other_work(0.3, BUSY, 2)
    assert "make (pid 4711) 0.15, cc1 (pid 4712) 0.05" in finding.figure
    assert "kill -STOP 4711" in finding.mend


def test_work_of_unseen_processes_is_looked_for_outside_the_container() -> None:
    finding = disturbances.other_work(0.5, (), 2)
    assert "none of them can be seen from here" in finding.figure
    assert "outside this container" in finding.mend


def test_the_remedy_for_a_quota_is_as_many_whole_cores_as_a_run_uses() -> None:
    assert "--cpuset-cores=0-3 " in disturbances.quota(2.5, 16).mend
    assert "--cpuset-cores=0-1 " in disturbances.quota(0.5, 2).mend


def test_the_remedy_for_few_open_files_is_the_file_that_limits_them() -> None:
    assert "limits.conf" in disturbances.open_files(4_096).mend


def test_every_finding_on_a_calm_machine_is_fine() -> None:
    findings = disturbances.judge(CALM, GOOD_RPS)
    assert {finding.level for finding in findings} == {FINE}
    assert len({finding.what for finding in findings}) == len(findings)
    assert disturbances.worst(findings) is FINE


def test_the_most_serious_finding_decides() -> None:
    findings = disturbances.judge(replace(CALM, on_battery=True, hypervisor="KVM"), GOOD_RPS)
    assert [finding.what for finding in findings if finding.level is DISTURBS] == ["power"]
    assert [finding.what for finding in findings if finding.level is NOTE] == ["virtual machine"]
    assert disturbances.worst(findings) is DISTURBS


def test_a_machine_without_findings_is_fine() -> None:
    assert disturbances.worst([]) is FINE
