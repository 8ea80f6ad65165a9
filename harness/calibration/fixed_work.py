"""The same small piece of work, again and again: how long it takes shows how fast a core is.

`python -m harness.calibration.fixed_work SECONDS` writes to stdout when each piece ended, in
nanoseconds, as 64-bit integers; the first is when the first piece began.
"""

from __future__ import annotations

import sys
import time
from array import array

#: A piece takes at least this long, so that reading the clock is next to nothing beside it.
_PIECE_NS = 200_000
_TRIES = 20


def _work(steps: int) -> int:
    total = 0
    for step in range(steps):
        total += step * step
    return total


def _steps() -> int:
    """As many as a piece needs where nothing disturbs it; decided once, so that pieces are equal."""
    steps = 500
    while min(_took_ns(steps) for _ in range(_TRIES)) < _PIECE_NS:
        steps += steps // 4
    return steps


def _took_ns(steps: int) -> int:
    begun_ns = time.perf_counter_ns()
    _work(steps)
    return time.perf_counter_ns() - begun_ns


def _main(seconds: float) -> None:
    steps = _steps()
    ended_ns = array("q", [time.perf_counter_ns()])
    until_ns = ended_ns[0] + round(seconds * 1e9)
    while ended_ns[-1] < until_ns:
        _work(steps)
        ended_ns.append(time.perf_counter_ns())
    sys.stdout.buffer.write(ended_ns.tobytes())


if __name__ == "__main__":
    _main(float(sys.argv[1]))
