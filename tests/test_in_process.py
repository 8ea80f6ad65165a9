"""A test client as what is measured, with applications that are nobody's twin."""

from __future__ import annotations

import itertools
import json
from collections.abc import Mapping
from contextlib import nullcontext
from dataclasses import asdict, replace
from io import BytesIO
from typing import Any

import numpy as np
import pytest
from fastapi import FastAPI
from flask import Flask

from apps import contract
from apps.contract import Sample
from harness import store
from harness.analysis.analyse import analyse
from harness.channel.messages import Block, Contender, Message, Played, Turn
from harness.channel.pipe import PipeFromMember
from harness.channel.samples import unpack
from harness.load import in_process
from harness.load.member import serve
from harness.models import CellKey, Failure, Load
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


CELL = CellKey("a", "tests", "closed-1")
BLOCK = Block("", (Contender(CELL, Load(1), url=""),), 0, 1, 1.0, seed="", origin_ns=0)


def player(*replies: Any) -> in_process.ClientPlayer:
    """A player whose application gives these replies in turn, again and again."""
    # The first request is the one that is compared with the contract, before the slices.
    given = itertools.chain([(200, RIGHT)], itertools.cycle(replies))

    def ask(sample: Sample) -> tuple[int, Mapping[str, str], bytes]:
        reply = next(given)
        if isinstance(reply, Exception):
            raise reply
        status, body = reply
        return status, {}, body

    return in_process.ClientPlayer(BLOCK, ask, [HELLO])


def test_every_reply_is_checked_and_what_the_application_raises_is_an_error() -> None:
    asking = player((200, RIGHT), (200, b'{"message":"Good evening"}'), (500, b""), OSError("no"))
    for cycle in range(4):
        asking.play(Turn(CELL, cycle, seconds=1e-9))
    failures = asking.recorder.columns(0)["failure"].tolist()
    wrong = [Failure.NONE, Failure.WRONG_BODY, Failure.WRONG_STATUS, Failure.CLOSED]
    assert failures == wrong
    assert asking.recorder.errors == 3
    assert "OSError" in asking.recorder.examples[-1]


def test_a_slice_waits_for_its_last_request_and_samples_follow_each_other() -> None:
    asking = player((200, RIGHT))
    played, samples = asking.play(Turn(CELL, 0, seconds=0.002))
    columns = asking.recorder.columns(0)
    assert samples == len(columns["start_ns"])
    assert played.end_ns - played.begin_ns >= 2_000_000
    done_ns = columns["start_ns"] + columns["latency_ns"]
    assert columns["start_ns"][0] >= played.from_ns
    assert done_ns[-1] == played.end_ns == played.to_ns
    assert (np.diff(columns["start_ns"]) >= columns["latency_ns"][:-1]).all()


def test_a_slice_counts_as_many_requests_as_it_was_told_and_the_time_between_them() -> None:
    asking = player((200, RIGHT))
    played, samples = asking.play(Turn(CELL, 0, seconds=0.0, requests=7))
    assert samples == played.requests == 7
    columns = asking.recorder.columns(0)
    assert played.think_ns == played.end_ns - played.begin_ns - columns["latency_ns"].sum() > 0


def ordered(*orders: Message) -> BytesIO:
    """Orders as they arrive over a pipe."""
    stream = BytesIO()
    for order in orders:
        PipeFromMember(BytesIO(), stream).say(order)
    stream.seek(0)
    return stream


def answered(stream: BytesIO) -> list[Message]:
    """Answers as they leave over a pipe."""
    reader = PipeFromMember(BytesIO(stream.getvalue()), BytesIO())
    answers = []
    while answer := reader.receive():
        answers.append(answer)
    return answers


def test_it_answers_orders_as_a_load_process_does() -> None:
    turn = Message("slice", {"turn": asdict(Turn(CELL, 0, seconds=1e-9))})
    block = Message("block", {"block": asdict(BLOCK)})
    orders = ordered(block, turn, Message("measure"), turn, Message("finish"))
    stream = BytesIO()
    serve(
        PipeFromMember(orders, stream),
        lambda block: nullcontext(
            in_process.ClientPlayer(block, lambda sample: (200, {}, RIGHT), [HELLO])
        ),
    )
    answers = answered(stream)
    assert [answer.kind for answer in answers] == [
        *("seated", "slice", "measuring", "slice", "finished", "played")
    ]
    assert answers[1].values["report"]["cpu_s"] > 0
    assert answers[4].values["usage"]["pss_bytes"] > 1 << 20
    played = Played.from_json(answers[5].values["played"])
    assert (played.cell, played.requests, played.errors, len(played.slices)) == (CELL, 1, 0, 1)
    assert unpack(answers[5].data)["status"].tolist() == [200]


def test_a_block_that_fails_is_answered_with_the_reason(capsys: pytest.CaptureFixture) -> None:
    stream = BytesIO()
    wrong = Message("block", {"block": {**asdict(BLOCK), "contenders": []}})
    serve(
        PipeFromMember(ordered(wrong), stream),
        lambda block: nullcontext(
            in_process.ClientPlayer(block, lambda sample: (200, {}, b""), [])
        ),
    )
    (answer,) = answered(stream)
    assert answer.kind == "failed"
    assert answer.values["message"].startswith("ValueError: not enough values")
    assert "Traceback" in capsys.readouterr().err


def test_a_reply_is_held_against_the_contract_to_the_last_header() -> None:
    def ask(sample: Sample) -> tuple[int, Mapping[str, str], bytes]:
        return 200, {"Content-Type": "text/plain"}, RIGHT

    (difference,) = in_process._differences(ask, [HELLO], "before")
    assert difference.startswith("before: hello: content-type is 'text/plain'")


def test_what_a_test_suite_asks_is_found_missing_and_refused() -> None:
    asked = contract.tested(["GET /users/{id}", "GET /hello"])
    assert [(sample.path, sample.status) for sample in asked] == [
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
    whole = [row for row in store.summary_rows(analysis) if row["endpoint"] is None]
    assert [row["pss_mib"] for row in whole] == [None, None]
    assert unequal(View(analysis)) == ()  # no server takes part
