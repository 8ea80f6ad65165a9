"""Twin parity beyond the contract: sends generated requests and compares the stacks' answers.

The contract does not say what the answer to a generated request is, so the first stack's answer
is the expected one. This module is separate from `parity` because a run has no use for Hypothesis.
"""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import http.client
import itertools
import json
import secrets
import socket
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from apps import contract
from apps.contract import Containing, FromReply, IntegerAbove, NoBody, Sample, TextLike
from harness.checking import generate, shrink
from harness.checking.parity import (
    EXCERPT_CHARACTERS,
    HEADERS_THAT_MATTER,
    REPLY_TIMEOUT_S,
    header_of,
    quoted,
)
from harness.checking.request import Request
from harness.checking.starting_points import MARKER
from harness.checking.values import differing, fits

#: The exploration ends after this many kinds of disagreement: mending them may mend further ones.
_MAX_DISAGREEMENTS = 10

_COMPARED_HEADERS = ("content-type", *HEADERS_THAT_MATTER)


@dataclass(frozen=True, slots=True)
class Answer:
    """The compared parts of a reply, without what each stack chooses for itself."""

    status: int  # 0: no reply
    headers: Mapping[str, str | None]  # the compared headers; None: absent
    body: bytes

    def __str__(self) -> str:
        """The answer as one line of text."""
        named = ", ".join(f"{name}: {text}" for name, text in self.headers.items() if text)
        return f"{self.status} ({named}) {self.body[:EXCERPT_CHARACTERS]!r}"


@dataclass(frozen=True, slots=True)
class Disagreement:
    """A generated request that two stacks answer differently."""

    first: str  # the stack whose answer is the expected one
    other: str
    also: tuple[str, ...]  # further stacks that differ from the first in the same way
    problems: tuple[str, ...]
    request: Request  # the smallest that was found
    answers: tuple[Answer, Answer]  # of the first stack, of the other stack

    def __str__(self) -> str:
        """The request as a curl command, and both answers."""
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
        """The disagreement for `--json`; bytes of a body that are not UTF-8 become escapes."""
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
                {
                    "status": answer.status,
                    "headers": dict(answer.headers),
                    "body": _text(answer.body),
                }
                for answer in self.answers
            ],
        }


def _text(body: bytes | None) -> str | None:
    return None if body is None else body.decode("utf-8", "backslashreplace")


@dataclass(slots=True)
class Exploration:
    """The result of sending generated requests."""

    cases: int = 0  # requests that were sent to every stack
    statuses: dict[int, int] = field(default_factory=dict)  # status -> answers of the first stack
    disagreements: list[Disagreement] = field(default_factory=list)


def explore(
    urls: Mapping[str, str],
    cases: int,
    seed: int,
    case_done: Callable[[], None] = lambda: None,
    *,
    merging_slashes: Collection[str] = (),
) -> Exploration:
    """Send generated requests to all stacks and compare each answer with the first stack's.

    Args:
        urls: stack -> URL; the first stack is the one that the others are compared with.
        cases: how many requests.
        seed: decides the requests, together with the contract and the OpenAPI documents.
        case_done: called after each request.
        merging_slashes: stacks whose server passes `//hello` on as `/hello`; their answers to such a
            path are not compared.
    """
    with contextlib.ExitStack() as open_clients:
        clients = {
            label: open_clients.enter_context(closing(_Client(url))) for label, url in urls.items()
        }
        search = _Search(clients, merging_slashes)
        for request in generate.requests(cases, seed, _documents(urls.values())):
            search.send(request)
            case_done()
            if len(search.shown) >= _MAX_DISAGREEMENTS:
                break
    found = list(search.shown.values())
    return Exploration(search.cases, dict(sorted(search.statuses.items())), found)


class _Search:
    """Collects disagreements: one of each kind, shown by the smallest request that was found."""

    def __init__(self, clients: Mapping[str, _Client], merging_slashes: Collection[str]) -> None:
        self._clients = clients
        self._merging_slashes = merging_slashes
        self._first = next(iter(clients))
        self.cases = 0
        self.statuses: dict[int, int] = {}
        self.shown: dict[str, Disagreement] = {}  # by kind

    def send(self, request: Request) -> None:
        """Send a request to every stack, and keep disagreements of a kind that is new."""
        answers = self._answers(request, self._clients)
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

    def _answers(self, request: Request, labels: Iterable[str]) -> dict[str, Answer]:
        """Send a request to some stacks, which work on it at the same time."""
        clients = {label: self._clients[label] for label in labels}
        for client in clients.values():
            client.send(request)
        return {label: client.receive() for label, client in clients.items()}

    def _problems(
        self, request: Request, answers: Mapping[str, Answer]
    ) -> dict[str, tuple[str, ...]]:
        """Stack -> how its answer differs; stacks that agree are left out."""
        first = answers[self._first]
        problems = {
            label: _differences(first, answer)
            for label, answer in answers.items()
            if label != self._first and not self._is_merged(request, label)
        }
        if first.status in (0, 500) and _place(request) not in _samples_by_place(500):
            problems[self._first] = (f"status {first.status}, which the contract does not promise",)
        return {label: found for label, found in problems.items() if found}

    def _is_merged(self, request: Request, label: str) -> bool:
        """Whether two stacks can't agree because one of their servers gets another path."""
        merging = {self._first, label}.intersection(self._merging_slashes)
        return len(merging) == 1 and request.path.startswith("//")

    def _smallest(self, request: Request, label: str, kind: str) -> Disagreement:
        both = dict.fromkeys((self._first, label))

        def shows_it(smaller: Request) -> bool:
            found = self._problems(smaller, self._answers(smaller, both))
            return label in found and _kind(smaller, found[label]) == kind

        smallest = shrink.smallest(request, shows_it)
        answers = self._answers(smallest, both)
        problems = self._problems(smallest, answers).get(label)
        return Disagreement(
            self._first,
            label,
            (),
            problems or ("the difference did not appear again when the request was repeated",),
            smallest,
            (answers[self._first], answers[label]),
        )


def _differences(first: Answer, other: Answer) -> tuple[str, ...]:
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
            problems.append("the bodies differ")
        else:  # the order of members, blanks and escapes do not belong to the value
            problems += differing(*values, "body")
    return tuple(problems)


def _kind(request: Request, problems: Sequence[str]) -> str:
    """A text that is equal for requests that seem to show the same mistake."""
    what = sorted({problem if "status" in problem else problem.split()[0] for problem in problems})
    place = request.path.partition("?")[0].lstrip("/").partition("/")[0]
    known = {endpoint.path.split("/")[1] for endpoint in contract.ENDPOINTS}
    return f"/{place if place in known else '…'}: {', '.join(what)}"


def _place(request: Request) -> tuple[str, str]:
    """Method and path, which is where the contract may promise something."""
    return request.method, request.path.partition("?")[0]


@functools.cache
def _samples_by_place(status: int) -> dict[tuple[str, str], Sample]:
    """Method and path -> a sample of the contract that has this status."""
    return {
        (sample.method, sample.path.partition("?")[0]): sample
        for sample in contract.samples(MARKER)
        if sample.status == status
    }


def _documents(urls: Iterable[str]) -> list[dict[str, Any]]:
    """The different OpenAPI documents of the stacks; a stack may have none."""
    found: dict[str, dict[str, Any]] = {}
    for url in urls:
        with closing(_Client(url)) as client:
            client.send(Request("GET", "/openapi.json"))
            answer = client.receive()
        with contextlib.suppress(ValueError):  # no document: only the contract's samples are used
            document = json.loads(answer.body)
            if answer.status == 200 and isinstance(document, dict) and "openapi" in document:
                found.setdefault(json.dumps(document, sort_keys=True), document)
    return list(found.values())


class _Client:
    """Sends requests to a stack, over one connection for as long as both ends keep it."""

    _numbers = itertools.count()

    def __init__(self, url: str) -> None:
        address = urlsplit(url)
        self._address = address.hostname or "", address.port or 80
        self._host = address.netloc
        self._run = secrets.token_hex(2)
        self._sock: socket.socket | None = None
        self._request = Request("GET", "/")
        self._token = ""

    def close(self) -> None:
        if self._sock is not None:
            self._sock.close()
            self._sock = None

    def send(self, request: Request) -> None:
        """Send a request without waiting for the answer; `receive` reports any failure."""
        self._request = request
        # Ten characters, as many as the marker has, so that no length changes.
        self._token = f"{self._run}{next(self._numbers) % 16**6:06x}"
        if request.body is not None:
            # A server may close a connection if it did not read the body to its end.
            self.close()
        self._send_bytes()

    def _send_bytes(self) -> None:
        with contextlib.suppress(OSError):  # `receive` finds the reply, or that there is none
            if self._sock is None:
                self._sock = socket.create_connection(self._address, timeout=REPLY_TIMEOUT_S)
                self._sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            raw = self._request.as_bytes(self._host)
            # In one piece: a server that refuses the head may close before the body is sent.
            self._sock.sendall(raw.replace(MARKER.encode(), self._token.encode()))

    def receive(self) -> Answer:
        """Return the answer to the request that was sent last."""
        try:
            try:
                return self._read()
            except ConnectionError:
                if self._request.body is not None:
                    raise
                # A server may close an idle connection at any time.
                self.close()
                self._send_bytes()
                return self._read()
        except (OSError, http.client.HTTPException) as error:
            self.close()
            return Answer(0, dict.fromkeys(_COMPARED_HEADERS), type(error).__name__.encode())

    def _read(self) -> Answer:
        if self._sock is None:
            raise ConnectionError
        with closing(http.client.HTTPResponse(self._sock, method=self._request.method)) as reply:
            reply.begin()
            body = reply.read().replace(self._token.encode(), MARKER.encode())
            received = {name: reply.headers.get_all(name) for name in _COMPARED_HEADERS}
            if reply.will_close or self._request.body is not None:
                self.close()
        headers = {
            name: ", ".join(texts).replace(self._token, MARKER) if texts else None
            for name, texts in received.items()
        }
        return _without_choices(self._request, Answer(reply.status, headers, body))


def _without_choices(request: Request, answer: Answer) -> Answer:
    """The answer without what each stack chooses for itself, such as the id of a new row."""
    promise = _samples_with_choices(answer.status).get(_place(request))
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
def _samples_with_choices(status: int) -> dict[tuple[str, str], Sample]:
    """Those of the samples by place that leave a choice to the stack."""
    samples = _samples_by_place(status).items()
    return {place: sample for place, sample in samples if _leaves_choice(sample.json)}


def _leaves_choice(expected: object) -> bool:
    """Whether the contract leaves a part of this value to the stack."""
    if isinstance(expected, dict):
        return any(map(_leaves_choice, expected.values()))
    if isinstance(expected, list):
        return any(map(_leaves_choice, expected))
    return not isinstance(expected, str | bytes | int | float | None | NoBody)


def _masked(expected: object, actual: object) -> object:
    """The actual value, in which a description replaces whatever the stack may choose."""
    if isinstance(expected, dict) and isinstance(actual, dict):
        return {name: _masked(expected.get(name), member) for name, member in actual.items()}
    if isinstance(expected, IntegerAbove):
        return f"above {expected.bound}" if fits(expected, actual) else actual
    if isinstance(expected, TextLike):
        return f"like {expected.pattern}" if fits(expected, actual) else actual
    return f"some {type(actual).__name__}" if _leaves_choice(expected) else actual
