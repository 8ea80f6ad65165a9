"""The report on sampled CPU time, which is no report of a run."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from rich.console import RenderableType

from harness.models import Estimate, Flame, ProfileAnalysis
from harness.report import formats
from harness.report.charts import Picture, picture
from harness.report.charts import flame as flames
from harness.report.charts import libraries as chart
from harness.report.content import (
    DOCUMENTS,
    PAGE,
    Block,
    Bullets,
    Cell,
    Code,
    Column,
    Details,
    Drawing,
    Graphic,
    Paragraph,
    Row,
    Section,
    Table,
    note,
)
from harness.report.markdown import markdown
from harness.report.page import page
from harness.report.terminal import Terminal
from harness.report.words import profile as words
from harness.report.words.heading import Heading, when

_HOW_SURE = (
    "In brackets: 95 % intervals, of what so many samples leave open, or over rounds if that is wider. "
    "Shares are of CPU time. µs per request: the share × the CPU time per request, as the chart shows, to "
    "compare stacks that need different amounts."
)
_SWITCHES = (
    "Context switches were counted while nobody sampled. Waits: voluntary ones, where a thread gave up its "
    "core to wait for a socket, a lock or the GIL. Preempted: involuntary ones, where the system gave "
    "the core to another thread."
)


def render_profile(analysis: ProfileAnalysis) -> dict[str, bytes]:
    """The files of the report: index.html, summary.md, and the charts as SVG and PNG."""
    drawn = drawings([analysis])
    head, declared = _heading(analysis), _sections(analysis)
    files = {
        "index.html": page(head, declared, drawn).encode(),
        "summary.md": markdown(head, declared, drawn).encode(),
    }
    for name, made in drawn.items():
        files[f"charts/{name}.svg"] = made.svg.encode()
        files[f"charts/{name}.png"] = made.png
    return files | flame_files([analysis])


def drawings(profiles: Sequence[ProfileAnalysis]) -> dict[str, Picture]:
    """The charts of some profiles, each of another scenario."""
    found = {}
    for analysis in profiles:
        if analysis.shares:
            said = chart.caption(analysis)
            name = _chart_name(analysis)
            found[name] = picture(name, said, chart.draw(analysis, said))
    return found


def flame_files(profiles: Sequence[ProfileAnalysis]) -> dict[str, bytes]:
    """The flame graphs of some profiles, each a document of its own."""
    return {
        f"charts/{_flame_name(analysis, flame.stack)}.svg": flames.svg(
            flame, words.flame_alt(flame), heading=words.flame_title(flame)
        ).encode()
        for analysis in profiles
        for flame in analysis.flames
    }


def within_run(profiles: Sequence[ProfileAnalysis]) -> Section | None:
    """Where the CPU time goes, as a section of a run's report."""
    blocks: list[Block] = []
    for analysis in profiles:
        if not analysis.shares:
            continue
        blocks += [Drawing(_chart_name(analysis)), _share_table(analysis)]
        blocks += [note(problem) for problem in analysis.problems]
        blocks += [note(caution) for caution in words.cautions(analysis)]
        blocks.append(_switch_table(analysis))
        blocks += [
            Details(words.flame_title(flame), (_graphic(analysis, flame),), outputs=PAGE)
            for flame in analysis.flames
        ]
    if not blocks:
        return None
    blocks.append(note(f"{words.NOT_A_MEASUREMENT} {_HOW_SURE} {_SWITCHES}"))
    return Section(
        "time", "Where the CPU time goes", tuple(blocks), "CPU time by library", DOCUMENTS
    )


def profile_terminal(analysis: ProfileAnalysis) -> RenderableType:
    """The results as tables."""
    return Terminal(_sections(analysis))


def _chart_name(analysis: ProfileAnalysis) -> str:
    return f"libraries-{analysis.record.plan.block.scenario.name}"


def _flame_name(analysis: ProfileAnalysis, stack: str) -> str:
    """A name for files and anchors: labels may contain `#` and `@`."""
    label = re.sub(r"[^A-Za-z0-9_.-]", "-", stack)
    return f"flame-{analysis.record.plan.block.scenario.name}-{label}"


def _graphic(analysis: ProfileAnalysis, flame: Flame) -> Graphic:
    return Graphic(
        _flame_name(analysis, flame.stack),
        words.flame_title(flame),
        words.flame_reading(flame),
        flames.svg(flame, words.flame_alt(flame)),
    )


def _heading(analysis: ProfileAnalysis) -> Heading:
    record = analysis.record
    stacks = formats.plural(len(record.plan.block.stacks), "stack")
    rounds = formats.plural(record.plan.run.rounds, "round")
    return Heading(
        words.title(analysis),
        record.run_id,
        (
            f"{stacks}, {rounds} of fresh processes. Run ",
            Code(record.run_id),
            f", {when(record.started, record.ended)}. {words.NOT_A_MEASUREMENT}",
        ),
    )


def _sections(analysis: ProfileAnalysis) -> tuple[Section, ...]:
    problems = (
        (
            Section(
                "problems",
                "Figures that can't be used",
                tuple(Paragraph((problem,)) for problem in analysis.problems),
            ),
        )
        if analysis.problems
        else ()
    )
    return (
        *problems,
        *_shares(analysis),
        *_flames(analysis),
        _counted(analysis),
        _method(analysis),
    )


def _shares(analysis: ProfileAnalysis) -> tuple[Section, ...]:
    if not analysis.shares:
        return ()
    blocks: list[Block] = [Drawing(_chart_name(analysis)), _share_table(analysis), note(_HOW_SURE)]
    blocks += [note(caution) for caution in words.cautions(analysis)]
    return (Section("groups", "CPU time by library", tuple(blocks), "By library"),)


def _share_table(analysis: ProfileAnalysis) -> Table:
    stacks = [profile.stack for profile in analysis.stacks if profile.samples]
    shares = {(share.stack, share.group): share for share in analysis.shares}
    return Table(
        "CPU time by group",
        (
            Column("Group"),
            *(Column(f"{stack}, %", is_number=True, details_from=100) for stack in stacks),
            *(
                Column(f"{stack}, µs/request", is_number=True, from_width=120, details_from=160)
                for stack in stacks
            ),
            Column("What belongs to it", outputs=DOCUMENTS),
        ),
        tuple(
            Row(
                (
                    Cell(str(group), is_strong=True),
                    *(_percent(shares[stack, group].share) for stack in stacks),
                    *(_to_two_digits(shares[stack, group].cpu_us_per_request) for stack in stacks),
                    Cell(words.CONTENTS[group]),
                )
            )
            for group in chart.groups(analysis)
        ),
        is_dense=False,
    )


def _percent(share: Estimate) -> Cell:
    return _to_two_digits(share, 100)


def _to_two_digits(estimate: Estimate, factor: float = 1) -> Cell:
    """As many digits as some hundred samples bear."""
    value, low, high = (
        formats.number(factor * figure, 2)
        for figure in (estimate.value, estimate.low, estimate.high)
    )
    return Cell(value, estimate.value, detail=f"[{low},{formats.NBSP}{high}]")


def _flames(analysis: ProfileAnalysis) -> tuple[Section, ...]:
    if not analysis.flames:
        return ()
    graphics = tuple(_graphic(analysis, flame) for flame in analysis.flames)
    return (Section("flames", "Which function takes it", graphics, "Flame graphs", DOCUMENTS),)


def _counted(analysis: ProfileAnalysis) -> Section:
    blocks = (_switch_table(analysis), note(_SWITCHES))
    return Section("switches", "Context switches", blocks, "Context switches")


def _switch_table(analysis: ProfileAnalysis) -> Table:
    return Table(
        "context switches",
        (
            Column("Stack"),
            Column("Requests", is_number=True, from_width=90),
            Column("CPU µs per request", is_number=True, short_heading="CPU µs", details_from=110),
            Column("Waits per request", is_number=True, short_heading="Waits", details_from=110),
            Column(
                "Preempted per request", is_number=True, short_heading="Preempted", details_from=110
            ),
            Column("Speed under the sampler", is_number=True, outputs=DOCUMENTS),
            Column("Samples", is_number=True, from_width=90),
        ),
        tuple(
            Row(
                (
                    Cell(each.stack, is_strong=True),
                    Cell(f"{each.requests:,}", each.requests),
                    _figure(each.cpu_us_per_request),
                    _figure(each.voluntary_per_request),
                    _figure(each.involuntary_per_request),
                    Cell(words.slowed(each), each.speed_under_sampler),
                    Cell(f"{each.samples:,}", each.samples),
                )
            )
            for each in analysis.stacks
        ),
        is_dense=False,
    )


def _figure(estimate: Estimate) -> Cell:
    return Cell(
        formats.number(estimate.value),
        estimate.value,
        detail=formats.interval(estimate.low, estimate.high),
    )


def _method(analysis: ProfileAnalysis) -> Section:
    record = analysis.record
    plan, where = record.plan, record.placement
    blocks: list[Block] = [
        Bullets(
            (
                f"Load: {plan.block.load.label}, as a run measures {plan.block.scenario.name}, one stack "
                "after the other while all are up, in an order drawn from seed "
                f"{plan.run.seed}. Each reply was checked.",
                f"Each stack in each round: {plan.counted_s:g} s without the sampler, then {plan.seconds:g} s "
                f"under it, {plan.rate_hz} samples per second of CPU time.",
                "A sample is the stack of the thread that has just used so much CPU time, be it in Python, in "
                "compiled code or in the kernel. What waits uses none, so a profile does not show where latency "
                "comes from.",
            )
        ),
        Paragraph((f"Packages: {_packages(record.environment)}.",)),
    ]
    if where.note:
        blocks.append(Paragraph((f"Cores: {where.note}.",)))
    return Section("method", "How it was sampled", tuple(blocks), "Method", DOCUMENTS)


def _packages(environment: Mapping[str, object]) -> str:
    packages = environment.get("packages")
    shown = ("flask", "fastapi", "gunicorn", "uvicorn")
    given = packages if isinstance(packages, Mapping) else {}
    known = {str(name).lower(): version for name, version in given.items()}  # some call it Flask
    return ", ".join(f"{name} {known.get(name, 'unknown')}" for name in shown)
