"""Open load: how its schedule was kept, and whether the server could keep up with it."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from harness.analysis import gates, queueing
from harness.analysis.figures import RoundFigures
from harness.analysis.percentiles import Pool, quantile_confidence_of
from harness.models import Overload, RunRecord, ScheduleKept


def schedule_kept(
    rounds: Sequence[RoundFigures], run: RunRecord, latency: Pool
) -> ScheduleKept | None:
    """Sum up how the schedule was kept in all rounds of a cell; None under closed load.

    Args:
        rounds: the cell's rounds.
        run: the run that they belong to.
        latency: latencies of these rounds, as they are reported.
    """
    schedules = [measured.schedule for measured in rounds if measured.schedule]
    if not schedules:
        return None
    window_s = sum(schedule.window_s for schedule in schedules)
    lag_ns = np.concatenate([schedule.lag_ns for schedule in schedules])
    lag_ms = np.quantile(lag_ns, [0.5, 0.99]) / 1e6 if len(lag_ns) else [math.nan, math.nan]
    key = rounds[0].cell.key
    offered_rps = sum(schedule.offered for schedule in schedules) / window_s
    cores = max(1, len(run.placement.servers))
    return ScheduleKept(
        offered_rps=offered_rps,
        achieved_rps=sum(schedule.achieved for schedule in schedules) / window_s,
        lag_p50_ms=float(lag_ms[0]),
        lag_p99_ms=float(lag_ms[1]),
        late=sum(schedule.late for schedule in schedules),
        starved=sum(measured.cell.starved for measured in rounds),
        never_sent=sum(schedule.never_sent for schedule in schedules),
        service_ms=Pool([schedule.service_ns for schedule in schedules]).estimates(
            quantile_confidence_of(run.plan, len(rounds))
        ),
        lag_effect_ms=latency.exceeded_by_ms([schedule.with_lag_ns for schedule in schedules]),
        utilisation=float(np.mean([measured.cpu_us_per_request for measured in rounds]))
        / 1e6
        * offered_rps
        / cores,
        settled=all(found.enough_for(key.stack) for found in run.settlings(key.block))
        and all(_had_settled(measured, offered_rps, cores) for measured in rounds),
    )


def _had_settled(measured: RoundFigures, rate_rps: float, cores: int) -> bool:
    """Whether the queue had time to settle, by what the measured slices themselves used.

    The uncounted slice that decided the settling was one moment of a machine that drifts. So less
    than the whole time is no fault, but less than half is: that is the relaxation time where all
    requests take the same.
    """
    service_s = measured.cpu_us_per_request / 1e6 / cores
    if math.isnan(service_s) or not measured.cell.slices:
        return True
    needed_s = queueing.settling_s(service_s, service_s * rate_rps)
    settled_s = min(piece.from_ns - piece.begin_ns for piece in measured.cell.slices) / 1e9
    return needed_s is not None and settled_s >= needed_s / 2


def overload_of(rounds: Sequence[RoundFigures]) -> Overload | None:
    """Find out whether the server could not keep up in all rounds together; None if it could.

    A server that takes long for each reply keeps up if it takes no longer for later requests. One
    that falls further behind is overloaded, and one that never comes to a part of what is due.
    """
    schedules = [measured.schedule for measured in rounds if measured.schedule]
    window_s = sum(schedule.window_s for schedule in schedules)
    if not schedules or not window_s:
        return None
    offered = sum(schedule.offered for schedule in schedules)
    lost = sum(schedule.lost for schedule in schedules)
    slopes = np.concatenate([schedule.slopes for schedule in schedules])
    if gates.kept_up(offered - lost, offered) and not gates.falls_behind(slopes):
        return None
    in_pace = sum(schedule.in_pace for schedule in schedules)
    return Overload(
        answered_rps=in_pace / window_s,
        due_rps=offered / window_s,
        never_sent=sum(schedule.never_sent for schedule in schedules),
        timed_out=sum(schedule.timed_out for schedule in schedules),
    )
