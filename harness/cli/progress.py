"""How far a run is, on stderr: a live view in a terminal, one line per round elsewhere."""

from __future__ import annotations

import math
import os
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from harness.cli.remaining import Remaining
from harness.models import BlockPlan, Plan, Round

_REFRESH_S = 0.5


class Progress:
    """Listens to the runner and draws what it heard."""

    def __init__(
        self,
        plan: Plan,
        console: Console,
        *,
        within_s: float = math.inf,
        measured: Sequence[Round] = (),
    ) -> None:
        """Follow a plan.

        Args:
            plan: What is measured.
            console: Where to draw.
            within_s: Where the time decides how many rounds there are, how much time.
            measured: Rounds that an earlier command has measured, the last maybe in part.
        """
        self._console = console
        time_decides = math.isfinite(within_s) or plan.budget_s is not None
        self._rounds = None if time_decides else plan.rounds
        self._at_most = "at most " if plan.precision is not None else ""
        self._begun_s = time.monotonic()
        self._remaining = Remaining(
            plan,
            self._begun_s,
            within_s=within_s,
            measured={
                finished.number: [usage.key for usage in finished.blocks] for finished in measured
            },
            used_s=sum(finished.took_s for finished in measured),
        )
        self._round = 0
        self._scenario = ""
        self._counts_starts = False
        self._status = "starting"
        self._rps: dict[str, float] = {}
        self._share = 0.0

    # What the runner says (measuring.blocks.Listener).
    def preparing(self, what: str) -> None:
        """Something starts that takes a moment."""
        self._status = what
        self._remaining.preparing(time.monotonic())

    def round_started(self, number: int) -> None:
        """A round begins."""
        self._round = number
        self._remaining.round_started(time.monotonic(), number)

    def block_started(self, block: BlockPlan) -> None:
        """A block's warm-up begins."""
        self._status = ""
        self._scenario = str(block.key)
        self._counts_starts = block.counts_starts
        self._rps = dict.fromkeys(block.stacks, 0.0)
        self._remaining.block_started(time.monotonic(), block)

    def slice_done(self, stack: str, rps: float, seconds: float) -> None:
        """One stack had one turn."""
        self._rps[stack] = rps
        self._remaining.slice_done(time.monotonic(), seconds)

    def round_ended(self, number: int) -> None:
        """A round is in the journal."""
        self._remaining.round_ended(time.monotonic())
        if not self._console.is_terminal:
            self._console.print(f"{self._round_name(number)} measured, {self._time_left()}")

    def _round_name(self, number: int) -> str:
        return f"round {number} of {self._rounds}" if self._rounds else f"round {number}"

    def _time_left(self) -> str:
        return f"{self._at_most}{clock(self._remaining.seconds(time.monotonic()))} left"

    def _share_done(self) -> float:
        """How much of the time is over; never less than was shown before."""
        now_s = time.monotonic()
        elapsed_s = now_s - self._begun_s
        total_s = elapsed_s + self._remaining.seconds(now_s)
        self._share = max(self._share, elapsed_s / total_s if total_s else 1.0)
        return self._share

    def __rich__(self) -> RenderableType:
        """A bar with the time left, then what each stack serves."""
        heading = Table.grid(padding=(0, 2))
        doing = self._status or f"{self._round_name(self._round)}  [bold]{self._scenario}[/]"
        share = self._share_done()
        heading.add_row(
            ProgressBar(total=1.0, completed=share, width=20),
            f"{share:4.0%}",
            self._time_left(),
            doing,
        )
        rates = Table.grid(padding=(0, 2))
        for stack, rps in self._rps.items():
            rate = "  started" if self._counts_starts else f"{rps:>9,.0f} requests/s"
            shown = rate if rps else "        …"
            rates.add_row(Text("  " + stack), Text(shown, style="cyan"))
        return Group(heading, rates)


@contextmanager
def showing(
    plan: Plan,
    console: Console,
    *,
    within_s: float = math.inf,
    measured: Sequence[Round] = (),
) -> Iterator[Progress]:
    """A progress display that is gone when the block ends; arguments as for `Progress`."""
    progress = Progress(plan, console, within_s=within_s, measured=measured)
    if not console.is_terminal:
        yield progress
        return
    done = threading.Event()
    # rich's own refreshing thread would not give way to the load process, as ours does.
    with Live(progress, console=console, auto_refresh=False, transient=True) as live:
        painter = threading.Thread(target=_paint, args=(live, done), daemon=True)
        painter.start()
        try:
            yield progress
        finally:
            done.set()
            painter.join()


def _paint(live: Live, done: threading.Event) -> None:
    """Refresh only while the core has nothing else to do: drawing must not be measured."""
    if hasattr(os, "SCHED_IDLE"):
        os.sched_setscheduler(0, os.SCHED_IDLE, os.sched_param(0))  # of this thread alone
    while not done.wait(_REFRESH_S):
        live.refresh()


def clock(seconds: float) -> str:
    """Minutes and seconds, rounded up, so that only 0 reads 0:00."""
    whole = math.ceil(seconds)
    return f"{whole // 60}:{whole % 60:02}"
