"""Derives everything that tables, charts and the page say from a run's raw data."""

from __future__ import annotations

from collections.abc import Callable

from harness.analysis.capacities import capacities
from harness.analysis.cells import summarise
from harness.analysis.comparisons import Draft, compare, with_verdicts
from harness.analysis.curves import Pace, curves, pace
from harness.analysis.figures import round_figures
from harness.analysis.maps import maps
from harness.analysis.percentiles import Pool
from harness.models import Analysis, CellKey, CellRound, CellSummary, RunRecord, Samples


def analyse(
    run: RunRecord,
    read_samples: Callable[[CellRound], Samples],
) -> Analysis:
    """Derive summaries, gates, comparisons and verdicts of a run, be it complete or cut off.

    Args:
        run: plan and journal.
        read_samples: returns the samples of a cell and round.
    """
    stacks = {stack.label: stack for stack in run.plan.stacks}
    summaries: list[CellSummary] = []
    drafts: list[Draft] = []
    paces: dict[CellKey, list[Pace]] = {}
    for block in run.blocks:
        if block.search is not None:
            continue  # every window has a rate of its own
        figures = {
            label: [
                round_figures(block, cell, read_samples(cell))
                for cell in _rounds_of(run, block.cell(label))
            ]
            for label in block.stacks
        }
        pools = {
            label: Pool([measured.latency_ns for measured in rounds])
            for label, rounds in figures.items()
            if rounds
        }
        of_block = [
            summarise(run, block, stacks[label], figures, pools[label])
            for label in block.stacks
            if figures[label]
        ]
        summaries.extend(of_block)
        paces |= {block.cell(label): list(map(pace, rounds)) for label, rounds in figures.items()}
        valid = {summary.stack: summary.valid for summary in of_block}
        overloaded = {summary.stack for summary in of_block if summary.overloaded}
        for contrast in block.contrasts:
            baseline, candidate = contrast.baseline, contrast.candidate
            if figures[baseline] and figures[candidate]:
                both_valid = valid[baseline] and valid[candidate]
                drafts.extend(
                    compare(
                        run,
                        block,
                        contrast,
                        figures,
                        pools,
                        valid=both_valid,
                        overloaded=bool({baseline, candidate} & overloaded),
                    )
                )
    comparisons = with_verdicts(drafts, run)
    found = maps(run, summaries, comparisons)
    return Analysis(
        run=run,
        cells=tuple(summaries),
        comparisons=comparisons,
        # A map has so many lines of loads that curves would hide it.
        curves=() if found else curves(run, summaries, paces),
        maps=found,
        idle_core_share=_idle_core_share(run),
        harness_core_share=_harness_core_share(run),
        capacities=capacities(run, read_samples),
    )


def _rounds_of(run: RunRecord, key: CellKey) -> list[CellRound]:
    return [cell for finished in run.rounds for cell in finished.cells if cell.key == key]


def _idle_core_share(run: RunRecord) -> float:
    """The largest share of a core that an idle stack used, over all blocks."""
    return max(
        (
            share
            for finished in run.rounds
            for block in finished.blocks
            for share in block.idle_core_share.values()
        ),
        default=0.0,
    )


def _harness_core_share(run: RunRecord) -> float:
    """The largest share of a core that the harness itself used during the slices of a block."""
    return max(
        (
            block.roles["harness"].cpu_s / block.wall_s
            for finished in run.rounds
            for block in finished.blocks
            if "harness" in block.roles and block.wall_s
        ),
        default=0.0,
    )
