"""The leanest client that still checks every reply: bytes out, bytes in, a C parser between.

A request is put into bytes once. The first right reply to it is parsed by httptools and its
JSON value compared with what the contract promises; later replies that have the same length,
the same status line and, to the byte, the same body are recognised without parsing them again.
Everything else (a reply in pieces, another length, another body) takes the long way. So every
reply is checked in full, and the usual one costs three comparisons in C.
"""

from __future__ import annotations

import json
import socket
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import httptools

from harness.models import Failure

if TYPE_CHECKING:
    from apps.contract import Sample

RECEIVE_BYTES = 1 << 16
HEAD_END = b"\r\n\r\n"


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


class Request:
    """One request as bytes, the reply that it must get, and how that reply looked last time."""

    __slots__ = (
        "expected_json",
        "expected_status",
        "known_head",
        "known_length",
        "known_outcome",
        "known_tail",
        "method",
        "name",
        "payload",
    )  # fmt: skip

    def __init__(self, sample: Sample, host: str) -> None:
        self.name = sample.name
        self.method = sample.method
        self.payload = request_bytes(sample, host)
        self.expected_status = sample.status
        self.expected_json = sample.json
        self.known_length = -1
        self.known_head = b""
        self.known_tail = b""
        self.known_outcome = 0  # where the caller keeps the Outcome

    def judge(self, status: int, body: bytes) -> Outcome:
        """Compare a whole reply with what the contract promises."""
        if status != self.expected_status:
            return Outcome(
                status,
                len(body),
                Failure.WRONG_STATUS,
                f"{self.name}: status {status} instead of {self.expected_status}: {body[:120]!r}",
            )
        try:
            value = json.loads(body)
        except ValueError:
            value = body
        if value != self.expected_json:
            example = f"{self.name}: unexpected body {body[:120]!r}"
            return Outcome(status, len(body), Failure.WRONG_BODY, example)
        return Outcome(status, len(body), Failure.NONE)

    def remember(self, raw: bytes, body: bytes, outcome: int) -> None:
        """Recognise this reply from now on; `raw` is the whole reply that `body` is the end of."""
        self.known_length = len(raw)
        self.known_head = raw[: raw.index(b"\r\n")]
        self.known_tail = HEAD_END + body
        self.known_outcome = outcome


def request_bytes(sample: Sample, host: str) -> bytes:
    """An HTTP/1.1 request, ready to be sent."""
    body = sample.body or b""
    headers = {"host": host, "accept": "*/*", **sample.headers}
    if body or sample.method in {"POST", "PUT", "PATCH"}:
        headers["content-length"] = str(len(body))
    lines = [f"{sample.method} {sample.path} HTTP/1.1", *(f"{k}: {v}" for k, v in headers.items())]
    return "\r\n".join(lines).encode("latin-1") + HEAD_END + body


class Connection:
    """One keep-alive connection. Its socket may block, cooperate (gevent) or do neither."""

    __slots__ = (
        "_body", "_complete", "_parser", "_stays_open", "_surplus",
        "broken", "fileno", "in_flight", "intended_ns", "partial", "request", "sock", "start_ns",
    )  # fmt: skip

    request: Request  # what was sent last

    def __init__(self, sock: socket.socket) -> None:
        self.sock = sock
        self.fileno = sock.fileno()
        self.intended_ns = 0
        self.start_ns = 0
        self.in_flight = False  # a request was sent and has no whole reply yet
        self.partial = False  # part of a reply has come
        self.broken = False  # not to be used again
        self._parser = httptools.HttpResponseParser(self)
        self._body: list[bytes] = []
        self._complete = False
        self._stays_open = True
        self._surplus = False

    # What httptools calls.
    def on_message_begin(self) -> None:
        """A reply begins; a second one to the same request is not HTTP as we spoke it."""
        self._surplus = self._complete

    def on_body(self, data: bytes) -> None:
        """Part of the body came."""
        self._body.append(data)

    def on_message_complete(self) -> None:
        """The reply is whole."""
        self._complete = True
        # Asked now: once the reply is parsed, the parser has forgotten.
        self._stays_open = self._parser.should_keep_alive()

    def feed(self, data: bytes) -> tuple[int, bytes] | None:
        """Parse a piece of a reply; (status, body) once it is whole.

        Raises:
            httptools.HttpParserError: it is not HTTP, or more than one reply.
        """
        self._parser.feed_data(data)
        if self._surplus:
            raise httptools.HttpParserError("more than one reply to one request")
        if not self._complete:
            self.partial = True
            return None
        body = b"".join(self._body)
        self._body.clear()
        self._complete = False
        self.partial = False
        if not self._stays_open:
            self.broken = True
        return self._parser.get_status_code(), body

    def send(self, request: Request, start_ns: int) -> None:
        """Send a request on a socket that does not block; unless told otherwise, it is due now."""
        self.request = request
        self.intended_ns = self.start_ns = start_ns
        self.in_flight = True
        try:
            sent = self.sock.send(request.payload)
            if sent < len(request.payload):  # larger than the socket's buffer, which is rare
                self.sock.setblocking(True)
                self.sock.sendall(request.payload[sent:])
                self.sock.setblocking(False)
        except OSError:
            # The server has closed it: the next read says so, and the request counts as failed.
            self.broken = True

    def exchange(self, request: Request) -> Outcome:
        """Send and wait for the whole reply, on a socket that blocks or cooperates."""
        name = request.name
        try:
            self.sock.sendall(request.payload)
            while True:
                data = self.sock.recv(RECEIVE_BYTES)
                if not data:
                    return Outcome(0, 0, Failure.CLOSED, f"{name}: connection closed")
                reply = self.feed(data)
                if reply is not None:
                    return request.judge(*reply)
        except TimeoutError:
            return Outcome(0, 0, Failure.TIMEOUT, f"{name}: no whole reply in time")
        except OSError as error:
            return Outcome(0, 0, Failure.CLOSED, f"{name}: {error}")
        except httptools.HttpParserError as error:
            return Outcome(0, 0, Failure.MALFORMED, f"{name}: not HTTP: {error}")

    def close(self) -> None:
        """Close the socket."""
        self.sock.close()


def address(base_url: str) -> tuple[str, int, str]:
    """Host, port and Host header of a base URL such as http://127.0.0.1:8000."""
    parts = urlsplit(base_url)
    if parts.scheme != "http" or not parts.hostname:
        raise ValueError(f"'{base_url}' is not an http:// address")
    return parts.hostname, parts.port or 80, parts.netloc


def requests_for(samples: Iterable[Sample], base_url: str) -> list[Request]:
    """The scenario's requests as bytes for one server."""
    host = address(base_url)[2]
    return [Request(sample, host) for sample in samples]
