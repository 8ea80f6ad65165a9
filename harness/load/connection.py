"""The part of a connection that does not depend on its protocol: bytes out, bytes in, a judgement.

Each request is encoded once. The first good reply to it is parsed, and its value is compared with
what the contract promises. Later replies that are equal to the byte are recognised without being
parsed again; all others are parsed. So every reply is checked in full, and the usual one costs
three comparisons in C.
"""

from __future__ import annotations

import socket
from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any, ClassVar

from harness.models import Failure

RECEIVE_BYTES = 1 << 16
#: A server that does not read a large body keeps it from all other connections of the load process.
_SEND_WITHIN_S = 10.0


@dataclass(frozen=True, slots=True)
class Outcome:
    """The result of one request: the figures that a sample keeps beside its times."""

    status: int  # 0: no reply
    size: int  # bytes of the body
    failure: Failure
    example: str = ""  # describes a failure, for the report
    endpoint: int = -1  # of the request, as in Awaited

    @property
    def good(self) -> bool:
        """Whether the reply was the promised one."""
        return self.failure is Failure.NONE


class Awaited:
    """An expected reply: how a good one looks on the wire, once one has been seen."""

    __slots__ = ("endpoint", "known_head", "known_length", "known_outcome", "known_tail", "name")

    def __init__(self, name: str, endpoint: int = -1) -> None:
        self.name = name
        self.endpoint = endpoint  # its place among the scenario's endpoints; -1: none or unknown
        self.known_length = -1  # no reply has this length, so none is recognised
        self.known_head = b""
        self.known_tail = b""
        self.known_outcome = 0  # number of the Outcome in the caller's recorder


class Sendable(ABC):
    """One request, ready to be sent."""

    __slots__ = ()

    name: str
    method: str
    payload: bytes
    endpoint: int  # as in Awaited
    #: Whether `connect` talks with the server, so that the socket must be connected by then.
    shakes_hands: ClassVar[bool] = False

    @abstractmethod
    def connect(self, sock: socket.socket) -> Connection:
        """Make a connection that this request can be sent over.

        Args:
            sock: a connected socket that blocks or cooperates (gevent).

        Raises:
            OSError: the server refuses, or does not answer within the socket's time-out.
        """

    @abstractmethod
    def forget(self) -> None:
        """Recognise no reply any more, because the numbers of outcomes change their meaning."""


class Connection(ABC):
    """One connection, over a socket that blocks, cooperates (gevent) or does neither."""

    __slots__ = (
        "broken", "connecting", "fileno", "in_flight", "intended_ns", "partial", "refused",
        "request", "sock", "start_ns", "unsent",
    )  # fmt: skip

    request: Awaited  # the expected reply to the request that was sent last

    def __init__(self, sock: socket.socket) -> None:
        self.sock = sock
        self.fileno = sock.fileno()
        self.intended_ns = 0
        self.start_ns = 0
        self.in_flight = False  # a request was sent and its reply is not whole yet
        self.partial = False  # part of a reply has come
        self.broken = False  # must not be used again
        self.refused = False  # the server did not want it
        self.connecting = False  # whoever waits for it waits until it can be written to, too
        self.unsent = b""  # waits until the socket is connected

    @abstractmethod
    def expect(self, request: Any) -> None:
        """Expect the reply to this request, which is sent next."""

    @abstractmethod
    def take(self, data: bytes) -> Outcome | None:
        """Parse and judge data that came; return None while the reply is not whole.

        Args:
            data: empty when the server has closed the connection.
        """

    @abstractmethod
    def remember(self, data: bytes, outcome: int) -> None:
        """Recognise this reply from now on, if that is possible; `take` has just found it good."""

    @abstractmethod
    def take_unasked(self, data: bytes) -> Outcome | None:
        """Judge data that came while nothing was in flight; return an Outcome if it is a failure.

        Args:
            data: empty when the server has closed the connection.
        """

    def send(self, request: Sendable, start_ns: int) -> None:
        """Send a request that is due now, on a socket that does not block."""
        self.expect(request)
        self.intended_ns = self.start_ns = start_ns
        self.in_flight = True
        self._write(request.payload)

    def exchange(self, request: Sendable) -> Outcome:
        """Send a request and wait for its whole reply, on a socket that blocks or cooperates."""
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

    def connected(self) -> None:
        """Send what has waited, now that the socket is connected."""
        self.connecting = False
        data, self.unsent = self.unsent, b""
        if data:
            self._write(data)

    def _write(self, data: bytes) -> None:
        try:
            sent = self.sock.send(data)
            if sent < len(data):  # larger than the socket's buffer, which is rare
                self.sock.settimeout(_SEND_WITHIN_S)  # others wait meanwhile, but not for ever
                self.sock.sendall(data[sent:])
                self.sock.setblocking(False)
        except BlockingIOError:  # it is not connected yet
            self.unsent = data
        except OSError:
            # The server has closed the connection. The next read finds that out, and the request
            # counts as failed.
            self.broken = True

    def _broke(self, failure: Failure, problem: str) -> Outcome:
        """Mark the connection as broken; return the outcome of its request."""
        self.broken = True
        request = self.request
        return Outcome(0, 0, failure, f"{request.name}: {problem}", request.endpoint)
