"""Plays the windows of a search for capacity: every stack at rates of its own, in turns."""

from __future__ import annotations

import dataclasses
import random
import time
from collections.abc import Callable

import numpy as np

from harness import store
from harness.analysis import capacity
from harness.analysis.capacity import Step
from harness.channel.messages import Turn
from harness.channel.samples import Columns
from harness.measuring.blocks import Bench, Metering, Turns, play, share_cores
from harness.measuring.players import Players
from harness.models import (
    BlockPlan,
    BlockUsage,
    CellRound,
    Purpose,
    Samples,
    Search,
    Slice,
    Slo,
    Window,
)
from harness.planning.plan import warmup_s


def _earlier(bench: Bench, block: BlockPlan, number: int) -> dict[str, list[float]]:
    """Stack -> rates that the rounds before found, as the journal has them."""
    slo, search = _searched(block)
    rates: dict[str, list[float]] = {label: [] for label in block.stacks}
    for finished in store.read_run(bench.folder).rounds:
        for cell in finished.cells:
            if finished.number < number and cell.key.block == block.key:
                rate_rps = capacity.found(slo, search, cell.windows).rate_rps
                if rate_rps is not None:
                    rates[cell.stack].append(rate_rps)
    return rates


def _searched(block: BlockPlan) -> tuple[Slo, Search]:
    assert block.load.slo is not None
    assert block.search is not None
    return block.load.slo, block.search


class Searching:
    """One round of searches. What has been played so far and the seed decide what comes next."""

    def __init__(self, bench: Bench, block: BlockPlan, number: int, players: Players) -> None:
        """Prepare a round.

        Args:
            bench: What is there as long as the run goes on.
            block: A block with a search.
            number: The round.
            players: Plays the windows; every stack has its seat.
        """
        self._bench, self._block, self._number, self._players = bench, block, number, players
        self._earlier = _earlier(bench, block, number)
        self._slo, self._search = _searched(block)
        self._seed = f"{bench.plan.seed} search {number} {block.key}"
        self._random = random.Random(self._seed)
        self._windows: dict[str, list[Window]] = {label: [] for label in block.stacks}

    def measure(self, metering: Callable[[], Metering]) -> tuple[list[CellRound], BlockUsage]:
        """Search the capacity of every stack, then measure latency at shares of it.

        Args:
            metering: Begins to meter; called after the warm-up.
        """
        cells, usage = play(
            self._bench, self._block, self._number, self._players, metering, self._take_turns
        )
        return [
            dataclasses.replace(cell, windows=tuple(self._windows[cell.stack])) for cell in cells
        ], usage

    def warm_up(self) -> None:
        """Load each stack for a while at half the rate that its search begins with."""
        for cell in self._block.cells:
            step = self._next(cell.stack)
            assert step is not None
            seconds = warmup_s(self._bench.plan, self._block, self._number, cell.stack)
            self._players.play(Turn(cell, cycle=-1, seconds=seconds, rate_rps=step.rate_rps / 2))

    def _take_turns(self, meter: Metering) -> Turns:
        """Play all windows."""
        turns = Turns(shared_cores=share_cores(self._bench.cores))
        begun = time.perf_counter()
        waiting = {label: step for label in self._block.stacks if (step := self._next(label))}
        while waiting:
            for label in self._random.sample(list(waiting), len(waiting)):
                self._play(turns, meter, label, waiting[label])
            waiting = {label: step for label in waiting if (step := self._next(label))}
        capacities = {
            label: capacity.found(self._slo, self._search, windows).rate_rps
            for label, windows in self._windows.items()
        }
        shares = self._search.shares
        for share in self._random.sample(shares, len(shares)):
            for label in self._random.sample(self._block.stacks, len(self._block.stacks)):
                rate_rps = capacities[label]
                if rate_rps is not None:
                    self._play(turns, meter, label, Step(Purpose.SHARE, share * rate_rps), share)
        turns.wall_s = time.perf_counter() - begun
        return turns

    def _next(self, label: str) -> Step | None:
        return capacity.next_step(
            self._slo,
            self._search,
            self._windows[label],
            self._earlier[label],
            f"{self._seed} {label}",
        )

    def _play(
        self, turns: Turns, meter: Metering, label: str, step: Step, share: float | None = None
    ) -> None:
        """Play one window and judge it."""
        counted_s = capacity.window_s(self._slo, self._search, step)
        turn = Turn(
            self._block.cell(label),
            cycle=len(self._windows[label]),
            seconds=self._search.whole_s(counted_s),
            settle_s=self._search.settle_share * counted_s,
            rate_rps=step.rate_rps,
            tells_samples=True,
        )
        before_s = turns.stack_cpu_s[label]
        played = turns.play(self._bench, self._players, meter, turn)
        used_s = turns.stack_cpu_s[label] - before_s
        assert played.columns is not None
        window = _window(self._slo, step, played.slice, played.columns)
        window = dataclasses.replace(window, share=share, cpu_s=used_s or None)
        self._windows[label].append(window)
        self._bench.listener.window_judged(label, window)


def _window(slo: Slo, step: Step, piece: Slice, columns: Columns) -> Window:
    samples = Samples(
        slice=columns["slice"],
        intended_ns=columns["intended_ns"],
        start_ns=columns["start_ns"],
        latency_ns=columns["latency_ns"],
        failure=columns["failure"],
        starved=columns["starved"].astype(np.bool_),
    )
    requests = capacity.requests_of(samples, piece)
    judged = capacity.judge(slo, requests)
    return Window(
        purpose=step.purpose,
        rate_rps=step.rate_rps,
        kept=judged.limited_by is None,
        limited_by=judged.limited_by,
        requests=len(requests.due_s),
        failed=int(requests.failed.sum()),
        latency_ms=judged.latency_ms,
        growth=None if np.isnan(judged.growth) else judged.growth,
        took_s=(piece.end_ns - piece.begin_ns) / 1e9,
        sent=len(samples.slice),
    )
