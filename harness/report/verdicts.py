"""How each verdict looks and what it is called: the one place to add a verdict to the report."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from harness.models import ROUNDS_FOR_A_VERDICT, Comparison, FailOutcome, Verdict
from harness.report.palette import MUTED


@dataclass(frozen=True, slots=True)
class Mark:
    """The look of a verdict on page, chart and terminal. Colours are ink and paper."""

    sign: str
    terminal: str  # a style of rich
    light: tuple[str, str]
    dark: tuple[str, str]
    step: str  # what is said of a step of the ladder
    bar: str = MUTED  # colour of such a step in the waterfall; muted where nothing is decided


MARKS: Mapping[Verdict, Mark] = {
    Verdict.FASTER: Mark(
        "▲", "bold green", ("#0b6b3a", "#e2f3e9"), ("#8fdcb0", "#15382a"), "faster", "#17804d"
    ),
    Verdict.SLOWER: Mark(
        "▼", "bold red", ("#9a3412", "#fdece2"), ("#f5b48f", "#46261a"), "slower", "#c4513a"
    ),
    Verdict.SAME: Mark(
        "=",
        "dim",
        ("#3d4853", "#eceff2"),
        ("#cdd5dd", "#2d353e"),
        "same: any difference is too small to matter",
    ),
    Verdict.INCONCLUSIVE: Mark(
        "?", "yellow", ("#735500", "#fbf1cf"), ("#ecd27c", "#3d3413"), "inconclusive: too uncertain"
    ),
    Verdict.OVERLOADED: Mark(
        "!", "bold blue", ("#1f4f8f", "#e1ecfa"), ("#a3c8f5", "#1b304a"), "overloaded"
    ),
    Verdict.INVALID: Mark(
        "✕", "bold magenta", ("#6b2150", "#f6e3ee"), ("#eab2d3", "#43213a"), "invalid"
    ),
}
#: The same and what becomes of promises, of which one word is a verdict's too.
BADGES: Mapping[Verdict | FailOutcome, Mark] = {
    **dict[Verdict | FailOutcome, Mark](MARKS.items()),
    FailOutcome.KEPT: Mark(
        "✓", "bold green", ("#0b6b3a", "#e2f3e9"), ("#8fdcb0", "#15382a"), "kept"
    ),
    FailOutcome.BROKEN: Mark(
        "✗", "bold red", ("#9a3412", "#fdece2"), ("#f5b48f", "#46261a"), "broken"
    ),
}
#: Verdicts without a ratio that can be shown.
WITHOUT_RATIO = (Verdict.OVERLOADED, Verdict.INVALID)
DECIDED = (Verdict.FASTER, Verdict.SLOWER)


#: Where there are too few rounds for a verdict: that is no finding, as `inconclusive` is one.
NOT_JUDGED = Mark(
    "…", "dim", ("#3d4853", "#ffffff"), ("#cdd5dd", "#1c2128"), "not judged: too few rounds"
)


def not_judged(comparison: Comparison) -> str:
    """As in `not judged: 2 of 5 rounds`; empty where there are rounds enough for a verdict."""
    if comparison.verdict is not Verdict.INCONCLUSIVE or comparison.rounds >= ROUNDS_FOR_A_VERDICT:
        return ""
    return f"not judged: {comparison.rounds} of {ROUNDS_FOR_A_VERDICT} rounds"


def verdict_words(comparison: Comparison) -> str:
    """The verdict, or that there are too few rounds for one."""
    return "not judged" if not_judged(comparison) else str(comparison.verdict)


def step_words(comparison: Comparison) -> str:
    """The same of a step of the ladder."""
    return not_judged(comparison) or MARKS[comparison.verdict].step
