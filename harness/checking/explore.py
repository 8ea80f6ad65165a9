"""Twin parity beyond the contract: generated requests, and every stack's answers compared.

Nobody has written down what the answer to such a request is: each stack's is held against the
first stack's. Apart from `parity`, since what measures has no use for Hypothesis.
"""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import http.client
import itertools
import json
import re
import secrets
import socket
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from apps import contract
from apps.contract import Containing, FromReply, IntegerAbove, NoBody, Sample, TextLike
from harness.checking import generate
from harness.checking.generate import Request
from harness.checking.parity import (
    EXCERPT_CHARACTERS,
    HEADERS_THAT_MATTER,
    REPLY_TIMEOUT_S,
    header_of,
    quoted,
)
from harness.checking.values import differing, fits

#: After so many different differences, whatever else there is can wait until they are mended.
_ENOUGH = 10


@dataclass(frozen=True, slots=True)
class Answer:
    """What of a reply is compared; what each stack draws for itself is taken out."""

    status: int  # 0: no reply
    headers: Mapping[str, str | None]  # content-type and HEADERS_THAT_MATTER
    body: bytes

    def __str__(self) -> str:
        """As one line."""
        named = ", ".join(f"{name}: {text}" for name, text in self.headers.items() if text)
        return f"{self.status} ({named}) {self.body[:EXCERPT_CHARACTERS]!r}"


@dataclass(frozen=True, slots=True)
class Disagreement:
    """A generated request to which a stack answers otherwise than the first one does."""

    first: str
    other: str
    also: tuple[str, ...]  # further stacks that differ from the first in the same way
    problems: tuple[str, ...]
    request: Request  # the smallest that was found
    answers: tuple[Answer, Answer]  # of the first, of the other

    def __str__(self) -> str:
        """Both answers, and the request as a command."""
        answers = dict(zip((self.first, self.other), self.answers, strict=True))
        width = max(map(len, answers))
        also = f" (so do {', '.join(self.also)})" if self.also else ""
        return "\n".join(
            [
                f"{self.other} differs from {self.first}{also}: {'; '.join(self.problems)}",
                f"  {self.request}",
                *(f"  {label:<{width}}  {answer}" for label, answer in answers.items()),
            ]
        )

    def as_json(self) -> dict[str, Any]:
        """For machines to read; bytes as text, with escapes where they are none."""
        return {
            "first": self.first,
            "other": self.other,
            "also": self.also,
            "problems": self.problems,
            "request": {
                "method": self.request.method,
                "path": self.request.path,
                "headers": self.request.headers,
                "body": _text(self.request.body),
                "chunked": self.request.chunked,
                "curl": str(self.request),
            },
            "answers": [
                {"status": one.status, "headers": dict(one.headers), "body": _text(one.body)}
                for one in self.answers
            ],
        }


def _text(body: bytes | None) -> str | None:
    return None if body is None else body.decode("utf-8", "backslashreplace")


@dataclass(slots=True)
class Exploration:
    """What came of the generated requests."""

    cases: int = 0  # requests that went to every stack
    statuses: dict[int, int] = field(default_factory=dict)  # the first stack's: how many of each
    disagreements: list[Disagreement] = field(default_factory=list)


def explore(
    urls: Mapping[str, str],
    cases: int,
    seed: int,
    case_done: Callable[[], None] = lambda: None,
) -> Exploration:
    """Send generated requests to all stacks at once and compare the answers with the first's.

    Args:
        urls: stack -> URL; the first is the one that the others are held against.
        cases: how many requests.
        seed: the same one gives the same requests, as long as contract and OpenAPI stay the same.
        case_done: called after each.
    """
    with contextlib.ExitStack() as stack:
        stacks = {
            label: stack.enter_context(closing(_Correspondent(url))) for label, url in urls.items()
        }
        search = _Search(stacks)
        for request in generate.requests(cases, seed, _documents(urls.values())):
            search.try_out(request)
            case_done()
            if len(search.shown) >= _ENOUGH:
                break
    found = list(search.shown.values())
    return Exploration(search.cases, dict(sorted(search.statuses.items())), found)


class _Search:
    """Requests in, different disagreements out: each kind once, by its smallest request."""

    def __init__(self, stacks: Mapping[str, _Correspondent]) -> None:
        self._stacks = stacks
        self._first = next(iter(stacks))
        self.cases = 0
        self.statuses: dict[int, int] = {}
        self.shown: dict[str, Disagreement] = {}  # by kind

    def try_out(self, request: Request) -> None:
        answers = self._ask(request, self._stacks)
        self.cases += 1
        status = answers[self._first].status
        self.statuses[status] = self.statuses.get(status, 0) + 1
        for label, problems in self._problems(request, answers).items():
            kind = _kind(request, problems)
            known = self.shown.get(kind)
            if known is None:
                self.shown[kind] = self._smallest(request, label, kind)
            elif label != known.other and label not in known.also:
                self.shown[kind] = dataclasses.replace(known, also=(*known.also, label))

    def _ask(self, request: Request, labels: Iterable[str]) -> dict[str, Answer]:
        """The answers of some stacks; they work on it at the same time."""
        stacks = {label: self._stacks[label] for label in labels}
        for one in stacks.values():
            one.send(request)
        return {label: one.receive() for label, one in stacks.items()}

    def _problems(
        self, request: Request, answers: Mapping[str, Answer]
    ) -> dict[str, tuple[str, ...]]:
        """What is wrong with the answers of which stack; those that agree are not in it."""
        first = answers[self._first]
        problems = {
            label: _apart(first, answer)
            for label, answer in answers.items()
            if label != self._first
        }
        if first.status in (0, 500) and _place(request) not in _promises(500):
            problems[self._first] = (f"status {first.status}, which nothing promises",)
        return {label: found for label, found in problems.items() if found}

    def _smallest(self, request: Request, label: str, kind: str) -> Disagreement:
        both = dict.fromkeys((self._first, label))

        def shows_it(smaller: Request) -> bool:
            found = self._problems(smaller, self._ask(smaller, both))
            return label in found and _kind(smaller, found[label]) == kind

        smallest = generate.smallest(request, shows_it)
        answers = self._ask(smallest, both)
        problems = self._problems(smallest, answers).get(label)
        return Disagreement(
            self._first,
            label,
            (),
            problems or ("it did not do so again when asked once more",),
            smallest,
            (answers[self._first], answers[label]),
        )


def _apart(first: Answer, other: Answer) -> tuple[str, ...]:
    if first.status != other.status:
        return (f"status {other.status} instead of {first.status}",)
    problems = [
        f"{name} is {quoted(text)} instead of {quoted(first.headers[name])}"
        for name, text in other.headers.items()
        if text != first.headers[name]
    ]
    if other.body != first.body:
        try:
            values = json.loads(first.body), json.loads(other.body)
        except ValueError:
            problems.append("the body is another one")
        else:  # the order of members, blanks and escapes are no part of the value
            problems += differing(*values, "body")
    return tuple(problems)


def _kind(request: Request, problems: Sequence[str]) -> str:
    """The same for requests that show the same mistake, as far as can be told from outside."""
    what = sorted({problem if "status" in problem else problem.split()[0] for problem in problems})
    place = request.path.partition("?")[0].lstrip("/").partition("/")[0]
    known = {endpoint.path.split("/")[1] for endpoint in contract.ENDPOINTS}
    return f"/{place if place in known else '…'}: {', '.join(what)}"


def _place(request: Request) -> tuple[str, str]:
    return request.method, request.path.partition("?")[0]


@functools.cache
def _promises(status: int) -> dict[tuple[str, str], Sample]:
    """The contract's samples with this status: method and path -> one of them."""
    return {
        (sample.method, sample.path.partition("?")[0]): sample
        for sample in contract.samples(generate.MARKER)
        if sample.status == status
    }


def _documents(urls: Iterable[str]) -> list[dict[str, Any]]:
    """The OpenAPI documents of those stacks that have one, each once."""
    found: dict[str, dict[str, Any]] = {}
    for url in urls:
        with closing(_Correspondent(url)) as stack:
            stack.send(generate.Request("GET", "/openapi.json"))
            answer = stack.receive()
        with contextlib.suppress(ValueError):  # what is no document is compared as all replies are
            document = json.loads(answer.body)
            if answer.status == 200 and isinstance(document, dict) and "openapi" in document:
                found.setdefault(json.dumps(document, sort_keys=True), document)
    return list(found.values())


class _Correspondent:
    """One stack, asked over one connection for as long as both ends keep it."""

    _numbers = itertools.count()

    def __init__(self, url: str) -> None:
        address = urlsplit(url)
        self._address = address.hostname or "", address.port or 80
        self._host = address.netloc
        self._run = secrets.token_hex(2)
        self._sock: socket.socket | None = None
        self._request = generate.Request("GET", "/")
        self._token = ""

    def close(self) -> None:
        if self._sock is not None:
            self._sock.close()
            self._sock = None

    def send(self, request: Request) -> None:
        """Send, and don't wait; what goes wrong is told by `receive`."""
        self._request = request
        # Ten characters, as many as the marker has: lengths are the same for every stack.
        self._token = f"{self._run}{next(self._numbers) % 16**6:06x}"
        if request.body is not None:
            # A server may close a connection on which it did not read a body to its end.
            self.close()
        self._put()

    def _put(self) -> None:
        with contextlib.suppress(OSError):  # the reply, or that there is none, says more
            if self._sock is None:
                self._sock = socket.create_connection(self._address, timeout=REPLY_TIMEOUT_S)
                self._sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            raw = self._request.as_bytes(self._host)
            # In one piece: who refuses a request by its head might not wait for the rest.
            self._sock.sendall(raw.replace(generate.MARKER.encode(), self._token.encode()))

    def receive(self) -> Answer:
        """The answer to what was sent last."""
        try:
            try:
                return self._read()
            except ConnectionError:
                if self._request.body is not None:
                    raise
                # It had been open for a while, and a server may close such a one at any time.
                self.close()
                self._put()
                return self._read()
        except (OSError, http.client.HTTPException) as error:
            self.close()
            return Answer(0, dict.fromkeys(_COMPARED), type(error).__name__.encode())

    def _read(self) -> Answer:
        if self._sock is None:
            raise ConnectionError
        with closing(http.client.HTTPResponse(self._sock, method=self._request.method)) as reply:
            reply.begin()
            body = reply.read().replace(self._token.encode(), generate.MARKER.encode())
            given = {name: reply.headers.get_all(name) for name in _COMPARED}
            if reply.will_close or self._request.body is not None:
                self.close()
        headers = {
            name: ", ".join(texts).replace(self._token, generate.MARKER) if texts else None
            for name, texts in given.items()
        }
        return _without_drawn(self._request, Answer(reply.status, headers, body))


_COMPARED = ("content-type", *HEADERS_THAT_MATTER)


def _without_drawn(request: Request, answer: Answer) -> Answer:
    """The answer without what each stack draws for itself, such as the id of a new row."""
    promise = _drawn(answer.status).get(_place(request))
    if promise is None:
        return answer
    if isinstance(promise.json, Containing):
        text = promise.json.text.encode()
        return dataclasses.replace(answer, body=text) if text in answer.body else answer
    try:
        value = json.loads(answer.body)
    except ValueError:
        return answer
    headers = dict(answer.headers)
    for name, header in promise.reply_headers.items():
        if isinstance(header, FromReply) and headers.get(name) == header_of(header, value):
            headers[name] = header.template
    masked = json.dumps(_masked(promise.json, value), separators=(",", ":"))
    return Answer(answer.status, headers, masked.encode())


@functools.cache
def _drawn(status: int) -> dict[tuple[str, str], Sample]:
    """Those of the promises that leave something to the stack."""
    return {place: sample for place, sample in _promises(status).items() if _draws(sample.json)}


def _draws(expected: object) -> bool:
    """Whether the contract leaves a part of this value open."""
    if isinstance(expected, dict):
        return any(map(_draws, expected.values()))
    if isinstance(expected, list):
        return any(map(_draws, expected))
    return not isinstance(expected, str | bytes | int | float | None | NoBody)


def _masked(expected: object, actual: object) -> object:
    if isinstance(expected, dict) and isinstance(actual, dict):
        return {name: _masked(expected.get(name), one) for name, one in actual.items()}
    if isinstance(expected, IntegerAbove):
        good = type(actual) is int and actual > expected.bound
        return f"above {expected.bound}" if good else actual
    if isinstance(expected, TextLike):
        good = isinstance(actual, str) and re.fullmatch(expected.pattern, actual) is not None
        return f"like {expected.pattern}" if good else actual
    return f"some {type(actual).__name__}" if _draws(expected) else actual
