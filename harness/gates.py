"""When a cell is invalid, and says so: pure functions, each with its figure and its bound.

A gate does not ask whether a result is nice, only whether the measurement was one: that the
servers answered rightly, that the load side was not what was measured, that things had settled.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from harness import stats
from harness.models import GateResult, Kind

#: More failures than this and the requests that were answered are no fair sample.
MAX_ERROR_SHARE = 0.001
#: Above this a load process delays the replies that it measures.
MAX_LOAD_BUSY = 0.85
#: Open load: how far the generator's own lag may move a percentile that is reported. It must stay
#: below what a comparison calls noise (±3 %), so that lag alone never makes a difference.
MAX_LAG_EFFECT_SHARE = 0.02
#: A smaller effect is never too much. Reading the clock, taking a connection and a request take 2
#: to 8 µs, which is more than 2 % only where a server answers within half a millisecond.
MAX_LAG_EFFECT_MS = 0.01
#: A server that answers less than this share of what is due is overloaded: its latency depends on
#: how long the queue was when the slice ended.
MIN_ACHIEVED = 0.99
#: The cores of load and services together: beyond, they wait for each other.
MAX_SERVICE_CORES_BUSY = 0.95
#: |N − X·R| / N: users that were neither waiting for a reply nor sending.
MAX_LITTLE_GAP = 0.05
#: First against second half of the rounds.
MAX_HALVES_RATIO = 0.05
#: CPU time that the servers' cores gave. Over 1, since the slices' edges are in the CPU time and not
#: in the throughput: in short runs they differ by up to 7 %.
MAX_CORES_GIVEN = 1.15
#: Below this there is no interval at all.
MIN_ROUNDS = 2


def errors(
    requests: int, failed: int, kind: Kind, example: str = "", *, what: str = "requests"
) -> GateResult:
    """Requests that did not get the promised reply, or starts that came to nothing.

    Where a reply depends on nothing but the server itself, none may fail. Where it takes another
    service, now and then one may.
    """
    allowed = MAX_ERROR_SHARE if kind in (Kind.IO, Kind.MIXED) else 0.0
    share = failed / requests if requests else 1.0
    figure = f"{failed:,} of {requests:,} {what} failed"
    if example:
        figure += f" ({example})"
    bound = f"at most {allowed:.1%}" if allowed else "none in a scenario without I/O"
    return GateResult("errors", share <= allowed, figure, bound)


def parity(differences: Sequence[str]) -> GateResult:
    """Whether the stack kept the contract, asked before and after each block of slices."""
    figure = differences[0] if differences else "every reply as promised"
    if len(differences) > 1:
        figure += f" (and {len(differences) - 1} more)"
    return GateResult("parity", not differences, figure, "no difference before or after")


def alive(died: Sequence[str]) -> GateResult:
    """Whether the server's processes lived through all rounds.

    A process that ends takes its CPU time with it, and its successor begins cold.
    """
    figure = died[0] if died else "no process ended"
    return GateResult("server alive", not died, figure, "none may end while it is measured")


def load_busy(cpu_s: Sequence[float], wall_s: float) -> GateResult:
    """CPU of the busiest load process while it loaded this cell."""
    share = max(cpu_s, default=0.0) / wall_s if wall_s else 0.0
    return GateResult(
        "load process busy",
        share <= MAX_LOAD_BUSY,
        f"{share:.0%} of its core",
        f"at most {MAX_LOAD_BUSY:.0%}: try --generators {len(cpu_s) + 1}",
    )


def schedule_lag(
    latency_ms: Mapping[str, float], effect_ms: Mapping[str, float], lag_p99_ms: float
) -> GateResult:
    """Open load: by how much the generator's own lag moves each percentile that is reported.

    Args:
        latency_ms: percentile -> latency from the intended start, as reported.
        effect_ms: percentile -> how much of that the generator's lag accounts for.
        lag_p99_ms: 99th percentile of the lag itself, which is reported beside it.
    """

    def share(name: str) -> float:
        clean_ms = latency_ms[name] - effect_ms[name]
        return effect_ms[name] / clean_ms if clean_ms > 0 else math.inf

    def too_much(name: str) -> bool:
        return not (effect_ms[name] <= MAX_LAG_EFFECT_MS or share(name) <= MAX_LAG_EFFECT_SHARE)

    if not effect_ms or math.isnan(lag_p99_ms):
        figure = "no request was sent"
    else:
        shown = [name for name in effect_ms if too_much(name)] or [max(effect_ms, key=share)]
        moved = " and ".join(
            f"{name} by {effect_ms[name]:.3f} ms ({share(name):.1%})" for name in shown
        )
        figure = f"moves {moved}; its own p99 is {lag_p99_ms:.2f} ms"
    return GateResult(
        "schedule lag",
        not math.isnan(lag_p99_ms) and bool(effect_ms) and not any(map(too_much, effect_ms)),
        figure,
        f"at most {MAX_LAG_EFFECT_SHARE:.0%} or {MAX_LAG_EFFECT_MS:g} ms of any percentile",
    )


def kept_up(achieved: float, offered: float) -> bool:
    """Open load: whether the server answered nearly all that was due in the same time."""
    return achieved >= MIN_ACHIEVED * offered


def service_cores_busy(cpu_s: Mapping[str, float | None], wall_s: float, cores: int) -> GateResult:
    """CPU of what is on the services' cores while this stack had its turns.

    Args:
        cpu_s: who is there -> CPU seconds; None for a service that can't be metered.
        wall_s: how long the turns were.
        cores: how many there are.
    """
    known_s = sum(seconds for seconds in cpu_s.values() if seconds is not None)
    share = known_s / (wall_s * cores) if wall_s and cores else 0.0
    figure = f"{share:.0%} of {cores} core{'s' if cores != 1 else ''}"
    if unknown := [who for who, seconds in cpu_s.items() if seconds is None]:
        figure += f", {' and '.join(unknown)} not known"
    return GateResult(
        "service cores busy",
        share <= MAX_SERVICE_CORES_BUSY,
        figure,
        f"at most {MAX_SERVICE_CORES_BUSY:.0%}",
    )


def little(users: int, in_flight: float) -> GateResult:
    """Little's law: in closed load, all users are in flight all the time (N = X·R).

    Args:
        users: N.
        in_flight: X·R, which is the average number of requests in flight.
    """
    gap = abs(users - in_flight) / users
    return GateResult(
        "Little's law",
        gap <= MAX_LITTLE_GAP,
        f"{in_flight:.1f} of {users} users in flight, {gap:.1%} off",
        f"at most {MAX_LITTLE_GAP:.0%}",
    )


def settled(halves: Sequence[float]) -> GateResult:
    """Second ÷ first half of each round's throughput, beside the same of the other stacks.

    Beside the others, since a machine that slows down in the meantime slows all of them, and
    taking turns has taken care of that.
    """
    ok, mean = stats.settled(halves, tolerance=MAX_HALVES_RATIO)
    figure = (
        "too few rounds to say"
        if math.isnan(mean)
        else f"second ÷ first half {mean:.3f} beside the others"
    )
    return GateResult("settled", ok, figure, f"within {MAX_HALVES_RATIO:.0%} or its noise")


def possible(throughput_rps: float, cpu_s_per_request: float, cores: int) -> GateResult:
    """Throughput times CPU time per request: no more than the servers' cores can give.

    More than that, and throughput was counted wrongly: in slices too short for the latency.
    """
    busy = throughput_rps * cpu_s_per_request
    return GateResult(
        "throughput possible",
        not cores or busy <= cores * MAX_CORES_GIVEN,
        f"needs {busy:.2f} of {cores} core{'s' if cores != 1 else ''}",
        f"at most {MAX_CORES_GIVEN:.0%}: try a longer --slice",
    )


def rounds(count: int) -> GateResult:
    """How many rounds were finished."""
    return GateResult("rounds", count >= MIN_ROUNDS, f"{count} measured", f"at least {MIN_ROUNDS}")
