"""Candidates beside their baselines, and the steps between the twins."""

from __future__ import annotations

from harness.report import formats
from harness.report.content import (
    DOCUMENTS,
    MARKDOWN,
    PAGE,
    TERMINAL,
    Block,
    Cards,
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
from harness.report.sections import figures
from harness.report.sections.overview import INTERVALS
from harness.report.sections.ratios import ratios
from harness.report.view import Fall, Pair, Part, View
from harness.report.words.attribution import LADDER_NOTE, attribution
from harness.report.words.limited import limited_note


def comparisons(view: View) -> Section:
    """Every ordinary comparison, a row for each scenario, load and pair."""
    rows = tuple(_pair_row(view, part, pair) for part in view.parts for pair in part.pairs)
    blocks: tuple[Block, ...] = (Drawing("ratios"),)
    if any(part.compared for part in view.parts):
        blocks = (Drawing("ratios", outputs=MARKDOWN), ratios(view))
    if rows:
        table = Table("comparisons", _pair_columns(view), rows)
        explained = note(
            "Ratios with their 95 % intervals. “Faster” always speaks of the candidate: more "
            "requests per second (above 1 ×), less time or less CPU time (below 1 ×)."
        )
        blocks = (*blocks, table, *_limited(view), explained)
    else:
        blocks = (*blocks, Paragraph(("There is nothing to compare.",), outputs=MARKDOWN))
    return Section("comparisons", "Comparisons", blocks, "Comparisons", DOCUMENTS)


def _limited(view: View) -> tuple[Block, ...]:
    words = limited_note(view)
    return (note(words, outputs=DOCUMENTS),) if words else ()


def _pair_columns(view: View) -> tuple[Column, ...]:
    return (
        Column("Scenario", is_group=True),
        Column("Load", outputs=MARKDOWN),
        Column("Rounds", outputs=MARKDOWN),
        Column("Candidate ÷ baseline"),
        *(Column(metric.heading) for metric in view.metrics),
    )


def _pair_row(view: View, part: Part, pair: Pair) -> Row:
    count = max(comparison.rounds for comparison in pair.comparisons.values())
    rounds = formats.plural(count, "round")
    return figures.row(
        part,
        (
            figures.scenario(part, rounds),
            Cell(part.load),
            Cell(rounds, count),
            Cell(pair.candidate, detail=f"÷ {pair.baseline}"),
            *figures.ratios(view, part, pair),
        ),
    )


def steps(view: View) -> Section | None:
    """The ladders, step by step; None if none was measured."""
    if not view.climbing:
        return None
    rows = tuple(_step_row(view, part, fall) for part in view.climbing for fall in part.falls)
    blocks: list[Block] = [
        Drawing("waterfall"),
        Cards(attribution(view), are_paragraphs=True, outputs=DOCUMENTS),
    ]
    if rows:
        blocks += [
            Subheading("The steps in figures", outputs=PAGE),
            Table("steps", _step_columns(view), rows),
        ]
    blocks += [*_limited(view), note(LADDER_NOTE, outputs=DOCUMENTS)]
    return Section("steps", "From Flask to FastAPI, step by step", tuple(blocks), "Steps")


def _step_columns(view: View) -> tuple[Column, ...]:
    """The documents have every metric; a terminal the one that decides, and the verdict beside."""
    return (
        Column("Scenario", is_group=True),
        Column("Step"),
        Column("After ÷ before", outputs=MARKDOWN),
        Column("× before", outputs=TERMINAL, details_from=INTERVALS),
        Column("Verdict", outputs=TERMINAL),
        *(Column(metric.heading, outputs=DOCUMENTS) for metric in view.metrics),
    )


def _step_row(view: View, part: Part, fall: Fall) -> Row:
    pair = fall.pair
    headline = figures.ratio(pair.comparisons.get(part.headline.key))
    return figures.row(
        part,
        (
            figures.scenario(part, formats.plural(part.rounds, "round")),
            Cell(
                fall.words,
                aside=(pair.candidate, f"÷ {pair.baseline}"),
                is_strong=fall.is_total,
            ),
            Cell(f"{pair.candidate} ÷ {pair.baseline}"),
            Cell(headline.text, headline.value, detail=headline.detail),
            Cell("", verdict=headline.verdict, not_judged=headline.not_judged),
            *figures.ratios(view, part, pair),
        ),
    )
