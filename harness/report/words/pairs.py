"""What kind of pair two stacks are: the default one, one on the same server, the best of each side."""

from __future__ import annotations

import functools
import math
from collections.abc import Iterator, Mapping

from harness.models import CellSummary, Stack, StepKind
from harness.planning.files import LADDER_FILE, STACKS_FILE
from harness.planning.ladder import ends, framework_step, load_ladder
from harness.planning.stacks import load_stacks
from harness.report import formats
from harness.report.content import Finding
from harness.report.metrics import THROUGHPUT
from harness.report.verdicts import not_judged
from harness.report.view import TWINS, Part, View
from harness.report.words.ratios import compared

DEFAULT = "default pair"
FRAMEWORK_ONLY = "framework only"
BEST = "best of each side"

_NOTES: Mapping[str, str] = {
    DEFAULT: "both frameworks as they are commonly run, each with its usual server",
    FRAMEWORK_ONLY: "only the framework differs; server, validation and libraries are the same",
    "same server": "the server is the same; libraries and kinds of handler may differ",
    BEST: (
        "the stack of each framework that served the most requests in this run. Picking the best "
        "favours luck: of several equal stacks, the one that was lucky is picked"
    ),
}


@functools.cache
def _landmarks() -> tuple[tuple[str, str], str]:
    """The names of both twins as they are commonly run, and the server that can serve both."""
    ladder = load_ladder(LADDER_FILE)
    before, _ = framework_step(ladder)
    return ends(ladder), load_stacks(STACKS_FILE)[before].server


def labels(view: View, part: Part) -> Mapping[tuple[str, str], tuple[str, ...]]:
    """Baseline and candidate -> what kinds of pair they are; nothing of most pairs."""
    best = best_pair(view, part)
    found: dict[tuple[str, str], tuple[str, ...]] = {}
    for pair in part.pairs:
        key = pair.baseline, pair.candidate
        stacks = [view.stacks[label] for label in key if label in view.stacks]
        if len(stacks) == 2:
            found[key] = tuple(_kinds(*stacks, is_best=best is not None and set(best) == set(key)))
    return found


def _kinds(baseline: Stack, candidate: Stack, *, is_best: bool) -> Iterator[str]:
    usual, server = _landmarks()
    is_even = baseline.workers == candidate.workers
    if (baseline.name, candidate.name) == usual and is_even:
        yield DEFAULT
    if baseline.twin != candidate.twin and baseline.server == candidate.server == server:
        yield f"same server: {server}"
    if is_best:
        yield BEST


def best_pair(view: View, part: Part) -> tuple[str, str] | None:
    """Labels of the valid stack of each side that served the most requests, Flask's first.

    None unless both sides have one, and there was anything to choose from.
    """
    sides: dict[str, list[CellSummary]] = {twin: [] for twin in TWINS}
    for cell in part.cells:
        known = cell.valid and math.isfinite(cell.throughput_rps.value)
        if known and cell.twin in sides:
            sides[cell.twin].append(cell)
    numbers = [len(cells) for cells in sides.values()]
    if part.headline != THROUGHPUT or min(numbers) == 0 or max(numbers) == 1:
        return None
    flask, fastapi = (
        max(cells, key=lambda cell: cell.throughput_rps.value).stack for cells in sides.values()
    )
    return flask, fastapi


def best_without_ratio(view: View, part: Part) -> Iterator[Finding]:
    """Both figures of the best of each side, where the run does not compare the two."""
    best = best_pair(view, part)
    if best is None or any({pair.baseline, pair.candidate} == set(best) for pair in part.pairs):
        return
    phrases = [
        f"{label} served {THROUGHPUT.with_unit(cell.throughput_rps.value)}"
        for label in best
        if (cell := part.cell(label))
    ]
    yield Finding(
        f"{formats.listing(phrases)}; this run does not compare these two.", labels=(BEST,)
    )


def framework_alone(view: View, part: Part) -> Iterator[Finding]:
    """The step of a ladder in which only the framework changes."""
    for climb in part.climbs:
        comparison = climb.pair.comparisons.get(part.headline.key)
        if climb.step.kind is StepKind.FRAMEWORK and comparison is not None:
            stack = view.stacks.get(climb.pair.candidate)
            server = f": same server, {stack.server}" if stack else ""
            yield Finding(
                compared(part, climb.pair, comparison),
                comparison.verdict,
                not_judged=not_judged(comparison),
                labels=(f"{FRAMEWORK_ONLY}{server}",),
            )


def labels_note(findings: Iterator[Finding]) -> str:
    """What the labels of some findings mean; empty without any."""
    used = {label.partition(":")[0] for finding in findings for label in finding.labels}
    phrases = [f"“{label}” is {words}" for label, words in _NOTES.items() if label in used]
    return f"{'. '.join(phrases)}." if phrases else ""
