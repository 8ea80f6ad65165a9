"""The report on held connections: page, summary, chart and terminal table, from one analysis."""

from __future__ import annotations

from rich.console import RenderableType

from harness.models import ConnectionsAnalysis, HeldPoint
from harness.report import formats
from harness.report.charts import connections as chart
from harness.report.charts import picture
from harness.report.content import (
    DOCUMENTS,
    Block,
    Bullets,
    Cell,
    Code,
    Column,
    Drawing,
    Paragraph,
    Row,
    Section,
    Table,
    note,
)
from harness.report.markdown import markdown
from harness.report.page import page
from harness.report.terminal import Terminal
from harness.report.words.connections import (
    STATES,
    TITLES,
    fate_words,
    held_words,
    others_served,
    patience_words,
)
from harness.report.words.heading import Heading, when

_NAME = "connections"


def render_connections(analysis: ConnectionsAnalysis) -> dict[str, bytes]:
    """The files of the report: index.html, summary.md, and the chart as SVG and PNG."""
    words = chart.caption(analysis)
    drawn = {_NAME: picture(_NAME, words, chart.draw(analysis, words))}
    head, declared = _heading(analysis), _sections(analysis)
    return {
        "index.html": page(head, declared, drawn).encode(),
        "summary.md": markdown(head, declared, drawn).encode(),
        f"charts/{_NAME}.svg": drawn[_NAME].svg.encode(),
        f"charts/{_NAME}.png": drawn[_NAME].png,
    }


def connections_terminal(analysis: ConnectionsAnalysis) -> RenderableType:
    """The results as tables."""
    return Terminal(_sections(analysis))


def _heading(analysis: ConnectionsAnalysis) -> Heading:
    record = analysis.record
    stacks = formats.plural(len(record.plan.stacks), "stack")
    rounds = formats.plural(record.plan.rounds, "round")
    return Heading(
        "Connections that are held",
        record.run_id,
        (
            f"{stacks}, {rounds} of fresh processes. Run ",
            Code(record.run_id),
            f", {when(record.started, record.ended)}.",
        ),
    )


def _sections(analysis: ConnectionsAnalysis) -> tuple[Section, ...]:
    problems = (
        (
            Section(
                "problems",
                "Figures that can't be used",
                (*(Paragraph((problem,)) for problem in analysis.problems),),
            ),
        )
        if analysis.problems
        else ()
    )
    return (*problems, _memory(analysis), _others(analysis), _method(analysis))


def _memory(analysis: ConnectionsAnalysis) -> Section:
    rows = tuple(
        Row(
            (
                Cell(TITLES[each.held]),
                Cell(each.stack, is_strong=True),
                Cell(
                    each.reason or formats.number(each.kib.value),
                    each.kib.value,
                    detail=formats.interval(each.kib.low, each.kib.high) if not each.reason else "",
                ),
                Cell(f"{each.up_to:,}", each.up_to),
            ),
            group=TITLES[each.held],
        )
        for each in analysis.memory
    )
    table = Table(
        "memory per connection",
        (
            Column("Connections", is_group=True),
            Column("Stack"),
            Column("KiB per connection", is_number=True, details_from=70),
            Column("Held in every round", is_number=True, short_heading="Held"),
        ),
        rows,
        is_dense=False,
    )
    return Section(
        "memory", "Memory per connection", (Drawing(_NAME, outputs=DOCUMENTS), table), "Memory"
    )


def _others(analysis: ConnectionsAnalysis) -> Section:
    plan = analysis.record.plan
    table = Table(
        "others served",
        (
            Column("Connections", is_group=True),
            Column("Stack"),
            Column("Held", is_number=True),
            Column("Others served", is_number=True, details_from=110),
            Column("Slowest ms", is_number=True, from_width=90),
            Column("PSS MiB", is_number=True),
            Column("USS MiB", is_number=True, from_width=100),
            Column("Threads", is_number=True, from_width=100),
            Column("Not held, because", outputs=DOCUMENTS),
        ),
        tuple(_row(point, analysis) for point in analysis.points),
    )
    explained = note(
        "Others served: an ordinary client connects, asks for /hello and waits at most "
        f"{patience_words(plan)}; {plan.visits} times in each round, one after the other (median, 95 % "
        "interval over rounds). Where it got no reply in time, or the server took no more "
        "connections, larger numbers were not tried."
    )
    return Section("others", "Are others still served?", (table, explained), "Others")


def _row(point: HeldPoint, analysis: ConnectionsAnalysis) -> Row:
    visit = point.visit_ms
    return Row(
        (
            Cell(TITLES[point.held]),
            Cell(point.stack, is_strong=True),
            Cell(held_words(point), point.held_least),
            Cell(
                others_served(point, analysis.record.plan),
                visit.value,
                detail=formats.interval(visit.low, visit.high) if point.serves_others else "",
                is_strong=not point.serves_others,
            ),
            Cell(formats.number(point.slowest_ms), point.slowest_ms),
            Cell(formats.number(point.pss_mib), point.pss_mib),
            Cell(formats.number(point.uss_mib), point.uss_mib),
            Cell(f"{point.threads_most:,}", point.threads_most),
            Cell(fate_words(point)),
        ),
        group=TITLES[point.held],
    )


def _method(analysis: ConnectionsAnalysis) -> Section:
    plan, where = analysis.record.plan, analysis.record.placement
    blocks: list[Block] = [
        Bullets(tuple(STATES[held] for held in plan.held)),
        Paragraph(
            (
                "Each stack is started afresh for each kind of connection in each round, in an order "
                f"drawn from seed {plan.seed}, with "
                f"{formats.plural(plan.workers, 'worker process', 'es')}. The number of connections "
                "rises while the server stays up. The memory per connection is the slope of the "
                "proportional set size over the connections that were held, by least squares in "
                "each round; the state without any is left out where two others were measured. "
                "Intervals are over rounds. Keep-alive time-outs are set so that no "
                "server closes a connection for being idle while it is measured.",
            )
        ),
    ]
    if where.note:
        blocks.append(Paragraph((f"Cores: {where.note}.",)))
    return Section("method", "How it was measured", tuple(blocks), "Method", DOCUMENTS)
