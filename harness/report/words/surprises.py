"""What a reader who looks at one figure alone would get wrong."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence

from harness.models import Comparison, Stack, Verdict
from harness.report import formats
from harness.report.metrics import CPU, P99
from harness.report.view import TWINS, Pair, Part, View, is_decided
from harness.report.words.ratios import figure_words

#: What stacks can differ in -> what the report calls it, where that is another name.
_SETTINGS: Mapping[str, str] = {
    "http_client": "HTTP client",
    "http_client_life": "lifetime of the HTTP client",
    "workers": "number of workers",
}


def _called(setting: str) -> str:
    return _SETTINGS.get(setting, setting.replace("_", " "))


def surprises(view: View) -> tuple[str, ...]:
    """A sentence for each."""
    found: list[str] = []
    for part in view.parts:
        found += _differs_from_itself(part, view.stacks)
        found += _variant_decides(part, view.stacks)
        found += _tail_disagrees(part)
        found += _cpu_disagrees(part)
    return tuple(found)


def _differs_from_itself(part: Part, stacks: Mapping[str, Stack]) -> Iterator[str]:
    for pair, comparison in part.compared:
        baseline, candidate = stacks.get(pair.baseline), stacks.get(pair.candidate)
        if (
            baseline
            and candidate
            and (baseline.name, baseline.workers) == (candidate.name, candidate.workers)
            and is_decided(comparison)
        ):
            yield (
                f"In {part.where}, {baseline.name} differs from itself: "
                f"{figure_words(comparison)}. Its intervals promise more than they keep, so "
                "don't believe any of its ratios near 1."
            )


def _variant_decides(part: Part, stacks: Mapping[str, Stack]) -> Iterator[str]:
    """Stacks of one application with opposite verdicts against the same baseline."""
    groups: dict[tuple[str, str], dict[Verdict, list[tuple[Stack, Comparison]]]] = {}
    for pair, comparison in part.compared:
        stack = stacks.get(pair.candidate)
        if stack and is_decided(comparison):
            # By application: Flask inside FastAPI is a third one.
            group = groups.setdefault((pair.baseline, stack.app), defaultdict(list))
            group[comparison.verdict].append((stack, comparison))
    for (baseline, _), by_verdict in groups.items():
        slower, faster = by_verdict[Verdict.SLOWER], by_verdict[Verdict.FASTER]
        if slower and faster:
            yield _variant_words(part, part.names.get(baseline, baseline), slower, faster)


def _variant_words(
    part: Part,
    baseline: str,
    slower: Sequence[tuple[Stack, Comparison]],
    faster: Sequence[tuple[Stack, Comparison]],
) -> str:
    twin = TWINS.get(slower[0][0].twin, slower[0][0].twin)
    differing = differences([stack for stack, _ in (*slower, *faster)])
    if len(differing) == 1:
        ((name, values),) = differing.items()
        return (
            f"In {part.where}, the {_called(name)} matters more than the framework: "
            f"{twin} is slower than {baseline} with {_with_values(slower, values)}, but faster "
            f"with {_with_values(faster, values)}."
        )
    listed = formats.listing(
        [
            f"{_called(name)} ({', '.join(dict.fromkeys(values.values()))})"
            for name, values in differing.items()
        ]
    )
    return (
        f"In {part.where}, the variant matters more than the framework: compared with {baseline}, "
        f"{_listed(slower)} slower but {_listed(faster)} faster, though all of them are {twin}."
        + (f" They differ in {listed}." if listed else "")
    )


def _with_values(items: Sequence[tuple[Stack, Comparison]], values: Mapping[str, str]) -> str:
    return formats.listing(
        [f"{values[stack.label]} ({formats.ratio(made.ratio)})" for stack, made in items]
    )


def differences(stacks: Sequence[Stack]) -> dict[str, dict[str, str]]:
    """In what stacks differ -> what it is in each of them, by label."""
    of_stacks = {
        "server": [stack.server for stack in stacks],
        "application": [stack.app for stack in stacks],
        "server options": [" ".join(stack.options) for stack in stacks],
        "workers": [stack.workers for stack in stacks],
        **{
            key: [stack.settings.get(key, "") for stack in stacks]
            for stack in stacks
            for key in stack.settings
        },
    }
    labels = [stack.label for stack in stacks]
    return {
        key: {label: value or "the default" for label, value in zip(labels, values, strict=True)}
        for key, values in of_stacks.items()
        if len(set(values)) > 1
    }


def _tail_disagrees(part: Part) -> Iterator[str]:
    for pair, headline in part.compared:
        tail = pair.comparisons.get(P99.key)
        if tail and _opposite(headline, tail):
            yield (
                f"In {part.where}, {_leads(part, pair, headline)}, yet it "
                f"{P99.ratio.format(ratio=formats.ratio(tail.ratio))} (p99)."
            )


def _cpu_disagrees(part: Part) -> Iterator[str]:
    if part.counts_starts:  # their CPU time goes on after the answer
        return
    for pair, headline in part.compared:
        cpu = pair.comparisons.get(CPU.key)
        if cpu and _opposite(headline, cpu):
            why = (
                "it gains by waiting less, not by doing less"
                if headline.verdict is Verdict.FASTER
                else "it waits where it could work"
            )
            yield (
                f"In {part.where}, {_leads(part, pair, headline)}, yet it "
                f"{CPU.ratio.format(ratio=formats.ratio(cpu.ratio))}: {why}."
            )


def _leads(part: Part, pair: Pair, headline: Comparison) -> str:
    """Says which stack leads in the metric that decides."""
    metric = part.headline
    did = metric.better() if headline.verdict is Verdict.FASTER else metric.worse()
    candidate, baseline = part.names[pair.candidate], part.names[pair.baseline]
    return f"{candidate} {did} than {baseline} ({formats.ratio(headline.ratio)})"


def _opposite(headline: Comparison, other: Comparison) -> bool:
    return {headline.verdict, other.verdict} == {Verdict.FASTER, Verdict.SLOWER}


def _listed(items: Sequence[tuple[Stack, Comparison]]) -> str:
    names = [f"{stack.label} ({formats.ratio(comparison.ratio)})" for stack, comparison in items]
    return f"{formats.listing(names)} {'is' if len(names) == 1 else 'are'}"
