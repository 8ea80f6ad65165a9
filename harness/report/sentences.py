"""Every sentence of the report, made from data.

A winner is named by a verdict alone: where the verdict is `same`, `inconclusive` or `invalid`,
the sentence says so and what would help.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from statistics import median

from harness.models import Analysis, CellSummary, Comparison, Placement, Stack, Verdict
from harness.report import formats, outline
from harness.report.outline import THROUGHPUT, TWINS, Pair, Part

DEFAULT_NOISE_FLOOR = 0.03  # docs/METHOD.md
IDLE_SHARE_WORTH_A_WORD = 0.02  # of a core
DRIFT_WORTH_A_WORD = 1.15  # fastest round / slowest round of one cell
PAIRS_TOLD_ONE_BY_ONE = 3
MOST_ROUNDS_WORTH_ASKING_FOR = 200

# What two servers can't be made to share. Shown when both are in the run.
UNEQUAL: Mapping[tuple[str, str], tuple[str, ...]] = {
    ("gunicorn", "uvicorn"): (
        "uvicorn parses HTTP in C (httptools), gunicorn in Python: a part of every ratio belongs "
        "to the server and not to the framework.",
        "gunicorn calls a WSGI application from a worker or thread that waits for it; uvicorn "
        "runs an ASGI application on one event loop (uvloop). The two can't be given the same "
        "worker model, only the same number of processes.",
        "gunicorn may have a thread for every request in flight, uvicorn needs none: their memory "
        "and their limits under load follow from settings that have no counterpart.",
    ),
}


@dataclass(frozen=True, slots=True)
class Finding:
    """A sentence and the verdict that it rests on; None where it rests on none."""

    text: str
    verdict: Verdict | None


@dataclass(frozen=True, slots=True)
class Answer:
    """What a scenario asked and what came out."""

    scenario: str
    question: str
    findings: tuple[Finding, ...]


# ------------------------------------------------------------------------ answers


def title(analysis: Analysis) -> str:
    """The report's title: the twins by name where there are two, else what is compared."""
    names = _twin_names(analysis)
    if len(names) == 2:
        return f"{names[0]} and {names[1]}, side by side"
    labels = outline.measured_stacks(analysis) or tuple(outline.stacks(analysis))
    if len(labels) <= 3:
        return f"{formats.listing(labels)}, {'side by side' if len(labels) > 1 else 'measured'}"
    return f"{formats.plural(len(labels), 'stack')}, side by side"


def answers(analysis: Analysis) -> tuple[Answer, ...]:
    """The headline findings, scenario by scenario."""
    return tuple(
        Answer(part.name, part.plan.scenario.question, tuple(_findings(part)))
        for part in outline.parts(analysis)
    )


def _findings(part: Part) -> Iterator[Finding]:
    where = f"In {part.name} ({part.kind}), "
    if not part.cells:
        yield Finding(f"{where}nothing is known yet: no round has finished.", None)
        return
    pairs = [pair for pair in part.pairs if THROUGHPUT in pair.comparisons]
    if not pairs:
        for cell in part.cells:
            yield _alone(where, cell)
    elif len(pairs) <= PAIRS_TOLD_ONE_BY_ONE:
        for pair in pairs:
            comparison = pair.comparisons[THROUGHPUT]
            yield Finding(where + _compared(part, pair, comparison), comparison.verdict)
    else:
        yield from _grouped(where, part, pairs)


def _alone(where: str, cell: CellSummary) -> Finding:
    if not cell.valid:
        text = f"{where}{cell.stack} is invalid: {formats.clean(cell.reason)}."
        return Finding(text, Verdict.INVALID)
    rate = cell.throughput_rps
    return Finding(
        f"{where}{cell.stack} answers {formats.number(rate.value)} requests per second "
        f"({formats.interval(rate.low, rate.high)}); there is nothing to compare it with.",
        None,
    )


def _compared(part: Part, pair: Pair, comparison: Comparison) -> str:
    figure = _figure(comparison)
    match comparison.verdict:
        case Verdict.FASTER | Verdict.SLOWER:
            return (
                f"{pair.candidate} answers {formats.ratio(comparison.ratio)} the requests of "
                f"{pair.baseline} {_interval(comparison)}: {comparison.verdict}."
            )
        case Verdict.SAME:
            return (
                f"{pair.candidate} and {pair.baseline} answer the same number of requests within "
                f"the noise: {figure} lies inside ±{formats.percent(comparison.noise_floor)}."
            )
        case Verdict.INCONCLUSIVE:
            return (
                f"{pair.candidate} beside {pair.baseline} is inconclusive at {figure}: "
                f"{why_inconclusive(comparison)}."
            )
        case Verdict.INVALID:
            return (
                f"{pair.candidate} can't be compared with {pair.baseline}: a cell is invalid "
                f"({part.why_invalid(pair)})."
            )


def why_inconclusive(comparison: Comparison) -> str:
    """What keeps a comparison from a verdict, and what would help."""
    rounds = formats.plural(comparison.rounds, "round")
    if comparison.rounds < outline.MIN_ROUNDS_FOR_VERDICT:
        return f"{rounds} so far, and a verdict needs at least {outline.MIN_ROUNDS_FOR_VERDICT}"
    if not outline.has_interval(comparison):
        return "it has no interval; more rounds would give it one"
    band = f"±{formats.percent(comparison.noise_floor)}"
    low, high = 1 - comparison.noise_floor, 1 + comparison.noise_floor
    if comparison.ci_low > high or comparison.ci_high < low:
        return (
            f"the interval lies outside the noise band of {band}, but not clearly enough once "
            f"several comparisons are corrected for together; {_more_rounds(comparison)}"
        )
    return (
        f"the interval reaches into the noise band of {band} and out of it; "
        f"{_more_rounds(comparison)}"
    )


def _more_rounds(comparison: Comparison) -> str:
    """About how many rounds would settle it: an interval narrows with the root of the rounds."""
    if min(comparison.ratio, comparison.ci_low) <= 0:
        return "more rounds would help"
    centre = abs(math.log(comparison.ratio))
    half_width = (math.log(comparison.ci_high) - math.log(comparison.ci_low)) / 2
    edge = math.log1p(comparison.noise_floor)
    room = centre if centre > edge else edge - centre
    if room <= 0:
        return "it lies on the band's edge, where more rounds may not settle it"
    needed = math.ceil(comparison.rounds * (half_width / room) ** 2) + 1
    if needed > MOST_ROUNDS_WORTH_ASKING_FOR:
        return (
            f"not even {MOST_ROUNDS_WORTH_ASKING_FOR} rounds would settle it if the figures "
            "stay as they are"
        )
    if needed <= comparison.rounds:
        return "a few more rounds would help"
    return f"about {needed} rounds would settle it if the figures stay as they are"


def _grouped(where: str, part: Part, pairs: Sequence[Pair]) -> Iterator[Finding]:
    """One sentence per verdict and baseline, for more candidates than one reads one by one."""
    groups: dict[tuple[Verdict, str], list[Pair]] = defaultdict(list)
    for pair in pairs:
        groups[pair.comparisons[THROUGHPUT].verdict, pair.baseline].append(pair)
    for verdict in Verdict:
        for baseline in dict.fromkeys(pair.baseline for pair in pairs):
            group = groups.get((verdict, baseline))
            if not group:
                continue
            if verdict is Verdict.INVALID:
                listed = "; ".join(
                    _compared(part, pair, pair.comparisons[THROUGHPUT]).rstrip(".")
                    for pair in group
                )
                yield Finding(f"{where}{listed}.", verdict)
                continue
            rest = [f"{pair.candidate} {_figure(pair.comparisons[THROUGHPUT])}" for pair in group]
            yield Finding(
                f"{where}{len(group)} of {formats.plural(len(pairs), 'candidate')} "
                f"{_GROUP_WORDS[verdict].format(baseline=baseline)}: {'; '.join(rest)}.",
                verdict,
            )


_GROUP_WORDS: Mapping[Verdict, str] = {
    Verdict.FASTER: "beside {baseline} answer more requests (faster)",
    Verdict.SLOWER: "beside {baseline} answer fewer requests (slower)",
    Verdict.SAME: "beside {baseline} answer the same number within the noise",
    Verdict.INCONCLUSIVE: "beside {baseline} are inconclusive, and more rounds would help",
}


# ---------------------------------------------------------------------- surprises


def surprises(analysis: Analysis) -> tuple[str, ...]:
    """What a reader who looks at one figure alone would get wrong."""
    found: list[str] = []
    stacks = outline.stacks(analysis)
    for part in outline.parts(analysis):
        found += _differs_from_itself(part, stacks)
        found += _variant_decides(part, stacks)
        found += _latency_disagrees(part)
        found += _cpu_disagrees(part)
    return tuple(found)


def _differs_from_itself(part: Part, stacks: Mapping[str, Stack]) -> Iterator[str]:
    for pair in part.pairs:
        one, other = stacks.get(pair.baseline), stacks.get(pair.candidate)
        comparison = pair.comparisons.get(THROUGHPUT)
        if one and other and comparison and one.name == other.name and outline.decided(comparison):
            yield (
                f"In {part.name}, {one.name} differs from itself: {_figure(comparison)}. The "
                "noise of this run is larger than its noise floor says, so no ratio near 1 in it "
                "should be believed."
            )


def _variant_decides(part: Part, stacks: Mapping[str, Stack]) -> Iterator[str]:
    """Two stacks of one twin with opposite verdicts against the same baseline."""
    decided = [
        (pair, stacks[pair.candidate], pair.comparisons[THROUGHPUT])
        for pair in part.pairs
        if pair.candidate in stacks
        and THROUGHPUT in pair.comparisons
        and outline.decided(pair.comparisons[THROUGHPUT])
    ]
    groups: dict[tuple[str, str], dict[Verdict, list[tuple[Stack, Comparison]]]] = {}
    for pair, stack, comparison in decided:
        group = groups.setdefault((pair.baseline, stack.twin), defaultdict(list))
        group[comparison.verdict].append((stack, comparison))
    for (baseline, twin), by_verdict in groups.items():
        slower, faster = by_verdict[Verdict.SLOWER], by_verdict[Verdict.FASTER]
        if not slower or not faster:
            continue
        text = (
            f"In {part.name}, the variant decides and not the framework: beside {baseline}, "
            f"{_listed(slower)} slower but {_listed(faster)} faster, though all of them are "
            f"{TWINS.get(twin, twin)}."
        )
        what = differences([stack for stack, _ in (*slower, *faster)])
        yield f"{text} They differ in {what}." if what else text


def differences(stacks: Sequence[Stack]) -> str:
    """In which settings stacks differ: `http_client (httpx, aiohttp)`; empty if in none."""
    found: list[str] = []
    for name, values in (
        ("server", [stack.server for stack in stacks]),
        ("application", [stack.app for stack in stacks]),
        ("server options", [" ".join(stack.options) for stack in stacks]),
    ):
        if len(set(values)) > 1:
            found.append(f"{name} ({_distinct(values)})")
    for key in dict.fromkeys(key for stack in stacks for key in stack.settings):
        values = [stack.settings.get(key, "") for stack in stacks]
        if len(set(values)) > 1:
            found.append(f"{key} ({_distinct(values)})")
    return formats.listing(found)


def _distinct(values: Sequence[str]) -> str:
    return ", ".join(value or "default" for value in dict.fromkeys(values))


def _latency_disagrees(part: Part) -> Iterator[str]:
    for pair in part.pairs:
        rate, tail = pair.comparisons.get(THROUGHPUT), pair.comparisons.get("latency_p99_ms")
        if not (rate and tail and _opposite(rate, tail)):
            continue
        more, less = ("more", "longer") if rate.verdict is Verdict.FASTER else ("fewer", "shorter")
        yield (
            f"In {part.name}, {pair.candidate} answers {more} requests than {pair.baseline} "
            f"({formats.ratio(rate.ratio)}), yet the slowest of a hundred take {less} "
            f"({formats.ratio(tail.ratio)} at p99)."
        )


def _cpu_disagrees(part: Part) -> Iterator[str]:
    for pair in part.pairs:
        rate, cpu = pair.comparisons.get(THROUGHPUT), pair.comparisons.get("cpu_us_per_request")
        if not (rate and cpu and _opposite(rate, cpu)):
            continue
        if rate.verdict is Verdict.FASTER:
            yield (
                f"In {part.name}, {pair.candidate} answers more requests than {pair.baseline} "
                f"({formats.ratio(rate.ratio)}), yet each costs {formats.ratio(cpu.ratio)} the "
                "CPU time: it gains by waiting less, not by doing less."
            )
        else:
            yield (
                f"In {part.name}, {pair.candidate} answers fewer requests than {pair.baseline} "
                f"({formats.ratio(rate.ratio)}), yet each costs only {formats.ratio(cpu.ratio)} "
                "the CPU time: it waits where it could work."
            )


def _opposite(one: Comparison, other: Comparison) -> bool:
    return {one.verdict, other.verdict} == {Verdict.FASTER, Verdict.SLOWER}


def _listed(items: Sequence[tuple[Stack, Comparison]]) -> str:
    names = [f"{stack.label} ({formats.ratio(comparison.ratio)})" for stack, comparison in items]
    return f"{formats.listing(names)} {'is' if len(names) == 1 else 'are'}"


# ------------------------------------------------------------------------- method


def method(analysis: Analysis) -> tuple[str, ...]:
    """How it was measured."""
    return tuple(_method(analysis))


def _method(analysis: Analysis) -> Iterator[str]:
    run, plan = analysis.run, analysis.run.plan
    done = outline.rounds_done(analysis)
    loaded_s = done * sum(cell.seconds_per_round for cell in plan.cells)
    of_plan = "" if done == plan.rounds else f" of {plan.rounds} planned"
    yield (
        f"The run has {formats.plural(done, 'round')}{of_plan}; each starts every stack afresh, "
        f"with {formats.plural(plan.workers, 'worker process', 'es')}, because a process keeps "
        "its own luck for life."
    )
    if plan.cells:
        yield (
            "Within a round the stacks take turns in slices of "
            f"{_span([cell.slice_s for cell in plan.cells], 's')}, in an order drawn afresh for "
            f"each cycle from seed {plan.seed}, so that a drifting machine slows all alike."
        )
        yield (
            f"Not counted: {_span([cell.warmup_s for cell in plan.cells], 's')} of warm-up before "
            "a cell's first slice of a round, and the first "
            f"{_span([1000 * cell.settle_s for cell in plan.cells], 'ms')} of each slice."
        )
        if done:
            yield f"That makes {formats.duration(loaded_s)} under load, start-up not counted."
    yield _placed(run.placement)
    yield (
        "The unit of inference is the round: ratios are taken round by round, and intervals are "
        "95 % intervals over rounds. Requests and slices are never treated as independent repeats."
    )
    yield (
        f"The verdict is “same” if the interval lies within ±"
        f"{formats.percent(analysis.noise_floor)}, “faster” or “slower” if the interval excludes "
        "1, still does once all comparisons of the metric are corrected for together (Holm), and "
        "the ratio lies outside that band; “inconclusive” otherwise or with fewer than "
        f"{outline.MIN_ROUNDS_FOR_VERDICT} rounds."
    )
    started = _startup(analysis)
    if started:
        yield f"From spawn to the first good answer, median of the rounds: {started}."
    if plan.upstream_latency:
        yield f"The upstream service answers after {_upstream(plan.upstream_latency)}."


def _placed(placement: Placement) -> str:
    roles: dict[tuple[int, ...], list[str]] = defaultdict(list)
    roles[placement.servers].append("servers")
    roles[placement.load].append("load")
    roles[placement.services] += ["PostgreSQL", "upstream"]
    told = [
        f"{formats.listing(names)} on {'core' if len(cores) == 1 else 'cores'} "
        f"{', '.join(map(str, cores))}"
        for cores, names in roles.items()
        if cores
    ]
    if not told:
        return "No process was pinned to a core."
    return f"Processes are pinned: {'; '.join(told)}."


def _span(values: Sequence[float], unit: str) -> str:
    """As in `0.1 s` or `0.1 to 1 s`."""
    low, high = min(values), max(values)
    if low == high:
        return f"{low:g}{formats.NBSP}{unit}"
    return f"{low:g} to {high:g}{formats.NBSP}{unit}"


def _startup(analysis: Analysis) -> str:
    seconds: dict[str, list[float]] = defaultdict(list)
    for finished in analysis.run.rounds:
        for stack, ready_s in finished.ready_s.items():
            seconds[stack].append(ready_s)
    return formats.listing(
        [
            f"{stack} {formats.number(median(values), 2)}{formats.NBSP}s"
            for stack, values in seconds.items()
        ]
    )


def _upstream(latency: str) -> str:
    shape, *figures = latency.split(":")
    if shape == "constant" and len(figures) == 1:
        return f"{figures[0]}{formats.NBSP}ms"
    if shape == "lognormal" and len(figures) == 2:
        return f"a log-normal time with median {figures[0]}{formats.NBSP}ms and sigma {figures[1]}"
    return latency


# ------------------------------------------------------------------------- limits


def limits(analysis: Analysis) -> tuple[str, ...]:
    """What these figures can't say."""
    return tuple(_limits(analysis))


def _limits(analysis: Analysis) -> Iterator[str]:
    run = analysis.run
    done = outline.rounds_done(analysis)
    if run.ended is None:
        yield (
            f"The run was cut off after {done:,} of {formats.plural(run.plan.rounds, 'round')}; "
            "what was measured until then is kept."
        )
    if done < outline.MIN_ROUNDS_FOR_VERDICT:
        yield (
            f"With {formats.plural(done, 'round')} there is no verdict: that needs at least "
            f"{outline.MIN_ROUNDS_FOR_VERDICT} rounds of fresh processes."
        )
    if done < outline.MIN_ROUNDS_FOR_INTERVAL:
        yield (
            f"There are no intervals: they need at least {outline.MIN_ROUNDS_FOR_INTERVAL} rounds."
        )
    invalid = [cell for cell in analysis.cells if not cell.valid]
    if invalid:
        verb = "is" if len(invalid) == 1 else "are"
        named = formats.listing([f"{cell.stack} in {cell.scenario}" for cell in invalid])
        yield (
            f"{len(invalid):,} of {formats.plural(len(analysis.cells), 'cell')} {verb} invalid and "
            f"not compared: {named}."
        )
    if analysis.noise_floor == DEFAULT_NOISE_FLOOR:
        yield (
            f"The noise floor is the method's default of ±{formats.percent(analysis.noise_floor)}; "
            "this machine's own was not measured. Comparing a stack with itself shows it."
        )
    else:
        yield (
            f"The noise floor of this machine is ±{formats.percent(analysis.noise_floor)}: "
            "smaller differences can't be told from luck."
        )
    yield from _placement_limits(run.placement)
    if analysis.idle_core_share > IDLE_SHARE_WORTH_A_WORD:
        yield (
            f"A stack that waited for its turn still used up to "
            f"{formats.percent(analysis.idle_core_share)} of a core, which the others lacked."
        )
    yield from (f"{formats.clean(note).rstrip('.')}." for note in run.notes if note.strip())
    drift = _drift(analysis)
    if drift:
        yield drift
    yield (
        "The figures belong to one machine, one set of versions and these scenarios: a ratio "
        "carries over to others better than requests per second do, and neither is a promise."
    )


def _placement_limits(placement: Placement) -> Iterator[str]:
    if placement.note:
        note = formats.clean(placement.note).rstrip(".")
        yield f"Placement: {note}."
    elif not placement.servers:
        yield "Servers and load were not kept on cores of their own and took time from each other."
    if placement.servers and set(placement.servers) & {*placement.load, *placement.services}:
        yield "Servers shared their cores with the load or the services."
    elif placement.load and set(placement.load) & set(placement.services):
        yield (
            "The load shared its core with PostgreSQL and the upstream, so where these work hard "
            "the load has less to give."
        )


def _drift(analysis: Analysis) -> str:
    """How far one cell's throughput moved between rounds, for the cell where it moved most."""
    widest: tuple[float, CellSummary, float, float] | None = None
    for cell in analysis.cells:
        by_round: dict[int, list[float]] = defaultdict(list)
        for point in cell.timeline:
            by_round[point.round].append(point.throughput_rps)
        means = [sum(values) / len(values) for values in by_round.values()]
        if not cell.valid or len(means) < 2 or min(means) <= 0:
            continue
        spread = max(means) / min(means)
        if widest is None or spread > widest[0]:
            widest = (spread, cell, min(means), max(means))
    if widest is None or widest[0] < DRIFT_WORTH_A_WORD:
        return ""
    _, cell, low, high = widest
    return (
        f"From round to round throughput moved by up to {formats.percent(widest[0] - 1)} "
        f"({cell.stack} in {cell.scenario}: {formats.number(low)} to {formats.number(high)} "
        "requests per second). Ratios are steadier than that, because stacks take turns."
    )


def unequal(analysis: Analysis) -> tuple[str, ...]:
    """What could not be made equal between the servers of this run."""
    servers = sorted({stack.server for stack in analysis.run.plan.stacks})
    return tuple(
        note for pair in combinations(servers, 2) for note in UNEQUAL.get((pair[0], pair[1]), ())
    )


# ------------------------------------------------------------------------ helpers


def _twin_names(analysis: Analysis) -> list[str]:
    twins = dict.fromkeys(stack.twin for stack in analysis.run.plan.stacks)
    return [TWINS.get(twin, twin) for twin in sorted(twins, key=lambda twin: twin != "flask")]


def _figure(comparison: Comparison) -> str:
    """As in `1.02 × [0.99, 1.05]`."""
    return f"{formats.ratio(comparison.ratio)} {_interval(comparison)}"


def _interval(comparison: Comparison) -> str:
    return formats.ratio_interval(comparison.ratio, comparison.ci_low, comparison.ci_high)
