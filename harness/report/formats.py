"""Figures as a reader wants them: few digits, thousands apart, units that don't wrap away."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence

NBSP = "\u00a0"  # between a figure and its unit
NOTHING = "–"  # an en dash stands for a figure that does not exist
_PERCENT = re.compile(r"(?<=\d)%(?![0-9A-Fa-f]{2})")  # and no character of a URL
NO_INTERVAL = "no interval"


def number(value: float, digits: int = 3) -> str:
    """A figure to so many significant digits: 4,120 or 51.2 or 0.512."""
    if not math.isfinite(value):
        return NOTHING
    if value == 0:
        return "0"
    rounded = round(value, digits - 1 - _magnitude(value))
    decimals = max(0, digits - 1 - _magnitude(rounded))
    return f"{rounded:,.{decimals}f}"


def tick(value: float) -> str:
    """A figure on an axis, without trailing zeros: 0, 0.5, 2,000."""
    return f"{value:,.10g}"


def ratio(value: float) -> str:
    """As in `2.34 ×`."""
    if not math.isfinite(value):
        return NOTHING
    return f"{value:,.{_decimals(value)}f}{NBSP}×"


def ratio_interval(value: float, low: float, high: float) -> str:
    """As in `[2.27, 2.42]`, with the decimals of the ratio; `no interval` where there is none."""
    if not (math.isfinite(low) and math.isfinite(high)):
        return NO_INTERVAL
    return f"[{_limit(low, value)},{NBSP}{_limit(high, value)}]"


def ratio_limits(value: float, low: float, high: float) -> str:
    """As in `2.27 to 2.42`: the interval as a sentence says it."""
    if not (math.isfinite(low) and math.isfinite(high)):
        return NO_INTERVAL
    return f"{_limit(low, value)}{NBSP}to{NBSP}{_limit(high, value)}"


def _limit(limit: float, ratio: float) -> str:
    """With the decimals of the ratio; with its own if it is far from it: `[0.0028, 135]`."""
    near = ratio / 10 < limit < ratio * 10
    return f"{limit:,.{_decimals(ratio if near else limit)}f}"


def interval(low: float, high: float) -> str:
    """As in `[3,980, 4,260]`, to three digits; `no interval` where there is none."""
    if not (math.isfinite(low) and math.isfinite(high)):
        return NO_INTERVAL
    return f"[{number(low)},{NBSP}{number(high)}]"


def limits(low: float, high: float) -> str:
    """As in `3,980 to 4,260`: the interval as a sentence says it."""
    if not (math.isfinite(low) and math.isfinite(high)):
        return NO_INTERVAL
    return f"{number(low)}{NBSP}to{NBSP}{number(high)}"


def percent(share: float) -> str:
    """As in `3 %`, to two digits."""
    figure = number(100 * share, 2)
    if "." in figure:
        figure = figure.rstrip("0").rstrip(".")
    return f"{figure}{NBSP}%"


def duration(seconds: float) -> str:
    """As in `45 s`, `6 min 20 s` or `1 h 5 min`."""
    if seconds < 60:
        return f"{number(seconds, 2)}{NBSP}s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours}{NBSP}h {minutes}{NBSP}min"
    return f"{minutes}{NBSP}min {rest}{NBSP}s" if rest else f"{minutes}{NBSP}min"


def plural(count: int, noun: str, ending: str = "s") -> str:
    """As in `1 round` and `8 rounds`."""
    return f"{count:,}{NBSP}{noun}{'' if count == 1 else ending}"


def listing(items: Sequence[str]) -> str:
    """As in `a, b and c`."""
    if len(items) < 2:
        return "".join(items)
    return f"{', '.join(items[:-1])} and {items[-1]}"


def clean(text: str) -> str:
    """Text from elsewhere on one line, without control characters, and with a blank before `%`."""
    words = " ".join("".join(c if c.isprintable() else " " for c in text).split())
    return _PERCENT.sub(f"{NBSP}%", words)


def _magnitude(value: float) -> int:
    return math.floor(math.log10(abs(value)))


def _decimals(value: float) -> int:
    """Decimals of a ratio: two from 0.1 to 10, two digits below and three above."""
    if not math.isfinite(value) or value <= 0:
        return 2
    if value >= 0.1:
        return max(0, 2 - max(0, _magnitude(value)))
    return min(6, 1 - _magnitude(value))
