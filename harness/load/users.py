"""The Locust users: the class that every scenario subclasses, and users that take turns.

The `locust` command can run a scenario by itself (`locust -f scenarios/hello.py --host URL`). Then
each user is a greenlet with one connection, and Locust's own table has a row for each endpoint. In
the harness there is one user for each stack. It drives all its connections in one loop, but only
while the stack has its turn.
"""

from __future__ import annotations

import itertools
import random
import socket
import sys
import time
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

import gevent
from gevent.queue import Queue
from locust import User, events, task

from apps import contract
from harness.channel.messages import Block, Contender, Turn, share_of
from harness.load.client import address, requests_for
from harness.load.closed import ClosedFleet
from harness.load.connection import Connection, Outcome, Sendable
from harness.load.fleet import Fleet, TakesTurns
from harness.load.open import OpenFleet
from harness.load.own import own_requests
from harness.load.recorder import Recorder
from harness.models import Failure, Load, Slice

if TYPE_CHECKING:
    from apps.contract import Message, Sample

_TIMEOUT_S = 10.0
_EXIT_BAD_INPUT = 2
_ONLY_BY_TWINBENCH = {
    "starts": "how servers start",
    "test client": "the test client of each framework",
}


class ScenarioUser(User):
    """The class that every scenario file subclasses.

    The subclass declares the fields of harness.models.Scenario that can't be derived. It writes
    them as literals, because the harness reads them from the source: importing the file would
    import Locust, which patches the standard library.
    """

    abstract = True

    measures: ClassVar[str] = "requests"
    #: The requests, each sent as often as the others. The contract has functions that build them.
    samples: ClassVar[Sequence[Sample | Message]]
    endpoints: ClassVar[Sequence[str]]

    @classmethod
    def samples_for(cls, load: Load) -> Sequence[Sample | Message]:
        """The requests under a load; a scenario that `asks` lets the load decide some of them."""
        return cls.samples

    def on_start(self) -> None:
        """Prepare the requests of this user, and no connection yet."""
        try:
            requests = requests_for(self.samples, self.host or "", self.endpoints)
        except ValueError as error:  # only Locust's own page can still name a wrong address
            print(f"locust: {error}", file=sys.stderr)
            raise gevent.GreenletExit from error  # Locust logs a traceback for StopUser here
        # One row in Locust's table for each endpoint, and not one for each user id.
        rows = [contract.path_template(sample.method, sample.path) for sample in self.samples]
        pairs = list(zip(requests, rows, strict=True))
        random.shuffle(pairs)
        self._requests: Iterator[tuple[Sendable, str]] = itertools.cycle(pairs)
        self._connection: Connection | None = None

    @task
    def exchange(self) -> None:
        """Send one request and report it to Locust."""
        request, row = next(self._requests)
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
            name=row,
            response_time=(time.perf_counter() - start) * 1000,
            response_length=outcome.size,
            exception=None if outcome.good else AssertionError(outcome.example),
            context=self.context(),
        )
        if not outcome.status:
            gevent.sleep(0.1)  # do not ask a server that is gone in a tight loop

    def _connect(self, request: Sendable) -> Connection:
        host, port, _ = address(self.host or "")
        sock = socket.create_connection((host, port), timeout=_TIMEOUT_S)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        try:
            return request.connect(sock)
        except OSError:
            sock.close()
            raise


def refuse_what_locust_can_not_run(environment: Any, **_: Any) -> None:
    """End the `locust` command with one line if it could not send a scenario's requests.

    Only the command fires this event. The harness makes an environment with events of its own.
    """
    complaint = _complaint(environment)
    if complaint:
        print(complaint, file=sys.stderr)
        sys.exit(_EXIT_BAD_INPUT)


events.init.add_listener(refuse_what_locust_can_not_run)  # type: ignore[no-untyped-call]


def _complaint(environment: Any) -> str:
    """What keeps Locust from running its scenarios; empty if nothing does."""
    scenarios = [user for user in environment.user_classes if issubclass(user, ScenarioUser)]
    for scenario in scenarios:
        if scenario.measures in _ONLY_BY_TWINBENCH:
            name = scenario.__module__.replace("_", "-")
            return (
                f"scenario '{name}' measures {_ONLY_BY_TWINBENCH[scenario.measures]}, which Locust "
                f"can't do: run 'twinbench run {name}' instead"
            )
    options = environment.parsed_options
    # A worker gets the address from its master, and Locust's page asks for it.
    if not options.worker and (options.headless or options.autostart):
        for scenario in scenarios:
            host = environment.host or scenario.host
            if not host:
                return "locust needs the address of a server: add --host http://127.0.0.1:8000"
            try:
                address(host)
            except ValueError as error:
                return f"--host {host}: {error}"
    return ""


class Seat:
    """The place where a stack's user waits for its turn, and where it leaves the result."""

    def __init__(self) -> None:
        self.fleet: TakesTurns | None = None
        self._orders: Queue[Turn] = Queue()
        self._done: Queue[Slice | BaseException] = Queue()

    def play(self, turn: Turn) -> Slice:
        """Let the user load its stack for one slice; return when every reply has come."""
        self._orders.put(turn)
        result: Slice | BaseException = self._done.get()
        if isinstance(result, BaseException):
            raise result
        return result

    @property
    def recorder(self) -> Recorder:
        """The samples that the user has recorded so far."""
        assert self.fleet is not None
        return self.fleet.recorder

    def look_back(self) -> None:
        """Record what was lost since the last slice."""
        assert self.fleet is not None
        self.fleet.look_back()

    def forget_warmup(self) -> None:
        """Drop what was recorded; connections stay open."""
        assert self.fleet is not None
        self.fleet.forget()

    def take_turn(self) -> None:
        """Wait for a call of `play` and carry it out; the user calls this again and again."""
        assert self.fleet is not None
        order = self._orders.get()
        if order.rate_rps is not None and isinstance(self.fleet, OpenFleet):
            self.fleet.rate_rps = order.rate_rps
        try:
            self._done.put(
                self.fleet.run_slice(
                    order.cycle, order.seconds, order.settle_s, order.requests, order.uncounted
                )
            )
        except Exception as error:  # `play` raises it where somebody waits for the slice
            self._done.put(error)

    def take_turns(self) -> None:
        """Take one turn after the other, where no Locust user does it."""
        while True:
            self.take_turn()


def seated(
    scenario: type[ScenarioUser], seat: Seat, contender: Contender, block: Block
) -> type[User]:
    """A user class that drives all connections of the scenario to one stack, in turns."""
    url = contender.url

    def on_start(self: ScenarioUser) -> None:
        samples = self.samples_for(contender.load)
        seat.fleet = _fleet(requests_for(samples, url, self.endpoints), contender, block)

    def take_turn(self: ScenarioUser) -> None:
        seat.take_turn()

    name = f"{scenario.__name__} on {contender.cell.stack}"
    user: type[User] = type(
        name, (scenario,), {"host": url, "fixed_count": 1, "on_start": on_start}
    )
    user.tasks = [take_turn]  # in place of the scenario's task, which sends a single request
    return user


class OwnUser(User):
    """The class of users who send requests of the reader's own, which Locust knows nothing of."""

    abstract = True


def seated_with_own(seat: Seat, contender: Contender, block: Block) -> type[User]:
    """A user class that drives all connections to one service of the reader's own, in turns."""

    def on_start(self: OwnUser) -> None:
        requests = own_requests(contender.requests, contender.url, block.endpoints)
        seat.fleet = _fleet(requests, contender, block)

    def take_turn(self: OwnUser) -> None:
        seat.take_turn()

    name = f"OwnUser on {contender.cell.stack}"
    members = {"host": contender.url, "fixed_count": 1, "on_start": on_start}
    user: type[User] = type(name, (OwnUser,), members)
    user.tasks = [take_turn]
    return user


def _fleet(requests: list[Sendable], contender: Contender, block: Block) -> Fleet:
    """The connections of this load process to one stack: its share of the cell's load."""
    url, load = contender.url, contender.load
    settings: dict[str, Any] = {
        "timeout_s": block.timeout_s,
        "seed": f"{block.seed} {contender.cell.stack} {block.part}",
        "origin_ns": block.origin_ns,
        "verify_tls": contender.verify_tls,
    }
    if load.is_open:
        return OpenFleet(
            url,
            requests,
            load,
            schedule_seed=block.seed,
            part=block.part,
            parts=block.parts,
            **settings,
        )
    size = share_of(load.users, block.part, block.parts)
    return ClosedFleet(url, requests, size, **settings)
