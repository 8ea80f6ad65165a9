"""The sampler: what processes write down, and real processes whose CPU time is known."""

import json
import math
import os
import subprocess
import sys
import textwrap
from collections import Counter
from pathlib import Path

import pytest

from harness.errors import EnvironmentFailed
from harness.processes import sampler

PROJECT = Path("/home/somebody/twinbench")

WRITTEN = f"""\
Stack (most recent call first):
  File "{PROJECT}/apps/flask_twin/hello.py", line 10 in hello
  File "{PROJECT}/.venv/lib/python3.11/site-packages/flask/app.py", line 900 in dispatch_request
  File "/usr/x.py", line 1 in <module>
Stack (most recent call first):
  File "{PROJECT}/apps/flask_twin/hello.py", line 11 in hello
  File "{PROJECT}/.venv/lib/python3.11/site-packages/flask/app.py", line 901 in dispatch_request
  File "/usr/x.py", line 2 in <module>
Stack (most recent call first):
  File "<frozen importlib._bootstrap>", line ??? in _load
  ...
Stack (most recent call first):
  <no Python frame>
Stack (most recent call first):
  File "{PROJECT}/apps/flask_twin/hel"""


def test_samples_name_no_machine_and_leave_a_torn_one_out() -> None:
    found = sampler.read_stacks(WRITTEN, PROJECT)
    assert found == {
        (
            "<module> (other/x.py)",
            "dispatch_request (site-packages/flask/app.py)",
            "hello (apps/flask_twin/hello.py)",
        ): 2,
        ("… (other/…)", "_load (python/<frozen importlib._bootstrap>)"): 1,
        ("? (native/?)",): 1,
    }
    assert not any("somebody" in frame for frames in found for frame in frames)


def test_nothing_written_is_no_sample() -> None:
    assert sampler.read_stacks("", PROJECT) == {}


def test_names_are_those_of_classes_and_functions_around(tmp_path: Path) -> None:
    code = tmp_path / "code.py"
    code.write_text(
        textwrap.dedent("""\
        class Outer:
            class Inner:
                async def work(self):
                    def within():
                        return 5
                    return [len(x) for x in "ab"], within()

        free = lambda: 9
        """)
    )
    text = "Stack (most recent call first):\n" + "".join(
        f'  File "{code}", line {line} in {name}\n'
        for line, name in [(5, "within"), (6, "<listcomp>"), (6, "work"), (8, "<lambda>")]
    )
    ((frames, _),) = sampler.read_stacks(text, PROJECT).items()
    assert [frame.partition(" (")[0] for frame in frames] == [
        "<lambda>",
        "Outer.Inner.work",
        "Outer.Inner.work.<listcomp>",
        "Outer.Inner.work.within",
    ]


def test_the_standard_library_is_found_where_python_has_it() -> None:
    assert sampler.place(json.__file__, PROJECT) == "python/json/__init__.py"
    if found := getattr(math, "__file__", None):
        assert sampler.place(found, PROJECT).startswith("python/lib-dynload/")


# ---------------------------------------------------------------------- real processes

#: Says what each function used, once it is told to begin; nothing in it calls Python code from C.
BUSY = """
import hashlib, os, sys, threading, time
os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})  # as servers are placed on a small machine
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
    threads = [threading.Thread(target=each) for each in (interpreter, compiled, kernel)]
    for thread in (waiting, *threads): thread.start()
    for thread in threads: thread.join()
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
    # Of 60 samples, 24 more or less come by chance in 1 of 500 cases.
    assert seconds["interpreter"] == pytest.approx(0.9, abs=0.3)
    assert seconds["compiled"] == pytest.approx(0.6, abs=0.25)
    assert seconds["kernel"] == pytest.approx(0.6, abs=0.25)


def test_processes_that_cannot_be_asked_are_left_out(tmp_path: Path) -> None:
    assert sampled(tmp_path, also=(os.getpid(),))


def test_nobody_to_ask_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(EnvironmentFailed, match="no server says which code it runs") as caught:
        sampled(tmp_path, python=("-I",))
    assert caught.value.exit_code == 3
