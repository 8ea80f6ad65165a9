"""A chart's paper: a figure laid out in inches from its top left corner.

Widths of texts are taken from the font's own outlines, so the layout is the same wherever the
report is made and nothing depends on what a renderer measures. The font is the one that
matplotlib brings along.
"""

from __future__ import annotations

import functools
import io
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from typing import Any, ParamSpec, TypeVar

from matplotlib import style
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties, findfont, get_font
from matplotlib.lines import Line2D
from matplotlib.text import Text
from matplotlib.textpath import text_to_path
from matplotlib.typing import RcKeyType

from harness.report.charts.caption import Caption
from harness.report.palette import FAINT, INK, PAPER, QUIET, Look

WIDTH_IN = 10.8
MARGIN_IN = 0.25
CONTENT_IN = WIDTH_IN - 2 * MARGIN_IN

TITLE_PT = 15.0
PANEL_PT = 11.0
TEXT_PT = 9.0

_LINE_IN = 0.19  # of small text
_LEGEND_ROW_IN = 0.24
_PNG_DPI = 160
_FONT = "DejaVu Sans"
_HINTED = 0.96  # a renderer of pixels may widen a long text a little
HEADING = "heading"  # how the ids of title and note begin

_STYLE: dict[str | RcKeyType, Any] = {
    "font.family": _FONT,
    "font.size": TEXT_PT,
    "text.color": INK,
    "text.parse_math": False,  # a "$" in a reason is a dollar
    "axes.facecolor": "none",
    "axes.edgecolor": FAINT,
    "axes.labelcolor": QUIET,
    "axes.labelsize": TEXT_PT,
    "axes.axisbelow": True,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.linewidth": 0.8,
    "grid.color": FAINT,
    "grid.linewidth": 0.6,
    "xtick.color": QUIET,
    "ytick.color": QUIET,
    "xtick.labelsize": TEXT_PT,
    "ytick.labelsize": TEXT_PT,
    "xtick.major.size": 0,
    "ytick.major.size": 0,
    "xtick.minor.size": 0,
    "ytick.minor.size": 0,
    "hatch.linewidth": 0.7,
    "legend.frameon": False,
    "figure.facecolor": PAPER,
    "savefig.facecolor": PAPER,
    "svg.fonttype": "none",
    "path.simplify": False,
}


def drawn_alike(
    more: Mapping[str | RcKeyType, Any] | None = None,
) -> AbstractContextManager[None]:
    """Within it, matplotlib's settings are the report's, and these."""
    return style.context(["default", _STYLE, dict(more or {})])


P = ParamSpec("P")
R = TypeVar("R")


def styled(draw: Callable[P, R]) -> Callable[P, R]:
    """Draw in the report's style and leave matplotlib's own settings as they were."""

    @functools.wraps(draw)
    def wrapped(*args: P.args, **kwargs: P.kwargs) -> R:
        with drawn_alike():
            return draw(*args, **kwargs)

    return wrapped


class Sheet(Figure):
    """A figure of fixed width with a heading, an optional legend and a body below.

    Attributes:
        height_in: its height.
        heading_in: height of title and note, which a page may show as its own text instead.
        body_in: where the body begins, from the top.
        hints: what a browser shows over marks; id of their artist -> a text for each of its marks.
        owners: id of an artist -> the stack that it shows, which a reader may hide.
    """

    def __init__(
        self, caption: Caption, body_in: float, legend: Mapping[str, Look] | None = None
    ) -> None:
        note = wrap(caption.note, CONTENT_IN * _HINTED)
        self.heading_in = MARGIN_IN + 0.38 + _LINE_IN * len(note) + 0.1
        rows = _flow(legend or {})
        self.body_in = self.heading_in + _LEGEND_ROW_IN * len(rows) + (0.12 if rows else 0.05)
        self.height_in = self.body_in + body_in + MARGIN_IN
        super().__init__(figsize=(WIDTH_IN, self.height_in))
        self.hints: dict[str, tuple[str, ...]] = {}
        self.owners: dict[str, str] = {}
        words = shorten(caption.title, CONTENT_IN, TITLE_PT, "bold")
        title = self.write(MARGIN_IN, MARGIN_IN + 0.12, words, size=TITLE_PT, weight="bold")
        title.set_gid(HEADING)
        for row, line in enumerate(note):
            text = self.write(MARGIN_IN, MARGIN_IN + 0.43 + _LINE_IN * row, line, color=QUIET)
            text.set_gid(f"{HEADING}-{row}")
        for row, entries in enumerate(rows):
            y = self.heading_in + _LEGEND_ROW_IN * (row + 0.5)
            for x, label, look in entries:
                self._sample(x, y, look)
                self.write(x + 0.5, y, label)

    def write(self, x_in: float, y_in: float, words: str, **look: Any) -> Text:
        """Text at a place in inches from the top left corner, centred on its line."""
        return self.text(
            x_in / WIDTH_IN,
            1 - y_in / self.height_in,
            drawable(words),
            **{"va": "center_baseline", "ha": "left", **look},
        )

    def rule(self, y_in: float) -> None:
        """A faint line over the whole width."""
        y = 1 - y_in / self.height_in
        left = MARGIN_IN / WIDTH_IN
        self.add_artist(
            Line2D([left, 1 - left], [y, y], transform=self.transFigure, color=FAINT, lw=0.8)
        )

    def place(self, left_in: float, top_in: float, width_in: float, height_in: float) -> Axes:
        """Axes at a place in inches from the top left corner of the sheet."""
        return self.add_axes(
            (
                left_in / WIDTH_IN,
                1 - (top_in + height_in) / self.height_in,
                width_in / WIDTH_IN,
                height_in / self.height_in,
            )
        )

    def own(self, artist: Artist, stack: str) -> None:
        """Say which stack an artist shows."""
        if artist.get_gid() is None:
            artist.set_gid(f"own-{len(self.owners)}")
        self.owners[str(artist.get_gid())] = stack

    @contextmanager
    def owned(self, axes: Axes, stack: str) -> Iterator[None]:
        """Within it, whatever is drawn shows this stack."""
        before = set(axes.get_children())
        yield
        for artist in axes.get_children():
            if artist not in before:
                self.own(artist, stack)

    def _repr_png_(self) -> bytes:
        """For notebooks, whether matplotlib's own display is switched on in them or not."""
        return png(self)

    def _sample(self, x_in: float, y_in: float, look: Look) -> None:
        y = 1 - y_in / self.height_in
        line = Line2D(
            [x_in / WIDTH_IN, (x_in + 0.21) / WIDTH_IN, (x_in + 0.42) / WIDTH_IN],
            [y, y, y],
            transform=self.transFigure,
            color=look.colour,
            marker=look.marker,
            markevery=[1],
            markersize=6,
            lw=1.8,
        )
        if look.dashes:
            line.set_dashes(look.dashes)
        self.add_artist(line)


def hint(line: Line2D, words: Sequence[str]) -> None:
    """Have a browser show a text over each mark of a line."""
    sheet = line.get_figure(root=True)
    assert isinstance(sheet, Sheet)
    name = f"hint-{len(sheet.hints)}"
    line.set_gid(name)
    sheet.hints[name] = tuple(words)


def _flow(legend: Mapping[str, Look]) -> list[list[tuple[float, str, Look]]]:
    """Legend entries from left to right, in as many rows as they need."""
    rows: list[list[tuple[float, str, Look]]] = []
    x = WIDTH_IN
    for label, look in legend.items():
        shown = shorten(label, 3.0)
        entry_in = 0.5 + text_in(shown)
        if x + entry_in > WIDTH_IN - MARGIN_IN:
            rows.append([])
            x = MARGIN_IN
        rows[-1].append((x, shown, look))
        x += entry_in + 0.3
    return rows


@functools.cache
def _glyphs() -> frozenset[int]:
    return frozenset(get_font(findfont(FontProperties(family=_FONT))).get_charmap())


def drawable(words: str) -> str:
    """A text with a mark in place of each character that the font does not have."""
    return "".join(c if ord(c) in _glyphs() else "\N{REPLACEMENT CHARACTER}" for c in words)


@functools.lru_cache(maxsize=4096)
def text_in(words: str, size_pt: float = TEXT_PT, weight: str = "normal") -> float:
    """How wide a text is, in inches."""
    font = FontProperties(family=_FONT, weight=weight, size=size_pt)
    width, _, _ = text_to_path.get_text_width_height_descent(drawable(words), font, ismath=False)
    return float(width) / 72


def shorten(words: str, width_in: float, size_pt: float = TEXT_PT, weight: str = "normal") -> str:
    """A text cut with an ellipsis where it is wider than there is room for."""
    words = drawable(words)
    if text_in(words, size_pt, weight) <= width_in:
        return words
    low, high = 0, len(words)
    while low < high:
        middle = (low + high + 1) // 2
        if text_in(words[:middle].rstrip() + "…", size_pt, weight) <= width_in:
            low = middle
        else:
            high = middle - 1
    return words[:low].rstrip() + "…"


def wrap(words: str, width_in: float, size_pt: float = TEXT_PT) -> list[str]:
    """A text in lines of at most this width, broken at spaces."""
    lines: list[str] = []
    for word in words.split(" "):
        if lines and text_in(f"{lines[-1]} {word}", size_pt) <= width_in:
            lines[-1] += f" {word}"
        else:
            lines.append(word)
    return lines


# --------------------------------------------------------------------------- files


def png(sheet: Sheet) -> bytes:
    """The sheet as PNG."""
    buffer = io.BytesIO()
    with drawn_alike():
        sheet.savefig(buffer, format="png", dpi=_PNG_DPI, metadata={"Software": None})
    return buffer.getvalue()
