"""Sentences about curves: the most that a stack served, its knee, and what comes after it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from harness.models import Beyond, Curve, CurvePoint, Failure, LargestLoad
from harness.report import formats
from harness.report.metrics import THROUGHPUT
from harness.report.view import CurveSet, View

FAILURES: Mapping[Failure, str] = {
    Failure.WRONG_STATUS: "had a wrong status",
    Failure.WRONG_BODY: "had a wrong body",
    Failure.CLOSED: "were closed by the server",
    Failure.TIMEOUT: "had no reply in time",
    Failure.MALFORMED: "were no HTTP",
    Failure.REFUSED: "found no connection",
    Failure.NEVER_SENT: "were never sent",
}

KNEE_NOTE = (
    "The knee is the measured load at which throughput ÷ mean latency is largest: up to it, more load "
    "brings more throughput than waiting, and beyond it more waiting than throughput. Its range holds "
    "every load that may be the best."
)
LAW_NOTE = (
    "The Universal Scalability Law says X(N) = λN ÷ (1 + σ(N − 1) + κN(N − 1)) for N users: λ is the "
    "throughput of one, σ the share of the work that is done in turn, κ what users cost each other. A "
    "law that misses a point by more than 10 %, and by more than the point's interval, is not given: "
    "a stack that serves all users alike until it is full has a sharper corner than the law."
)


def curves_question(sets: Iterable[CurveSet]) -> str:
    """What the curves answer."""
    if _are_about_load(sets):
        return "What does more load bring, and what does it cost?"
    return "How do throughput, latency and cost change?"


def heading(sets: Iterable[CurveSet]) -> str:
    """The section's heading."""
    if _are_about_load(sets):
        return "What more load brings"
    return f"What changes with {formats.listing(list(dict.fromkeys(of.axis.name for of in sets)))}"


def _are_about_load(sets: Iterable[CurveSet]) -> bool:
    """Whether more along the axis is more load, as of users and unlike of workers."""
    return all(of.axis.has_knee for of in sets)


def said_of(view: View) -> Iterator[str]:
    """A few sentences about each curve."""
    for curve_set in view.curve_sets:
        for curve in curve_set.curves:
            where = f"{curve_set.scenario}, " if _several_scenarios(view) else ""
            yield f"{where}{curve.line}: {curve_words(curve_set, curve)}"


def _several_scenarios(view: View) -> bool:
    return len({curve_set.title for curve_set in view.curve_sets}) > 1


def curve_words(of: CurveSet, curve: Curve) -> str:
    """As in `served at most 520 requests/s (505 to 535), with 100 users. Its knee is at …`."""
    return " ".join(
        (*_most(of, curve), *_knee(of, curve), *_beyond(of, curve), *_failed(of, curve))
    )


def _most(of: CurveSet, curve: Curve) -> Iterator[str]:
    if curve.most is None:
        yield "nothing valid was measured."
        return
    figure = curve.most.throughput_rps
    limits = formats.limits(figure.low, figure.high)
    most = f"served at most {THROUGHPUT.with_unit(figure.value)} ({limits})"
    yield f"{most}, at {of.axis.words(curve.most.value)}."


def _knee(of: CurveSet, curve: Curve) -> Iterator[str]:
    found = curve.knee
    if found is None:
        return
    if not found.reached:
        yield f"No knee up to {of.axis.words(found.largest)}."
        return
    where = of.axis.words(found.value)
    if found.value == found.smallest:
        where += ", the least that was measured"
    elif found.low < found.high:
        or_more = " or more" if found.high == found.largest else ""
        where += f" ({found.low:,.10g} to {found.high:,.10g}{or_more})"
    yield f"Knee at {where}."


def _beyond(of: CurveSet, curve: Curve) -> Iterator[str]:
    if of.axis.is_schedule:
        yield from _kept_up(of, curve)
    elif curve.largest is not None:
        yield _outcome(of, curve.largest)


def _outcome(of: CurveSet, largest: LargestLoad) -> str:
    at, best = of.axis.words(largest.value), of.axis.words(largest.best)
    ratio = largest.ratio
    limits = formats.ratio_limits(ratio.value, ratio.low, ratio.high)
    words = f"{formats.ratio(ratio.value)} as many as at {best} ({limits})"
    match largest.outcome:
        case Beyond.RISES:
            return f"It still rises at {at}: {words}."
        case Beyond.HOLDS:
            return f"It holds at {at}: {words}."
        case Beyond.FALLS:
            lost = formats.percent(1 - ratio.value)
            return f"It falls by {lost} at {at}: {words}."
        case Beyond.UNCLEAR:
            return f"Whether it holds at {at} is unclear: {words}."


def _kept_up(of: CurveSet, curve: Curve) -> Iterator[str]:
    overloaded = [point for point in curve.points if point.valid and point.overloaded]
    kept = curve.kept_up
    if not overloaded:
        if kept is not None and kept == curve.points[-1].value:
            yield f"It kept up with every rate, up to {of.axis.words(kept)}."
        return
    first = overloaded[0]
    upto = "" if kept is None else f"It kept up with {of.axis.words(kept)}. "
    answered = THROUGHPUT.with_unit(first.throughput_rps.value)
    yield f"{upto}At {of.axis.words(first.value)} it fell behind and answered {answered}."


def _failed(of: CurveSet, curve: Curve) -> Iterator[str]:
    """Loads that are invalid: because requests failed, or for another reason."""
    failing = [point for point in curve.points if not point.valid and point.failures]
    for point in failing:
        share = formats.percent(point.error_share)
        yield f"At {of.axis.words(point.value)}, {share} of its requests failed: {why(point)}."
    others = [point for point in curve.points if not point.valid and not point.failures]
    if others and curve.most:
        values = formats.listing([f"{point.value:,.10g}" for point in others])
        yield f"Invalid for other reasons: {values} {of.axis.several}."


def why(point: CurvePoint) -> str:
    """As in `1,203 had no reply in time, 30 found no connection`."""
    counts = sorted(point.failures.items(), key=lambda item: -item[1])
    return ", ".join(f"{count:,} {FAILURES[reason]}" for reason, count in counts)
