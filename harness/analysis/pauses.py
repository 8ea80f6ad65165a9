"""Finds pauses: times in which all users of a stack wait at once, much longer than usual.

Under closed load every user has a request in flight until the slice drains, so a time without any
reply is a time in which nobody got on. A full pass of a garbage collector is such a time; so is a lock that every request
needs. Only the times of replies are used, and pauses are counted per reply, so that it does not
matter how long the slices are.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from harness.models import Failure, Pauses, Samples

#: Replies often come in bursts: the usual wait is the longest of so many consecutive waits, in the
#: median. A pause must be rarer than that to be seen, and dear requests more frequent not to look
#: like one: requests of which there are at least one in thirty are in most groups.
WAITS_IN_A_GROUP = 20
#: Pauses up to so many times the median of a kind of request may be such requests.
_TIMES_DEAR = 2.0
#: A pause is so many times as long as what is usual. The longest of a group of exponential waits is
#: 3.4 × their mean, and only one in 5,000 waits is 2.5 × that.
MIN_TIMES_USUAL = 2.5
#: Shorter waits are what schedulers and hosts do to every process now and then.
MIN_WAIT_NS = 15_000_000
#: Pauses are a trait of the stack if they come back in more than half of the rounds, and take at
#: least this share of its time, beside what others took. Fewer may be the machine's.
MIN_RECURRING = 3
MIN_TIME_SHARE = 0.01


@dataclass(frozen=True, slots=True)
class Waits:
    """How long all users waited for a stack's next reply, over a round's slices.

    Arrays have an element for each reply. While a slice drains, fewer users wait from reply to
    reply; the last one, who waits alone, is left out.
    """

    wait_ns: npt.NDArray[np.int64]  # since the reply before, or since the slice's first request
    is_first: npt.NDArray[np.bool_]  # whether it is the first of its slice


def waits(samples: Samples, users: int) -> Waits:
    """Find how long users waited for each reply of a cell in a round of closed load."""
    sent = samples.failure != Failure.NEVER_SENT
    starts_ns = np.sort(samples.start_ns[sent])
    all_ends_ns = np.sort((samples.intended_ns + samples.latency_ns)[sent])
    answered = sent & (samples.failure != Failure.TIMEOUT)
    slices = samples.slice[answered]
    ends_ns = (samples.intended_ns + samples.latency_ns)[answered]
    order = np.lexsort((ends_ns, slices))
    slices, ends_ns = slices[order], ends_ns[order]
    begins_ns = np.full(int(samples.slice.max(initial=-1)) + 1, np.iinfo(np.int64).max)
    np.minimum.at(begins_ns, samples.slice[sent], samples.start_ns[sent])
    is_first = np.ones(len(slices), dtype=np.bool_)
    is_first[1:] = slices[1:] != slices[:-1]
    before_ns = np.where(is_first, begins_ns[slices], np.roll(ends_ns, 1))
    # A stack's slices don't overlap, so that all their requests can be counted at once.
    in_flight = np.searchsorted(starts_ns, ends_ns) - np.searchsorted(all_ends_ns, ends_ns)
    # A pause while a slice drains counts as any other: without them, short slices, much of which is
    # draining, would find another rate for pauses that come after a fixed number of requests.
    kept = in_flight >= min(2, users)
    return Waits((ends_ns - before_ns)[kept], is_first[kept])


def pauses(rounds: Sequence[Waits], taken: float = 0.0) -> Pauses | None:
    """Find the pauses of a cell, and count and size them; None if nothing is known.

    A pause is longer than `MIN_TIMES_USUAL` × what is usual, and than `MIN_WAIT_NS`. Usual is what
    all users wait at most in `WAITS_IN_A_GROUP` consecutive waits, in the median, or the time until
    a slice's first reply, if that is longer: users who wait for another service in step all wait at
    once, but no longer than a request takes when a stack begins with it. The duration of a pause is
    what its wait has beyond the usual.

    Args:
        rounds: the waits of each round.
        taken: share of the servers' cores that the host and other programs took, which may have
            made pauses of this share of the time.
    """
    wait_ns = np.concatenate([of_round.wait_ns for of_round in rounds] or [np.empty(0, np.int64)])
    if not len(wait_ns):
        return None
    is_first = np.concatenate([of_round.is_first for of_round in rounds])
    round_of = np.repeat(np.arange(len(rounds)), [len(of_round.wait_ns) for of_round in rounds])
    usual_first_ns = float(np.median(wait_ns[is_first])) if is_first.any() else 0.0
    usual_ns = _usual(wait_ns[~is_first])
    bound_ns = max(MIN_WAIT_NS, MIN_TIMES_USUAL * max(usual_first_ns, usual_ns))
    found = wait_ns > bound_ns
    beyond_ns = (wait_ns - np.where(is_first, usual_first_ns, usual_ns))[found]
    rounds_with = len(np.unique(round_of[found]))
    time_share = float(beyond_ns.sum() / wait_ns.sum())
    return Pauses(
        count=len(beyond_ns),
        requests=len(wait_ns),
        p50_ms=float(np.median(beyond_ns)) / 1e6 if len(beyond_ns) else math.nan,
        longest_ms=float(beyond_ns.max()) / 1e6 if len(beyond_ns) else math.nan,
        time_share=time_share,
        recurring=len(beyond_ns) >= MIN_RECURRING
        and 2 * rounds_with > len(rounds)
        and time_share >= MIN_TIME_SHARE + taken,
    )


def _usual(wait_ns: npt.NDArray[np.int64]) -> float:
    """Median of the longest waits of groups; of few waits, the longest."""
    groups = len(wait_ns) // WAITS_IN_A_GROUP
    if not groups:
        return float(wait_ns.max(initial=0))
    longest = wait_ns[: groups * WAITS_IN_A_GROUP].reshape(groups, WAITS_IN_A_GROUP).max(axis=1)
    return float(np.median(longest))


def unless_dear(found: Pauses | None, kinds_ms: Sequence[float]) -> Pauses | None:
    """The same pauses; not the stack's own if one kind of request takes about as long anyway.

    Where a few users hash passwords beside quick requests, now and then all of them do so at once.

    Args:
        found: The pauses of a cell.
        kinds_ms: Median latency of each kind of request, where there are several.
    """
    if found is None or not any(found.p50_ms <= _TIMES_DEAR * kind_ms for kind_ms in kinds_ms):
        return found
    return replace(found, recurring=False)
