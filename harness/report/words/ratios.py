"""What is said of one comparison."""

from __future__ import annotations

import math

from harness.models import ROUNDS_FOR_A_VERDICT, Comparison, Verdict
from harness.report import formats
from harness.report.metrics import CPU, THROUGHPUT, Metric
from harness.report.view import Pair, Part, has_interval, overload_words

MOST_ROUNDS_WORTH_ASKING_FOR = 200


def figure_words(comparison: Comparison) -> str:
    """As in `1.02 × (0.99 to 1.05)`."""
    return f"{formats.ratio(comparison.ratio)} ({interval_words(comparison)})"


def interval_words(comparison: Comparison) -> str:
    """As in `0.99 to 1.05`, or `no interval`."""
    return formats.ratio_limits(comparison.ratio, comparison.ci_low, comparison.ci_high)


def ratio_clause(metric: Metric, pair: Pair, comparison: Comparison, part: Part) -> str:
    """As in `FastAPI served 2.34 × as many requests per second as Flask (2.22 to 2.46)`."""
    did = metric.ratio.format(ratio=formats.ratio(comparison.ratio))
    candidate, baseline = part.names[pair.candidate], part.names[pair.baseline]
    return f"{candidate} {did} as {baseline} ({interval_words(comparison)})"


def absolutes(metric: Metric, pair: Pair, part: Part) -> str:
    """Both figures, the candidate's first: `3,980 against 1,570` or `8.1 against 39 ms`.

    Empty where one of them is not known.
    """
    cells = [part.cell(pair.candidate), part.cell(pair.baseline)]
    values = [metric.of(cell).value for cell in cells if cell is not None]
    if len(values) < 2 or not all(map(math.isfinite, values)):
        return ""
    unit = "" if metric.key == THROUGHPUT.key else f"{formats.NBSP}{metric.unit}"
    if part.counts_starts and metric.key == CPU.key:  # a start takes a thousand times as much
        values, unit = [value / 1000 for value in values], f"{formats.NBSP}ms"
    return f"{' against '.join(map(formats.number, values))}{unit}"


def compared(part: Part, pair: Pair, comparison: Comparison, metric: Metric | None = None) -> str:
    """What came out of a comparison; a sentence without its capital.

    Args:
        part: the part that the pair belongs to.
        pair: the stacks that are compared.
        comparison: their comparison in `metric`.
        metric: the part's headline unless another is given.
    """
    metric = metric or part.headline
    candidate, baseline = part.names[pair.candidate], part.names[pair.baseline]
    figures = absolutes(metric, pair, part)
    told = f": {figures}" if figures else ""
    match comparison.verdict:
        case Verdict.FASTER | Verdict.SLOWER:
            return f"{ratio_clause(metric, pair, comparison, part)}{told}."
        case Verdict.SAME:
            within = formats.percent(comparison.same_within)
            return (
                f"{candidate} and {baseline} {metric.same}: {figure_words(comparison)} lies within "
                f"±{within}, which is too small a difference to matter{told}."
            )
        case Verdict.INCONCLUSIVE:
            unclear = "no verdict yet" if _is_short(comparison) else "no clear difference"
            return (
                f"{unclear}: {ratio_clause(metric, pair, comparison, part)}{told}. "
                f"{sentence(why_inconclusive(comparison, part.round_s))}"
            )
        case Verdict.OVERLOADED:
            return (
                f"the latency of {candidate} and {baseline} is not compared, because "
                f"{overloaded_stacks(part, pair)}."
            )
        case Verdict.INVALID:
            return (
                f"{candidate} can't be compared with {baseline}, because a measurement is invalid "
                f"({part.why_not_compared_in_short(pair)})."
            )


def overloaded_stacks(part: Part, pair: Pair) -> str:
    """As in `Flask is overloaded: it answered 1,707 of 5,000 requests/s`."""
    cells = (part.cell(pair.baseline), part.cell(pair.candidate))
    phrases = [
        f"{part.names[cell.stack]} is {overload_words(cell)}"
        for cell in cells
        if cell is not None and cell.overloaded
    ]
    return formats.listing(phrases) or "a stack is overloaded"


def why_inconclusive(comparison: Comparison, round_s: float = math.nan) -> str:
    """What keeps a comparison from a verdict, and what would help.

    Args:
        comparison: It has no verdict.
        round_s: How long a round of its scenario alone takes; NaN if that is unknown.
    """
    if comparison.rounds < ROUNDS_FOR_A_VERDICT:
        return (
            f"a verdict needs at least {ROUNDS_FOR_A_VERDICT} rounds, and there "
            f"{'is' if comparison.rounds == 1 else 'are'} {comparison.rounds} so far"
        )
    if not has_interval(comparison):
        return "it has no interval, which more rounds would give it"
    band = f"±{formats.percent(comparison.same_within)}"
    low, high = 1 / (1 + comparison.same_within), 1 + comparison.same_within
    if comparison.ci_low > high or comparison.ci_high < low:
        return (
            f"the interval lies outside {band}, but not clearly enough once several "
            f"comparisons are corrected for together; {_more_rounds(comparison, round_s)}"
        )
    return f"the interval lies partly within {band}; {_more_rounds(comparison, round_s)}"


def _is_short(comparison: Comparison) -> bool:
    return comparison.rounds < ROUNDS_FOR_A_VERDICT or not has_interval(comparison)


def _more_rounds(comparison: Comparison, round_s: float) -> str:
    """About how many rounds would settle it, and how much time: an interval narrows with the root of the rounds."""
    if min(comparison.ratio, comparison.ci_low) <= 0:
        return "more rounds would help"
    centre = abs(math.log(comparison.ratio))
    half_width = (math.log(comparison.ci_high) - math.log(comparison.ci_low)) / 2
    edge = math.log1p(comparison.same_within)
    room = centre if centre > edge else edge - centre
    if room <= 0:
        return "the ratio lies on the edge of what matters, where more rounds may not settle it"
    needed = math.ceil(comparison.rounds * (half_width / room) ** 2) + 1
    if needed > MOST_ROUNDS_WORTH_ASKING_FOR:
        return (
            f"even {MOST_ROUNDS_WORTH_ASKING_FOR} rounds would not settle it if the figures stay "
            "as they are"
        )
    if needed <= comparison.rounds:
        return "a few more rounds would help"
    takes = ""
    if not math.isnan(round_s):
        takes = f" (about {formats.duration(60 * math.ceil(needed * round_s / 60))} of it alone)"
    return f"about {needed} rounds{takes} would settle it if the figures stay as they are"


def sentence(clause: str) -> str:
    """A clause with a capital and a full stop."""
    return f"{clause[0].upper()}{clause[1:]}."
