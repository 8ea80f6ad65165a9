"""An advice as a section for the terminal."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence

from harness.models import Advice, Prediction
from harness.planning.advice import Suggestion
from harness.report import formats
from harness.report.content import (
    Block,
    Cell,
    Code,
    Column,
    Paragraph,
    Row,
    Section,
    Table,
    note,
)
from harness.report.sections import figures
from harness.report.sections.overview import WIDE
from harness.report.words import advice as words


def advice_section(
    advice: Advice, suggestions: Sequence[Suggestion], answers: Mapping[str, bool | None]
) -> Section:
    """The answer: what each stack needs, what helps, how sure that is, and what would make it surer.

    Args:
        advice: the answer.
        suggestions: what would make it surer.
        answers: of the questions that no measurement answers; None: not answered.
    """
    blocks: list[Block] = [Paragraph((" ".join(filter(None, _head(advice))),))]
    blocks.append(Table("advice", _COLUMNS, tuple(_row(each) for each in advice.predictions)))
    blocks += _lines("What the table does not say:", words.remarks(advice))
    blocks.append(Paragraph((words.fewest(advice),)))
    blocks += _lines(f"From {advice.question.baseline}:", words.changes(advice))
    blocks += _lines(words.held_heading(advice), words.held(advice))
    blocks += _lines("How sure:", words.sureness(advice))
    blocks.append(note(words.CLOSED))
    if suggestions:
        blocks.append(Paragraph(("What would make it surer:",)))
        for each in suggestions:
            pieces = (f"{each.why}:\n", Code(each.command)) if each.command else (f"{each.why}.",)
            blocks.append(Paragraph(pieces))
    blocks += _lines("What can't be measured, apart from the figures:", words.answered(answers))
    return Section("advice", "Advice", tuple(blocks), "Advice")


def _head(advice: Advice) -> tuple[str, str]:
    return words.asked(advice), words.elsewhere(advice)


def _lines(heading: str, lines: Iterable[str]) -> list[Block]:
    """Sentences one below the other; nothing without any."""
    found = [f"- {line}" for line in lines]
    return [Paragraph(("\n".join([heading, *found]),))] if found else []


_COLUMNS = (
    Column("Stack"),
    Column("Promise"),
    Column(
        "Requests/s per container", is_number=True, short_heading="Requests/s", details_from=WIDE
    ),
    Column("Containers", is_number=True, details_from=0),
    Column("Workers", is_number=True),
    Column("Memory GiB", is_number=True, short_heading="GiB"),
    Column("Cost per hour", is_number=True, short_heading="Per hour"),
)


def _row(made: Prediction) -> Row:
    need, rate = made.need, made.rate_rps
    name = Cell(made.stack, is_strong=True)
    if not math.isfinite(rate.value):
        return Row((name, Cell(str(made.outcome)), *[figures.NOTHING] * 5), is_valid=False)
    rate_text = formats.number(rate.value)
    least = "≥" + formats.NBSP if made.is_least else ""
    rate_cell = Cell(f"{least}{rate_text}", rate.value, detail=words.interval(rate.low, rate.high))
    if need.containers is None:
        return Row((name, Cell(str(made.outcome)), rate_cell, *[figures.NOTHING] * 4))
    most = "more" if need.most is None else f"{need.most:,}"
    span = f"[{need.fewest:,},{formats.NBSP}{most}]"
    return Row(
        (
            name,
            Cell(str(made.outcome)),
            rate_cell,
            Cell(f"{need.containers:,}", need.containers, detail=span),
            figures.count(need.workers or 0),
            figures.number(need.memory_mib / 1024),
            figures.number(need.hour),
        )
    )
