"""Finds, under open load, how long slices must be for the stacks' queues to settle."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence

from harness.analysis import queueing
from harness.channel.messages import Turn
from harness.measuring.players import Players
from harness.models import BlockPlan, Settling
from harness.planning.plan import MIN_CYCLES
from harness.processes.meter import cpu_seconds


def find_settling(
    players: Players, block: BlockPlan, trees: Mapping[str, Sequence[int]], cores: int
) -> Settling | None:
    """Play an uncounted slice of each stack under the block's rate, and see how busy it gets.

    Args:
        players: Plays the slice; the stacks are warm.
        block: A block under open load.
        trees: Stack -> ids of its processes; without those that can't be metered.
        cores: Number of the servers' cores.

    Returns:
        What was found; None if no stack can be metered.
    """
    rate_rps = block.load.rate_rps
    assert rate_rps is not None
    utilisation: dict[str, float] = {}
    needed_s: dict[str, float | None] = {}
    for cell in block.cells:
        processes = trees.get(cell.stack)
        if not processes:
            continue
        before_s = sum(map(cpu_seconds, processes))
        # The number draws a schedule of its own, as that of the warm-up does.
        played = players.play(Turn(cell, cycle=-2, seconds=block.slice_s, settle_s=0.0))
        if not played.samples:
            continue
        used_s = (sum(map(cpu_seconds, processes)) - before_s) / played.samples / cores
        utilisation[cell.stack] = used_s * rate_rps
        queue_s = queueing.settling_s(used_s, utilisation[cell.stack])
        # Nothing is steady before the first answers have come, whatever they wait for.
        first_s = (played.slice.end_ns - played.slice.to_ns) / 1e9
        needed_s[cell.stack] = None if queue_s is None else max(queue_s, first_s)
    if not utilisation:
        return None
    slice_s, settle_s = block.slice_s, block.settle_s
    if not block.fixed_slice:
        slice_s, settle_s = queueing.lengths(needed_s, slice_s, settle_s)
    cycles = block.cycles
    if slice_s > block.slice_s:
        cycles = max(MIN_CYCLES, round(block.cycles * block.slice_s / slice_s))
    return Settling(utilisation, needed_s, slice_s, settle_s, cycles)


def with_settling(block: BlockPlan, found: Settling | None) -> BlockPlan:
    """The block with the slices that were found."""
    if found is None:
        return block
    return dataclasses.replace(
        block, slice_s=found.slice_s, settle_s=found.settle_s, cycles=found.cycles
    )
