"""What is said of runs side by side."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from harness.models import Change, Moved, RunsCompared
from harness.report import formats
from harness.report.metrics import COMPARED

METRICS: Mapping[str, str] = {
    **{key: metric.name for key, metric in COMPARED.items()},
    "capacity_rps": "capacity",
}
#: With the unit of a stack's own figure.
COLUMNS: Mapping[str, str] = {
    **{key: metric.column for key, metric in COMPARED.items()},
    "capacity_rps": "Capacity/s",
}
SIGNS: Mapping[Change, str] = {
    Change.UP: "▲",
    Change.DOWN: "▼",
    Change.SAME: "=",
    Change.INCONCLUSIVE: "?",
    Change.NOT_COMPARABLE: "✕",
}


#: So many changes are said in a sentence; the table has all.
_NAMED = 4


def change_words(change: Change) -> str:
    """As in `▲ up`."""
    return f"{SIGNS[change]} {change}"


def title(compared: RunsCompared) -> str:
    """The question."""
    if len(compared.runs) == 2:
        return "What changed from A to B?"
    return f"What changed over {len(compared.runs)} runs?"


def conclusion(compared: RunsCompared) -> Iterator[str]:
    """What came out, in sentences."""
    first = compared.runs[0].label
    for run in compared.repeated:
        yield (
            f"{run.label} is the same run as {first}, so nothing can differ between them."
            if not any(
                moved.change is Change.NOT_COMPARABLE and moved.after == run.label
                for moved in compared.headlines
            )
            else f"{run.label} and {first} are parts of the same run."
        )
    again = {run.label for run in compared.repeated}
    headlines = [moved for moved in compared.headlines if moved.after not in again]
    if not headlines and again:
        return
    if not headlines:
        yield "None of the runs compares two stacks, so there is no ratio to compare."
        return
    comparable = [each for each in headlines if each.change is not Change.NOT_COMPARABLE]
    changed = [each for each in comparable if each.changed]
    unclear = [each for each in comparable if each.change is Change.INCONCLUSIVE]
    if not comparable:
        yield f"None of the {formats.plural(len(headlines), 'ratio')} can be compared."
        return
    if changed:
        yield (
            f"{len(changed)} of {formats.plural(len(comparable), 'ratio')} of two stacks changed "
            "beyond the noise of both runs: "
            f"{'; '.join(map(_sentence, changed[:_NAMED]))}{_more(len(changed) - _NAMED)}."
        )
    else:
        yield (
            f"No change beyond the noise of both runs in {formats.plural(len(comparable), 'ratio')} "
            "of two stacks."
        )
    if unclear:
        yield f"{len(unclear)} of them can't be told: the intervals are too wide."
    if len(comparable) < len(headlines):
        yield f"{len(headlines) - len(comparable)} can't be compared."


def _sentence(moved: Moved) -> str:
    value, low, high = moved.quotient.value, moved.quotient.low, moved.quotient.high
    earlier, later = moved.earlier, moved.later
    assert earlier is not None
    assert later is not None
    return (
        f"in {moved.block}, {moved.subject} went from {formats.ratio(earlier.value)} to "
        f"{formats.ratio(later.value)} ({moved.after} ÷ {moved.before}: {formats.ratio(value)}, "
        f"{formats.ratio_limits(value, low, high)})"
    )


def _more(count: int) -> str:
    return f"; and {count} more" if count > 0 else ""


def other_machines(compared: RunsCompared) -> Iterator[str]:
    """That ratios of different machines are shown all the same."""
    first = compared.runs[0]
    away = [run for run in compared.runs[1:] if compared.machines_differ(run)]
    if away:
        named = formats.listing([run.label for run in away])
        known = all(run.machine for run in (first, *away))
        which = (
            f"{named} took place on another machine than {first.label}"
            if known
            else f"It is not recorded whether {named} took place on the same machine as {first.label}"
        )
        yield (
            f"{which}. The ratios are compared all the same, but a change may come from the machine. "
            "The stacks' own figures are not compared."
        )


def drifting(compared: RunsCompared) -> Iterator[str]:
    """Why a stack's own figures say less."""
    yield (
        "These figures depend on how fast the machine was at that time. The speed of a shared machine "
        "can differ by 20 to 50 % from one minute to the next, and the intervals know only what "
        "differed between the rounds of a run. So a change here may be the machine's, and decides "
        "nothing: the ratios above do not depend on it."
    )
    band = 1 + compared.same_within
    again = {run.label for run in compared.repeated}
    for label, moved in compared.together.items():
        if label in again:
            continue
        alike = moved.low > band or moved.high < 1 / band
        yield (
            f"{label} ÷ {compared.runs[0].label}: the median stack served "
            f"{formats.ratio(moved.value)} as many requests per second, the lowest "
            f"{formats.ratio(moved.low)}, the highest {formats.ratio(moved.high)}."
            + (" All moved the same way, which points to the machine." if alike else "")
        )


def method(compared: RunsCompared) -> tuple[str, ...]:
    """How runs are compared."""
    first = compared.runs[0].label
    return (
        f"Every later run is compared with {first}. All runs were analysed again from their raw data, "
        "by this version of twinbench.",
        f"Ratio of ratios: candidate ÷ baseline in the later run, divided by that in {first}. Its 95 % "
        "interval follows from both intervals by Welch's formula, on the logarithms. It holds what "
        "differed between the rounds of each run, and not what differed between the runs as a whole.",
        f"Up or down: the interval excludes 1, the change is larger than "
        f"±{formats.percent(compared.same_within)}, and it stands Holm's correction over all "
        "headline ratios of all runs. Same: the interval lies within that band. Inconclusive: "
        "anything else, and fewer than 5 rounds. All other ratios are corrected together, and so are "
        "the stacks' own figures.",
    )
