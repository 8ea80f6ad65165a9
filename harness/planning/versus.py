"""Services of the reader's own, and what to request of them -> a Plan."""

from __future__ import annotations

import dataclasses
import ipaddress
import re
import shlex
import socket
from collections.abc import Mapping, Sequence
from pathlib import Path
from urllib.parse import SplitResult, urlsplit

from apps import contract
from harness.errors import BadInput, BadOption, UnknownName
from harness.models import (
    OWN,
    Kind,
    OwnRequest,
    OwnRequests,
    OwnService,
    Plan,
    Scenario,
    Slo,
    Stack,
)
from harness.planning.capacity import CapacityOptions, plan_capacity
from harness.planning.options import RunOptions
from harness.planning.plan import Catalogue, make_plan
from harness.planning.requests.credentials import (
    refuse_credentials_in_command,
    refuse_literal_credentials,
)
from harness.planning.requests.parts_of_requests import percent_encoded
from harness.planning.requests.tables import problem_of_path

#: The name of the one scenario.
VERSUS = "versus"
PORT = "{port}"
#: With more kinds of requests than these, figures of each of them are more than anybody reads.
_MOST_ROWS = 12
#: A load process has each request in its deck as often as its weight says.
_MOST_DECK = 10_000
#: As many as keep most services busy, and few enough that latency is not only waiting. Servers of
#: development have a queue of five connections, and what finds it full waits for a second or more.
_USERS = 4
_WARMUP_S = 1.0
#: Longer than for the twins, since nothing is known of what such services do now and then.
_LEAST_SLICE_S = 0.2


def service_of(place: str, text: str, stacks: Mapping[str, Stack]) -> Stack:
    """What `--a` and its like name: a stack, an address, or a command that starts a service.

    Args:
        place: "a", "b" …, by which a service is called that has no name.
        text: As the user wrote it.
        stacks: By name.

    Raises:
        BadInput: It is none of these.
    """
    option = f"--{place}"
    if not text.strip():
        raise BadOption(option, "''", f"give a stack, an address or a command with {PORT}")
    if text in stacks:
        return stacks[text]
    if "://" in text and not any(character.isspace() for character in text):
        return own_stack(place, OwnService(url=checked_url(option, text)))
    try:
        words = tuple(shlex.split(text))
    except ValueError as error:
        raise BadInput(
            f"{option}: the command can't be split into words: {error}", parameter=option
        ) from None
    if len(words) == 1 and PORT not in text:
        try:
            raise UnknownName("stack", text, stacks)
        except UnknownName as error:
            raise BadInput(
                f"{option} {error}; or give an address (http://127.0.0.1:8000) or a command with {PORT}",
                parameter=option,
            ) from None
    return own_stack(
        place, OwnService(command=checked_command(option, words), folder=str(Path.cwd()))
    )


def own_stack(name: str, service: OwnService) -> Stack:
    """A service as a contender."""
    what = service.url or shlex.join(service.command)
    return Stack(
        name=name,
        label=name,
        twin=OWN,
        app="",
        server=OWN,
        isolates=f"a service of your own: {what}",
        own=service,
    )


def checked_command(where: str, words: tuple[str, ...]) -> tuple[str, ...]:
    """The words of a command, if they say where its port goes.

    Raises:
        BadInput: They don't.
    """
    if not words:
        raise BadInput(f"{where}: the command is empty: give a program and its arguments")
    if not any(PORT in word for word in words):
        raise BadInput(
            f"{where}: the command has no {PORT}: write {PORT} where it takes the port that it listens "
            f"on, such as 'gunicorn shop.wsgi:app -b 127.0.0.1:{PORT}'"
        )
    refuse_credentials_in_command(where, words)
    return words


def checked_url(where: str, text: str) -> str:
    """An address, if it is one of a service.

    Raises:
        BadInput: It is not, or it has a password in it.
    """
    parts = _split(where, text)
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise BadInput(f"{where} {_shown(text)}: give an address such as http://127.0.0.1:8000")
    if parts.username is not None or parts.password is not None:
        raise BadInput(
            f"{where}: an address must have no user name and no password, which would get into results: "
            "give a header 'authorization' with ${NAME} instead"
        )
    if parts.query or parts.fragment:
        raise BadInput(
            f"{where} {_shown(text)}: leave out what follows the path: requests have their own"
        )
    if any(character.isspace() for character in text):
        raise BadInput(f"{where}: an address has no blanks: write %20")
    if "${" in text:
        raise BadInput(f"{where} {text}: an address has no ${{NAME}}: let your shell put it in")
    if problem := problem_of_path(parts.path or "/"):
        raise BadInput(f"{where} {_shown(text)}: its path {problem}")
    return text.rstrip("/")


def checked_ready(where: str, path: str) -> str:
    """The path that says that a service is ready, percent-encoded.

    Raises:
        BadInput: It is no path, or has a credential in it.
    """
    if problem := problem_of_path(path):
        raise BadInput(f"{where} '{path.partition('?')[0]}' {problem}", parameter=where)
    refuse_literal_credentials(where, path=path)
    return percent_encoded(path)


def _shown(text: str) -> str:
    """An address without what may be secret."""
    return re.sub(r"//[^/?#]*@", "//", text).partition("?")[0].partition("#")[0]


def _split(where: str, text: str) -> SplitResult:
    try:
        parts = urlsplit(text)
        if parts.port == 0:
            raise ValueError("port 0 is none")
        (parts.hostname or "").encode("idna")
    except ValueError as error:
        raise BadInput(
            f"{where} {_shown(text)}: {_problem(error)}: give an address such as http://127.0.0.1:8000"
        ) from None
    return parts


def _problem(error: ValueError) -> str:
    return "no such host can be" if isinstance(error, UnicodeError) else str(error)


def refuse_foreign_hosts(stacks: Sequence[Stack], *, own_this_host: bool) -> None:
    """Refuse to load a host that may be somebody else's.

    Raises:
        BadInput: A service is beyond this machine, and nobody said that it may be loaded.
    """
    for stack in stacks:
        if stack.own is None or not stack.own.url or own_this_host:
            continue
        host = urlsplit(stack.own.url).hostname or ""
        if not _is_loopback(host):
            raise BadInput(
                f"service '{stack.label}' is on {host}, which is not this machine: load can harm it; "
                "if you may put load on it, say so with --i-own-this-host"
            )


def _is_loopback(host: str) -> bool:
    """Whether a host is this machine; names below localhost may stand for another one somewhere."""
    if host == "localhost" or host.endswith(".localhost"):
        try:
            found = {str(each[4][0]) for each in socket.getaddrinfo(host, None)}
        except OSError:
            return True  # nobody is there, which is said when it is asked
    else:
        found = {host}
    try:
        return all(ipaddress.ip_address(each.partition("%")[0]).is_loopback for each in found)
    except ValueError:
        return False


def with_paths(stacks: Sequence[Stack], maps: Sequence[str]) -> list[Stack]:
    """The services with path maps such as `b:/api/v1/*=/v1/*`.

    Raises:
        BadInput: A map can't be read, or names no service.
    """
    found = list(stacks)
    for text in maps:
        label, _, rest = text.partition(":")
        before, equals, here = rest.partition("=")
        places = [at for at, stack in enumerate(found) if stack.own and stack.label == label]
        if not places or not equals:
            known = ", ".join(stack.label for stack in found if stack.own) or "none"
            advice = (
                f"write a service and two beginnings, as in 'b:/api/v1/*=/v1/*' (services: {known})"
            )
            raise BadOption("--map", text, advice)
        pair = path_pair("--map", before, here)
        for at in places:
            own = found[at].own
            assert own is not None
            own = dataclasses.replace(own, paths=(*own.paths, pair))
            found[at] = dataclasses.replace(found[at], own=own)
    return found


def path_pair(where: str, before: str, here: str) -> tuple[str, str]:
    """Two beginnings of paths, each of which may end with `*`.

    Raises:
        BadInput: One is none.
    """
    pair = (before.strip().removesuffix("*"), here.strip().removesuffix("*"))
    for text in pair:
        if not text.startswith("/") or "*" in text:
            raise BadInput(f"{where}: '{text}' is no beginning of a path such as '/api/v1/*'")
    return pair


def with_headers(requests: OwnRequests, headers: Sequence[tuple[str, str]]) -> OwnRequests:
    """The requests with headers that each of them has, in place of its own of that name."""
    names = {name.lower() for name, _ in headers}

    def of(request: OwnRequest) -> OwnRequest:
        kept = (pair for pair in request.headers if pair[0].lower() not in names)
        return dataclasses.replace(request, headers=(*kept, *headers))

    return dataclasses.replace(requests, requests=tuple(map(of, requests.requests)))


def without_writes(requests: OwnRequests, *, allowed: bool) -> OwnRequests:
    """The requests that only read, and a note on the others; all of them if writing is allowed."""
    reads = tuple(request for request in requests.requests if not request.changes_state)
    left_out = len(requests.requests) - len(reads)
    if allowed or not left_out:
        return requests
    word = "requests" if left_out > 1 else "request"
    note = f"left out {left_out} {word} that may change state: --allow-writes sends them"
    return OwnRequests(reads, (*requests.notes, note))


def versus_catalogue(
    stacks: Sequence[Stack], requests: Sequence[OwnRequest], locustfile: str = ""
) -> Catalogue:
    """A catalogue of nothing but these services and one scenario.

    Raises:
        BadInput: There is nothing to compare, or nothing to request.
    """
    if len(stacks) < 2:
        raise BadInput("two services are compared: give --a and --b")
    if not requests and not locustfile:
        raise BadInput(
            "nothing to request: give --get /path, --requests, --har, --access-log, --openapi or "
            "--locustfile"
        )
    named = _by_name(stacks)
    scenario = Scenario(
        name=VERSUS,
        file="",
        kind=Kind.MIXED,
        question="Which of them serves these requests better?",
        endpoints=_endpoints(requests),
        stacks=tuple(named),
        users=_USERS,
        warmup_s=_WARMUP_S,
        least_slice_s=_LEAST_SLICE_S,
        needs=_needs(stacks, requests, known=not locustfile),
        requests=_within_deck(requests),
        locustfile=locustfile,
    )
    return Catalogue(scenarios={VERSUS: scenario}, stacks=named)


def versus_plan(
    catalogue: Catalogue,
    options: RunOptions,
    *,
    slo: Slo | None = None,
    calibrated_slice_s: float | None = None,
) -> Plan:
    """Plan a comparison of services; with a promise, a search for their capacity.

    Raises:
        BadInput: An option has no meaning here.
    """
    contenders = catalogue.scenarios[VERSUS].stacks
    if slo is None:
        options = dataclasses.replace(options, scenarios=(VERSUS,), stacks=contenders, ladder=False)
        return make_plan(catalogue, options, calibrated_slice_s=calibrated_slice_s)
    if options.users or options.rates_rps:
        raise BadInput("--slo searches for the rate: leave out --users and --rate")
    idle: Mapping[str, object] = {
        "--fail-if": options.fail_ifs,
        "--against": options.against,
        "--precision": options.precision,
        "--slice": options.slice_s,
        "--arrivals": options.arrivals,
    }
    for option, given in idle.items():
        if given:
            raise BadInput(
                f"{option} has no meaning in a search (--slo): leave one of them out",
                parameter=option,
            )
    plan = plan_capacity(
        catalogue,
        CapacityOptions(
            scenario=VERSUS,
            slo=slo,
            profile=options.profile,
            seed=options.seed,
            stacks=contenders,
            rounds=options.rounds,
            minutes=options.minutes,
            generators=options.generators,
        ),
    )
    return dataclasses.replace(plan, same_within=options.same_within)


def _by_name(stacks: Sequence[Stack]) -> dict[str, Stack]:
    """The contenders; a stack that takes part twice has a number in its second name."""
    named: dict[str, Stack] = {}
    for stack in stacks:
        count = sum(each.name.partition("#")[0] == stack.name for each in named.values())
        if count and stack.own is not None:
            raise BadInput(f"two services are called '{stack.name}': give them different names")
        name = stack.name if not count else f"{stack.name}#{count + 1}"
        named[name] = dataclasses.replace(stack, name=name, label=name)
    return named


def _endpoints(requests: Sequence[OwnRequest]) -> tuple[str, ...]:
    """The requests that have figures of their own."""
    names = tuple(request.name for request in requests)
    return names if len(names) <= _MOST_ROWS else ()


def _within_deck(requests: Sequence[OwnRequest]) -> tuple[OwnRequest, ...]:
    """The requests with weights of about the same proportions, whose sum is not too large."""
    total = sum(request.weight for request in requests)
    if total <= _MOST_DECK:
        return tuple(requests)
    share = _MOST_DECK / total
    return tuple(
        dataclasses.replace(request, weight=max(1, round(request.weight * share)))
        for request in requests
    )


def _needs(
    stacks: Sequence[Stack], requests: Sequence[OwnRequest], *, known: bool
) -> tuple[str, ...]:
    """What the twins among the contenders need to answer: everything, if requests are not known."""
    if all(stack.own is not None for stack in stacks):
        return ()
    endpoints = {endpoint.name for endpoint in contract.ENDPOINTS}
    if not known:
        return contract.needs(endpoints)
    names = {
        f"{request.method} {contract.path_template(request.method, request.path)}"
        for request in requests
    }
    return contract.needs(names & endpoints)
