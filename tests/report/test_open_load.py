import re
from dataclasses import replace
from pathlib import Path

import matplotlib as mpl
import numpy as np
import pytest

from harness.models import Analysis, Settling, Verdict
from harness.report import formats, palette
from harness.report.metrics import PERCENTILES, THROUGHPUT
from harness.report.view import View
from harness.report.words.answers import answers
from harness.report.words.limits import limits
from harness.report.words.method import CLOSED_HIDES, OPEN_SHOWS, method
from harness.report.words.notes import SCHEDULE_NOTE
from harness.report.words.surprises import surprises
from tests import analyses
from tests.report.reading import WINNER, Page, caption, draw, findings, folded, rows, shown

pytestmark = pytest.mark.busy


LOAD = "open load, 300 requests/s, Poisson arrivals"


def test_open_load_is_named_as_that_and_users_nowhere(opened: tuple[Analysis, Path]) -> None:
    analysis, folder = opened
    page = Page((folder / "index.html").read_text()).text.replace(formats.NBSP, " ")
    markdown = (folder / "summary.md").read_text().replace(formats.NBSP, " ")
    terminal = " ".join(shown(analysis, 120).split())
    for text in (page, markdown, terminal):
        assert LOAD in text
        assert not re.search(r"\d users(?!-)", text)
    for name in ("ratios", "throughput", "latency", "cpu"):
        assert LOAD in folded(caption(analysis, name).note)


def test_the_headline_of_open_load_is_the_median_latency(opened: tuple[Analysis, Path]) -> None:
    analysis, _ = opened
    first = next(findings(analysis)).text
    assert "as long for the median request as Flask" in first
    assert "requests per second" not in " ".join(finding.text for finding in findings(analysis))
    assert THROUGHPUT not in View(analysis).metrics
    assert caption(analysis, "ratios").note.startswith("Median latency")
    drawn = [text.get_text() for text in draw(analysis, "ratios").texts]
    assert "← less time" in drawn
    header = next(line for line in shown(analysis, 120).splitlines() if "baseline" in line)
    assert "p50 × baseline" in header


def test_how_the_schedule_was_kept_is_in_every_table(opened: tuple[Analysis, Path]) -> None:
    analysis, folder = opened
    page = Page((folder / "index.html").read_text()).text
    markdown = (folder / "summary.md").read_text()
    assert SCHEDULE_NOTE in page
    assert SCHEDULE_NOTE in markdown
    terminal = shown(analysis, 120)
    of_open_load = [cell for cell in analysis.cells if cell.schedule]
    for row, cell in zip(rows(analysis, "schedules"), of_open_load, strict=True):
        kept = cell.schedule
        assert kept is not None
        offered, achieved = row["Offered/s"], row["Achieved/s"]
        assert (offered.value, achieved.value) == (kept.offered_rps, kept.achieved_rps)
        state = " invalid" if not cell.valid else ""
        start = f"| {cell.scenario} | {cell.stack}{state} | {offered.text} | {achieved.text} |"
        assert start in markdown
        counts = " ".join(
            row[heading].text for heading in ("Lag p99 ms", "Late", "Starved", "Never sent")
        )
        assert counts in page
        assert counts in folded(terminal)
        assert all(row[percentile.label].text in page for percentile in PERCENTILES.values())


def test_the_report_says_which_load_hides_a_stall(whole: Analysis) -> None:
    closed = caption(whole, "latency").reading
    opened = caption(analyses.open_load(), "latency").reading
    assert CLOSED_HIDES in closed
    assert OPEN_SHOWS not in closed
    assert OPEN_SHOWS in opened
    assert CLOSED_HIDES not in opened
    assert CLOSED_HIDES in " ".join(method(View(whole)))
    assert OPEN_SHOWS in " ".join(method(View(analyses.open_load())))


def test_service_time_is_drawn_beside_the_latency(whole: Analysis) -> None:
    def dotted(analysis: Analysis) -> list[np.ndarray]:
        return [
            line.get_ydata()
            for axes in draw(analysis, "latency").axes
            for line in axes.lines
            if line.get_linestyle() != "-" and line.get_markerfacecolor() == palette.PAPER
        ]

    analysis = analyses.open_load(scenarios=["hello"])
    assert dotted(whole) == []
    for drawn, cell in zip(dotted(analysis), analysis.cells, strict=True):
        assert cell.schedule is not None
        assert list(drawn) == [estimate.value for estimate in cell.schedule.service_ms.values()]


def test_an_invalid_cell_of_open_load_is_never_ranked(opened: tuple[Analysis, Path]) -> None:
    analysis, folder = opened
    about = [
        finding
        for card in answers(View(analysis))
        for finding in card.findings
        if card.name == "weather" and "fastapi-uvicorn" in finding.text
    ]
    assert [finding.verdict for finding in about] == [Verdict.INVALID]
    assert not WINNER.search(about[0].text)
    page = Page((folder / "index.html").read_text()).text
    assert analyses.LATE.reason in page
    assert analyses.LATE.reason in (folder / "summary.md").read_text()
    assert analyses.LATE.reason in " ".join(shown(analysis, 100).split())
    for line in (folder / "summary.md").read_text().splitlines():
        if line.startswith("| weather") and "fastapi-uvicorn" in line:
            assert not WINNER.search(line)
    # Neither the line of what was due nor a colour makes its bar look like a result.
    panel = draw(analysis, "throughput").axes[1]
    due = [line for line in panel.lines if line.get_color() == palette.INK]
    assert len(due) == 3
    bars = [bar.get_edgecolor() for bar in panel.patches]
    assert sum(colour == mpl.colors.to_rgba(palette.INVALID) for colour in bars) == 1


def test_open_and_closed_load_in_one_run_are_not_mixed_up() -> None:
    analysis = analyses.mixed()
    texts = [finding.text for finding in findings(analysis)]
    assert "as many requests per second as Flask" in texts[0]
    assert "as long for the median request as Flask" in texts[1]
    note = caption(analysis, "ratios").note
    assert note.startswith("Requests per second or median latency ÷")
    drawn = [text.get_text() for text in draw(analysis, "ratios").texts]
    assert "Framework cost · Requests/s" in drawn
    assert "CPU-bound · Median latency" in drawn


def test_sooner_at_more_cpu_time_is_a_surprise_under_open_load_too() -> None:
    analysis = analyses.open_load(scenarios=["hello"])
    turned = tuple(
        replace(made, ratio=1.8, verdict=Verdict.SLOWER)
        if made.metric in ("latency_p99_ms", "cpu_us_per_request")
        else made
        for made in analysis.comparisons
    )
    tail, cpu = surprises(View(replace(analysis, comparisons=turned)))
    assert "took less time for the median request than Flask" in tail
    assert "yet it took 1.80 × as long for the slowest of a hundred requests (p99)" in folded(tail)
    assert "yet it used 1.80 × as much CPU time per request" in folded(cpu)


def with_schedule(of: Analysis, **changed: object) -> Analysis:
    first, *others = of.cells
    assert first.schedule is not None
    schedule = replace(first.schedule, **changed)
    return replace(of, cells=(replace(first, schedule=schedule), *others))


def test_a_stack_near_capacity_is_named_with_a_warning() -> None:
    quiet = analyses.open_load(scenarios=["hello"])
    said = " ".join(limits(View(with_schedule(quiet, utilisation=0.91))))
    assert "Near capacity, with more than 85 % of the servers' cores" in folded(said)
    assert "flask-gthread in hello" in folded(said)
    calm = " ".join(limits(View(with_schedule(quiet, utilisation=0.84))))
    assert "Near capacity" not in calm


def test_latency_of_a_queue_that_did_not_settle_is_called_a_lower_bound() -> None:
    whole = analyses.open_load(scenarios=["hello"])
    assert "lower bound" not in " ".join(limits(View(whole)))
    said = folded(" ".join(limits(View(with_schedule(whole, settled=False)))))
    assert "had no time to settle: flask-gthread in hello" in said
    assert "Its latency is a lower bound" in said


def test_the_slices_that_were_found_are_said_and_not_those_that_were_planned() -> None:
    whole = analyses.open_load(scenarios=["hello"])
    settling = Settling({}, {}, slice_s=7.5, settle_s=2.5, cycles=2)
    rounds = tuple(
        replace(
            finished,
            blocks=tuple(replace(usage, settling=settling) for usage in finished.blocks),
        )
        for finished in whole.run.rounds
    )
    assert any(finished.blocks for finished in rounds)
    cells = tuple(replace(cell, slice_s=7.5) for cell in whole.cells)
    found = replace(whole, run=replace(whole.run, rounds=rounds), cells=cells)
    said = folded(" ".join(method(View(found))))
    assert "in slices of 7.5 s" in said
    assert "the first 2.5 s of each slice" in said
    assert "slices are as long as the stacks' queues need" in said
