"""How far a measurement is, for a caller in Python: a line of text now and then, or nothing."""

from __future__ import annotations

from collections.abc import Callable

from harness.models import BlockPlan, Plan, Window
from harness.processes.interrupts import interrupts


class Lines:
    """Listens to the runner (measuring.blocks.Listener), and hands lines to whoever wants them."""

    def __init__(self, plan: Plan, tell: Callable[[str], object] | None = None) -> None:
        """Follow a plan.

        Args:
            plan: What is measured.
            tell: Called with each line, such as `print`; None: nobody wants them.
        """
        self._plan = plan
        self._tell = tell

    def preparing(self, what: str) -> None:
        """A slow preparation begins."""
        self._say(what)

    def round_started(self, number: int) -> None:
        """A round begins."""
        more = " or more" if self._plan.budget_s is not None else ""
        self._say(f"round {number} of {self._plan.rounds}{more}")

    def block_started(self, block: BlockPlan) -> None:
        """The warm-up of a block begins."""
        self._say(f"  {block.load.label}: {', '.join(block.stacks)}")

    def warmed_up(self) -> None:
        """The block's slices begin."""

    def slice_done(self, stack: str, rps: float, seconds: float) -> None:
        """A stack had a turn."""
        interrupts.raise_dropped()

    def window_judged(self, stack: str, window: Window) -> None:
        """That turn was a window of a search."""

    def round_ended(self, number: int) -> None:
        """The journal has a whole round."""

    def _say(self, line: str) -> None:
        interrupts.raise_dropped()
        if self._tell is not None:
            self._tell(line)
