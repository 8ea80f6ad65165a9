"""The answers: what came out of each scenario."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterator, Sequence

from harness.models import CellSummary, Comparison, Verdict
from harness.report import formats
from harness.report.content import Card, Finding
from harness.report.metrics import MEMORY, THROUGHPUT
from harness.report.view import Pair, Part, View, by_scenario, has_ratio, overload_words
from harness.report.words.limited import compared_by_cpu, leading
from harness.report.words.pauses import pausing
from harness.report.words.ratios import compared, figure_words, sentence

PAIRS_TOLD_SINGLY = 3
AT_REST = (
    "Memory at rest is that of all processes of the server, its parent included, once they use "
    "less than 5 % of a core after the first answer."
)


def answers(view: View) -> tuple[Card, ...]:
    """The findings of each scenario, in the metric that decides."""
    return tuple(
        Card(
            parts[0].plan.scenario.question,
            tuple(
                finding
                for part in parts
                for finding in (
                    *_findings(part),
                    *_pauses(part),
                    *_memory_at_rest(view, part),
                )
            ),
        )
        for parts in by_scenario(view.parts).values()
    )


def names_note(view: View) -> str:
    """Which stacks the answers call by the name of their framework; empty if they call none so."""
    named = dict.fromkeys(
        f"{name} is {label}"
        for part in view.parts
        for label, name in part.names.items()
        if name != label
    )
    return f"In these sentences, {formats.listing(list(named))}." if named else ""


def _findings(part: Part) -> Iterator[Finding]:
    where = f"In {part.where} ({part.kind}), "
    if not part.cells:
        yield Finding(f"{where}nothing is known yet: no round has finished.")
    elif not part.compared:
        for cell in part.cells:
            yield _alone(where, part, cell)
    else:
        yield from _pairs(where, part)


def _pairs(where: str, part: Part) -> Iterator[Finding]:
    several = len(part.compared) > PAIRS_TOLD_SINGLY
    by_throughput = []
    for pair, comparison in part.compared:
        if cpu := leading(part, pair):
            yield Finding(where + compared_by_cpu(part, pair, cpu), cpu.verdict)
        elif several:
            by_throughput.append((pair, comparison))
        else:
            yield Finding(where + compared(part, pair, comparison), comparison.verdict)
    yield from _grouped(where, part, by_throughput)


def _pauses(part: Part) -> Iterator[Finding]:
    if words := pausing(part):
        yield Finding(words)


def _alone(where: str, part: Part, cell: CellSummary) -> Finding:
    """What is said of a stack that is compared with none."""
    name = part.names[cell.stack]
    if not cell.valid:
        reason = formats.clean(cell.reason)
        return Finding(f"{where}the measurement of {name} is invalid: {reason}.", Verdict.INVALID)
    if cell.overloaded:
        return Finding(f"{where}{name} is {overload_words(cell)}.", Verdict.OVERLOADED)
    figure = part.headline.of(cell)
    limits = formats.limits(figure.low, figure.high)
    if part.headline == THROUGHPUT:
        did = f"served {formats.number(figure.value)} requests per second ({limits})"
    else:
        whose = "to start, in the median" if part.counts_starts else "for the median request"
        under = f" under {part.load}" if part.plan.load.is_open else ""
        did = f"took {part.headline.with_unit(figure.value)} {whose} ({limits}){under}"
    return Finding(f"{where}{name} {did}; there is nothing to compare it with.")


def _grouped(
    where: str, part: Part, members: Sequence[tuple[Pair, Comparison]]
) -> Iterator[Finding]:
    """A sentence for each verdict and baseline, where candidates are too many for one each."""
    groups: dict[tuple[Verdict, str], list[tuple[Pair, Comparison]]] = defaultdict(list)
    for pair, comparison in members:
        groups[comparison.verdict, pair.baseline].append((pair, comparison))
    for verdict in Verdict:
        for baseline in dict.fromkeys(pair.baseline for pair, _ in members):
            group = groups.get((verdict, baseline))
            if not group:
                continue
            if not has_ratio(group[0][1]):
                listed = "; ".join(compared(part, *member).rstrip(".") for member in group)
                yield Finding(f"{where}{listed}.", verdict)
                continue
            ratios = "; ".join(
                f"{part.names[pair.candidate]} {figure_words(comparison)}"
                for pair, comparison in group
            )
            of = f"{len(group)} of {formats.plural(len(part.compared), 'candidate')}"
            did = _group_words(part, verdict, part.names[baseline])
            yield Finding(f"{where}{of} {did}: {ratios}.", verdict)


def _group_words(part: Part, verdict: Verdict, baseline: str) -> str:
    metric = part.headline
    match verdict:
        case Verdict.FASTER:
            return f"{metric.better()} than {baseline}"
        case Verdict.SLOWER:
            return f"{metric.worse()} than {baseline}"
        case Verdict.SAME:
            return f"{metric.same} as {baseline}, but for a difference too small to matter"
        case _:
            return (
                f"can't be told from {baseline} yet by their {metric.name}, and more rounds would "
                "help"
            )


def _memory_at_rest(view: View, part: Part) -> Iterator[Finding]:
    """Of starts: the memory of each stack, shared out to its workers."""
    if not part.counts_starts:
        return
    phrases = [
        f"{MEMORY.with_unit(cell.pss_mib / workers)} per worker in {cell.stack}"
        for cell in part.cells
        if cell.valid and (workers := view.workers(cell.stack)) and math.isfinite(cell.pss_mib)
    ]
    if phrases:
        yield Finding(sentence(f"memory at rest: {formats.listing(phrases)}") + f" {AT_REST}")
