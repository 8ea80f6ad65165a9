"""The colours of charts on dark paper, for readers who prefer it."""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence

from harness.report.palette import BAND, FAINT, INK, PAPER, QUIET, variables

#: Other colours only become lighter, if need be.
_ON_DARK: Mapping[str, str] = {
    INK: "#e4e8ec",
    QUIET: "#a3adb8",
    FAINT: "#37404a",
    PAPER: "#1c2128",
    BAND: "#2a323b",
    **{made.light: made.dark for made in variables()},
}
_LEAST_CONTRAST = 3.0  # WCAG 2.2, 1.4.11: what is needed to understand a graphic


@functools.cache
def on_dark(colour: str) -> str:
    """What stands for a colour on dark paper: itself, or lighter as far as it takes to be seen.

    Args:
        colour: as in `#1f2933`; what it returns looks so too.
    """
    if colour in _ON_DARK:
        return _ON_DARK[colour]
    lighter = _channels(colour)
    while contrast(_hex(lighter), _ON_DARK[PAPER]) < _LEAST_CONTRAST:
        lighter = tuple(channel + (1 - channel) * 0.04 for channel in lighter)
    return _hex(lighter)


def contrast(one: str, other: str) -> float:
    """The contrast ratio of two colours by WCAG 2.2, from 1 to 21."""
    darker, lighter = sorted((_luminance(one), _luminance(other)))
    return (lighter + 0.05) / (darker + 0.05)


def _luminance(colour: str) -> float:
    linear = [
        c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in _channels(colour)
    ]
    return sum(weight * c for weight, c in zip((0.2126, 0.7152, 0.0722), linear, strict=True))


def _channels(colour: str) -> tuple[float, ...]:
    """Red, green and blue, from 0 to 1."""
    return tuple(int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5))


def _hex(channels: Sequence[float]) -> str:
    return "#" + "".join(f"{round(255 * channel):02x}" for channel in channels)
