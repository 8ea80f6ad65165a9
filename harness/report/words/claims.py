"""What is said of claims: what each test measures, its bound, and where its figure stands."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence

from harness.analysis.axes import AXES
from harness.models import ClaimKind, ClaimResult, ClaimTest, ClaimVerdict, JudgedClaim
from harness.report import formats
from harness.report.metrics import COMPARED

SIGNS: Mapping[ClaimVerdict, str] = {
    ClaimVerdict.HOLDS: "✓",
    ClaimVerdict.FAILS: "✗",
    ClaimVerdict.INCONCLUSIVE: "?",
    ClaimVerdict.NOT_MEASURED: "–",
}
CLAIMS_NOTE = (
    "A claim holds if the 95 % interval of every figure lies between its bounds, and does not hold if "
    "one lies wholly beyond them. Anything else is inconclusive. Intervals are not corrected for how "
    "many claims there are, as verdicts of comparisons are, so that one may hold whose comparison is "
    "inconclusive."
)


def _pair(test: ClaimTest) -> str:
    return f"{test.candidate} ÷ {test.baseline}"


def _metric(test: ClaimTest) -> str:
    return COMPARED[test.metric].name


def _at(test: ClaimTest) -> str:
    return f"{test.at} {AXES[test.axis].several}"


#: Kind of test -> what its figure is.
_FIGURES: Mapping[ClaimKind, Callable[[ClaimTest], str]] = {
    ClaimKind.RATIO: lambda test: f"{test.scenario}: {_metric(test)}, {_pair(test)}",
    ClaimKind.LARGER_EFFECT: lambda test: (
        f"{test.scenario}: {_metric(test)}, step from {test.baseline} to {test.candidate} ÷ step "
        f"from {test.beside_baseline} to {test.beside_candidate}"
    ),
    ClaimKind.NEITHER_BETTER: lambda test: (
        f"{test.scenario}: every metric of {test.candidate} and {test.baseline}; the ratio is that of "
        "the first"
    ),
    ClaimKind.MOST: lambda test: (
        f"{test.scenario}: most requests per second at any number of {AXES[test.axis].name}, "
        f"{_pair(test)}"
    ),
    ClaimKind.LARGEST_LOAD: lambda test: (
        f"{test.scenario}: {test.candidate}, requests per second at {_at(test)} ÷ at the best "
        "smaller number"
    ),
    ClaimKind.WORKER_MEMORY: lambda test: (
        f"{test.scenario}: {test.candidate}, memory of each further worker ÷ of one worker"
    ),
    ClaimKind.CAPACITY: lambda test: f"{test.scenario}: capacity, {_pair(test)}",
    ClaimKind.AT_SHARE: lambda test: (
        f"{test.scenario}: {_metric(test)} at {formats.percent(test.share or 0)} of each stack's "
        f"capacity, {_pair(test)}"
    ),
    ClaimKind.HELD_MEMORY: lambda test: f"{test.held} connections: memory for each, {_pair(test)}",
    ClaimKind.HELD_COUNT: lambda test: (
        f"{test.held} connections: how many were held, {_pair(test)}"
    ),
    ClaimKind.OTHERS_SERVED: lambda test: (
        f"{test.held} connections: {test.candidate}, share of other clients that were served"
    ),
    ClaimKind.CODE_LINES: lambda _: "lines of code, FastAPI ÷ Flask",
}


def measured_words(test: ClaimTest) -> str:
    """What the figure of a test is: `weather: requests per second, fastapi-aiohttp ÷ flask-gthread`."""
    return _FIGURES[test.kind](test)


def bound_words(test: ClaimTest) -> str:
    """As in `at least 2`, `at most 1` or `0.9 to 1.1`; empty where there is no bound."""
    low, high = test.at_least, test.at_most
    words = "" if high is None else f"at most {high:g}"
    if low is not None:
        words = f"at least {low:g}" if high is None else f"{low:g} to {high:g}"
    return words.replace(" ", formats.NBSP)


def figure_words(tested: ClaimResult) -> str:
    """As in `2.12 × [1.52, 2.95]`; empty where there is no figure."""
    figure = tested.figure
    if figure is None:
        return ""
    if tested.test.kind is ClaimKind.OTHERS_SERVED:
        return formats.percent(figure.value)
    ratio = formats.ratio(figure.value)
    if tested.test.kind is ClaimKind.CODE_LINES:
        return ratio
    return f"{ratio} {formats.ratio_interval(figure.value, figure.low, figure.high)}"


def verdict_words(judged: JudgedClaim) -> str:
    """The verdict with its sign; `measured in part` where some tests were measured and don't decide."""
    words = str(judged.verdict)
    if judged.verdict is ClaimVerdict.NOT_MEASURED and judged.is_measured:
        words = "measured in part"
    return f"{SIGNS[judged.verdict]} {words}"


def counted(claims: Sequence[JudgedClaim]) -> str:
    """As in `2 hold, 1 does not hold, 3 are inconclusive`; without those that were not measured."""
    found = Counter(judged.verdict for judged in claims if judged.is_measured)
    phrases = {
        ClaimVerdict.HOLDS: ("holds", "hold"),
        ClaimVerdict.FAILS: ("does not hold", "do not hold"),
        ClaimVerdict.INCONCLUSIVE: ("is inconclusive", "are inconclusive"),
        ClaimVerdict.NOT_MEASURED: ("is measured in part", "are measured in part"),
    }
    return ", ".join(
        f"{found[verdict]} {one if found[verdict] == 1 else several}"
        for verdict, (one, several) in phrases.items()
        if found[verdict]
    )


def missing(claims: Sequence[JudgedClaim]) -> tuple[str, ...]:
    """The commands that measure what was not measured, each once."""
    return tuple(
        dict.fromkeys(
            tested.test.measure
            for judged in claims
            for tested in judged.tested
            if tested.verdict is ClaimVerdict.NOT_MEASURED and tested.test.measure
        )
    )


def lines(claims: Sequence[JudgedClaim]) -> Iterator[str]:
    """The ledger as `twinbench list claims` prints it."""
    width = max((len(verdict_words(judged)) for judged in claims), default=0)
    indent = " " * (width + 2)
    for judged in claims:
        yield f"{verdict_words(judged):<{width}}  {judged.claim.id}: {judged.claim.claim}"
        for tested in judged.tested:
            yield f"{indent}{_line(tested)}"
        for command in missing([judged]):
            yield f"{indent}run: {command}"
    if said := counted(claims):
        yield f"Of {formats.plural(len(claims), 'claim')}, {said}."


def _line(tested: ClaimResult) -> str:
    words, bound = measured_words(tested.test), bound_words(tested.test)
    if tested.verdict is ClaimVerdict.NOT_MEASURED:
        return f"{words}{f' ({bound})' if bound else ''}"
    parts = (figure_words(tested), f"({bound})" if bound else "")
    said = " ".join(filter(None, parts))
    after = "; ".join(filter(None, (formats.clean(tested.reason), tested.source)))
    return f"{words}: {said or 'no figure'}{f'; {after}' if after else ''}"
