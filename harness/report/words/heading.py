"""The head of the report: what the run consists of, and when it took place."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from harness.report import formats
from harness.report.content import Code, Piece
from harness.report.view import TWINS, View


@dataclass(frozen=True, slots=True)
class Heading:
    """What stands above all sections."""

    title: str
    run_id: str  # empty if the page is no run's
    summary: tuple[Piece, ...]
    facts: tuple[tuple[str, str], ...] = ()  # at a glance: name and value


def heading(view: View) -> Heading:
    """Title and summary of a run."""
    run = view.run
    scenarios = formats.plural(len({block.scenario.name for block in run.blocks}), "scenario")
    stacks = formats.plural(len(view.stacks), "stack")
    return Heading(
        title(view),
        run.run_id,
        (
            f"{scenarios}, {stacks}, {view.rounds_words} of fresh processes. Run ",
            Code(run.run_id),
            f", {when(run.started, run.ended)}.",
        ),
        tuple(_facts(view)),
    )


def _facts(view: View) -> Iterator[tuple[str, str]]:
    """What the figures belong to, and how far they can be trusted."""
    known = view.run.environment
    if cpu := known.get("cpu"):
        yield "Processor", formats.clean(f"{cpu}{_cores(known.get('usable_cores'))}")
    if python := known.get("python"):
        yield "Python", formats.clean(str(python))
    if versions := tuple(_versions(view)):
        yield "Versions", ", ".join(versions)
    valid = [cell.valid for cell in view.analysis.cells]
    valid += [found.valid for found in view.analysis.capacities]
    if valid:
        yield "Valid", f"{sum(valid):,} of {formats.plural(len(valid), 'measurement')}"
    made = view.run.calibration
    yield "Calibrated", f"yes, {day(made.made)}" if made else "no"


def _cores(usable: object) -> str:
    if not isinstance(usable, Sequence):
        return ""
    return f", {formats.plural(len(usable), 'usable core')}"


def _versions(view: View) -> Iterator[str]:
    """The packages that the stacks are made of: frameworks and servers."""
    packages = view.run.environment.get("packages")
    if not isinstance(packages, Mapping):
        return
    versions = {str(name).lower(): str(version) for name, version in packages.items()}
    stacks = view.stacks.values()
    for name in dict.fromkeys(
        (*(stack.twin for stack in stacks), *(stack.server for stack in stacks))
    ):
        if name in versions:
            yield f"{name} {formats.clean(versions[name])}"


def title(view: View) -> str:
    """The twins by name where there are two, else what is compared."""
    stacks = view.stacks.values()
    twins = dict.fromkeys(stack.twin for stack in stacks if stack.own is None)
    names = [TWINS.get(twin, twin) for twin in sorted(twins, key=lambda twin: twin != "flask")]
    if len(names) == 2 and all(stack.own is None for stack in stacks):
        return f"{names[0]} and {names[1]}, side by side"
    labels = view.measured_stacks or tuple(view.stacks)
    if len(labels) <= 3:
        return f"{formats.listing(labels)}, {'side by side' if len(labels) > 1 else 'measured'}"
    return f"{formats.plural(len(labels), 'stack')}, side by side"


def day(moment: str) -> str:
    """As in `12 March 2026`; as recorded if it can't be read."""
    try:
        made = datetime.fromisoformat(moment).astimezone(UTC)
    except ValueError:
        return formats.clean(moment)
    return f"{made.day} {made:%B %Y}"


def when(started: str, ended: str | None) -> str:
    """When it ran, as in `1 April 2026, 10:20 to 10:41 UTC`; as recorded if it can't be read."""
    try:
        first = datetime.fromisoformat(started).astimezone(UTC)
        last = datetime.fromisoformat(ended).astimezone(UTC) if ended else None
    except ValueError:
        return f"{started} to {ended}" if ended else f"{started}, cut off before its end"
    day = f"{first.day} {first:%B %Y, %H:%M}"
    if last is None:
        return f"{day} UTC, cut off before its end"
    same_day = first.date() == last.date()
    return f"{day} to {last:%H:%M} UTC" if same_day else f"{day} to {last.day} {last:%B, %H:%M} UTC"
