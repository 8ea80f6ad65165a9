"""A scenario that requests several endpoints has figures of each."""

import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest

from apps import contract
from harness import store
from harness.analysis.analyse import analyse
from harness.load.client import requests_for
from harness.load.closed import ClosedFleet
from harness.models import Analysis, Failure
from harness.planning.files import PROJECT
from harness.report.content import Table
from harness.report.sections import measurements
from harness.report.view import View
from tests.runs import FakeRun, hello_plan
from tests.socket_server import reply, says, serving

QUICK, SLOW = "GET /hello", "GET /users/{id}"
A, B = "flask-gthread", "fastapi-uvicorn"


def mixed(rounds: int = 5) -> FakeRun:
    """Every third request of each stack goes to the slow endpoint, and takes 10 ms longer."""
    plan = hello_plan(rounds=rounds)
    (block,) = plan.blocks
    scenario = replace(block.scenario, endpoints=(QUICK, SLOW))
    run = FakeRun(plan, {A: [1000.0] * rounds, B: [2000.0] * rounds})
    record = run.record
    run.record = replace(record, plan=replace(plan, blocks=(replace(block, scenario=scenario),)))
    for name, samples in run.samples.items():
        slow = np.arange(len(samples.start_ns)) % 3 == 0
        run.samples[name] = replace(
            samples,
            endpoint=slow.astype(np.int8),
            latency_ns=samples.latency_ns + np.where(slow, 10_000_000, 0),
        )
    return run


def analysed(run: FakeRun) -> Analysis:
    return analyse(run.record, run.read)


def test_each_endpoint_has_its_share_of_the_requests_and_latencies_of_its_own() -> None:
    for cell in analysed(mixed()).cells:
        quick, slow = cell.endpoints
        assert (quick.endpoint, slow.endpoint) == (QUICK, SLOW)
        assert quick.requests + slow.requests == cell.requests
        assert slow.requests == pytest.approx(cell.requests / 3, abs=5)
        assert slow.throughput_rps.value == pytest.approx(cell.throughput_rps.value / 3, rel=0.02)
        added_ms = slow.latency_ms["p50"].value - quick.latency_ms["p50"].value
        assert added_ms == pytest.approx(10)


def test_failures_count_where_they_happened() -> None:
    run = mixed()
    name, samples = next(iter(run.samples.items()))
    (first_slow, *_) = np.flatnonzero(samples.endpoint == 1)
    failure = samples.failure.copy()
    failure[first_slow] = Failure.WRONG_BODY
    run.samples[name] = replace(samples, failure=failure)
    errors = {
        (cell.stack, of.endpoint): of.errors
        for cell in analysed(run).cells
        for of in cell.endpoints
    }
    assert sorted(errors.values()) == [0, 0, 0, 1]
    assert {key[1] for key, count in errors.items() if count} == {SLOW}


def test_one_endpoint_needs_no_rows_of_its_own_and_old_samples_have_none() -> None:
    assert all(
        cell.endpoints == ()
        for cell in analysed(FakeRun(hello_plan(), {A: [1e3] * 2, B: [1e3] * 2})).cells
    )
    run = mixed()
    run.samples = {name: replace(each, endpoint=None) for name, each in run.samples.items()}
    assert all(cell.endpoints == () for cell in analysed(run).cells)


def test_summary_csv_has_a_row_for_each_after_that_of_the_cell() -> None:
    rows = store.summary_rows(analysed(mixed()))
    assert [row["endpoint"] for row in rows] == [None, QUICK, SLOW] * 2
    cell, quick, slow = rows[:3]
    assert quick["requests"] + slow["requests"] == cell["requests"]
    assert quick["cpu_us_per_request"] is None  # a process's CPU time is not known by endpoint
    assert slow["latency_p50_ms"] > quick["latency_p50_ms"]


def test_the_report_has_a_table_of_endpoints() -> None:
    section = measurements.measurements(View(analysed(mixed())))
    (table,) = (
        block for block in section.blocks if isinstance(block, Table) and block.name == "endpoints"
    )
    assert [row.cells[2].text for row in table.rows] == [QUICK, SLOW] * 2


def test_samples_know_which_endpoint_each_request_went_to() -> None:
    samples = [contract.hello(), contract.lookup_user(7)]
    with serving(says(reply())) as url:  # the promised reply of one of the two
        requests = requests_for(samples, url, (SLOW, QUICK))
        fleet = ClosedFleet(url, requests, 1, timeout_s=60, seed=1, origin_ns=0)
        fleet.run_slice(0, 0.1, 0.0, 20)
        fleet.close()
    columns = fleet.recorder.columns(0)
    good = columns["failure"] == Failure.NONE
    assert good.any()
    assert not good.all()
    assert set(columns["endpoint"][good]) == {1}
    assert set(columns["endpoint"][~good]) == {0}


def test_all_requests_but_those_to_no_endpoint_belong_to_one_of_their_scenario() -> None:
    code = (
        "import importlib; from pathlib import Path; from harness.load.client import _place\n"
        "from harness.load.users import ScenarioUser\n"
        "for path in sorted(Path('scenarios').glob('[a-z]*.py')):\n"
        "    module = importlib.import_module(f'scenarios.{path.stem}')\n"
        "    (user,) = (each for each in vars(module).values() if isinstance(each, type) "
        "and issubclass(each, ScenarioUser) and each is not ScenarioUser)\n"
        "    for sample in getattr(user, 'samples', ()):\n"
        "        if _place(sample, user.endpoints) < 0: print(path, sample.name)\n"
    )
    # Scenario files import Locust, which patches the standard library of the process.
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=PROJECT, capture_output=True, text=True, check=True
    )
    # A path that nobody knows and a method that is not allowed belong to no endpoint.
    assert done.stdout.splitlines() == [
        "scenarios/errors.py refused: an unknown path",
        "scenarios/errors.py DELETE /hello",
    ]
