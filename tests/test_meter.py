"""CPU time, memory, threads and context switches of processes, read from outside."""

import os
import subprocess
import sys
import time

import pytest

from harness.processes.meter import Meter

BUSY = """
import threading, time
threading.Thread(target=time.sleep, args=(60,), daemon=True).start()
ballast = bytearray(40 << 20)
input()
end = time.process_time() + 0.3
while time.process_time() < end: pass
for _ in range(200): time.sleep(0.0005)
print("done", flush=True)
input()
"""


def test_a_meter_reports_cpu_time_memory_threads_and_context_switches() -> None:
    with subprocess.Popen(
        [sys.executable, "-c", BUSY], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as busy:
        assert busy.stdin is not None
        assert busy.stdout is not None
        time.sleep(0.3)
        meter = Meter({"busy": [busy.pid], "ourselves": [os.getpid()]})
        busy.stdin.write("\n")
        busy.stdin.flush()
        assert busy.stdout.readline() == "done\n"
        used = meter.usage()
        busy.kill()
    assert used["busy"].cpu_s == pytest.approx(0.3, abs=0.05)
    assert used["busy"].threads == 2
    assert used["busy"].pss_bytes > 40 << 20
    assert 200 <= used["busy"].context_switches < 2000
    assert used["ourselves"].cpu_s < 0.2


def test_a_process_that_ended_uses_nothing() -> None:
    gone = subprocess.Popen([sys.executable, "-c", ""])
    gone.wait()
    meter = Meter({"ended": [gone.pid], "without processes": []})
    for used in meter.usage().values():
        assert (used.cpu_s, used.pss_bytes, used.threads, used.context_switches) == (0, 0, 0, 0)


def test_reading_the_clocks_takes_little_of_a_slice() -> None:
    meter = Meter({"ourselves": [os.getpid()] * 50})
    before = time.process_time()
    for _ in range(100):
        meter.cpu_seconds()
    # They are read twice a slice, and 1 ms is a hundredth of a slice of 100 ms.
    assert (time.process_time() - before) / 100 < 0.0005
