"""The answers: what came out of each scenario."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from harness.models import CellSummary, Comparison, Kind, Verdict
from harness.report import formats
from harness.report.content import Card, Finding
from harness.report.metrics import CPU, CPU_OF_START, MEMORY, P99, THROUGHPUT, Metric
from harness.report.verdicts import DECIDED, not_judged
from harness.report.view import (
    Pair,
    Part,
    View,
    by_scenario,
    has_ratio,
    is_decided,
    overload_words,
)
from harness.report.words.limited import compared_by_cpu, leading
from harness.report.words.pairs import best_without_ratio, framework_alone, labels
from harness.report.words.pauses import pausing
from harness.report.words.ratios import (
    absolutes,
    compared,
    figure_words,
    interval_words,
    sentence,
)

PAIRS_TOLD_SINGLY = 3
CPU_BOUND = "CPU-bound: requests wait for nothing but the processor"
_WITH_IO = (Kind.IO, Kind.MIXED)
_BESIDE = (P99, CPU)  # what each answer says beside the metric that decides
_BESIDE_WORDS: Mapping[Verdict, str] = {
    Verdict.FASTER: "better",
    Verdict.SLOWER: "worse",
    Verdict.SAME: "the same",
    Verdict.INCONCLUSIVE: "no clear difference",
}
AT_REST = (
    "Memory at rest is that of all processes of the server, its parent included, once they use "
    "less than 5 % of a core after the first answer."
)


#: What they spend their time on, nobody has said.
OWN_SERVICES = "Services of your own"


@dataclass(frozen=True, slots=True)
class Group:
    """The answers of scenarios that spend their time alike."""

    heading: str
    cards: tuple[Card, ...]


def answers(view: View) -> tuple[Card, ...]:
    """The findings of each scenario, in the metric that decides, with its tail and CPU time."""
    return tuple(_card(view, parts) for parts in by_scenario(view.parts).values())


def groups(view: View) -> tuple[Group, ...]:
    """The answers, apart by whether requests wait for something else or only compute."""
    own = [part for part in view.parts if part.plan.scenario.is_own]
    twins = [part for part in view.parts if part not in own]
    waiting = [part for part in twins if part.plan.scenario.kind in _WITH_IO]
    computing = [part for part in twins if part not in waiting]
    grouped = ((OWN_SERVICES, own), (_io_heading(waiting), waiting), (CPU_BOUND, computing))
    return tuple(
        Group(heading, tuple(_card(view, each) for each in by_scenario(parts).values()))
        for heading, parts in grouped
        if parts
    )


def _io_heading(parts: Sequence[Part]) -> str:
    mixed = any(part.plan.scenario.kind is Kind.MIXED for part in parts)
    return f"I/O-bound{' and mixed' if mixed else ''}: requests wait for a database or a service"


def _card(view: View, parts: Sequence[Part]) -> Card:
    first = parts[0]
    one_load = [first.load] if len(parts) == 1 else []
    rounds = [formats.plural(first.rounds, "round")] if len(parts) == 1 else []
    kind = () if first.plan.scenario.is_own else (first.kind,)
    return Card(
        first.plan.scenario.question,
        tuple(
            finding
            for part in parts
            for finding in (
                *_findings(view, part),
                *_pauses(part),
                *_memory_at_rest(view, part),
            )
        ),
        name=first.name,
        about=" · ".join((*kind, *one_load, *rounds)),
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


def _findings(view: View, part: Part) -> Iterator[Finding]:
    if not part.cells:
        yield _told(part, Finding("nothing is known yet: no round has finished."))
    elif not part.compared:
        for cell in part.cells:
            yield _told(part, _alone(part, cell))
    else:
        found = (*_pairs(view, part), *framework_alone(view, part), *best_without_ratio(view, part))
        yield from (_told(part, finding) for finding in found)


def _told(part: Part, finding: Finding) -> Finding:
    """A finding as a sentence, which names its load where the scenario has several."""
    if part.load_name:
        at = "At" if part.plan.load.is_open else "With"
        return replace(finding, text=f"{at} {part.load_name}, {finding.text}")
    if finding.text.startswith(tuple(part.names)):  # a label is written as it is
        return finding
    return replace(finding, text=finding.text[0].upper() + finding.text[1:])


def _pairs(view: View, part: Part) -> Iterator[Finding]:
    several = len(part.compared) > PAIRS_TOLD_SINGLY
    labelled = labels(view, part)
    by_throughput = []
    for pair, comparison in part.compared:
        kinds = labelled.get((pair.baseline, pair.candidate), ())
        if cpu := leading(part, pair):
            text, decides = compared_by_cpu(part, pair, cpu), cpu
        elif several and not kinds:
            by_throughput.append((pair, comparison))
            continue
        else:
            text, decides = compared(part, pair, comparison), comparison
        yield Finding(
            text, decides.verdict, not_judged(decides), kinds, tuple(_also(part, pair, decides))
        )
    yield from _grouped(part, by_throughput)


def _also(part: Part, pair: Pair, decides: Comparison) -> Iterator[Finding]:
    """The tail and the CPU time of a pair, each in a few words.

    Where the metric that decides has no winner and one of these has, that is said with a "but".
    """
    if not has_ratio(decides) and not any(map(has_ratio, pair.comparisons.values())):
        return
    for metric in _BESIDE:
        made = pair.comparisons.get(metric.key)
        if metric.key == decides.metric or (metric is P99 and part.counts_starts):
            continue
        short = _short(part, metric)
        if made is None:
            yield Finding(f"{short}: too few samples.")
        elif has_ratio(made):
            but = "But " if is_decided(made) and not is_decided(decides) else ""
            figures = absolutes(metric, pair, part)
            yield Finding(
                f"{but}{short} {figures} ({formats.ratio(made.ratio)}, "
                f"{interval_words(made)}): {not_judged(made) or _BESIDE_WORDS[made.verdict]}.",
                made.verdict,
                not_judged(made),
            )


def _short(part: Part, metric: Metric) -> str:
    if metric is P99:
        return "p99"
    return CPU_OF_START.heading if part.counts_starts else metric.heading


def _pauses(part: Part) -> Iterator[Finding]:
    if words := pausing(part):
        yield Finding(words)


def _alone(part: Part, cell: CellSummary) -> Finding:
    """What is said of a stack that is compared with none."""
    name = part.names[cell.stack]
    if not cell.valid:
        reason = formats.clean(cell.reason)
        return Finding(f"the measurement of {name} is invalid: {reason}.", Verdict.INVALID)
    if cell.overloaded:
        return Finding(f"{name} is {overload_words(cell)}.", Verdict.OVERLOADED)
    figure = part.headline.of(cell)
    limits = formats.limits(figure.low, figure.high)
    if part.headline == THROUGHPUT:
        did = f"served {formats.number(figure.value)} requests per second ({limits})"
    else:
        whose = "to start, in the median" if part.counts_starts else "for the median request"
        under = f" under {part.load}" if part.plan.load.is_open else ""
        did = f"took {part.headline.with_unit(figure.value)} {whose} ({limits}){under}"
    return Finding(f"{name} {did}; there is nothing to compare it with.")


def _grouped(part: Part, members: Sequence[tuple[Pair, Comparison]]) -> Iterator[Finding]:
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
                yield Finding(f"{listed}.", verdict)
                continue
            ratios = "; ".join(
                f"{part.names[pair.candidate]} {figure_words(comparison)}"
                for pair, comparison in group
            )
            of = f"{len(group)} of {formats.plural(len(part.compared), 'candidate')}"
            did = _group_words(part, verdict, part.names[baseline])
            yield Finding(
                f"{of} {did}: {ratios}.",
                verdict,
                not_judged(group[0][1]),
                also=tuple(_decided_beside(part, group)) if verdict is Verdict.INCONCLUSIVE else (),
            )


def _decided_beside(part: Part, group: Sequence[tuple[Pair, Comparison]]) -> Iterator[Finding]:
    """The verdicts on tail and CPU time of candidates without one in the metric that decides."""
    for pair, comparison in group:
        for found in _also(part, pair, comparison):
            if found.verdict in DECIDED:
                yield replace(found, text=f"{part.names[pair.candidate]}: {found.text}")


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
