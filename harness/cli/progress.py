"""How far a run is, on stderr: a live view in a terminal, one line per round elsewhere."""

from __future__ import annotations

import math
import time
from collections import defaultdict, deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from rich.console import Console
from rich.text import Text

from harness.analysis.looks import looks_again
from harness.cli.live import Column, Picture, Screen, bars, is_drawn_on
from harness.cli.remaining import Remaining
from harness.models import (
    BlockKey,
    BlockPlan,
    BlockSoFar,
    Plan,
    Round,
    RunRecord,
    StackSoFar,
    Verdict,
    Window,
)
from harness.report import formats
from harness.report.metrics import MEDIAN, P99, THROUGHPUT
from harness.report.terminal import verdict_text
from harness.report.view import load_words

#: Slices, or windows, that the view has room for at most.
_KEPT = 60
#: Blocks of which a plain line names the ratio.
_NAMED = 4
_UNKNOWN = Text(formats.NOTHING, "dim")


@dataclass(slots=True)
class _Played:
    """What a stack did in the slices of a block."""

    rps: deque[float] = field(default_factory=lambda: deque(maxlen=_KEPT))
    count: int = 0  # of this round
    sum_rps: float = 0.0  # of the same
    windows: list[Window] = field(default_factory=list)  # of this round


class Progress:
    """Listens to the runner, and says what it heard."""

    def __init__(
        self,
        plan: Plan,
        console: Console,
        *,
        within_s: float = math.inf,
        measured: Sequence[Round] = (),
        so_far: Callable[[], Sequence[BlockSoFar]] = tuple,
    ) -> None:
        """Follow a plan.

        Args:
            plan: What is measured.
            console: Where plain lines go, if it is no terminal.
            within_s: Where the time decides how many rounds there are, how much time.
            measured: Rounds that an earlier command has measured, the last maybe in part.
            so_far: What is known of blocks that have been measured since the last call.
        """
        self._plan = plan
        self._console = console
        self._so_far = so_far
        time_decides = math.isfinite(within_s) or plan.budget_s is not None
        self._rounds = None if time_decides else plan.rounds
        self._at_most = "at most " if plan.precision is not None or looks_again(plan) else ""
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
        self.screen = Screen(console, self.picture) if is_drawn_on(console) else None
        self._round = 0
        self._block: BlockPlan | None = None
        self._status = "starting"
        self._phase = ""
        self._played: defaultdict[tuple[BlockKey, str], _Played] = defaultdict(_Played)
        self._share = 0.0
        #: What an earlier command measured is read when the first round begins: before, the runner
        #: has not yet set aside what is torn.
        self._is_behind = bool(measured)
        self._found: dict[BlockKey, BlockSoFar] = {}

    # What the runner says (measuring.blocks.Listener).
    def preparing(self, what: str) -> None:
        """Something starts that takes a moment."""
        self._free()
        self._status = what
        self._remaining.preparing(time.monotonic())

    def round_started(self, number: int) -> None:
        """A round begins."""
        if self._is_behind:
            self._is_behind = False
            self._found = {found.key: found for found in self._so_far()}
        self._round = number
        self._remaining.round_started(time.monotonic(), number)

    def block_started(self, block: BlockPlan) -> None:
        """A block's warm-up begins."""
        self._free()
        self._status, self._phase = "", "warming up"
        self._block = block
        for label in block.stacks:
            before = self._played[block.key, label]
            self._played[block.key, label] = _Played(before.rps)
        self._remaining.block_started(time.monotonic(), block)

    def warmed_up(self) -> None:
        """The block's slices begin."""
        self._phase = "searching" if self._block and self._block.search else "measuring"
        if self.screen:
            self.screen.rest()

    def slice_done(self, stack: str, rps: float, seconds: float) -> None:
        """One stack had one turn."""
        if self._block:
            played = self._played[self._block.key, stack]
            played.rps.append(rps)
            played.count += 1
            played.sum_rps += rps
        self._remaining.slice_done(time.monotonic(), seconds)
        if self.screen:
            self.screen.between_slices()

    def window_judged(self, stack: str, window: Window) -> None:
        """The turn was a window of a search."""
        if self._block:
            self._played[self._block.key, stack].windows.append(window)

    def round_ended(self, number: int) -> None:
        """A round is in the journal."""
        self._free()
        self._phase = "measured"
        self._remaining.round_ended(time.monotonic())
        found = self._so_far()
        self._found |= {block.key: block for block in found}
        if not self.screen:
            ratios = _ratios_in_a_line(found, self._blocks)
            line = f"{self._round_name(number)} measured, {self._time_left()}{ratios}"
            self._console.print(line, soft_wrap=True)

    @property
    def _blocks(self) -> dict[BlockKey, BlockPlan]:
        return {block.key: block for block in self._plan.blocks}

    def _free(self) -> None:
        """No slice plays."""
        if self.screen:
            self.screen.resume()

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

    def picture(self) -> Picture:
        """What is going on now."""
        block = self._block
        doing = Text(self._status)
        if block and not self._status:
            doing = Text(f"{self._round_name(self._round)}  ")
            doing.append(block.scenario.name, "bold")
            doing.append(f" {_load(block)}  {self._phase}")
        found = self._found.get(block.key) if block else None
        return Picture(
            share_done=self._share_done(),
            time_left=self._time_left(),
            doing=doing,
            stacks=block.stacks if block else (),
            columns=self._columns(block, found) if block else (),
            note=_note(block, found) if block else "",
        )

    def _columns(self, block: BlockPlan, found: BlockSoFar | None) -> tuple[Column, ...]:
        rows = [
            (self._played[block.key, label], found.of(label) if found else None)
            for label in block.stacks
        ]
        if block.search is not None:
            return _of_search(rows)
        if block.counts_starts:
            return (
                Column("Starts", tuple(Text(f"{played.count}") for played, _ in rows)),
                Column(
                    MEDIAN.column, tuple(_figure(k.latency_p50_ms if k else None) for _, k in rows)
                ),
                _ratio_column(block, [known for _, known in rows]),
            )
        return (
            Column(THROUGHPUT.column, tuple(_rate(played, known) for played, known in rows)),
            bars(THROUGHPUT.column, [tuple(played.rps) for played, _ in rows], gives_way=1),
            Column(
                P99.column,
                tuple(_figure(known.latency_p99_ms if known else None) for _, known in rows),
                gives_way=2,
            ),
            bars(
                P99.column,
                [known.stretches_p99_ms if known else () for _, known in rows],
                gives_way=3,
            ),
            _ratio_column(block, [known for _, known in rows]),
        )


def _load(block: BlockPlan) -> str:
    if block.load.slo is not None:
        return block.load.slo.text
    return "" if block.counts_starts else f"with {load_words(block.load)}"


def _rate(played: _Played, known: StackSoFar | None) -> Text:
    """Of the rounds that have ended; before the first has, of the slices so far."""
    if known and math.isfinite(known.throughput_rps):
        return Text(formats.number(known.throughput_rps))
    if not played.count:
        return _UNKNOWN
    return Text(formats.number(played.sum_rps / played.count), "dim")


def _figure(value: float | None) -> Text:
    return _UNKNOWN if value is None else Text(formats.number(value))


def _ratio_column(block: BlockPlan, known: Sequence[StackSoFar | None]) -> Column:
    baselines = {contrast.baseline for contrast in block.contrasts}
    return Column(
        "× baseline [95 %]" if block.has_throughput else "p50 × baseline [95 %]",
        tuple(
            _ratio(stack, is_baseline=label in baselines)
            for label, stack in zip(block.stacks, known, strict=True)
        ),
    )


def _ratio(known: StackSoFar | None, *, is_baseline: bool) -> Text:
    if known is None:
        return Text("baseline", "dim") if is_baseline else _UNKNOWN
    if not known.valid:
        return verdict_text(Verdict.INVALID)
    if known.overloaded:
        return verdict_text(Verdict.OVERLOADED)
    if known.ratio is None:
        return Text("baseline", "dim") if is_baseline else _UNKNOWN
    return Text(ratio_words(known))


def ratio_words(known: StackSoFar) -> str:
    """As in `2.34 × [2.22, 2.46]`."""
    ratio = known.ratio
    if ratio is None:
        return formats.NOTHING
    limits = formats.ratio_interval(ratio.value, ratio.low, ratio.high)
    return f"{formats.ratio(ratio.value)} {limits}"


def _of_search(rows: Sequence[tuple[_Played, StackSoFar | None]]) -> tuple[Column, ...]:
    """The rates that were tried, whether they kept the promise, and what the rounds so far found."""
    latest = [played.windows[-1] if played.windows else None for played, _ in rows]
    return (
        Column("Requests/s tried", tuple(_tried(played.windows) for played, _ in rows)),
        bars(
            "Requests/s tried",
            [tuple(window.rate_rps for window in played.windows) for played, _ in rows],
            gives_way=1,
        ),
        Column(
            P99.column,
            tuple(_figure(window.latency_ms.get("p99") if window else None) for window in latest),
            gives_way=2,
        ),
        bars(
            P99.column,
            [
                tuple(window.latency_ms.get("p99", math.nan) for window in played.windows)
                for played, _ in rows
            ],
            gives_way=3,
        ),
        Column("Capacity [95 %]", tuple(_capacity(known) for _, known in rows)),
    )


def _tried(windows: Sequence[Window]) -> Text:
    """The latest rate, and whether it kept the promise."""
    if not windows:
        return _UNKNOWN
    latest = windows[-1]
    sign, style = ("✓", "green") if latest.kept else ("✕", "red")
    return Text.assemble(f"{formats.number(latest.rate_rps)} ", (sign, style))


def _capacity(known: StackSoFar | None) -> Text:
    rate = known.capacity_rps if known else None
    if rate is None or not math.isfinite(rate.value):
        return _UNKNOWN
    return Text(f"{formats.number(rate.value)} {formats.interval(rate.low, rate.high)}")


def _note(block: BlockPlan, found: BlockSoFar | None) -> str:
    if found is None:
        what = "capacities" if block.search else "ratios and p99"
        return f"{what}: when a round has ended"
    what = "capacities" if block.search else "figures and ratios"
    return f"{what}: after {formats.plural(found.rounds, 'round')}"


def _ratios_in_a_line(found: Sequence[BlockSoFar], blocks: dict[BlockKey, BlockPlan]) -> str:
    """As in `; so far hello 2.53 × [2.41, 2.66]`; empty where nothing is known yet."""
    several = {
        key.scenario for key in blocks if [k.scenario for k in blocks].count(key.scenario) > 1
    }
    named = []
    for block in found:
        where = str(block.key) if block.key.scenario in several else block.key.scenario
        capacities = [
            f"{stack.stack} {_capacity(stack).plain} requests/s"
            for stack in block.stacks
            if stack.capacity_rps is not None and math.isfinite(stack.capacity_rps.value)
        ]
        ratio = next((stack for stack in block.stacks if stack.ratio is not None), None)
        if capacities:
            named.append(f"{where}: {', '.join(capacities)}")
        elif ratio is not None:
            named.append(f"{where} {ratio.stack} {ratio_words(ratio)}")
    if not named:
        return ""
    more = f" and {len(named) - _NAMED} more" if len(named) > _NAMED else ""
    return f"; so far {'; '.join(named[:_NAMED])}{more}"


@contextmanager
def showing(
    plan: Plan,
    console: Console,
    folder: Path,
    *,
    within_s: float = math.inf,
    measured: Sequence[Round] = (),
) -> Iterator[Progress]:
    """A progress display that is gone when the block ends.

    Args:
        plan: What is measured.
        console: Where to show it.
        folder: The run's.
        within_s: As for `Progress`.
        measured: As for `Progress`.
    """
    from harness import store
    from harness.analysis.so_far import SoFar

    followed = SoFar(lambda cell: store.read_samples(folder, cell))

    def so_far() -> Sequence[BlockSoFar]:
        record: RunRecord = store.read_run(folder)
        return followed.update(record)

    progress = Progress(plan, console, within_s=within_s, measured=measured, so_far=so_far)
    if progress.screen is None:
        yield progress
        return
    with progress.screen.shown():
        yield progress


def clock(seconds: float) -> str:
    """Minutes and seconds, rounded up, so that only 0 reads 0:00."""
    whole = math.ceil(seconds)
    return f"{whole // 60}:{whole % 60:02}"
