"""Curves: what more load brings, stack by stack."""

from __future__ import annotations

import math

from harness.models import Curve, CurvePoint, Estimate, Verdict
from harness.report import formats
from harness.report.content import (
    DOCUMENTS,
    Block,
    Bullets,
    Cell,
    Column,
    Drawing,
    Finding,
    Findings,
    Row,
    Section,
    Table,
    note,
)
from harness.report.metrics import CPU, MEDIAN, P99, THROUGHPUT
from harness.report.sections import figures
from harness.report.view import CurveSet, View
from harness.report.words import curves as words


def curves(view: View) -> Section | None:
    """The curves of scenarios that were measured under three loads or more; None without any."""
    if not view.curve_sets:
        return None
    said = tuple(words.said_of(view))
    has_law = any(of.axis.fits_law for of in view.curve_sets)
    blocks: tuple[Block, ...] = (
        Bullets(said, outputs=DOCUMENTS),
        Findings(tuple(map(Finding, said))),
        Drawing("curves"),
        Drawing("tradeoff"),
        _knees(view, has_law=has_law),
        note(words.KNEE_NOTE, outputs=DOCUMENTS),
        *((note(words.LAW_NOTE, outputs=DOCUMENTS),) if has_law else ()),
        _points(view),
    )
    return Section("curves", words.heading(view.curve_sets), blocks, "Curves")


def _knees(view: View, *, has_law: bool) -> Table:
    law = (
        Column("λ", is_number=True),
        Column("σ", is_number=True),
        Column("κ", is_number=True),
        Column("The law misses by", is_number=True),
    )
    return Table(
        "knees",
        (
            Column("Scenario", is_group=True),
            Column("Stack"),
            Column("Most requests/s", is_number=True),
            Column("at", is_number=True),
            Column("Knee", is_number=True),
            Column("At the largest load ÷ best of the others", is_number=True),
            *(law if has_law else ()),
        ),
        tuple(
            _knee_row(of, curve, has_law=has_law) for of in view.curve_sets for curve in of.curves
        ),
        outputs=DOCUMENTS,
    )


def _knee_row(of: CurveSet, curve: Curve, *, has_law: bool) -> Row:
    most = curve.most
    return Row(
        (
            Cell(of.title),
            Cell(curve.line),
            figures.estimate(most.throughput_rps) if most else figures.NOTHING,
            Cell(of.axis.words(most.value), most.value) if most else figures.NOTHING,
            _knee(of, curve),
            _largest(curve),
            *(_law(of, curve) if has_law else ()),
        ),
        group=of.title,
    )


def _knee(of: CurveSet, curve: Curve) -> Cell:
    found = curve.knee
    if found is None:
        return figures.NOTHING
    if not found.reached:
        return Cell("not reached")
    known = math.isfinite(found.low)
    span = f"[{found.low:,.10g},{formats.NBSP}{found.high:,.10g}]" if known else ""
    return Cell(of.axis.words(found.value), found.value, detail=span)


def _largest(curve: Curve) -> Cell:
    found = curve.largest
    if found is None:
        return figures.NOTHING
    ratio = found.ratio
    limits = formats.ratio_interval(ratio.value, ratio.low, ratio.high)
    return Cell(f"{found.outcome}: {formats.ratio(ratio.value)}", ratio.value, detail=limits)


def _law(of: CurveSet, curve: Curve) -> tuple[Cell, ...]:
    law = curve.scaling
    if law is None:
        return (figures.NOTHING,) * 4
    where = f"at {of.axis.words(law.worst_at)}"
    missed = Cell(formats.percent(abs(law.worst_miss)), law.worst_miss, detail=where)
    if not law.fits:
        return (*(figures.NOTHING,) * 3, missed)
    return (
        figures.estimate(law.rps_of_one),
        _coefficient(law.contention),
        _coefficient(law.crosstalk),
        missed,
    )


def _coefficient(value: Estimate) -> Cell:
    """A share that can't be below 0, though the middle of noise around 0 can."""
    shown, low, high = (
        formats.number(max(0.0, part), 2) for part in (value.value, value.low, value.high)
    )
    known = math.isfinite(value.low)
    return Cell(
        shown, value.value, detail=f"[{low},{formats.NBSP}{high}]" if known else formats.NO_INTERVAL
    )


def _points(view: View) -> Table:
    return Table(
        "curves",
        (
            Column("Scenario", is_group=True),
            Column("Stack"),
            Column("Load", is_number=True),
            Column("Requests", is_number=True),
            Column("Failed", is_number=True),
            *(Column(metric.column, is_number=True) for metric in (THROUGHPUT, MEDIAN, P99, CPU)),
        ),
        tuple(
            _point_row(of, curve, point)
            for of in view.curve_sets
            for curve in of.curves
            for point in curve.points
        ),
        outputs=DOCUMENTS,
    )


def _point_row(of: CurveSet, curve: Curve, point: CurvePoint) -> Row:
    state = None if point.valid else Verdict.INVALID
    if point.valid and point.overloaded:
        state = Verdict.OVERLOADED
    return Row(
        (
            Cell(of.title),
            Cell(curve.line, verdict=state),
            Cell(of.axis.words(point.value), point.value),
            figures.count(point.requests),
            figures.count(point.errors),
            figures.estimate(point.throughput_rps),
            figures.estimate(point.latency_p50_ms),
            figures.estimate(point.latency_p99_ms),
            figures.estimate(point.cpu_us_per_request),
        ),
        group=f"{of.title} {curve.line}",
        is_valid=point.valid,
    )
