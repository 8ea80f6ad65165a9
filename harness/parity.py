"""Twin parity: the same requests to every stack, each reply held against the contract.

Two stacks that both keep the contract, to the byte, can't be told apart on the wire.
"""

from __future__ import annotations

import http.client
import json
import random
from collections.abc import Collection, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass
from urllib.parse import urlsplit

from apps import contract
from apps.contract import Expected, FromReply, IntegerAbove, NoBody, Sample

# Beside content-type, the headers whose presence a client acts on.
HEADERS_THAT_MATTER = ("allow", "location", "www-authenticate")

# More than the slowest right answer takes: a 504 after the upstream timeout of 2 s.
REPLY_TIMEOUT_S = 15.0

_EXCERPT_CHARACTERS = 200
_SPOT_SAMPLES = 3


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


def spot_check(
    urls: Mapping[str, str], endpoints: Collection[str], unique: str, seed: str
) -> dict[str, tuple[str, ...]]:
    """A few samples of some endpoints, the same to every stack: label -> what differs.

    Short, since it is done before and after each measured scenario: what answers rightly now
    and then wrongly under load shows in the load's own checks.

    Args:
        urls: label -> where the stack is.
        endpoints: as the contract has them, "GET /hello".
        unique: as in contract.Endpoint.
        seed: decides which samples.
    """
    samples: list[Sample] = []
    for endpoint in contract.ENDPOINTS:
        if f"{endpoint.method} {endpoint.path}" in endpoints:
            # Above 500 stand the answers that come after a time-out.
            quick = [one for one in endpoint.samples(unique) if one.status <= 500]
            samples += random.Random(seed).sample(quick, min(_SPOT_SAMPLES, len(quick)))
    with ThreadPoolExecutor(max_workers=len(urls)) as pool:
        found = pool.map(lambda url: check_stack(url, samples), urls.values())
        return {
            label: tuple(f"{one.sample}: {one.problem}" for one in differences)
            for label, differences in zip(urls, found, strict=True)
        }


def _exchange(base_url: str, sample: Sample) -> tuple[int, dict[str, str], bytes]:
    # A connection for each: a server may close one whose request it did not read to the end.
    address = urlsplit(base_url)
    connection = http.client.HTTPConnection(
        address.hostname or "", address.port, timeout=REPLY_TIMEOUT_S
    )
    with closing(connection):
        connection.request(
            sample.method, sample.path, body=sample.body, headers=dict(sample.headers)
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
    if isinstance(expected, IntegerAbove):
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


def _quoted(text: str | None) -> str:
    return "absent" if text is None else repr(text)
