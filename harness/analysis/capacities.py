"""Sums up the searches of a run: the capacity of every stack, and latency at shares of it."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterator, Sequence

import numpy as np

from harness.analysis import capacity, gates
from harness.analysis.percentiles import UNKNOWN, Pool
from harness.models import (
    SERVER_CORES,
    AtShare,
    BlockPlan,
    Capacity,
    CellRound,
    Found,
    GateResult,
    LimitedBy,
    Purpose,
    RunRecord,
    Samples,
    Search,
    Slo,
    Stack,
    Window,
)

ReadSamples = Callable[[CellRound], Samples]
_MIB = 1 << 20
#: Windows at rates that are this near the capacity show what the stack uses there.
_NEAR = 0.85


def capacities(run: RunRecord, read_samples: ReadSamples) -> tuple[Capacity, ...]:
    """The capacity of each stack in each block that searches for one, as far as it was measured.

    Args:
        run: plan and journal.
        read_samples: returns the samples of a cell and round.
    """
    stacks = {stack.label: stack for stack in run.plan.stacks}
    return tuple(
        found
        for block in run.blocks
        if block.search is not None
        for found in _of_block(run, block, stacks, read_samples)
    )


def _of_block(
    run: RunRecord, block: BlockPlan, stacks: dict[str, Stack], read_samples: ReadSamples
) -> Iterator[Capacity]:
    slo, search = block.load.slo, block.search
    assert slo is not None
    assert search is not None
    rounds = {label: _rounds_of(run, block, label) for label in block.stacks}
    found = {
        label: [capacity.found(slo, search, cell.windows) for cell in cells]
        for label, cells in rounds.items()
    }
    baseline = block.stacks[0]
    base = [each.rate_rps for each in found[baseline]]
    for label in block.stacks:
        if rounds[label]:
            yield _capacity(
                run, block, stacks[label], rounds[label], found[label], base, slo, search,
                read_samples,
            )  # fmt: skip


def _rounds_of(run: RunRecord, block: BlockPlan, label: str) -> list[CellRound]:
    key = block.cell(label)
    return [cell for finished in run.rounds for cell in finished.cells if cell.key == key]


def _capacity(
    run: RunRecord,
    block: BlockPlan,
    stack: Stack,
    cells: Sequence[CellRound],
    found: Sequence[Found],
    base: Sequence[float | None],
    slo: Slo,
    search: Search,
    read_samples: ReadSamples,
) -> Capacity:
    own = [each.rate_rps for each in found]
    rates = [rate for rate in own if rate is not None]
    reasons = _reasons(run, block, cells, found, slo)
    # A rate that only some rounds found, the easy ones, would flatter.
    known = bool(rates) and 2 * len(rates) > len(own)
    causes = Counter(each.limited_by for each in found if each.limited_by is not None)
    cores = max(1, len(run.placement.servers))
    workers = stack.worker_processes(run.plan.workers, cores)
    is_baseline = stack.label == block.stacks[0]
    return Capacity(
        scenario=block.scenario.name,
        stack=stack.label,
        twin=stack.twin,
        load=block.load.label,
        slo=slo.text,
        rate_rps=capacity.over_rounds(rates) if known else UNKNOWN,
        ratio=capacity.ratio(own, base) if known and not is_baseline else UNKNOWN,
        baseline=block.stacks[0],
        rounds=len(rates),
        round_rps=tuple(own),
        limited_by=causes.most_common(1)[0][0] if causes else None,
        workers=workers,
        cores=min(cores, workers),
        pss_mib=max(
            (cell.server.pss_bytes / _MIB for cell in cells if cell.server is not None),
            default=math.nan,
        ),
        cpu_us_per_request=_cpu_us(cells, found),
        at_shares=_at_shares(cells, slo, search, read_samples) if known else (),
        reasons=tuple(reasons),
    )


def _reasons(
    run: RunRecord, block: BlockPlan, cells: Sequence[CellRound], found: Sequence[Found], slo: Slo
) -> list[str]:
    """Why the figure can't be believed, or why there is none."""
    missing = [each for each in found if each.rate_rps is None]
    reasons = []
    if missing and 2 * len(missing) >= len(found):
        reason, count = Counter(each.reason for each in missing).most_common(1)[0]
        some = "" if count == len(found) else f" ({count} of {len(found)} rounds)"
        reasons.append(reason + some)
    elif untested := capacity.errors_reason(slo, _near_and_kept(cells, found)):
        reasons.append(untested)
    return reasons + [gate.reason for gate in _gates(run, block, cells) if not gate.passed]


def _near(window: Window, rate_rps: float) -> bool:
    return (
        window.purpose is Purpose.SEARCH and _NEAR * rate_rps <= window.rate_rps <= rate_rps / _NEAR
    )


def _near_and_kept(cells: Sequence[CellRound], found: Sequence[Found]) -> int:
    """Requests of the windows near capacity that kept the promise."""
    return sum(
        window.requests
        for cell, each in zip(cells, found, strict=True)
        for window in cell.windows
        if each.rate_rps is not None and window.kept and _near(window, each.rate_rps)
    )


def _cpu_us(cells: Sequence[CellRound], found: Sequence[Found]) -> float:
    """CPU time of a request near capacity; NaN if it is not known of all windows."""
    near = [
        window
        for cell, each in zip(cells, found, strict=True)
        for window in cell.windows
        if each.rate_rps is not None and _near(window, each.rate_rps)
    ]
    used_s = [window.cpu_s for window in near if window.cpu_s is not None]
    sent = sum(window.sent for window in near)
    if not sent or len(used_s) < len(near) or any(cell.died for cell in cells):
        return math.nan
    return sum(used_s) / sent * 1e6


def _gates(run: RunRecord, block: BlockPlan, cells: Sequence[CellRound]) -> Iterator[GateResult]:
    """What would spoil any measurement of the stack."""
    found = [difference for cell in cells for difference in cell.parity]
    yield gates.parity(found, own=block.scenario.is_own)
    yield gates.alive([cell.died for cell in cells if cell.died])
    yield gates.rounds(len(cells))
    usages = [cell.cores[SERVER_CORES] for cell in cells if SERVER_CORES in cell.cores]
    if len(usages) < len(cells):
        return
    cores = len(run.placement.servers)
    slices = sum(len(cell.slices) for cell in cells)
    own = all(cell.server is not None for cell in cells)
    brought = any(seconds is None for cell in cells for seconds in cell.services_cpu_s.values())
    if own and not brought:
        busiest = [
            process
            for finished in run.rounds
            for usage in finished.blocks
            if usage.key == block.key
            for process in usage.busiest
        ]
        yield gates.foreign_load(usages, cores=cores, slices=slices, busiest=busiest)
    yield gates.steal_time(usages, cores=cores, slices=slices)


def _at_shares(
    cells: Sequence[CellRound], slo: Slo, search: Search, read_samples: ReadSamples
) -> tuple[AtShare, ...]:
    times: dict[float, list[np.ndarray[tuple[int], np.dtype[np.int64]]]] = {}
    windows: dict[float, list[Window]] = {}
    for cell in cells:
        samples = read_samples(cell)
        for number, window in enumerate(cell.windows):
            if window.share is None:
                continue
            piece = cell.slices[number]
            mine = (
                (samples.slice == number)
                & (samples.intended_ns >= piece.from_ns)
                & (samples.intended_ns < piece.to_ns)
            )
            # Failed requests stay in: they took as long as it took to fail, at least.
            times.setdefault(window.share, []).append(samples.latency_ns[mine])
            windows.setdefault(window.share, []).append(window)
    return tuple(
        _at_share(share, windows[share], Pool(times[share]))
        for share in search.shares
        if share in windows
    )


def _at_share(share: float, windows: Sequence[Window], pool: Pool) -> AtShare:
    latency = pool.estimates()
    overloaded = sum(window.limited_by is LimitedBy.OVERLOAD for window in windows)
    return AtShare(
        share=share,
        rate_rps=sum(window.rate_rps for window in windows) / len(windows),
        requests=sum(window.requests for window in windows),
        latency_ms={name: latency[name] for name in ("p50", "p99")},
        overloaded=2 * overloaded > len(windows),
    )
