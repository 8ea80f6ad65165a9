"""Which step between Flask and FastAPI makes how much of the difference."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence

from harness.models import Comparison, Verdict
from harness.report import formats
from harness.report.content import Card, Finding
from harness.report.verdicts import step_words
from harness.report.view import Climb, Part, View, has_ratio, is_decided
from harness.report.words.ratios import compared, figure_words

TOTAL_WORTH_SHARING = 0.10  # a smaller one would be shared out in hundreds of percents
LADDER_NOTE = (
    "Each step is measured in its place. What two changes do to each other is counted with the "
    "later one, so another order could share out the same total differently. A share is a share "
    "of the ratio itself, and as uncertain as its interval is wide."
)
_UNSHARED: Mapping[Verdict, str] = {
    Verdict.SAME: "Too small to matter",
    Verdict.INCONCLUSIVE: "Too uncertain to attribute",
    Verdict.OVERLOADED: "Not known, because a stack is overloaded",
    Verdict.INVALID: "Not known, because a measurement is invalid",
}


def attribution(view: View) -> tuple[Card, ...]:
    """The findings on the steps, for each part with a ladder."""
    return tuple(Card(part.title, tuple(_attributed(part))) for part in view.climbing)


def _attributed(part: Part) -> Iterator[Finding]:
    """The total with its shares, then what is known of the other steps."""
    if part.total is None or not part.climbs:
        yield Finding(f"In {part.where}, nothing is known yet: no round has finished.")
        return
    pair, total = part.total
    way = [climb for climb in part.climbs if not climb.step.beyond]
    shares = _shares(part, way, total)
    yield Finding(
        f"In {part.where}, {compared(part, pair, total)} {shares}".rstrip(), total.verdict
    )
    for verdict, words in _UNSHARED.items():
        phrases = [
            f"{_named(climb)} {figure_words(comparison)}"
            if has_ratio(comparison)
            else f"{_named(climb)}: {part.why_not_compared(climb.pair)}"
            for climb, comparison in _with_verdict(part, way, verdict)
        ]
        if phrases:
            yield Finding(f"{words}: {'; '.join(phrases)}.", verdict)
    beyond = [
        f"{_named(climb)} {figure_words(comparison)}, {step_words(comparison)}"
        if has_ratio(comparison)
        else f"{_named(climb)} {comparison.verdict} ({part.why_not_compared(climb.pair)})"
        for climb in part.climbs
        if climb.step.beyond
        for comparison in [climb.pair.comparisons[part.headline.key]]
    ]
    if beyond:
        yield Finding(f"Beyond {pair.candidate}: {'; '.join(beyond)}.")
    if part.unused_steps:
        kinds = formats.listing(part.unused_steps)
        yield Finding(
            f"No step of its own in this scenario: {kinds}. What little of it is used counts with "
            "the other steps."
        )


def _shares(part: Part, way: Sequence[Climb], total: Comparison) -> str:
    """What each step that has a verdict makes of a total that has one; never of any other."""
    decided = [
        (climb, comparison)
        for climb in way
        for comparison in [climb.pair.comparisons[part.headline.key]]
        if is_decided(comparison)
    ]
    listed = "; ".join(f"{_named(climb)} {figure_words(ratio)}" for climb, ratio in decided)
    alone = f" Steps that have a verdict by themselves: {listed}." if decided else ""
    if not is_decided(total):
        return f"So no step has a share in it.{alone}"
    whole = math.log(total.ratio)
    if abs(whole) < math.log1p(TOTAL_WORTH_SHARING):
        return f"That is too little to be shared out.{alone}"
    if not decided:
        return "None of its steps has a verdict, so it can't be shared out."
    shares = [
        (math.log(comparison.ratio) / whole, f"{_named(climb)} {formats.ratio(comparison.ratio)}")
        for climb, comparison in decided
    ]
    shares.sort(reverse=True)
    phrases = [
        f"{name} accounts for {_share(share)}"
        if share > 0
        else f"{name} goes against it by {_share(-share)}"
        for share, name in shares
    ]
    return f"On a logarithmic scale, {formats.listing(phrases)}."


def _share(share: float) -> str:
    """Whole percents: the intervals are wider than that."""
    return f"{100 * share:.0f}{formats.NBSP}%"


def _with_verdict(
    part: Part, climbs: Sequence[Climb], verdict: Verdict
) -> list[tuple[Climb, Comparison]]:
    found = [(climb, climb.pair.comparisons[part.headline.key]) for climb in climbs]
    return [(climb, comparison) for climb, comparison in found if comparison.verdict is verdict]


def _named(climb: Climb) -> str:
    """As in `client (requests → httpx)`."""
    return f"{climb.step.kind} ({climb.step.change})"
