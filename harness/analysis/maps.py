"""Derives maps from comparisons under many loads: who serves more where, and where that changes."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import pairwise

from harness.analysis.axes import asked_words
from harness.analysis.percentiles import UNKNOWN
from harness.models import (
    BlockKey,
    BlockPlan,
    CellSummary,
    Comparison,
    Crossing,
    Estimate,
    RunRecord,
    Tile,
    Verdict,
    Winner,
    WinnerMap,
)

#: The axes that a map is drawn over: each needs so many values.
_AXES = ("io_ms", "users")
_LEAST_VALUES = 2
#: Tiles that have 1 within their interval, made so many times as wide (as logarithms), are near the line.
_NEAR = 2.0

_WINNERS: Mapping[Verdict, Winner] = {
    Verdict.FASTER: Winner.CANDIDATE,
    Verdict.SLOWER: Winner.BASELINE,
    Verdict.SAME: Winner.SAME,
    Verdict.INVALID: Winner.INVALID,
}


def is_mapped(blocks: Iterable[BlockPlan]) -> bool:
    """Whether blocks of one scenario under closed load vary both axes of a map."""
    groups: dict[str, list[BlockPlan]] = {}
    for block in filter(_is_tile, blocks):
        groups.setdefault(block.scenario.name, []).append(block)
    return any(
        all(len({getattr(block.load, axis) for block in group}) >= _LEAST_VALUES for axis in _AXES)
        for group in groups.values()
    )


def maps(
    run: RunRecord, cells: Sequence[CellSummary], comparisons: Sequence[Comparison]
) -> tuple[WinnerMap, ...]:
    """Derive a map for each pair of stacks, of scenarios whose loads vary both axes of one.

    Args:
        run: its plan says which loads differ in what.
        cells: what was measured.
        comparisons: with their verdicts.
    """
    if not is_mapped(run.blocks):
        return ()
    blocks = {(block.scenario.name, block.load.label): block for block in run.blocks}
    limited = {(cell.scenario, cell.load, cell.stack): cell.limited_by_users for cell in cells}
    made = {
        (each.scenario, each.load, each.baseline, each.candidate, each.metric): each
        for each in comparisons
    }
    groups: dict[tuple[str, str, str, str], list[Tile]] = {}
    for each in comparisons:
        block = blocks[each.scenario, each.load]
        if each.metric != "throughput_rps" or not _is_tile(block):
            continue
        pair = each.baseline, each.candidate
        cpu = made.get((each.scenario, each.load, *pair, "cpu_us_per_request"))
        held = asked_words(dataclasses.replace(block.load, io_ms=None, work=None))
        groups.setdefault((each.scenario, *pair, held), []).append(
            Tile(
                io_ms=block.load.io_ms or 0.0,
                users=block.load.users,
                work=block.load.work or 0,
                load=each.load,
                rounds=each.rounds,
                ratio=Estimate(each.ratio, each.ci_low, each.ci_high),
                cpu_ratio=Estimate(cpu.ratio, cpu.ci_low, cpu.ci_high) if cpu else UNKNOWN,
                winner=_WINNERS.get(each.verdict, Winner.UNSURE),
                limited_by_users=tuple(
                    stack for stack in pair if limited.get((each.scenario, each.load, stack))
                ),
            )
        )
    return tuple(
        _map(scenario, baseline, candidate, held, tiles)
        for (scenario, baseline, candidate, held), tiles in groups.items()
    )


def near_line(ratios: Mapping[BlockKey, Sequence[Estimate]]) -> set[BlockKey]:
    """The blocks in which the winner may change: 1 lies within their interval at twice its width.

    That asks how near a ratio is to 1, and not who wins. It is wide enough to keep almost every block in
    which nobody does.

    Args:
        ratios: of each block, for every pair of stacks.
    """
    return {
        key
        for key, estimates in ratios.items()
        if any(_may_be_one(estimate) for estimate in estimates)
    }


def _may_be_one(estimate: Estimate) -> bool:
    if not (estimate.value > 0 and math.isfinite(estimate.high)):
        return True  # nothing is known of it yet
    return abs(math.log(estimate.value)) <= _NEAR * math.log(estimate.high / estimate.value)


def _is_tile(block: BlockPlan) -> bool:
    return block.has_throughput and block.search is None and block.load.io_ms is not None


def _map(
    scenario: str, baseline: str, candidate: str, held: str, tiles: Sequence[Tile]
) -> WinnerMap:
    ordered = tuple(sorted(tiles, key=lambda tile: (tile.work, tile.users, tile.io_ms)))
    return WinnerMap(scenario, baseline, candidate, held, ordered, tuple(_crossings(ordered)))


def _crossings(tiles: Sequence[Tile]) -> Iterator[Crossing]:
    for axis, across in (("io_ms", "users"), ("users", "io_ms")):
        lines: dict[tuple[int, float], list[Tile]] = {}
        for tile in tiles:
            lines.setdefault((tile.work, getattr(tile, across)), []).append(tile)
        for (work, at), line in lines.items():
            line.sort(key=lambda tile: float(getattr(tile, axis)))
            decided = [
                (place, tile)
                for place, tile in enumerate(line)
                if tile.winner in (Winner.CANDIDATE, Winner.BASELINE)
            ]
            for (place, one), (next_place, other) in pairwise(decided):
                if one.winner is not other.winner:
                    low, high = float(getattr(one, axis)), float(getattr(other, axis))
                    yield Crossing(
                        axis=axis,
                        at=float(at),
                        work=work,
                        low=low,
                        high=high,
                        value=_between(low, high, one.ratio.value, other.ratio.value),
                        adjacent=next_place == place + 1,
                        above=other.winner,
                    )


def _between(low: float, high: float, at_low: float, at_high: float) -> float:
    """Where a line through both logarithms of the ratio is 0, on the axis of log(1 + value)."""
    share = math.log(at_low) / (math.log(at_low) - math.log(at_high))
    return math.expm1(math.log1p(low) + share * (math.log1p(high) - math.log1p(low)))
