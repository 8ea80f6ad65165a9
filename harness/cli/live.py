"""The live view of a run: what it shows, and when it is drawn."""

from __future__ import annotations

import itertools
import math
import os
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from rich.console import Console, ConsoleOptions, Group, RenderableType, RenderResult
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from harness.cli.sparkline import sparkline

#: No more often than this; people don't read faster, and each drawing takes some milliseconds.
_REFRESH_S = 0.5
_GAP = 2  # between columns
_LEAST_BARS, _MOST_BARS = 5, 30
_LEAST_NAME = 12
#: Lines beside the rows: progress, what is being done, headings, the note, and one that stays free.
_OTHER_LINES = 5


@dataclass(frozen=True, slots=True)
class Column:
    """A column of the table of stacks: texts, or figures over time."""

    heading: str
    texts: tuple[Text, ...] = ()  # a row each
    series: tuple[tuple[float, ...], ...] = ()  # drawn as bars, all on one scale from 0
    gives_way: int = 0  # what has no room is left out, the highest first; 0: never


@dataclass(frozen=True, slots=True)
class Picture:
    """What the view shows at one moment."""

    share_done: float
    time_left: str
    doing: Text
    stacks: tuple[str, ...]
    columns: tuple[Column, ...]
    note: str

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        # A line that fills the terminal wraps where a character's stand-in is longer than it.
        width = options.max_width - 1
        room = max(1, console.size.height - _OTHER_LINES)
        shown = len(self.stacks) if len(self.stacks) <= room else room - 1
        lines: list[RenderableType] = [self._progress(width), self.doing]
        if self.stacks:
            lines.append(self._table(shown, width, ascii_only=options.ascii_only))
        if shown < len(self.stacks):
            lines.append(Text(f"and {len(self.stacks) - shown} more", "dim"))
        if self.note:
            lines.append(Text(self.note, "dim"))
        for line in lines:
            if isinstance(line, Text):
                line.no_wrap, line.overflow = True, "crop"
        yield from console.render(Group(*lines), options.update(width=width))

    def _progress(self, width: int) -> RenderableType:
        words = f"{self.share_done:4.0%}  {self.time_left}"
        line = Table.grid(padding=(0, _GAP, 0, 0))
        bar = max(1, min(20, width - len(words) - _GAP))
        line.add_row(ProgressBar(total=1.0, completed=self.share_done, width=bar), words)
        return line

    def _table(self, rows: int, width: int, *, ascii_only: bool) -> Table:
        columns, name, bars = self._fitting(width)
        table = Table(
            box=None, pad_edge=False, padding=(0, _GAP, 0, 0), header_style="dim", show_edge=False
        )
        table.add_column("", width=name, no_wrap=True, overflow="crop")
        for column in columns:
            table.add_column(
                "" if column.series else column.heading,
                justify="left" if column.series else "right",
                width=bars if column.series else _width(column),
                no_wrap=True,
                overflow="crop",
            )
        most = {
            id(column): max(filter(math.isfinite, itertools.chain(*column.series)), default=0.0)
            for column in columns
        }
        for row in range(rows):
            cells = [
                Text(
                    sparkline(column.series[row], bars, most[id(column)], ascii_only=ascii_only),
                    "cyan",
                )
                if column.series
                else column.texts[row]
                for column in columns
            ]
            table.add_row(Text(self.stacks[row]), *cells)
        return table

    def _fitting(self, width: int) -> tuple[list[Column], int, int]:
        """The columns that there is room for, and how wide names and bars are."""
        columns = list(self.columns)
        name = max(map(len, self.stacks))
        while True:
            series = sum(bool(column.series) for column in columns)
            taken = sum(_width(column) for column in columns if not column.series)
            rest = width - name - taken - _GAP * len(columns)
            bars = min(_MOST_BARS, rest // series) if series else 0
            if rest >= 0 and (not series or bars >= _LEAST_BARS):
                return columns, name, bars
            least = max((column.gives_way for column in columns), default=0)
            if not least:
                return columns, max(_LEAST_NAME, name + rest), _LEAST_BARS
            columns = [column for column in columns if column.gives_way != least]


def _width(column: Column) -> int:
    return max([len(column.heading), *(text.cell_len for text in column.texts)])


class Screen:
    """Draws while nothing is measured, and otherwise between two slices."""

    def __init__(self, console: Console, picture: Callable[[], Picture]) -> None:
        """Prepare to draw.

        Args:
            console: A terminal.
            picture: Makes what is to be drawn.
        """
        self._console, self._picture = console, picture
        # rich's own refreshing thread would draw while a slice plays.
        self._live = Live(console=console, auto_refresh=False, transient=True)
        self._lock = threading.Lock()
        self._is_free = threading.Event()  # nothing is measured
        self._ended = self._failed = False
        self._drawn_s = 0.0

    @contextmanager
    def shown(self) -> Iterator[None]:
        """Draw as long as the context lasts; afterwards the view is gone and the cursor is back."""
        with self._live:
            ticking = threading.Thread(target=self._tick, daemon=True)
            self._is_free.set()
            ticking.start()
            try:
                yield
            finally:
                self._ended = True
                self._is_free.set()
                ticking.join()

    def rest(self) -> None:
        """Slices begin: draw no more but in `between_slices`. Waits until what is drawn is drawn."""
        with self._lock:
            self._is_free.clear()

    def resume(self) -> None:
        """No slice plays until the next `rest`."""
        self._is_free.set()

    def between_slices(self) -> None:
        """Draw now if it is time: the next slice begins after this."""
        if time.monotonic() - self._drawn_s >= _REFRESH_S:
            with self._lock:
                self._draw()

    def _draw(self) -> None:
        """Draw; a mistake in this must not cost the measurement, which goes on without the view."""
        if self._failed:
            return
        try:
            self._live.update(self._picture(), refresh=True)
        except Exception as error:
            self._failed = True
            self._live.update(Text(""))
            self._console.print(f"the live view failed and is off: {error!r}", style="yellow")
        self._drawn_s = time.monotonic()

    def _tick(self) -> None:
        """Draw while nothing is measured. Without a wake-up while something is."""
        if hasattr(os, "SCHED_IDLE"):
            os.sched_setscheduler(0, os.SCHED_IDLE, os.sched_param(0))  # of this thread alone
        while True:
            self._is_free.wait()
            with self._lock:
                if self._ended:
                    return
                if self._is_free.is_set():
                    self._draw()
            time.sleep(_REFRESH_S)


def is_drawn_on(console: Console) -> bool:
    """Whether a console is a terminal whose cursor can be moved; colours forced into a file are none."""
    return console.is_terminal and not console.is_dumb_terminal and console.file.isatty()


def bars(heading: str, series: Sequence[Sequence[float]], gives_way: int) -> Column:
    """A column of figures over time, a row for each stack."""
    return Column(heading, series=tuple(map(tuple, series)), gives_way=gives_way)
