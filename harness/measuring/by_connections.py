"""Measures servers that hold many connections: their memory, and whether they still serve others.

Each server is fresh and alone. Connections are opened in steps and stay open; after each step the
memory of the server's processes is read, and an ordinary client asks for `/hello` again and again,
each time over a connection of its own. No load process takes part: connections that wait need no
more than one thread, which answers pings and notices what the server closes.
"""

from __future__ import annotations

import contextlib
import dataclasses
import selectors
import socket
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from apps import contract
from harness import store
from harness.errors import BadInput, ServerFailed
from harness.load.client import address, requests_for
from harness.load.connection import RECEIVE_BYTES, Connection, Sendable
from harness.machine import environment, open_files, placement
from harness.models import (
    ConnectionsPlan,
    ConnectionsRecord,
    Held,
    HeldSeries,
    HeldStep,
    Placement,
    Stack,
)
from harness.planning.connections import series_order
from harness.planning.files import PROJECT
from harness.processes import children
from harness.processes.child_environment import drawn_for_round
from harness.processes.meter import lifetime
from harness.serving.servers import serving
from harness.serving.targets import Target

#: Connections that are opened together. The server answers their first requests side by side.
_BATCH = 50
#: Requests before anything is measured: a server's first ones import modules and start threads.
_WARM_UP = 40
#: Connections that are opened together before anything is measured. What they leave behind in the
#: server's allocator is used by the next ones, so that these are few.
_WARM_UP_CONNECTIONS = 10
#: How long a server is left alone before its memory is read.
_SETTLE_S = 0.5
#: The next number of connections is given up when opening it takes longer than this.
_OPEN_WITHIN_S = 60.0


@dataclass(frozen=True, slots=True)
class _Opening:
    """What is done to a connection before it is left alone."""

    sample: contract.Sample | contract.Message
    cut: int = 0  # bytes of the request that are never sent; then no reply can come


(_HELLO,) = contract.tested(["GET /hello"])
_OPENINGS: Mapping[Held, _Opening] = {
    Held.KEEP_ALIVE: _Opening(_HELLO),
    Held.WEBSOCKET: _Opening(contract.live_message(1)),
    Held.HALF_SENT: _Opening(_HELLO, cut=2),  # all but the empty line
}


def measure(plan: ConnectionsPlan, folder: Path, say: Callable[[str], None]) -> ConnectionsRecord:
    """Measure a plan; what was measured is in the folder after every series.

    Args:
        plan: What to measure.
        folder: Where to keep it.
        say: Is told what begins.

    Raises:
        EnvironmentFailed: Too few open files are allowed.
        Interrupted: By the user.
    """
    record = ConnectionsRecord(
        run_id=folder.name,
        schema=store.CONNECTIONS_SCHEMA,
        plan=plan,
        environment=environment.describe(PROJECT),
        placement=placement.place_here(),
        command=environment.command_line(),
        started=_now(),
        ended=None,
    )
    with store.writing(folder):
        return _measure(record, folder, say)


def resume(folder: Path, say: Callable[[str], None]) -> ConnectionsRecord:
    """Go on with what was cut off; no server is measured again.

    Raises:
        BadInput: Everything was measured, or on something else than this machine and this software.
        EnvironmentFailed, Interrupted: As `measure`.
    """
    with store.writing(folder):
        record = store.read_connections(folder)
        if record.ended:
            raise BadInput(f"{folder} is complete: 'twinbench report {folder}' shows it again")
        changed = environment.differences(record.environment, environment.describe(PROJECT))
        if placement.place_here() != record.placement:
            changed.append("usable cores")
        if changed:
            raise BadInput(
                f"{folder} was measured on something else ({', '.join(changed)} differ): begin anew"
            )
        return _measure(record, folder, say)


def _measure(
    record: ConnectionsRecord, folder: Path, say: Callable[[str], None]
) -> ConnectionsRecord:
    """All series that the record lacks."""
    plan, where = record.plan, record.placement
    open_files.check_held(max(plan.counts))
    open_files.allow_here()
    done = {(series.round, series.stack, series.held) for series in record.series}
    with (
        children.kept_to(sorted({*where.load, *where.services})),
        children.scratch_folder("logs") as logs,
    ):
        for number in range(1, plan.rounds + 1):
            for stack, held in series_order(plan, number):
                if (number, stack.label, held) in done:
                    continue
                say(f"round {number} of {plan.rounds}: {stack.label}, {held}")
                measured = _series(plan, where, logs, number, stack, held)
                record = dataclasses.replace(record, series=(*record.series, measured))
                store.write_connections(folder, record)
    record = dataclasses.replace(record, ended=_now())
    store.write_connections(folder, record)
    return record


def _series(
    plan: ConnectionsPlan, where: Placement, logs: Path, number: int, stack: Stack, held: Held
) -> HeldSeries:
    """A fresh server, with more and more connections."""
    steps: list[HeldStep] = []
    died = ""
    try:
        with serving(
            [stack],
            workers=plan.workers,
            environment={**drawn_for_round(plan.seed, number), "TWIN_CLASSIFIER": "off"},
            cores=where.servers,
            start_cores=where.servers,
            logs=logs,
            folder=PROJECT,
        ) as up:
            target = up[stack.label]
            _warm_up(target, held, plan.patience_s)
            before = target.tree()
            with contextlib.closing(Crowd(target.url, held)) as crowd:
                for asked in (0, *plan.counts):
                    steps.append(_step(plan, target, crowd, asked))
                    if crowd.size < asked or not steps[-1].all_served:
                        break  # more connections would be refused, or wait, in the same way
                if set(before) - set(target.tree()):
                    died = "a process of the server ended while connections were held"
    except ServerFailed as error:
        died = str(error).splitlines()[0]
    return HeldSeries(number, stack.label, held, tuple(steps), died)


def _warm_up(target: Target, held: Held, patience_s: float) -> None:
    """Open connections as they will be held, and ask a few times as an ordinary client."""
    kind = Held.KEEP_ALIVE if held is Held.HALF_SENT else held
    with contextlib.closing(Crowd(target.url, kind)) as crowd:
        crowd.grow(_WARM_UP_CONNECTIONS, patience_s)
    with contextlib.closing(Crowd(target.url, kind)) as crowd:
        for _ in range(_WARM_UP):
            if crowd.visit(patience_s) is None:
                break
        crowd.tend(_SETTLE_S)


def _step(plan: ConnectionsPlan, target: Target, crowd: Crowd, asked: int) -> HeldStep:
    begun = time.perf_counter()
    crowd.grow(asked, plan.patience_s)
    opening_s = time.perf_counter() - begun
    crowd.tend(_SETTLE_S)
    held, used = crowd.size, lifetime(target.tree())
    visits: list[float | None] = []
    while len(visits) < plan.visits and None not in visits:
        visits.append(crowd.visit(plan.patience_s))
    return HeldStep(
        asked=asked,
        held=held,
        closed=crowd.closed,
        failed=crowd.failed,
        example=crowd.example,
        opening_s=opening_s,
        pss_bytes=used.pss_bytes,
        uss_bytes=used.uss_bytes,
        threads=used.threads,
        visits_ms=tuple(visits),
    )


class Crowd:
    """Connections to one server, which are opened in the same way and then left alone."""

    def __init__(self, url: str, held: Held) -> None:
        self._host, self._port, _ = address(url)
        self._opening = _OPENINGS[held]
        (self._request,) = requests_for([self._opening.sample], url)
        (self._visit,) = requests_for([_HELLO], url)
        self._selector = selectors.DefaultSelector()
        self._held: set[Connection] = set()
        self._visited = False  # whether the last visitor got the right reply
        self.closed = 0  # by the server, after their first exchange
        self.failed = 0  # never became part of the crowd
        self.example = ""

    @property
    def size(self) -> int:
        """How many are held."""
        return len(self._held)

    def grow(self, count: int, patience_s: float) -> None:
        """Open connections until so many are held, or until the server takes no more."""
        deadline = time.monotonic() + _OPEN_WITHIN_S
        while self.size < count:
            if time.monotonic() > deadline:
                self.example = f"opening took longer than {_OPEN_WITHIN_S:.0f} s"
                return
            wanted = min(_BATCH, count - self.size)
            if self._open(wanted, patience_s) < wanted:
                return

    def _open(self, wanted: int, patience_s: float) -> int:
        """Open some; return how many of them are held."""
        deadline = time.monotonic() + patience_s
        opened: list[Connection] = []
        for _ in range(wanted):
            try:
                connection = self._connect(self._request, deadline)
            except (OSError, EOFError) as error:
                self._fail(str(error) or type(error).__name__)
                break  # the others would wait in the same queue
            self._held.add(connection)
            opened.append(connection)
            if self._opening.cut:
                connection.expect(self._request)
                with contextlib.suppress(OSError):
                    connection.sock.send(self._request.payload[: -self._opening.cut])
            else:
                connection.send(self._request, time.perf_counter_ns())
        deadline = time.monotonic() + patience_s  # one that was refused has used up the first
        while any(each.in_flight for each in opened) and time.monotonic() < deadline:
            self._look(deadline - time.monotonic())
        for connection in opened:
            if connection.in_flight:
                self._drop(connection)
                self._fail("no whole reply in time")
        return len(self._held.intersection(opened))

    def _connect(self, request: Sendable, deadline: float) -> Connection:
        """A connection that is watched.

        Raises:
            OSError, EOFError: The server does not take it in time.
        """
        sock = socket.create_connection((self._host, self._port), timeout=_left(deadline))
        try:
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            sock.settimeout(_left(deadline))
            connection = request.connect(sock)
            sock.setblocking(False)
        except BaseException:
            sock.close()
            raise
        self._selector.register(sock, selectors.EVENT_READ, connection)
        return connection

    def tend(self, seconds: float) -> None:
        """Do what held connections require, and notice which of them the server closes."""
        deadline = time.monotonic() + seconds
        while (left_s := deadline - time.monotonic()) > 0:
            self._look(left_s)

    def visit(self, patience_s: float) -> float | None:
        """Ask once as an ordinary client; return ms, or None without the right reply in time."""
        deadline, begun = time.monotonic() + patience_s, time.perf_counter()
        try:
            visitor = self._connect(self._visit, deadline)
        except OSError:
            return None
        self._visited = False
        visitor.send(self._visit, time.perf_counter_ns())
        while visitor.in_flight and time.monotonic() < deadline:
            self._look(deadline - time.monotonic())
        took_ms = 1000 * (time.perf_counter() - begun)
        self._drop(visitor)
        return took_ms if self._visited else None

    def close(self) -> None:
        """Close all of them."""
        for connection in list(self._held):
            self._drop(connection)
        self._selector.close()

    def _look(self, seconds: float) -> None:
        """Wait for data on any of them, at most so long."""
        for key, _ in self._selector.select(max(0.0, seconds)):
            connection: Connection = key.data
            try:
                data = connection.sock.recv(RECEIVE_BYTES)
            except BlockingIOError:
                continue
            except OSError:
                data = b""
            is_held = connection in self._held
            if connection.in_flight:
                outcome = connection.take(data)
                if outcome is None:
                    continue
                connection.in_flight = False
                if not is_held:
                    self._visited = outcome.good
                elif not outcome.good:
                    self._drop(connection)
                    self._fail(outcome.example)
                    continue
            else:
                connection.take_unasked(data)
            if is_held and connection.broken:
                self._drop(connection)
                self.closed += 1

    def _drop(self, connection: Connection) -> None:
        self._selector.unregister(connection.sock)
        self._held.discard(connection)
        connection.close()

    def _fail(self, example: str) -> None:
        self.failed += 1
        self.example = self.example or example


def _left(deadline: float) -> float:
    """Seconds until then, and never none, which would mean not to wait at all."""
    return max(0.01, deadline - time.monotonic())


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
