"""Flame graphs as SVG with real text: which function called which, and how much CPU each took.

The outermost function stands on top. Boxes are light and their text dark, in a light and in a dark
page; the text outside of boxes has the page's own colour.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from html import escape

from harness.analysis.libraries import name_of, short_place
from harness.models import Flame, FlameFrame, Group
from harness.report import formats
from harness.report.palette import INK

#: Group -> fill; each has a contrast of at least 7:1 to the ink. Colours of one hue differ in lightness,
#: and every box says its group on hover.
FILLS: Mapping[Group, str] = {
    Group.SERVER: "#f0b27a",
    Group.FRAMEWORK: "#9cc9ec",
    Group.VALIDATION: "#c5e3a0",
    Group.SERIALISATION: "#f6e27f",
    Group.CLIENT: "#d8b9ea",
    Group.DATABASE: "#f3b3b0",
    Group.OWN: "#86d3c4",
    Group.STDLIB: "#cfd6dd",
    Group.REST: "#e6e9ed",
}
_WIDTH, _ROW, _HEAD = 1100.0, 17.0, 30.0
_FONT = "ui-monospace, Menlo, Consolas, 'DejaVu Sans Mono', monospace"
_FONT_PX, _CHARACTER_PX = 10.5, 6.4
#: A shorter piece of a name says nothing.
_LEAST_CHARACTERS = 3
_SWATCH = 11.0


def svg(flame: Flame, alt: str, *, heading: str = "") -> str:
    """The flame graph of a stack as an SVG element, which is a whole document too.

    Args:
        flame: What to draw.
        alt: The graph in words, for those who can't see it.
        heading: Stands above it; for a file of its own.
    """
    top = _HEAD + (24.0 if heading else 0.0)
    rows = 1 + max((frame.depth for frame in flame.frames), default=0)
    height = top + _ROW * rows + 4
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH:g} {height:g}" '
        f'width="{_WIDTH:g}" height="{height:g}" role="img" aria-label="{escape(alt)}" '
        f'font-family="{_FONT}" font-size="{_FONT_PX}">'
    ]
    if heading:
        # A file of its own has a paper of its own: it can't know what it is shown on.
        lines.append(f'<rect width="{_WIDTH:g}" height="{height:g}" fill="#ffffff"/>')
        lines.append(
            f'<text x="4" y="17" font-size="14" font-weight="bold">{escape(heading)}</text>'
        )
    lines += _legend(flame, top)
    lines += [_box(flame, frame, top) for frame in flame.frames]
    return "".join([*lines, "</svg>"])


def _legend(flame: Flame, top: float) -> Iterator[str]:
    x = 4.0
    seen = {frame.group for frame in flame.frames}
    for group in Group:
        if group in seen:
            y = top - _HEAD + 6
            yield (
                f'<rect x="{x:g}" y="{y:g}" width="{_SWATCH:g}" height="{_SWATCH:g}" '
                f'fill="{FILLS[group]}" stroke="#5b6672" stroke-width=".5"/>'
                f'<text x="{x + 15:g}" y="{y + 9.5:g}" fill="currentColor">{escape(group)}</text>'
            )
            x += 15 + _CHARACTER_PX * len(group) + 18


def _box(flame: Flame, frame: FlameFrame, top: float) -> str:
    scale = _WIDTH / flame.samples
    x, width, y = scale * frame.start, scale * frame.samples, top + _ROW * frame.depth
    name, place = name_of(frame.name), short_place(frame.name)
    share = formats.percent(frame.samples / flame.samples)
    own = formats.percent(frame.own / flame.samples)
    title = f"{name} ({place}): {share} of the samples, {own} in itself; {frame.group}"
    room = int((width - 6) / _CHARACTER_PX)
    words = f"{name} {place}" if len(name) + 1 + len(place) <= room else name
    if len(words) > room:
        words = f"{words[: max(0, room - 1)]}…"
    text = ""
    if room >= _LEAST_CHARACTERS:
        text = f'<text x="{x + 3:.1f}" y="{y + 12:g}" fill="{INK}">{escape(words)}</text>'
    return (
        f"<g><title>{escape(title)}</title>"
        f'<rect x="{x:.1f}" y="{y:g}" width="{max(0.5, width - 0.6):.1f}" height="{_ROW - 1:g}" '
        f'rx="1.5" fill="{FILLS[frame.group]}"/>{text}</g>'
    )
