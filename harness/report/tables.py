"""The report's tables: rows of ready text, and how a terminal shows them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from rich.box import SIMPLE_HEAD
from rich.console import Console, ConsoleOptions, Group, RenderableType, RenderResult
from rich.table import Table
from rich.text import Text

from harness.models import Analysis, CellSummary, Comparison, Estimate, Verdict
from harness.report import formats, outline
from harness.report.outline import METRICS, THROUGHPUT

PERCENTILES = {"p50": "p50", "p90": "p90", "p99": "p99", "p999": "p99.9"}
SIGNS = {
    Verdict.FASTER: "▲",
    Verdict.SLOWER: "▼",
    Verdict.SAME: "=",
    Verdict.INCONCLUSIVE: "?",
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
    users: int
    candidate: str
    baseline: str
    size: str  # `16 users, 8 rounds`
    ratios: tuple[Ratio | None, ...]  # in the order of METRICS
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
    users: int
    rounds: int
    size: str  # `16 users, 8 rounds`
    requests: str
    errors: str
    throughput: Measure
    latency: tuple[Measure, ...]  # in the order of PERCENTILES
    cpu: Measure
    pss: str
    valid: bool
    reason: str


@dataclass(frozen=True, slots=True)
class EffortRow:
    """How long one scenario was measured."""

    scenario: str
    users: int
    stacks: int
    slice_s: str
    cycles: int
    warmup_s: str
    loaded: str  # all stacks and rounds, warm-up included


def pair_rows(analysis: Analysis) -> list[PairRow]:
    """Every comparison, one row per scenario and pair."""
    rows: list[PairRow] = []
    for part in outline.parts(analysis):
        for pair in part.pairs:
            verdicts = [comparison.verdict for comparison in pair.comparisons.values()]
            rounds = max(comparison.rounds for comparison in pair.comparisons.values())
            rows.append(
                PairRow(
                    scenario=part.name,
                    users=part.plan.load.users,
                    candidate=pair.candidate,
                    baseline=pair.baseline,
                    size=_size(part.plan.load.users, rounds),
                    ratios=tuple(_ratio(pair.comparisons.get(metric)) for metric in METRICS),
                    why_invalid=part.why_invalid(pair) if Verdict.INVALID in verdicts else "",
                )
            )
    return rows


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
    return [
        _cell_row(cell, part.plan.load.users)
        for part in outline.parts(analysis)
        for cell in part.cells
    ]


def _cell_row(cell: CellSummary, users: int) -> CellRow:
    nothing = Estimate(float("nan"), float("nan"), float("nan"))
    return CellRow(
        scenario=cell.scenario,
        stack=cell.stack,
        users=users,
        rounds=cell.rounds,
        size=_size(users, cell.rounds),
        requests=f"{cell.requests:,}",
        errors=f"{cell.errors:,}",
        throughput=_measure(cell.throughput_rps),
        latency=tuple(_measure(cell.latency_ms.get(key, nothing)) for key in PERCENTILES),
        cpu=_measure(cell.cpu_us_per_request),
        pss=formats.number(cell.pss_mib),
        valid=cell.valid,
        reason=formats.clean(cell.reason),
    )


def _size(users: int, rounds: int) -> str:
    return f"{formats.plural(users, 'user')}, {formats.plural(rounds, 'round')}"


def _measure(estimate: Estimate) -> Measure:
    return Measure(formats.number(estimate.value), formats.interval(estimate.low, estimate.high))


def effort_rows(analysis: Analysis) -> list[EffortRow]:
    """How the time was shared out, scenario by scenario."""
    rounds = outline.rounds_done(analysis)
    return [
        EffortRow(
            scenario=part.name,
            users=part.plan.load.users,
            stacks=len(part.plan.stacks),
            slice_s=f"{part.plan.slice_s:g}{formats.NBSP}s",
            cycles=part.plan.cycles,
            warmup_s=f"{part.plan.warmup_s:g}{formats.NBSP}s",
            loaded=formats.duration(rounds * part.plan.seconds_per_round),
        )
        for part in outline.parts(analysis)
    ]


# ----------------------------------------------------------------------- terminal

_WIDE = 96  # columns from which latency and CPU time have room
_NARROW = 76  # columns below which intervals give way
_STYLES = {
    Verdict.FASTER: "bold green",
    Verdict.SLOWER: "bold red",
    Verdict.SAME: "dim",
    Verdict.INCONCLUSIVE: "yellow",
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
    table = Table(box=SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0), show_edge=False)
    table.add_column("Scenario", overflow="fold", style="bold")
    table.add_column("Stack", overflow="fold")
    table.add_column("Req/s", justify="right", no_wrap=True)
    if wide:
        table.add_column("p50 ms", justify="right", no_wrap=True)
        table.add_column("p99 ms", justify="right", no_wrap=True)
        table.add_column("CPU µs", justify="right", no_wrap=True)
    table.add_column("× baseline" if narrow else "× baseline [95 %]", no_wrap=True)
    table.add_column("Verdict", no_wrap=True)
    pairs = {(row.scenario, row.users, row.candidate): row for row in reversed(pair_rows(analysis))}
    baselines = {(row.scenario, row.users, row.baseline) for row in pairs.values()}
    throughput = list(METRICS).index(THROUGHPUT)
    named: tuple[str, int] | None = None
    for cell in cells:
        here = (cell.scenario, cell.users)
        if named and here != named:
            table.add_section()
        style = "" if cell.valid else "dim"
        values = [Text("" if here == named else cell.scenario), Text(cell.stack, style)]
        named = here
        figures = [cell.throughput.figure]
        if wide:
            figures += [cell.latency[0].figure, cell.latency[2].figure, cell.cpu.figure]
        values += [Text(figure, style) for figure in figures]
        row = pairs.get((*here, cell.stack))
        ratio = row.ratios[throughput] if row else None
        values += _verdict_cells(cell, ratio, narrow, is_baseline=(*here, cell.stack) in baselines)
        table.add_row(*values)
    return Group(table, *_below(analysis, cells))


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
    rounds = outline.rounds_done(analysis)
    note = (
        f"{formats.plural(rounds, 'round')}, noise floor ±{formats.percent(analysis.noise_floor)}"
    )
    if rounds < outline.MIN_ROUNDS_FOR_VERDICT:
        note += f"; a verdict needs at least {outline.MIN_ROUNDS_FOR_VERDICT} rounds"
    return [Text(""), *lines, Text(note, "dim")]
