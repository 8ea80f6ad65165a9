"""What follows from sampled stacks: the share of each group of code, and the flame graph."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from harness.analysis import gates, stats
from harness.analysis.libraries import group_of
from harness.models import (
    Estimate,
    Flame,
    FlameFrame,
    Group,
    GroupShare,
    ProfileAnalysis,
    ProfileRecord,
    ProfileRound,
    Stack,
    StackProfile,
    Stacks,
)

#: Frames with a smaller share of the samples can't be seen in a flame graph, or hardly.
LEAST_WIDTH = 0.004
#: The outermost frames that at least this share of the samples has in common are not drawn.
_FOLDED_SHARE = 0.98
#: Student's t over two rounds is 13 times as wide as their spread, and says nothing.
_LEAST_ROUNDS = 3
#: Of the normal distribution, for 95 %.
_Z = 1.959964
#: Where samples cover less than this share of the CPU time, and not by chance, the rest is told.
_LEAST_SEEN = 0.9


def analyse_profile(
    record: ProfileRecord, stacks_of: Callable[[ProfileRound], Stacks]
) -> ProfileAnalysis:
    """Derive everything that tables, charts and page say.

    Args:
        record: What was sampled.
        stacks_of: Reads the collapsed stacks of one stack in one round.
    """
    profiles: list[StackProfile] = []
    flames: list[Flame] = []
    by_round: dict[str, list[Counter[Group]]] = {}
    rounds_of: dict[str, list[ProfileRound]] = {}
    problems: list[str] = []
    for stack in record.plan.run.stacks:
        rounds = [each for each in record.rounds if each.stack == stack.label]
        if not rounds:
            continue
        rounds_of[stack.label] = rounds
        sampled = [stacks_of(each) for each in rounds]
        by_round[stack.label] = [_by_group(stacks) for stacks in sampled]
        merged = sum((Counter(stacks) for stacks in sampled), Counter())
        counts = [sum(stacks.values()) for stacks in sampled]
        profiles.append(_profile(record, stack, rounds, counts))
        problems += _problems(record, stack.label, rounds, merged.total())
        if merged:
            flames.append(flame(stack.label, merged))
    seen = [group for group in Group if any(n[group] for each in by_round.values() for n in each)]
    shares = [
        _share(profile, group, rounds_of[profile.stack], by_round[profile.stack])
        for profile in profiles
        if profile.samples
        for group in seen
    ]
    return ProfileAnalysis(record, tuple(profiles), tuple(shares), tuple(flames), tuple(problems))


def _by_group(stacks: Stacks) -> Counter[Group]:
    """Group -> samples."""
    found: Counter[Group] = Counter()
    for stack, count in stacks.items():
        found[group_of(stack)] += count
    return found


def _profile(
    record: ProfileRecord,
    stack: Stack,
    rounds: Sequence[ProfileRound],
    samples: Sequence[int],
) -> StackProfile:
    def per_request(figure: Callable[[ProfileRound], float]) -> Estimate:
        return _mean(
            [figure(each) / each.counted.requests for each in rounds if each.counted.requests]
        )

    whole = [(each, n) for each, n in zip(rounds, samples, strict=True) if not each.cut_short]
    cpu_s = sum(each.sampled.cpu_s for each, _ in whole)
    slowed = [
        (each.sampled.requests / each.sampled.seconds)
        / (each.counted.requests / each.counted.seconds)
        for each, _ in whole
        if each.counted.requests
    ]
    return StackProfile(
        stack=stack.label,
        twin=stack.twin,
        rounds=len(rounds),
        samples=sum(samples),
        requests=sum(each.counted.requests for each in rounds),
        errors=sum(each.errors for each in rounds),
        cpu_us_per_request=per_request(lambda each: 1e6 * each.counted.cpu_s),
        voluntary_per_request=per_request(lambda each: each.counted.switches.voluntary),
        involuntary_per_request=per_request(lambda each: each.counted.switches.involuntary),
        cut_short=len(rounds) - len(whole),
        speed_under_sampler=stats.log_mean(slowed).value if slowed else math.nan,
        seen=sum(n for _, n in whole) / record.plan.rate_hz / cpu_s if cpu_s else math.nan,
    )


def _problems(
    record: ProfileRecord, stack: str, rounds: Sequence[ProfileRound], samples: int
) -> Iterator[str]:
    """What makes the figures of a stack unusable."""
    requests = sum(each.counted.requests + each.sampled.requests for each in rounds)
    example = next((each.error_example for each in rounds if each.error_example), "")
    errors = sum(each.errors for each in rounds)
    judged = gates.errors(requests, errors, record.plan.block.scenario.kind, example)
    if not judged.passed:
        yield f"{stack}: {judged.reason}"
    for each in rounds:
        if each.died:
            yield f"{stack}, round {each.round}: {each.died}"
    if not samples:
        yield f"{stack}: no sample was taken; sample for longer (--seconds)"


# ------------------------------------------------------------------------------ shares


def _share(
    profile: StackProfile,
    group: Group,
    rounds: Sequence[ProfileRound],
    sampled: Sequence[Mapping[Group, int]],
) -> GroupShare:
    samples = sum(each.get(group, 0) for each in sampled)
    share = samples / profile.samples
    by_chance = Estimate(share, *wilson(samples, profile.samples))
    parts = [
        (each.get(group, 0) / sum(each.values()), of.counted)
        for of, each in zip(rounds, sampled, strict=True)
        if each
    ]
    between = _over_rounds(share, [part for part, _ in parts])
    between = Estimate(share, between.low, min(between.high, 1.0))  # NaN stays NaN
    # What the whole request costs differs from round to round too.
    total_us = covered(profile) * profile.cpu_us_per_request.value
    cost = share * total_us
    cost_by_chance = Estimate(cost, by_chance.low * total_us, by_chance.high * total_us)
    cost_between = _over_rounds(
        cost,
        [
            covered(profile) * part * 1e6 * counted.cpu_s / counted.requests
            for part, counted in parts
            if counted.requests
        ],
    )
    return GroupShare(
        stack=profile.stack,
        group=group,
        samples=samples,
        share=_wider(between, by_chance),
        by_chance=by_chance,
        between_rounds=between,
        cpu_us_per_request=_wider(cost_between, cost_by_chance),
    )


def covered(profile: StackProfile) -> float:
    """The share of a stack's CPU time that its samples stand for: all of it, or clearly less."""
    by_chance = _Z / math.sqrt(profile.samples) if profile.samples else 0.0
    return profile.seen if profile.seen * (1 + by_chance) < _LEAST_SEEN else 1.0


def wilson(hits: int, samples: int) -> tuple[float, float]:
    """The 95 % interval of a share: E. B. Wilson, "Probable inference, the law of succession" (1927).

    Args:
        hits: samples that were so.
        samples: all of them, at least one.
    """
    share, spread = hits / samples, _Z**2 / samples
    middle = (share + spread / 2) / (1 + spread)
    half = math.sqrt(share * (1 - share) * spread + spread**2 / 4) / (1 + spread)
    return max(0.0, middle - half), min(1.0, middle + half)


def _over_rounds(value: float, rounds: Sequence[float]) -> Estimate:
    """A value with Student's t interval over rounds, which none of them can make negative."""
    half = stats.half_width(rounds) if len(rounds) >= _LEAST_ROUNDS else math.nan
    return Estimate(value, max(0.0, value - half) if math.isfinite(half) else half, value + half)


def _wider(one: Estimate, other: Estimate) -> Estimate:
    return one if _width(one) > _width(other) else other


def _width(estimate: Estimate) -> float:
    """How wide the interval is; an unknown one is narrower than any."""
    width = estimate.high - estimate.low
    return width if math.isfinite(width) else -1.0


def _mean(values: Sequence[float]) -> Estimate:
    """The mean over rounds, with Student's t interval; nothing counted is less than none."""
    if not values:
        return Estimate(math.nan, math.nan, math.nan)
    return _over_rounds(sum(values) / len(values), values)


# ------------------------------------------------------------------------------- flame


@dataclass(slots=True)
class _Node:
    """A frame and those that it called."""

    samples: int = 0
    own: int = 0
    calls: dict[str, _Node] = field(default_factory=dict)


def flame(stack: str, stacks: Stacks) -> Flame:
    """The flame graph of sampled stacks: what was called most stands on the left."""
    root = _Node()
    for frames, count in stacks.items():
        root.samples += count
        node = root
        for frame in frames:
            node = node.calls.setdefault(frame, _Node())
            node.samples += count
        node.own += count
    folded: list[str] = []
    node = root
    while True:
        called = max(node.calls.items(), key=lambda call: call[1].samples, default=None)
        if called is None or called[1].samples < _FOLDED_SHARE * root.samples:
            break
        if not called[1].calls:
            break  # something has to be left to draw
        folded.append(called[0])
        node = called[1]
    least = LEAST_WIDTH * root.samples
    drawn = tuple(_frames(node, tuple(folded), 0, 0, least))
    return Flame(stack, root.samples, tuple(folded), drawn)


def _frames(
    node: _Node, above: tuple[str, ...], depth: int, start: int, least: float
) -> Iterator[FlameFrame]:
    """The frames below a node, from the outermost on; `start` is where the first of them begins."""
    for name, called in sorted(node.calls.items(), key=lambda call: (-call[1].samples, call[0])):
        if called.samples < least:
            continue
        stack = (*above, name)
        yield FlameFrame(name, group_of(stack), depth, start, called.samples, called.own)
        yield from _frames(called, stack, depth + 1, start, least)
        start += called.samples
