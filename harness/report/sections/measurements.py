"""The charts, and every measurement in figures."""

from __future__ import annotations

import math

from harness.models import CellSummary, ScheduleKept
from harness.report import formats
from harness.report.charts import CHARTS
from harness.report.content import (
    DOCUMENTS,
    MARKDOWN,
    PAGE,
    TERMINAL,
    Block,
    Cell,
    Column,
    Drawing,
    Paragraph,
    Row,
    Section,
    Subheading,
    Table,
    note,
)
from harness.report.metrics import CPU, LATENCIES, MEDIAN, MEMORY, P99, PERCENTILES, THROUGHPUT
from harness.report.sections import figures
from harness.report.view import Part, View, overload_words
from harness.report.words.notes import SCHEDULE_NOTE, starts_note, unsupported_note
from harness.report.words.pauses import PAUSES_NOTE, pausing_cells

#: Columns of a terminal from which all of a schedule has room, and from which more than its heart.
_WIDEST, _NARROW = 102, 76


def charts(view: View) -> Section:
    """The charts that do not stand with a table."""
    drawings = [
        Drawing(name, chart.contents)
        for name, chart in CHARTS.items()
        if chart.contents and chart.has_something(view)
    ]
    return Section("charts", "Charts", tuple(drawings), outputs=DOCUMENTS)


def measurements(view: View) -> Section:
    """Every cell in figures, and how the schedule of open load was kept."""
    blocks: tuple[Block, ...] = (Paragraph(("No round has finished.",), outputs=DOCUMENTS),)
    if view.measured_parts:
        blocks = (*_cells(view), *_endpoints(view), *_pauses(view), *_schedules(view))
    return Section("cells", "All measurements", blocks, "Measurements")


def _cells(view: View) -> tuple[Block, ...]:
    explained = (
        "Small figures are 95 % intervals over rounds. CPU time is that of the server's process "
        "tree per request. Busy: throughput × CPU time as a share of the cores that its workers can "
        "fill; below about 90 %, the number of users limits the requests per second of closed load."
    )
    blocks: list[Block] = [
        Table(
            "measurements",
            (
                Column("Scenario", is_group=True),
                Column("Stack"),
                Column("Load", outputs=MARKDOWN),
                Column("Rounds", is_number=True, outputs=MARKDOWN),
                Column("Requests", is_number=True),
                Column("Errors", is_number=True, outputs=MARKDOWN),
                *(
                    Column(metric.column, is_number=True)
                    for metric in (THROUGHPUT, *LATENCIES, CPU, MEMORY)
                ),
                Column("Busy", is_number=True),
                Column("Valid", outputs=MARKDOWN),
            ),
            tuple(_cell_row(part, cell) for part in view.parts for cell in part.cells),
            outputs=DOCUMENTS,
        ),
        note(explained, outputs=PAGE),
    ]
    for words in (starts_note(view), unsupported_note(view)):
        if words:
            blocks.append(note(words, outputs=DOCUMENTS))
    return tuple(blocks)


def _cell_row(part: Part, cell: CellSummary) -> Row:
    return figures.row(
        part,
        (
            figures.scenario(part, formats.plural(part.rounds, "round")),
            figures.stack(cell),
            Cell(part.load),
            figures.count(cell.rounds),
            Cell(
                f"{cell.requests:,}",
                cell.requests,
                aside=(formats.plural(cell.errors, "error"),),
            ),
            figures.count(cell.errors),
            figures.metric_of(THROUGHPUT, cell),
            *(figures.metric_of(metric, cell) for metric in LATENCIES),
            figures.metric_of(CPU, cell),
            figures.number(MEMORY.of(cell).value),
            Cell(formats.percent(cell.core_share), cell.core_share)
            if math.isfinite(cell.core_share)
            else figures.NOTHING,
            Cell(_validity(cell)),
        ),
        cell,
    )


def _validity(cell: CellSummary) -> str:
    if not cell.valid:
        return f"invalid: {formats.clean(cell.reason)}"
    return f"yes, but {overload_words(cell)}" if cell.overloaded else "yes"


def _endpoints(view: View) -> tuple[Block, ...]:
    rows = tuple(
        Row(
            (
                figures.scenario(part),
                figures.stack(cell),
                Cell(each.endpoint),
                figures.count(each.requests),
                figures.count(each.errors),
                figures.estimate(each.throughput_rps),
                figures.estimate(each.latency_ms["p50"]),
                figures.estimate(each.latency_ms["p99"]),
            ),
            group=str(part.plan.key),
            is_valid=cell.valid,
        )
        for part in view.parts
        for cell in part.cells
        for each in cell.endpoints
    )
    if not rows:
        return ()
    return (
        Subheading("By endpoint", outputs=DOCUMENTS),
        Table(
            "endpoints",
            (
                Column("Scenario", is_group=True),
                Column("Stack"),
                Column("Endpoint"),
                Column("Requests", is_number=True),
                Column("Failed", is_number=True),
                *(Column(metric.column, is_number=True) for metric in (THROUGHPUT, MEDIAN, P99)),
            ),
            rows,
            outputs=DOCUMENTS,
        ),
        note(
            "The same users send all of these requests. So a stack that is slow at one endpoint also "
            "serves fewer requests of the others; latency tells them apart.",
            outputs=DOCUMENTS,
        ),
    )


def _pauses(view: View) -> tuple[Block, ...]:
    rows = tuple(
        figures.row(
            part,
            (
                figures.scenario(part),
                figures.stack(cell),
                figures.count(found.count),
                figures.number(found.per_1000_requests),
                figures.number(found.p50_ms),
                figures.number(found.longest_ms),
                Cell(formats.percent(found.time_share), found.time_share),
                Cell("yes" if found.recurring else "no"),
            ),
        )
        for part, cell, found in pausing_cells(view)
    )
    if not rows:
        return ()
    return (
        Subheading("Pauses in which all users wait at once", outputs=DOCUMENTS),
        Table(
            "pauses",
            (
                Column("Scenario", is_group=True),
                Column("Stack"),
                Column("Pauses", is_number=True),
                Column("In 1,000 requests", is_number=True),
                Column("Median ms", is_number=True),
                Column("Longest ms", is_number=True),
                Column("Of its time", is_number=True),
                Column("Recurring"),
            ),
            rows,
            outputs=DOCUMENTS,
        ),
        note(PAUSES_NOTE, outputs=DOCUMENTS),
    )


def _schedules(view: View) -> tuple[Block, ...]:
    rows = tuple(
        _schedule_row(part, cell, cell.schedule)
        for part in view.parts
        for cell in part.cells
        if cell.schedule
    )
    if not rows:
        return ()
    return (
        Subheading("Open load: how the schedule was kept", outputs=DOCUMENTS),
        Table(
            "schedules",
            (
                Column("Scenario", is_group=True, short_heading="Schedule"),
                Column("Stack"),
                Column("Offered/s", is_number=True, short_heading="Due/s"),
                Column("Achieved/s", is_number=True, short_heading="Done/s"),
                *(
                    Column(
                        percentile.label,
                        is_number=True,
                        over="Service time, ms",
                        outputs=DOCUMENTS | TERMINAL if key in ("p50", "p99") else DOCUMENTS,
                        short_heading=f"Serv. {percentile.label}",
                        from_width=_WIDEST,
                    )
                    for key, percentile in PERCENTILES.items()
                ),
                Column("Lag p99 ms", is_number=True, short_heading="Lag p99"),
                Column("Late", is_number=True, from_width=_WIDEST),
                Column("Starved", is_number=True, from_width=_WIDEST),
                Column("Never sent", is_number=True, short_heading="Unsent", from_width=_NARROW),
                Column("Valid", outputs=MARKDOWN),
            ),
            rows,
        ),
        note(SCHEDULE_NOTE, outputs=DOCUMENTS),
    )


def _schedule_row(part: Part, cell: CellSummary, kept: ScheduleKept) -> Row:
    row = figures.row(
        part,
        (
            Cell(part.title),
            figures.stack(cell),
            figures.number(kept.offered_rps, 4),
            figures.number(kept.achieved_rps, 4),
            *(figures.estimate(kept.service_ms[key]) for key in PERCENTILES),
            figures.number(kept.lag_p99_ms, 2),
            figures.count(kept.late),
            figures.count(kept.starved),
            figures.count(kept.never_sent),
            Cell("yes" if cell.valid else "invalid"),
        ),
    )
    return Row(row.cells, row.group, is_valid=cell.valid)
