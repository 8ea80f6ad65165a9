"""Runs side by side: page, summary, chart and terminal tables, from one comparison."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from rich.console import RenderableType

from harness.models import Change, Difference, Estimate, Moved, RunName, RunsCompared
from harness.report import formats
from harness.report.charts import between as chart
from harness.report.charts import picture
from harness.report.content import (
    DOCUMENTS,
    TERMINAL,
    Block,
    Bullets,
    Cell,
    Column,
    Drawing,
    Output,
    Paragraph,
    Row,
    Section,
    Table,
    note,
)
from harness.report.markdown import markdown
from harness.report.page import page
from harness.report.terminal import Terminal
from harness.report.words import between as words
from harness.report.words.heading import Heading, when

_NAME = "between"
#: Columns of a terminal that has room for the figures of both runs beside their quotient, and how
#: many more it takes for the intervals of these.
_ROOM, _WIDER = 100, 30
#: Packages that no stack imports are named in a terminal only if they are few.
_FEW = 8
#: Differences that may have changed what is measured.
_OWN = ("twinbench's commit", "twinbench")


def render_between(compared: RunsCompared) -> dict[str, bytes]:
    """The files of the report: index.html, summary.md, and the chart as SVG and PNG."""
    caption = chart.caption(compared)
    drawn = {_NAME: picture(_NAME, caption, chart.draw(compared, caption))}
    head, declared = _heading(compared), _sections(compared)
    return {
        "index.html": page(head, declared, drawn).encode(),
        "summary.md": markdown(head, declared, drawn).encode(),
        f"charts/{_NAME}.svg": drawn[_NAME].svg.encode(),
        f"charts/{_NAME}.png": drawn[_NAME].png,
    }


def between_terminal(compared: RunsCompared) -> RenderableType:
    """The results as tables."""
    return Terminal(_sections(compared))


def _heading(compared: RunsCompared) -> Heading:
    names = formats.listing([f"{run.label} ({run.name})" for run in compared.runs])
    return Heading(words.title(compared), compared.runs[-1].name, (f"Runs {names}.",))


def _sections(compared: RunsCompared) -> tuple[Section, ...]:
    sections = (
        _runs(compared),
        _changed(compared),
        _not_comparable(compared),
        _secondary(compared),
        _own(compared),
        _method(compared),
    )
    return tuple(section for section in sections if section is not None)


# ------------------------------------------------------------- what the runs differ in


def _runs(compared: RunsCompared) -> Section:
    names = Table(
        "runs",
        (Column(""), Column("Run"), Column("Measured"), Column("Machine", outputs=DOCUMENTS)),
        tuple(
            Row(
                (
                    Cell(run.label, is_strong=True),
                    Cell(run.name),
                    Cell(when(run.started, run.ended)),
                    Cell(run.machine or "not recorded"),
                )
            )
            for run in compared.runs
        ),
        is_dense=False,
    )
    blocks: list[Block] = [names]
    differing = compared.differences
    if not differing:
        blocks.append(note("Nothing else that was recorded differs between the runs."))
    else:
        blocks.append(_difference_table(compared, differing, DOCUMENTS))
        minor = [each for each in differing if each.is_minor]
        few = len(minor) <= _FEW
        shown = [each for each in differing if few or not each.is_minor]
        if shown:
            blocks.append(_difference_table(compared, shown, TERMINAL))
        if not few:
            blocks.append(
                note(
                    f"{len(minor)} packages that stacks don't import differ too; --json names them.",
                    outputs=TERMINAL,
                )
            )
    if any(each.what in _OWN for each in differing):
        blocks.append(
            note(
                "The runs were measured by different versions of twinbench. The lines of its changelog "
                "that begin with Results say which versions can't be compared."
            )
        )
    return Section("runs", "The runs, and what differs between them", tuple(blocks), "Runs")


def _difference_table(
    compared: RunsCompared, differing: Sequence[Difference], outputs: frozenset[Output]
) -> Table:
    return Table(
        "differences",
        (Column("Differs"), *(Column(run.label) for run in compared.runs)),
        tuple(
            Row(
                (
                    Cell(each.what),
                    *(
                        Cell(formats.clean(value) or ("absent" if each.is_package else "unknown"))
                        for value in each.values
                    ),
                )
            )
            for each in differing
        ),
        is_dense=False,
        outputs=outputs,
    )


# ------------------------------------------------------------------------ what changed


def _changed(compared: RunsCompared) -> Section:
    shown = [moved for moved in compared.headlines if moved.change is not Change.NOT_COMPARABLE]
    blocks: list[Block] = [Paragraph((" ".join(words.conclusion(compared)),))]
    blocks += [note(sentence) for sentence in words.other_machines(compared)]
    if shown:
        blocks += [Drawing(_NAME), _table("changes", compared, shown, _ratio)]
    return Section("changes", "What changed", tuple(blocks), "Changes")


def _not_comparable(compared: RunsCompared) -> Section | None:
    reasons: dict[tuple[str, str], None] = {}
    for moved in (*compared.ratios, *compared.figures):
        hidden = not moved.baseline and compared.machines_differ(_run(compared, moved.after))
        if moved.change is Change.NOT_COMPARABLE and not hidden:
            metric = "" if not moved.is_secondary else f", {words.METRICS[moved.metric]}"
            who = moved.subject if moved.baseline or moved.is_secondary else f"{moved.stack} alone"
            named = f"{moved.after}: " if len(compared.runs) > 2 else ""
            reasons[f"{named}{moved.block}: {who}{metric}", formats.clean(moved.reason)] = None
    # What a ratio says already is not said of its stacks again.
    said = {reason for (what, reason) in reasons if "÷" in what}
    rows = tuple(
        Row((Cell(what), Cell(reason)))
        for what, reason in reasons
        if "÷" in what or reason not in said
    )
    if not rows:
        return None
    table = Table("not compared", (Column("Not compared"), Column("Because")), rows, is_dense=False)
    return Section("not-compared", "What can't be compared, and why", (table,), "Not compared")


def _run(compared: RunsCompared, label: str) -> RunName:
    return next(run for run in compared.runs if run.label == label)


def _secondary(compared: RunsCompared) -> Section | None:
    shown = [
        moved
        for moved in compared.ratios
        if moved.is_secondary and moved.change is not Change.NOT_COMPARABLE
    ]
    if not shown:
        return None
    changed = [moved for moved in shown if moved.changed]
    blocks: list[Block] = [_table("other metrics", compared, shown, _ratio, outputs=DOCUMENTS)]
    if changed:
        blocks += [_table("other metrics", compared, changed, _ratio, outputs=TERMINAL)]
    blocks.append(
        note(
            f"{len(changed) or 'None'} of {formats.plural(len(shown), 'other ratio')} (latency, CPU time, steps "
            "of a ladder) changed beyond the noise. These don't decide the exit code."
        )
    )
    return Section("secondary", "Ratios in other metrics", tuple(blocks), "Other metrics")


def _own(compared: RunsCompared) -> Section | None:
    again = {run.label for run in compared.repeated}
    shown = [
        moved
        for moved in compared.figures
        if moved.change is not Change.NOT_COMPARABLE and moved.after not in again
    ]
    if not shown:
        return None
    leading = [moved for moved in shown if not moved.is_secondary]
    blocks: list[Block] = [
        _table("the stacks' own figures", compared, shown, _figure, outputs=DOCUMENTS)
    ]
    if leading:
        blocks.append(
            _table("the stacks' own figures", compared, leading, _figure, outputs=TERMINAL)
        )
    blocks += [note(sentence) for sentence in words.drifting(compared)]
    return Section("own", "Each stack's own figures", tuple(blocks), "Own figures")


def _table(
    name: str,
    compared: RunsCompared,
    shown: Sequence[Moved],
    cell: Callable[[Moved, Estimate | None], Cell],
    *,
    outputs: frozenset[Output] = DOCUMENTS | TERMINAL,
) -> Table:
    first, second = compared.runs[0].label, compared.runs[1].label
    is_history = len(compared.runs) > 2
    is_own = not shown[0].baseline
    names_metric = is_own or len({moved.metric for moved in shown}) > 1
    metrics = words.COLUMNS if is_own else words.METRICS
    blocks = {moved.block for moved in shown}
    names_load = len(blocks) > len({block.scenario for block in blocks})
    room = _ROOM + 6 * is_history + 20 * names_metric
    # All runs of a ratio stand together.
    places = {key: place for place, key in enumerate(dict.fromkeys(map(_key, shown)))}

    def row(moved: Moved) -> Row:
        cells = [
            Cell(str(moved.block) if names_load else moved.block.scenario),
            Cell(moved.subject),
            *([Cell(metrics[moved.metric])] if names_metric else []),
            *([Cell(moved.after)] if is_history else []),
            cell(moved, moved.earlier),
            cell(moved, moved.later),
            _ratio(moved, moved.quotient),
            Cell(words.change_words(moved.change), is_strong=moved.changed),
        ]
        return Row(tuple(cells), group=str(moved.block))

    return Table(
        name,
        (
            Column("Scenario", is_group=True),
            Column("Stack" if is_own else "Candidate ÷ baseline"),
            *([Column("Metric")] if names_metric else []),
            *([Column("Run")] if is_history else []),
            Column(first, is_number=True, details_from=room + _WIDER, from_width=room),
            Column(
                "Later" if is_history else second,
                is_number=True,
                details_from=room + _WIDER,
                from_width=room,
            ),
            Column(
                f"Later ÷ {first}" if is_history else f"{second} ÷ {first}",
                is_number=True,
                short_heading=f"÷ {first}" if is_history else "",
                details_from=0,
            ),
            Column("Change"),
        ),
        tuple(row(moved) for moved in sorted(shown, key=lambda moved: places[_key(moved)])),
        outputs=outputs,
    )


def _key(moved: Moved) -> tuple[object, ...]:
    return moved.block, moved.subject, moved.metric


def _ratio(_moved: Moved, value: Estimate | None) -> Cell:
    assert value is not None
    return Cell(
        formats.ratio(value.value),
        value.value,
        detail=formats.ratio_interval(value.value, value.low, value.high),
    )


def _figure(_moved: Moved, value: Estimate | None) -> Cell:
    assert value is not None
    return Cell(
        formats.number(value.value),
        value.value,
        detail=formats.interval(value.low, value.high),
    )


def _method(compared: RunsCompared) -> Section:
    return Section(
        "method",
        "How runs are compared",
        (Bullets(words.method(compared)),),
        "Method",
        DOCUMENTS,
    )
