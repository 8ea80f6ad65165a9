"""The sampler beside real processes, whose CPU time is known."""

import os
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from harness.errors import EnvironmentFailed
from harness.processes import sampler

# Beside other programs on its core, a process is seldom the one that runs when the kernel's clock ticks.
pytestmark = pytest.mark.alone

PROJECT = Path("/home/somebody/twinbench")

#: Says what each function used, once it is told to begin; nothing in it calls Python code from C.
BUSY = """
import hashlib, os, sys, threading, time
if hasattr(os, 'sched_setaffinity'): os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})  # as servers are placed on a small machine
def interpreter():
    until = time.thread_time() + 0.9
    while time.thread_time() < until: pass
def compiled():
    until = time.thread_time() + 0.6
    while time.thread_time() < until: hashlib.sha256(BYTES)  # lets go of the GIL
def kernel():
    until = time.thread_time() + 0.6
    while time.thread_time() < until: ZERO.readinto(SPACE)
def waits():
    lock.acquire()
BYTES, SPACE, ZERO = bytes(1 << 20), bytearray(1 << 20), open("/dev/zero", "rb", buffering=0)
lock = threading.Lock()
lock.acquire()
def work():
    waiting = threading.Thread(target=waits, daemon=True)
    waiting.start()
    # One after the other: threads that hand the GIL over every 5 ms fall into step with a clock that ticks
    # every 4 ms, as requests, which come when they come, do not.
    for each in (interpreter, compiled, kernel):
        thread = threading.Thread(target=each)
        thread.start()
        thread.join()
if "fork" in sys.argv:
    child = os.fork()
    if child:
        os.waitpid(child, 0)
        sys.exit()
print(os.getpid(), flush=True)
sys.stdin.readline()
work()
print("done", flush=True)
sys.stdin.readline()
"""


def sampled(
    folder: Path, *arguments: str, also: tuple[int, ...] = (), python: tuple[str, ...] = ()
) -> dict[str, float]:
    """Sample the busy process; function -> seconds of CPU time by its samples, of those that were sampled."""
    process = subprocess.Popen(
        [sys.executable, *python, "-c", BUSY, *arguments],
        env={**os.environ, **sampler.environment(folder)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        pid = int(process.stdout.readline())
        with sampler.sampling((pid, *also), rate_hz=97, folder=folder, project=PROJECT) as sampling:
            process.stdin.write("\n")
            process.stdin.flush()
            assert process.stdout.readline() == "done\n"
        found: Counter[str] = Counter()
        for frames, count in sampling.samples().items():
            for name in ("interpreter", "compiled", "kernel", "waits"):
                if any(frame.startswith(f"{name} ") for frame in frames):
                    found[name] += count
        return {name: count / 97 for name, count in found.items()}
    finally:
        process.kill()
        process.communicate()


@pytest.mark.parametrize("arguments", [(), ("fork",)], ids=["alone", "forked"])
def test_code_counts_for_the_cpu_time_that_it_takes(
    tmp_path: Path, arguments: tuple[str, ...]
) -> None:
    seconds = sampled(tmp_path, *arguments)
    assert set(seconds) == {"interpreter", "compiled", "kernel"}  # what waits takes none
    # Where other programs run on the core, the kernel's clock of CPU time is itself a sample.
    assert seconds["interpreter"] == pytest.approx(0.9, abs=0.25)
    assert seconds["compiled"] == pytest.approx(0.6, abs=0.2)
    assert seconds["kernel"] == pytest.approx(0.6, abs=0.2)


def test_processes_that_cannot_be_asked_are_left_out(tmp_path: Path) -> None:
    assert sampled(tmp_path, also=(os.getpid(),))


def test_nobody_to_ask_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(EnvironmentFailed, match="no server says which code it runs") as caught:
        sampled(tmp_path, python=("-I",))
    assert caught.value.exit_code == 3
