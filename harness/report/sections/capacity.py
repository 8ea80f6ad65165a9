"""The highest rate at which each stack keeps a promise, and its latency at shares of that rate."""

from __future__ import annotations

import math

from harness.models import AtShare, Capacity
from harness.report import formats
from harness.report.content import (
    DOCUMENTS,
    TERMINAL,
    Block,
    Cell,
    Column,
    Drawing,
    Paragraph,
    Row,
    Section,
    Table,
    note,
)
from harness.report.metrics import CPU, MEMORY
from harness.report.sections import figures
from harness.report.sections.overview import WIDE
from harness.report.view import View

_NOTE = (
    "The highest rate of open load, with Poisson arrivals, at which the promise holds; each round "
    "searches anew. The interval goes by rounds, and holds ±2.5 % for what windows of this length "
    "are off by. “Limited by” says what breaks the promise just above."
)
_SHARES_NOTE = (
    "Each stack at shares of its own capacity, as each round found it. Latency counts from when "
    "requests were due."
)


def capacity(view: View) -> Section | None:
    """Capacities and latency below them; None if the run did not search for any."""
    found = view.analysis.capacities
    if not found:
        return None
    promises = dict.fromkeys(f"{each.slo} in {each.scenario}" for each in found)
    blocks: list[Block] = [
        Paragraph((f"Promise: {formats.listing(list(promises))}.",), outputs=TERMINAL),
        Drawing("capacity"),
        Table("capacities", _columns(), tuple(_row(each) for each in found)),
        *(note(f"{each.stack}: {each.reason}.") for each in found if not each.valid),
        note(_NOTE),
    ]
    rows = tuple(_share_row(each, at) for each in found for at in each.at_shares)
    if rows:
        blocks += [
            Drawing("load-shares"),
            Table("latency below capacity", _share_columns(), rows),
            note(_SHARES_NOTE),
        ]
    return Section("capacity", "Capacity", tuple(blocks), "Capacity")


def _columns() -> tuple[Column, ...]:
    return (
        Column("Promise", is_group=True, outputs=DOCUMENTS),
        Column("Stack"),
        Column("Requests/s", is_number=True, short_heading="Req/s", details_from=0),
        Column("For each core", is_number=True, from_width=WIDE + 24),
        Column("× baseline", details_from=WIDE),
        Column("Limited by"),
        Column(CPU.column, is_number=True, from_width=WIDE + 24),
        Column(MEMORY.column, is_number=True, from_width=WIDE + 24),
        Column("Rounds", is_number=True, from_width=WIDE),
    )


def _row(found: Capacity) -> Row:
    promise = f"{found.scenario}: {found.slo}"
    known = math.isfinite(found.rate_rps.value)
    ratio = found.ratio
    return Row(
        (
            Cell(promise),
            Cell(found.stack, is_strong=True),
            figures.estimate(found.rate_rps) if known else Cell("not known"),
            figures.number(found.per_core_rps),
            Cell(
                formats.ratio(ratio.value),
                ratio.value,
                detail=formats.ratio_interval(ratio.value, ratio.low, ratio.high),
            )
            if math.isfinite(ratio.value)
            else Cell("baseline" if found.stack == found.baseline else formats.NOTHING),
            Cell(str(found.limited_by or formats.NOTHING)),
            figures.number(found.cpu_us_per_request),
            figures.number(found.pss_mib),
            figures.count(found.rounds),
        ),
        group=promise,
        is_valid=found.valid,
    )


def _share_columns() -> tuple[Column, ...]:
    return (
        Column("Stack", is_group=True),
        Column("Of capacity", is_number=True),
        Column("Requests/s", is_number=True, short_heading="Req/s"),
        Column("p50 ms", is_number=True, details_from=WIDE),
        Column("p99 ms", is_number=True, details_from=WIDE),
    )


def _share_row(found: Capacity, at: AtShare) -> Row:
    return Row(
        (
            Cell(found.stack),
            Cell(formats.percent(at.share), at.share),
            figures.number(at.rate_rps),
            *(
                figures.estimate(at.latency_ms[name])
                if math.isfinite(at.latency_ms[name].value)
                else Cell("too few requests", is_quiet=True)
                for name in ("p50", "p99")
            ),
        ),
        group=found.stack,
        is_valid=found.valid and not at.overloaded,
    )
