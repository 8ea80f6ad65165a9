"""What `calibrate` and `doctor` tell in the terminal."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from rich.box import SIMPLE_HEAD
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from harness.analysis.stats import LARGEST_SAME, SMALLEST_BAND
from harness.models import Analysis, Calibration, Finding, Level
from harness.report import formats
from harness.report.outline import METRICS

_SIGNS: Mapping[Level, tuple[str, str]] = {
    Level.FINE: ("✓", "green"),
    Level.NOTE: ("!", "yellow"),
    Level.DISTURBS: ("✕", "bold red"),
}


def diagnosis(findings: Sequence[Finding]) -> RenderableType:
    """All findings, the gravest first, each with its mend; a word on what they come to."""
    counts = {level: sum(1 for one in findings if one.level is level) for level in Level}
    if counts[Level.DISTURBS]:
        told = f"{formats.plural(counts[Level.DISTURBS], 'thing')} would spoil a measurement."
    elif counts[Level.NOTE]:
        told = "Nothing spoils a measurement; what is marked with ! widens its intervals."
    else:
        told = "Nothing disturbs."
    return Group(finding_lines(findings), Text(""), Text(told))


def finding_lines(findings: Sequence[Finding]) -> RenderableType:
    """A line for each finding, the gravest first; below it, how to mend it."""
    table = Table.grid(padding=(0, 2, 0, 0))
    table.add_column()
    table.add_column(no_wrap=True)
    table.add_column()
    for level in reversed(Level):
        sign, style = _SIGNS[level]
        for one in findings:
            if one.level is level:
                table.add_row(Text(sign, style), Text(one.what), Text(one.figure))
                if one.mend:
                    table.add_row("", "", Text(f"→ {one.mend}", "dim"))
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
    """The noise floor and what it means, or why there is none; what disturbed."""
    stack = analysis.run.plan.stacks[0].name
    rounds = formats.plural(len(analysis.run.rounds), "round")
    head = f"{stack} against itself, {rounds} in {formats.duration(seconds)}"
    if calibration is None:
        body = _why_not(analysis)
    else:
        body = [_floors(analysis, calibration), *_meaning(calibration)]
    kept = f"Kept for this machine: {file}" if file else "Nothing is kept as calibration."
    return Group(
        Text(head, "bold"),
        *body,
        Text(""),
        finding_lines(findings),
        Text(""),
        Text(kept, no_wrap=True, overflow="ignore"),
        Text(f"The run itself: twinbench report {run}", no_wrap=True, overflow="ignore"),
    )


def _floors(analysis: Analysis, calibration: Calibration) -> Table:
    table = Table(box=SIMPLE_HEAD, pad_edge=False)
    table.add_column("", no_wrap=True)
    table.add_column("A ÷ A [95 %]", no_wrap=True)
    table.add_column("Noise floor", justify="right", no_wrap=True)
    for one in analysis.comparisons:
        if one.metric not in calibration.noise_floor:
            continue
        interval = formats.ratio_interval(one.ratio, one.ci_low, one.ci_high)
        table.add_row(
            METRICS[one.metric],
            f"{formats.ratio(one.ratio)} {interval}",
            f"±{formats.percent(calibration.noise_floor[one.metric])}",
        )
    return table


def _meaning(calibration: Calibration) -> list[Text]:
    """What the floors do to the verdicts of this machine's runs."""
    smallest = formats.percent(SMALLEST_BAND)
    wide = {
        METRICS[metric]: floor
        for metric, floor in calibration.noise_floor.items()
        if floor > SMALLEST_BAND
    }
    if not wide:
        return [
            Text(
                f"Two equals come out closer than ±{smallest}, the band that verdicts have anyway: "
                "this machine adds nothing to it."
            )
        ]
    told = formats.listing(
        [f"±{formats.percent(floor)} for {name}" for name, floor in wide.items()]
    )
    lines = [
        Text(
            "Nearer to 1 than its floor, a ratio may be this machine's own: from now on, 'faster' "
            f"and 'slower' take more than {told} here, in place of ±{smallest}."
        )
    ]
    if any(floor > LARGEST_SAME for floor in wide.values()):
        lines.append(
            Text(
                f"'same' is said within ±{formats.percent(LARGEST_SAME)} at most, "
                "however noisy the machine."
            )
        )
    lines.append(Text("More time narrows the floor, and more --rounds narrow what is measured."))
    return lines


def _why_not(analysis: Analysis) -> list[RenderableType]:
    reasons = [f"  {cell.stack}: {cell.reason}" for cell in analysis.cells if not cell.valid]
    return [
        Text("This was no valid measurement, so it says nothing of the machine:", "bold red"),
        *map(Text, reasons or ["  nothing was measured"]),
    ]
