"""How the speed of a core moves, and how long a slice should be for it: pure functions.

Two stacks that take turns are compared in neighbouring windows of time. What the speed of the core
differs between neighbours is noise in their ratio. Whether short or long windows average it out
sooner depends on how fast the speed moves, which is the noise's spectrum. The spread of neighbouring
windows at one length after another shows it (as Allan's deviation does).
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

import numpy as np
import numpy.typing as npt

from harness.models import Spectrum, SpeedWindow

Ints = npt.NDArray[np.int64]

#: Lengths of windows that are looked at; each is twice as long as the one before.
LENGTHS_S = (0.01, 0.02, 0.04, 0.08, 0.16, 0.32, 0.64)
#: Time of taking turns after which the error of a pair is given.
PAIRED_S = 20.0
#: What a slice takes beside its counted window, however long that is: for the requests before the
#: counted ones, and while they are answered. In five scenarios it was 2 to 16 ms, and 8 on average.
EDGES_S = 0.008
#: From fewer pairs that don't overlap, a spread is a guess.
_LEAST_PAIRS = 8
#: A window begins this often within its own length.
_STEPS = 8
#: A length is as good as the best if its error is larger by no more than this.
_TOLERANCE = 0.1
#: In slices of half the shortest, requests are so few that the ratio is no steadier at equal time,
#: however the core's speed moves (docs/METHOD.md has the figures). In slices longer than the longest,
#: a round would have few cycles, whatever one core's speed over some seconds says.
SHORTEST_S, LONGEST_S = 0.04, 0.1


def spectrum(ended_ns: Ints) -> Spectrum:
    """Derive from equal pieces of work how windows differ, and the length of a slice.

    Args:
        ended_ns: when the first piece began, and when each of them ended.
    """
    windows = tuple(_windows(ended_ns))
    return Spectrum(float(ended_ns[-1] - ended_ns[0]) / 1e9, windows, slice_s(windows))


def slice_s(windows: Sequence[SpeedWindow]) -> float | None:
    """Return the longest slice that is about as good as the best, within bounds; None if unknown.

    Among lengths that are about equally good the longest is best, because what begins anew with each
    slice (users in step, a burst for the collector) is then a smaller part of it. A length is as good
    as the best if its error is within 10 % of it, or if so few windows can't tell the two apart.
    """
    possible = [window for window in windows if SHORTEST_S <= window.length_s < 2 * LONGEST_S]
    if not possible:
        return None
    best = min(window.error for window in possible)
    good = [
        window
        for window in possible
        if window.error * (1 - 1 / math.sqrt(2 * window.pairs)) <= best * (1 + _TOLERANCE)
    ]
    return min(LONGEST_S, good[-1].length_s)


def _windows(ended_ns: Ints) -> Iterator[SpeedWindow]:
    """Windows of every length of which there are enough pairs."""
    pieces = len(ended_ns) - 1
    seconds = float(ended_ns[-1] - ended_ns[0]) / 1e9
    for length_s in LENGTHS_S:
        each = max(1, round(pieces * length_s / seconds))
        pairs = pieces // (2 * each)
        if pairs < _LEAST_PAIRS:
            return
        spread = _spread(ended_ns, each)
        # The order within a pair is drawn, so errors of pairs neither add up nor cancel.
        in_time = PAIRED_S / (2 * (length_s + EDGES_S))
        yield SpeedWindow(length_s, spread, spread / math.sqrt(in_time), pairs)


def _spread(ended_ns: Ints, each: int) -> float:
    """Return the root mean square difference of neighbours with so many pieces, beside their mean.

    Windows have equal work and not equal time, as slices under closed load have.
    """
    begin_ns = ended_ns[:: max(1, each // _STEPS)]
    steps = each // max(1, each // _STEPS)
    took_ns = (begin_ns[steps:] - begin_ns[:-steps]).astype(np.float64)
    differences = took_ns[steps:] - took_ns[:-steps]
    return float(np.sqrt(np.mean(differences**2)) / took_ns.mean())
