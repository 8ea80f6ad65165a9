"""Twin parity: what the contract promises, held against what every stack answers, to the byte.

Here are the requests that stand in the contract. `explore` has those that nobody has written
down. Two stacks that keep to both can't be told apart on the wire.
"""

from __future__ import annotations

import http.client
import json
import random
import secrets
from collections.abc import Collection, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass
from types import MappingProxyType
from typing import TypeVar
from urllib.parse import urlsplit

from websockets.exceptions import ConnectionClosed, WebSocketException
from websockets.sync.client import connect

from apps import contract
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
from harness.checking.values import differing

# Beside content-type, the headers whose presence a client acts on.
HEADERS_THAT_MATTER = ("allow", "location", "www-authenticate")

# More than the slowest right answer takes: a 504 after the upstream timeout of 2 s.
REPLY_TIMEOUT_S = 15.0

CLOSED_BY_CLIENT = 1000

EXCERPT_CHARACTERS = 200
_SPOT_SAMPLES = 3

_Asked = TypeVar("_Asked", Sample, Exchange)


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
        excerpt = f"{status} {body[:EXCERPT_CHARACTERS]!r}"
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
        with connect(url, open_timeout=REPLY_TIMEOUT_S, proxy=None) as websocket:
            for message in exchange.sent:
                websocket.send(message)
            for expected in exchange.replies:
                reply = websocket.recv(REPLY_TIMEOUT_S)
                if reply != expected:
                    yield f"{_shortened(reply)} instead of {_shortened(expected)}"
            if exchange.close_code == CLOSED_BY_CLIENT:
                websocket.close()
            try:
                yield f"{_shortened(websocket.recv(REPLY_TIMEOUT_S))} instead of the end"
            except ConnectionClosed as closed:
                code = closed.rcvd.code if closed.rcvd else None
                if code != exchange.close_code:
                    yield f"closed with {code} instead of {exchange.close_code}"
    except (OSError, WebSocketException) as error:
        yield f"no conversation: {type(error).__name__}: {error}"


def check_stacks(
    urls: Mapping[str, str], breaks: Mapping[str, Collection[str]] = MappingProxyType({})
) -> tuple[int, dict[str, list[Difference]]]:
    """Hold all stacks to the whole contract; they work side by side.

    Args:
        urls: stack -> URL.
        breaks: stack -> names of samples and exchanges that it is known to break. It has to: one
            that it keeps is a difference too, or the list would outlive its reasons.

    Returns:
        How many samples and exchanges each had, and per stack what differs from the contract.
    """
    exchanges = contract.exchanges()

    def check(label: str) -> list[Difference]:
        samples = contract.samples(unique=secrets.token_hex(6))
        found = [*check_stack(urls[label], samples), *check_exchanges(urls[label], exchanges)]
        return list(_unknown(urls[label], found, breaks.get(label, ())))

    with ThreadPoolExecutor(max(1, len(urls))) as threads:
        found = dict(zip(urls, threads.map(check, urls), strict=True))
    return len(contract.samples(unique="")) + len(exchanges), found


def _unknown(
    url: str, differences: Iterable[Difference], breaks: Collection[str]
) -> Iterator[Difference]:
    broken = set()
    for one in differences:
        broken.add(one.sample)
        if one.sample not in breaks:
            yield one
    for name in breaks:
        if name not in broken:
            yield Difference(url, name, "kept, though stacks.toml says that this stack can't", "")


def spot_check(
    urls: Mapping[str, str],
    endpoints: Collection[str],
    unique: str,
    seed: str,
    breaks: Collection[str] = (),
) -> dict[str, tuple[str, ...]]:
    """A few samples of some endpoints, the same to every stack: label -> what differs.

    Short, since it is done before and after each measured scenario: what answers rightly now
    and then wrongly under load shows in the load's own checks.

    Args:
        urls: label -> where the stack is.
        endpoints: as the contract has them, "GET /hello" or "WS /live".
        unique: as in contract.Endpoint.
        seed: decides which samples.
        breaks: names of samples and exchanges that one of the stacks can't keep; none is asked.
    """

    def drawn(known: Iterable[_Asked]) -> list[_Asked]:
        possible = [one for one in known if one.name not in breaks]
        return random.Random(seed).sample(possible, min(_SPOT_SAMPLES, len(possible)))

    def differences(position: int, url: str) -> list[Difference]:
        samples: list[Sample] = []
        for endpoint in contract.ENDPOINTS:
            if f"{endpoint.method} {endpoint.path}" in endpoints:
                # What is stored once by each stack is another thing for each.
                asked = endpoint.samples(f"{unique}{position}")
                # Above 500 stand the answers that come after a time-out.
                samples += drawn(one for one in asked if one.status <= 500)
        spoken = drawn(one for one in contract.exchanges() if f"WS {one.path}" in endpoints)
        return [*check_stack(url, samples), *check_exchanges(url, spoken)]

    with ThreadPoolExecutor(max_workers=len(urls)) as pool:
        found = pool.map(differences, range(len(urls)), urls.values())
        return {
            label: tuple(f"{one.sample}: {one.problem}" for one in several)
            for label, several in zip(urls, found, strict=True)
        }


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
            wrong = list(differing(sample.json, value, "body"))
            if not wrong and body != _written(sample.json, value):
                wrong.append("the same JSON value in other bytes (order, blanks or escapes)")
            problems += wrong

    given = {name.lower(): text for name, text in headers.items()}
    wanted = {"content-type": sample.content_type} | {
        name: header_of(header, value) for name, header in sample.reply_headers.items()
    }
    for name in dict.fromkeys(["content-type", *HEADERS_THAT_MATTER, *wanted]):
        if given.get(name) != wanted.get(name):
            problems.append(
                f"{name} is {quoted(given.get(name))} instead of {quoted(wanted.get(name))}"
            )
    return problems


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


def header_of(expected: str | FromReply, value: object) -> str:
    """What a header has to be in a reply with this JSON value."""
    if isinstance(expected, str):
        return expected
    try:
        return expected.template.format_map(value)  # type: ignore[arg-type]
    except (KeyError, TypeError):  # the reply is not what it should be, which is said already
        return expected.template


def _shortened(message: str | bytes) -> str:
    return f"{message[:EXCERPT_CHARACTERS]!r} ({len(message)})"


def quoted(text: str | None) -> str:
    """For a message."""
    return "absent" if text is None else repr(text)
