"""Samples which code uses the CPU time of Python processes, by the CPU time itself.

A process that is started with `environment` samples itself while it is asked to (inside/sitecustomize.py):
after every so many milliseconds of CPU time, the thread that used them writes down its stack. So a sample
is a piece of CPU time, and nothing else is: no thread that waits, for the GIL or for work.

Until Python 3.13 a signal may come in the few instructions in which the interpreter's list of active
functions is not whole. Then faulthandler may read what is no function, and the process ends. It happens
once in some thousand samples (MAY_END_PROCESSES); what was written until then is good.

py-spy was tried before. It looks from outside and sees who holds the GIL; of a server with many threads
it saw an eighth of the CPU time, and put most of that in the wrong place (METHOD.md).
"""

from __future__ import annotations

import ast
import contextlib
import functools
import os
import re
import struct
import sys
import sysconfig
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from harness.errors import EnvironmentFailed

#: Whether a process may end because it is sampled.
MAY_END_PROCESSES = sys.version_info < (3, 13, 1)
_INSIDE = Path(__file__).with_name("inside")
_PACKAGES = "/site-packages/"
_STDLIB = sysconfig.get_path("stdlib") + "/"
#: How faulthandler begins a stack, and how it shows a frame, the innermost one first.
_BEGINS = "Stack (most recent call first):\n"
_FRAME = re.compile(r'^  File "(.+)", line (\d+|\?\?\?) in (.+)$', re.MULTILINE)
#: How it writes letters that are not ASCII.
_ESCAPED = re.compile(r"\\x([0-9a-f]{2})|\\u([0-9a-f]{4})|\\U([0-9a-f]{8})")
#: It shows a hundred frames at most, and says that there are more.
_CUT_OFF = "\n  ...\n"
_OUTER = "… (other/…)"
#: A thread between two calls of Python code, as when Python begins or ends.
_NO_FRAME = "? (native/?)"


def environment(folder: Path) -> dict[str, str]:
    """The variables with which Python processes start that can be sampled.

    Args:
        folder: Where they write what they run; nobody else writes there.
    """
    return {"PYTHONPATH": str(_INSIDE), "TWINBENCH_SAMPLES": str(folder)}


class Sampling:
    """Processes that are sampled."""

    def __init__(self, pids: Iterable[int], folder: Path, project: Path) -> None:
        self._files = [folder / f"{pid}.stacks" for pid in pids]
        self._project = project

    def samples(self) -> dict[tuple[str, ...], int]:
        """What was sampled, of all processes together; only after the sampling."""
        found: Counter[tuple[str, ...]] = Counter()
        for file in self._files:
            with contextlib.suppress(FileNotFoundError):  # no Python process
                found += read_stacks(file.read_text(errors="replace"), self._project)
        return dict(found)


@contextmanager
def sampling(
    pids: Iterable[int], *, rate_hz: int, folder: Path, project: Path
) -> Iterator[Sampling]:
    """Sample processes as long as the context lasts. A process can be sampled once.

    Args:
        pids: Processes that were started with `environment`; others among them are left out.
        rate_hz: Samples per second of CPU time. Clocks of CPU time tick 100 to 1000 times a second,
            and more samples than that can't be taken.
        folder: Where the processes write, as in `environment`.
        project: What paths of our own files are relative to.

    Raises:
        EnvironmentFailed: No process can be asked.
    """
    asked = [pid for pid in pids if _ask(pid, 1 / rate_hz, folder)]
    if not asked:
        raise EnvironmentFailed(
            "no server says which code it runs: its Python did not import sitecustomize (as with "
            "'python -S' or '-I'), or that failed, and its log has 'Error in sitecustomize'"
        )
    try:
        yield Sampling(asked, folder, project)
    finally:
        for pid in asked:
            _ask(pid, 0.0, folder)


def _ask(pid: int, interval_s: float, folder: Path) -> bool:
    """Ask a process for a sample after each such time of CPU, or for none; whether it hears us."""
    try:
        requests = os.open(folder / f"{pid}.requests", os.O_WRONLY | os.O_NONBLOCK)
        try:
            os.write(requests, struct.pack("d", interval_s))
        finally:
            os.close(requests)
    except OSError:
        return False  # it never was there, or has ended
    return True


# -------------------------------------------------------------------------- what they write


def read_stacks(text: str, project: Path) -> Counter[tuple[str, ...]]:
    """Stacks as faulthandler writes them -> how often each was seen, with places that name no machine.

    Lines within a function are merged.
    """
    found: Counter[tuple[str, ...]] = Counter()
    # What comes before the first is nothing; a process that is killed leaves the last one torn.
    whole = _ESCAPED.sub(_unescaped, text if text.endswith("\n") else text.rpartition(_BEGINS)[0])
    for stack in whole.split(_BEGINS)[1:]:
        frames = [
            f"{_qualified(path, line, name)} ({place(path, project)})"
            for path, line, name in reversed(_FRAME.findall(stack))
        ]
        if stack.endswith(_CUT_OFF):
            frames.insert(0, _OUTER)
        found[tuple(frames) or (_NO_FRAME,)] += 1
    return found


def _unescaped(found: re.Match[str]) -> str:
    return chr(int(found[1] or found[2] or found[3], 16))


@functools.lru_cache(maxsize=65_536)
def _qualified(path: str, line: str, name: str) -> str:
    """The name of a function with those of its class and of the functions around it, if its file is there."""
    if not line.isdecimal():
        return name
    around = [
        (end - start, qualified)
        for start, end, qualified in _functions(path)
        if start <= int(line) <= end
    ]
    if not around:
        return name
    _, innermost = min(around)
    # Lambdas and comprehensions are functions too, within one that has a name.
    return innermost if innermost.rpartition(".")[2] == name else f"{innermost}.{name}"


@functools.cache
def _functions(path: str) -> tuple[tuple[int, int, str], ...]:
    """First and last line of each function of a file, and its qualified name."""
    try:
        tree = ast.parse(Path(path).read_bytes())
    except (OSError, SyntaxError, ValueError):
        return ()  # frozen modules and code without a file have none
    return tuple(_within(tree, ""))


def _within(node: ast.AST, prefix: str) -> Iterator[tuple[int, int, str]]:
    for child in ast.iter_child_nodes(node):
        inner = prefix
        if isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            inner = f"{prefix}{child.name}."
            if not isinstance(child, ast.ClassDef):
                assert child.end_lineno is not None  # ast.parse sets it
                yield child.lineno, child.end_lineno, inner.removesuffix(".")
        yield from _within(child, inner)


def place(path: str, project: Path) -> str:
    """Where code comes from: `site-packages/…`, `python/…`, a path within the project, `other/…`.

    Args:
        path: Of a Python file.
        project: What paths of our own files are relative to.
    """
    if _PACKAGES in path:
        return f"site-packages/{path.rpartition(_PACKAGES)[2]}"
    if path.startswith("<"):
        return f"python/{path}"  # frozen modules, and code without a file
    if path.startswith(_STDLIB):
        return f"python/{path.removeprefix(_STDLIB)}"
    if path.startswith(f"{project}/"):
        return path.removeprefix(f"{project}/")
    return f"other/{Path(path).name}"
