"""Lines: latency at shares of each stack's own capacity."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

from matplotlib.axes import Axes
from matplotlib.ticker import FixedFormatter, FixedLocator

from harness.models import AtShare, Capacity, Estimate
from harness.report import formats
from harness.report.charts.caption import Caption, as_alt, joined
from harness.report.charts.panels import TICKS_IN, empty, round_ticks
from harness.report.charts.sheet import CONTENT_IN, MARGIN_IN, Sheet, styled
from harness.report.view import View

_PLOT_IN = 2.3
_TICK_IN = 0.75
#: How far lines of several stacks stand apart, in shares, so that their intervals can be told apart.
_APART = 0.008
_BEYOND = 10  # times the range of the figures: how far an interval may stretch the axis


def shown(view: View) -> tuple[Capacity, ...]:
    """The capacities below which latency is known."""
    return tuple(found for found in view.analysis.capacities if found.at_shares)


def _percentile(found: Sequence[Capacity]) -> str:
    """The same for all: p99 if there are requests enough for it everywhere, else p50."""
    everywhere = all(
        math.isfinite(at.latency_ms["p99"].value) for each in found for at in each.at_shares
    )
    return "p99" if everywhere else "p50"


def caption(view: View) -> Caption:
    """The words around the chart."""
    found = shown(view)
    name = _percentile(found)
    few = "" if name == "p99" else "too few requests for p99"
    return Caption(
        title="How does latency grow towards each stack's own capacity?",
        note=joined(
            f"{name} in ms on a logarithmic scale, at shares of the stack's own capacity",
            few,
            "lines up and down: 95 % intervals",
        ),
        reading=(
            "Lower is better, and a line that stays flat leaves room for peaks. Stacks are compared "
            "at the same share of what each can do, which are different rates."
        ),
        alt=as_alt(_facts(found, name)),
    )


def _facts(found: Sequence[Capacity], name: str) -> Iterator[str]:
    for each in found:
        for at, latency in _points(each, name):
            yield (
                f"{each.stack} at {formats.percent(at.share)}: {name} "
                f"{formats.number(latency.value)} ms"
            )


def _points(found: Capacity, name: str) -> list[tuple[AtShare, Estimate]]:
    return [
        (at, at.latency_ms[name])
        for at in found.at_shares
        if math.isfinite(at.latency_ms[name].value)
    ]


@styled
def draw(view: View, caption: Caption) -> Sheet:
    """A line for each stack."""
    found = shown(view)
    name = _percentile(found)
    if not any(_points(each, name) for each in found):
        return empty(caption)
    sheet = Sheet(
        caption, _PLOT_IN + TICKS_IN, {each.stack: view.looks[each.stack] for each in found}
    )
    axes = sheet.place(MARGIN_IN + _TICK_IN, sheet.body_in, CONTENT_IN - _TICK_IN, _PLOT_IN)
    axes.spines["left"].set_visible(False)
    for place, each in enumerate(found):
        look = view.looks[each.stack]
        aside = _APART * (place - (len(found) - 1) / 2)
        points = _points(each, name)
        axes.plot(
            [at.share + aside for at, _ in points],
            [latency.value for _, latency in points],
            color=look.colour,
            lw=1.6,
            dashes=look.dashes or (None, None),
        )
        for at, latency in points:
            x = at.share + aside
            if math.isfinite(latency.low):
                axes.plot([x, x], [latency.low, latency.high], color=look.colour, lw=1.4)
            axes.plot(
                [x],
                [latency.value],
                marker=look.marker,
                markersize=6.5,
                markerfacecolor=look.colour,
                markeredgecolor=look.colour,
                zorder=4,
            )
    _scale(axes, [point for each in found for point in _points(each, name)])
    return sheet


def _scale(axes: Axes, points: Sequence[tuple[AtShare, Estimate]]) -> None:
    shares = sorted({at.share for at, _ in points})
    axes.set_xlim(shares[0] - 0.05, shares[-1] + 0.05)
    axes.xaxis.set_major_locator(FixedLocator(shares))
    axes.xaxis.set_major_formatter(FixedFormatter([formats.percent(share) for share in shares]))
    estimates = [latency for _, latency in points]
    lowest = min(latency.value for latency in estimates)
    highest = max(latency.value for latency in estimates)
    limits = [limit for latency in estimates for limit in (latency.low, latency.high)]
    limits = [limit for limit in limits if lowest / _BEYOND <= limit <= highest * _BEYOND]
    low, high = min([lowest, *limits]) / 1.15, max([highest, *limits]) * 1.15
    axes.set_yscale("log")
    axes.set_ylim(low, high)
    ticks = round_ticks(low, high)
    axes.yaxis.set_major_locator(FixedLocator(ticks))
    axes.yaxis.set_major_formatter(
        FixedFormatter([f"{formats.tick(value)}{formats.NBSP}ms" for value in ticks])
    )
    axes.yaxis.set_minor_locator(FixedLocator([]))
    axes.grid(axis="y")
