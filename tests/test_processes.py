import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import psutil
import pytest

from harness.errors import Interrupted
from harness.machine import placement
from harness.processes import children as processes
from harness.processes import meter
from harness.processes.child_environment import child_environment, drawn_for_round
from harness.processes.children import Child
from harness.processes.interrupts import Interrupts


def python(tmp_path: Path, code: str, **settings) -> Child:
    return Child("child", [sys.executable, "-c", code], log=tmp_path / "child.log", **settings)


def until(condition) -> None:
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_a_child_that_does_not_want_to_end_is_ended(tmp_path: Path) -> None:
    child = python(
        tmp_path,
        "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN);"
        "print('deaf', flush=True); time.sleep(60)",
    )
    until(lambda: "deaf" in child.last_lines())
    processes.stop([child])
    assert child.exit_code() == -signal.SIGKILL


def test_children_are_waited_for_together_and_less_than_the_5_s_that_are_promised(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    now_s = [0.0]

    class Deaf:
        """Its process ends when it is killed, and waiting for it takes as long as one is patient."""

        stop_signal = signal.SIGTERM
        mark = ""

        def __init__(self) -> None:
            self.process = SimpleNamespace(
                send_signal=lambda number: None, wait=self._wait, stdin=None, stdout=None
            )

        def _wait(self, seconds: float) -> None:
            now_s[0] += seconds
            raise subprocess.TimeoutExpired("deaf", seconds)

        def exit_code(self) -> None:
            return None

        def signal_group(self, number: signal.Signals) -> None:
            assert number is signal.SIGKILL

    monkeypatch.setattr(processes.time, "monotonic", lambda: now_s[0])
    children: list[Any] = [Deaf() for _ in range(3)]
    processes.stop(children)
    assert processes.TERM_WAIT_S <= now_s[0] <= 5 - 1  # the rest is for what else there is to do


CALLERS = (
    *("PGSERVICE", "PGSSLMODE", "PGOPTIONS", "PGPASSWORD", "HTTP_PROXY", "https_proxy", "NO_PROXY"),
    *("PYTHONPATH", "PYTHONASYNCIODEBUG", "PYTHONHASHSEED", "PYTHONMALLOC", "LD_LIBRARY_PATH"),
    *("LD_PRELOAD", "MALLOC_ARENA_MAX", "OTEL_EXPORTER_OTLP_ENDPOINT", "SSL_CERT_FILE", "LANG"),
    *("LC_CTYPE", "UVICORN_WORKERS", "WEB_CONCURRENCY", "GUNICORN_CMD_ARGS", "GRANIAN_PORT"),
    *("TWIN_JWT_SECRET", "UPSTREAM_LATENCY", "OMP_NUM_THREADS", "UV_THREADPOOL_SIZE"),
)


def test_no_variable_of_the_callers_reaches_a_child(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in CALLERS:
        monkeypatch.setenv(name, "")  # empty, or the loader itself would complain
    for name in ("PATH", "HOME", "LC_ALL", "TZ"):
        monkeypatch.setenv(name, "/of/the/caller")
    child = python(
        tmp_path,
        "import json, os; print(json.dumps(dict(os.environ)))",
        environment={"TWIN_CLASSIFIER": "off"},
    )
    child.process.wait(60)
    expected = {**child_environment(), "TWIN_CLASSIFIER": "off"}
    assert json.loads(child.last_lines()) == expected
    assert not set(expected) & set(CALLERS)
    assert "/of/the/caller" not in expected.values()
    processes.stop([child])


def test_rounds_differ_in_hash_seed_and_in_the_size_of_the_environment() -> None:
    rounds = [drawn_for_round(7, number) for number in range(1, 101)]
    assert rounds == [drawn_for_round(7, number) for number in range(1, 101)]  # as when resumed
    assert rounds != [drawn_for_round(8, number) for number in range(1, 101)]
    assert len({variables["PYTHONHASHSEED"] for variables in rounds}) == 100
    sizes = [len(variables["PADDING"]) for variables in rounds]
    assert min(sizes) < 400
    assert 3700 < max(sizes) < 4096


def test_a_drawn_hash_seed_decides_the_hashes_of_a_child(tmp_path: Path) -> None:
    hashes = []
    for number in (1, 1, 2):
        child = python(tmp_path, "print(hash('a'))", environment=drawn_for_round(7, number))
        child.process.wait(10)
        hashes.append(child.last_lines(1))
    assert hashes[0] == hashes[1] != hashes[2]


def test_descendants_end_with_the_child(tmp_path: Path) -> None:
    child = python(
        tmp_path,
        "import subprocess, sys, time;"
        "p = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(60)']);"
        "print(p.pid, flush=True); time.sleep(60)",
    )
    until(lambda: child.last_lines().strip().isdigit())
    grandchild = int(child.last_lines())
    assert set(child.tree()) == {child.pid, grandchild}
    processes.stop([child])
    until(lambda: not psutil.pid_exists(grandchild) or is_zombie(grandchild))


def is_zombie(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


def test_a_program_that_does_not_exist_is_named_in_the_log(tmp_path: Path) -> None:
    child = Child("ghost", ["no-such-program"], log=tmp_path / "ghost.log")
    until(lambda: child.exit_code() is not None)
    assert child.exit_code() == 1
    assert child.last_lines() == "no-such-program: No such file or directory"
    processes.stop([child])


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux pins processes to cores")
def test_every_thread_of_a_tree_is_pinned_and_so_are_those_to_come(tmp_path: Path) -> None:
    core = placement.usable_cores()[-1]
    child = python(
        tmp_path,
        "import os, threading, time\n"
        "threads = [threading.Thread(target=time.sleep, args=(60,), daemon=True) for _ in range(5)]\n"
        "[t.start() for t in threads]\n"
        "print('up', flush=True)\n"
        "while len(os.sched_getaffinity(0)) > 1: time.sleep(0.01)\n"
        "late = threading.Thread(target=time.sleep, args=(60,), daemon=True); late.start()\n"
        "print('late', flush=True); time.sleep(60)\n",
    )
    until(lambda: "up" in child.last_lines())
    processes.pin(child.tree, [core])
    until(lambda: "late" in child.last_lines() or len(placement.usable_cores()) == 1)
    threads = [int(name) for name in os.listdir(f"/proc/{child.pid}/task")]
    assert len(threads) >= 6
    assert {frozenset(os.sched_getaffinity(thread)) for thread in threads} == {frozenset({core})}
    processes.stop([child])


def test_cpu_time_of_another_process_is_read_finely(tmp_path: Path) -> None:
    child = python(
        tmp_path,
        "import time\n"
        "while time.process_time() < 0.5: pass\n"
        "print(time.process_time(), flush=True); time.sleep(60)",
    )
    until(lambda: child.last_lines() != "")
    said_s = float(child.last_lines())
    assert said_s <= meter.cpu_seconds(child.pid) <= said_s + 0.05
    processes.stop([child])
    assert meter.cpu_seconds(child.pid) == 0.0


def test_memory_and_threads_of_a_tree_are_those_of_all_its_processes(tmp_path: Path) -> None:
    child = python(
        tmp_path,
        "import os, time\n"
        "os.fork(); held = b'x' * 50_000_000\n"
        "print('up', flush=True); time.sleep(60)",
    )
    until(lambda: child.last_lines().count("up") == 2)
    used = meter.Meter({"child": child.tree()}).usage()["child"]
    assert 100e6 < used.pss_bytes < 160e6
    assert used.threads == 2
    processes.stop([child])


def test_a_signal_waits_until_a_child_is_written_down() -> None:
    interrupts = Interrupts()
    reached = False

    def spawning() -> None:
        nonlocal reached
        with interrupts.held():
            interrupts._handle(signal.SIGTERM, None)
            reached = True

    with pytest.raises(Interrupted, match="SIGTERM"):
        spawning()
    assert reached


def test_an_interrupt_to_be_raised_again_waits_for_a_child_to_be_written_down() -> None:
    interrupts = Interrupts()
    with pytest.raises(Interrupted):
        interrupts._handle(signal.SIGINT, None)
    interrupts._unacknowledged = "SIGINT"  # as if Python had dropped it
    reached = False

    def spawning() -> None:
        nonlocal reached
        with interrupts.held():
            interrupts._raise_again(signal.SIGALRM, None)
            reached = True

    with pytest.raises(Interrupted, match="SIGINT"):
        spawning()
    assert reached


def test_only_the_first_signal_is_raised() -> None:
    interrupts = Interrupts()
    with pytest.raises(Interrupted):
        interrupts._handle(signal.SIGINT, None)
    interrupts._handle(signal.SIGINT, None)


def test_an_interrupt_that_python_drops_is_raised_again() -> None:
    code = (
        "import os, signal, time\n"
        "from harness.errors import Interrupted\n"
        "from harness.processes.interrupts import interrupts\n"
        "interrupts.install()\n"
        "class Dropping:\n"
        "    def __del__(self):\n"
        "        os.kill(os.getpid(), signal.SIGINT); time.sleep(0.1)\n"
        "Dropping()\n"
        "try:\n"
        "    time.sleep(20)\n"
        "except Interrupted as error:\n"
        "    interrupts.acknowledge()\n"
        "    time.sleep(1)\n"
        "    print('heard', error)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=90)
    assert done.stdout == "heard interrupted (SIGINT)\n", done.stderr


def test_an_interrupt_that_python_drops_is_not_shown_and_other_errors_are() -> None:
    code = """
from harness.errors import Interrupted
from harness.processes.interrupts import interrupts
class Raising:
    def __init__(self, error): self.error = error
    def __del__(self): raise self.error
interrupts.install()
Raising(Interrupted("dropped"))
Raising(ValueError("shown"))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "dropped" not in done.stderr
    assert "ValueError: shown" in done.stderr
