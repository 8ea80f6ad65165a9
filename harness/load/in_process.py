"""A stack's application in one process with its framework's own test client.

`python -m harness.load.in_process FACTORY ENDPOINT…` takes orders on stdin and answers on stdout
as the load process does (see block.py). Nobody but this process sends: what it uses is what the
application, the test client and this loop use together. Nothing of Locust is imported here, which
would patch the standard library under the application's feet.
"""

from __future__ import annotations

import importlib
import itertools
import json
import os
import sys
import time
import traceback
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import asdict, replace
from pathlib import Path
from typing import IO, Any

from apps import contract
from apps.contract import Sample
from harness import store
from harness.channel.messages import Block, Played, Turn
from harness.checking import parity
from harness.load.client import Request
from harness.load.connection import Outcome
from harness.load.recorder import Recorder
from harness.models import Failure, Slice

#: Status, headers and body of the reply to a sample.
Ask = Callable[[Sample], tuple[int, Mapping[str, str], bytes]]


def main(factory: str, *endpoints: str) -> None:
    """Build the application, then play one block."""
    answers = os.fdopen(os.dup(1), "w")
    # An application that prints must not talk into our answers: its output goes to the log.
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    try:
        samples = contract.tested(endpoints)
        module, _, name = factory.partition(":")
        with client(getattr(importlib.import_module(module), name)()) as ask:
            differences = _differences(ask, samples, "before")
            _say(answers, "ready")
            played = _play(ask, samples, sys.stdin, answers)
            differences += _differences(ask, samples, "after")
            _say(answers, "done", played=[asdict(replace(played, parity=differences))])
    except Exception as error:
        traceback.print_exc()
        _say(answers, "failed", message=f"{type(error).__name__}: {error}")


def client(app: Any) -> AbstractContextManager[Ask]:
    """The test client that an application's own framework has; lifespan runs once around it."""
    return _of_flask(app) if hasattr(app, "test_client") else _of_fastapi(app)


@contextmanager
def _of_flask(app: Any) -> Iterator[Ask]:
    test_client = app.test_client()  # not as a context, which would keep each request's alive

    def ask(sample: Sample) -> tuple[int, Mapping[str, str], bytes]:
        reply = test_client.open(
            sample.path, method=sample.method, headers=sample.headers, data=sample.body
        )
        return reply.status_code, reply.headers, reply.data

    yield ask


@contextmanager
def _of_fastapi(app: Any) -> Iterator[Ask]:
    from fastapi.testclient import TestClient

    with TestClient(app) as test_client:

        def ask(sample: Sample) -> tuple[int, Mapping[str, str], bytes]:
            reply = test_client.request(
                sample.method, sample.path, headers=sample.headers, content=sample.body
            )
            return reply.status_code, reply.headers, reply.content

        yield ask


def _play(ask: Ask, samples: Sequence[Sample], orders: IO[str], answers: IO[str]) -> Played:
    """The block; samples are written when it is finished."""
    block = Block.from_json(json.loads(orders.readline())["block"])
    (contender,) = block.contenders
    player = Player(ask, samples, block.origin_ns)
    _say(answers, "seated")
    for line in orders:
        order = json.loads(line)
        match order.pop("order"):
            case "slice":
                piece = player.play(Turn(**order))
                _say(answers, "slice", slice=asdict(piece), requests=player.recorder.last_slice)
            case "measure":
                player.forget_warmup()
                _say(answers, "measuring")
            case "finish":
                recorder = player.recorder
                store.write_samples(Path(contender.samples_file), recorder.columns(block.origin_ns))
                return Played(
                    label=contender.label,
                    requests=len(recorder),
                    errors=recorder.errors,
                    starved=0,
                    spun_s=(),
                    examples=recorder.examples,
                    slices=tuple(player.slices),
                )
    raise EOFError("the orders ended in the middle of a block")


def _say(answers: IO[str], event: str, **values: Any) -> None:
    print(json.dumps({"event": event, **values}), flush=True, file=answers)


def _differences(ask: Ask, samples: Sequence[Sample], when: str) -> tuple[str, ...]:
    """Every sample's reply held against the contract to the byte, headers too."""
    return tuple(
        f"{when}: {sample.name}: {problem}"
        for sample in samples
        for problem in parity.compare(sample, *ask(sample))
    )


class Player:
    """Asks one request after the other, in turn, while it is its stack's slice.

    The garbage collector is left as the application has it: here it is part of what is measured.
    """

    def __init__(self, ask: Ask, samples: Sequence[Sample], origin_ns: int) -> None:
        self._ask = ask
        self._asked = itertools.cycle([(one, Request(one, "testserver")) for one in samples])
        self._origin_ns = origin_ns
        self.forget_warmup()

    def forget_warmup(self) -> None:
        """Record afresh."""
        self.recorder = Recorder()
        self.slices: list[Slice] = []

    def play(self, turn: Turn) -> Slice:
        """One slice; a request that is under way at its end is waited for."""
        self.recorder.begin_slice()
        begin_ns = now_ns = time.perf_counter_ns()
        to_ns = begin_ns + round(turn.seconds * 1e9)
        while now_ns < to_ns:
            sample, request = next(self._asked)
            start_ns = time.perf_counter_ns()
            try:
                status, _, body = self._ask(sample)
            except Exception as error:  # the test client passes on what the application raises
                outcome = Outcome(0, 0, Failure.CLOSED, f"{sample.name}: {error!r}")
            else:
                outcome = request.judge(status, body)
            done_ns = time.perf_counter_ns()
            self.recorder.add(start_ns, start_ns, done_ns, self.recorder.intern(outcome))
            now_ns = done_ns
        self.recorder.end_slice()
        origin_ns = self._origin_ns
        piece = Slice(
            cycle=turn.cycle,
            begin_ns=begin_ns - origin_ns,
            from_ns=begin_ns + round(turn.settle_s * 1e9) - origin_ns,
            to_ns=to_ns - origin_ns,
            end_ns=now_ns - origin_ns,
        )
        self.slices.append(piece)
        return piece


if __name__ == "__main__":
    main(*sys.argv[1:])
