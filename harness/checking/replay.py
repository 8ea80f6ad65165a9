"""Sends the same requests to services that run, and finds how their replies differ.

Each service is asked twice, one ask right after the other, so that what it draws for itself (a
time, an id, a token) is known. A time that changes once a second may be the same in both. So where
only values differ, both are asked a third time a little later, before anything changes their state.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from types import MappingProxyType

from harness.checking.causes import Causes, Draws
from harness.checking.contents import Redact, Said, excerpt, said
from harness.checking.differences import Drawings, Ignored, differing, drawings, without
from harness.checking.exchange import TIMEOUT_S, exchange, unreachable
from harness.checking.json_paths import json_path
from harness.checking.request import curl
from harness.errors import EnvironmentFailed
from harness.models import OwnRequest, ParityFound, ReplyDifference, ReplyFailure

#: For all requests; what is not sent by then is not sent.
BUDGET_S = 600.0
#: A clock that shows whole seconds has moved on after this.
_LATER_S = 1.1
#: Requests that wait for their third ask; each keeps its replies.
_MOST_PENDING = 50
#: Of a kind of note, so many requests are named.
_MOST_NAMED = 3
#: How long a service that refuses a connection may take to accept one again.
_PATIENCE_S = 2.0


def _as_it_is(request: OwnRequest) -> OwnRequest:
    return request


def replay(
    urls: Mapping[str, str],
    requests: Sequence[OwnRequest],
    *,
    twice: bool = True,
    allow_writes: bool = False,
    at_most: int | None = None,
    turn: int = 0,
    ignore: Sequence[str] = (),
    ignore_headers: Collection[str] = (),
    unverified: Collection[str] = (),
    paths: Mapping[str, Callable[[str], str]] = MappingProxyType({}),
    expand: Callable[[OwnRequest], OwnRequest] = _as_it_is,
    redacted: Redact = str,
    timeout_s: float = TIMEOUT_S,
    budget_s: float = BUDGET_S,
    request_done: Callable[[], None] = lambda: None,
) -> ParityFound:
    """Send requests to services and compare each reply with that of the first service.

    Args:
        urls: Label -> URL of a service that runs; the first is the reference.
        requests: What is sent, in this order; the same request is sent once.
        twice: Whether each service is asked twice, so that what it draws for itself is no difference.
        allow_writes: Whether requests that change state are sent too.
        at_most: How many requests are sent at most, spread evenly over all.
        turn: Which of such choices, so that one after the other takes all of them.
        ignore: Places in JSON that are not compared: `$.created_at`.
        ignore_headers: Names of headers that are not compared.
        unverified: Labels of services whose certificates are not verified.
        paths: Label -> what makes the service's own path of a request's.
        expand: Puts variables in where a request has `${NAME}`.
        redacted: Takes the values of such variables out of a text.
        timeout_s: For each request.
        budget_s: For all of them.
        request_done: Called after each request.

    Raises:
        BadInput: An expression of `ignore` can't be read, or a variable is not set.
        EnvironmentFailed: A service can't be reached, at first or any more.
    """
    ignored = Ignored(
        tuple(json_path(text) for text in ignore),
        frozenset(name.strip().lower() for name in ignore_headers),
    )
    chosen, left_out = _chosen(requests, allow_writes=allow_writes)
    skipped = 0
    if at_most is not None and len(chosen) > at_most:
        skipped = len(chosen) - at_most
        chosen = sample_of(chosen, at_most, turn)
    for request in chosen:  # a variable that is not set is found before anything is sent
        expand(request)
    services = {
        label: _Service(
            label, url, label not in unverified, paths.get(label, str), expand, redacted, timeout_s
        )
        for label, url in urls.items()
    }
    for service in services.values():
        service.reach()
    asking = _Replay(services, ignored, twice=twice)
    deadline = time.monotonic() + budget_s
    unsent = 0
    with ThreadPoolExecutor(max(1, len(services))) as threads:
        for place, request in enumerate(chosen):
            if time.monotonic() > deadline:
                unsent = len(chosen) - place
                break
            asking.ask(request, threads, where=f"request {place + 1} of {len(chosen)}")
            request_done()
        asking.settle(threads)
    notes = []
    if left_out:
        notes.append(f"{_count(left_out, 'request')} left out, since they may change state")
    if skipped:
        notes.append(f"{_count(skipped, 'request')} left out, so that it does not take too long")
    if unsent:
        notes.append(f"{_count(unsent, 'request')} not sent: {budget_s:g} s were over")
    return ParityFound(
        {label: service.shown for label, service in services.items()},
        len(chosen) - unsent,
        left_out,
        unsent,
        asking.causes.worst_first(),
        asking.draws.all(),
        (*notes, *asking.notes()),
        unanswered=asking.unanswered,
    )


def _chosen(requests: Sequence[OwnRequest], *, allow_writes: bool) -> tuple[list[OwnRequest], int]:
    """The requests to send, each reading one once, and how many that change state are left out."""
    chosen: list[OwnRequest] = []
    left_out = 0
    seen = set()
    for request in requests:
        if request.changes_state:
            if allow_writes:
                chosen.append(request)
            else:
                left_out += 1
            continue
        key = (request.method, request.path, request.headers, request.body)
        if key not in seen:
            seen.add(key)
            chosen.append(request)
    return chosen, left_out


def sample_of(requests: Sequence[OwnRequest], size: int, turn: int) -> list[OwnRequest]:
    """Some of the requests, spread evenly over all; others in each turn, until all had theirs."""
    count = len(requests)
    return [requests[(turn + place * count // size) % count] for place in range(size)]


def _count(count: int, noun: str) -> str:
    return f"{count:,} {noun} was" if count == 1 else f"{count:,} {noun}s were"


@dataclass(frozen=True, slots=True)
class _Service:
    """A service that is asked."""

    label: str
    url: str
    verify_tls: bool
    path_of: Callable[[str], str]
    expand: Callable[[OwnRequest], OwnRequest]
    redacted: Redact
    timeout_s: float

    @property
    def shown(self) -> str:
        """Its address, without secrets."""
        return self.redacted(self.url)

    def reach(self) -> None:
        """See that it accepts connections."""
        problem = unreachable(self.url, verify_tls=self.verify_tls, timeout_s=self.timeout_s)
        if problem:
            raise EnvironmentFailed(
                f"service {self.label} ({self.shown}) can't be reached: {problem}"
            )

    def ask(self, request: OwnRequest, where: str) -> Said:
        """Send it a request; one that accepts no connection any more ends the check."""
        own = self.expand(replace(request, path=self.path_of(request.path)))
        deadline = time.monotonic() + _PATIENCE_S
        while True:
            reply = exchange(
                self.url,
                own,
                verify_tls=self.verify_tls,
                timeout_s=self.timeout_s,
            )
            if reply.failure is not ReplyFailure.REFUSED:
                return said(reply, self.url, own.path, self.redacted)
            if time.monotonic() > deadline:
                raise EnvironmentFailed(
                    f"service {self.label} ({self.shown}) can't be reached any more, at {where} "
                    f"({excerpt(request.name)}): {reply.problem}"
                )
            time.sleep(0.1)

    def curl(self, request: OwnRequest) -> str:
        """A command that sends it the request."""
        own = replace(request, path=self.path_of(request.path))
        return curl(own, self.shown, verify_tls=self.verify_tls)


@dataclass(slots=True)
class _Asked:
    """A request, and what each service replied to it, time after time."""

    request: OwnRequest
    replies: dict[str, list[Said]]
    first_asked_s: float  # on the monotonic clock


@dataclass(slots=True)
class _Replay:
    """Asks, compares, and keeps what was found."""

    services: Mapping[str, _Service]
    ignored: Ignored
    twice: bool
    causes: Causes = field(default_factory=Causes)
    draws: Draws = field(default_factory=Draws)
    unanswered: int = 0
    _pending: list[_Asked] = field(default_factory=list)
    _notes: dict[str, list[str]] = field(default_factory=dict)  # what -> names of requests

    def ask(self, request: OwnRequest, threads: ThreadPoolExecutor, where: str) -> None:
        """Ask every service, and keep how they differ, at once or after another ask."""
        if request.changes_state:
            self.settle(threads)  # what was read before must be read again before it changes
        asked = _Asked(request, {label: [] for label in self.services}, time.monotonic())
        for _ in range(2 if self.twice else 1):
            self._ask_all(asked, threads, where)
        found = self._differences(asked)
        values = any(each.is_value for differences in found.values() for each in differences)
        if values and self.twice and not request.changes_state:
            self._pending.append(asked)
            if len(self._pending) >= _MOST_PENDING:
                self.settle(threads)
        else:
            self._keep(asked, found)

    def settle(self, threads: ThreadPoolExecutor) -> None:
        """Ask once more what is not decided, a little later."""
        pending, self._pending = self._pending, []
        if not pending:
            return
        wait_s = pending[-1].first_asked_s + _LATER_S - time.monotonic()
        time.sleep(max(0.0, wait_s))
        for asked in pending:
            self._ask_all(asked, threads, "the third ask")
            self._keep(asked, self._differences(asked))

    def _ask_all(self, asked: _Asked, threads: ThreadPoolExecutor, where: str) -> None:
        services = self.services.values()
        if asked.request.changes_state:  # one after the other, since both may have one database
            replies = [service.ask(asked.request, where) for service in services]
        else:
            replies = list(threads.map(lambda each: each.ask(asked.request, where), services))
        for label, reply in zip(self.services, replies, strict=True):
            asked.replies[label].append(reply)

    def _differences(self, asked: _Asked) -> dict[str, list[ReplyDifference]]:
        """Service -> how it differs from the first, without what either draws for itself."""
        reference, *others = self.services
        drawn = {label: drawings(said, self.ignored) for label, said in asked.replies.items()}
        found = {}
        for other in others:
            pair = _comparable(asked, reference, other)
            differences = list(differing(*pair, (reference, other), self.ignored))
            found[other] = without(differences, drawn[reference] | drawn[other])
        return found

    def _keep(self, asked: _Asked, found: Mapping[str, Collection[ReplyDifference]]) -> None:
        request = asked.request
        commands = {label: service.curl(request) for label, service in self.services.items()}
        for other, differences in found.items():
            self.causes.add(other, request.name, differences, commands)
        drawn = {label: drawings(said, self.ignored) for label, said in asked.replies.items()}
        self.draws.add({label: _places(each) for label, each in drawn.items()})
        self._note(asked)

    def _note(self, asked: _Asked) -> None:
        """What is worth knowing although it is no difference."""

        def note(what: str) -> None:
            self._notes.setdefault(what, []).append(asked.request.name)

        firsts = [replies[0] for replies in asked.replies.values()]
        failures = {reply.failure for reply in firsts}
        if len(failures) == 1 and firsts[0].failure is not None:
            self.unanswered += 1
            note(f"no service gave a whole reply ({firsts[0].failure})")
        expected = asked.request.status
        statuses = {reply.status for reply in firsts}
        if expected is not None and len(statuses) == 1 and statuses != {expected}:
            note(f"all replied {statuses.pop()}, where {expected} was expected")
        for label, replies in asked.replies.items():
            each = list(dict.fromkeys(reply.status or "no reply" for reply in replies))
            if len(each) > 1 and not asked.request.changes_state:
                note(
                    f"service {label} replied {' and then '.join(map(str, each))} to the same request"
                )

    def notes(self) -> list[str]:
        """A sentence for each kind of note."""
        found = []
        for what, names in self._notes.items():
            more = f" and {len(names) - _MOST_NAMED} more" if len(names) > _MOST_NAMED else ""
            found.append(f"{what}: {', '.join(map(excerpt, names[:_MOST_NAMED]))}{more}")
        return found


def _places(drawn: Drawings) -> set[str]:
    """The places for a reader, to whom the lines of a text are one."""
    places = drawn.values | drawn.anything
    return {"lines of the text" if place.startswith("line ") else place for place in places}


def _comparable(asked: _Asked, reference: str, other: str) -> tuple[Said, Said]:
    """The replies to compare: the first of both, or two of the same status if there are such.

    What changes state is answered in its own way each time, so there the first of both count.
    """
    here, there = asked.replies[reference], asked.replies[other]
    if not asked.request.changes_state and here[0].status != there[0].status:
        for one in here:
            for two in there:
                if one.status == two.status and one.failure is two.failure is None:
                    return one, two
    return here[0], there[0]
