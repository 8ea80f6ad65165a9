"""What the loops know of a connection, whatever is spoken over it: bytes out, bytes in, judged.

What is sent is put into bytes once. The first right reply to it is parsed and its value compared
with what the contract promises; later replies that are the same to the byte are recognised
without parsing them again. Everything else takes the long way. So every reply is checked in full,
and the usual one costs three comparisons in C.
"""

from __future__ import annotations

import socket
from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any

from harness.models import Failure

RECEIVE_BYTES = 1 << 16


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of one request: the three figures that a sample keeps beside its times."""

    status: int  # 0: no reply
    size: int  # bytes of the body
    failure: Failure
    example: str = ""  # what was wrong, for the report

    @property
    def good(self) -> bool:
        """Whether the reply was the promised one."""
        return self.failure is Failure.NONE


class Awaited:
    """A reply that is due: how a good one looks on the wire, once one has been seen."""

    __slots__ = ("known_head", "known_length", "known_outcome", "known_tail", "name")

    def __init__(self, name: str) -> None:
        self.name = name
        self.known_length = -1  # no reply is recognised
        self.known_head = b""
        self.known_tail = b""
        self.known_outcome = 0  # where the caller keeps the Outcome


class Sendable(ABC):
    """One request, ready to be sent."""

    __slots__ = ()

    name: str
    method: str
    payload: bytes

    @abstractmethod
    def connect(self, sock: socket.socket) -> Connection:
        """Make a connected socket, which blocks or cooperates, one that this is sent over.

        Raises:
            OSError: the server refuses, or does not answer within the socket's time-out.
        """

    @abstractmethod
    def forget(self) -> None:
        """Recognise nothing: the numbers of outcomes are about to mean something else."""


class Connection(ABC):
    """One connection. Its socket may block, cooperate (gevent) or do neither."""

    __slots__ = (
        "broken", "fileno", "in_flight", "intended_ns", "partial", "request", "sock", "start_ns",
    )  # fmt: skip

    request: Awaited  # the reply to what was sent last

    def __init__(self, sock: socket.socket) -> None:
        self.sock = sock
        self.fileno = sock.fileno()
        self.intended_ns = 0
        self.start_ns = 0
        self.in_flight = False  # something was sent and has no whole reply yet
        self.partial = False  # part of a reply has come
        self.broken = False  # not to be used again

    @abstractmethod
    def expect(self, request: Any) -> None:
        """Await the reply to this, which is sent next."""

    @abstractmethod
    def take(self, data: bytes) -> Outcome | None:
        """The long way for what came, empty at the end: parse and compare; None: not whole yet."""

    @abstractmethod
    def remember(self, data: bytes, outcome: int) -> None:
        """What `take` has just found good is to be recognised, if it can be, as this outcome."""

    @abstractmethod
    def take_unasked(self, data: bytes) -> Outcome | None:
        """What came while nothing was in flight, empty at the end; an Outcome if it's a failure."""

    def send(self, request: Sendable, start_ns: int) -> None:
        """Send on a socket that does not block; unless told otherwise, it is due now."""
        self.expect(request)
        self.intended_ns = self.start_ns = start_ns
        self.in_flight = True
        self._write(request.payload)

    def exchange(self, request: Sendable) -> Outcome:
        """Send and wait for the whole reply, on a socket that blocks or cooperates."""
        self.expect(request)
        try:
            self.sock.sendall(request.payload)
            while True:
                outcome = self.take(self.sock.recv(RECEIVE_BYTES))
                if outcome is not None:
                    return outcome
        except TimeoutError:
            return self._broke(Failure.TIMEOUT, "no whole reply in time")
        except OSError as error:
            return self._broke(Failure.CLOSED, str(error))

    def close(self) -> None:
        """Close the socket."""
        self.sock.close()

    def _write(self, data: bytes) -> None:
        try:
            sent = self.sock.send(data)
            if sent < len(data):  # larger than the socket's buffer, which is rare
                self.sock.setblocking(True)
                self.sock.sendall(data[sent:])
                self.sock.setblocking(False)
        except OSError:
            # The server has closed it: the next read says so, and the request counts as failed.
            self.broken = True

    def _broke(self, failure: Failure, problem: str) -> Outcome:
        """It is of no use any more, for this reason."""
        self.broken = True
        return Outcome(0, 0, failure, f"{self.request.name}: {problem}")
