"""What the figures of a run can't say."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence

from harness.models import (
    PROCESS_SPREAD,
    ROUNDS_FOR_A_VERDICT,
    Calibration,
    CellSummary,
    Measures,
    Placement,
    Stack,
)
from harness.report import formats
from harness.report.metrics import COMPARED
from harness.report.view import ROUNDS_FOR_AN_INTERVAL, View
from harness.report.words.heading import day
from harness.report.words.method import services_brought, services_started
from harness.report.words.pauses import short_slices
from harness.report.words.workers import sharing_cores

IDLE_SHARE_WORTH_A_WORD = 0.02  # of a core
#: Servers have one, load and services at least another.
BUSY_CORES = 2
NEAR_CAPACITY = 0.85  # of the servers' cores
DRIFT_WORTH_A_WORD = 1.15  # fastest round / slowest round of one cell

# How a stack is served, as far as the notes below know it.
_BY_GUNICORN, _BY_UVICORN, _BY_GRANIAN = "gunicorn with WSGI", "uvicorn with httptools", "granian"
#: What two servers can't be made to share. Shown when both are in the run.
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
        "granian parses HTTP in Rust, gunicorn in Python: ratios between the two include that.",
    ),
    (_BY_UVICORN, _BY_GRANIAN): (
        "granian speaks HTTP on threads of its own, in Rust; uvicorn on the application's event "
        "loop, in C: ratios between the two include that.",
    ),
}


def limits(view: View) -> tuple[str, ...]:
    """What the figures can't say, a sentence or two for each reason."""
    return tuple(_limits(view))


def unequal(view: View) -> tuple[str, ...]:
    """What could not be made equal between the servers of this run."""
    served = {
        label
        for block in view.run.blocks
        if block.scenario.measures is not Measures.TEST_CLIENT
        for label in block.stacks
    }
    ways = {_served_by(stack) for label, stack in view.stacks.items() if label in served}
    return tuple(note for pair, notes in UNEQUAL.items() if ways.issuperset(pair) for note in notes)


def _served_by(stack: Stack) -> str:
    """One of the ways that UNEQUAL knows; empty for another."""
    if stack.server == "gunicorn" and stack.twin == "flask":
        return _BY_GUNICORN
    if stack.server == "uvicorn" and "h11" not in stack.options:
        return _BY_UVICORN
    return _BY_GRANIAN if stack.server == "granian" else ""


def _limits(view: View) -> Iterator[str]:
    run = view.run
    if run.ended is None:
        of_planned = "" if view.has_planned_rounds else f"{view.rounds:,} of "
        rounds = view.rounds if view.has_planned_rounds else run.plan.rounds
        yield (
            f"The run was cut off after {of_planned}{formats.plural(rounds, 'round')}; what was "
            "measured until then is kept."
        )
    yield from _too_few_rounds(view)
    yield from _invalid(view)
    yield from short_slices(view)
    yield _noise(run.calibration)
    if any(part.plan.load.is_open for part in view.parts):
        yield (
            "Under open load the schedule decides how many requests are served: the figures say "
            "how long they took at that rate, not how many a stack could serve."
        )
    yield from _near_capacity(view)
    yield from _unsettled(view)
    yield from _too_few_cores(run.environment)
    yield from sharing_cores(view)
    yield from _placement_limits(run.placement, services_started(run))
    if brought := services_brought(run):
        named = formats.listing([f"{name} ({address})" for name, address in brought.items()])
        yield (
            f"Not started by twinbench: {formats.clean(named)}. How much CPU time they used is "
            "unknown, and twinbench could not keep them off the servers' cores."
        )
    yield from _not_ours(view)
    if view.analysis.idle_core_share > IDLE_SHARE_WORTH_A_WORD:
        yield (
            f"A stack that waited for its turn still used up to "
            f"{formats.percent(view.analysis.idle_core_share)} of a core, which the others lacked."
        )
    yield from (
        f"Noted in the run: {formats.clean(note).rstrip('.')}."
        for note in run.notes
        if note.strip()
    )
    yield from _drift(view)
    yield (
        "The figures belong to one machine, one set of versions and these scenarios: a ratio "
        "carries over to others better than requests per second do, and neither is a promise."
    )


def _not_ours(view: View) -> Iterator[str]:
    """What can't be promised of services that ran before the run began."""
    running = [stack for stack in view.stacks.values() if stack.is_running]
    if not running:
        return
    named = formats.listing([f"{each.label} ({each.own.url})" for each in running if each.own])
    word = "It" if len(running) == 1 else "They"
    yield (
        f"Not started by twinbench: {formats.clean(named)}. {word} could be neither started afresh in "
        "each round nor pinned nor metered: CPU time and memory are unknown, other work on those cores "
        "is not seen, and the intervals allow for the "
        f"{formats.percent(PROCESS_SPREAD)} by which two processes of one program commonly differ."
    )


def _too_few_rounds(view: View) -> Iterator[str]:
    measured = view.measured_parts
    for least, words in (
        (ROUNDS_FOR_A_VERDICT, "there is no verdict: that needs at least {} rounds"),
        (ROUNDS_FOR_AN_INTERVAL, "there are no intervals: they need at least {} rounds"),
    ):
        short = [part for part in measured if part.rounds < least]
        if measured and not short:
            continue
        rounds = formats.plural(max((part.rounds for part in short), default=0), "round")
        phrases = words.format(least)
        if len(short) == len(measured):
            yield f"With {rounds} {phrases} of fresh processes."
        else:
            named = formats.listing([part.title for part in short])
            yield f"In {named}, with {rounds} at most, {phrases} of fresh processes."


def _invalid(view: View) -> Iterator[str]:
    invalid = [
        f"{cell.stack} in {part.where}"
        for part in view.parts
        for cell in part.cells
        if not cell.valid
    ]
    if invalid:
        count = formats.plural(len(view.analysis.cells), "measurement")
        yield (
            f"{len(invalid):,} of {count} {'is' if len(invalid) == 1 else 'are'} invalid and "
            f"not compared: {formats.listing(invalid)}."
        )


def _noise(calibration: Calibration | None) -> str:
    """Says whether anybody checked that this machine finds no difference where there is none."""
    if calibration is None:
        return (
            "Whether a stack equals itself on this machine was not checked before. Check it once "
            "with twinbench calibrate."
        )
    floors = [
        f"±{formats.percent(calibration.noise_floor[key])} ({metric.name})"
        for key, metric in COMPARED.items()
        if key in calibration.noise_floor
    ]
    return (
        f"twinbench calibrate measured a stack against itself on {day(calibration.made)} in "
        f"{formats.plural(calibration.rounds, 'round')}, and found it equal to itself within "
        f"{formats.listing(floors)}."
    )


def _near_capacity(view: View) -> Iterator[str]:
    """Stacks that open load keeps so busy that their latency depends on the least thing."""
    busy = [
        f"{cell.stack} in {view.part_of(cell).where} ({formats.percent(cell.schedule.utilisation)})"
        for cell in view.analysis.cells
        if cell.schedule and cell.schedule.utilisation > NEAR_CAPACITY and not cell.overloaded
    ]
    if busy:
        yield (
            f"Near capacity, with more than {formats.percent(NEAR_CAPACITY)} of the servers' cores "
            f"in use: {formats.listing(busy)}. There a little more traffic, or a slightly slower "
            "machine, makes the latency much longer."
        )


def _unsettled(view: View) -> Iterator[str]:
    """Stacks whose queue was still growing when counting began."""
    cells = [
        f"{cell.stack} in {view.part_of(cell).where}"
        for cell in view.analysis.cells
        if cell.schedule and not cell.schedule.settled and not cell.overloaded
    ]
    if cells:
        yield (
            f"Each slice begins with an empty queue, and this one had no time to settle: "
            f"{formats.listing(cells)}. Its latency is a lower bound, p99 above all."
        )


def _too_few_cores(environment: Mapping[str, object]) -> Iterator[str]:
    limits = environment.get("container")
    cpu_cores = limits.get("cpu_cores") if isinstance(limits, Mapping) else None
    if isinstance(cpu_cores, int | float) and cpu_cores < BUSY_CORES:
        yield (
            f"{BUSY_CORES} cores are kept busy, and CPU time was limited to that of {cpu_cores:g}: "
            "whenever it was used up, servers and load stood still."
        )


def _placement_limits(placement: Placement, services: Sequence[str]) -> Iterator[str]:
    if placement.note:
        note = formats.clean(placement.note).rstrip(".")
        yield f"Placement: {note}."
    elif not placement.servers:
        yield "Servers and load were not kept on cores of their own and took time from each other."
    if placement.servers and set(placement.servers) & {*placement.load, *placement.services}:
        yield "Servers shared their cores with the load or the services."
    elif placement.load and set(placement.load) & set(placement.services):
        ours = [f"the {name}" if name == "upstream" else name for name in services]
        if ours:
            yield (
                f"The load shared its core with {' and '.join(ours)}, so where these work hard "
                "the load has less to give."
            )


def _drift(view: View) -> Iterator[str]:
    """How far a cell's throughput moved between rounds, for the cell where it moved most."""
    spreads = [
        (max(means) / min(means), cell, min(means), max(means))
        for cell in view.analysis.cells
        if cell.valid and len(means := _means_of_rounds(cell)) > 1 and min(means) > 0
    ]
    if not spreads:
        return
    spread, cell, low, high = max(spreads, key=lambda found: found[0])
    if spread < DRIFT_WORTH_A_WORD:
        return
    yield (
        f"From round to round throughput moved by up to {formats.percent(spread - 1)} "
        f"({cell.stack} in {view.part_of(cell).where}: {formats.number(low)} to "
        f"{formats.number(high)} requests per second). Ratios are steadier than that, because "
        "stacks take turns."
    )


def _means_of_rounds(cell: CellSummary) -> list[float]:
    by_round: dict[int, list[float]] = defaultdict(list)
    for point in cell.timeline:
        by_round[point.round].append(point.throughput_rps)
    return [sum(values) / len(values) for values in by_round.values()]
