"""Samples the stacks of Python processes from outside, with py-spy.

py-spy stops a process for the moment in which it reads its stacks, so the process is slower while it
is sampled. Only the thread that holds the GIL is recorded (`--gil`), at most one of a process.

py-spy's own rule for threads that run is of no use here: of a busy server with many threads it takes
those that wait for the GIL or for work as running, and finds four to five times as many samples as
there is CPU time. Functions of C and Rust are not asked for (`--native`): unwinding them stops a
process for milliseconds.
"""

from __future__ import annotations

import contextlib
import signal
import subprocess
import sysconfig
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from harness.errors import EnvironmentFailed
from harness.processes import children
from harness.processes.children import Child

PROGRAM = str(Path(sysconfig.get_path("scripts")) / "py-spy")
_BEGINS_WITHIN_S = 30.0
_ENDS_WITHIN_S = 30.0
_LOOK_AGAIN_S = 0.02
#: What py-spy says once it samples, and what it says where it may not.
_BEGUN = "Sampling process"
_FORBIDDEN = ("permission denied", "operation not permitted", "requires root")
_PACKAGES = "/site-packages/"
_STDLIB = sysconfig.get_path("stdlib") + "/"
#: A frame of py-spy's for each process, above its functions.
_PROCESS = "process "

#: Frames from the outermost to the innermost -> number of samples (models.Stacks).
Samples = Mapping[tuple[str, ...], int]


class Sampling:
    """A sampler that looks at a process and its children."""

    def __init__(self, output: Path, project: Path) -> None:
        self._output = output
        self._project = project

    def samples(self) -> dict[tuple[str, ...], int]:
        """What was sampled; only after the sampling."""
        return read_collapsed(self._output.read_text(errors="replace"), self._project)


def refuse_if_forbidden(pid: int, *, program: str = PROGRAM) -> None:
    """Raise unless the stacks of a process may be read.

    Args:
        pid: A Python process that does nothing else, or that nobody measures.
        program: Where py-spy is.

    Raises:
        EnvironmentFailed: They may not, or py-spy does not run here.
    """
    try:
        done = subprocess.run(
            [program, "dump", "--pid", str(pid)], capture_output=True, text=True, timeout=60
        )
    except OSError as error:
        raise EnvironmentFailed(
            f"py-spy can't be started ({program}: {error.strerror}): install twinbench again, with "
            "all of its packages"
        ) from error
    if done.returncode:
        raise _failure(done.stderr or done.stdout)


def _failure(said: str) -> EnvironmentFailed:
    if any(words in said.lower() for words in _FORBIDDEN):
        return EnvironmentFailed(
            "py-spy may not read the servers' stacks: as root, allow it with 'sysctl "
            "kernel.yama.ptrace_scope=0' until the next start of the machine (in a container: "
            "start it with '--cap-add SYS_PTRACE'; on macOS: run twinbench as root)"
        )
    return EnvironmentFailed("py-spy can't sample the servers; it said:", detail=said.strip())


@contextmanager
def sampling(
    pid: int,
    *,
    rate_hz: int,
    cores: Sequence[int],
    logs: Path,
    project: Path,
    program: str = PROGRAM,
) -> Iterator[Sampling]:
    """Sample a process and its children as long as the context lasts.

    Args:
        pid: The process.
        rate_hz: Samples per second of each process.
        cores: Cores for the sampler itself; none of those on which the process runs.
        logs: Folder for its log and its output.
        project: What paths of our own files are relative to.
        program: Where py-spy is.

    Raises:
        EnvironmentFailed: The sampler does not begin, or ends with an error.
    """
    output = logs / f"py-spy-{pid}-{time.monotonic_ns()}.txt"
    sampler = _begun(pid, rate_hz, cores, output, program)
    try:
        yield Sampling(output, project)
        sampler.process.send_signal(signal.SIGINT)  # it writes what it has, and ends
        with contextlib.suppress(subprocess.TimeoutExpired):
            sampler.process.wait(_ENDS_WITHIN_S)
        if sampler.exit_code() != 0 or not output.is_file():
            raise _failure(sampler.last_lines())
    finally:
        children.stop([sampler])


def _begun(pid: int, rate_hz: int, cores: Sequence[int], output: Path, program: str) -> Child:
    """A sampler that has begun."""
    sampler = Child(
        "py-spy",
        [
            *(program, "record", "--pid", str(pid), "--subprocesses"),
            *("--rate", str(rate_hz), "--format", "raw", "--output", str(output)),
            *("--function", "--full-filenames", "--gil"),
        ],
        log=output.with_suffix(".log"),
        cores=cores,
        stop_signal=signal.SIGINT,
    )
    deadline = time.monotonic() + _BEGINS_WITHIN_S
    try:
        while _BEGUN not in sampler.last_lines():
            if sampler.exit_code() is not None or time.monotonic() > deadline:
                raise _failure(sampler.last_lines(40))
            time.sleep(_LOOK_AGAIN_S)
    except BaseException:
        children.stop([sampler])
        raise
    return sampler


# -------------------------------------------------------------------------- its output


def read_collapsed(text: str, project: Path) -> dict[tuple[str, ...], int]:
    """Collapsed stacks as py-spy writes them -> the same with places that name no machine.

    Processes are merged, and so are addresses and lines within a function.
    """
    found: Counter[tuple[str, ...]] = Counter()
    for line in text.splitlines():
        joined, _, count = line.rpartition(" ")
        if not joined or not count.isdecimal():
            continue
        frames = tuple(
            _frame(frame, project) for frame in _split(joined) if not frame.startswith(_PROCESS)
        )
        if frames:
            found[frames] += int(count)
    return dict(found)


def _split(joined: str) -> Iterator[str]:
    """The frames of a line; a name may contain the separator."""
    begun = ""
    for piece in joined.split(";"):
        begun = f"{begun};{piece}" if begun else piece
        if begun.endswith(")") or begun.startswith(_PROCESS):
            yield begun
            begun = ""
    if begun:
        yield begun


def _frame(frame: str, project: Path) -> str:
    """`name (path:line)` -> `name (place)`."""
    name, bracket, path = frame.removesuffix(")").rpartition(" (")
    if not bracket:
        name, path = frame, ""
    if name.startswith("0x"):
        name = "?"  # another address in every process
    return f"{name} ({place(path, project)})"


def place(path: str, project: Path) -> str:
    """Where code comes from: `site-packages/…`, `python/…`, a path within the project, `native/…`.

    Args:
        path: Of a Python file, a library or a source file of one, with or without a line number.
        project: What paths of our own files are relative to.
    """
    file, _, line = path.rpartition(":")
    if not file or not line.isdecimal():
        file = path
    if _PACKAGES in file:
        return f"site-packages/{file.rpartition(_PACKAGES)[2]}"
    if file.startswith("<"):
        return f"python/{file}"  # frozen modules, and code without a file
    is_python = file.endswith(".py")
    if is_python and file.startswith(_STDLIB):
        return f"python/{file.removeprefix(_STDLIB)}"
    if is_python and file.startswith(f"{project}/"):
        return file.removeprefix(f"{project}/")
    if is_python:
        return f"other/{Path(file).name}"
    return f"native/{Path(file).name}"
