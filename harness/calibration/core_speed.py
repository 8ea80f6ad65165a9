"""Measures how the speed of the servers' core moves, by a process that does the same work all the time."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np

from harness.analysis.spectrum import Ints
from harness.errors import EnvironmentFailed
from harness.models import Placement
from harness.planning.files import PROJECT
from harness.processes import children as processes
from harness.processes.children import Child

_NAME = "fixed work"
#: It begins with finding out how much work a piece is, and must be started.
_BESIDE_S = 30.0


def measure(where: Placement, *, seconds: float) -> Ints:
    """Do a small piece of work again and again on one of the servers' cores.

    Returns:
        When the first piece began, and when each of them ended, in nanoseconds.

    Raises:
        EnvironmentFailed: The process did not do its part.
    """
    with (
        processes.kept_to(sorted({*where.load, *where.services})),
        processes.scratch_folder("core-speed") as folder,
    ):
        return _ended_ns(where, folder, seconds)


def _ended_ns(where: Placement, folder: Path, seconds: float) -> Ints:
    child = Child(
        _NAME,
        [sys.executable, "-m", "harness.calibration.fixed_work", f"{seconds:g}"],
        log=folder / "fixed-work.log",
        cores=where.servers[:1],
        piped=True,
        folder=PROJECT,
    )
    try:
        written, _ = child.process.communicate(timeout=seconds + _BESIDE_S)
    except subprocess.TimeoutExpired:
        written = b""
    finally:
        processes.stop([child])
    if child.exit_code() != 0 or not written:
        raise EnvironmentFailed(
            f"the {_NAME} that shows how fast a core is did not end as it should; its last lines:",
            detail=child.last_lines(),
        )
    return np.frombuffer(written, dtype=np.int64)
