"""Who used what while it was measured: stacks, services, load and the harness itself."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from statistics import median

from harness.models import Analysis, BlockUsage, CellRound, Measures, Usage
from harness.report import formats, outline
from harness.report.outline import Part

_MIB = 1 << 20
_NAMES = {"postgres": "PostgreSQL", "upstream": "upstream", "harness": "twinbench itself"}


@dataclass(frozen=True, slots=True)
class UsageRow:
    """What one stack used in its own slices of a scenario, or another role in all of them."""

    scenario: str
    load: str
    who: str
    is_stack: bool
    cpu: str  # share of a core
    pss: str
    threads: str
    switches: str  # `1.2 per request` of a stack, `40 per s` of the others
    valid: bool


@dataclass(frozen=True, slots=True)
class StartRow:
    """How long a stack took from spawn to its first good answer."""

    stack: str
    median: str
    span: str  # quickest and slowest round


def usage_rows(analysis: Analysis) -> list[UsageRow]:
    """Scenario by scenario: its stacks, then everybody else."""
    return [row for part in outline.parts(analysis) for row in _of_part(analysis, part)]


def _of_part(analysis: Analysis, part: Part) -> Iterator[UsageRow]:
    for cell in part.cells:
        measured = [
            one for finished in analysis.run.rounds for one in finished.cells if one.key == cell.key
        ]
        if measured:
            yield _of_stack(part, cell.stack, measured, valid=cell.valid)
    blocks = [
        block
        for finished in analysis.run.rounds
        for block in finished.blocks
        if block.key == part.plan.key and block.wall_s
    ]
    roles = dict.fromkeys(role for block in blocks for role in block.roles)
    for role in sorted(roles, key=lambda name: name == "harness"):  # ourselves last
        yield _of_role(part, role, [block for block in blocks if role in block.roles])


def _of_stack(part: Part, stack: str, measured: Sequence[CellRound], *, valid: bool) -> UsageRow:
    requests = sum(one.requests for one in measured)
    servers = [one.server for one in measured if one.server is not None]
    if len(servers) < len(measured):
        servers = []  # a target that could not be metered
    switches = sum(server.context_switches for server in servers)
    return _row(
        part,
        stack,
        servers,
        sum(one.wall_s for one in measured),
        f"{formats.number(switches / requests, 2)} per {'start' if part.counts_starts else 'request'}"
        if requests and servers
        else formats.NOTHING,
        is_stack=True,
        valid=valid,
    )


def _of_role(part: Part, role: str, blocks: Sequence[BlockUsage]) -> UsageRow:
    used = [block.roles[role] for block in blocks]
    wall_s = sum(block.wall_s for block in blocks)
    per_s = sum(one.context_switches for one in used) / wall_s
    words = f"{formats.number(per_s, 2)} per{formats.NBSP}s"
    name = _NAMES.get(role, role.replace("load", "load process"))
    return _row(part, name, used, wall_s, words, is_stack=False, valid=True)


def _row(
    part: Part,
    who: str,
    used: Sequence[Usage],
    wall_s: float,
    switches: str,
    *,
    is_stack: bool,
    valid: bool,
) -> UsageRow:
    cpu_s = sum(one.cpu_s for one in used)
    return UsageRow(
        scenario=part.name,
        load=part.load,
        who=who,
        is_stack=is_stack,
        cpu=_share(cpu_s / wall_s) if wall_s and used else formats.NOTHING,
        pss=formats.NOTHING
        if not used or (is_stack and part.plan.scenario.measures is Measures.TEST_CLIENT)
        else formats.number(max(one.pss_bytes for one in used) / _MIB),
        threads=f"{max(one.threads for one in used):,}" if used else formats.NOTHING,
        switches=switches,
        valid=valid,
    )


def _share(share: float) -> str:
    """Of a core; less than a thousandth of one is as good as nothing."""
    return formats.percent(share) if share >= 0.001 else f"under 0.1{formats.NBSP}%"


def start_rows(analysis: Analysis) -> list[StartRow]:
    """Stack by stack, in the plan's order."""
    seconds: dict[str, list[float]] = defaultdict(list)
    for finished in analysis.run.rounds:
        for stack, ready_s in finished.ready_s.items():
            seconds[stack].append(ready_s)
    return [
        StartRow(
            stack=label,
            median=f"{formats.number(median(values), 2)}{formats.NBSP}s",
            span=(
                f"{formats.number(min(values), 2)} to {formats.number(max(values), 2)}"
                f"{formats.NBSP}s in {formats.plural(len(values), 'round')}"
            ),
        )
        for label in outline.stacks(analysis)
        if (values := seconds.get(label))
    ]


USAGE_NOTE = (
    "CPU as a share of one core while the stack had its turns; of the services, the load and "
    "twinbench itself, while any stack had its turn. Memory is the proportional set size (the "
    "resident size where the system has none) and threads are counted after the slices: each the "
    "largest of the rounds."
)
START_NOTE = (
    "From spawn to the first good answer. All stacks of a round are started side by side, so each "
    "takes longer than it would alone, and the figures compare with each other only."
)


def harness_words(analysis: Analysis) -> str:
    """What measuring itself took."""
    return (
        "twinbench itself (metering and turn-taking) used at most "
        f"{_share(analysis.harness_core_share)} of a core while stacks had their turns."
    )
