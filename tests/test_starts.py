"""Starts: how they are played without a server, and what is said of them."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from harness import report, store
from harness.analysis.analyse import analyse
from harness.channel.messages import Turn
from harness.errors import ServerFailed
from harness.measuring import by_starts
from harness.measuring.blocks import Bench
from harness.models import Analysis, CellKey, Failure, Placement, Usage
from harness.report.charts import CHARTS
from harness.report.view import View
from harness.report.words.answers import answers
from harness.report.words.method import method
from harness.serving.services import Services
from harness.serving.targets import Target
from tests.runs import A_STACK, FakeRun, hello_plan

BASELINE = "flask-gthread"
FIGURES = {BASELINE: [50.0] * 6, A_STACK: [25.0] * 6}  # starts per second: 20 and 40 ms
CELL = CellKey(A_STACK, "startup", "closed-1")
USED = Usage(cpu_s=0.7, pss_bytes=70 << 20, threads=3, context_switches=300)


def started() -> FakeRun:
    fake = FakeRun(hello_plan(scenario="startup", users=(), cycles=30), FIGURES)
    for label in FIGURES:  # as by_starts leaves it: nobody but the server worked
        fake.change(label, lambda cell: replace(cell, load_cpu_s=()))
    return fake


@pytest.fixture(scope="module")
def analysed() -> Analysis:
    fake = started()
    return analyse(fake.record, fake.read)


def test_starts_are_compared_by_their_median_and_their_cpu_time_alone(analysed: Analysis) -> None:
    assert [one.metric for one in analysed.comparisons] == [
        "latency_p50_ms",
        "cpu_us_per_request",
    ]
    assert math.isclose(analysed.comparisons[0].ratio, 2, rel_tol=0.01)
    assert analysed.comparisons[0].verdict == "slower"


def test_the_cpu_time_of_a_start_is_told_in_milliseconds(analysed: Analysis) -> None:
    (answer,) = answers(View(analysed))
    (cpu,) = (each.text for finding in answer.findings for each in finding.also)
    assert re.search(r"CPU per start \d+(\.\d+)? against \d+(\.\d+)?\u00a0ms ", cpu), cpu


def test_starts_have_no_throughput_and_no_percentile_of_too_few(analysed: Analysis) -> None:
    row = store.summary_rows(analysed)[0]
    assert row["throughput_rps"] is None
    assert math.isclose(row["latency_p50_ms"], 20, rel_tol=0.01)
    assert 20 <= row["requests"] < 100
    assert row["latency_p90_ms"] is row["latency_p99_ms"] is row["latency_p999_ms"] is None
    assert all(not cell.timeline for cell in analysed.cells)


def test_of_starts_nothing_is_said_of_users_who_wait(analysed: Analysis) -> None:
    for cell in analysed.cells:
        assert math.isnan(cell.core_share)
        assert not cell.limited_by_users
        assert cell.pauses is None
        assert cell.short_slices is None


def test_no_gate_speaks_of_a_load_process_that_is_not_there(analysed: Analysis) -> None:
    asked = {gate.gate for cell in analysed.cells for gate in cell.gates}
    assert asked == {"errors", "settled", "rounds", "service cores busy"}
    assert analysed.valid


def test_the_report_speaks_of_starts_and_of_no_requests_per_second(
    analysed: Analysis, tmp_path: Path
) -> None:
    view = View(analysed)
    (answer,) = answers(view)
    said = " ".join(finding.text for finding in answer.findings).replace("\u00a0", " ")
    assert "FastAPI took 2.00 × as long to start as Flask" in said
    assert "Memory at rest: 50.0 MiB per worker in flask-gthread" in said
    told = [said, *method(view), CHARTS["ratios"].caption(view).note]
    assert not [text for text in told if "requests per second" in text.lower()]
    written = store.write_report(tmp_path, report.render(analysed))
    files = {path.name for path in written}
    assert "cpu.svg" in files
    assert not files & {"throughput.svg", "latency.svg", "timeline.svg"}
    assert "throughput" not in (tmp_path / "summary.md").read_text()


def test_memory_is_shared_out_to_the_workers() -> None:
    fake = started()
    workers = [replace(one, workers="2") for one in fake.record.plan.stacks]
    record = replace(fake.record, plan=replace(fake.record.plan, stacks=tuple(workers)))
    (answer,) = answers(View(analyse(record, fake.read)))
    assert "25.0\u00a0MiB per worker in flask-gthread" in answer.findings[-1].text


def starter(monkeypatch: pytest.MonkeyPatch, folder: Path, outcome: Any) -> by_starts.Starter:
    """Whose servers are all like `outcome`: the first answer's body, or an error."""

    @contextmanager
    def serving(stacks: Any, **given: Any) -> Iterator[dict[str, Any]]:
        assert given["cores"] == given["start_cores"] == (0,)  # confined from the first moment
        if isinstance(outcome, Exception):
            raise outcome
        child: Any = SimpleNamespace(spawned_at=by_starts.time.monotonic() - 0.5, tree=list)
        label = stacks[0].label
        yield {label: Target(label, "http://127.0.0.1:1", child, ready_s=0.4, first_reply=outcome)}

    monkeypatch.setattr(by_starts, "serving", serving)
    monkeypatch.setattr(by_starts, "_come_to_rest", lambda child: None)
    monkeypatch.setattr(by_starts, "lifetime", lambda pids: USED)
    todo = hello_plan(scenario="startup", users=())
    unused: Any = None
    bench = Bench(todo, Placement((0,), (1,), (1,)), folder, folder, Services(), unused)
    return by_starts.Starter(bench, todo.blocks[0], number=1)


def test_a_start_is_one_sample_from_spawn_to_the_first_answer(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    players = starter(monkeypatch, tmp_path, b'{"status":"ok"}')
    played = players.play(Turn(CELL, 0, 1.5, 0.0))
    players.play(Turn(CELL, 1, 1.5, 0.0))
    assert (played.samples, played.load_cpu_s) == (1, ())
    assert played.slice.to_ns - played.slice.begin_ns == 400_000_000
    assert played.slice.end_ns - played.slice.begin_ns >= 500_000_000
    assert players.used[A_STACK].cpu_s == 2 * USED.cpu_s
    assert players.used[A_STACK].pss_bytes == USED.pss_bytes
    finished = {cell.played.cell: cell for cell in players.finish().cells}[CELL]
    assert (finished.played.requests, finished.played.errors) == (2, 0)
    assert finished.samples["latency_ns"].tolist() == [400_000_000, 400_000_000]
    assert players.failed == {}


@pytest.mark.parametrize(
    "outcome",
    [ServerFailed("it ended with 1; its last lines:", detail="a\nImportError"), b'{"status":"?"}'],
)
def test_a_start_that_fails_is_an_error_with_its_reason(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, outcome: Any
) -> None:
    players = starter(monkeypatch, tmp_path, outcome)
    players.play(Turn(CELL, 0, 1.5, 0.0))
    played = {cell.played.cell: cell.played for cell in players.finish().cells}[CELL]
    assert (played.requests, played.errors) == (1, 1)
    (example,) = played.examples
    assert example == players.failed[A_STACK]
    assert "ImportError" in example or "unexpected body" in example


def test_a_cell_of_failed_starts_has_no_figures_and_says_why() -> None:
    fake = started()
    fake.spoil(A_STACK, 1.0)
    fake.change(
        A_STACK,
        lambda cell: replace(
            cell, died="ImportError", server=Usage(0.0, 0, 0, 0), error_examples=("ImportError",)
        ),
    )
    for cell in fake.record.rounds[0].cells:
        failed = (fake.samples[cell.samples_file].failure != Failure.NONE).all()
        assert failed == (cell.stack == A_STACK)
    analysis = analyse(fake.record, fake.read)
    row = next(row for row in store.summary_rows(analysis) if row["stack"] == A_STACK)
    assert not row["valid"]
    assert "starts failed (ImportError)" in row["reason"]
    figures = [row[name] for name in row if name.startswith(("latency", "cpu", "pss", "through"))]
    assert figures == [None] * len(figures)
    assert json.dumps(row)
    assert {one.verdict for one in analysis.comparisons} == {"invalid"}
