"""How a run was measured, in sentences."""

from __future__ import annotations

import dataclasses
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence

from harness.analysis.looks import looks_again
from harness.models import (
    BY_WORKERS,
    ROUNDS_FOR_A_VERDICT,
    BlockPlan,
    Family,
    Load,
    Measures,
    Placement,
    Plan,
    RunRecord,
    SliceSource,
)
from harness.report import formats
from harness.report.view import View, load_words

#: What a scenario needs, as run.json's environment has it too -> what the report calls it.
SERVICES: Mapping[str, str] = {"database": "PostgreSQL", "upstream": "upstream"}
#: Of runs up to schema 3, closed load settled for some seconds in every scenario.
_SETTLES_BY_REQUESTS = 4
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
        "client. That process also holds the code that checks the replies and keeps the times, so "
        "its CPU time contains that code's work, and its memory is not given."
    ),
}
_OWN = (
    "Requests and services are the reader's own. Under load every reply has to be whole and to have the "
    "right status: the one that the request names, or else that of the service's first reply. Before and "
    "after each block the services answer the same requests, and their replies are compared: where one "
    "does something else than the baseline (another status), it is not compared with it; other "
    "differences are named."
)
CLOSED_HIDES = (
    "Closed load hides a stall: users who wait for the server send nothing meanwhile, so these "
    "requests are missing from the percentiles (coordinated omission)."
)
OPEN_SHOWS = (
    "Open load does not hide a stall: latency runs from the moment a request was due, so it "
    "includes the wait of every request that a stall held up. Only the time by which the "
    "generator itself was late is taken out."
)


def method(view: View) -> tuple[str, ...]:
    """How it was measured, a sentence or a few for each point."""
    return tuple(_method(view))


def _method(view: View) -> Iterator[str]:
    run, plan = view.run, view.plan
    same = formats.percent(plan.same_within)
    yield (
        f"The run has {formats.plural(view.rounds, 'round')}{_of_plan(view)}. Each round starts "
        f"{_afresh(plan)} because "
        "two identical processes can differ by a few percent until they are restarted."
    )
    if any(block.scenario.is_own for block in run.blocks):
        yield _OWN
    yield from _precision(view)
    yield from _promises(view)
    yield from _slices(view)
    measured = {block.scenario.measures for block in run.blocks}
    yield from (words for measures, words in _MEASURED.items() if measures in measured)
    yield _placed(run.placement, services_started(run))
    yield from _allowed(run.environment)
    yield (
        "The unit of inference is the round: ratios are taken round by round, and intervals are "
        "95 % intervals over rounds. Requests and slices are never treated as independent repeats."
    )
    yield from _searches(view)
    if not view.only_searches:
        yield from _verdicts(view, same)
    yield from _families(view)
    if run.calibration and run.calibration.ceiling_rps:
        most = max(run.calibration.ceiling_rps.values())
        yield (
            f"One load process of this machine has reached {formats.number(most)} requests per "
            "second against a server that does nothing."
        )
    if any(block.load.io_ms is not None for block in run.blocks):
        yield "How long the upstream service takes to answer is a part of each load."
    elif any("upstream" in block.scenario.needs for block in run.blocks):
        yield f"The upstream service answers after {_upstream(plan.upstream_latency)}."


def _afresh(plan: Plan) -> str:
    """What each round starts; services of the reader's own have as many processes as they like."""
    if any(stack.is_running for stack in plan.stacks):
        return "every service afresh that did not run already,"
    if all(stack.own is not None for stack in plan.stacks):
        return "every service afresh,"
    return f"every stack afresh, {_workers(plan)},"


def _workers(plan: Plan) -> str:
    """With how many worker processes."""
    if any(stack.with_its_number for stack in plan.stacks):
        return f"with the number of worker processes that stands after “{BY_WORKERS}” in its label"
    return f"with {formats.plural(plan.workers, 'worker process', 'es')}"


def _searches(view: View) -> Iterator[str]:
    """How capacities were searched for."""
    blocks = [block for block in view.run.blocks if block.search is not None]
    for block in blocks:
        search, slo = block.search, block.load.slo
        if search is None or slo is None:
            continue
        yield (
            f"Capacity for {slo.text}: each round searches anew for each stack, with Poisson "
            "arrivals, one window after the other, and stacks take turns window by window. A window "
            "that keeps the promise leads to a higher rate, one that breaks it to a lower one, in "
            f"steps that get as small as {formats.percent(search.least_step)}; the mean of the "
            "rates at the smallest step is the round's figure. A window counts for "
            f"{formats.number(search.window_s)} to {formats.number(search.longest_s)} s, as many as "
            f"the promise needs, after {formats.percent(search.settle_share)} of that for the queue "
            "to settle. It breaks the promise too if requests fail or are never sent, or if waiting "
            "grows all the time."
        )


def _verdicts(view: View, same: str) -> Iterator[str]:
    yield (
        f"The verdict is “same” if the interval lies within ±{same}, which is too small a difference to matter. It is “faster” or "
        "“slower” if the interval excludes 1, still does once all comparisons of the metric are "
        f"corrected for together (Holm), and the ratio lies outside ±{same}. "
        f"Otherwise, or with fewer than {ROUNDS_FOR_A_VERDICT} rounds, it is “inconclusive”."
    )


def _of_plan(view: View) -> str:
    if view.rounds == view.plan.rounds or view.has_planned_rounds:
        return ""
    if view.plan.precision is not None and view.run.ended is not None:
        return f" of at most {view.plan.rounds}"
    return f" of {view.plan.rounds} planned"


def _precision(view: View) -> Iterator[str]:
    """Which scenarios were measured no further, after how many rounds, and what decided it."""
    wanted = view.plan.precision
    if wanted is None:
        return
    phrases = [
        f"{part.title} after {formats.plural(part.rounds, 'round')}" for part in view.stopped_early
    ]
    budget_s = view.plan.budget_s
    if budget_s is not None:
        yield (
            f"The run had {formats.duration(budget_s)} for its rounds. Every scenario had at least "
            f"{formats.plural(view.plan.rounds, 'round')}. What time was left went, round by round, "
            f"to those whose intervals were widest beside ±{formats.percent(wanted)} for what "
            "another round of them takes: the widths decide that, never who leads. Stopping on a "
            "narrow interval favours lucky runs, so intervals are widened to keep 95 % coverage. "
            + (
                f"These became narrow enough: {formats.listing(phrases)}."
                if phrases
                else "None became narrow enough."
            )
        )
        return
    yield (
        f"A scenario is measured no further once all its intervals are narrower than "
        f"±{formats.percent(wanted)}, from {ROUNDS_FOR_A_VERDICT} rounds on: the width alone "
        "decides that, never who leads. Stopping on a narrow interval favours lucky runs, so "
        "intervals are widened to keep 95 % coverage. "
        + (
            f"These stopped early: {formats.listing(phrases)}."
            if phrases
            else "None stopped before its last round."
        )
    )


def _promises(view: View) -> Iterator[str]:
    """How long a run goes on that has promises to decide, and what that takes."""
    plan = view.plan
    if not looks_again(plan) or plan.budget_s is None:
        return
    yield (
        f"The run had {formats.duration(plan.budget_s)} for its rounds. Every scenario had at least "
        f"{formats.plural(plan.rounds, 'round')}. What time was left went to those whose promises "
        f"were not decided when the run looked: after {plan.rounds}, {2 * plan.rounds}, "
        f"{4 * plan.rounds} … rounds. Stopping on a decision favours lucky runs, so each look has "
        "half of the error that the ones before it left, and intervals are widened to hold the "
        "truth at all looks at once in 95 % of runs."
    )


def _slices(view: View) -> Iterator[str]:
    """Turns, what of them is not counted, and the loads."""
    asked = view.answering
    if not asked:
        return
    plans = [part.plan for part in asked]
    lengths_s = [part.slice_s for part in asked if part.slices_per_round]
    if lengths_s:
        yield (
            "Within a round the stacks take turns in slices of "
            f"{span([float(f'{length_s:.2g}') for length_s in lengths_s], 's')} on average, "
            "in an order that is drawn afresh for each cycle from seed "
            f"{view.plan.seed}, so a drifting machine slows all stacks alike."
        )
    if view.plan.usual_slice_s is not None and lengths_s:
        yield _planned(view.plan.usual_slice_s, view.plan.slice_source)
    yield (
        f"Not counted: {span([plan.warmup_s for plan in plans], 's')} of warm-up before "
        "a stack's first slice of a round, or up to twice that, drawn for each round."
    )
    if any(plan.scenario.locustfile for plan in plans):
        yield (
            "The users are those of a locustfile, run by Locust with their own waits; these stand still "
            "while a service has no turn. A slice counts a number of requests that was drawn before it "
            "began, and throughput is users ÷ (mean latency + mean time between requests)."
        )
    elif any(not plan.load.is_open for plan in plans):
        yield (
            "Under closed load a slice counts a number of requests that was drawn before it began. "
            "The first request of each user does not count. The load goes on until the counted "
            "requests are answered, so each counts with its whole time and under full load. "
            "Throughput is users ÷ (mean latency + think time) of these requests (Little's law)."
        )
    settles_s = [
        played.settle_s
        for part in asked
        for played in played_blocks(view.run, part.plan)
        if played.load.is_open
    ]
    waits_s = [plan.settle_s for plan in plans if plan.settle_s and not plan.load.is_open]
    if waits_s and view.run.schema >= _SETTLES_BY_REQUESTS:
        yield (
            "Where users wait for the upstream, what they send in about the first "
            f"{span(waits_s, 's')} of each slice does not count either: they begin in step."
        )
    if settles_s:
        yield f"Under open load the first {span(settles_s, 's')} of each slice are not counted."
    if any(view.run.settlings(part.plan.key) for part in asked):
        yield (
            "Under open load, slices are as long as the stacks' queues need: each begins with an "
            "empty queue, and how long it takes to settle follows from the CPU time per request "
            "and the rate, which an uncounted slice shows in each round."
        )
    if view.rounds:
        loaded_s = sum(part.loaded_s for part in asked)
        yield f"That makes {formats.duration(loaded_s)} under load, start-up not counted."
    loads = [plan.load for plan in plans if plan.scenario.measures is Measures.REQUESTS]
    yield from _loads(loads, view.plan.generators)


def played_blocks(run: RunRecord, plan: BlockPlan) -> list[BlockPlan]:
    """The block as each round played it; as planned, where nothing was found about its queues."""
    return [
        dataclasses.replace(
            plan, slice_s=found.slice_s, settle_s=found.settle_s, cycles=found.cycles
        )
        for found in run.settlings(plan.key)
    ] or [plan]


def _loads(loads: Sequence[Load], generators: int) -> Iterator[str]:
    sent_by = f", from {generators} load processes" if generators > 1 else ""
    if any(not load.is_open for load in loads):
        yield f"Closed load{sent_by}: each user sends when its last answer has come. {CLOSED_HIDES}"
    scheduled = dict.fromkeys(load for load in loads if load.is_open)
    if scheduled:
        listed = formats.listing([load_words(load) for load in scheduled])
        most = max(load.users for load in scheduled)
        yield (
            f"{listed[0].upper()}{listed[1:]}{sent_by}: requests are due on a schedule, the same "
            "for every stack, whether or not earlier ones have been answered, over at most "
            f"{formats.plural(most, 'connection')} per stack. {OPEN_SHOWS}"
        )


def _families(view: View) -> Iterator[str]:
    """Comparisons that are corrected for apart from the others."""
    if view.climbing:
        yield (
            f"In {formats.listing([part.where for part in view.climbing])}, the stacks between "
            "Flask and FastAPI took their turns with the others. A step is compared as any other "
            "pair is; all steps of a metric are corrected for together, apart from the other "
            "comparisons."
        )
    if view.run.blocks and all(block.family is Family.LOADS for block in view.run.blocks):
        yield (
            "None of the loads is the one that was asked about: the comparisons under all of them are "
            "corrected for together."
        )
    if len({block.family for block in view.run.blocks}) > 1:
        yield (
            "Comparisons under a scenario's further loads are corrected for together, apart from "
            "those under its first load, which they do not weaken."
        )


def _planned(usual_s: float, source: SliceSource | None) -> str:
    """How long slices were to be, and what decided it."""
    usual = f"{1e3 * usual_s:g}{formats.NBSP}ms"
    if source is SliceSource.OPTION:
        return f"Slices were planned to last {usual}, as --slice said."
    why = (
        "which is what the noise of this machine asks for by its calibration"
        if source is SliceSource.CALIBRATION
        else "the length for machines whose noise twinbench calibrate has not measured"
    )
    return (
        f"Slices were planned to last {usual}, {why}, and longer where a scenario or the number of "
        "its users needs it."
    )


def _placed(placement: Placement, services: Sequence[str]) -> str:
    roles: dict[tuple[int, ...], list[str]] = defaultdict(list)
    roles[placement.servers].append("servers")
    roles[placement.load].append("load")
    roles[placement.services] += services
    phrases = [
        f"{formats.listing(names)} on {'core' if len(cores) == 1 else 'cores'} "
        f"{', '.join(map(str, cores))}"
        for cores, names in roles.items()
        if cores and names
    ]
    if not phrases:
        return "No process was pinned to a core."
    return f"Processes are pinned: {'; '.join(phrases)}."


def services_started(run: RunRecord) -> list[str]:
    """The services that twinbench started, as the report calls them."""
    return [name for name, address in _services(run).items() if address == "embedded"]


def services_brought(run: RunRecord) -> dict[str, str]:
    """The services that the run needed and twinbench did not start, with their addresses."""
    return {name: address for name, address in _services(run).items() if address != "embedded"}


def _services(run: RunRecord) -> dict[str, str]:
    needs = {need for block in run.blocks for need in block.scenario.needs}
    return {
        name: str(run.environment.get(need, "embedded"))
        for need, name in SERVICES.items()
        if need in needs
    }


def _allowed(environment: Mapping[str, object]) -> Iterator[str]:
    """Limits of the container, as they were read back from inside."""
    limits = environment.get("container")
    if not isinstance(limits, Mapping):
        return
    cores, memory = limits.get("cpu_cores"), limits.get("memory_bytes")
    phrases = []
    if isinstance(cores, int | float):
        phrases.append(f"{cores:g} {'core' if cores == 1 else 'cores'} of CPU time")
    if isinstance(memory, int | float):
        phrases.append(f"{memory / (1 << 20):,.0f}{formats.NBSP}MiB of memory")
    if phrases:
        yield f"Servers and load together were allowed {formats.listing(phrases)}."


def span(values: Sequence[float], unit: str) -> str:
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
