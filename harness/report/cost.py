"""What capacities cost, as a section for the terminal."""

from __future__ import annotations

import math
from collections.abc import Sequence

from harness.models import Capacity, Cost, Demand, Prices
from harness.report import formats
from harness.report.content import Block, Cell, Column, Paragraph, Row, Section, Table, note
from harness.report.sections import figures
from harness.report.sections.overview import WIDE

_CONTAINER = (
    "A container is what was measured: its worker processes, the cores that they can fill and the "
    "memory that they held, without a system of its own. Counts in brackets follow from the 95 % "
    "interval of the capacity. The ratio is that of large traffic, where whole containers don't matter."
)


def cost_section(
    costs: Sequence[Cost], unknown: Sequence[Capacity], demand: Demand, prices: Prices
) -> Section:
    """A table of what each stack needs, and why some have no figure.

    Args:
        costs: of the stacks with a valid capacity.
        unknown: the others.
        demand: what has to be served.
        prices: what was paid.
    """
    first = (*[each.capacity for each in costs], *unknown)[0]
    blocks: list[Block] = [
        Paragraph(
            (
                f"For {formats.number(demand.rate_rps)} requests/s of {first.scenario} with "
                f"{first.slo}, and {formats.percent(demand.headroom)} of each container's capacity "
                f"kept free; {prices.vcpu_hour:g} for a core and {prices.gib_hour:g} for a GiB by the "
                "hour.",
            )
        )
    ]
    if costs:
        blocks.append(Table("cost", _COLUMNS, tuple(_row(each) for each in costs)))
    blocks += [note(f"{each.stack}: not known: {each.reason}.") for each in unknown]
    blocks.append(note(_CONTAINER))
    return Section("cost", "Cost", tuple(blocks), "Cost")


_COLUMNS = (
    Column("Stack"),
    Column("Capacity", is_number=True, details_from=WIDE, from_width=WIDE),
    Column("Containers", is_number=True, details_from=0),
    Column("Workers", is_number=True, from_width=WIDE),
    Column("Memory GiB", is_number=True, from_width=WIDE),
    Column("Per million requests", is_number=True, short_heading="Per million"),
    Column("Containers ÷ baseline", is_number=True, short_heading="÷ baseline", details_from=0),
)


def _row(made: Cost) -> Row:
    found = made.capacity
    span = "" if made.fewest == made.most else f"[{made.fewest:,},{formats.NBSP}{made.most:,}]"
    ratio = made.ratio
    return Row(
        (
            Cell(found.stack, is_strong=True),
            figures.estimate(found.rate_rps),
            Cell(f"{made.containers:,}", made.containers, detail=span),
            figures.count(made.workers),
            figures.number(made.containers * found.pss_mib / 1024),
            figures.number(made.per_million.value),
            Cell(
                formats.ratio(ratio.value),
                ratio.value,
                detail=formats.ratio_interval(ratio.value, ratio.low, ratio.high),
            )
            if math.isfinite(ratio.value)
            else Cell("baseline" if found.stack == found.baseline else formats.NOTHING),
        )
    )
