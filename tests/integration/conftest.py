"""Real servers, a real database, the real command line."""

from __future__ import annotations

import ctypes
import io
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import cast

import psutil
import pytest

from harness import store
from harness.analysis.analyse import analyse
from harness.analysis.gates import MAX_FOREIGN_SHARE, clock_error
from harness.cli.main import main
from harness.machine import placement
from harness.models import SERVER_CORES, Stack
from harness.planning.files import PROJECT, STACKS_FILE
from harness.planning.stacks import load_stacks
from harness.processes import children
from harness.processes.interrupts import interrupts
from harness.serving import services
from harness.serving.servers import serving
from harness.serving.services import Services
from harness.serving.targets import Target

_PR_SET_CHILD_SUBREAPER = 36  # <linux/prctl.h>


@pytest.fixture
def adopting_orphans() -> Iterator[None]:
    """Be the parent of every descendant whose own parent has ended.

    Otherwise what outlives a command would become a child of process 1, among all others. Only
    Linux can do this; elsewhere a command's processes are found while the command lives.
    """
    if sys.platform != "linux":
        yield
        return
    library = ctypes.CDLL(None)
    assert library.prctl(_PR_SET_CHILD_SUBREAPER, 1) == 0
    yield
    # Other tests in this process start orphans that are meant to be nobody's.
    assert library.prctl(_PR_SET_CHILD_SUBREAPER, 0) == 0


@pytest.fixture(scope="session")
def logs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the output of services and servers goes."""
    return tmp_path_factory.mktemp("logs")


@pytest.fixture(scope="session")
def around(logs: Path) -> Iterator[Services]:
    """PostgreSQL and the upstream."""
    with services.running(
        upstream_latency="constant:5",
        seed=0,
        cores=placement.usable_cores(),
        logs=logs,
        folder=PROJECT,
    ) as running:
        yield running


#: The two stacks that everybody would name first. `make test` starts no others.
TWINS = ("flask-gthread", "fastapi-uvicorn")
#: Every stack of stacks.toml, to be a parameter of tests.
EVERY_STACK = [
    pytest.param(name, marks=() if name in TWINS else pytest.mark.thorough)
    for name in load_stacks(STACKS_FILE)
]


def stacks_in_need(session: pytest.Session) -> list[Stack]:
    """The stacks that the selected tests need: starting all of them takes more than a minute."""
    thorough = any(
        "servers" in getattr(item, "fixturenames", ()) and item.get_closest_marker("thorough")
        for item in session.items
    )
    stacks = load_stacks(STACKS_FILE)
    return list(stacks.values()) if thorough else [stacks[name] for name in TWINS]


@pytest.fixture(scope="session")
def servers(
    request: pytest.FixtureRequest, around: Services, logs: Path
) -> Iterator[dict[str, Target]]:
    """Every stack of stacks.toml by name, or the twins alone if no selected test is thorough."""
    cores = placement.usable_cores()
    stacks = stacks_in_need(request.session)
    with serving(
        # Two workers show what five would, and each takes seconds to start.
        [replace(stack, workers="2") if stack.workers else stack for stack in stacks],
        workers=1,
        environment=around.environment,
        cores=cores,
        start_cores=cores,
        logs=logs,
        folder=PROJECT,
    ) as up:
        yield up


@pytest.fixture(scope="session")
def urls(servers: dict[str, Target]) -> dict[str, str]:
    """Name -> URL of all stacks that were started."""
    return {label: server.url for label, server in servers.items()}


def child_ids() -> set[int]:
    """Ids of our direct children."""
    return {child.pid for child in psutil.Process().children()}


@dataclass
class Command:
    """A twinbench process, and a way to find everything that it started."""

    process: subprocess.Popen[str]
    others: set[int]  # children that we had before it

    def living(self) -> list[str]:
        """Command lines of the command and all its descendants, also of those that outlived it."""
        tops = child_ids() - self.others
        found = []
        for pid in tops:
            try:
                top = psutil.Process(pid)
                tree = [top, *top.children(recursive=True)]
            except psutil.Error:
                continue  # it ended while we looked
            for process in tree:
                try:
                    if process.status() != psutil.STATUS_ZOMBIE:
                        found.append(" ".join(process.cmdline()) or process.name())
                    elif process.pid in tops and process.pid != self.process.pid:
                        os.waitpid(process.pid, os.WNOHANG)  # we adopted it, so we bury it
                except psutil.Error:
                    continue
        return found

    def left_running(self) -> list[str]:
        """What stays alive; empty as soon as nothing is. A killed process may take a while to end."""
        deadline = time.monotonic() + 15
        while (left := self.living()) and time.monotonic() < deadline:
            time.sleep(0.05)
        return left

    def finish(self, timeout: float = 100) -> tuple[int, str, str]:
        """Wait for the end: exit code, stdout, stderr."""
        out, err = self.process.communicate(timeout=timeout)
        return self.process.returncode, out, err


@pytest.fixture
def twinbench(adopting_orphans: None) -> Iterator[Callable[..., Command]]:
    """Start the command line; whatever a test leaves alive is ended."""
    commands: list[Command] = []

    def start(
        *arguments: object,
        environment: dict[str, str] | None = None,
        prefix: tuple[str, ...] = (),
    ) -> Command:
        others = child_ids()
        process = subprocess.Popen(
            [*prefix, sys.executable, "-m", "harness", *map(str, arguments)],
            cwd=PROJECT,
            env={**os.environ, **(environment or {})},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        commands.append(Command(process, others))
        return commands[-1]

    yield start
    for command in commands:
        if command.process.poll() is None:
            command.process.send_signal(signal.SIGINT)
            command.process.communicate(timeout=60)


@dataclass(frozen=True)
class Ended:
    """A command that was run in this process; it answers as `Command` does."""

    code: int
    out: str
    err: str
    left: set[int]  # ids of what it started and left running

    def finish(self) -> tuple[int, str, str]:
        """Exit code, stdout, stderr."""
        return self.code, self.out, self.err

    def left_running(self) -> list[str]:
        """What stays alive; empty if nothing does."""
        return [f"process {pid}" for pid in self.left]


@pytest.fixture
def here(monkeypatch: pytest.MonkeyPatch) -> Callable[..., Ended]:
    """Run the command line in this process, for what starts no other.

    It is all of `main`, but for signals, which stay pytest's, and for children, which may be those
    of other tests. A process of its own would spend a second on importing the same again.
    """
    for signals in ("install", "unblock", "hold_for_good"):
        monkeypatch.setattr(interrupts, signals, lambda: None)
    monkeypatch.setattr(children, "stop_everything", lambda: None)

    def run(*arguments: object, environment: dict[str, str] | None = None) -> Ended:
        others = child_ids()
        out, err = (io.TextIOWrapper(io.BytesIO(), "utf-8", write_through=True) for _ in range(2))
        with monkeypatch.context() as patch:
            patch.chdir(PROJECT)
            patch.setattr(sys, "argv", ["twinbench", *map(str, arguments)])
            patch.setattr(sys, "stdout", out)
            patch.setattr(sys, "stderr", err)
            for name, value in (environment or {}).items():
                patch.setenv(name, value)
            with pytest.raises(SystemExit) as end:
                main()
        said = [cast(io.BytesIO, stream.buffer).getvalue().decode() for stream in (out, err)]
        return Ended(int(end.value.code or 0), *said, child_ids() - others)

    return run


@pytest.fixture
def without_drawings(monkeypatch: pytest.MonkeyPatch) -> None:
    """Leave charts blank in reports that are made in this process: they take most of the time."""
    monkeypatch.setattr("harness.report.charts.png", lambda _sheet: b"")
    monkeypatch.setattr("harness.report.charts.svgs", lambda *_: ("<svg/>", "<svg/>"))


def journal_lines(out: Path) -> int:
    """How many lines the journal of the one run below `out` has."""
    return sum(path.read_text().count("\n") for path in out.glob("*/journal.jsonl"))


def wait_for(condition: Callable[[], bool], what: str) -> None:
    """Fail unless `condition` comes true at last."""
    seconds = 90
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"waited {seconds} s for {what}"
        time.sleep(0.02)


#: Gates that a sound run may fail, because other work kept the machine busy.
OF_THE_MACHINE = {"foreign load", "steal time", "settled", "schedule lag", "Little's law"}


@dataclass(frozen=True)
class CpuClocks:
    """CPU seconds so far: of this process with its descendants that have ended, and of all others."""

    own_s: float
    others_s: float


def cpu_clocks() -> CpuClocks:
    times = psutil.cpu_times()._asdict()
    busy = ("user", "nice", "system", "irq", "softirq")
    own_s = sum(os.times()[:4])
    return CpuClocks(own_s, sum(times.get(column, 0.0) for column in busy) - own_s)


#: The kernel samples how busy its cores are, while each process has an exact clock. Over a minute
#: of load, the two were 1 % apart.
SAMPLING_ERROR = 0.05


def assert_sound(code: int, folder: Path, before: CpuClocks) -> None:
    """Fail if a run has an invalid cell for which nobody but the run itself can be blamed.

    Args:
        code: The run's exit code.
        folder: The run's.
        before: What `cpu_clocks` returned before the run.
    """
    after = cpu_clocks()
    record = store.read_run(folder)
    analysis = analyse(record, lambda cell: store.read_samples(folder, cell))
    failed = {gate for cell in analysis.cells for gate in cell.gates if not gate.passed}
    assert {gate.gate for gate in failed} <= OF_THE_MACHINE, failed
    assert code == (0 if analysis.valid else 1)
    # Beyond what is allowed in each cell, a run blames others for no more than they have used.
    blamed_s = 0.0
    for cell in (cell for finished in record.rounds for cell in finished.cells):
        if usage := cell.cores.get(SERVER_CORES):
            allowed = MAX_FOREIGN_SHARE + clock_error([usage], len(cell.slices))
            blamed_s += max(0.0, usage.busy_s - usage.own_s - allowed * usage.available_s)
    own_s, others_s = after.own_s - before.own_s, after.others_s - before.others_s
    assert blamed_s <= max(0.0, others_s) + SAMPLING_ERROR * own_s
