"""Twin parity: checks that every stack answers as the contract promises, to the byte.

This module sends the requests that are written in the contract; `explore` sends generated ones.
No client can tell two stacks apart that pass both.
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

# Besides content-type, these are the headers whose presence a client acts on.
HEADERS_THAT_MATTER = ("allow", "location", "www-authenticate")

# The slowest correct reply is a 504 after the upstream timeout of 2 s.
REPLY_TIMEOUT_S = 15.0

CLOSED_BY_CLIENT = 1000

EXCERPT_CHARACTERS = 200

#: A spot check sends this many samples of each endpoint.
_SPOT_SAMPLES = 3

_Promise = TypeVar("_Promise", Sample, Exchange)


@dataclass(frozen=True, slots=True)
class Difference:
    """A single way in which a stack's reply differs from the contract."""

    url: str  # of the stack
    sample: str  # name of the sample or exchange
    problem: str
    excerpt: str  # of the reply; empty if there was none

    def __str__(self) -> str:
        """The difference as one line of text."""
        reply = f" in {self.excerpt}" if self.excerpt else ""
        return f"{self.url}, {self.sample}: {self.problem}{reply}"


def check_stacks(
    urls: Mapping[str, str], breaks: Mapping[str, Collection[str]] = MappingProxyType({})
) -> tuple[int, dict[str, list[Difference]]]:
    """Check the whole contract on all stacks in parallel.

    Args:
        urls: stack -> URL.
        breaks: stack -> names of samples and exchanges that the stack is known to break. If the
            stack keeps one of them after all, that is a difference too: otherwise the list would
            never be cleaned up.

    Returns:
        How many samples and exchanges each stack was checked with, and the differences of each
        stack.
    """
    exchanges = contract.exchanges()

    def check(label: str) -> list[Difference]:
        samples = contract.samples(unique=secrets.token_hex(6))
        found = [*check_stack(urls[label], samples), *check_exchanges(urls[label], exchanges)]
        return list(_unexpected(urls[label], found, breaks.get(label, ())))

    with ThreadPoolExecutor(max(1, len(urls))) as threads:
        found = dict(zip(urls, threads.map(check, urls), strict=True))
    return len(contract.samples(unique="")) + len(exchanges), found


def spot_check(
    urls: Mapping[str, str],
    endpoints: Collection[str],
    unique: str,
    seed: str,
    breaks: Collection[str] = (),
) -> dict[str, tuple[str, ...]]:
    """Send a few samples of some endpoints to every stack, and return the problems of each stack.

    A spot check is short, because a run makes one before and one after each measured block. A
    stack that answers wrongly only under load is found by the load process, which checks every
    reply.

    Args:
        urls: stack -> URL.
        endpoints: named as in the contract: "GET /hello" or "WS /live".
        unique: as in contract.Endpoint.
        seed: decides which samples are sent; every stack is sent the same ones.
        breaks: names of samples and exchanges that one of the stacks breaks; none is sent.
    """

    def drawn(promises: Iterable[_Promise]) -> list[_Promise]:
        possible = [promise for promise in promises if promise.name not in breaks]
        return random.Random(seed).sample(possible, min(_SPOT_SAMPLES, len(possible)))

    def check(position: int, url: str) -> list[Difference]:
        samples: list[Sample] = []
        for endpoint in contract.ENDPOINTS:
            if f"{endpoint.method} {endpoint.path}" in endpoints:
                # All stacks share a database, so each needs unique values of its own.
                of_endpoint = endpoint.samples(f"{unique}{position}")
                # Samples with a status above 500 make the stack wait for a timeout.
                samples += drawn(sample for sample in of_endpoint if sample.status <= 500)
        exchanges = drawn(
            exchange for exchange in contract.exchanges() if f"WS {exchange.path}" in endpoints
        )
        return [*check_stack(url, samples), *check_exchanges(url, exchanges)]

    with ThreadPoolExecutor(max_workers=len(urls)) as pool:
        found = pool.map(check, range(len(urls)), urls.values())
        return {
            label: tuple(f"{difference.sample}: {difference.problem}" for difference in differences)
            for label, differences in zip(urls, found, strict=True)
        }


def check_stack(base_url: str, samples: Iterable[Sample]) -> list[Difference]:
    """Send every sample to a stack, and return how its replies differ from the contract.

    Samples that store something contain a unique token, which must be new to the database.
    """
    differences = []
    for sample in samples:
        try:
            status, headers, body = _reply(base_url, sample)
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
    """Hold every exchange with a stack, and return how its messages differ from the contract."""
    return [
        Difference(base_url, exchange.name, problem, "")
        for exchange in exchanges
        for problem in _problems_of_exchange(base_url, exchange)
    ]


def compare(sample: Sample, status: int, headers: Mapping[str, str], body: bytes) -> list[str]:
    """Compare a reply with what the sample promises, and return a sentence per problem."""
    problems = []
    if status != sample.status:
        problems.append(f"status {status} instead of {sample.status}")

    value: object = None
    if isinstance(sample.json, NoBody):
        if body:
            problems.append(f"a body of {len(body)} bytes instead of none")
    elif isinstance(sample.json, bytes):
        if body != sample.json:
            problems.append(
                f"the body of {len(body)} bytes differs from the {len(sample.json)} expected bytes"
            )
    elif isinstance(sample.json, Containing):
        if sample.json.text.encode() not in body:
            problems.append(f"the body does not contain {sample.json.text!r}")
    else:
        try:
            value = json.loads(body)
        except ValueError:  # not JSON, or not even text
            problems.append("the body is not JSON")
        else:
            wrong = list(differing(sample.json, value, "body"))
            if not wrong and body != _encoded(sample.json, value):
                wrong.append("the same JSON value in other bytes (order, blanks or escapes)")
            problems += wrong

    received = {name.lower(): text for name, text in headers.items()}
    promised = {"content-type": sample.content_type} | {
        name: header_of(header, value) for name, header in sample.reply_headers.items()
    }
    for name in dict.fromkeys(["content-type", *HEADERS_THAT_MATTER, *promised]):
        if received.get(name) != promised.get(name):
            problems.append(
                f"{name} is {quoted(received.get(name))} instead of {quoted(promised.get(name))}"
            )
    return problems


def header_of(expected: str | FromReply, value: object) -> str:
    """Return the text that a header must have in a reply with this JSON value."""
    if isinstance(expected, str):
        return expected
    try:
        return expected.template.format_map(value)  # type: ignore[arg-type]
    except (KeyError, TypeError):  # the body is wrong, which is a problem of its own
        return expected.template


def quoted(text: str | None) -> str:
    """Return a header's text in quotation marks, or "absent" if there is no such header."""
    return "absent" if text is None else repr(text)


def _unexpected(
    url: str, differences: Iterable[Difference], breaks: Collection[str]
) -> Iterator[Difference]:
    """The differences that stacks.toml does not announce, and announced ones that are missing."""
    broken = set()
    for difference in differences:
        broken.add(difference.sample)
        if difference.sample not in breaks:
            yield difference
    for name in breaks:
        if name not in broken:
            yield Difference(url, name, "kept, although stacks.toml lists it as broken", "")


def _reply(base_url: str, sample: Sample) -> tuple[int, dict[str, str], bytes]:
    # Each sample has its own connection: a server may close a connection after a request that it
    # did not read to the end.
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


def _problems_of_exchange(base_url: str, exchange: Exchange) -> Iterator[str]:
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


def _encoded(expected: Expected, actual: object) -> bytes:
    """The expected value in the contract's bytes, with the server's choices filled in."""
    filled_in = _filled_in(expected, actual)
    return json.dumps(filled_in, ensure_ascii=False, separators=(",", ":")).encode()


def _filled_in(expected: Expected, actual: object) -> object:
    """The expected value, in which the server's choices replace the placeholders."""
    if isinstance(expected, (IntegerAbove, TextLike)):
        return actual
    if isinstance(expected, dict) and isinstance(actual, dict):
        return {name: _filled_in(value, actual[name]) for name, value in expected.items()}
    if isinstance(expected, list) and isinstance(actual, list):
        return [_filled_in(*elements) for elements in zip(expected, actual, strict=True)]
    return expected


def _shortened(message: str | bytes) -> str:
    return f"{message[:EXCERPT_CHARACTERS]!r} ({len(message)})"
