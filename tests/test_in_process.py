"""A test client as what is measured, with applications that are nobody's twin."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from io import StringIO
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
from fastapi import FastAPI
from flask import Flask

from apps import contract
from apps.contract import Sample
from harness import store
from harness.analysis.analyse import analyse
from harness.channel.messages import Turn
from harness.load import in_process
from harness.models import Failure
from harness.report.view import View
from harness.report.words.limits import unequal
from tests.runs import FakeRun, hello_plan

HELLO = contract.hello()
RIGHT = json.dumps(HELLO.json, separators=(",", ":")).encode()


def flask_app() -> Any:
    app = Flask(__name__)
    app.add_url_rule("/hello", view_func=lambda: app.response_class(RIGHT, mimetype="text/x"))
    return app


def fastapi_app() -> Any:
    app = FastAPI()
    app.get("/hello")(lambda: HELLO.json)
    return app


@pytest.mark.parametrize("factory", [flask_app, fastapi_app])
def test_an_application_is_asked_through_its_own_frameworks_client(factory: Any) -> None:
    with in_process.client(factory()) as ask:
        status, _, body = ask(HELLO)
        assert (status, body) == (200, RIGHT)
        status, _, _ = ask(Sample("nothing", "GET", "/nothing", 404, None))
        assert status == 404


def player(*replies: Any) -> in_process.Player:
    """Whose application gives these replies in turn, again and again."""
    given = iter(replies * 1000)

    def ask(sample: Sample) -> tuple[int, Mapping[str, str], bytes]:
        reply = next(given)
        if isinstance(reply, Exception):
            raise reply
        status, body = reply
        return status, {}, body

    return in_process.Player(ask, [HELLO], origin_ns=0)


def test_every_reply_is_checked_and_what_the_application_raises_is_an_error() -> None:
    one = player((200, RIGHT), (200, b'{"message":"Good evening"}'), (500, b""), OSError("no"))
    for cycle in range(4):
        one.play(Turn("a", cycle, seconds=1e-9, settle_s=0.0))
    failures = one.recorder.columns(0)["failure"].tolist()
    wrong = [Failure.NONE, Failure.WRONG_BODY, Failure.WRONG_STATUS, Failure.CLOSED]
    assert failures == wrong
    assert one.recorder.errors == 3
    assert "OSError" in one.recorder.examples[-1]


def test_a_slice_waits_for_its_last_request_and_samples_follow_each_other() -> None:
    one = player((200, RIGHT))
    piece = one.play(Turn("a", 0, seconds=0.002, settle_s=0.001))
    columns = one.recorder.columns(0)
    assert piece.from_ns - piece.begin_ns == 1_000_000
    assert piece.to_ns - piece.begin_ns == 2_000_000
    done_ns = columns["start_ns"] + columns["latency_ns"]
    assert columns["start_ns"][0] >= piece.begin_ns
    assert done_ns[-1] == piece.end_ns >= piece.to_ns
    assert (np.diff(columns["start_ns"]) >= columns["latency_ns"][:-1]).all()


def test_it_answers_orders_as_a_load_process_does(tmp_path: Path) -> None:
    load = {"users": 1, "rate_rps": None, "arrivals": "poisson"}
    file = tmp_path / "samples.parquet"
    block = {
        "scenario_file": "", "load": load, "part": 0, "parts": 1, "timeout_s": 1.0, "seed": "",
        "origin_ns": 0, "contenders": [{"label": "a", "url": "", "samples_file": str(file)}],
    }  # fmt: skip
    turn = {"stack": "a", "cycle": 0, "seconds": 1e-9, "settle_s": 0.0, "begin_ns": 0}
    orders = [{"order": "block", "block": block}]
    orders += [{"order": "slice", **turn}, {"order": "measure"}, {"order": "slice", **turn}]
    told = StringIO("".join(json.dumps(order) + "\n" for order in [*orders, {"order": "finish"}]))
    answers = StringIO()
    played = in_process._play(lambda sample: (200, {}, RIGHT), [HELLO], told, answers)
    said = [json.loads(line)["event"] for line in answers.getvalue().splitlines()]
    assert said == ["seated", "slice", "measuring", "slice"]
    assert (played.label, played.requests, played.errors, len(played.slices)) == ("a", 1, 0, 1)
    assert pq.read_table(file)["status"].to_pylist() == [200]


def test_a_reply_is_held_against_the_contract_to_the_last_header() -> None:
    def ask(sample: Sample) -> tuple[int, Mapping[str, str], bytes]:
        return 200, {"Content-Type": "text/plain"}, RIGHT

    (difference,) = in_process._differences(ask, [HELLO], "before")
    assert difference.startswith("before: hello: content-type is 'text/plain'")


def test_what_a_test_suite_asks_is_found_missing_and_refused() -> None:
    asked = contract.tested(["GET /users/{id}", "GET /hello"])
    assert [(one.path, one.status) for one in asked] == [
        ("/hello", 200),
        ("/users/1", 200),
        ("/users/0", 404),
        ("/users/abc", 422),
    ]


def test_a_test_client_has_neither_a_load_process_nor_a_memory_of_its_own() -> None:
    labels = ("flask-gthread", "fastapi-uvicorn")
    fake = FakeRun(
        hello_plan(scenario="tests", users=()), {label: [1000.0] * 6 for label in labels}
    )
    for label in labels:
        fake.change(label, lambda cell: replace(cell, load_cpu_s=()))
    analysis = analyse(fake.record, fake.read)
    gates = {gate.gate for cell in analysis.cells for gate in cell.gates}
    assert "load process busy" not in gates
    assert {"parity", "Little's law", "throughput possible"} <= gates
    assert [row["pss_mib"] for row in store.summary_rows(analysis)] == [None, None]
    assert unequal(View(analysis)) == ()  # no server takes part
