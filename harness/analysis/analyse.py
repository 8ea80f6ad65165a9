"""From a run's raw data to everything that the tables, charts and page say.

Reads samples through a function that it is given; starts nothing, writes nothing.
"""

from __future__ import annotations

from collections.abc import Callable

from harness.analysis.cells import summarise
from harness.analysis.comparisons import Draft, band, compare, with_verdicts
from harness.analysis.figures import round_figures
from harness.analysis.percentiles import Pool
from harness.models import Analysis, CellKey, CellRound, CellSummary, RunRecord, Samples


def analyse(
    run: RunRecord,
    read_samples: Callable[[CellRound], Samples],
) -> Analysis:
    """Summaries, gates, comparisons and verdicts of a run, whole or cut off.

    Args:
        run: plan and journal; its calibration, where there is one, says how far A and A were
            apart on its machine.
        read_samples: gives the samples of a cell and round.
    """
    stacks = {stack.label: stack for stack in run.plan.stacks}
    summaries: list[CellSummary] = []
    drafts: list[Draft] = []
    for block in run.blocks:
        figures = {
            label: [
                round_figures(block, measured, read_samples(measured))
                for measured in _measured(run, block.cell(label))
            ]
            for label in block.stacks
        }
        pools = {
            label: Pool([one.latency_ns for one in rounds], run.plan)
            for label, rounds in figures.items()
            if rounds
        }
        here = [
            summarise(run, block, stacks[label], figures, pools[label])
            for label in block.stacks
            if figures[label]
        ]
        summaries.extend(here)
        valid = {summary.stack: summary.valid for summary in here}
        overloaded = {summary.stack for summary in here if summary.overloaded}
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
    return Analysis(
        run=run,
        cells=tuple(summaries),
        comparisons=with_verdicts(drafts, run),
        noise_floor=band("throughput_rps", run.calibration),
        idle_core_share=_idle_core_share(run),
        harness_core_share=_harness_core_share(run),
    )


def _measured(run: RunRecord, key: CellKey) -> list[CellRound]:
    return [cell for finished in run.rounds for cell in finished.cells if cell.key == key]


def _idle_core_share(run: RunRecord) -> float:
    """The largest share of a core that one idle stack used, over all blocks."""
    return max(
        (
            share
            for one in run.rounds
            for block in one.blocks
            for share in block.idle_core_share.values()
        ),
        default=0.0,
    )


def _harness_core_share(run: RunRecord) -> float:
    """The largest share of a core that the harness itself used while stacks had their turns."""
    return max(
        (
            block.roles["harness"].cpu_s / block.wall_s
            for one in run.rounds
            for block in one.blocks
            if "harness" in block.roles and block.wall_s
        ),
        default=0.0,
    )
