"""Derives curves from cells: where throughput stops growing, and what comes after that."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.special import stdtrit

from harness.analysis import scaling, stats
from harness.analysis.axes import AXES, LEAST_POINTS, Axis
from harness.analysis.figures import RoundFigures
from harness.analysis.percentiles import UNKNOWN, confidence_of
from harness.models import (
    ROUNDS_FOR_A_VERDICT,
    Beyond,
    CellKey,
    CellSummary,
    Curve,
    CurvePoint,
    Failure,
    Knee,
    LargestLoad,
    RunRecord,
)

Floats = npt.NDArray[np.float64]

#: Throughput holds if at least this share of the best is surely left at the largest load.
HELD_SHARE = 0.9


@dataclass(frozen=True, slots=True)
class Pace:
    """What a curve needs of a cell in a round."""

    round: int
    throughput_rps: float
    in_flight: float  # throughput × mean latency
    failures: Mapping[Failure, int]


def pace(measured: RoundFigures) -> Pace:
    """Take what a curve needs from the figures of a cell in a round."""
    return Pace(
        measured.round,
        measured.throughput_rps,
        measured.in_flight_reported,
        measured.failures,
    )


def curves(
    run: RunRecord, cells: Sequence[CellSummary], paces: Mapping[CellKey, Sequence[Pace]]
) -> tuple[Curve, ...]:
    """Derive every curve of a run: a stack in a scenario along an axis, with three points or more.

    Args:
        run: its plan says which cells differ in nothing but their value on an axis.
        cells: what was measured.
        paces: cell -> what its rounds came to.
    """
    return tuple(curve for axis in AXES.values() for curve in _along(axis, run, cells, paces))


def _along(
    axis: Axis,
    run: RunRecord,
    cells: Sequence[CellSummary],
    paces: Mapping[CellKey, Sequence[Pace]],
) -> Iterator[Curve]:
    stacks = {stack.label: stack for stack in run.plan.stacks}
    blocks = {block.key: block for block in run.blocks}
    lines: dict[tuple[str, str, str], dict[float, CellSummary]] = {}
    for cell in cells:
        where = run, blocks[cell.key.block], stacks[cell.stack]
        value = axis.value(*where)
        if value is not None:
            key = cell.scenario, axis.held(*where), axis.line(*where)
            lines.setdefault(key, {})[value] = cell
    for (scenario, held, line), by_value in lines.items():
        if len(by_value) >= LEAST_POINTS:
            yield _curve(axis, run, scenario, held, line, by_value, paces)


def _curve(
    axis: Axis,
    run: RunRecord,
    scenario: str,
    held: str,
    line: str,
    by_value: Mapping[float, CellSummary],
    paces: Mapping[CellKey, Sequence[Pace]],
) -> Curve:
    points = tuple(
        _point(value, by_value[value], paces[by_value[value].key]) for value in sorted(by_value)
    )
    usable = [point for point in points if point.valid and point.throughput_rps.value > 0]
    values = np.array([point.value for point in usable], dtype=np.float64)
    of_points = [paces[by_value[point.value].key] for point in usable]
    log_rps, log_in_flight = _by_round(of_points)
    confidence = confidence_of(run.plan, len(log_rps))
    enough = len(usable) >= LEAST_POINTS and len(log_rps) > 0
    return Curve(
        scenario=scenario,
        axis=axis.key,
        held=held,
        line=line,
        twin=by_value[points[0].value].twin,
        points=points,
        most=max(usable, key=lambda point: point.throughput_rps.value, default=None),
        knee=knee(values, 2 * log_rps - log_in_flight, confidence)
        if enough and axis.has_knee
        else None,
        scaling=scaling.fit(values, log_rps, confidence) if enough and axis.fits_law else None,
        largest=largest_load(values, log_rps, run.plan.same_within, confidence) if enough else None,
        kept_up=_kept_up(points) if axis.is_schedule else None,
    )


def _kept_up(points: Sequence[CurvePoint]) -> float | None:
    """The largest load up to which a stack kept up at every one; None if at none."""
    kept = None
    for point in points:
        if point.overloaded or not point.valid:
            break
        kept = point.value
    return kept


def _point(value: float, cell: CellSummary, rounds: Sequence[Pace]) -> CurvePoint:
    failures: dict[Failure, int] = {}
    for measured in rounds:
        for failure, count in measured.failures.items():
            failures[failure] = failures.get(failure, 0) + count
    return CurvePoint(
        value=value,
        stack=cell.stack,
        load=cell.load,
        rounds=cell.rounds,
        requests=cell.requests,
        errors=cell.errors,
        throughput_rps=cell.throughput_rps,
        latency_p50_ms=cell.latency_ms.get("p50", UNKNOWN),
        latency_p99_ms=cell.latency_ms.get("p99", UNKNOWN),
        cpu_us_per_request=cell.cpu_us_per_request,
        valid=cell.valid,
        overloaded=cell.overloaded,
        failures=failures,
    )


def _by_round(points: Sequence[Sequence[Pace]]) -> tuple[Floats, Floats]:
    """Logarithms of throughput and of requests in flight: rounds × points.

    Only rounds count in which every point was measured: its loads share its processes and its
    moment, and what they share cancels in what is compared.
    """
    by_round = [{measured.round: measured for measured in rounds} for rounds in points]
    shared = sorted(set.intersection(*map(set, by_round))) if by_round else []
    rows = [[of_point[number] for of_point in by_round] for number in shared]
    # A stack that served nothing in a round has no logarithm; the other rounds have.
    rows = [row for row in rows if all(min(p.throughput_rps, p.in_flight) > 0 for p in row)]
    shape = len(rows), len(points)
    rps = np.array([[p.throughput_rps for p in row] for row in rows]).reshape(shape)
    in_flight = np.array([[p.in_flight for p in row] for row in rows]).reshape(shape)
    return np.log(rps), np.log(in_flight)


# ---------------------------------------------------------------------------- knee


def knee(values: Floats, log_power: Floats, confidence: float) -> Knee:
    """Find the load at which throughput ÷ latency is largest, among those that were measured.

    This ratio is called power (L. Kleinrock, "Power and deterministic rules of thumb for
    probabilistic problems in computer communications", ICC 1979). Before its maximum, more load
    brings a larger share of throughput than of latency; after it, a smaller one. For users who wait
    for something while a server has nothing to do, that is where they begin to wait for each other.

    A load may be the best unless another one is surely better (multiple comparisons with the best:
    J. C. Hsu, "Multiple comparisons: theory and methods", 1996). "Surely" allows for the number of
    loads, so that all loads that may be the best hold the true one with the stated confidence.

    Args:
        values: the loads, rising.
        log_power: logarithm of throughput ÷ mean latency, a row for each round and a column for each
            load.
        confidence: with which the range holds the best of the measured loads.
    """
    best = int(np.argmax(log_power.mean(axis=0)))
    low = high = math.nan
    rounds, count = log_power.shape
    if rounds >= 2:
        quantile = float(stdtrit(rounds - 1, 1 - (1 - confidence) / (count - 1)))
        may_be = [
            place
            for place in range(count)
            if not any(
                _surely_above_zero(log_power[:, other] - log_power[:, place], quantile)
                for other in range(count)
                if other != place
            )
        ]
        # The best by its mean is beaten by none.
        low, high = float(values[min(may_be)]), float(values[max(may_be)])
    return Knee(float(values[best]), low, high, float(values[0]), float(values[-1]))


def _surely_above_zero(differences: Floats, quantile: float) -> bool:
    error = float(differences.std(ddof=1)) / math.sqrt(len(differences))
    return float(differences.mean()) > quantile * error


# -------------------------------------------------------------------- past the best


def largest_load(
    values: Floats, log_rps: Floats, same_within: float, confidence: float
) -> LargestLoad:
    """Compare the throughput at the largest load with the best of all smaller ones.

    The best was chosen for being the largest, which chance helps. So the interval of the ratio is
    that of as many comparisons as there are smaller loads (Bonferroni). As every verdict, the outcome
    needs some rounds.

    Args:
        values: the loads, rising, at least two.
        log_rps: logarithm of the throughput, a row for each round and a column for each load.
        same_within: share of a difference that is too small to matter.
        confidence: nominal, of the statement as a whole.
    """
    best = int(np.argmax(log_rps[:, :-1].mean(axis=0)))
    shared = 1 - (1 - confidence) / (len(values) - 1)
    ratio = stats.log_mean(np.exp(log_rps[:, -1] - log_rps[:, best]).tolist(), shared)
    outcome = Beyond.UNCLEAR
    if len(log_rps) < ROUNDS_FOR_A_VERDICT:
        pass  # an interval, but no verdict
    elif ratio.low > 1 and ratio.value > 1 + same_within:
        outcome = Beyond.RISES
    elif ratio.high < 1 and ratio.value < 1 / (1 + same_within):
        outcome = Beyond.FALLS
    elif ratio.low >= HELD_SHARE:
        outcome = Beyond.HOLDS
    return LargestLoad(outcome, float(values[-1]), float(values[best]), ratio)
