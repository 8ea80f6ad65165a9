"""CPU time, memory, threads and context switches of processes, read from outside."""

import json
import os
import subprocess
import sys
import time

import psutil
import pytest

from harness.processes.meter import Meter

BUSY = """
import json, resource, threading, time
threading.Thread(target=time.sleep, args=(60,), daemon=True).start()
ballast = bytearray(40 << 20)
def so_far():
    used = resource.getrusage(resource.RUSAGE_SELF)
    return time.process_time(), used.ru_nvcsw + used.ru_nivcsw
print("up", flush=True)
input()
before = so_far()
while time.process_time() < before[0] + 0.3: pass
for _ in range(200): time.sleep(0.0005)
print(json.dumps([after - first for first, after in zip(before, so_far())]), flush=True)
input()
"""


def test_a_meter_reports_cpu_time_memory_threads_and_context_switches() -> None:
    with subprocess.Popen(
        [sys.executable, "-c", BUSY], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as busy:
        assert busy.stdin is not None
        assert busy.stdout is not None
        assert busy.stdout.readline() == "up\n"
        own_s = time.process_time()
        meter = Meter({"busy": [busy.pid], "ourselves": [os.getpid()]})
        busy.stdin.write("\n")
        busy.stdin.flush()
        said_cpu_s, said_switches = json.loads(busy.stdout.readline())
        used = meter.usage()
        own_s = time.process_time() - own_s
        busy.kill()
    # Beyond what it says itself, it has read one line and written another.
    assert said_cpu_s <= used["busy"].cpu_s <= said_cpu_s + 0.05
    assert used["busy"].threads == 2
    assert used["busy"].pss_bytes > 40 << 20
    assert 200 <= said_switches <= used["busy"].context_switches <= said_switches + 50
    assert 0 < used["ourselves"].cpu_s <= own_s


def test_a_process_that_ended_uses_nothing() -> None:
    gone = subprocess.Popen([sys.executable, "-c", ""])
    gone.wait()
    meter = Meter({"ended": [gone.pid], "without processes": []})
    for used in meter.usage().values():
        assert (used.cpu_s, used.pss_bytes, used.threads, used.context_switches) == (0, 0, 0, 0)


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux has a clock for each process")
def test_reading_the_clocks_opens_no_file(monkeypatch: pytest.MonkeyPatch) -> None:
    """They are read twice a slice, in which the files of fifty processes would take long."""
    meter = Meter({"ourselves": [os.getpid()] * 50})
    opened = []
    monkeypatch.setattr("builtins.open", lambda *arguments, **_: opened.append(arguments))
    monkeypatch.setattr("os.open", lambda *arguments, **_: opened.append(arguments))
    monkeypatch.setattr("os.listdir", lambda *arguments: opened.append(arguments))
    used = meter.cpu_seconds()
    monkeypatch.undo()
    assert used["ourselves"] > 0
    assert opened == []


SHARED = """
import os, sys, time
ballast = b"x" * (40 << 20)
if os.fork() == 0:
    time.sleep(60)
print("up", flush=True)
sys.stdin.read()
"""


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells the proportional set size")
def test_pages_that_a_fork_shares_count_once_and_are_unique_to_nobody() -> None:
    with subprocess.Popen(
        [sys.executable, "-c", SHARED], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as parent:
        assert parent.stdout is not None
        assert parent.stdout.readline() == "up\n"
        (child,) = psutil.Process(parent.pid).children()
        both = Meter({"both": [parent.pid, child.pid]}).usage()["both"]
        alone = Meter({"alone": [os.getpid()]}).usage()["alone"]
        child.kill()
        parent.kill()
    assert both.uss_bytes is not None
    assert both.pss_bytes > 40 << 20
    assert both.pss_bytes < 80 << 20
    assert both.uss_bytes < both.pss_bytes - (35 << 20)
    assert alone.uss_bytes is not None
    assert 0 < alone.uss_bytes <= alone.pss_bytes
