"""What `calibrate` and `doctor` show in the terminal."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from rich.box import SIMPLE_HEAD
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from harness.analysis.spectrum import LONGEST_S, SHORTEST_S
from harness.models import Analysis, Calibration, Finding, Level, Spectrum, Verdict
from harness.report import formats
from harness.report.metrics import COMPARED

_SIGNS: Mapping[Level, tuple[str, str]] = {
    Level.FINE: ("✓", "green"),
    Level.NOTE: ("!", "yellow"),
    Level.DISTURBS: ("✕", "bold red"),
}


def diagnosis(findings: Sequence[Finding]) -> RenderableType:
    """All findings, the gravest first, each with its remedy; then what they amount to."""
    counts = {level: sum(finding.level is level for finding in findings) for level in Level}
    if counts[Level.DISTURBS]:
        conclusion = f"{formats.plural(counts[Level.DISTURBS], 'thing')} would spoil a measurement."
    elif counts[Level.NOTE]:
        conclusion = "Nothing spoils a measurement; what is marked with ! widens its intervals."
    else:
        conclusion = "Nothing on this machine disturbs a measurement."
    return Group(finding_lines(findings), Text(""), Text(conclusion))


def finding_lines(findings: Sequence[Finding]) -> RenderableType:
    """A line for each finding, the gravest first; below it, its remedy."""
    table = Table.grid(padding=(0, 2, 0, 0))
    table.add_column()
    table.add_column(no_wrap=True)
    table.add_column()
    for level in reversed(Level):
        sign, style = _SIGNS[level]
        for finding in findings:
            if finding.level is level:
                table.add_row(Text(sign, style), Text(finding.what), Text(finding.figure))
                if finding.mend:
                    table.add_row("", "", Text(f"→ {finding.mend}", "dim"))
    return table


def calibrated(
    analysis: Analysis,
    calibration: Calibration | None,
    findings: Sequence[Finding],
    *,
    seconds: float,
    run: Path,
    file: Path | None,
) -> RenderableType:
    """Whether the stack equals itself, or why that is unknown; then what disturbed."""
    stack = analysis.run.plan.stacks[0].name
    rounds = formats.plural(len(analysis.run.rounds), "round")
    head = f"{stack} against itself, {rounds} in {formats.duration(seconds)}"
    if calibration is None:
        body = _why_not(analysis)
    else:
        body = [
            _floors(analysis, calibration),
            *_meaning(analysis, calibration),
            *_spectrum(calibration.spectrum),
        ]
    kept = f"Saved for this machine: {file}" if file else "No calibration was saved."
    return Group(
        Text(head, "bold"),
        *body,
        Text(""),
        finding_lines(findings),
        Text(""),
        Text(kept, no_wrap=True, overflow="ignore"),
        Text(f"To see the run: twinbench report {run}", no_wrap=True, overflow="ignore"),
    )


def _floors(analysis: Analysis, calibration: Calibration) -> Table:
    table = Table(box=SIMPLE_HEAD, pad_edge=False)
    table.add_column("", no_wrap=True)
    table.add_column("A ÷ A [95 %]", no_wrap=True)
    table.add_column("Resolution", justify="right", no_wrap=True)
    for made in analysis.comparisons:
        if made.metric in calibration.noise_floor:
            interval = formats.ratio_interval(made.ratio, made.ci_low, made.ci_high)
            table.add_row(
                COMPARED[made.metric].heading,
                f"{formats.ratio(made.ratio)} {interval}",
                f"±{formats.percent(calibration.noise_floor[made.metric])}",
            )
    return table


def _meaning(analysis: Analysis, calibration: Calibration) -> list[Text]:
    """Whether the stack was found equal to itself, and how small a difference can be told apart."""
    winners = [
        COMPARED[made.metric].name
        for made in analysis.comparisons
        if made.verdict in (Verdict.FASTER, Verdict.SLOWER)
    ]
    if winners:
        return [
            Text(
                f"The stack differs from itself in {formats.listing(winners)}, which chance does in "
                "about one calibration of twenty. If it happens again, don't believe the intervals "
                "of this machine's runs: see twinbench doctor.",
                "bold red",
            )
        ]
    widest = max(calibration.noise_floor.values(), default=0.0)
    return [
        Text(
            "The stack was not found to differ from itself, as it should be. In "
            f"{formats.plural(calibration.rounds, 'round')}, this machine can't tell apart what "
            f"differs by less than about ±{formats.percent(widest)}. More rounds can."
        )
    ]


def _spectrum(spectrum: Spectrum | None) -> list[RenderableType]:
    """How the speed of the core differs by the length of windows, and what follows for slices."""
    if spectrum is None or spectrum.slice_s is None:
        return []
    table = Table(box=SIMPLE_HEAD, pad_edge=False)
    table.add_column("Core speed in windows of", no_wrap=True)
    for heading in ("Neighbours differ by", "Error of a pair after 20 s"):
        table.add_column(heading, justify="right", no_wrap=True)
    for window in spectrum.windows:
        table.add_row(
            _milliseconds(window.length_s),
            formats.percent(window.spread),
            f"±{formats.percent(window.error)}",
        )
    return [
        table,
        Text(
            f"Later runs take turns in slices of {_milliseconds(spectrum.slice_s)}: as long as this "
            f"noise allows, but at least {_milliseconds(SHORTEST_S)} and at most "
            f"{_milliseconds(LONGEST_S)}."
        ),
    ]


def _milliseconds(seconds: float) -> str:
    return f"{1e3 * seconds:g}{formats.NBSP}ms"


def _why_not(analysis: Analysis) -> list[RenderableType]:
    reasons = [f"  {cell.stack}: {cell.reason}" for cell in analysis.cells if not cell.valid]
    return [
        Text("The measurement is invalid, so it says nothing about the machine:", "bold red"),
        *map(Text, reasons or ["  nothing was measured"]),
    ]
