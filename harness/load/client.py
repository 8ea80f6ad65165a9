"""An HTTP client that checks every reply in full and uses as little CPU as it can.

A reply that arrives in one piece is recognised by its length, its status line and the bytes of
its body. httptools, a parser written in C, puts together a reply that arrives in several pieces;
its body is recognised by its bytes too. JSON is parsed only when a body differs from the last good
body: once for most requests, and for each new token of a login.
"""

from __future__ import annotations

import json
import socket
from abc import abstractmethod
from collections.abc import Iterable, Sequence

import httptools

from apps.contract import Containing, Message, NoBody, Sample, path_template
from harness.checking.values import differing
from harness.load.connection import Awaited, Connection, Outcome, Sendable
from harness.models import Failure
from harness.models.addresses import Address

HEAD_END = b"\r\n\r\n"
_EXCERPT_BYTES = 120


class HttpRequest(Awaited, Sendable):
    """A request as bytes, and the bytes of its last good reply; subclasses say which reply is good."""

    __slots__ = ("_known_body", "_known_good", "method", "payload")

    def __init__(self, name: str, method: str, payload: bytes, endpoint: int = -1) -> None:
        super().__init__(name, endpoint)
        self.method = method
        self.payload = payload
        self._known_body: bytes | None = None  # the body of the last good reply
        self._known_good = Outcome(0, 0, Failure.NONE)

    def connect(self, sock: socket.socket) -> HttpConnection:
        """Use the socket as it is, since HTTP has no handshake."""
        return HttpConnection(sock)

    @abstractmethod
    def judge(self, status: int, body: bytes) -> Outcome:
        """Say whether a complete reply is a good one."""

    def _good(self, status: int, body: bytes) -> Outcome:
        self._known_body = body
        self._known_good = Outcome(status, len(body), Failure.NONE, endpoint=self.endpoint)
        return self._known_good

    def _bad(self, status: int, body: bytes, failure: Failure, problem: str) -> Outcome:
        return Outcome(status, len(body), failure, f"{self.name}: {problem}", self.endpoint)

    def remember(self, raw: bytes, outcome: int) -> None:
        """Recognise this good reply from now on, provided that it ends with its body."""
        if self._known_body is not None and raw.endswith(HEAD_END + self._known_body):
            self.known_length = len(raw)
            self.known_head = raw[: raw.index(b"\r\n")]
            self.known_tail = HEAD_END + self._known_body
            self.known_outcome = outcome

    def forget(self) -> None:
        """Recognise no reply until `remember` is called again."""
        self.known_length = -1


class Request(HttpRequest):
    """A request of the contract, and the reply that it must get."""

    __slots__ = ("_expected", "_expected_status")

    def __init__(self, sample: Sample, host: str, endpoint: int = -1) -> None:
        if sample.method == "HEAD" or isinstance(sample.json, NoBody | Containing):
            raise ValueError(f"sample '{sample.name}': its reply can't be checked byte by byte")
        super().__init__(sample.name, sample.method, request_bytes(sample, host), endpoint)
        self._expected = sample.json
        self._expected_status = sample.status

    def judge(self, status: int, body: bytes) -> Outcome:
        """Compare a complete reply with what the contract promises."""
        if status != self._expected_status:
            problem = f"status {status} instead of {self._expected_status}: {excerpt(body)}"
            return self._bad(status, body, Failure.WRONG_STATUS, problem)
        if body == self._known_body:
            return self._known_good
        problem = self._wrong(body)
        if problem:
            return self._bad(status, body, Failure.WRONG_BODY, problem)
        return self._good(status, body)

    def _wrong(self, body: bytes) -> str:
        if isinstance(self._expected, bytes):
            return "" if body == self._expected else f"unexpected body {excerpt(body)}"
        try:
            value = json.loads(body)
        except ValueError:
            return f"not JSON: {excerpt(body)}"
        problem = next(differing(self._expected, value, "body"), "")
        return problem and f"unexpected body {excerpt(body)}: {problem}"


def request_bytes(sample: Sample, host: str) -> bytes:
    """Encode the sample as an HTTP/1.1 request."""
    body = sample.body or b""
    headers = {"host": host, "accept": "*/*", **sample.headers}
    if body or sample.method in {"POST", "PUT", "PATCH"}:
        headers["content-length"] = str(len(body))
    lines = [f"{sample.method} {sample.path} HTTP/1.1", *(f"{k}: {v}" for k, v in headers.items())]
    return "\r\n".join(lines).encode("latin-1") + HEAD_END + body


class HttpConnection(Connection):
    """A keep-alive connection."""

    __slots__ = ("_body", "_complete", "_parser", "_stays_open", "_surplus", "_whole_at_once")

    request: HttpRequest

    def __init__(self, sock: socket.socket) -> None:
        super().__init__(sock)
        self._parser = httptools.HttpResponseParser(self)
        self._body: list[bytes] = []
        self._complete = False
        self._stays_open = True
        self._surplus = False
        self._whole_at_once = False

    # httptools calls the next three methods.
    def on_message_begin(self) -> None:
        """Note the beginning of a reply; a second reply to the same request is surplus."""
        self._surplus = self._complete

    def on_body(self, data: bytes) -> None:
        """Keep a part of the body."""
        self._body.append(data)

    def on_message_complete(self) -> None:
        """Note that the reply is complete, and whether the connection stays open."""
        self._complete = True
        # The parser forgets this once `feed_data` has returned.
        self._stays_open = self._parser.should_keep_alive()

    def expect(self, request: Request) -> None:
        """Await the reply to this request."""
        self.request = request

    def take(self, data: bytes) -> Outcome | None:
        """Parse a piece of a reply, and judge the reply once it is complete."""
        if not data:
            return self._broke(Failure.CLOSED, "connection closed by the server")
        self._whole_at_once = not self.partial
        try:
            reply = self._feed(data)
        except httptools.HttpParserError as error:
            return self._broke(Failure.MALFORMED, f"not HTTP: {error}")
        return None if reply is None else self.request.judge(*reply)

    def _feed(self, data: bytes) -> tuple[int, bytes] | None:
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

    def remember(self, data: bytes, outcome: int) -> None:
        """Recognise a reply that arrived in one piece on a connection that stays open."""
        if self._whole_at_once and not self.broken:
            self.request.remember(data, outcome)

    def take_unasked(self, data: bytes) -> Outcome | None:
        """Fail on data without a request: it would be taken for the reply to the next request.

        A server may close an idle connection; that is no failure.
        """
        if data and not self.broken:
            return self._broke(Failure.MALFORMED, "more than one reply to one request")
        self.broken = True
        return None


def address(base_url: str) -> tuple[str, int, str]:
    """Split a base URL such as http://127.0.0.1:8000 into host, port and Host header."""
    if not base_url.lower().startswith("http://"):
        raise ValueError(f"'{base_url}' is not an http:// address")
    found = Address.of(base_url)
    return found.host, found.port, found.host_header


def requests_for(
    samples: Iterable[Sample | Message], base_url: str, endpoints: Sequence[str] = ()
) -> list[Sendable]:
    """Encode everything that a scenario sends for the server at this URL.

    Args:
        samples: what it sends.
        base_url: the server's address.
        endpoints: names such as "GET /users/{id}", by whose places the outcomes of requests tell
            where they went; empty: they don't tell.
    """
    host = address(base_url)[2]
    return [_sendable(sample, host, _place(sample, endpoints)) for sample in samples]


def _place(sample: Sample | Message, endpoints: Sequence[str]) -> int:
    name = f"{sample.method} {path_template(sample.method, sample.path)}"
    return endpoints.index(name) if name in endpoints else -1


def _sendable(sample: Sample | Message, host: str, endpoint: int) -> Sendable:
    if isinstance(sample, Message):
        # Only a scenario with messages needs the WebSocket library.
        from harness.load.websocket import Text

        return Text(sample, host, endpoint)
    return Request(sample, host, endpoint)


def excerpt(body: bytes) -> str:
    """The beginning of a body, for messages."""
    return repr(body[:_EXCERPT_BYTES])
