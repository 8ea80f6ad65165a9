"""Requests to a service of the reader's own, whose replies nobody has promised in full.

A reply is good if it is whole and has the right status. That is the one that the request names, or
else the status of the service's first reply, unless that is an error of the service's own. Bodies are
compared before a block and after it (checking/replay.py), and not under load: a timestamp in each would
cost more to compare than many a service takes to answer.
"""

from __future__ import annotations

import socket
from collections.abc import Sequence

import httptools

from harness.checking.request import Request as Bytes
from harness.load.client import HttpConnection, HttpRequest, excerpt
from harness.load.connection import Outcome, Sendable
from harness.models import Failure, OwnRequest
from harness.models.addresses import Address

#: A body that is larger is not read to its end: it may have none.
MAX_BODY_BYTES = 16 << 20
_FIRST_ERROR = 500


class OwnHttpRequest(HttpRequest):
    """A request of the reader's own."""

    __slots__ = ("_status",)

    def __init__(self, request: OwnRequest, address: Address, endpoint: int = -1) -> None:
        payload = Bytes(
            request.method,
            address.prefix + request.path,
            request.sent_headers,
            request.sent_body,
        )
        super().__init__(
            request.name, request.method, payload.as_bytes(address.host_header), endpoint
        )
        self._status = request.status

    def connect(self, sock: socket.socket) -> HttpConnection:
        """Use the socket as it is, since HTTP has no handshake."""
        return OwnConnection(sock)

    def judge(self, status: int, body: bytes) -> Outcome:
        """Compare the status of a complete reply with what it should be."""
        if self._status is None and status < _FIRST_ERROR:
            self._status = status
        if status != self._status:
            wanted = f" instead of {self._status}" if self._status is not None else ""
            problem = f"status {status}{wanted}: {excerpt(body)}"
            # Without the size: pages of errors may have a new one each time, and each an example.
            return self._bad(status, b"", Failure.WRONG_STATUS, problem)
        if body == self._known_body:
            return self._known_good
        return self._good(status, body)


class OwnConnection(HttpConnection):
    """A connection to a server of any kind: of HTTP/1.0, with interim replies, or without an end."""

    __slots__ = ("_ends_with_connection", "_in_body", "_size", "_too_large")

    def __init__(self, sock: socket.socket) -> None:
        super().__init__(sock)
        self._begin()

    def _begin(self) -> None:
        self._in_body = False
        self._ends_with_connection = True
        self._size = 0
        self._too_large = False

    # httptools calls the next four methods.
    def on_header(self, name: bytes, value: bytes) -> None:
        """Note whether the reply says where it ends."""
        if name.lower() in {b"content-length", b"transfer-encoding"}:
            self._ends_with_connection = False

    def on_headers_complete(self) -> None:
        """Note where the body begins; a reply to HEAD has none."""
        self._in_body = True
        if self.request.method == "HEAD" and self._parser.get_status_code() >= 200:
            self.on_message_complete()

    def on_body(self, data: bytes) -> None:
        """Keep a part of the body, unless there is too much of it."""
        self._size += len(data)
        self._too_large = self._size > MAX_BODY_BYTES
        if not self._too_large:
            super().on_body(data)

    def on_message_complete(self) -> None:
        """Note that the reply is complete; an interim one is none."""
        if 100 <= self._parser.get_status_code() < 200:
            self._begin()
            return
        super().on_message_complete()

    def take(self, data: bytes) -> Outcome | None:
        """Parse a piece of a reply, and judge the reply once it is complete."""
        if not data and self._in_body and self._ends_with_connection:
            self.broken = True
            body = b"".join(self._body)
            self._body.clear()
            return self.request.judge(self._parser.get_status_code(), body)
        outcome = super().take(data)
        if outcome is None and self._too_large:
            limit_mib = MAX_BODY_BYTES >> 20
            return self._broke(Failure.MALFORMED, f"a body of more than {limit_mib} MiB")
        if outcome is not None:
            self._begin()
            if self.request.method == "HEAD" and not self.broken:
                # The parser waits for a body that the headers describe and that does not come.
                self._parser = httptools.HttpResponseParser(self)
        return outcome


def own_requests(
    requests: Sequence[OwnRequest], base_url: str, endpoints: Sequence[str]
) -> list[Sendable]:
    """Encode what is sent to a service, each request as often as its weight says.

    Args:
        requests: What it is asked, with its own paths and without any `${NAME}`.
        base_url: Its address.
        endpoints: Names, by whose places the outcomes of requests tell where they went.
    """
    address = Address.of(base_url)
    made: list[Sendable] = []
    for request in requests:
        place = endpoints.index(request.name) if request.name in endpoints else -1
        made += [OwnHttpRequest(request, address, place)] * request.weight
    return made
