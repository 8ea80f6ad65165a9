"""CPU and memory by process: stacks, services, load and twinbench itself."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import replace
from statistics import median

from harness.models import BlockUsage, CellRound, CellSummary, Measures, Usage
from harness.report import formats
from harness.report.content import (
    DOCUMENTS,
    Block,
    Bullets,
    Cell,
    Column,
    Row,
    Section,
    Subheading,
    Table,
    note,
)
from harness.report.metrics import MEMORY
from harness.report.sections import figures
from harness.report.view import Part, View
from harness.report.words.disturbed import disturbed
from harness.report.words.notes import START_UP_NOTE, USAGE_NOTE

_MIB = 1 << 20
_NAMES = {"postgres": "PostgreSQL", "upstream": "upstream", "harness": "twinbench itself"}


def resources(view: View) -> Section | None:
    """What each process used while it was measured; None if nothing was recorded."""
    blocks = (*_usage(view), *_start_up(view))
    if not blocks:
        return None
    return Section("resources", "CPU and memory by process", blocks, "Resources", DOCUMENTS)


# --------------------------------------------------------------------------- usage


def _usage(view: View) -> tuple[Block, ...]:
    rows = tuple(row for part in view.parts for row in _of_part(view, part))
    if not rows:
        return ()
    others = disturbed(view)
    harness = _share(view.analysis.harness_core_share).text
    return (
        Table(
            "resources",
            (
                Column("Scenario", is_group=True),
                Column("Process"),
                Column("CPU of a core", is_number=True),
                Column(MEMORY.column, is_number=True),
                Column("Unique MiB", is_number=True),
                Column("Threads", is_number=True),
                Column("Context switches", is_number=True),
            ),
            rows,
        ),
        *((Bullets(others),) if others else ()),
        note(
            f"{USAGE_NOTE} twinbench itself (metering and turn-taking) used at most {harness} of a "
            "core while stacks had their turns."
        ),
    )


def _of_part(view: View, part: Part) -> Iterator[Row]:
    """The part's stacks, then everybody else."""
    for cell in part.cells:
        measured = [
            round_of_cell
            for finished in view.run.rounds
            for round_of_cell in finished.cells
            if round_of_cell.key == cell.key
        ]
        servers = [of_round.server for of_round in measured if of_round.server is not None]
        if measured and len(servers) == len(measured):
            yield _of_stack(part, cell, measured, servers)
        elif measured:
            yield _unmetered(part, cell)
    blocks = [
        block
        for finished in view.run.rounds
        for block in finished.blocks
        if block.key == part.plan.key and block.wall_s
    ]
    roles = dict.fromkeys(role for block in blocks for role in block.roles)
    for role in sorted(roles, key=lambda name: name == "harness"):  # twinbench itself last
        yield _of_role(part, role, [block for block in blocks if role in block.roles])


def _of_stack(
    part: Part, cell: CellSummary, measured: Sequence[CellRound], servers: Sequence[Usage]
) -> Row:
    requests = sum(of_round.requests for of_round in measured)
    switches = sum(server.context_switches for server in servers)
    per = "start" if part.counts_starts else "request"
    row = _row(
        part,
        figures.stack(cell),
        servers,
        sum(of_round.wall_s for of_round in measured),
        Cell(f"{formats.number(switches / requests, 2)} per {per}", switches / requests)
        if requests
        else figures.NOTHING,
        # The process of a test client holds our own code.
        knows_memory=part.plan.scenario.measures is not Measures.TEST_CLIENT,
    )
    return replace(row, is_valid=cell.valid)


def _unmetered(part: Part, cell: CellSummary) -> Row:
    """A stack whose processes can't be seen."""
    unknown = (figures.NOTHING,) * 5
    return figures.row(part, (Cell(part.title), figures.stack(cell), *unknown))


def _of_role(part: Part, role: str, blocks: Sequence[BlockUsage]) -> Row:
    used = [block.roles[role] for block in blocks]
    wall_s = sum(block.wall_s for block in blocks)
    per_s = sum(usage.context_switches for usage in used) / wall_s
    name = _NAMES.get(role, role.replace("load", "load process"))
    switches = Cell(f"{formats.number(per_s, 2)} per{formats.NBSP}s", per_s)
    return _row(part, Cell(name, is_quiet=True), used, wall_s, switches)


def _row(
    part: Part,
    process: Cell,
    used: Sequence[Usage],
    wall_s: float,
    switches: Cell,
    *,
    knows_memory: bool = True,
) -> Row:
    return figures.row(
        part,
        (
            Cell(part.title),
            process,
            _share(sum(usage.cpu_s for usage in used) / wall_s) if wall_s else figures.NOTHING,
            figures.number(max(usage.pss_bytes for usage in used) / _MIB)
            if knows_memory
            else figures.NOTHING,
            _unique(used) if knows_memory else figures.NOTHING,
            figures.count(max(usage.threads for usage in used)),
            switches,
        ),
    )


def _unique(used: Sequence[Usage]) -> Cell:
    """What it shares with no other process."""
    known = [usage.uss_bytes for usage in used if usage.uss_bytes is not None]
    return figures.number(max(known) / _MIB) if len(known) == len(used) else figures.NOTHING


def _share(share: float) -> Cell:
    """Of a core; less than a thousandth of one is as good as nothing."""
    text = formats.percent(share) if share >= 0.001 else f"under 0.1{formats.NBSP}%"
    return Cell(text, share)


# ------------------------------------------------------------------------ start-up


def _start_up(view: View) -> tuple[Block, ...]:
    """How long each stack took from spawn to its first good answer."""
    seconds: dict[str, list[float]] = defaultdict(list)
    for finished in view.run.rounds:
        for stack, ready_s in finished.ready_s.items():
            seconds[stack].append(ready_s)
    rows = tuple(
        _start_row(label, values) for label in view.stacks if (values := seconds.get(label))
    )
    if not rows:
        return ()
    return (
        Subheading("Start-up"),
        Table(
            "start-up times",
            (
                Column("Stack"),
                Column("Median", is_number=True),
                Column("Quickest to slowest", is_number=True),
            ),
            rows,
            is_dense=False,
        ),
        note(START_UP_NOTE),
    )


def _start_row(label: str, seconds: Sequence[float]) -> Row:
    quickest, slowest = formats.number(min(seconds), 2), formats.number(max(seconds), 2)
    middle = median(seconds)
    return Row(
        (
            Cell(label, is_strong=True),
            Cell(f"{formats.number(middle, 2)}{formats.NBSP}s", middle),
            Cell(
                f"{quickest} to {slowest}{formats.NBSP}s in {formats.plural(len(seconds), 'round')}"
            ),
        )
    )
