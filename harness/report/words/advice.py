"""Sentences of an advice: what was asked, what helps, how sure that is, and what can only be asked."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping

from harness.models import Advice, LeftOut, Outcome, Prediction, StackChange
from harness.planning.advice import QUESTIONS
from harness.report import formats

_AXES: Mapping[str, str] = {
    "users": "users",
    "io_ms": "the upstream's latency",
    "queries": "queries",
    "work": "CPU work",
}
_BEFORE_REASONS = {Outcome.UNKNOWN: "the data don't reach: ", Outcome.FAILS: ""}
CLOSED = (
    "The figures come from closed load: so many users, each of whom sends when the last reply has come. "
    "Requests that arrive at random wait longer near a stack's capacity. Containers are taken to add up, "
    "each with cores of its own."
)


def asked(advice: Advice) -> str:
    """The question, in figures."""
    question = advice.question
    parts = [f"{formats.tick(question.io_ms)}{formats.NBSP}ms of waiting for another service"]
    lookups = question.queries
    parts.append(
        formats.plural(lookups, "quer", "ies") if lookups != 1 else f"1{formats.NBSP}query"
    )
    units = ""
    if question.cpu_ms and math.isfinite(advice.work):
        unit = advice.unit_us
        units = (
            f" ({formats.number(advice.work)} units of work of {formats.number(unit.value)}"
            f"{formats.NBSP}µs, from stack to stack {formats.limits(unit.low, unit.high)}"
            f"{formats.NBSP}µs)"
        )
    parts.append(f"{formats.tick(question.cpu_ms)}{formats.NBSP}ms of Python{units}")
    return (
        f"For {formats.tick(question.demand.rate_rps)} requests/s, each with "
        f"{formats.listing(parts)}; {question.slo.text}; "
        f"{formats.percent(question.demand.headroom)} of each container's rate kept free. "
        f"Predicted from {advice.run}."
    )


def elsewhere(advice: Advice) -> str:
    """That the figures are another machine's; empty if they are not."""
    if not advice.other_machine:
        return ""
    return "That run is of another machine: these are its figures, and not this one's."


def fewest(advice: Advice) -> str:
    """Which stacks need the fewest containers, and which may."""
    serving = advice.serving
    if not serving:
        if not advice.known:
            return "No stack has an answer."
        return "No stack is predicted to keep the promise."
    count, most = serving[0].need.containers, serving[0].need.most
    first = [each for each in serving if each.need.containers == count]
    rivals = [
        each.stack
        for each in serving
        if each not in first and (most is None or each.need.fewest <= most)
    ]
    text = (
        f"Fewest containers: {formats.listing(list(map(_named, first)))}, with {count:,}"
        f"{' each' if len(first) > 1 else ''}."
    )
    if rivals:
        text += f" Within the intervals, {formats.listing(rivals)} may need no more."
    return text


def _named(made: Prediction) -> str:
    return f"{made.stack} (unsure)" if made.outcome is Outcome.UNSURE else made.stack


def changes(advice: Advice) -> Iterator[str]:
    """What a change from the baseline brings, what helps most first; nothing without an answer."""
    if not advice.known:
        return
    baseline = advice.question.baseline or ""
    made = {each.stack: each for each in advice.predictions}
    if made[baseline].outcome is Outcome.UNKNOWN:
        yield (
            f"The data don't reach {baseline}, from which changes would start: name another stack "
            "with --from."
        )
        return
    if not advice.changes:
        yield f"No other stack of this run has an answer to compare {baseline} with."
        return
    are_single = advice.changes[0].is_single
    if not are_single:
        yield (
            f"No measured stack differs from {baseline} in one thing alone; these differ in several."
        )
    helpful = [change for change in advice.changes if change.helps]
    if not helpful:
        yield f"No measured change from {baseline} raises the rate."
    for place, change in enumerate(advice.changes):
        lead = ""
        if place == 0 and change.helps:
            is_sure = change.is_sure or change.enables
            lead = (
                "Helps most: "
                if is_sure
                else "May help most, though that lies inside the interval: "
            )
        yield f"{lead}{_change(change, made[baseline])}"


def _change(change: StackChange, before: Prediction) -> str:
    what = f"{change.after} ({formats.listing(change.differs) or 'the same settings'})"
    if change.enables:
        return f"{what} keeps the promise with {_containers(change.containers)}, {change.before} does not."
    if not math.isfinite(change.ratio.value):
        if change.containers is None:
            return f"{what} does not keep the promise."
        return (
            f"{what} takes {_containers(change.containers)}; whether {change.before} keeps the promise "
            "at all is not sure."
        )
    ratio, count = change.ratio, before.need.containers or 0
    limits = formats.ratio_limits(ratio.value, ratio.low, ratio.high)
    if math.isinf(ratio.high):
        limits = f"{formats.number(ratio.low)} or more" if ratio.low else "an unlimited interval"
    counts = (
        f"with as many containers ({count:,})"
        if change.containers == count
        else f"with {_containers(change.containers)} instead of {count:,}"
    )
    return f"{what} serves {formats.ratio(ratio.value)} as much ({limits}), {counts}."


def _containers(count: int | None) -> str:
    return "no known number of containers" if count is None else formats.plural(count, "container")


def _limit(value: float) -> str:
    return "more" if math.isinf(value) else formats.number(value)


def interval(low: float, high: float) -> str:
    """As in `[400, 520]`; `[400, more]` where the upper limit was not found."""
    return f"[{formats.number(low)},{formats.NBSP}{_limit(high)}]"


def sureness(advice: Advice) -> Iterator[str]:
    """How wrong such predictions are, and what the intervals don't contain."""
    for each in advice.left_out:
        yield _left_out(each, is_used=each.axis in ("users", *advice.between))
    if not advice.left_out:
        yield (
            "No measured load lies between two others, so none could be left out: how wrong these "
            "predictions are is not known. An axis with three values or more changes that."
        )
    elif advice.unchecked:
        axes = formats.listing([_AXES[axis] for axis in advice.unchecked])
        yield (
            f"On {axes}, no load could be left out: the intervals don't contain that error. Three "
            "values or more change that."
        )
    if not advice.has_noise:
        yield (
            "Loads of this run have no interval of their own, because it has fewer than two rounds: "
            "the intervals contain the error of prediction only."
        )


def _left_out(made: LeftOut, *, is_used: bool) -> str:
    latency = ""
    if math.isfinite(made.latency_median):
        latency = (
            f", its latency {formats.percent(made.latency_median)} and "
            f"{formats.percent(made.latency_worst)}"
        )
    use = "" if is_used else " (this question needs no prediction there)"
    return (
        f"Left out and predicted from both neighbours on {_AXES[made.axis]}: the throughput of "
        f"{formats.plural(made.cells, 'cell')} is off by {formats.percent(made.throughput_median)} in "
        f"the median and {formats.percent(made.throughput_worst)} at worst{latency}{use}."
    )


def remarks(advice: Advice) -> Iterator[str]:
    """Why stacks have no figure, or fewer than were measured; those with the same reason together."""
    stacks: dict[str, list[str]] = {}
    for each in advice.predictions:
        if each.reason:
            begin = _BEFORE_REASONS.get(each.outcome, "without some numbers of users: ")
            stacks.setdefault(begin + each.reason, []).append(each.stack)
    for reason, names in stacks.items():
        yield f"{formats.listing(names)}: {reason}."


def held_heading(advice: Advice) -> str:
    """What open connections are asked about."""
    origin = f", from {advice.held_run}" if advice.held_run else ""
    return (
        f"Memory of {formats.plural(advice.question.connections or 0, 'open connection')}, beside the "
        f"containers' own{origin}:"
    )


def held(advice: Advice) -> Iterator[str]:
    """What open connections take with each stack; nothing if that was not asked."""
    for each in advice.predictions:
        if each.held is None:
            continue
        parts = []
        if math.isfinite(each.held.memory_mib):
            parts.append(f"{formats.number(each.held.memory_mib)}{formats.NBSP}MiB in all")
        if each.held.each is not None:
            parts.append(f"{each.held.each:,} per container")
        if each.held.most_held:
            parts.append(f"one server held {each.held.most_held:,}")
        if each.held.reason:
            parts.append(each.held.reason)
        yield f"{each.stack}: {'; '.join(parts)}."


def answered(answers: Mapping[str, bool | None]) -> Iterator[str]:
    """What follows from each yes or no, and the questions that are still open."""
    for option, answer in answers.items():
        question = QUESTIONS[option]
        if answer is None:
            yield f"{question.text} (--{option} or --no-{option})"
        else:
            yield f"{question.text} {'Yes' if answer else 'No'}. {question.yes if answer else question.no}"
