"""The report's tables: rows of ready text, and how a terminal shows them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from rich.box import SIMPLE_HEAD
from rich.console import Console, ConsoleOptions, Group, RenderableType, RenderResult
from rich.table import Table
from rich.text import Text

from harness.models import Analysis, CellSummary, Comparison, Estimate, GateResult, Verdict
from harness.report import formats, outline, sentences
from harness.report.outline import Part

PERCENTILES = {"p50": "p50", "p90": "p90", "p99": "p99", "p999": "p99.9"}
SIGNS = {
    Verdict.FASTER: "▲",
    Verdict.SLOWER: "▼",
    Verdict.SAME: "=",
    Verdict.INCONCLUSIVE: "?",
    Verdict.OVERLOADED: "!",
    Verdict.INVALID: "✕",
}


@dataclass(frozen=True, slots=True)
class Ratio:
    """One comparison in ready text; only the verdict is told of an invalid one."""

    figure: str
    interval: str
    verdict: Verdict


@dataclass(frozen=True, slots=True)
class PairRow:
    """One candidate beside its baseline in one scenario; None for a metric without comparison."""

    scenario: str
    load: str  # `16 users`
    rounds: str
    candidate: str
    baseline: str
    ratios: tuple[Ratio | None, ...]  # in the order of outline.metrics
    headline: Ratio | None  # of the metric that decides
    why_invalid: str


@dataclass(frozen=True, slots=True)
class StepRow:
    """One step of a ladder in ready text, or the total of those above it."""

    scenario: str
    load: str
    rounds: str
    words: str  # `client: requests → httpx`
    before: str
    after: str
    is_total: bool
    ratios: tuple[Ratio | None, ...]  # in the order of outline.metrics
    headline: Ratio | None  # of the metric that decides
    why_invalid: str


@dataclass(frozen=True, slots=True)
class Measure:
    """A figure and its interval in ready text."""

    figure: str
    interval: str


@dataclass(frozen=True, slots=True)
class CellRow:
    """One cell in ready text."""

    scenario: str
    stack: str
    load: str  # `16 users`
    headline: str  # the metric that decides
    rounds: int
    requests: str
    errors: str
    throughput: Measure
    latency: tuple[Measure, ...]  # in the order of PERCENTILES
    cpu: Measure
    pss: str
    valid: bool
    reason: str


@dataclass(frozen=True, slots=True)
class ScheduleRow:
    """One cell of open load in ready text: how the schedule was kept."""

    scenario: str
    stack: str
    load: str
    offered: str
    achieved: str
    service: tuple[Measure, ...]  # in the order of PERCENTILES
    lag: str  # p99, ms
    late: str
    starved: str
    never_sent: str
    valid: bool


@dataclass(frozen=True, slots=True)
class GateRow:
    """One gate over all cells."""

    gate: str
    bound: str
    passed: str  # `13 of 14`
    all_passed: bool
    figures: tuple[tuple[str, str, bool], ...]  # cell, figure, whether it passed


@dataclass(frozen=True, slots=True)
class EffortRow:
    """How long one scenario was measured."""

    scenario: str
    load: str
    rounds: int
    stacks: int
    slice_s: str
    cycles: int
    warmup_s: str
    loaded: str  # all stacks and rounds, warm-up included


def pair_rows(analysis: Analysis) -> list[PairRow]:
    """Every comparison, one row per scenario and pair."""
    rows: list[PairRow] = []
    metrics = outline.metrics(analysis)
    for part in outline.parts(analysis):
        for pair in part.pairs:
            verdicts = [comparison.verdict for comparison in pair.comparisons.values()]
            rounds = max(comparison.rounds for comparison in pair.comparisons.values())
            rows.append(
                PairRow(
                    scenario=part.name,
                    load=part.load,
                    rounds=formats.plural(rounds, "round"),
                    candidate=pair.candidate,
                    baseline=pair.baseline,
                    ratios=tuple(_ratio(pair.comparisons.get(metric)) for metric in metrics),
                    headline=_ratio(pair.comparisons.get(part.headline)),
                    why_invalid=part.why_invalid(pair) if Verdict.INVALID in verdicts else "",
                )
            )
    return rows


def step_rows(analysis: Analysis) -> list[StepRow]:
    """Scenario by scenario: the steps to the goal, the total, the steps beyond."""
    metrics = outline.metrics(analysis)
    return [
        StepRow(
            scenario=part.name,
            load=part.load,
            rounds=formats.plural(part.rounds, "round"),
            words=words,
            before=pair.baseline,
            after=pair.candidate,
            is_total=is_total,
            ratios=tuple(_ratio(pair.comparisons.get(metric)) for metric in metrics),
            headline=_ratio(pair.comparisons.get(part.headline)),
            why_invalid=part.why_invalid(pair)
            if any(one.verdict is Verdict.INVALID for one in pair.comparisons.values())
            else "",
        )
        for part in outline.with_ladder(outline.parts(analysis))
        for words, pair, is_total in sentences.falls(part)
    ]


def _ratio(comparison: Comparison | None) -> Ratio | None:
    if comparison is None:
        return None
    return Ratio(
        formats.ratio(comparison.ratio),
        formats.ratio_interval(comparison.ratio, comparison.ci_low, comparison.ci_high),
        comparison.verdict,
    )


def cell_rows(analysis: Analysis) -> list[CellRow]:
    """Every cell, in the plan's order."""
    return [_cell_row(cell, part) for part in outline.parts(analysis) for cell in part.cells]


def _cell_row(cell: CellSummary, part: Part) -> CellRow:
    return CellRow(
        scenario=cell.scenario,
        stack=cell.stack,
        load=part.load,
        headline=part.headline,
        rounds=cell.rounds,
        requests=f"{cell.requests:,}",
        errors=f"{cell.errors:,}",
        throughput=_measure(cell.throughput_rps),
        latency=_percentiles(cell.latency_ms),
        cpu=_measure(cell.cpu_us_per_request),
        pss=formats.number(cell.pss_mib),
        valid=cell.valid,
        reason=formats.clean(cell.reason),
    )


def _percentiles(of: Mapping[str, Estimate]) -> tuple[Measure, ...]:
    nothing = Estimate(float("nan"), float("nan"), float("nan"))
    return tuple(_measure(of.get(key, nothing)) for key in PERCENTILES)


def schedule_rows(analysis: Analysis) -> list[ScheduleRow]:
    """Every cell of open load."""
    return [
        ScheduleRow(
            scenario=cell.scenario,
            stack=cell.stack,
            load=part.load,
            offered=formats.number(cell.schedule.offered_rps, 4),
            achieved=formats.number(cell.schedule.achieved_rps, 4),
            service=_percentiles(cell.schedule.service_ms),
            lag=formats.number(cell.schedule.lag_p99_ms, 2),
            late=f"{cell.schedule.late:,}",
            starved=f"{cell.schedule.starved:,}",
            never_sent=f"{cell.schedule.never_sent:,}",
            valid=cell.valid,
        )
        for part in outline.parts(analysis)
        for cell in part.cells
        if cell.schedule
    ]


def gate_rows(analysis: Analysis) -> list[GateRow]:
    """Every gate that was asked, in the order in which cells are asked."""
    asked: dict[str, list[tuple[CellSummary, GateResult]]] = {}
    for cell in analysis.cells:
        for gate in cell.gates:
            asked.setdefault(gate.gate, []).append((cell, gate))
    return [
        GateRow(
            gate=name,
            bound=_bounds([gate.bound for _, gate in results]),
            passed=f"{sum(gate.passed for _, gate in results)} of {len(results)}",
            all_passed=all(gate.passed for _, gate in results),
            figures=tuple(
                (f"{cell.scenario}, {cell.stack}", formats.clean(gate.figure), gate.passed)
                for cell, gate in results
            ),
        )
        for name, results in asked.items()
    ]


def _bounds(bounds: Sequence[str]) -> str:
    """The bound, or the bounds where it depends on the cell; without what a failure may try."""
    told = dict.fromkeys(bound.split(": try")[0] for bound in bounds)
    if len(told) <= 2:
        return " or ".join(told)
    first, *_, last = sorted(told, key=_figures_in)
    return f"{first} to {last.removeprefix('at most ')}"


def _figures_in(bound: str) -> tuple[float, ...]:
    return tuple(float(figure.replace(",", "")) for figure in _FIGURE.findall(bound))


_FIGURE = re.compile(r"\d[\d,]*(?:\.\d+)?")


def _measure(estimate: Estimate) -> Measure:
    return Measure(formats.number(estimate.value), formats.interval(estimate.low, estimate.high))


def effort_rows(analysis: Analysis) -> list[EffortRow]:
    """How the time was shared out, scenario by scenario."""
    return [
        EffortRow(
            scenario=part.name,
            load=part.load,
            rounds=part.rounds,
            stacks=len(part.plan.stacks),
            slice_s="a start" if part.counts_starts else f"{part.plan.slice_s:g}{formats.NBSP}s",
            cycles=part.plan.cycles,
            warmup_s=formats.NOTHING
            if part.counts_starts
            else f"{part.plan.warmup_s:g}{formats.NBSP}s",
            loaded=formats.NOTHING
            if part.counts_starts
            else formats.duration(part.rounds * part.plan.seconds_per_round),
        )
        for part in outline.parts(analysis)
    ]


# ----------------------------------------------------------------------- terminal

_WIDE = 96  # columns from which latency and CPU time have room
_WIDEST = 102  # columns from which all of a schedule has room
_NARROW = 76  # columns below which intervals give way
_STYLES = {
    Verdict.FASTER: "bold green",
    Verdict.SLOWER: "bold red",
    Verdict.SAME: "dim",
    Verdict.INCONCLUSIVE: "yellow",
    Verdict.OVERLOADED: "yellow",
    Verdict.INVALID: "bold magenta",
}


def terminal_table(analysis: Analysis) -> RenderableType:
    """The cells with their ratios and verdicts, as wide as the terminal lets it be."""
    return _TerminalTable(analysis)


@dataclass(frozen=True, slots=True)
class _TerminalTable:
    analysis: Analysis

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        yield _table(self.analysis, options.max_width)


def _table(analysis: Analysis, width: int) -> RenderableType:
    cells = cell_rows(analysis)
    if not cells:
        return Text("No round has finished: nothing to show.")
    wide, narrow = width >= _WIDE, width < _NARROW
    parts = outline.parts(analysis)
    decides = outline.headlines(parts)
    table = _blank()
    table.add_column("Scenario", overflow="fold", style="bold")
    table.add_column("Stack", overflow="fold")
    shown = _columns(wide=wide, decides=decides)
    for name in shown:
        table.add_column(name, justify="right", no_wrap=True)
    ratio = "× baseline" if outline.THROUGHPUT in decides else "p50 × baseline"
    table.add_column(ratio if narrow else f"{ratio} [95 %]", no_wrap=True)
    table.add_column("Verdict", no_wrap=True)
    pairs = {(row.scenario, row.load, row.candidate): row for row in reversed(pair_rows(analysis))}
    baselines = {(row.scenario, row.load, row.baseline) for row in pairs.values()}
    named: tuple[str, str] | None = None
    for cell in cells:
        here = (cell.scenario, cell.load)
        if named and here != named:
            table.add_section()
        style = "" if cell.valid else "dim"
        values = [Text("" if here == named else cell.scenario), Text(cell.stack, style)]
        named = here
        figures = {
            "Req/s": cell.throughput.figure,
            "p50 ms": cell.latency[0].figure,
            "p99 ms": cell.latency[2].figure,
            "CPU µs": cell.cpu.figure,
        }
        values += [Text(figures[name], style) for name in shown]
        row = pairs.get((*here, cell.stack))
        values += _verdict_cells(
            cell,
            row.headline if row else None,
            narrow,
            is_baseline=(*here, cell.stack) in baselines,
        )
        table.add_row(*values)
    return Group(
        table,
        *_steps(analysis, narrow=narrow),
        *_schedules(analysis, width),
        *_below(analysis, cells),
    )


def _blank() -> Table:
    return Table(box=SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0), show_edge=False)


def _columns(*, wide: bool, decides: set[str]) -> list[str]:
    """The figures that there is room for; what decides is always among them."""
    figures = {
        "Req/s": outline.THROUGHPUT in decides,
        "p50 ms": wide or decides != {outline.THROUGHPUT},
        "p99 ms": wide and decides != {outline.START},
        "CPU µs": wide,
    }
    return [name for name, shown in figures.items() if shown]


def _steps(analysis: Analysis, *, narrow: bool) -> list[RenderableType]:
    """The ladders, step by step."""
    rows = step_rows(analysis)
    if not rows:
        return []
    table = _blank()
    table.add_column("Scenario", overflow="fold", style="bold")
    table.add_column("Step", overflow="fold")
    table.add_column("× before" if narrow else "× before [95 %]", no_wrap=True)
    table.add_column("Verdict", no_wrap=True)
    named = ""
    for row in rows:
        if named and row.scenario != named:
            table.add_section()
        shown = row.headline
        invalid = shown is None or shown.verdict is Verdict.INVALID
        figure = "" if invalid or shown is None else shown.figure
        if figure and shown and not narrow:
            figure = f"{figure} {shown.interval}"
        table.add_row(
            Text("" if row.scenario == named else row.scenario),
            Text(row.words, "bold" if row.is_total else ""),
            Text(figure),
            _verdict(shown.verdict if shown else Verdict.INVALID),
        )
        named = row.scenario
    return [Text(""), table]


def _schedules(analysis: Analysis, width: int) -> list[RenderableType]:
    """How the schedule of open load was kept."""
    rows = schedule_rows(analysis)
    if not rows:
        return []
    table = _blank()
    table.add_column("Schedule", overflow="fold", style="bold")
    table.add_column("Stack", overflow="fold")
    names = ["Due/s", "Done/s", "Serv. p50", "Serv. p99", "Lag p99", "Late", "Starved", "Unsent"]
    shown = names if width >= _WIDEST else ["Due/s", "Done/s", "Lag p99", "Unsent"]
    shown = shown[:3] if width < _NARROW else shown
    for name in shown:
        table.add_column(name, justify="right", no_wrap=True)
    named = ""
    for row in rows:
        figures = dict(
            zip(
                names,
                [
                    row.offered, row.achieved, row.service[0].figure, row.service[2].figure,
                    row.lag, row.late, row.starved, row.never_sent,
                ],
                strict=True,
            )
        )  # fmt: skip
        style = "" if row.valid else "dim"
        table.add_row(
            Text("" if row.scenario == named else row.scenario),
            Text(row.stack, style),
            *(Text(figures[name], style) for name in shown),
        )
        named = row.scenario
    return [Text(""), table]


def _verdict_cells(
    cell: CellRow, ratio: Ratio | None, narrow: bool, *, is_baseline: bool
) -> list[Text]:
    if not cell.valid:
        return [Text(""), _verdict(Verdict.INVALID)]
    if ratio is None:
        return [Text("baseline" if is_baseline else "", "dim"), Text("")]
    if ratio.verdict is Verdict.INVALID:
        return [Text(""), _verdict(Verdict.INVALID)]
    figure = ratio.figure if narrow else f"{ratio.figure} {ratio.interval}"
    return [Text(figure), _verdict(ratio.verdict)]


def _verdict(verdict: Verdict) -> Text:
    return Text(f"{SIGNS[verdict]} {verdict}", _STYLES[verdict])


def _below(analysis: Analysis, cells: Iterable[CellRow]) -> list[Text]:
    """What the table has no room for: the reasons, and how far verdicts go."""
    lines = [
        Text.assemble(
            ("invalid  ", _STYLES[Verdict.INVALID]), f"{cell.scenario}, {cell.stack}: {cell.reason}"
        )
        for cell in cells
        if not cell.valid
    ]
    loads = dict.fromkeys(cell.load for cell in cells)
    note = f"{outline.rounds_words(analysis)}, noise floor ±{formats.percent(analysis.noise_floor)}"
    decides = outline.headlines(outline.parts(analysis))
    if outline.MEDIAN in decides:
        note = f"{'; '.join(loads)}; {note}; latency and lag in ms, from the intended start"
    if outline.START in decides:
        started = [part.name for part in outline.parts(analysis) if part.counts_starts]
        lines.append(Text(f"{formats.listing(started)}: p50 is the median start, and decides"))
    if outline.fewest_rounds(analysis) < outline.MIN_ROUNDS_FOR_VERDICT:
        note += f"; a verdict needs at least {outline.MIN_ROUNDS_FOR_VERDICT} rounds"
    return [Text(""), *lines, Text(note, "dim")]
