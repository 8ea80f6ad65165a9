"""What a traffic costs: containers, memory and money that follow from the capacities."""

from __future__ import annotations

import math
from collections.abc import Iterator

from harness.models import Cost, Costing
from harness.report import formats
from harness.report.content import (
    DOCUMENTS,
    Block,
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
from harness.report.sections import figures
from harness.report.sections.overview import WIDE
from harness.report.view import View
from harness.report.words.cost import (
    CONTAINER,
    containers_beside_the_baseline,
    demand_words,
    example_words,
    unlike_containers,
)


def example(view: View) -> Section | None:
    """What an example of a traffic costs; None if the run has no capacity that can be believed."""
    costings = view.analysis.costings
    if not costings:
        return None
    blocks: list[Block] = []
    for costing in costings:
        blocks.append(Paragraph((example_words(costing),)))
        if said := containers_beside_the_baseline(costing):
            blocks.append(Paragraph((said,)))
    blocks.append(Drawing("cost"))
    for costing in costings:
        blocks += _table(costing)
    own = (
        f"twinbench cost {view.run.run_id} --rate R --headroom P --vcpu-hour PRICE --gib-hour PRICE"
    )
    blocks.append(Paragraph(("Your own traffic and prices: ", Code(own), ".")))
    return Section("cost", "What a traffic costs", tuple(blocks), "Cost", DOCUMENTS)


def asked(costing: Costing) -> Section:
    """What the traffic costs that `twinbench cost` was asked about."""
    prices = costing.prices
    words = (
        f"For {demand_words(costing)}; {prices.vcpu_hour:g} for a core and {prices.gib_hour:g} for "
        "a GiB by the hour."
    )
    return Section("cost", "Cost", (Paragraph((words,)), *_table(costing)), "Cost")


def _table(costing: Costing) -> Iterator[Block]:
    """What each stack needs, and why some have no figure."""
    if costing.costs:
        yield Table("cost", _COLUMNS, tuple(_row(made) for made in costing.costs))
    for found in costing.unknown:
        yield note(f"{found.stack}: not known: {found.reason}.")
    if words := unlike_containers(costing):
        yield note(words)
    yield note(CONTAINER)


_COLUMNS = (
    Column("Stack"),
    Column("Capacity", is_number=True, details_from=WIDE, from_width=WIDE),
    Column("Containers", is_number=True, details_from=0),
    Column("Workers", is_number=True, from_width=WIDE),
    Column("Memory GiB", is_number=True, from_width=WIDE),
    Column("Per hour", is_number=True, from_width=WIDE),
    Column(
        "Per million requests",
        is_number=True,
        short_heading="Per million",
        details_from=WIDE + 40,
    ),
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
            figures.number(made.pss_mib / 1024),
            figures.number(made.per_hour),
            figures.estimate(made.per_million) if span else figures.number(made.per_million.value),
            Cell(
                formats.ratio(ratio.value),
                ratio.value,
                detail=formats.ratio_interval(ratio.value, ratio.low, ratio.high),
            )
            if math.isfinite(ratio.value)
            else Cell("baseline" if found.stack == found.baseline else formats.NOTHING),
        )
    )
