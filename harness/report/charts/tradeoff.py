"""Latency against throughput: what a stack's users pay for what it serves."""

from __future__ import annotations

from matplotlib.axes import Axes
from matplotlib.ticker import FuncFormatter, MaxNLocator
from matplotlib.transforms import Bbox

from harness.models import Curve, CurvePoint
from harness.report import formats
from harness.report.charts.caption import Caption, as_alt, joined
from harness.report.charts.curves import estimate_of, is_trusted, value_scale
from harness.report.charts.panels import GAP_IN, TICKS_IN, grid, grid_in
from harness.report.charts.sheet import (
    CONTENT_IN,
    MARGIN_IN,
    PANEL_PT,
    TEXT_PT,
    Sheet,
    shorten,
    styled,
    text_in,
)
from harness.report.metrics import MEDIAN, P99, THROUGHPUT, Metric
from harness.report.palette import INK, PAPER, QUIET, Look
from harness.report.view import CurveSet, View

_METRICS = (MEDIAN, P99)
_PANEL_IN = 2.9
_HEAD_IN = 0.34
_TICK_IN = 0.62
_AXIS_NAME_IN = 0.16
_SET_HEAD_IN = 0.3
_MOST_FIGURED = 4  # the figures of more curves would lie upon each other


def caption(view: View) -> Caption:
    """The words around the chart."""
    return Caption(
        title="How long does a request take for what a stack serves?",
        note=joined(
            "Latency in ms on a logarithmic scale, against requests per second",
            "a point for each load, joined in rising order",
            "figures: the load at the knee and at the end"
            if any(len(of.curves) <= _MOST_FIGURED for of in view.curve_sets)
            else "",
        ),
        reading=(
            "Down and to the right is better. Where a line turns upwards, more load only makes "
            "requests wait; where it turns back to the left, more load makes the stack serve less. "
            "Invalid and overloaded points are left out."
        ),
        alt=as_alt(_facts(view)),
    )


def _facts(view: View) -> list[str]:
    return [
        f"{of.title}: {curve.line} "
        + ", ".join(
            f"{metric.column.removesuffix(' ms')} "
            f"{metric.with_unit(estimate_of(metric, point).value)} at "
            f"{THROUGHPUT.with_unit(point.throughput_rps.value)}"
            for metric in _METRICS
            for point in _drawn(metric, curve)
        )
        for of in view.curve_sets
        for curve in of.curves
    ]


@styled
def draw(view: View, caption: Caption) -> Sheet:
    """Two panels for each set of curves: the median and the slowest of a hundred."""
    looks = {curve.line: view.look(curve) for of in view.curve_sets for curve in of.curves}
    heights = [_HEAD_IN + _PANEL_IN + TICKS_IN + _AXIS_NAME_IN] * len(_METRICS)
    set_in = _SET_HEAD_IN + grid_in(heights, 2)
    body_in = set_in * len(view.curve_sets) + GAP_IN * (len(view.curve_sets) - 1)
    sheet = Sheet(caption, body_in, looks)
    for place, of in enumerate(view.curve_sets):
        top_in = sheet.body_in + place * (set_in + GAP_IN)
        words = shorten(of.title, CONTENT_IN, PANEL_PT, "bold")
        sheet.write(MARGIN_IN, top_in + 0.1, words, size=PANEL_PT, weight="bold")
        top_in += _SET_HEAD_IN
        for metric, where in zip(_METRICS, grid(heights, 2, top_in), strict=True):
            _panel(sheet, view, of, metric, where)
    return sheet


def _panel(
    sheet: Sheet, view: View, of: CurveSet, metric: Metric, where: tuple[float, float, float]
) -> None:
    left, top, width = where
    axes_in = width - _TICK_IN
    sheet.write(left, top + 0.12, metric.heading, size=TEXT_PT + 1, weight="bold")
    after = left + text_in(metric.heading, TEXT_PT + 1, "bold") + 0.1
    sheet.write(after, top + 0.12, f"in {metric.unit}", color=QUIET)
    axes = sheet.place(left + _TICK_IN, top + _HEAD_IN, axes_in, _PANEL_IN)
    axes.spines["left"].set_visible(False)
    name_y = top + _HEAD_IN + _PANEL_IN + TICKS_IN + 0.04
    sheet.write(left + _TICK_IN + axes_in / 2, name_y, "requests/s", ha="center", color=QUIET)
    drawn = [point for curve in of.curves for point in _drawn(metric, curve)]
    if not drawn:
        sheet.write(left + _TICK_IN, top + _HEAD_IN + 0.15, "nothing valid to show", color=QUIET)
        axes.set_yticks([])
        axes.set_xticks([])
        return
    value_scale(axes, metric, [estimate_of(metric, point) for point in drawn])
    axes.set_xlim(0, 1.08 * max(point.throughput_rps.value for point in drawn))
    axes.xaxis.set_major_locator(MaxNLocator(nbins=6, steps=[1, 2, 2.5, 5, 10]))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: formats.tick(value)))
    axes.grid(axis="x")
    taken: list[Bbox] = []
    for place, curve in enumerate(of.curves):
        with sheet.owned(axes, curve.line):
            _line(axes, metric, curve, view.look(curve))
            if len(of.curves) <= _MOST_FIGURED:
                # Above and below by turns, because stacks often have the same knee.
                _figures(axes, metric, curve, (6, -10 if place % 2 else 5), taken)


def _line(axes: Axes, metric: Metric, curve: Curve, look: Look) -> None:
    points = _drawn(metric, curve)
    (line,) = axes.plot(
        [point.throughput_rps.value for point in points],
        [estimate_of(metric, point).value for point in points],
        color=look.colour,
        lw=1.6,
        marker=look.marker,
        markersize=5,
        markeredgecolor=PAPER,
        markeredgewidth=0.5,
        zorder=3,
    )
    if look.dashes:
        line.set_dashes(look.dashes)


def _figures(
    axes: Axes,
    metric: Metric,
    curve: Curve,
    beside_pt: tuple[float, float],
    taken: list[Bbox],
) -> None:
    """The load at the knee and at the end of a line, unless another line's stands there already."""
    per_pt = axes.figure.dpi / 72
    points = _drawn(metric, curve)
    knee = curve.knee.value if curve.knee and curve.knee.reached else None
    for point in points:
        if point is points[-1] or point.value == knee:
            words = formats.tick(point.value)
            at = (point.throughput_rps.value, estimate_of(metric, point).value)
            x, y = (axes.transData.transform(at) / per_pt) + beside_pt
            box = Bbox.from_bounds(x, y, 72 * text_in(words, TEXT_PT - 1), TEXT_PT)
            if box.count_overlaps(taken):
                continue
            taken.append(box)
            axes.annotate(
                words,
                at,
                xytext=beside_pt,
                textcoords="offset points",
                color=INK,
                size=TEXT_PT - 1,
                zorder=4,
            )


def _drawn(metric: Metric, curve: Curve) -> list[CurvePoint]:
    return [
        point
        for point in curve.points
        if is_trusted(metric, point) and point.throughput_rps.value > 0
    ]
