"""Targets: when they are ready, and what is said of those that can't be metered."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import pytest

from harness import store
from harness.analysis.analyse import analyse
from harness.serving.targets import Readiness, Target
from tests.report.reading import render, rows
from tests.runs import A_STACK, FakeRun, hello_plan
from tests.socket_server import nobody_listening, reply, says, serving


@pytest.mark.parametrize(
    ("readiness", "body"),
    [
        (Readiness("/any"), b'{"message":"Hello, World!"}'),
        (Readiness("/any", status=204), None),
    ],
)
def test_a_target_is_ready_when_it_answers_with_the_expected_status(
    readiness: Readiness, body: bytes | None
) -> None:
    with serving(says(reply(b'{"message":"Hello, World!"}'))) as url:
        assert readiness.ask(url) == body


def test_a_target_is_not_ready_where_nobody_listens_or_what_is_said_is_not_http() -> None:
    with nobody_listening() as url:
        assert Readiness("/").ask(url) is None
    with serving(says(b"220 mail.example ESMTP\r\n")) as url:
        assert Readiness("/").ask(url) is None


def test_a_target_of_somebody_else_has_no_processes_that_we_know() -> None:
    assert Target("theirs", "http://example.com").tree() == []


def test_a_cell_whose_target_could_not_be_metered_has_rates_and_no_cpu_time(
    tmp_path: Path,
) -> None:
    plan = hello_plan(rounds=6)
    rates = {label: [1000.0] * 6 for label in plan.blocks[0].stacks}
    metered = FakeRun(plan, rates)
    asked = {
        gate.gate for cell in analyse(metered.record, metered.read).cells for gate in cell.gates
    }
    fake = FakeRun(plan, rates)
    fake.change(A_STACK, lambda cell: replace(cell, server=None))
    analysis = analyse(fake.record, fake.read)
    baseline, cell = analysis.cells
    assert math.isclose(cell.throughput_rps.value, 1000, rel_tol=0.01)
    assert math.isnan(cell.cpu_us_per_request.value)
    assert math.isnan(cell.pss_mib)
    assert cell.threads is None
    assert math.isfinite(baseline.cpu_us_per_request.value)
    gates = {gate.gate for gate in cell.gates}
    assert asked - gates == {"server alive", "throughput possible"}
    assert cell.valid
    row = store.summary_rows(analysis)[1]
    assert (row["cpu_us_per_request"], row["pss_mib"]) == (None, None)
    verdicts = {found.metric: found.verdict for found in analysis.comparisons}
    assert verdicts["throughput_rps"] == "same"
    (row,) = [row for row in rows(analysis, "resources") if row["Process"].text == A_STACK]
    known = ("Scenario", "Process")
    assert {cell.text for heading, cell in row.items() if heading not in known} == {"–"}
    assert render(analysis).keys() >= {"charts/throughput.svg", "charts/cpu.svg"}
