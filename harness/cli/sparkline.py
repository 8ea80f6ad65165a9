"""Figures as a row of bars, one character each."""

from __future__ import annotations

import math
from collections.abc import Sequence

BARS = "▁▂▃▄▅▆▇█"
#: Where a terminal can't show those.
ASCII_BARS = "_.-=+*%#"


def sparkline(values: Sequence[float], width: int, most: float, *, ascii_only: bool) -> str:
    """The latest values as bars from 0 to `most`; a blank for what is not known.

    Args:
        values: Figures in the order of time.
        width: How many of them there is room for.
        most: What the highest bar stands for.
        ascii_only: Whether the terminal can't show more than ASCII.
    """
    bars = ASCII_BARS if ascii_only else BARS
    return "".join(_bar(value, most, bars) for value in values[max(0, len(values) - width) :])


def _bar(value: float, most: float, bars: str) -> str:
    if not math.isfinite(value) or most <= 0:
        return " "
    return bars[min(len(bars) - 1, max(0, math.ceil(value / most * len(bars)) - 1))]
