"""What is said of promises between services: where each was judged, its figure, and what decided."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Sequence

from harness.models import Estimate, FailIfJudged, FailOutcome, FailSubject
from harness.report import formats

PROMISES_NOTE = (
    "A promise is broken if the whole interval lies beyond its bound, and kept if the whole interval "
    "lies on the right side. Anything else is inconclusive. Ratios are candidate ÷ baseline."
)
#: The order in which a reader wants them.
_FIRST = (FailOutcome.BROKEN, FailOutcome.INCONCLUSIVE, FailOutcome.KEPT)


def worst_first(promises: Sequence[FailIfJudged]) -> list[FailIfJudged]:
    """Broken promises, inconclusive ones, kept ones; each as they were given."""
    return sorted(promises, key=lambda each: _FIRST.index(each.outcome))


def counted(promises: Sequence[FailIfJudged]) -> str:
    """As in `1 broken, 2 inconclusive, 3 kept`."""
    found = Counter(each.outcome for each in promises)
    return ", ".join(f"{found[outcome]} {outcome}" for outcome in _FIRST if found[outcome])


def beside_words(judged: FailIfJudged) -> str:
    """As in `fastapi-uvicorn ÷ flask-gthread`, and what that was compared with if it was a saved run."""
    return f"{judged.subject}, beside run {judged.against}" if judged.against else judged.subject


def figure_words(judged: FailIfJudged) -> str:
    """As in `0.912 ×`, or `0.12 %` of errors; empty where there is none."""
    figure = judged.figure
    if figure is None or not math.isfinite(figure.value):
        return ""
    if judged.condition.subject is FailSubject.ERRORS:
        return formats.percent(figure.value)
    return f"{figure.value:,.3f}{formats.NBSP}×"


def interval_words(judged: FailIfJudged) -> str:
    """As in `[0.893, 0.931]`, with the unit of the figure; empty where there is none."""
    figure = judged.figure
    if figure is None or not (math.isfinite(figure.low) and math.isfinite(figure.high)):
        return ""
    return f"[{_limits(judged, figure)}]"


def _limits(judged: FailIfJudged, figure: Estimate) -> str:
    if judged.condition.subject is FailSubject.ERRORS:
        return f"{formats.percent(figure.low)}, {formats.percent(figure.high)}"
    return f"{figure.low:,.3f},{formats.NBSP}{figure.high:,.3f}"


def sentence(judged: FailIfJudged) -> str:
    """As in `broken: throughput<0.95: hello (closed-4), b ÷ a: 0.912 × [0.893, 0.931], 7 rounds`."""
    figure = " ".join(filter(None, (figure_words(judged), interval_words(judged))))
    found = ", ".join(
        filter(None, (figure, formats.plural(judged.rounds, "round") if judged.rounds else ""))
    )
    reason = formats.clean(judged.reason)
    where = f"{judged.scenario} ({judged.load}), {beside_words(judged)}"
    said = "; ".join(filter(None, (found, reason)))
    return f"{judged.outcome}: {judged.condition.text}: {where}{f': {said}' if said else ''}"


def lines(promises: Sequence[FailIfJudged]) -> Iterator[str]:
    """What a pipeline's log says: a line for each promise that was not kept, and how many there are."""
    for judged in worst_first(promises):
        if judged.outcome is not FailOutcome.KEPT:
            yield sentence(judged).replace(formats.NBSP, " ")
    if promises:
        yield f"Promises: {counted(promises)}."
