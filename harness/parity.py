"""Twin parity: the same requests to every stack, each reply held against the contract.

Two stacks that both keep the contract, to the byte, can't be told apart on the wire.
"""

from __future__ import annotations

import http.client
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass
from urllib.parse import urlsplit

from websockets.exceptions import ConnectionClosed, WebSocketException
from websockets.sync.client import connect

from apps.contract import (
    Containing,
    Exchange,
    Expected,
    FromReply,
    IntegerAbove,
    NoBody,
    Sample,
    TextLike,
)

# Beside content-type, the headers whose presence a client acts on.
HEADERS_THAT_MATTER = ("allow", "location", "www-authenticate")

# More than the slowest right answer takes: a 504 after the upstream timeout of 2 s.
REPLY_TIMEOUT_S = 15.0

CLOSED_BY_CLIENT = 1000

_EXCERPT_CHARACTERS = 200


@dataclass(frozen=True, slots=True)
class Difference:
    """One way in which one reply differs from the contract."""

    url: str  # of the stack
    sample: str
    problem: str
    excerpt: str  # of the reply; empty where none came

    def __str__(self) -> str:
        """As one line."""
        reply = f" in {self.excerpt}" if self.excerpt else ""
        return f"{self.url}, {self.sample}: {self.problem}{reply}"


def check_stack(base_url: str, samples: Iterable[Sample]) -> list[Difference]:
    """Send every sample to one stack; what differs from the contract, nothing if it is kept.

    Samples that store something hold a token that must not have been used on this database.
    """
    differences = []
    for sample in samples:
        try:
            status, headers, body = _exchange(base_url, sample)
        except (OSError, http.client.HTTPException) as error:
            problem = f"no reply: {type(error).__name__}: {error}"
            differences.append(Difference(base_url, sample.name, problem, ""))
            continue
        excerpt = f"{status} {body[:_EXCERPT_CHARACTERS]!r}"
        differences += [
            Difference(base_url, sample.name, problem, excerpt)
            for problem in compare(sample, status, headers, body)
        ]
    return differences


def check_exchanges(base_url: str, exchanges: Iterable[Exchange]) -> list[Difference]:
    """Hold every conversation over WebSocket with one stack; as check_stack."""
    return [
        Difference(base_url, exchange.name, problem, "")
        for exchange in exchanges
        for problem in _converse(base_url, exchange)
    ]


def _converse(base_url: str, exchange: Exchange) -> Iterator[str]:
    url = f"ws://{urlsplit(base_url).netloc}{exchange.path}"
    try:
        with connect(url, open_timeout=REPLY_TIMEOUT_S, proxy=None) as socket:
            for message in exchange.sent:
                socket.send(message)
            for expected in exchange.replies:
                reply = socket.recv(REPLY_TIMEOUT_S)
                if reply != expected:
                    yield f"{_shortened(reply)} instead of {_shortened(expected)}"
            if exchange.close_code == CLOSED_BY_CLIENT:
                socket.close()
            try:
                yield f"{_shortened(socket.recv(REPLY_TIMEOUT_S))} instead of the end"
            except ConnectionClosed as closed:
                code = closed.rcvd.code if closed.rcvd else None
                if code != exchange.close_code:
                    yield f"closed with {code} instead of {exchange.close_code}"
    except (OSError, WebSocketException) as error:
        yield f"no conversation: {type(error).__name__}: {error}"


def _exchange(base_url: str, sample: Sample) -> tuple[int, dict[str, str], bytes]:
    # A connection for each: a server may close one whose request it did not read to the end.
    address = urlsplit(base_url)
    connection = http.client.HTTPConnection(
        address.hostname or "", address.port, timeout=REPLY_TIMEOUT_S
    )
    with closing(connection):
        body = [sample.body] if sample.chunked and sample.body is not None else sample.body
        connection.request(
            sample.method,
            sample.path,
            body=body,
            headers=dict(sample.headers),
            encode_chunked=sample.chunked,
        )
        reply = connection.getresponse()
        headers = {name: ", ".join(reply.headers.get_all(name, [])) for name in reply.headers}
        return reply.status, headers, reply.read()


def compare(sample: Sample, status: int, headers: Mapping[str, str], body: bytes) -> list[str]:
    """What of a reply differs from what the sample expects, each in words."""
    problems = []
    if status != sample.status:
        problems.append(f"status {status} instead of {sample.status}")

    value: object = None
    if isinstance(sample.json, NoBody):
        if body:
            problems.append(f"a body of {len(body)} bytes instead of none")
    elif isinstance(sample.json, bytes):
        if body != sample.json:
            problems.append(f"another body of {len(body)} bytes, not {len(sample.json)}")
    elif isinstance(sample.json, Containing):
        if sample.json.text.encode() not in body:
            problems.append(f"the body has no {sample.json.text!r} in it")
    else:
        try:
            value = json.loads(body)
        except ValueError:  # not JSON, or not even text
            problems.append("the body is not JSON")
        else:
            wrong = list(_differing(sample.json, value, "body"))
            if not wrong and body != _written(sample.json, value):
                wrong.append("the same JSON value in other bytes (order, blanks or escapes)")
            problems += wrong

    given = {name.lower(): text for name, text in headers.items()}
    wanted = {"content-type": sample.content_type} | {
        name: _header(header, value) for name, header in sample.reply_headers.items()
    }
    for name in dict.fromkeys(["content-type", *HEADERS_THAT_MATTER, *wanted]):
        if given.get(name) != wanted.get(name):
            problems.append(
                f"{name} is {_quoted(given.get(name))} instead of {_quoted(wanted.get(name))}"
            )
    return problems


def _differing(expected: Expected, actual: object, where: str) -> Iterator[str]:
    if isinstance(expected, IntegerAbove):
        if type(actual) is not int or actual <= expected.bound:
            yield f"{where} is {actual!r} instead of an integer above {expected.bound}"
    elif isinstance(expected, TextLike):
        if not isinstance(actual, str) or not re.fullmatch(expected.pattern, actual):
            yield f"{where} is {actual!r} instead of a text like {expected.pattern}"
    elif isinstance(expected, dict) and isinstance(actual, dict):
        for name in expected.keys() | actual.keys():
            if name not in actual:
                yield f"{where}.{name} is missing"
            elif name not in expected:
                yield f"{where}.{name} is there and should not be"
            else:
                yield from _differing(expected[name], actual[name], f"{where}.{name}")
    elif isinstance(expected, list) and isinstance(actual, list):
        if len(expected) != len(actual):
            yield f"{where} has {len(actual)} elements instead of {len(expected)}"
        for index, (one, other) in enumerate(zip(expected, actual, strict=False)):
            yield from _differing(one, other, f"{where}[{index}]")
    elif type(expected) is not type(actual) or expected != actual:
        # To Python 1 is 1.0 and True; to a client they are not.
        yield f"{where} is {actual!r} instead of {expected!r}"


def _written(expected: Expected, actual: object) -> bytes:
    """The expected value in the contract's bytes, with what the server drew from the reply."""
    drawn = _with_drawn(expected, actual)
    return json.dumps(drawn, ensure_ascii=False, separators=(",", ":")).encode()


def _with_drawn(expected: Expected, actual: object) -> object:
    if isinstance(expected, (IntegerAbove, TextLike)):
        return actual
    if isinstance(expected, dict) and isinstance(actual, dict):
        return {name: _with_drawn(value, actual[name]) for name, value in expected.items()}
    if isinstance(expected, list) and isinstance(actual, list):
        return [_with_drawn(one, other) for one, other in zip(expected, actual, strict=True)]
    return expected


def _header(expected: str | FromReply, value: object) -> str:
    if isinstance(expected, str):
        return expected
    try:
        return expected.template.format_map(value)  # type: ignore[arg-type]
    except (KeyError, TypeError):  # the reply is not what it should be, which is said already
        return expected.template


def _shortened(message: str | bytes) -> str:
    return f"{message[:_EXCERPT_CHARACTERS]!r} ({len(message)})"


def _quoted(text: str | None) -> str:
    return "absent" if text is None else repr(text)
