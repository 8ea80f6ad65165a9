"""Answers a question about a traffic from measured loads: pure functions, and no extrapolation.

The time that a stack takes for a request, 1 ÷ throughput, is interpolated linearly over what each
request does, and so is its latency: both are sums of waiting, looking up and computing. Where
something else becomes the bottleneck, both bend upwards, so that a straight line says too much time
rather than too little. Over the number of users, both are straight in logarithms: of throughput,
slope 1 while users wait and 0 once the stack is busy.
"""

from __future__ import annotations

import dataclasses
import itertools
import math
import operator
from collections.abc import Iterable, Iterator, Mapping, Sequence
from statistics import median

import numpy as np

from harness.analysis.cost import containers, price_per_hour
from harness.models import (
    Advice,
    Analysis,
    AtUsers,
    BlockPlan,
    ConnectionsAnalysis,
    Estimate,
    Held,
    HeldNeed,
    LeftOut,
    Measures,
    Need,
    Outcome,
    Point,
    Prediction,
    Question,
    RunRecord,
    Stack,
    StackChange,
)

#: The scenario whose loads say what each request does.
SCENARIO = "dashboard"
#: What a request does, each a direction in which loads differ; users are another one.
ASKED = ("io_ms", "queries", "work")
#: A throughput that grows with at least this power of the users is not at its top yet.
_STILL_GROWS = 0.1
#: Share of the cells left out that an interval has to contain.
_QUANTILE = 0.975
_UNKNOWN = Estimate(math.nan, math.nan, math.nan)

Place = tuple[float, ...]  # io_ms, queries, work


def is_grid(run: RunRecord) -> bool:
    """Whether a finished run has loads that say what each request does."""
    return run.ended is not None and any(map(_is_point, run.blocks))


def reaches(run: RunRecord, question: Question) -> bool:
    """Whether a question lies between the loads of a run, as far as that is known before it is analysed."""
    loads = [block.load for block in run.blocks if _is_point(block)]

    def holds(axis: str, value: float) -> bool:
        values = [float(getattr(load, axis)) for load in loads]
        return min(values) <= value <= max(values)

    work = {load.work for load in loads}
    return (
        holds("io_ms", question.io_ms)
        and holds("queries", question.queries)
        and (len(work) > 1 if question.cpu_ms else 0 in work)
    )


def advise(
    analysis: Analysis,
    question: Question,
    *,
    run: str,
    other_machine: bool = False,
    connections: ConnectionsAnalysis | None = None,
    held_run: str = "",
) -> Advice:
    """Answer a question from a run that `is_grid` of.

    Args:
        analysis: of the run.
        question: what has to be served, and how.
        run: where it is, for the answer to name.
        other_machine: whether it was measured elsewhere.
        connections: what connections take that are held, if that was measured.
        held_run: where that is.
    """
    stacks = {stack.label: stack for stack in analysis.run.plan.stacks}
    found = points(analysis)
    axes = {
        axis: tuple(sorted({float(getattr(point, axis)) for point in found}))
        for axis in ("users", *ASKED)
    }
    unit = unit_us(found)
    units = _units(question.cpu_ms, unit)
    promised = [bound.percentile for bound in question.slo.latency]
    errors = tuple(left_out(found, promised))
    place = (question.io_ms, float(question.queries), units.value)
    between = tuple(
        axis
        for axis, value in zip(ASKED, place, strict=True)
        if math.isfinite(value) and value not in axes[axis]
    )
    predictions = [
        _prediction(
            analysis.run, stack, [point for point in found if point.stack == label],
            question, units, [each for each in errors if each.axis in ("users", *between)],
        )
        for label, stack in stacks.items()
        if any(point.stack == label for point in found)
    ]  # fmt: skip
    if question.connections is not None:
        predictions = [
            dataclasses.replace(each, held=_held(each, question.connections, connections))
            for each in predictions
        ]
    baseline = question.baseline or predictions[0].stack
    return Advice(
        question=dataclasses.replace(question, baseline=baseline),
        scenario=SCENARIO,
        run=run,
        other_machine=other_machine,
        axes=axes,
        unit_us=unit,
        work=units.value,
        between=between,
        predictions=tuple(predictions),
        left_out=errors,
        changes=_changes(baseline, predictions, stacks),
        has_noise=all(
            math.isfinite(point.throughput_rps.low) for point in found if not point.reason
        ),
        held_run=held_run if connections else "",
    )


def points(analysis: Analysis) -> list[Point]:
    """The cells whose loads say what each request does."""
    loads = {block.key: block.load for block in analysis.run.blocks if _is_point(block)}
    return [
        Point(
            stack=cell.stack,
            users=load.users,
            io_ms=load.io_ms or 0.0,
            queries=load.queries or 0,
            work=load.work or 0,
            throughput_rps=cell.throughput_rps,
            latency_ms=cell.latency_ms,
            error_share=cell.errors / max(1, cell.requests),
            cpu_us=cell.cpu_us_per_request.value,
            pss_mib=cell.pss_mib,
            reason=", ".join(gate.gate for gate in cell.gates if not gate.passed),
        )
        for cell in analysis.cells
        if (load := loads.get(cell.key.block))
    ]


def _is_point(block: BlockPlan) -> bool:
    return (
        block.scenario.name == SCENARIO
        and block.scenario.measures is Measures.REQUESTS
        and not block.load.is_open
        and None not in (block.load.io_ms, block.load.queries, block.load.work)
    )


# ------------------------------------------------------------------------- CPU work


def unit_us(found: Sequence[Point]) -> Estimate:
    """CPU time of a unit of work on the machine that was measured.

    Cells that differ in nothing but their work differ in the CPU time of that work. Each stack has the
    median over its cells, between the least and the most work.

    Returns:
        The stacks' median, and the least and largest of them; NaN if no stack has two values of work.
    """
    of_stacks: dict[str, list[float]] = {}
    for line in _lines(found, "work"):
        least, most = line[0], line[-1]
        slope = (most.cpu_us - least.cpu_us) / (most.work - least.work)
        if slope > 0:  # nan is not
            of_stacks.setdefault(least.stack, []).append(slope)
    if not of_stacks:
        return _UNKNOWN
    medians = [median(slopes) for slopes in of_stacks.values()]
    return Estimate(median(medians), min(medians), max(medians))


def _units(cpu_ms: float, unit: Estimate) -> Estimate:
    """Units of work that take so long; the limits follow from those of a unit's time."""
    if cpu_ms == 0:
        return Estimate(0.0, 0.0, 0.0)
    return Estimate(*(1000 * cpu_ms / each for each in (unit.value, unit.high, unit.low)))


# -------------------------------------------------------------------- interpolation


def levels(
    of_stack: Sequence[Point], place: Place, question: Question
) -> tuple[list[AtUsers], str]:
    """What a stack would do at a place, for each measured number of users.

    Returns:
        The levels, rising; and why there are none, or why some are missing.
    """
    reasons = []
    made = []
    for users in sorted({point.users for point in of_stack}):
        here: dict[Place, Point] = {
            (point.io_ms, float(point.queries), float(point.work)): point
            for point in of_stack
            if point.users == users
        }
        level = _level(users, here, place, question)
        if isinstance(level, AtUsers):
            made.append(level)
        else:
            reasons.append(level)
    return made, "; ".join(dict.fromkeys(reasons))


def _level(
    users: int, here: Mapping[Place, Point], place: Place, question: Question
) -> AtUsers | str:
    shares = []
    for number, (axis, value) in enumerate(zip(ASKED, place, strict=True)):
        values = sorted({at[number] for at in here})
        found = _shares(values, value)
        if not found:
            return _out_of_reach(axis, values, value)
        shares.append(found)
    corners: list[tuple[Point, float]] = []
    for corner in itertools.product(*shares):
        at = tuple(value for value, _ in corner)
        if at not in here:
            return f"with {_users(users)}, not every combination around it was measured"
        if here[at].reason:
            return f"with {_users(users)}, a measurement around it is invalid ({here[at].reason})"
        corners.append((here[at], math.prod(share for _, share in corner)))
    bound = question.slo.errors_below
    breaks = bound is not None and any(point.error_share >= bound for point, _ in corners)
    latency, above, below = {}, {}, {}
    for promised in question.slo.latency:
        name = promised.percentile
        of_corners = [point.latency_ms[name] for point, _ in corners]
        value = sum(
            share * each.value for each, (_, share) in zip(of_corners, corners, strict=True)
        )
        if math.isnan(value):
            return f"with {_users(users)}, too few requests were measured for {name}"
        latency[name] = math.inf if breaks else value
        parts = [share * each.value for each, (_, share) in zip(of_corners, corners, strict=True)]
        above[name] = mixed_noise(map(_above, of_corners), parts)
        below[name] = mixed_noise(map(_below, of_corners), parts)
    if breaks and not latency:
        return f"with {_users(users)}, more requests failed than promised"
    seconds = sum(share / point.throughput_rps.value for point, share in corners)
    return AtUsers(
        users=users,
        throughput_rps=1 / seconds,
        throughput_noise=mixed_noise(
            [_above(point.throughput_rps) for point, _ in corners],
            [share / point.throughput_rps.value for point, share in corners],
        ),
        latency_ms=latency,
        latency_above=above,
        latency_below=below,
        pss_mib=max(point.pss_mib for point, _ in corners),
    )


def _shares(values: Sequence[float], value: float) -> list[tuple[float, float]]:
    """The measured values on both sides of a value, with their weights; empty outside of them."""
    if value in values:
        return [(value, 1.0)]
    for low, high in itertools.pairwise(values):
        if low < value < high:
            share = (value - low) / (high - low)
            return [(low, 1 - share), (high, share)]
    return []


def mixed_noise(halves: Iterable[float], parts: Sequence[float]) -> float:
    """Half the width of an interval, as a logarithm; the corners may all be off the same way.

    Args:
        halves: the same of each corner.
        parts: what each corner adds to the sum that is predicted.
    """
    whole = sum(parts)
    return sum(map(operator.mul, parts, halves)) / whole if whole > 0 else 0.0


def _above(estimate: Estimate) -> float:
    """From a value to the upper end of its interval, as a logarithm; 0 where there is none."""
    is_known = math.isfinite(estimate.high) and estimate.high >= estimate.value > 0
    return math.log(estimate.high / estimate.value) if is_known else 0.0


def _below(estimate: Estimate) -> float:
    """From the lower end of its interval to a value."""
    is_known = math.isfinite(estimate.value) and estimate.value >= estimate.low > 0
    return math.log(estimate.value / estimate.low) if is_known else 0.0


def _out_of_reach(axis: str, values: Sequence[float], value: float) -> str:
    name = {"io_ms": "the upstream's latency", "queries": "queries", "work": "CPU work"}[axis]
    unit = {"io_ms": " ms", "queries": "", "work": " units"}[axis]
    if math.isnan(value):
        return "the CPU time of a unit of work is unknown: two values of work are needed for it"
    measured = (
        f"at {values[0]:g}{unit} only"
        if len(values) == 1
        else f"from {values[0]:g} to {values[-1]:g}{unit}"
    )
    return f"{name} was measured {measured}, not at {value:.4g}{unit}".replace(
        "queries was", "queries were"
    )


def _users(users: int) -> str:
    return f"{users:,} user{'' if users == 1 else 's'}"


# ------------------------------------------------------------------ sustainable rate


@dataclasses.dataclass(frozen=True, slots=True)
class _Kept:
    """The largest throughput at which a promise is kept; no users if it never is."""

    rate_rps: float
    users: float
    at_end: bool  # whether that is at the largest number of users, and still growing


_NEVER = _Kept(0.0, math.nan, at_end=False)


def sustained(found: Sequence[AtUsers], question: Question) -> _Kept:
    """The largest throughput at which the promise is kept, over the numbers of users measured."""
    bounds = question.slo.latency
    excess = [
        [math.log(level.latency_ms[bound.percentile] / bound.below_ms) for bound in bounds]
        for level in found
    ]
    where = [(math.log(level.throughput_rps), math.log(level.users)) for level in found]
    kept = [
        place for place, over in zip(where, excess, strict=True) if all(each < 0 for each in over)
    ]
    for (here, over), (there, over_there) in itertools.pairwise(zip(where, excess, strict=True)):
        for share in _ends(over, over_there):
            kept.append(
                (here[0] + share * (there[0] - here[0]), here[1] + share * (there[1] - here[1]))
            )
    if not kept:
        return _NEVER
    log_rate, log_users = max(kept)
    at_end = log_users >= where[-1][1] - 1e-9
    if at_end and len(where) > 1:
        (before, users_before), (last, users_last) = where[-2:]
        at_end = (last - before) / (users_last - users_before) >= _STILL_GROWS
    return _Kept(math.exp(log_rate), math.exp(log_users), at_end)


def _ends(over: Sequence[float], over_there: Sequence[float]) -> Iterator[float]:
    """Where, between two numbers of users, every bound is kept: both ends, as shares of the way."""
    low, high = 0.0, 1.0
    for here, there in zip(over, over_there, strict=True):
        if here >= 0 and there >= 0:
            return
        if here < 0 and there < 0:
            continue
        if math.isinf(here) or math.isinf(there):
            return  # nothing is known of the way, and the kept end stands for itself
        crossing = here / (here - there)
        if here < 0:
            high = min(high, crossing)
        else:
            low = max(low, crossing)
    if low <= high:
        yield low
        yield high


def _limit(
    found: Sequence[AtUsers], errors: Sequence[LeftOut], question: Question, *, is_worse: bool
) -> _Kept:
    """The lower or the upper limit of the rate.

    Between two numbers of users, the limit is what the error of prediction says, but not beyond what
    both of them served: the last that keeps the promise, and the first that breaks it.
    """
    asked = _shifted(found, [each for each in errors if each.axis != "users"], is_worse=is_worse)
    kept = sustained(_shifted(found, errors, is_worse=is_worse), question)
    keeps = [bool(sustained([level], question).rate_rps) for level in asked]
    if is_worse:
        least = max(
            (level.throughput_rps for level, keeping in zip(asked, keeps, strict=True) if keeping),
            default=0.0,
        )
        return dataclasses.replace(kept, rate_rps=max(kept.rate_rps, least))
    reached = [
        level.throughput_rps
        for level, keeping, before in zip(asked, keeps, [False, *keeps], strict=False)
        if keeping or before
    ]
    if not reached:  # broken with the fewest users, but for the error of prediction over users
        return _NEVER
    return _Kept(
        min(max(reached), kept.rate_rps) if kept.rate_rps else max(reached),
        kept.users,
        at_end=sustained(asked, question).at_end,
    )


def _shifted(
    found: Sequence[AtUsers], errors: Sequence[LeftOut], *, is_worse: bool
) -> list[AtUsers]:
    """Levels at the bad or at the good end of their intervals."""
    less = _together(each.throughput_over if is_worse else each.throughput_under for each in errors)
    slower = _together(each.latency_under if is_worse else each.latency_over for each in errors)
    sign = -1 if is_worse else 1
    return [
        dataclasses.replace(
            level,
            throughput_rps=level.throughput_rps
            * math.exp(sign * _together((level.throughput_noise, less))),
            latency_ms={
                name: value * math.exp(-sign * _together((noise[name], slower)))
                for name, value in level.latency_ms.items()
            },
        )
        for level in found
        for noise in [level.latency_above if is_worse else level.latency_below]
    ]


def _together(errors: Iterable[float]) -> float:
    """Independent errors: the root of the sum of their squares; nan counts as none."""
    return math.sqrt(sum(each**2 for each in errors if not math.isnan(each)))


def _prediction(
    run: RunRecord,
    stack: Stack,
    of_stack: Sequence[Point],
    question: Question,
    units: Estimate,
    errors: Sequence[LeftOut],
) -> Prediction:
    def at(work: float) -> tuple[list[AtUsers], str]:
        return levels(of_stack, (question.io_ms, float(question.queries), work), question)

    def inside(work: float) -> float:
        measured = [point.work for point in of_stack]
        return min(max(work, min(measured)), max(measured))

    found, reason = at(units.value)
    cores = max(1, len(run.placement.servers))
    workers = stack.worker_processes(run.plan.workers, cores)
    made = Prediction(
        stack=stack.label,
        twin=stack.twin,
        outcome=Outcome.UNKNOWN,
        rate_rps=_UNKNOWN,
        at_users=math.nan,
        is_least=False,
        levels=tuple(found),
        workers=workers,
        cores=min(cores, workers),
        pss_mib=max((level.pss_mib for level in found), default=math.nan),
        need=Need(None, 1, None, None, math.nan, math.nan),
        reason=reason,
    )
    if not found:
        return made
    kept = sustained(found, question)
    worst = _limit(at(inside(units.high))[0], errors, question, is_worse=True)
    best = _limit(at(inside(units.low))[0], errors, question, is_worse=False)
    few = found[0].users
    if not kept.rate_rps and not best.rate_rps and few > 1:
        return dataclasses.replace(
            made, reason=f"the promise is broken with {_users(few)} already, the fewest measured"
        )
    # Without any, interpolated work or users could put the value a hair outside its own limits.
    low = min(worst.rate_rps, kept.rate_rps)
    high = math.inf if kept.at_end or best.at_end else max(best.rate_rps, kept.rate_rps)
    outcome = Outcome.KEEPS if low > 0 else Outcome.UNSURE if high > 0 else Outcome.FAILS
    rate = Estimate(kept.rate_rps, low, high)
    return dataclasses.replace(
        made,
        outcome=outcome,
        rate_rps=rate,
        at_users=kept.users,
        is_least=kept.at_end,
        need=_need(made, rate, question),
        reason="the promise is broken with 1 user already" if outcome is Outcome.FAILS else reason,
    )


def _need(made: Prediction, rate: Estimate, question: Question) -> Need:
    fewest = 1 if math.isinf(rate.high) or not rate.high else containers(rate.high, question.demand)
    most = containers(rate.low, question.demand) if rate.low else None
    if not rate.value:
        return Need(None, fewest, most, None, math.nan, math.nan)
    count = containers(rate.value, question.demand)
    return Need(
        containers=count,
        fewest=fewest,
        most=most,
        workers=count * made.workers,
        memory_mib=count * made.pss_mib,
        hour=count * price_per_hour(made.cores, made.pss_mib, question.prices),
    )


# ------------------------------------------------------------------------ leave one out


def left_out(found: Sequence[Point], promised: Sequence[str]) -> Iterator[LeftOut]:
    """How wrong predictions are, axis by axis.

    Each cell that lies between two others on an axis is predicted from these two. That doubles the gap
    that is bridged, so that errors rather come out too large.

    Args:
        found: what was measured.
        promised: percentiles of the latency that are looked at.
    """
    for axis in ("users", *ASKED):
        rates: list[float] = []
        latencies: list[float] = []
        for line in _lines(found, axis):
            for low, middle, high in zip(line, line[1:], line[2:], strict=False):
                share, is_log = _way(axis, low, middle, high)
                seconds = [1 / each.throughput_rps.value for each in (low, middle, high)]
                rates.append(-_missed(seconds, share, is_log=is_log))
                for name in promised:
                    values = [each.latency_ms[name].value for each in (low, middle, high)]
                    if all(value > 0 for value in values):  # nan is not
                        latencies.append(_missed(values, share, is_log=is_log))
        if rates:
            yield LeftOut(axis, len(rates), *_summed(rates), *_summed(latencies))


def _lines(found: Iterable[Point], axis: str) -> Iterator[list[Point]]:
    """Valid cells that differ in nothing but their value on an axis, rising; at least two."""
    lines: dict[tuple[object, ...], list[Point]] = {}
    for point in found:
        if not point.reason and point.throughput_rps.value > 0:
            others = (getattr(point, name) for name in ("stack", "users", *ASKED) if name != axis)
            lines.setdefault(tuple(others), []).append(point)
    for line in lines.values():
        if len(line) > 1:
            yield sorted(line, key=lambda point: float(getattr(point, axis)))


def _way(axis: str, low: Point, middle: Point, high: Point) -> tuple[float, bool]:
    """How far the middle is on the way, and whether the way is straight in logarithms."""
    is_log = axis == "users"
    begin, here, end = (
        math.log(each.users) if is_log else float(getattr(each, axis))
        for each in (low, middle, high)
    )
    return (here - begin) / (end - begin), is_log


def _missed(values: Sequence[float], share: float, *, is_log: bool) -> float:
    """log(predicted ÷ measured) of the middle one of three."""
    low, middle, high = values
    if is_log:
        return (1 - share) * math.log(low) + share * math.log(high) - math.log(middle)
    return math.log(((1 - share) * low + share * high) / middle)


def _summed(missed: Sequence[float]) -> tuple[float, float, float, float]:
    """Median and worst relative error, and by how much predictions were too high and too low."""
    if not missed:
        return math.nan, math.nan, math.nan, math.nan
    relative = [abs(math.expm1(each)) for each in missed]
    low, high = np.quantile(missed, (1 - _QUANTILE, _QUANTILE))
    return median(relative), max(relative), max(0.0, float(high)), max(0.0, -float(low))


# ------------------------------------------------------------------------- connections


def _held(made: Prediction, count: int, measured: ConnectionsAnalysis | None) -> HeldNeed:
    each = math.ceil(count / made.need.containers) if made.need.containers else None
    memory = next(
        (
            of
            for of in (measured.memory if measured else ())
            if of.stack == made.stack and of.held is Held.KEEP_ALIVE
        ),
        None,
    )
    if memory is None or measured is None:
        return HeldNeed(math.nan, each, 0, "not measured")
    if memory.reason:
        return HeldNeed(math.nan, each, memory.up_to, memory.reason)
    mib = count * memory.kib.value / 1024
    if each is None:
        return HeldNeed(mib, None, memory.up_to)
    if each > memory.up_to:
        return HeldNeed(
            math.nan, each, memory.up_to, f"one server was measured with {memory.up_to:,} at most"
        )
    beyond = [
        point
        for point in measured.points
        if (point.stack, point.held) == (made.stack, Held.KEEP_ALIVE) and point.asked >= each
    ]
    nearest = min(beyond, key=lambda point: point.asked, default=None)
    if nearest is not None and not nearest.serves_others:
        return HeldNeed(
            mib,
            each,
            memory.up_to,
            f"with {nearest.asked:,} held, other clients got no reply in time",
        )
    if nearest is not None and nearest.closed_most:
        return HeldNeed(
            mib, each, memory.up_to, f"of {nearest.asked:,} held, it closed {nearest.closed_most:,}"
        )
    return HeldNeed(mib, each, memory.up_to)


# ----------------------------------------------------------------------------- changes


def differences(before: Stack, after: Stack) -> tuple[str, ...]:
    """What tells two stacks apart; a server's own options belong to the server."""
    found = []
    if (before.twin, before.app) != (after.twin, after.app):
        found.append(f"framework: {before.twin} → {after.twin}")
    if before.server != after.server:
        found.append(f"server: {before.server} → {after.server}")
    elif before.options != after.options:
        found.append(f"options of {after.server}")
    if before.workers != after.workers:
        found.append("number of workers")
    for key in dict.fromkeys((*before.settings, *after.settings)):
        values = [stack.settings.get(key, "default") for stack in (before, after)]
        if values[0] != values[1]:
            found.append(f"{key.replace('_', ' ')}: {values[0]} → {values[1]}")
    return tuple(found)


def _changes(
    baseline: str, predictions: Sequence[Prediction], stacks: Mapping[str, Stack]
) -> tuple[StackChange, ...]:
    """From the baseline to each stack that differs in one thing, or else to every other one."""
    made = {each.stack: each for each in predictions}
    if baseline not in made:
        return ()
    changes = [
        _change(made[baseline], each, differences(stacks[baseline], stacks[each.stack]))
        for each in predictions
        if each.stack != baseline and each.outcome is not Outcome.UNKNOWN
    ]
    shown = [change for change in changes if change.is_single] or changes

    def rank(change: StackChange) -> tuple[bool, float]:
        return not change.enables, -made[change.after].rate_rps.value

    return tuple(sorted(shown, key=rank))


def _change(before: Prediction, after: Prediction, differs: tuple[str, ...]) -> StackChange:
    old, new = before.rate_rps, after.rate_rps
    ratio = _UNKNOWN
    if old.value > 0 and new.value > 0:
        ratio = Estimate(
            new.value / old.value,
            0.0 if math.isinf(old.high) else new.low / old.high,
            math.inf if math.isinf(new.high) or not old.low else new.high / old.low,
        )
    return StackChange(
        before=before.stack,
        after=after.stack,
        differs=differs,
        ratio=ratio,
        containers=after.need.containers,
        enables=before.outcome is Outcome.FAILS and after.outcome is Outcome.KEEPS,
    )
