"""The Locust users: what a scenario file subclasses, and how such users take turns.

Run by Locust itself (`locust -f scenarios/hello.py --host URL`), each user is a greenlet with
one connection and its requests show in Locust's own statistics. Run by the harness, there is
one user per stack; it drives all its connections in one loop, but only when it is its turn.
"""

from __future__ import annotations

import itertools
import random
import socket
import time
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

import gevent
from gevent.queue import Queue
from locust import User, task

from harness.channel.messages import Block
from harness.load.client import address, requests_for
from harness.load.closed import ClosedFleet
from harness.load.connection import Connection, Outcome, Sendable
from harness.load.fleet import Fleet
from harness.load.open import OpenFleet
from harness.load.recorder import Recorder
from harness.models import Failure, Slice

if TYPE_CHECKING:
    from apps.contract import Message, Sample

_TIMEOUT_S = 10.0


class ScenarioUser(User):
    """What every scenario file subclasses.

    The class attributes without a value are the scenario's declaration. They are written as
    literals: the planning side reads them from the source, since importing Locust there would
    patch the standard library under its feet.
    """

    abstract = True

    question: ClassVar[str]
    kind: ClassVar[str]
    endpoints: ClassVar[tuple[str, ...]]
    stacks: ClassVar[tuple[str, ...]]
    users: ClassVar[int]
    slice_s: ClassVar[float]
    settle_s: ClassVar[float]
    warmup_s: ClassVar[float]
    core: ClassVar[bool] = False
    measures: ClassVar[str] = "requests"
    ladder: ClassVar[tuple[str, ...]] = ()
    #: What is sent, each as often as the others. Not a literal: it comes from the contract.
    samples: ClassVar[Sequence[Sample | Message]]

    def on_start(self) -> None:
        """Prepare this user's requests and its connection."""
        requests = requests_for(self.samples, self.host or "")
        random.shuffle(requests)
        self._requests: Iterator[Sendable] = itertools.cycle(requests)
        self._connection: Connection | None = None

    @task
    def exchange(self) -> None:
        """One request, as Locust counts them."""
        request = next(self._requests)
        start = time.perf_counter()
        try:
            self._connection = self._connection or self._connect(request)
            outcome = self._connection.exchange(request)
        except OSError as error:
            outcome = Outcome(0, 0, Failure.REFUSED, f"{request.name}: {error}")
        if self._connection is not None and self._connection.broken:
            self._connection.close()
            self._connection = None
        self.environment.events.request.fire(
            request_type=request.method,
            name=type(self).__name__,  # one row in Locust's table, not one for each user id
            response_time=(time.perf_counter() - start) * 1000,
            response_length=outcome.size,
            exception=None if outcome.good else AssertionError(outcome.example),
            context=self.context(),
        )
        if not outcome.status:
            gevent.sleep(0.1)  # a server that is gone is not to be asked in a tight loop

    def _connect(self, request: Sendable) -> Connection:
        host, port, _ = address(self.host or "")
        sock = socket.create_connection((host, port), timeout=_TIMEOUT_S)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        try:
            return request.connect(sock)
        except OSError:
            sock.close()
            raise


class Seat:
    """Where a stack's user waits for its turn, and where it says what came of it."""

    def __init__(self, label: str) -> None:
        self.label = label
        self.fleet: Fleet | None = None
        self._orders: Queue[tuple[int, float, float]] = Queue()
        self._done: Queue[Slice | BaseException] = Queue()

    def play(self, cycle: int, seconds: float, settle_s: float) -> Slice:
        """Let the user load its stack for one slice, and wait until it has drained."""
        self._orders.put((cycle, seconds, settle_s))
        result: Slice | BaseException = self._done.get()
        if isinstance(result, BaseException):
            raise result
        return result

    @property
    def recorder(self) -> Recorder:
        """What its user has recorded so far."""
        assert self.fleet is not None
        return self.fleet.recorder

    def look_back(self) -> None:
        """Book what was lost since the last slice."""
        assert self.fleet is not None
        self.fleet.look_back()

    def forget_warmup(self) -> None:
        """Record afresh; connections stay open."""
        assert self.fleet is not None
        self.fleet.forget()

    def serve_one(self) -> None:
        """The user's side of `play`."""
        assert self.fleet is not None
        order = self._orders.get()
        try:
            self._done.put(self.fleet.run_slice(*order))
        except Exception as error:  # it belongs to whoever waits for the slice
            self._done.put(error)


def seated(scenario: type[ScenarioUser], seat: Seat, base_url: str, block: Block) -> type[User]:
    """The scenario's user as one that drives all connections to one stack, in turns."""

    def on_start(self: ScenarioUser) -> None:
        seat.fleet = _fleet(requests_for(self.samples, base_url), seat.label, base_url, block)

    def take_turn(self: ScenarioUser) -> None:
        seat.serve_one()

    name = f"{scenario.__name__} on {seat.label}"
    user: type[User] = type(
        name, (scenario,), {"host": base_url, "fixed_count": 1, "on_start": on_start}
    )
    user.tasks = [take_turn]  # in place of the scenario's own, one request at a time
    return user


def _fleet(requests: list[Sendable], label: str, base_url: str, block: Block) -> Fleet:
    """This process's share of the load on one stack."""
    settings: dict[str, Any] = {
        "timeout_s": block.timeout_s,
        "seed": f"{block.seed} {label} {block.part}",
        "origin_ns": block.origin_ns,
    }
    if block.load.is_open:
        return OpenFleet(
            base_url,
            requests,
            block.load,
            schedule_seed=block.seed,
            part=block.part,
            parts=block.parts,
            **settings,
        )
    # The remainder goes to the first few, so that all parts together are as many as asked for.
    size = block.load.users // block.parts + (block.part < block.load.users % block.parts)
    return ClosedFleet(base_url, requests, size, **settings)
