"""Starts child processes, pins them, and stops them by their id; they never outlive us."""

from __future__ import annotations

import contextlib
import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import MappingProxyType
from typing import IO

import psutil

from harness.processes.child_environment import child_environment
from harness.processes.interrupts import interrupts

_LAUNCH = str(Path(__file__).with_name("launch.py"))
#: After SIGTERM, and after SIGKILL: together well within the 5 s that the documents promise.
TERM_WAIT_S = 2.5
KILL_WAIT_S = 1.0
_SCRATCH = "twinbench"
_MARK = "TWINBENCH_CHILD"


class Child:
    """A process that we started, in a session of its own with all its descendants."""

    def __init__(
        self,
        name: str,
        command: Sequence[str],
        *,
        log: Path,
        environment: Mapping[str, str] = MappingProxyType({}),
        cores: Sequence[int] = (),
        rights: tuple[int, int] | None = None,
        stop_signal: signal.Signals = signal.SIGTERM,
        piped: bool = False,
        folder: Path | None = None,
        marked: bool = False,
    ) -> None:
        """Start `command`.

        Args:
            name: What messages call it.
            command: Program and arguments; the program is looked up on our PATH.
            log: File for its output (only stderr if `piped`).
            environment: Variables in addition to those that every child has (child_environment).
            cores: Cores to pin it to from the start.
            rights: User and group id to run as; ours if None.
            stop_signal: The signal that asks it to end; it also gets this signal when we die.
            piped: Whether stdin and stdout are pipes, for a conversation.
            folder: Working directory.
            marked: Whether its descendants are found by a mark too, wherever they went: a server that
                goes into the background leaves its parent and its session.
        """
        self.mark = secrets.token_hex(8) if marked else ""
        self.name = name
        self.log = log
        self.stop_signal = stop_signal
        launch = [
            *(sys.executable, "-I", "-S", _LAUNCH),
            *(str(os.getpid()), str(int(stop_signal))),
            "-" if rights is None else f"{rights[0]}:{rights[1]}",
            ",".join(map(str, cores)) or "-",
        ]
        program, *arguments = command
        with log.open("ab") as output, interrupts.held():
            self.spawned_at = time.monotonic()
            self.process = subprocess.Popen(
                [*launch, shutil.which(program) or program, *arguments],
                stdin=subprocess.PIPE if piped else subprocess.DEVNULL,
                stdout=subprocess.PIPE if piped else output,
                stderr=output,
                env={
                    **child_environment(),
                    **environment,
                    **({_MARK: self.mark} if marked else {}),
                },
                cwd=folder,
                start_new_session=True,  # the terminal's Ctrl-C reaches only us; we end children
            )
            _living.append(self)

    @property
    def pid(self) -> int:
        """Its process id, which is also the process group id of its tree."""
        return self.process.pid

    @property
    def stdin(self) -> IO[bytes]:
        """The pipe that it reads; only if `piped`."""
        assert self.process.stdin is not None
        return self.process.stdin

    @property
    def stdout(self) -> IO[bytes]:
        """The pipe that it writes; only if `piped`."""
        assert self.process.stdout is not None
        return self.process.stdout

    def exit_code(self) -> int | None:
        """Its exit code; None while it runs."""
        return self.process.poll()

    def last_lines(self, count: int = 12) -> str:
        """The end of its log, for messages."""
        lines = self.log.read_text(errors="replace").rstrip().splitlines()
        return "\n".join(lines[-count:])

    def tree(self) -> list[int]:
        """Ids of the process and all its descendants, of those that are alive."""
        try:
            top = psutil.Process(self.pid)
            return [self.pid, *(child.pid for child in top.children(recursive=True))]
        except psutil.NoSuchProcess:
            return []

    def signal_group(self, number: signal.Signals) -> None:
        """Send a signal to the whole group, if it still exists."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.pid, number)


_living: list[Child] = []


def living() -> tuple[Child, ...]:
    """Every child that was started and not stopped yet."""
    return tuple(_living)


def stop(children: Iterable[Child]) -> None:
    """End children and all their descendants, all at the same time: ask first, then force."""
    with interrupts.held():
        _stop(list(children))


def _stop(children: list[Child]) -> None:
    for child in children:
        if child.exit_code() is None:
            child.process.send_signal(child.stop_signal)
    _wait_for(children, TERM_WAIT_S)
    for child in children:
        child.signal_group(signal.SIGKILL)  # also descendants that outlived the child
    _kill_marked({child.mark for child in children if child.mark})
    _wait_for(children, KILL_WAIT_S)
    for child in children:
        for pipe in (child.process.stdin, child.process.stdout):
            if pipe is not None:
                with contextlib.suppress(BrokenPipeError):
                    pipe.close()
        if child in _living:
            _living.remove(child)


def _kill_marked(marks: Collection[str]) -> None:
    """End whatever has one of these marks in its environment."""
    if not marks:
        return
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error, OSError):
            if process.pid != os.getpid() and process.environ().get(_MARK) in marks:
                process.kill()


def _wait_for(children: Iterable[Child], seconds: float) -> None:
    deadline = time.monotonic() + seconds
    for child in children:
        with contextlib.suppress(subprocess.TimeoutExpired):
            child.process.wait(max(0.0, deadline - time.monotonic()))


def stop_everything() -> None:
    """End every child that is still alive; a last line of defence."""
    if _living:
        stop(list(_living))


def pin(pids: Callable[[], Iterable[int]], cores: Sequence[int]) -> None:
    """Confine every thread of some processes to `cores`; do nothing if `cores` is empty.

    Servers start on all cores, because importing is work, and are pinned before they are loaded.
    New threads can appear meanwhile, so we look until every thread is pinned: a thread inherits
    the cores of the thread that starts it.
    """
    if not cores:
        return
    wanted = set(cores)
    unpinned = True
    while unpinned:
        unpinned = False
        for thread in _threads(pids()):
            with contextlib.suppress(ProcessLookupError):
                if os.sched_getaffinity(thread) != wanted:
                    os.sched_setaffinity(thread, wanted)
                    unpinned = True


@contextmanager
def kept_to(cores: Sequence[int]) -> Iterator[None]:
    """Keep our own process on `cores` inside the context; children have cores of their own.

    Afterwards each thread has the cores that it had. The process may be somebody else's, who called
    twinbench as a library.
    """
    if not cores:
        yield
        return
    ours = os.sched_getaffinity(0)
    before = {thread: _cores_of(thread) for thread in _threads([os.getpid()])}
    pin(lambda: [os.getpid()], cores)
    try:
        yield
    finally:
        done: set[int] = set()
        while new := set(_threads([os.getpid()])) - done:  # others may start threads meanwhile
            for thread in new:
                with contextlib.suppress(ProcessLookupError):
                    os.sched_setaffinity(thread, before.get(thread) or ours)
            done |= new


def _cores_of(thread: int) -> set[int]:
    """The cores that a thread may use; none if it has ended."""
    try:
        return os.sched_getaffinity(thread)
    except ProcessLookupError:
        return set()


def _threads(processes: Iterable[int]) -> list[int]:
    found: list[int] = []
    for process in processes:
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):
            found.extend(int(entry) for entry in os.listdir(f"/proc/{process}/task"))
    return found


def free_ports(count: int) -> list[int]:
    """Find different TCP ports on 127.0.0.1 on which nobody listens at the moment."""
    with contextlib.ExitStack() as stack:
        # All stay open until the last is found; otherwise the same port might come twice.
        probes = [stack.enter_context(socket.socket()) for _ in range(count)]
        for probe in probes:
            probe.bind(("127.0.0.1", 0))
        return [probe.getsockname()[1] for probe in probes]


def free_port() -> int:
    """Find a TCP port on 127.0.0.1 on which nobody listens at the moment."""
    return free_ports(1)[0]


@contextmanager
def scratch_folder(kind: str) -> Iterator[Path]:
    """Make a temporary folder, and remove it at the end.

    Folders of processes that were killed are removed too, because those could not clean up.
    """
    place = Path(tempfile.gettempdir())
    for folder in place.glob(f"{_SCRATCH}-*-*-*"):
        owner = folder.name.split("-")[2]
        if owner.isdigit() and not psutil.pid_exists(int(owner)):
            shutil.rmtree(folder, ignore_errors=True)
    folder = Path(tempfile.mkdtemp(prefix=f"{_SCRATCH}-{kind}-{os.getpid()}-"))
    try:
        yield folder
    finally:
        with interrupts.held():
            shutil.rmtree(folder, ignore_errors=True)
