"""How it was measured, and what the figures can't say."""

from __future__ import annotations

from harness.report import formats
from harness.report.content import (
    DOCUMENTS,
    PAGE,
    Block,
    Bullets,
    Cell,
    Column,
    Row,
    Section,
    Subheading,
    Table,
)
from harness.report.sections import figures
from harness.report.view import Part, View
from harness.report.words import limits as limit_words
from harness.report.words import method as method_words


def method(view: View) -> Section:
    """How it was measured, where the time went, and what the stacks are."""
    blocks: list[Block] = [Bullets(method_words.method(view))]
    if view.parts:
        blocks += [
            Subheading("Where the time went", outputs=PAGE),
            Table(
                "measuring time",
                (
                    Column("Scenario"),
                    Column("Load"),
                    Column("Rounds", is_number=True),
                    Column("Stacks", is_number=True),
                    Column("Slice", is_number=True),
                    Column("Slices per stack and round", is_number=True),
                    Column("Warm-up per stack and round", is_number=True),
                    Column("Under load, all rounds", is_number=True),
                ),
                tuple(_effort(part) for part in view.parts),
                is_dense=False,
                outputs=PAGE,
            ),
        ]
    if view.stacks:
        blocks += [
            Subheading("The stacks"),
            Table(
                "stacks",
                (
                    Column("Stack"),
                    Column("Server"),
                    Column("Options and settings"),
                    Column("What it shows"),
                ),
                tuple(
                    Row(
                        (
                            Cell(stack.label, is_strong=True),
                            Cell(stack.server),
                            Cell(
                                "",
                                codes=(
                                    *((" ".join(stack.options),) if stack.options else ()),
                                    *(f"{name}={value}" for name, value in stack.settings.items()),
                                ),
                            ),
                            Cell(stack.isolates),
                        )
                    )
                    for stack in view.stacks.values()
                ),
                is_dense=False,
            ),
        ]
    return Section("method", "How it was measured", tuple(blocks), "Method", DOCUMENTS)


def _effort(part: Part) -> Row:
    """How long a part was measured: its slices, and all of its rounds with warm-up."""
    plan = part.plan
    slices = figures.count(round(part.slices_per_round))
    of_load = (
        Cell(f"{part.slice_s:.2g}{formats.NBSP}s", part.slice_s)
        if part.slices_per_round
        else figures.NOTHING,
        slices,
        Cell(f"{plan.warmup_s:g}{formats.NBSP}s", plan.warmup_s),
        Cell(formats.duration(part.loaded_s), part.loaded_s),
    )
    of_starts = (
        Cell("a start"),
        slices,
        figures.NOTHING,
        figures.NOTHING,
    )
    return Row(
        (
            Cell(part.name, is_strong=True),
            Cell(part.load),
            figures.count(part.rounds),
            figures.count(len(plan.stacks)),
            *(of_starts if part.counts_starts else of_load),
        )
    )


def limits(view: View) -> Section:
    """What the figures can't say, and what could not be made equal."""
    blocks: list[Block] = [Bullets(limit_words.limits(view))]
    if unequal := limit_words.unequal(view):
        blocks += [Subheading("What could not be made equal"), Bullets(unequal)]
    heading = "What these figures can't say"
    return Section("limits", heading, tuple(blocks), "Limits", DOCUMENTS)
