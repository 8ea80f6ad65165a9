"""Gates: when a cell is invalid, and why. Pure functions, each with a figure and a bound.

A gate does not ask whether a result is good. It asks whether the measurement was sound: whether the
servers gave the right answers, whether something other than the servers was measured, and whether
the servers had settled.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt

from harness.analysis import stats
from harness.models import BusyProcess, CoreUsage, GateResult, Kind

#: With more failures than this, the answered requests are no fair sample.
MAX_ERROR_SHARE = 0.001
#: A load process that is busier than this delays the replies that it measures.
MAX_LOAD_BUSY = 0.85
#: Open load: with more lag, the schedule that was kept is another than the one that was drawn. Lag is
#: taken out of latency, so that it moves no reported percentile; but requests that are sent late meet
#: another queue. Reading the clock, taking a connection and a request take 2 to 8 µs.
MAX_LAG_P50_MS = 0.01
MAX_LAG_P99_MS = 1.0
#: Of the median latency: a slow stack's queue does not notice more lag than the two bounds above.
MAX_LAG_SHARE = 0.02
#: A server that comes to less than this share of what is due in the end is overloaded.
MIN_ACHIEVED = 0.99
#: So is one whose answers come later by more than this share of the time that passes: its latency
#: depends on how long the queue was when the slice ended. See docs/METHOD.md for the power.
MIN_GROWTH = 0.01
#: How sure it must be that the queue grows, given how slices differ.
_GROWTH_CONFIDENCE = 0.99
#: Load and services that use more of their cores than this wait for each other.
MAX_SERVICE_CORES_BUSY = 0.95
#: |N − X·R| / N: the share of users that neither waited for a reply nor sent a request, or by which
#: the reported throughput and latency contradict each other.
MAX_LITTLE_GAP = 0.025
#: Share of the users who may be between a reply and their next request: the load process takes 8 to
#: 20 µs for that. It lowers the latency of the others, but not the throughput of a busy server.
MAX_THINKING = 0.05
#: Difference between the first and the second half of a round.
MAX_HALVES_RATIO = 0.05
#: Share of the servers' cores that the measured throughput implies. The bound is above 1 because CPU
#: time includes the requests before and after those that count.
MAX_CORES_GIVEN = 1.05
#: Further share of them that may be chance, where the rounds differ that much.
MAX_CORES_BY_CHANCE = 0.10
#: Share of the requests in flight by which the count of a window may be off: whether those at its edges
#: count, and how far the server has come with them, is chance. Short runs of weather with httpx
#: and httpx2 spread by 6 to 7 % from round to round; this is 1.5 to 4 times as much.
EDGE_SHARE = 0.5
#: Share of the servers' cores that other processes may use. On a quiet virtual machine with two cores,
#: rounds of the profile quick read between -1.6 and 1.7 %, and beside a busy loop between 38 and 53 %.
#: A stack loses about as much throughput as others take, so 5 % is more than the verdicts' noise band.
MAX_FOREIGN_SHARE = 0.05
#: Share of the servers' cores that the host may give to other virtual machines. A little is usual on a
#: shared host (0 to 1.1 % were measured), and slows all stacks alike, because they take turns. From a
#: tenth on, the host decides which slices it hits.
MAX_STEAL_SHARE = 0.1
#: The kernel shows the time of cores in units of 10 ms. So a slice may be off by a unit at each end, and
#: the errors of n slices, which are independent, come to √n times that.
CORE_CLOCK_ERROR_S = 0.02
#: There is no interval with fewer rounds.
MIN_ROUNDS = 2


def errors(
    requests: int, failed: int, kind: Kind, example: str = "", *, what: str = "requests"
) -> GateResult:
    """Judge requests that did not get the promised reply, or starts that failed.

    No request may fail where a reply depends on the server alone. Where it depends on another
    service too, a few may.
    """
    allowed = MAX_ERROR_SHARE if kind in (Kind.IO, Kind.MIXED) else 0.0
    share = failed / requests if requests else 1.0
    figure = f"{failed:,} of {requests:,} {what} failed"
    if example:
        figure += f" ({example})"
    bound = f"at most {allowed:.1%}" if allowed else "none may fail in a scenario without I/O"
    return GateResult("errors", share <= allowed, figure, bound)


def parity(differences: Sequence[str], *, own: bool = False) -> GateResult:
    """Judge whether the stack kept the contract, which is checked before and after each block.

    Args:
        differences: What was found.
        own: Whether it is a scenario of the reader's own, in which the baseline's replies are the
            contract, as far as they say what was done.
    """
    kept, bound = "every checked reply kept the contract", "no difference before or after a block"
    if own:
        kept, bound = "the same status as the baseline", "the same status before and after a block"
    figure = differences[0] if differences else kept
    if len(differences) > 1:
        figure += f" (and {len(differences) - 1} more)"
    return GateResult("parity", not differences, figure, bound)


def alive(died: Sequence[str]) -> GateResult:
    """Judge whether the server's processes lived through all rounds.

    The CPU time of a process is lost when it ends, and its successor starts cold.
    """
    figure = died[0] if died else "no process ended"
    return GateResult("server alive", not died, figure, "none may end while it is measured")


def load_busy(cpu_s: Sequence[float], wall_s: float) -> GateResult:
    """Judge how busy the busiest load process was while it loaded this cell."""
    share = max(cpu_s, default=0.0) / wall_s if wall_s else 0.0
    return GateResult(
        "load process busy",
        share <= MAX_LOAD_BUSY,
        f"the busiest load process used {share:.0%} of its core",
        f"at most {MAX_LOAD_BUSY:.0%}",
        f"try --generators {len(cpu_s) + 1}",
    )


def schedule_lag(
    lag_p50_ms: float,
    lag_p99_ms: float,
    latency_ms: Mapping[str, float],
    effect_ms: Mapping[str, float],
) -> GateResult:
    """Open load: judge how late the generator itself sent requests that were due.

    Args:
        lag_p50_ms: median of the lag, without requests that waited for a free connection.
        lag_p99_ms: 99th percentile of the same.
        latency_ms: percentile -> latency as reported, without the lag.
        effect_ms: percentile -> what the lag would have added to it.
    """
    p50_bound_ms = max(MAX_LAG_P50_MS, MAX_LAG_SHARE * latency_ms["p50"])
    p99_bound_ms = max(MAX_LAG_P99_MS, MAX_LAG_SHARE * latency_ms["p50"])
    if math.isnan(lag_p99_ms):
        figure = "no request was sent without waiting for a connection"
    else:
        figure = f"median {lag_p50_ms:.3f} ms, p99 {lag_p99_ms:.2f} ms"
        shares = {name: effect_ms[name] / latency_ms[name] for name in effect_ms}
        if shares:
            most = max(shares, key=lambda name: shares[name])
            figure += (
                f"; taken out of the latency, it would have added {shares[most]:.1%} to {most}"
            )
    return GateResult(
        "schedule lag",
        lag_p50_ms <= p50_bound_ms and lag_p99_ms <= p99_bound_ms,  # neither is nan
        figure,
        f"median at most {MAX_LAG_P50_MS:g} ms and p99 at most {MAX_LAG_P99_MS:g} ms, or "
        f"{MAX_LAG_SHARE:.0%} of the median latency",
        "see 'twinbench doctor', or try a lower --rate",
    )


def kept_up(achieved: float, offered: float) -> bool:
    """Open load: whether the server came to nearly all requests that were due."""
    return achieved >= MIN_ACHIEVED * offered


def falls_behind(slopes: npt.NDArray[np.float64]) -> bool:
    """Open load: whether the queue grew, beyond the noise of its length.

    Args:
        slopes: seconds by which answers came later, for each second, slice by slice.
    """
    known = slopes[~np.isnan(slopes)]
    if len(known) < 2:
        return False
    return float(known.mean()) > MIN_GROWTH and stats.surely_positive(known, _GROWTH_CONFIDENCE)


def service_cores_busy(cpu_s: Mapping[str, float | None], wall_s: float, cores: int) -> GateResult:
    """Judge how busy the services' cores were while this stack was loaded.

    Args:
        cpu_s: role on these cores -> its CPU seconds; None for a service that can't be metered.
        wall_s: how long the stack was loaded.
        cores: number of these cores.
    """
    known_s = sum(seconds for seconds in cpu_s.values() if seconds is not None)
    share = known_s / (wall_s * cores) if wall_s and cores else 0.0
    figure = f"{share:.0%} of {_cores(cores)}"
    if unknown := [role for role, seconds in cpu_s.items() if seconds is None]:
        figure += f", not counting {' and '.join(unknown)}, which can't be metered"
    return GateResult(
        "service cores busy",
        share <= MAX_SERVICE_CORES_BUSY,
        figure,
        f"at most {MAX_SERVICE_CORES_BUSY:.0%}",
    )


def little(
    users: int, in_flight: float, reported: float, thinking: float, *, users_wait: bool = False
) -> GateResult:
    """Judge Little's law: in closed load, N = X·(R + Z), Z being the think time of the load process.

    It is asked of what was seen, because throughput follows from the number of users, and of what is
    reported, because throughput and latency are to describe the same requests.

    Args:
        users: N.
        in_flight: the average number of requests that were seen in flight.
        reported: X·R, the throughput × the mean latency that are reported.
        thinking: X·Z, the average number of users between a reply and their next request.
        users_wait: whether users are meant to wait between requests, as those of a locustfile are.
    """
    gap = max(abs(users - thinking - known) for known in (in_flight, reported)) / users
    bound = f"at most {MAX_LITTLE_GAP:.1%} off"
    if not users_wait:
        bound += f", and {MAX_THINKING:.0%} between two requests"
    return GateResult(
        "Little's law",
        gap <= MAX_LITTLE_GAP and (users_wait or thinking <= MAX_THINKING * users),
        f"{in_flight:.1f} of {users} users in flight, {reported:.1f} by throughput × latency, and "
        f"{thinking:.2f} between two requests: {gap:.1%} off",
        bound,
    )


def settled(halves: Sequence[float]) -> GateResult:
    """Judge whether the second half of each round was like the first.

    Args:
        halves: per round that has two, second ÷ first half of this stack, divided by the same of the other
            stacks. A machine that slows down meanwhile slows all stacks, and taking turns
            already makes up for that.
    """
    trend = stats.trend(halves, tolerance=MAX_HALVES_RATIO)
    if math.isnan(trend.mean):
        figure = "too few rounds or slices to tell"
    else:
        told = f"{trend.smallest:.0%} or more" if trend.smallest < 1 else "not even a factor of 2"
        figure = (
            f"the second half of a round is {trend.mean:.3f} × the first, compared with the other "
            f"stacks; {told} could be told from noise"
        )
    return GateResult(
        "settled", trend.settled, figure, f"within {MAX_HALVES_RATIO:.0%}, or within its own noise"
    )


def possible(core_shares: Sequence[float], resolution: float) -> GateResult:
    """Judge whether the servers' cores can give the CPU time that the throughput implies.

    If they surely can't, throughput was counted wrongly. Few requests of a short run may have met
    more pauses, or fewer, than the others whose CPU time is known; so the mean may be beyond the
    bound by what the rounds' spread explains. Two rounds may agree by luck, though; so it may also be
    beyond the bound by what so few replies can't resolve.

    Args:
        core_shares: for each round, throughput × CPU time per request ÷ number of the servers' cores.
        resolution: how far the mean may be off, relative, because it was told by few replies.
    """
    mean = sum(core_shares) / len(core_shares)
    spread = stats.half_width(core_shares) if len(core_shares) > 1 else 0.0
    allowed = MAX_CORES_GIVEN + min(spread, MAX_CORES_BY_CHANCE) + resolution
    return GateResult(
        "throughput possible",
        mean <= allowed,
        f"the throughput implies {mean:.0%} of the servers' cores",
        f"at most {allowed:.0%}",
        "try a longer --slice",
    )


def foreign_load(
    usages: Sequence[CoreUsage], *, cores: int, slices: int, busiest: Sequence[BusyProcess] = ()
) -> GateResult:
    """Judge how much of the servers' cores processes used that are not ours.

    Args:
        usages: what the servers' cores did, round by round.
        cores: number of the servers' cores.
        slices: number of slices in all these rounds, which decides how exact the figure is.
        busiest: processes of others, to name the busiest.
    """
    share, allowed = foreign_share(usages), MAX_FOREIGN_SHARE + clock_error(usages, slices)
    figure = f"other processes used {share:.0%} of {_servers_cores(cores)} while it was measured"
    if share > allowed:
        first = max(busiest, key=lambda process: process.core_share, default=None)
        figure += (
            f" (the busiest: {first.name}, pid {first.pid})"
            if first
            else " (none that can be seen from here ran all the time)"
        )
    return GateResult(
        "foreign load",
        share <= allowed,
        figure,
        f"at most {allowed:.0%}",
        "end what else runs on this machine, see 'twinbench doctor'",
    )


def steal_time(usages: Sequence[CoreUsage], *, cores: int, slices: int) -> GateResult:
    """Judge how much of the servers' cores the host gave to other virtual machines.

    Args:
        usages: what the servers' cores did, round by round.
        cores: number of the servers' cores.
        slices: number of slices in all these rounds, which decides how exact the figure is.
    """
    share, allowed = steal_share(usages), MAX_STEAL_SHARE + clock_error(usages, slices)
    return GateResult(
        "steal time",
        share <= allowed,
        f"the host gave {share:.0%} of {_servers_cores(cores)} to other virtual machines",
        f"at most {allowed:.0%}",
        "measure at a quieter hour, or on a machine with cores of its own",
    )


def foreign_share(usages: Sequence[CoreUsage]) -> float:
    """Share of some cores that processes of others used, over all rounds.

    Rounds are added up before a negative difference is taken for zero: the clocks' errors cancel
    only in a sum of both signs.
    """
    available_s = sum(usage.available_s for usage in usages)
    foreign_s = sum(usage.busy_s - usage.own_s for usage in usages)
    return max(0.0, foreign_s / available_s) if available_s else 0.0


def steal_share(usages: Sequence[CoreUsage]) -> float:
    """Share of some cores that the host gave to other virtual machines, over all rounds."""
    available_s = sum(usage.available_s for usage in usages)
    return sum(usage.steal_s for usage in usages) / available_s if available_s else 0.0


def clock_error(usages: Sequence[CoreUsage], slices: int) -> float:
    """What the coarse clocks of cores may add to a share: much of a short run, little of a long one."""
    available_s = sum(usage.available_s for usage in usages)
    return CORE_CLOCK_ERROR_S * math.sqrt(slices) / available_s if available_s else 0.0


def rounds(count: int) -> GateResult:
    """Judge how many rounds were finished."""
    return GateResult("rounds", count >= MIN_ROUNDS, f"{count} measured", f"at least {MIN_ROUNDS}")


def _servers_cores(count: int) -> str:
    return "the servers' core" if count == 1 else "the servers' cores"


def _cores(count: int) -> str:
    return f"{count} core{'s' if count != 1 else ''}"
