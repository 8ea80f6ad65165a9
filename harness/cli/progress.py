"""How far a run is, on stderr: a live view in a terminal, a line a round elsewhere."""

from __future__ import annotations

import math
import os
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from harness.models import ROUNDS_FOR_A_VERDICT, BlockPlan, Plan

#: Starting servers for a round, before the first one has shown how long it takes here.
_GUESSED_START_S = 4.0
_REFRESH_S = 0.5


class Progress:
    """Keeps what the runner tells; renders itself when asked."""

    def __init__(
        self, plan: Plan, console: Console, *, within_s: float = math.inf, had_s: float = 0.0
    ) -> None:
        """Follow a plan.

        Args:
            plan: what is measured.
            console: where to tell.
            within_s: where the time decides how many rounds there are, how much of it.
            had_s: seconds of load that an earlier command has measured of it.
        """
        self._console = console
        self._rounds = plan.rounds
        self._within_s = within_s
        self._round = 0
        self._rounds_begun = 0
        self._scenario = ""
        self._starts = False
        self._status = "starting"
        self._rps: dict[str, float] = {}
        self._load_s = plan.rounds * sum(
            len(block.stacks) * block.cycles * block.slice_s for block in plan.blocks
        )
        per_round = sum(block.seconds_per_round for block in plan.blocks) + _GUESSED_START_S
        left = max(0.0, 1 - had_s / self._load_s) if self._load_s else 0.0
        self._guessed_s = plan.rounds * per_round * left
        self._load_s *= left
        self._done_s = 0.0
        self._begun = time.monotonic()

    # What the runner tells (runner.Listener).
    def preparing(self, what: str) -> None:
        """Something starts that takes a moment."""
        self._status = what

    def round_started(self, number: int) -> None:
        """A round begins."""
        self._round = number
        self._rounds_begun += 1

    def block_started(self, block: BlockPlan) -> None:
        """A block's warm-up begins."""
        self._status = ""
        self._scenario = block.scenario.name
        self._starts = block.counts_starts
        self._rps = dict.fromkeys(block.stacks, 0.0)

    def slice_done(self, stack: str, rps: float, seconds: float) -> None:
        """One stack had one turn."""
        self._rps[stack] = rps
        self._done_s += seconds

    def round_ended(self, number: int) -> None:
        """A round is in the journal."""
        if not self._console.is_terminal:
            self._console.print(
                f"{self._round_name(number)} measured, {_clock(self.left_s)} left",
                highlight=False,
            )

    def _round_name(self, number: int) -> str:
        of = f" of {self._rounds}" if math.isinf(self._within_s) else ""
        return f"round {number}{of}"

    @property
    def _share(self) -> float:
        """How much is done."""
        if math.isfinite(self._within_s):
            elapsed_s = time.monotonic() - self._begun
            return elapsed_s / (elapsed_s + self.left_s) if elapsed_s else 0.0
        return min(1.0, self._done_s / self._load_s) if self._load_s else 1.0

    @property
    def left_s(self) -> float:
        """Seconds that the rest will take, at the pace so far."""
        elapsed_s = time.monotonic() - self._begun
        if math.isfinite(self._within_s):
            # On a slow machine, the rounds that a verdict needs take longer than was asked for.
            missing = max(0, ROUNDS_FOR_A_VERDICT - self._round) / max(1, self._round)
            return max(self._within_s - elapsed_s, elapsed_s * missing, 0.0)
        share = self._share
        if self._rounds_begun <= 1:  # the first round's pace is not known yet
            return max(0.0, self._guessed_s - elapsed_s)
        return elapsed_s / share * (1 - share)

    def __rich__(self) -> RenderableType:
        head = Table.grid(padding=(0, 2))
        what = self._status or f"{self._round_name(self._round)}  [bold]{self._scenario}[/]"
        head.add_row(
            ProgressBar(total=1.0, completed=self._share, width=30),
            f"{self._share:4.0%}",
            f"{_clock(self.left_s)} left",
            what,
        )
        rates = Table.grid(padding=(0, 2))
        for stack, rps in self._rps.items():
            figure = "  started" if self._starts else f"{rps:>9,.0f} requests/s"
            shown = figure if rps else "        …"
            rates.add_row(Text("  " + stack), Text(shown, style="cyan"))
        return Group(head, rates)


@contextmanager
def showing(
    plan: Plan, console: Console, *, within_s: float = math.inf, had_s: float = 0.0
) -> Iterator[Progress]:
    """A progress display that is gone when the block ends; arguments as Progress."""
    progress = Progress(plan, console, within_s=within_s, had_s=had_s)
    if not console.is_terminal:
        yield progress
        return
    done = threading.Event()
    # Not refreshed by rich's own thread: ours may give way to the load process.
    with Live(progress, console=console, auto_refresh=False, transient=True) as live:
        painter = threading.Thread(target=_paint, args=(live, done), daemon=True)
        painter.start()
        try:
            yield progress
        finally:
            done.set()
            painter.join()


def _paint(live: Live, done: threading.Event) -> None:
    """Refresh, but only when the core has nothing else to do: drawing must not be measured."""
    if hasattr(os, "SCHED_IDLE"):
        os.sched_setscheduler(0, os.SCHED_IDLE, os.sched_param(0))  # this thread alone
    while not done.wait(_REFRESH_S):
        live.refresh()


def _clock(seconds: float) -> str:
    return f"{int(seconds) // 60}:{int(seconds) % 60:02}"
