"""Throughput, latency and CPU time against the load, with bands, and the knee of each stack."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from itertools import pairwise

import numpy as np
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.ticker import FixedFormatter, FixedLocator, FuncFormatter, MaxNLocator

from harness.models import Curve, CurvePoint, Estimate
from harness.report import formats
from harness.report.charts.caption import Caption, as_alt, joined, whiskers
from harness.report.charts.panels import GAP_IN, TICKS_IN, figure_words, grid, grid_in, round_ticks
from harness.report.charts.sheet import (
    CONTENT_IN,
    MARGIN_IN,
    PANEL_PT,
    TEXT_PT,
    WIDTH_IN,
    Sheet,
    hint,
    shorten,
    styled,
    text_in,
)
from harness.report.metrics import CPU, MEDIAN, P99, THROUGHPUT, Metric
from harness.report.palette import INK, PAPER, QUIET, Look
from harness.report.view import CurveSet, View
from harness.report.words.curves import curve_words, curves_question

#: In the order of the panels, two in a row.
METRICS = (THROUGHPUT, MEDIAN, P99, CPU)
_LATENCIES = (MEDIAN, P99)

_PANEL_IN = 2.35
_HEAD_IN = 0.34
_AXIS_NAME_IN = 0.16
_TICK_IN = 0.62  # left of the axes
_LABELS_IN = 1.5  # right of the axes, at most
_LABEL_GAP_IN = 0.17  # between the line and its name
_LINE_IN = 0.165  # between two names
_LEADER_IN = 0.3  # from a curve's end to the right edge, beyond which the leader is dotted
_SET_HEAD_IN = 0.3
#: How far an interval may stretch a panel beyond the curves.
_BEYOND_LINEAR, _BEYOND_LOG = 1.6, 4.0
#: Costs that differ by more than this need a logarithmic scale.
_WIDE = 6.0


# ------------------------------------------------------------------------- caption


def caption(view: View) -> Caption:
    """The words around the chart."""
    sets = view.curve_sets
    return Caption(
        title=curves_question(sets),
        note=joined(
            f"Against {formats.listing(list(dict.fromkeys(of.axis.name for of in sets)))}",
            "latency on a logarithmic scale",
            whiskers(view).replace("lines:", "bands:"),
            "ring: knee" if _any_knee(sets) else "",
            "dotted: Universal Scalability Law" if _any_law(sets) else "",
        ),
        reading=(
            "A curve of throughput that bends away from a straight climb has reached its knee: from "
            "there on, more load brings more waiting than throughput. Crosses are invalid. "
            "A point without a p99 has too few requests beyond it, or they come from too few rounds."
        ),
        alt=as_alt(
            f"{of.title}: {curve.line} {curve_words(of, curve)}"
            for of in sets
            for curve in of.curves
        ),
    )


def _any_knee(sets: Iterable[CurveSet]) -> bool:
    return any(curve.knee and curve.knee.reached for of in sets for curve in of.curves)


def _any_law(sets: Iterable[CurveSet]) -> bool:
    return any(curve.scaling and curve.scaling.fits for of in sets for curve in of.curves)


# ------------------------------------------------------------------------- drawing


@styled
def draw(view: View, caption: Caption) -> Sheet:
    """Four panels for each set of curves."""
    heights = [_HEAD_IN + _PANEL_IN + TICKS_IN + _AXIS_NAME_IN] * len(METRICS)
    set_in = _SET_HEAD_IN + grid_in(heights, 2)
    sheet = Sheet(caption, set_in * len(view.curve_sets) + GAP_IN * (len(view.curve_sets) - 1))
    for place, of in enumerate(view.curve_sets):
        top_in = sheet.body_in + place * (set_in + GAP_IN)
        words = shorten(of.title, CONTENT_IN, PANEL_PT, "bold")
        sheet.write(MARGIN_IN, top_in + 0.1, words, size=PANEL_PT, weight="bold")
        top_in += _SET_HEAD_IN
        labels_in = min(_LABELS_IN, max(text_in(curve.line) for curve in of.curves))
        for metric, (left, top, width) in zip(METRICS, grid(heights, 2, top_in), strict=True):
            _panel(sheet, view, of, metric, (left, top, width), labels_in)
    return sheet


def _panel(
    sheet: Sheet,
    view: View,
    of: CurveSet,
    metric: Metric,
    where: tuple[float, float, float],
    labels_in: float,
) -> None:
    left, top, width = where
    axes_in = width - _TICK_IN - labels_in - _LABEL_GAP_IN - 0.05
    sheet.write(left, top + 0.12, metric.heading, size=TEXT_PT + 1, weight="bold")
    unit = "" if metric is THROUGHPUT else f"in {metric.unit}"
    after = left + text_in(metric.heading, TEXT_PT + 1, "bold") + 0.1
    sheet.write(after, top + 0.12, unit, color=QUIET)
    axes = sheet.place(left + _TICK_IN, top + _HEAD_IN, axes_in, _PANEL_IN)
    axes.spines["left"].set_visible(False)
    load_axis(axes, of, axes_in)
    name_y = top + _HEAD_IN + _PANEL_IN + TICKS_IN + 0.04
    sheet.write(left + _TICK_IN + axes_in / 2, name_y, of.axis.name, ha="center", color=QUIET)
    points = [point for curve in of.curves for point in curve.points]
    shown = [point for point in points if is_trusted(metric, point)]
    shown = shown or [point for point in points if _is_figure(estimate_of(metric, point).value)]
    if not shown:
        sheet.write(left + _TICK_IN, top + _HEAD_IN + 0.15, "nothing to show", color=QUIET)
        axes.set_yticks([])
        return
    value_scale(axes, metric, [estimate_of(metric, point) for point in shown])
    for curve in of.curves:
        with sheet.owned(axes, curve.line):
            line = _curve(axes, metric, curve, view.look(curve), is_log=axes.get_yscale() == "log")
            hint(line, _hints(metric, of, curve))
    _name_lines(sheet, axes, metric, of, view, labels_in)


def load_axis(axes: Axes, of: CurveSet, width_in: float) -> None:
    """The axis of the loads, with as many of the measured ones named as have room."""
    values = sorted({point.value for curve in of.curves for point in curve.points})
    is_log = of.axis.is_log and values[0] > 0
    if is_log:
        axes.set_xscale("log")
        factor = (values[-1] / values[0]) ** 0.03
        axes.set_xlim(values[0] / factor, values[-1] * factor)
    else:
        edge = 0.03 * (values[-1] - values[0])
        axes.set_xlim(values[0] - edge, values[-1] + edge)
    low, high = (math.log(v) if is_log else v for v in axes.get_xlim())
    named: list[float] = []
    free_from = -math.inf
    for value in values:
        at = ((math.log(value) if is_log else value) - low) / (high - low) * width_in
        half = text_in(formats.tick(value)) / 2 + 0.04
        if at - half >= free_from:
            named.append(value)
            free_from = at + half
    axes.xaxis.set_major_locator(FixedLocator(named))
    axes.xaxis.set_major_formatter(FixedFormatter([formats.tick(value) for value in named]))
    axes.xaxis.set_minor_locator(FixedLocator([]))


def estimate_of(metric: Metric, point: CurvePoint) -> Estimate:
    """A point's figure in one of METRICS."""
    estimate: Estimate = getattr(point, metric.key)
    return estimate


def is_trusted(metric: Metric, point: CurvePoint) -> bool:
    """Whether a point's figure can be joined with its neighbours: valid, known, and no queue's length."""
    value = estimate_of(metric, point).value
    is_queue = point.overloaded and metric in _LATENCIES
    return point.valid and _is_figure(value) and not is_queue


def _is_figure(value: float) -> bool:
    return math.isfinite(value) and value > 0


def value_scale(axes: Axes, metric: Metric, trusted: Sequence[Estimate]) -> None:
    """From zero, or logarithmic: latencies always, costs where they are far apart."""
    values = [estimate.value for estimate in trusted]
    lows = [estimate.low for estimate in trusted if estimate.low > 0]
    highs = [estimate.high for estimate in trusted if math.isfinite(estimate.high)]
    low, high = min(values), max(values)
    is_log = metric in _LATENCIES or (metric is CPU and high > _WIDE * low)
    if not is_log:
        reach = min(max([high, *highs]), _BEYOND_LINEAR * high)
        axes.set_ylim(0, 1.06 * reach)
        axes.yaxis.set_major_locator(MaxNLocator(nbins=5, steps=[1, 2, 2.5, 5, 10]))
        axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: formats.tick(value)))
    else:
        axes.set_yscale("log")
        bottom = max(min([low, *lows]), low / _BEYOND_LOG)
        top = min(max([high, *highs]), high * _BEYOND_LOG)
        margin = max(1.1, (top / bottom) ** 0.06)
        axes.set_ylim(bottom / margin, top * margin)
        ticks = round_ticks(bottom / margin, top * margin)
        axes.yaxis.set_major_locator(FixedLocator(ticks))
        axes.yaxis.set_major_formatter(FixedFormatter([formats.tick(value) for value in ticks]))
        axes.yaxis.set_minor_locator(FixedLocator([]))
    axes.grid(axis="y")


def _hints(metric: Metric, of: CurveSet, curve: Curve) -> list[str]:
    """What a browser shows over each mark of a curve."""
    return [
        figure_words(
            f"{curve.line}, {of.axis.words(point.value)}", estimate_of(metric, point), metric.unit
        )
        for point in curve.points
        if is_trusted(metric, point)
    ]


def _curve(axes: Axes, metric: Metric, curve: Curve, look: Look, *, is_log: bool) -> Line2D:
    """The curve with its band and knee; the line that its trusted points are on."""
    trusted = [point for point in curve.points if is_trusted(metric, point)]
    x = [point.value for point in trusted]
    estimates = [estimate_of(metric, point) for point in trusted]
    y = [estimate.value for estimate in estimates]
    (line,) = axes.plot(
        x,
        y,
        color=look.colour,
        lw=1.8,
        marker=look.marker,
        markersize=5,
        markeredgecolor=PAPER,
        markeredgewidth=0.5,
        zorder=3,
    )
    if look.dashes:
        line.set_dashes(look.dashes)
    known = [math.isfinite(e.low) and math.isfinite(e.high) for e in estimates]
    bottom = axes.get_ylim()[0]
    axes.fill_between(
        x,
        [max(e.low, bottom) if is_log else e.low for e in estimates],
        [e.high for e in estimates],
        where=known,
        color=look.colour,
        alpha=0.17,
        lw=0,
        zorder=2,
    )
    _doubtful(axes, metric, curve, look)
    if curve.knee and curve.knee.reached:
        at = [(a, b) for a, b in zip(x, y, strict=True) if a == curve.knee.value]
        axes.plot(
            [a for a, _ in at],
            [b for _, b in at],
            marker="o",
            markersize=12,
            markerfacecolor="none",
            markeredgecolor=look.colour,
            markeredgewidth=1.4,
            linestyle="none",
            zorder=4,
        )
    if metric is THROUGHPUT and curve.scaling and curve.scaling.fits and len(x) > 1:
        fine = np.geomspace(x[0], x[-1], 120)
        axes.plot(
            fine,
            [curve.scaling.rps(value) for value in fine],
            color=look.colour,
            lw=1.0,
            linestyle=(0, (1, 1.8)),
            zorder=2.5,
        )
    return line


def _doubtful(axes: Axes, metric: Metric, curve: Curve, look: Look) -> None:
    """Invalid points as crosses, the latency of an overloaded stack as an empty mark; joined faintly."""
    low, high = axes.get_ylim()
    shown = [point for point in curve.points if low < estimate_of(metric, point).value < high]
    for point, following in pairwise(shown):
        if not (is_trusted(metric, point) and is_trusted(metric, following)):
            axes.plot(
                [point.value, following.value],
                [estimate_of(metric, end).value for end in (point, following)],
                color=look.colour,
                lw=0.9,
                alpha=0.45,
                zorder=2.4,
            )
    for point in shown:
        if not is_trusted(metric, point):
            axes.plot(
                [point.value],
                [estimate_of(metric, point).value],
                marker=look.marker if point.valid else "x",
                markersize=5.5,
                markerfacecolor=PAPER,
                markeredgecolor=look.colour,
                markeredgewidth=1.3,
                zorder=3.5,
            )


def _name_lines(
    sheet: Sheet, axes: Axes, metric: Metric, of: CurveSet, view: View, labels_in: float
) -> None:
    """Each curve's name beside its end; names that would overlap are moved apart, with a leader."""
    box = axes.get_position()
    right_in = box.x1 * WIDTH_IN
    top_in, bottom_in = (1 - box.y1) * sheet.height_in, (1 - box.y0) * sheet.height_in
    ends: list[tuple[float, float, Curve]] = []
    for curve in of.curves:
        low, high = axes.get_ylim()
        shown = [point for point in curve.points if low < estimate_of(metric, point).value < high]
        if shown:
            end = shown[-1]
            spot = axes.transData.transform((end.value, estimate_of(metric, end).value))
            x, y = sheet.transFigure.inverted().transform(spot)
            ends.append(((1 - y) * sheet.height_in, x * WIDTH_IN, curve))
    ends.sort(key=lambda end: end[0])
    places = spread([y for y, _, _ in ends], _LINE_IN, top_in, bottom_in)
    for (y, x, curve), at in zip(ends, places, strict=True):
        look = view.look(curve)
        leader = sheet.add_artist(
            Line2D(
                [x / WIDTH_IN, (right_in + _LABEL_GAP_IN - 0.04) / WIDTH_IN],
                [1 - y / sheet.height_in, 1 - at / sheet.height_in],
                transform=sheet.transFigure,
                color=look.colour,
                lw=0.8,
                alpha=0.8,
                # What leads across the panel must not look like data.
                linestyle=(0, (1, 3)) if right_in - x > _LEADER_IN else "-",
            )
        )
        words = shorten(curve.line, labels_in)
        name = sheet.write(right_in + _LABEL_GAP_IN, at, words, color=INK)
        for artist in (leader, name):
            sheet.own(artist, curve.line)


def spread(wanted: Sequence[float], apart: float, lowest: float, highest: float) -> list[float]:
    """Places near the wanted ones, which rise, but so far apart, and within limits if they have room."""
    places: list[float] = []
    for y in wanted:
        places.append(max(y, places[-1] + apart) if places else max(y, lowest))
    # What was pushed below the end pushes back.
    limit = max(highest, lowest + apart * (len(wanted) - 1))
    for index in reversed(range(len(places))):
        places[index] = min(places[index], limit)
        limit = places[index] - apart
    return places
