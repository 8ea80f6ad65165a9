"""Every sentence of the report, made from data.

A winner is named by a verdict alone: where the verdict is `same`, `inconclusive` or `invalid`,
the sentence says so and what would help.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from harness.analysis.percentiles import SAMPLES_BEYOND
from harness.analysis.stats import LARGEST_SAME, SMALLEST_BAND
from harness.models import (
    Analysis,
    Calibration,
    CellSummary,
    Comparison,
    Load,
    Measures,
    Placement,
    Stack,
    Step,
    Verdict,
)
from harness.report import formats, outline
from harness.report.outline import METRICS, THROUGHPUT, TWINS, Climb, Pair, Part

IDLE_SHARE_WORTH_A_WORD = 0.02  # of a core
#: Servers have one, load and services at least another.
BUSY_CORES = 2
#: Of run.json's environment -> what the report calls it.
_SERVICES = {"database": "PostgreSQL", "upstream": "upstream"}
DRIFT_WORTH_A_WORD = 1.15  # fastest round / slowest round of one cell
PAIRS_TOLD_ONE_BY_ONE = 3
#: Of kinds of step that a scenario leaves out.
UNUSED_COUNTS = "What little of it is used counts with the steps above."
TOTAL_WORTH_SHARING = 0.10  # a smaller one would be shared out in hundreds of percents
MOST_ROUNDS_WORTH_ASKING_FOR = 200

# How a stack is served, as far as the notes below know it.
_BY_GUNICORN, _BY_UVICORN, _BY_GRANIAN = "gunicorn with WSGI", "uvicorn with httptools", "granian"
# What two servers can't be made to share. Shown when both are in the run.
UNEQUAL: Mapping[tuple[str, str], tuple[str, ...]] = {
    (_BY_GUNICORN, _BY_UVICORN): (
        "uvicorn parses HTTP in C (httptools), gunicorn in Python: a part of every ratio belongs "
        "to the server and not to the framework.",
        "gunicorn calls a WSGI application from a worker or thread that waits for it; uvicorn "
        "runs an ASGI application on one event loop (uvloop). The two can't be given the same "
        "worker model, only the same number of processes.",
        "gunicorn may have a thread for every request in flight, uvicorn needs none: their memory "
        "and their limits under load follow from settings that have no counterpart.",
    ),
    (_BY_GUNICORN, _BY_GRANIAN): (
        "granian parses HTTP in Rust, gunicorn in Python: ratios between the two hold that too.",
    ),
    (_BY_UVICORN, _BY_GRANIAN): (
        "granian speaks HTTP on threads of its own, in Rust; uvicorn on the application's event "
        "loop, in C: ratios between the two hold that too.",
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
        Answer(
            part.name,
            part.plan.scenario.question,
            (*_findings(part), *_at_rest(analysis, part)),
        )
        for part in outline.parts(analysis)
    )


def _at_rest(analysis: Analysis, part: Part) -> Iterator[Finding]:
    """Of starts: the memory of each stack, shared out to its workers."""
    if not part.counts_starts:
        return
    told = [
        f"{formats.number(cell.pss_mib / workers)}{formats.NBSP}MiB per worker in {cell.stack}"
        for cell in part.cells
        if cell.valid
        and (workers := outline.workers(analysis, cell.stack))
        and math.isfinite(cell.pss_mib)
    ]
    if told:
        yield Finding(f"Memory at rest: {formats.listing(told)}. {AT_REST}", None)


def _findings(part: Part) -> Iterator[Finding]:
    where = f"In {part.name} ({part.kind}), "
    if not part.cells:
        yield Finding(f"{where}nothing is known yet: no round has finished.", None)
        return
    if not part.compared:
        for cell in part.cells:
            yield _alone(where, part, cell)
    elif len(part.compared) <= PAIRS_TOLD_ONE_BY_ONE:
        for pair, comparison in part.compared:
            yield Finding(where + _compared(part, pair, comparison), comparison.verdict)
    else:
        yield from _grouped(where, part)


def _alone(where: str, part: Part, cell: CellSummary) -> Finding:
    if not cell.valid:
        text = f"{where}{cell.stack} is invalid: {formats.clean(cell.reason)}."
        return Finding(text, Verdict.INVALID)
    if part.counts_starts:
        median = cell.latency_ms["p50"]
        said = (
            f"takes {formats.number(median.value)}{formats.NBSP}ms to start, in the median "
            f"({formats.interval(median.low, median.high)})"
        )
    elif part.plan.load.is_open:
        median = cell.latency_ms["p50"]
        said = (
            f"takes {formats.number(median.value)}{formats.NBSP}ms for the median request "
            f"({formats.interval(median.low, median.high)}) under {part.load}"
        )
    else:
        rate = cell.throughput_rps
        said = (
            f"answers {formats.number(rate.value)} requests per second "
            f"({formats.interval(rate.low, rate.high)})"
        )
    return Finding(f"{where}{cell.stack} {said}; there is nothing to compare it with.", None)


def _compared(part: Part, pair: Pair, comparison: Comparison) -> str:
    figure = figure_words(comparison)
    match comparison.verdict:
        case Verdict.FASTER | Verdict.SLOWER:
            ratio = formats.ratio(comparison.ratio)
            said = _DECIDED[part.decides].format(ratio=ratio, baseline=pair.baseline)
            return f"{pair.candidate} {said} {_interval(comparison)}: {comparison.verdict}."
        case Verdict.SAME:
            said = _ALIKE[part.decides]
            return (
                f"{pair.candidate} and {pair.baseline} {said} within the noise: {figure} lies "
                f"inside ±{formats.percent(_same_within(comparison.noise_floor))}."
            )
        case Verdict.INCONCLUSIVE:
            return (
                f"{pair.candidate} beside {pair.baseline} is inconclusive at {figure}"
                f"{_OF_WHAT[part.decides]}: {why_inconclusive(comparison)}."
            )
        case Verdict.OVERLOADED:
            overloads = [
                f"{cell.stack} is {cell.overload.text}"
                for name in (pair.candidate, pair.baseline)
                if (cell := part.cell(name)) is not None and cell.overload is not None
            ]
            return (
                f"The latency of {pair.candidate} and {pair.baseline} is not compared: "
                f"{' and '.join(overloads)}."
            )
        case Verdict.INVALID:
            return (
                f"{pair.candidate} can't be compared with {pair.baseline}: a cell is invalid "
                f"({part.why_invalid(pair)})."
            )


_DECIDED: Mapping[str, str] = {
    THROUGHPUT: "answers {ratio} the requests of {baseline}",
    outline.MEDIAN: "takes {ratio} the time of {baseline} for the median request",
    outline.START: "takes {ratio} the time of {baseline} to start",
}
_ALIKE: Mapping[str, str] = {
    THROUGHPUT: "answer the same number of requests",
    outline.MEDIAN: "take the same median time",
    outline.START: "take the same median time to start",
}
_OF_WHAT: Mapping[str, str] = {
    THROUGHPUT: "",
    outline.MEDIAN: " of the median latency",
    outline.START: " of the median start time",
}


def _same_within(band: float) -> float:
    """However wide the band, no difference beyond this is called `same`."""
    return min(band, LARGEST_SAME)


def why_inconclusive(comparison: Comparison) -> str:
    """What keeps a comparison from a verdict, and what would help."""
    rounds = formats.plural(comparison.rounds, "round")
    if comparison.rounds < outline.MIN_ROUNDS_FOR_VERDICT:
        return f"{rounds} so far, and a verdict needs at least {outline.MIN_ROUNDS_FOR_VERDICT}"
    if not outline.has_interval(comparison):
        return "it has no interval; more rounds would give it one"
    band = f"±{formats.percent(comparison.noise_floor)}"
    low, high = 1 / (1 + comparison.noise_floor), 1 + comparison.noise_floor
    if (
        comparison.noise_floor > LARGEST_SAME
        and low <= comparison.ci_low <= comparison.ci_high <= high
    ):
        return (
            f"the interval lies inside this machine's noise band of {band}, which is too wide to "
            f"call anything beyond ±{formats.percent(LARGEST_SAME)} the same; a quieter machine "
            "would help"
        )
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
    inner = math.log1p(_same_within(comparison.noise_floor))
    room = centre if centre > edge else inner - centre
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


def _grouped(where: str, part: Part) -> Iterator[Finding]:
    """One sentence per verdict and baseline, for more candidates than one reads one by one."""
    groups: dict[tuple[Verdict, str], list[tuple[Pair, Comparison]]] = defaultdict(list)
    for pair, comparison in part.compared:
        groups[comparison.verdict, pair.baseline].append((pair, comparison))
    words = _GROUP_WORDS[part.decides]
    for verdict in Verdict:
        for baseline in dict.fromkeys(pair.baseline for pair, _ in part.compared):
            group = groups.get((verdict, baseline))
            if not group:
                continue
            if verdict in (Verdict.INVALID, Verdict.OVERLOADED):
                listed = "; ".join(_compared(part, *one).rstrip(".") for one in group)
                yield Finding(f"{where}{listed}.", verdict)
                continue
            rest = [f"{pair.candidate} {figure_words(comparison)}" for pair, comparison in group]
            yield Finding(
                f"{where}{len(group)} of {formats.plural(len(part.compared), 'candidate')} "
                f"{words[verdict].format(baseline=baseline)}: {'; '.join(rest)}.",
                verdict,
            )


_GROUP_WORDS: Mapping[str, Mapping[Verdict, str]] = {
    outline.THROUGHPUT: {
        Verdict.FASTER: "beside {baseline} answer more requests (faster)",
        Verdict.SLOWER: "beside {baseline} answer fewer requests (slower)",
        Verdict.SAME: "beside {baseline} answer the same number within the noise",
        Verdict.INCONCLUSIVE: "beside {baseline} are inconclusive, and more rounds would help",
    },
    outline.MEDIAN: {
        Verdict.FASTER: "beside {baseline} take less time for the median request (faster)",
        Verdict.SLOWER: "beside {baseline} take more time for the median request (slower)",
        Verdict.SAME: "beside {baseline} take the same median time within the noise",
        Verdict.INCONCLUSIVE: "beside {baseline} are inconclusive, and more rounds would help",
    },
    outline.START: {
        Verdict.FASTER: "beside {baseline} take less time to start (faster)",
        Verdict.SLOWER: "beside {baseline} take more time to start (slower)",
        Verdict.SAME: "beside {baseline} take the same time to start within the noise",
        Verdict.INCONCLUSIVE: "beside {baseline} are inconclusive, and more rounds would help",
    },
}


# ------------------------------------------------------------------------- ladder


STEP_VERDICTS: Mapping[Verdict, str] = {
    Verdict.FASTER: "faster",
    Verdict.SLOWER: "slower",
    Verdict.SAME: "same: inside the noise",
    Verdict.INCONCLUSIVE: "inconclusive: not resolved",
    Verdict.OVERLOADED: "not compared: a stack is overloaded",
    Verdict.INVALID: "invalid",
}
LADDER_NOTE = (
    "Each step is measured in its place: what two changes do to each other is counted with the "
    "later one, so that another order could share the same total out differently. A share is that "
    "of the ratio itself, and as unsure as its interval is wide."
)


def step_words(step: Step) -> str:
    """As in `server: gunicorn → granian`."""
    return f"{step.kind}: {step.change}"


def falls(part: Part) -> tuple[tuple[str, Pair, bool], ...]:
    """What a waterfall shows from above: its words, its pair, whether it is the total."""
    steps = [
        (climb.step.beyond, (step_words(climb.step), climb.pair, False)) for climb in part.climbs
    ]
    total = [(f"{TWINS['flask']} → {TWINS['fastapi']}", part.total[0], True)] if part.total else []
    return (
        *(fall for beyond, fall in steps if not beyond),
        *total,
        *(fall for beyond, fall in steps if beyond),
    )


def attribution(analysis: Analysis) -> tuple[Answer, ...]:
    """Which step makes how much of the difference, in each scenario with a ladder."""
    return tuple(
        Answer(part.name, part.plan.scenario.question, tuple(_attributed(part)))
        for part in outline.with_ladder(outline.parts(analysis))
    )


def _attributed(part: Part) -> Iterator[Finding]:
    """The total with its shares, then what is known of the other steps."""
    if part.total is None or not part.climbs:
        yield Finding(f"In {part.name}, nothing is known yet: no round has finished.", None)
        return
    pair, total = part.total
    way = [climb for climb in part.climbs if not climb.step.beyond]
    yield Finding(
        f"In {part.name}, {_compared(part, pair, total)} {_shares(part, way, total)}".rstrip(),
        total.verdict,
    )
    for verdict, words in _UNSHARED.items():
        told = [
            f"{_named(climb)} {figure_words(comparison)}"
            if verdict is not Verdict.INVALID
            else f"{_named(climb)}: {part.why_invalid(climb.pair)}"
            for climb, comparison in _with_verdict(part, way, verdict)
        ]
        if told:
            yield Finding(f"{words}: {'; '.join(told)}.", verdict)
    beyond = [
        f"{_named(climb)} {figure_words(comparison)}, {STEP_VERDICTS[comparison.verdict]}"
        if comparison.verdict is not Verdict.INVALID
        else f"{_named(climb)} invalid ({part.why_invalid(climb.pair)})"
        for climb in part.climbs
        if climb.step.beyond
        for comparison in [climb.pair.comparisons[part.headline]]
    ]
    if beyond:
        yield Finding(f"Beyond {pair.candidate}: {'; '.join(beyond)}.", None)
    if part.unused:
        kinds = formats.listing(part.unused)
        yield Finding(f"No step of its own here: {kinds}. {UNUSED_COUNTS}", None)


_UNSHARED: Mapping[Verdict, str] = {
    Verdict.SAME: "Inside the noise",
    Verdict.INCONCLUSIVE: "Not resolved, and so no cause of anything",
    Verdict.INVALID: "Not known, because a cell is invalid",
}


def _shares(part: Part, way: Sequence[Climb], total: Comparison) -> str:
    """What each step that has a verdict makes of a total that has one; never of any other."""
    decided = [
        (climb, comparison)
        for climb in way
        for comparison in [climb.pair.comparisons[part.headline]]
        if outline.decided(comparison)
    ]
    listed = "; ".join(f"{_named(climb)} {figure_words(one)}" for climb, one in decided)
    alone = f" Steps that have a verdict by themselves: {listed}." if decided else ""
    if not outline.decided(total):
        return f"So no step has a share in it.{alone}"
    whole = math.log(total.ratio)
    if abs(whole) < math.log1p(TOTAL_WORTH_SHARING):
        return f"That is too little to be shared out.{alone}"
    if not decided:
        return "None of its steps has a verdict, so that it can't be shared out."
    shares = [
        (math.log(comparison.ratio) / whole, f"{_named(climb)} {formats.ratio(comparison.ratio)}")
        for climb, comparison in decided
    ]
    shares.sort(reverse=True)
    told = [
        f"{name} accounts for {_share(share)}"
        if share > 0
        else f"{name} goes against it by {_share(-share)}"
        for share, name in shares
    ]
    return f"On the logarithmic scale, {formats.listing(told)}."


def _share(share: float) -> str:
    """Whole percents: the intervals are wider than that."""
    return f"{100 * share:.0f}{formats.NBSP}%"


def _with_verdict(
    part: Part, climbs: Sequence[Climb], verdict: Verdict
) -> list[tuple[Climb, Comparison]]:
    found = [(climb, climb.pair.comparisons[part.headline]) for climb in climbs]
    return [(climb, comparison) for climb, comparison in found if comparison.verdict is verdict]


def _named(climb: Climb) -> str:
    """As in `client (requests → httpx)`."""
    return f"{climb.step.kind} ({climb.step.change})"


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
    for pair, comparison in part.compared:
        one, other = stacks.get(pair.baseline), stacks.get(pair.candidate)
        if one and other and one.name == other.name and outline.decided(comparison):
            yield (
                f"In {part.name}, {one.name} differs from itself: {figure_words(comparison)}. The "
                "noise of this run is larger than its noise floor says, so no ratio near 1 in it "
                "should be believed."
            )


def _variant_decides(part: Part, stacks: Mapping[str, Stack]) -> Iterator[str]:
    """Two stacks of one twin with opposite verdicts against the same baseline."""
    decided = [
        (pair, stacks[pair.candidate], comparison)
        for pair, comparison in part.compared
        if pair.candidate in stacks and outline.decided(comparison)
    ]
    groups: dict[tuple[str, str], dict[Verdict, list[tuple[Stack, Comparison]]]] = {}
    for pair, stack, comparison in decided:
        # By application: Flask inside FastAPI is a third one.
        group = groups.setdefault((pair.baseline, stack.app), defaultdict(list))
        group[comparison.verdict].append((stack, comparison))
    for (baseline, _), by_verdict in groups.items():
        slower, faster = by_verdict[Verdict.SLOWER], by_verdict[Verdict.FASTER]
        if not slower or not faster:
            continue
        twin = slower[0][0].twin
        text = (
            f"In {part.name}, the variant decides and not the framework: beside {baseline}, "
            f"{_listed(slower)} slower but {_listed(faster)} faster, though all of them are "
            f"{TWINS.get(twin, twin)}."
        )
        what = differences([stack for stack, _ in (*slower, *faster)])
        yield f"{text} They differ in {what}." if what else text


def differences(stacks: Sequence[Stack]) -> str:
    """In what stacks differ: `workers (default, n) and http_client (httpx, aiohttp)`, or empty."""
    found: list[str] = []
    for name, values in (
        ("server", [stack.server for stack in stacks]),
        ("application", [stack.app for stack in stacks]),
        ("server options", [" ".join(stack.options) for stack in stacks]),
        ("workers", [stack.workers for stack in stacks]),
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
    for pair, headline in part.compared:
        tail = pair.comparisons.get("latency_p99_ms")
        if not (tail and _opposite(headline, tail)):
            continue
        less = "longer" if headline.verdict is Verdict.FASTER else "shorter"
        yield (
            f"In {part.name}, {_leads(part, pair, headline)}, yet the slowest of a hundred take {less} "
            f"({formats.ratio(tail.ratio)} at p99)."
        )


def _cpu_disagrees(part: Part) -> Iterator[str]:
    if part.counts_starts:  # their CPU time goes on after the answer
        return
    for pair, headline in part.compared:
        cpu = pair.comparisons.get("cpu_us_per_request")
        if not (cpu and _opposite(headline, cpu)):
            continue
        if headline.verdict is Verdict.FASTER:
            yield (
                f"In {part.name}, {_leads(part, pair, headline)}, yet each costs "
                f"{formats.ratio(cpu.ratio)} the CPU time: it gains by waiting less, not by doing "
                "less."
            )
        else:
            yield (
                f"In {part.name}, {_leads(part, pair, headline)}, yet each costs only "
                f"{formats.ratio(cpu.ratio)} the CPU time: it waits where it could work."
            )


def _leads(part: Part, pair: Pair, headline: Comparison) -> str:
    """Who is ahead, or behind, in the metric that decides."""
    ahead = headline.verdict is Verdict.FASTER
    if headline.metric == THROUGHPUT:
        said = f"answers {'more' if ahead else 'fewer'} requests than"
    elif part.counts_starts:
        said = f"starts {'sooner' if ahead else 'later'} than"
    else:
        said = f"answers the median request {'sooner' if ahead else 'later'} than"
    return f"{pair.candidate} {said} {pair.baseline} ({formats.ratio(headline.ratio)})"


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
    done, asked = outline.rounds_done(analysis), outline.answering(analysis)
    loaded_s = sum(part.rounds * part.plan.seconds_per_round for part in asked)
    of_plan = "" if done == plan.rounds else f" of {plan.rounds} planned"
    if of_plan and plan.precision is not None and run.ended is not None:
        of_plan = f" of at most {plan.rounds}"
    yield (
        f"The run has {formats.plural(done, 'round')}{of_plan}; each starts every stack afresh, "
        f"with {formats.plural(plan.workers, 'worker process', 'es')}, because a process keeps "
        "its own luck for life."
    )
    yield from _precision(analysis)
    if asked:
        cells = [part.plan for part in asked]
        yield (
            "Within a round the stacks take turns in slices of "
            f"{_span([cell.slice_s for cell in cells], 's')}, in an order drawn afresh for "
            f"each cycle from seed {plan.seed}, so that a drifting machine slows all alike."
        )
        yield (
            f"Not counted: {_span([cell.warmup_s for cell in cells], 's')} of warm-up before "
            "a cell's first slice of a round, and the first "
            f"{_span([1000 * cell.settle_s for cell in cells], 'ms')} of each slice."
        )
        if done:
            yield f"That makes {formats.duration(loaded_s)} under load, start-up not counted."
        loads = [cell.load for cell in cells if cell.scenario.measures is Measures.REQUESTS]
        yield from _loads(loads, plan.generators)
    measured = {cell.scenario.measures for cell in plan.blocks}
    yield from (words for measures, words in _MEASURED.items() if measures in measured)
    yield _placed(run.placement, _elsewhere(run.environment))
    yield from _allowed(run.environment)
    yield (
        "The unit of inference is the round: ratios are taken round by round, and intervals are "
        "95 % intervals over rounds. Requests and slices are never treated as independent repeats."
    )
    yield (
        f"The verdict is “same” if the interval lies within {_same_bands(analysis)}, “faster” or "
        "“slower” if the interval excludes 1, still does once all comparisons of the metric are "
        f"corrected for together (Holm), and the ratio lies outside {_bands(analysis)}; "
        f"“inconclusive” otherwise or with fewer than {outline.MIN_ROUNDS_FOR_VERDICT} rounds."
    )
    climbing = outline.with_ladder(outline.parts(analysis))
    if climbing:
        yield (
            f"In {formats.listing([part.name for part in climbing])}, the stacks between Flask and "
            "FastAPI took their turns with the others. A step is compared as any other pair is; "
            "all steps of a metric are corrected for together, apart from the other comparisons."
        )
    if run.calibration and run.calibration.ceiling_rps:
        most = max(run.calibration.ceiling_rps.values())
        yield (
            f"One load process of this machine has reached {formats.number(most)} requests per "
            "second against a server that does nothing."
        )
    if plan.upstream_latency:
        yield f"The upstream service answers after {_upstream(plan.upstream_latency)}."


def _precision(analysis: Analysis) -> Iterator[str]:
    """Which scenarios were measured no further, after how many rounds, and what decided it."""
    wanted = analysis.run.plan.precision
    if wanted is None:
        return
    early = outline.stopped_early(analysis)
    told = [f"{part.name} after {formats.plural(part.rounds, 'round')}" for part in early]
    yield (
        f"A scenario is measured no further once all its intervals are narrower than "
        f"±{formats.percent(wanted)}, from {outline.MIN_ROUNDS_FOR_VERDICT} rounds on: the width "
        "alone decides that, never who leads. Who stops on a narrow interval has narrow ones by "
        "luck too often, so all are made wider here, and hold the truth in 95 % all the same. "
        + (
            f"So stopped {formats.listing(told)}."
            if told
            else "None stopped before its last round."
        )
    )


def _loads(loads: Sequence[Load], generators: int) -> Iterator[str]:
    sent_by = f", from {generators} load processes" if generators > 1 else ""
    if not all(load.is_open for load in loads):  # false of none
        yield f"Closed load{sent_by}: each user sends when its last answer has come. {CLOSED_HIDES}"
    told = dict.fromkeys(load for load in loads if load.is_open)
    if told:
        listed = formats.listing([outline.load_words(load) for load in told])
        most = max(load.users for load in told)
        yield (
            f"{listed[0].upper()}{listed[1:]}{sent_by}: requests are due on a schedule, the same "
            "for every stack, whether or not earlier ones have been answered, over at most "
            f"{formats.plural(most, 'connection')} per stack. {OPEN_SHOWS}"
        )


AT_REST = (
    "At rest, memory is that of all processes of the server, a parent included, once they use less "
    "than 5 % of a core after the first answer."
)
TEST_CLIENT_HOLDS = (
    "A test client runs inside the application's process: its own work is in its CPU time."
)
#: How it was measured where it was not by requests to running servers.
_MEASURED: Mapping[Measures, str] = {
    Measures.STARTS: (
        "A start is measured with one stack alone, on the servers' cores from its first moment: "
        "from spawn to the first good answer to GET /healthz, to about a millisecond, then until "
        "its processes are at rest. Each stack was started once before that did not count: "
        "processes are new, but their files are in memory and their bytecode is compiled."
    ),
    Measures.TEST_CLIENT: (
        "Under a test client there is no server: the stack's application and settings run in a "
        "process of their own, and one request follows the other through the framework's test "
        "client. That process also holds what checks the replies and keeps the times, so its CPU "
        "time contains those and its memory is not told."
    ),
}

CLOSED_HIDES = (
    "Closed load hides a stall: users who wait stop with the server, and what they would have "
    "asked meanwhile is in no percentile (coordinated omission)."
)
OPEN_SHOWS = (
    "Open load does not hide a stall: latency runs from when a request was due, so it holds the "
    "wait of every request that a stall held up."
)

SCHEDULE_NOTE = (
    "Offered: what was due; achieved: right answers in the same time. Service time runs from "
    "sending to the answer, without the wait before it. Lag: how long after it was due a request "
    "was sent; late: by more than 1 ms; starved: of these, for want of a free connection; never "
    "sent: not even by the end."
)


def _bands(analysis: Analysis) -> str:
    """As in `±3 %`, or with one for each metric where they differ."""
    floors = {c.metric: c.noise_floor for c in analysis.comparisons}
    if len(set(floors.values())) < 2:
        return f"±{formats.percent(next(iter(floors.values()), analysis.noise_floor))}"
    told = [
        f"±{formats.percent(floors[metric])} ({words.lower() if words[1:].islower() else words})"
        for metric, words in _SPOKEN.items()
        if metric in floors
    ]
    return formats.listing(told)


_SPOKEN = {**METRICS, THROUGHPUT: "requests per second", outline.MEDIAN: "median latency"}


def _same_bands(analysis: Analysis) -> str:
    floors = [c.noise_floor for c in analysis.comparisons] or [analysis.noise_floor]
    if max(floors) <= LARGEST_SAME:
        return _bands(analysis)
    return f"{_bands(analysis)}, but never beyond ±{formats.percent(LARGEST_SAME)}"


def _placed(placement: Placement, elsewhere: Mapping[str, str]) -> str:
    roles: dict[tuple[int, ...], list[str]] = defaultdict(list)
    roles[placement.servers].append("servers")
    roles[placement.load].append("load")
    roles[placement.services] += [name for name in _SERVICES.values() if name not in elsewhere]
    told = [
        f"{formats.listing(names)} on {'core' if len(cores) == 1 else 'cores'} "
        f"{', '.join(map(str, cores))}"
        for cores, names in roles.items()
        if cores and names
    ]
    if not told:
        return "No process was pinned to a core."
    return f"Processes are pinned: {'; '.join(told)}."


def _elsewhere(environment: Mapping[str, object]) -> dict[str, str]:
    """The services that somebody else started, and their addresses."""
    found = {name: environment.get(key, "embedded") for key, name in _SERVICES.items()}
    return {name: str(address) for name, address in found.items() if address != "embedded"}


def _allowed(environment: Mapping[str, object]) -> Iterator[str]:
    """Limits of the container, as they were read back from inside."""
    limits = environment.get("container")
    if not isinstance(limits, Mapping):
        return
    cores, memory = limits.get("cpu_cores"), limits.get("memory_bytes")
    told = []
    if isinstance(cores, int | float):
        told.append(f"{cores:g} {'core' if cores == 1 else 'cores'} of CPU time")
    if isinstance(memory, int | float):
        told.append(f"{memory / (1 << 20):,.0f}{formats.NBSP}MiB of memory")
    if told:
        yield f"Servers and load together were allowed {formats.listing(told)}."


def _span(values: Sequence[float], unit: str) -> str:
    """As in `0.1 s` or `0.1 to 1 s`."""
    low, high = min(values), max(values)
    if low == high:
        return f"{low:g}{formats.NBSP}{unit}"
    return f"{low:g} to {high:g}{formats.NBSP}{unit}"


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
    yield from _too_few_rounds(analysis)
    invalid = [cell for cell in analysis.cells if not cell.valid]
    if invalid:
        verb = "is" if len(invalid) == 1 else "are"
        named = formats.listing([f"{cell.stack} in {cell.scenario}" for cell in invalid])
        yield (
            f"{len(invalid):,} of {formats.plural(len(analysis.cells), 'cell')} {verb} invalid and "
            f"not compared: {named}."
        )
    yield _noise(analysis, run.calibration)
    if any(part.plan.load.is_open for part in outline.parts(analysis)):
        yield (
            "Under open load the schedule decides how many requests are served: the figures say "
            "how long they took at that rate, not how many a stack could serve."
        )
    elsewhere = _elsewhere(run.environment)
    limits = run.environment.get("container")
    cpu_cores = limits.get("cpu_cores") if isinstance(limits, Mapping) else None
    if isinstance(cpu_cores, int | float) and cpu_cores < BUSY_CORES:
        yield (
            f"{BUSY_CORES} cores are kept busy, and CPU time was limited to that of {cpu_cores:g}: "
            "whenever it was used up, servers and load stood still."
        )
    yield from _placement_limits(run.placement, elsewhere)
    if elsewhere:
        named = formats.listing([f"{name} ({where})" for name, where in elsewhere.items()])
        yield (
            f"Not started by twinbench: {formats.clean(named)}. What CPU time they used is not "
            "known, and twinbench could not keep them off the servers' cores."
        )
    if analysis.idle_core_share > IDLE_SHARE_WORTH_A_WORD:
        yield (
            f"A stack that waited for its turn still used up to "
            f"{formats.percent(analysis.idle_core_share)} of a core, which the others lacked."
        )
    yield from (
        f"Noted in the run: {formats.clean(note).rstrip('.')}."
        for note in run.notes
        if note.strip()
    )
    drift = _drift(analysis)
    if drift:
        yield drift
    yield (
        "The figures belong to one machine, one set of versions and these scenarios: a ratio "
        "carries over to others better than requests per second do, and neither is a promise."
    )


def _too_few_rounds(analysis: Analysis) -> Iterator[str]:
    measured = [part for part in outline.parts(analysis) if part.cells]
    for least, words in (
        (outline.MIN_ROUNDS_FOR_VERDICT, "there is no verdict: that needs at least {} rounds"),
        (outline.MIN_ROUNDS_FOR_INTERVAL, "there are no intervals: they need at least {} rounds"),
    ):
        short = [part for part in measured if part.rounds < least]
        if measured and not short:
            continue
        rounds = formats.plural(max((part.rounds for part in short), default=0), "round")
        told = words.format(least)
        if len(short) == len(measured):
            yield f"With {rounds} {told} of fresh processes."
        else:
            named = formats.listing([part.name for part in short])
            yield f"In {named}, with {rounds} at most, {told} of fresh processes."


def _noise(analysis: Analysis, calibration: Calibration | None) -> str:
    """Whose noise floor it is."""
    if calibration is None:
        return (
            f"The noise floor is the method's default of ±{formats.percent(SMALLEST_BAND)}; this "
            "machine's own is not known. Measure it once with twinbench calibrate."
        )
    return (
        f"The noise floor is this machine's own, {_bands(analysis)}: twinbench calibrate measured "
        f"a stack against itself on {_day(calibration.made)} in "
        f"{formats.plural(calibration.rounds, 'round')}. Smaller differences can't be told from "
        f"luck, and below ±{formats.percent(SMALLEST_BAND)} none is worth a decision."
    )


def _day(moment: str) -> str:
    """As in `1 April 2026`; as recorded if it can't be read."""
    try:
        day = datetime.fromisoformat(moment).astimezone(UTC)
    except ValueError:
        return formats.clean(moment)
    return f"{day.day} {day:%B %Y}"


def _placement_limits(placement: Placement, elsewhere: Mapping[str, str]) -> Iterator[str]:
    if placement.note:
        note = formats.clean(placement.note).rstrip(".")
        yield f"Placement: {note}."
    elif not placement.servers:
        yield "Servers and load were not kept on cores of their own and took time from each other."
    if placement.servers and set(placement.servers) & {*placement.load, *placement.services}:
        yield "Servers shared their cores with the load or the services."
    elif placement.load and set(placement.load) & set(placement.services):
        here = [
            f"the {name}" if name == "upstream" else name
            for name in _SERVICES.values()
            if name not in elsewhere
        ]
        if here:
            yield (
                f"The load shared its core with {' and '.join(here)}, so where these work hard "
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
    served = {
        label
        for cell in analysis.run.blocks
        if cell.scenario.measures is not Measures.TEST_CLIENT
        for label in cell.stacks
    }
    ways = {_served_by(stack) for stack in analysis.run.plan.stacks if stack.label in served}
    return tuple(note for pair, notes in UNEQUAL.items() if ways.issuperset(pair) for note in notes)


def _served_by(stack: Stack) -> str:
    """One of the ways that UNEQUAL knows; empty for another."""
    if stack.server == "gunicorn" and stack.twin == "flask":
        return _BY_GUNICORN
    if stack.server == "uvicorn" and "h11" not in stack.options:
        return _BY_UVICORN
    return _BY_GRANIAN if stack.server == "granian" else ""


def starts_note(analysis: Analysis) -> str:
    """What the tables' columns mean of starts; empty where there are none."""
    names = [part.name for part in outline.parts(analysis) if part.counts_starts]
    if not names:
        return ""
    return (
        f"In {formats.listing(names)} a request is a start: p50 is the median time from spawn to "
        "the first good answer, CPU time is that of one start until the server is at rest, and "
        "memory is what it holds then. A percentile beyond which fewer than "
        f"{SAMPLES_BEYOND} starts lie is not given."
    )


# ------------------------------------------------------------------------ helpers


def _twin_names(analysis: Analysis) -> list[str]:
    twins = dict.fromkeys(stack.twin for stack in analysis.run.plan.stacks)
    return [TWINS.get(twin, twin) for twin in sorted(twins, key=lambda twin: twin != "flask")]


def figure_words(comparison: Comparison) -> str:
    """As in `1.02 × [0.99, 1.05]`."""
    return f"{formats.ratio(comparison.ratio)} {_interval(comparison)}"


def _interval(comparison: Comparison) -> str:
    return formats.ratio_interval(comparison.ratio, comparison.ci_low, comparison.ci_high)
