"""How far a run is, on stderr: a live view in a terminal, a line a round elsewhere."""

from __future__ import annotations

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

from harness.models import CellPlan, Plan

#: Starting servers for a round, before the first one has shown how long it takes here.
_GUESSED_START_S = 4.0
_REFRESH_S = 0.5


class Progress:
    """Keeps what the runner tells; renders itself when asked."""

    def __init__(self, plan: Plan, console: Console) -> None:
        self._console = console
        self._rounds = plan.rounds
        self._round = 0
        self._scenario = ""
        self._status = "starting"
        self._rps: dict[str, float] = {}
        self._load_s = plan.rounds * sum(
            len(cell.stacks) * cell.cycles * cell.slice_s for cell in plan.cells
        )
        per_round = sum(cell.seconds_per_round for cell in plan.cells) + _GUESSED_START_S
        self._guessed_s = plan.rounds * per_round
        self._done_s = 0.0
        self._begun = time.monotonic()

    # What the runner tells (runner.Listener).
    def preparing(self, what: str) -> None:
        """Something starts that takes a moment."""
        self._status = what

    def round_started(self, number: int) -> None:
        """All stacks of a round answer."""
        self._round = number
        self._status = ""

    def scenario_started(self, cell: CellPlan) -> None:
        """A scenario's warm-up begins."""
        self._scenario = cell.scenario.name
        self._rps = dict.fromkeys(cell.stacks, 0.0)

    def slice_done(self, stack: str, rps: float, seconds: float) -> None:
        """One stack had one turn."""
        self._rps[stack] = rps
        self._done_s += seconds

    def round_ended(self, number: int) -> None:
        """A round is in the journal."""
        if not self._console.is_terminal:
            self._console.print(
                f"round {number} of {self._rounds} measured, {_clock(self.left_s)} left",
                highlight=False,
            )

    @property
    def left_s(self) -> float:
        """Seconds that the rest will take, at the pace so far."""
        elapsed_s = time.monotonic() - self._begun
        share = self._done_s / self._load_s if self._load_s else 1.0
        if self._round <= 1:  # the first round's pace is not known yet
            return max(0.0, self._guessed_s - elapsed_s)
        return elapsed_s / share * (1 - share)

    def __rich__(self) -> RenderableType:
        head = Table.grid(padding=(0, 2))
        what = self._status or f"round {self._round} of {self._rounds}  [bold]{self._scenario}[/]"
        head.add_row(
            ProgressBar(total=self._load_s, completed=self._done_s, width=30),
            f"{min(1.0, self._done_s / self._load_s):4.0%}",
            f"{_clock(self.left_s)} left",
            what,
        )
        rates = Table.grid(padding=(0, 2))
        for stack, rps in self._rps.items():
            shown = f"{rps:>9,.0f} requests/s" if rps else "        …"
            rates.add_row(Text("  " + stack), Text(shown, style="cyan"))
        return Group(head, rates)


@contextmanager
def showing(plan: Plan, console: Console) -> Iterator[Progress]:
    """A progress display that is gone when the block ends."""
    progress = Progress(plan, console)
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
