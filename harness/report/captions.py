"""The words around each chart: the question it answers, what is drawn, how to read it."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass

from harness.models import Analysis, CellSummary, Estimate, Measures
from harness.report import formats, outline
from harness.report.outline import MEDIAN, START, THROUGHPUT, TWINS, Part
from harness.report.sentences import (
    AT_REST,
    CLOSED_HIDES,
    OPEN_SHOWS,
    STEP_VERDICTS,
    TEST_CLIENT_HOLDS,
    figure_words,
    step_words,
    why_inconclusive,
)


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
    asked = outline.answering(analysis)  # starts are too few for a curve, and have no rate
    load_asked = _load(asked)
    return {
        "ratios": Caption(
            title=_ratio_title(analysis),
            note=_note(
                f"{_of_headlines(parts, _RATIO_OF, ' or ').capitalize()} ÷ "
                f"{'those' if THROUGHPUT in outline.headlines(parts) else 'that'} of "
                f"{outline.only_baseline(parts) or 'the baseline'}, on a logarithmic scale",
                load,
                whiskers,
            ),
            reading=(
                f"{_of_headlines(parts, _RATIO_READING, ' ')} The line through a mark is the 95 % "
                "interval. A winner is named only where the line stays clear of 1 × and the mark "
                "lies outside the grey noise band; hollow marks are comparisons without one."
            ),
            alt=_joined(_ratio_facts(parts)),
        ),
        "waterfall": _waterfall(outline.with_ladder(parts), analysis),
        "throughput": _throughput(asked, load_asked, whiskers),
        "latency": Caption(
            title="How long does a request take, from the median to the slowest in a thousand?",
            note=_note(
                "Latency in ms on a logarithmic scale, samples of all rounds pooled",
                "dotted: service time" if _any_open(parts) else "",
                load_asked,
                whiskers,
            ),
            reading=(
                "Lower is better. Each step to the right looks at ten times rarer requests; a "
                "curve that climbs steeply has a few requests that wait long. "
                f"{_of_headlines(asked, _LATENCY_READING, ' ')}"
            ),
            alt=_joined(_cell_facts(asked, _latency_fact)),
        ),
        "cpu": Caption(
            title=(
                "How much CPU time does one request cost the server?"
                if asked or not parts
                else "How much CPU time does a start take?"
            ),
            note=_note(_CPU_OF[bool(asked), len(asked) < len(parts)], load, whiskers),
            reading=(
                "Shorter bars are better. CPU time per request is far steadier than throughput on "
                "a busy machine, and it is what a request costs in capacity: database, upstream "
                "and load generator are not in it."
                + (f" {TEST_CLIENT_HOLDS}" if _any_test_client(parts) else "")
            ),
            alt=_joined(_cpu_facts(parts)),
        ),
        "memory": Caption(
            title="How much memory does each stack take?",
            note=_note(
                "Memory of the server's process tree in MiB",
                "bar: the scenario that took most, dots: each scenario",
                outline.rounds_words(analysis),
            ),
            reading=(
                "Shorter bars are better. The figure is the proportional set size (shared pages "
                "are split among those who share them), or the resident size where the system "
                "has no such figure; each dot is the largest of a scenario's rounds. "
                "One round's processes serve all scenarios in turn, so a later scenario may hold "
                "memory that an earlier one asked for."
                + (f" {AT_REST}" if len(asked) < len(parts) else "")
            ),
            alt=_joined(_cell_facts(parts, lambda cell: f"{formats.number(cell.pss_mib)} MiB")),
        ),
        "timeline": Caption(
            title="Did throughput hold steady while it was measured?",
            note=_note(
                "Requests per second over load time",
                _points(asked),
                outline.rounds_words(analysis),
            ),
            reading=(
                "Each band is one round with fresh processes; the line breaks where processes "
                "were replaced. Lines that rise or sink together show the machine's drift, which "
                "cancels in the ratios; a slope within every band would mean that the warm-up was "
                "too short."
                + (
                    " Under open load the line follows the schedule: a stack that falls below the "
                    "others there did not keep up."
                    if _any_open(parts)
                    else ""
                )
            ),
            alt=_facts(asked, lambda cell: cell.throughput_rps, "requests per second on average"),
        ),
    }


def _waterfall(parts: tuple[Part, ...], analysis: Analysis) -> Caption:
    better = _of_headlines(parts, _STEP_READING, " ")
    return Caption(
        title="Which step between Flask and FastAPI makes how much of the difference?",
        note=_note(
            f"{_of_headlines(parts, _RATIO_OF, ' or ').capitalize()} from rung to rung, on a logarithmic scale",
            _load(parts),
            _whiskers(analysis).replace("intervals", "intervals of each step"),
        ),
        reading=(
            "Each bar begins where the one above it ends: two stacks that differ in what the row "
            f"names, and in what has no step of its own here. {better} Equal ratios have equal "
            "lengths, so that the bars add up to the total. A grey bar names no cause: the step "
            "is inside the noise, or not resolved; an arrowhead, that an interval goes on "
            "beyond the drawing. What stands below the total goes on from "
            "FastAPI as it is commonly run."
        ),
        alt=_joined(_step_facts(parts)),
    )


def _step_facts(parts: tuple[Part, ...]) -> Iterator[str]:
    for part in parts:
        for climb in part.climbs:
            comparison = climb.pair.comparisons[part.headline]
            name = f"{part.name}: {step_words(climb.step)}"
            if comparison.verdict == "invalid":
                yield f"{name} invalid ({part.why_invalid(climb.pair)})"
            else:
                yield f"{name} {figure_words(comparison)}, {STEP_VERDICTS[comparison.verdict]}"


def _throughput(parts: tuple[Part, ...], load: str, whiskers: str) -> Caption:
    """Of closed load: the answer; of open load: whether the schedule was kept."""
    bars = "Longer bars are better. " if not _any_open(parts) else ""
    closed = (
        f"{bars}Compare within a panel only: the scenarios differ by far more than the stacks do. "
        "Intervals here hold the machine's drift from round to round, which the ratios above "
        "cancel, so overlapping whiskers do not mean that two stacks are alike."
    )
    kept = (
        "Under open load the schedule decides how many requests are served: a bar that reaches "
        "the upright line, which is what was due, keeps up, and says nothing of what the stack "
        "could serve."
    )
    return Caption(
        title=(
            "Does each stack answer all requests that are due?"
            if _all_open(parts)
            else "How many requests per second does each stack answer?"
        ),
        note=_note(
            "Every panel has its own scale from zero",
            "bars of open load: right answers per second; upright line: due per second"
            if _any_open(parts)
            else "",
            load,
            "" if _all_open(parts) else whiskers,
        ),
        reading=kept if _all_open(parts) else f"{closed} {kept}" if _any_open(parts) else closed,
        alt=_joined(_cell_facts(parts, _throughput_fact)),
    )


def _throughput_fact(cell: CellSummary) -> str:
    if cell.schedule:
        return (
            f"{formats.number(cell.schedule.achieved_rps)} of "
            f"{formats.number(cell.schedule.offered_rps)} requests per second that were due"
        )
    return f"{formats.number(cell.throughput_rps.value)} requests per second"


def _latency_fact(cell: CellSummary) -> str:
    told = _percentile_words(cell.latency_ms)
    if cell.schedule:
        told += f", of which service {_percentile_words(cell.schedule.service_ms)}"
    return told


def _percentile_words(of: Mapping[str, Estimate]) -> str:
    return ", ".join(
        f"{_PERCENTILES[key]} {formats.number(estimate.value)} ms"
        for key, estimate in of.items()
        if key in _PERCENTILES and math.isfinite(estimate.value)
    )


def _cpu_facts(parts: tuple[Part, ...]) -> Iterator[str]:
    for part in parts:
        yield from _cell_facts((part,), _cpu_of_start if part.counts_starts else _cpu_of_request)


def _cpu_of_request(cell: CellSummary) -> str:
    return f"{formats.number(cell.cpu_us_per_request.value)} µs of CPU per request"


def _cpu_of_start(cell: CellSummary) -> str:
    return f"{formats.number(cell.cpu_us_per_request.value / 1000)} ms of CPU per start"


def _any_test_client(parts: tuple[Part, ...]) -> bool:
    return any(part.plan.scenario.measures is Measures.TEST_CLIENT for part in parts)


def _any_open(parts: tuple[Part, ...]) -> bool:
    return MEDIAN in outline.headlines(parts)


def _all_open(parts: tuple[Part, ...]) -> bool:
    return outline.headlines(parts) == {MEDIAN}


def _of_headlines(parts: tuple[Part, ...], words: Mapping[str, str], between: str) -> str:
    """What is to be said of each metric that decides in this run."""
    wanted = outline.headlines(parts) or {THROUGHPUT}
    return between.join(said for metric, said in words.items() if metric in wanted)


_RATIO_OF: Mapping[str, str] = {
    THROUGHPUT: "requests per second",
    MEDIAN: "median latency",
    START: "median start time",
}
_RATIO_READING: Mapping[str, str] = {
    THROUGHPUT: (
        "Closed load: a mark right of 1 × means that the candidate answers more requests per "
        "second than the baseline."
    ),
    MEDIAN: (
        "Open load: a mark left of 1 × means that the median request takes less time with the "
        "candidate than with the baseline, at the same rate."
    ),
    START: "Starts: a mark left of 1 × means that the candidate is ready sooner than the baseline.",
}
#: Whether there are requests, whether there are starts -> what the bars are.
_CPU_OF: Mapping[tuple[bool, bool], str] = {
    (True, False): "CPU time of the server's whole process tree per request, in µs",
    (False, True): "CPU time of the server's whole process tree from spawn until at rest, in ms",
    (True, True): (
        "CPU time of the server's whole process tree per request, in µs; per start until at rest, "
        "in ms"
    ),
    (False, False): "CPU time of the server's whole process tree per request, in µs",
}
_STEP_READING: Mapping[str, str] = {
    THROUGHPUT: "To the right: more requests per second.",
    MEDIAN: "Open load, to the left: less time for the median request.",
}
_LATENCY_READING: Mapping[str, str] = {
    THROUGHPUT: f"{CLOSED_HIDES} Read these curves beside the throughput.",
    MEDIAN: (
        f"{OPEN_SHOWS} The dotted line is the service time, from sending to the answer: what lies "
        "between the two is waiting to be sent."
    ),
}
_PERCENTILES: Mapping[str, str] = {"p50": "median", "p90": "p90", "p99": "p99", "p999": "p99.9"}


def _ratio_title(analysis: Analysis) -> str:
    by_label = outline.stacks(analysis)
    pairs = {
        (baseline, candidate)
        for plan in analysis.run.blocks
        for baseline, candidate in plan.pairs
        if baseline in by_label and candidate in by_label
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
    told = []
    asking = [part for part in parts if part.plan.scenario.measures is Measures.REQUESTS]
    users = sorted({part.plan.load.users for part in asking if not part.plan.load.is_open})
    if users:
        fewest = f"{users[0]:,} to " if len(users) > 1 else ""
        told.append(f"closed load, {fewest}{formats.plural(users[-1], 'user')}")
    told += dict.fromkeys(
        part.load for part in parts if part.plan.load.is_open or part not in asking
    )
    return "; ".join(told)


def _points(parts: tuple[Part, ...]) -> str:
    most = max((outline.slices_per_point(part) for part in parts), default=1)
    if most == 1:
        return "a point: one slice of one stack"
    return f"a point: the mean of up to {most} neighbouring slices of one stack"


def _whiskers(analysis: Analysis) -> str:
    rounds = outline.rounds_words(analysis)
    if outline.fewest_rounds(analysis) < outline.MIN_ROUNDS_FOR_INTERVAL:
        least = outline.MIN_ROUNDS_FOR_INTERVAL
        return f"{rounds}: no intervals, which need at least {least}"
    return f"lines: 95 % intervals over {rounds}".replace(" %", f"{formats.NBSP}%")


_OF_WHAT: Mapping[str, str] = {
    THROUGHPUT: "",
    MEDIAN: " of the median latency",
    START: " of the median start time",
}


def _ratio_facts(parts: tuple[Part, ...]) -> Iterator[str]:
    for part in parts:
        for pair, comparison in part.compared:
            names = f"{part.name}: {pair.candidate} ÷ {pair.baseline}"
            if comparison.verdict == "invalid":
                yield f"{names} invalid ({part.why_invalid(pair)})"
                continue
            figure = (
                f"{formats.ratio(comparison.ratio)} "
                f"{formats.ratio_interval(comparison.ratio, comparison.ci_low, comparison.ci_high)}"
                f"{_OF_WHAT[part.decides]}"
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
