"""Whether a stack was busy: a throughput that the users limit says little of the stack."""

from __future__ import annotations

import math
from collections.abc import Sequence

from harness.analysis import gates
from harness.analysis.figures import RoundFigures
from harness.analysis.resources import core_usages
from harness.models import SERVER_CORES, BlockPlan, Measures, RunRecord, Stack, upstream_s

#: A stack that works all the time uses its core but for moments in which all replies of a burst are on
#: their way (0.94 to 1.06 in the references).
MIN_BUSY = 0.9
#: Working and waiting take at most all of a process's time, if it does one after the other.
_ONE_AT_A_TIME = 1.1
#: Users for each worker process, from which on they ask for several replies of the upstream at once.
_MANY_USERS = 4


def core_share(
    run: RunRecord, block: BlockPlan, stack: Stack, rounds: Sequence[RoundFigures]
) -> float:
    """Share that a stack used of the servers' cores that its workers can fill, under full load.

    A worker process computes on one core at a time, so that one worker that works all the time
    uses 1.0, however many cores there are. C code that runs in threads may use more. At the edges of
    a slice, users have not asked yet or are done; throughput knows nothing of edges, so that short
    slices give the same share as long ones.

    Returns:
        Throughput × CPU time per request ÷ the smaller of the number of workers and of cores, in the mean of
        the rounds (where a core is slow, one is small and the other large, so that the product of their
        means would be more than any round's). NaN where processes are not metered or not pinned, or where
        one of them ended; of starts, which have no throughput; and of own services on several cores,
        whose number of workers nobody told us.
    """
    cores = len(run.placement.servers)
    died = any(measured.cell.died for measured in rounds)
    used = [
        measured.throughput_rps * measured.cpu_us_per_request / 1e6
        for measured in rounds
        if not math.isnan(measured.cpu_us_per_request)
    ]
    if block.counts_starts or died or not (used and cores):
        return math.nan
    if stack.own is not None and cores > 1:
        return math.nan
    filled = min(cores, stack.worker_processes(run.plan.workers, cores))
    return sum(used) / len(used) / filled


def limited_by_users(
    run: RunRecord, block: BlockPlan, stack: Stack, share: float, rounds: Sequence[RoundFigures]
) -> bool:
    """Whether the users, and not the stack itself, limited the throughput of closed load.

    What the host and other programs took of the cores counts as used: the stack could not have it. So
    does the wait for the upstream where each worker process does nothing else meanwhile.

    Args:
        run: plan and journal.
        block: the block that the cell belongs to.
        stack: the cell's stack.
        share: the stack's `core_share`.
        rounds: the cell's rounds.
    """
    if not block.has_throughput or block.scenario.measures is not Measures.REQUESTS:
        return False
    if not share + taken_share(rounds) < MIN_BUSY:  # nan is not less
        return False
    return not _waits_for_one(run, block, stack, share, rounds)


def _waits_for_one(
    run: RunRecord, block: BlockPlan, stack: Stack, share: float, rounds: Sequence[RoundFigures]
) -> bool:
    """Whether each worker process works or waits for the upstream, for one request at a time.

    Where many users ask at once, a process that waits for several at a time has more of its replies on
    their way than one.
    """
    cores = len(run.placement.servers)
    workers = stack.worker_processes(run.plan.workers, cores)
    if "upstream" not in block.scenario.needs or block.load.users < _MANY_USERS * workers:
        return False
    working = share * min(cores, workers) / workers
    wait_s = upstream_s(run.plan.upstream_latency, block.load)
    waiting = _mean_rps(rounds) * wait_s / workers
    return MIN_BUSY <= working + taken_share(rounds) + waiting <= _ONE_AT_A_TIME


def _mean_rps(rounds: Sequence[RoundFigures]) -> float:
    return sum(measured.throughput_rps for measured in rounds) / len(rounds)


def threads_at_a_time(run: RunRecord, stack: Stack) -> int | None:
    """How many requests a stack's threads handle at a time.

    None where no threads bound that, and where their number follows from cores that nobody recorded.
    """
    cores = len(run.placement.servers)
    if not stack.threads or (not cores and "n" in stack.workers):
        return None
    return stack.threads * stack.worker_processes(run.plan.workers, cores)


def taken_share(rounds: Sequence[RoundFigures]) -> float:
    """Share of the servers' cores that the host and other programs took; 0 if nobody can tell."""
    usages = core_usages(rounds, SERVER_CORES)
    return gates.foreign_share(usages) + gates.steal_share(usages)
