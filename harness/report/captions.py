"""The words around each chart: the question it answers, what is drawn, how to read it."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass

from harness.models import Analysis, CellSummary, Estimate
from harness.report import formats, outline
from harness.report.outline import THROUGHPUT, TWINS, Part
from harness.report.sentences import why_inconclusive


@dataclass(frozen=True, slots=True)
class Caption:
    """What stands around a chart."""

    title: str  # the question that the chart answers
    note: str  # unit, load, rounds, what the interval is
    reading: str  # how to read it
    alt: str  # the data in words, for those who can't see the chart


def captions(analysis: Analysis) -> dict[str, Caption]:
    """Chart name -> its words."""
    parts = outline.parts(analysis)
    load, whiskers = _load(parts), _whiskers(analysis)
    return {
        "ratios": Caption(
            title=_ratio_title(analysis),
            note=_note(
                f"Requests per second ÷ those of {outline.only_baseline(parts) or 'the baseline'}, "
                "on a logarithmic scale",
                load,
                whiskers,
            ),
            reading=(
                "A mark right of 1 × means that the candidate answers more requests per second "
                "than the baseline; the line through it is the 95 % interval. A winner is named "
                "only where the line stays clear of 1 × and the mark lies outside the grey noise "
                "band; hollow marks are comparisons without one."
            ),
            alt=_joined(_ratio_facts(parts)),
        ),
        "throughput": Caption(
            title="How many requests per second does each stack answer?",
            note=_note("Every panel has its own scale from zero", load, whiskers),
            reading=(
                "Longer bars are better. Compare within a panel only: the scenarios differ by far "
                "more than the stacks do. Intervals here hold the machine's drift from round to "
                "round, which the ratios above cancel, so overlapping whiskers do not mean that "
                "two stacks are alike."
            ),
            alt=_facts(parts, lambda cell: cell.throughput_rps, "requests per second"),
        ),
        "latency": Caption(
            title="How long does a request take, from the median to the slowest in a thousand?",
            note=_note(
                "Latency in ms on a logarithmic scale, samples of all rounds pooled", load, whiskers
            ),
            reading=(
                "Lower is better. Each step to the right looks at ten times rarer requests; a "
                "curve that climbs steeply has a few requests that wait long. Under closed load a "
                "slow stack is also asked less often, so read this beside the throughput."
            ),
            alt=_joined(
                _cell_facts(
                    parts,
                    lambda cell: ", ".join(
                        f"{_PERCENTILES[key]} {formats.number(estimate.value)} ms"
                        for key, estimate in cell.latency_ms.items()
                        if key in _PERCENTILES and math.isfinite(estimate.value)
                    ),
                )
            ),
        ),
        "cpu": Caption(
            title="How much CPU time does one request cost the server?",
            note=_note(
                "CPU time of the server's whole process tree per request, in µs", load, whiskers
            ),
            reading=(
                "Shorter bars are better. CPU time per request is far steadier than throughput on "
                "a busy machine, and it is what a request costs in capacity: database, upstream "
                "and load generator are not in it."
            ),
            alt=_facts(parts, lambda cell: cell.cpu_us_per_request, "µs of CPU per request"),
        ),
        "memory": Caption(
            title="How much memory does each stack take?",
            note=_note(
                "Memory of the server's process tree in MiB",
                "bar: the scenario that took most, dots: each scenario",
                _rounds(analysis),
            ),
            reading=(
                "Shorter bars are better. The figure is the proportional set size (shared pages "
                "are split among those who share them), or the resident size where the system "
                "has no such figure; each dot is the largest of a scenario's rounds. "
                "One round's processes serve all scenarios in turn, so a later scenario may hold "
                "memory that an earlier one asked for."
            ),
            alt=_joined(_cell_facts(parts, lambda cell: f"{formats.number(cell.pss_mib)} MiB")),
        ),
        "timeline": Caption(
            title="Did throughput hold steady while it was measured?",
            note=_note(
                "Requests per second over load time",
                _points(parts),
                _rounds(analysis),
            ),
            reading=(
                "Each band is one round with fresh processes; the line breaks where processes "
                "were replaced. Lines that rise or sink together show the machine's drift, which "
                "cancels in the ratios; a slope within every band would mean that the warm-up was "
                "too short."
            ),
            alt=_facts(parts, lambda cell: cell.throughput_rps, "requests per second on average"),
        ),
    }


_PERCENTILES: Mapping[str, str] = {"p50": "median", "p90": "p90", "p99": "p99", "p999": "p99.9"}


def _ratio_title(analysis: Analysis) -> str:
    by_label = outline.stacks(analysis)
    pairs = {
        (plan.stacks[0], candidate)
        for plan in analysis.run.plan.cells
        for candidate in plan.stacks[1:]
        if plan.stacks[0] in by_label and candidate in by_label
    }
    baselines = {baseline: by_label[baseline] for baseline, _ in pairs}
    candidates = {candidate: by_label[candidate] for _, candidate in pairs}
    names = {stack.name for stack in (*baselines.values(), *candidates.values())}
    if not pairs:
        return "How do the stacks compare?"
    if len(names) == 1:
        return f"How does {names.pop()} compare with itself?"
    old = {stack.twin for stack in baselines.values()}
    new = {stack.twin for stack in candidates.values()}
    if len(old) == len(new) == 1 and old != new:
        return f"How does {_twin(new.pop())} compare with {_twin(old.pop())}?"
    if len(baselines) == 1:
        return f"How do the other stacks compare with {next(iter(baselines))}?"
    return "How do the candidates compare with their baselines?"


def _twin(twin: str) -> str:
    return TWINS.get(twin, twin)


def _note(*pieces: str) -> str:
    return " · ".join(piece for piece in pieces if piece)


def _load(parts: tuple[Part, ...]) -> str:
    users = sorted({part.plan.load.users for part in parts})
    if not users:
        return ""
    fewest = f"{users[0]:,} to " if len(users) > 1 else ""
    return f"closed load, {fewest}{formats.plural(users[-1], 'user')}"


def _rounds(analysis: Analysis) -> str:
    done, planned = outline.rounds_done(analysis), analysis.run.plan.rounds
    if done < planned:
        return f"{done:,} of {formats.plural(planned, 'round')}"
    return formats.plural(done, "round")


def _points(parts: tuple[Part, ...]) -> str:
    most = max((outline.slices_per_point(part) for part in parts), default=1)
    if most == 1:
        return "a point: one slice of one stack"
    return f"a point: the mean of up to {most} neighbouring slices of one stack"


def _whiskers(analysis: Analysis) -> str:
    rounds = _rounds(analysis)
    if outline.rounds_done(analysis) < outline.MIN_ROUNDS_FOR_INTERVAL:
        least = outline.MIN_ROUNDS_FOR_INTERVAL
        return f"{rounds}: no intervals, which need at least {least}"
    return f"lines: 95 % intervals over {rounds}".replace(" %", f"{formats.NBSP}%")


def _ratio_facts(parts: tuple[Part, ...]) -> Iterator[str]:
    for part in parts:
        for pair in part.pairs:
            comparison = pair.comparisons.get(THROUGHPUT)
            if comparison is None:
                continue
            names = f"{part.name}: {pair.candidate} ÷ {pair.baseline}"
            if comparison.verdict == "invalid":
                yield f"{names} invalid ({part.why_invalid(pair)})"
                continue
            figure = (
                f"{formats.ratio(comparison.ratio)} "
                f"{formats.ratio_interval(comparison.ratio, comparison.ci_low, comparison.ci_high)}"
            )
            why = (
                f" ({why_inconclusive(comparison)})" if comparison.verdict == "inconclusive" else ""
            )
            yield f"{names} {figure}, {comparison.verdict}{why}"


def _facts(parts: tuple[Part, ...], estimate: Callable[[CellSummary], Estimate], unit: str) -> str:
    return _joined(
        _cell_facts(parts, lambda cell: f"{formats.number(estimate(cell).value)} {unit}")
    )


def _cell_facts(parts: tuple[Part, ...], say: Callable[[CellSummary], str]) -> Iterator[str]:
    for part in parts:
        for cell in part.cells:
            said = say(cell) if cell.valid else f"invalid ({formats.clean(cell.reason)})"
            yield f"{part.name}: {cell.stack} {said}"


def _joined(facts: Iterable[str]) -> str:
    told = "; ".join(facts)
    return f"{told}." if told else "Nothing was measured yet."
