"""A stack's application in one process with the test client of its own framework.

`python -m harness.load.in_process FACTORY ENDPOINT…` is a member: it takes orders on stdin and
answers on stdout, as a load process does. Nobody else sends requests to the application, so what this
process uses is what the application, the test client and the loop here use together. Nothing of
Locust is imported, because Locust would patch the standard library that the application uses.
"""

from __future__ import annotations

import importlib
import itertools
import sys
import time
import traceback
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any

from apps import contract
from apps.contract import Sample
from harness.channel.messages import Block, Message, Played, Turn
from harness.channel.pipe import PipeFromMember
from harness.channel.samples import Columns
from harness.checking import parity
from harness.load.client import Request
from harness.load.connection import Outcome
from harness.load.member import serve
from harness.load.recorder import Recorder
from harness.models import CellKey, Failure, Slice

#: Sends a sample; returns status, headers and body of the reply.
Ask = Callable[[Sample], tuple[int, Mapping[str, str], bytes]]


def main(factory: str, *endpoints: str) -> None:
    """Build the application, then play blocks until there are no more orders."""
    end = PipeFromMember.on_stdio()
    try:
        samples = contract.tested(endpoints)
        module, _, name = factory.partition(":")
        with client(getattr(importlib.import_module(module), name)()) as ask:
            end.say(Message("ready"))
            serve(end, lambda block: nullcontext(ClientPlayer(block, ask, samples)))
    except Exception as error:
        traceback.print_exc()
        end.say(Message("failed", {"message": f"{type(error).__name__}: {error}"}))


def client(app: Any) -> AbstractContextManager[Ask]:
    """The test client of the application's framework; the lifespan runs once around it."""
    return _flask_client(app) if hasattr(app, "test_client") else _fastapi_client(app)


@contextmanager
def _flask_client(app: Any) -> Iterator[Ask]:
    test_client = (
        app.test_client()
    )  # not as a context manager, which would keep the context of each request

    def ask(sample: Sample) -> tuple[int, Mapping[str, str], bytes]:
        reply = test_client.open(
            sample.path, method=sample.method, headers=sample.headers, data=sample.body
        )
        return reply.status_code, reply.headers, reply.data

    yield ask


@contextmanager
def _fastapi_client(app: Any) -> Iterator[Ask]:
    from fastapi.testclient import TestClient

    with TestClient(app) as test_client:

        def ask(sample: Sample) -> tuple[int, Mapping[str, str], bytes]:
            reply = test_client.request(
                sample.method, sample.path, headers=sample.headers, content=sample.body
            )
            return reply.status_code, reply.headers, reply.content

        yield ask


def _differences(ask: Ask, samples: Sequence[Sample], when: str) -> tuple[str, ...]:
    """Compare every sample's reply with the contract to the byte, headers too."""
    return tuple(
        f"{when}: {sample.name}: {problem}"
        for sample in samples
        for problem in parity.compare(sample, *ask(sample))
    )


class ClientPlayer:
    """Sends one request after the other while its cell has its turn.

    The garbage collector stays as the application has it, because it is part of what is measured.
    """

    def __init__(self, block: Block, ask: Ask, samples: Sequence[Sample]) -> None:
        (contender,) = block.contenders
        self._cell = contender.cell
        self._origin_ns = block.origin_ns
        self._ask = ask
        self._samples = samples
        self._requests = itertools.cycle(
            [(sample, Request(sample, "testserver")) for sample in samples]
        )
        self._parity = _differences(ask, samples, "before")
        self.forget_warmup()

    def forget_warmup(self) -> None:
        """Drop what was recorded."""
        self.recorder = Recorder()
        self._slices: list[Slice] = []

    def play(self, turn: Turn) -> tuple[Slice, int]:
        """Play one slice; a request that is under way at its end is waited for."""
        self.recorder.begin_slice()
        begin_ns = done_ns = time.perf_counter_ns()
        to_ns = begin_ns + round(turn.seconds * 1e9)
        think_ns = sent = 0
        while sent < turn.requests if turn.requests is not None else done_ns < to_ns:
            sample, request = next(self._requests)
            start_ns = time.perf_counter_ns()
            think_ns += start_ns - done_ns
            sent += 1
            try:
                status, _, body = self._ask(sample)
            except Exception as error:  # the test client passes on what the application raises
                outcome = Outcome(
                    0, 0, Failure.CLOSED, f"{sample.name}: {error!r}", request.endpoint
                )
            else:
                outcome = request.judge(status, body)
            done_ns = time.perf_counter_ns()
            self.recorder.add(start_ns, start_ns, done_ns, self.recorder.intern(outcome))
        self.recorder.end_slice()
        origin_ns = self._origin_ns
        played = Slice(
            cycle=turn.cycle,
            begin_ns=begin_ns - origin_ns,
            from_ns=begin_ns - origin_ns,
            to_ns=done_ns - origin_ns,
            end_ns=done_ns - origin_ns,
            requests=turn.requests,
            think_ns=think_ns,
        )
        self._slices.append(played)
        return played, self.recorder.last_slice

    def samples_of_slice(self, cell: CellKey) -> Columns:
        """The samples of the slice that was played last."""
        return self.recorder.columns_of_slice(self._origin_ns)

    def results(self) -> Iterator[tuple[Played, Columns]]:
        """The one cell with its samples."""
        played = Played(
            cell=self._cell,
            requests=len(self.recorder),
            errors=self.recorder.errors,
            starved=0,
            spun_s=(),
            examples=self.recorder.examples,
            slices=tuple(self._slices),
            parity=self._parity + _differences(self._ask, self._samples, "after"),
        )
        yield played, self.recorder.columns(self._origin_ns)


if __name__ == "__main__":
    main(*sys.argv[1:])
