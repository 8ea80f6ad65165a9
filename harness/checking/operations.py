"""Operations of OpenAPI documents, and which of them another service does not have."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import replace
from types import MappingProxyType
from typing import Any
from urllib.parse import urlsplit

from harness.checking.contents import excerpt
from harness.checking.exchange import exchange
from harness.models import LackingOperation, OwnRequest

Document = Mapping[str, Any]
#: Method and path without the names of parameters -> the path as the document writes it.
Operations = dict[tuple[str, str], str]

_METHODS = ("get", "put", "post", "delete", "patch", "trace")
_DOCUMENT_PATH = "/openapi.json"
#: What no service has: whoever answers this as if it were there says nothing about paths.
_NOWHERE = "/twinbench-asks-for-a-path-that-is-not-there"
#: More are not asked for; each takes a request.
_MOST_PROBES = 500
#: Requests that are tried until a service replies to one that it has the path.
_MOST_KNOWN_PATHS = 5


def fetched(url: str, *, verify_tls: bool = True) -> Document | None:
    """The OpenAPI document that a service serves at /openapi.json; None if it has none."""
    request = OwnRequest("the OpenAPI document", "GET", _DOCUMENT_PATH)
    reply = exchange(url, request, verify_tls=verify_tls)
    if reply.failure is not None or reply.status != 200:
        return None
    try:
        value = json.loads(reply.body)
    except (ValueError, RecursionError):
        return None
    return value if is_document(value) else None


def is_document(value: object) -> bool:
    """Whether a JSON value looks like an OpenAPI document."""
    return (
        isinstance(value, dict)
        and ("openapi" in value or "swagger" in value)
        and isinstance(value.get("paths"), dict)
    )


def operations(document: Document, requested: Callable[[str], str] = str) -> Operations:
    """All operations; two paths are the same if only the names of their parameters differ."""
    base = _base(document)
    found: Operations = {}
    for path, item in document["paths"].items():
        if not isinstance(item, dict) or not isinstance(path, str):
            continue
        whole = requested(f"{base}/{path.lstrip('/')}")
        for method in _METHODS:
            if method in item:
                found.setdefault((method.upper(), re.sub(r"\{[^{}]*\}", "{}", whole)), whole)
    return found


def lacking_operations(
    urls: Mapping[str, str],
    documents: Mapping[str, Document],
    requests: Sequence[OwnRequest],
    *,
    unverified: Collection[str] = (),
    paths: Mapping[str, Callable[[str], str]] = MappingProxyType({}),
    requested: Mapping[str, Callable[[str], str]] = MappingProxyType({}),
) -> tuple[tuple[LackingOperation, ...], tuple[str, ...]]:
    """Operations that a service has and another lacks, and notes on what can't be told.

    Args:
        urls: Label -> URL of a service that runs; the first is the reference.
        documents: Label -> its document where the caller has one; the others are asked for theirs.
        requests: What is requested of the services, without any `${NAME}`: paths that they know.
        unverified: Labels of services whose certificates are not verified.
        paths: Label -> what makes the service's own path of a request's.
        requested: Label -> what makes a request's path of the service's own.
    """
    known: dict[str, Operations] = {}
    for label, url in urls.items():
        document = documents.get(label) or fetched(url, verify_tls=label not in unverified)
        if document is not None:
            known[label] = operations(document, requested.get(label, str))
    if not known:
        return (), ()
    found: list[LackingOperation] = []
    notes: list[str] = []
    if len(known) > 1:
        found += lacking(known)
    within = next(iter(known))
    for label in urls.keys() - known.keys():

        def ask(request: OwnRequest, label: str = label) -> tuple[int, str]:
            reply = exchange(
                urls[label],
                replace(request, path=paths.get(label, str)(request.path)),
                verify_tls=label not in unverified,
            )
            return reply.status, reply.header("allow")

        reads = [each for each in requests if each.method == "GET"][:_MOST_KNOWN_PATHS]
        there = next((each for each in reads if 200 <= ask(each)[0] < 300), None)
        if there is None:
            notes.append(
                f"service {label} has no OpenAPI document to compare with that of {within}"
            )
            continue
        more, note = probed(within, known[within], label, ask, there.path)
        found += more
        notes += [note] if note else []
    return tuple(found), tuple(notes)


def lacking(known: Mapping[str, Operations]) -> Iterator[LackingOperation]:
    """What of the first service's document each other lacks, and what the first lacks of theirs."""
    first, *others = known
    for other in others:
        for within, lacks in ((first, other), (other, first)):
            for key, path in known[within].items():
                if key not in known[lacks]:
                    yield LackingOperation(key[0], excerpt(path, 200), within, lacks)


def probed(
    within: str,
    described: Operations,
    label: str,
    ask: Callable[[OwnRequest], tuple[int, str]],
    known_path: str,
) -> tuple[list[LackingOperation], str]:
    """Ask a service without a document, by OPTIONS, which paths of another's document it has.

    Args:
        within: The service that has the document.
        described: What it says.
        label: The service that is asked.
        ask: Sends it a request and returns status and `allow` of the reply.
        known_path: A path that it does have.

    Returns:
        What it lacks, and why that can't be told (empty if it can).
    """

    def answer(path: str) -> tuple[int, str]:
        return ask(OwnRequest(f"OPTIONS {path}", "OPTIONS", path))

    if answer(_NOWHERE)[0] != 404 or answer(known_path)[0] == 404:
        return (
            [],
            f"service {label} has no OpenAPI document, and its replies to OPTIONS don't tell paths",
        )
    found: list[LackingOperation] = []
    answers: dict[str, tuple[int, str]] = {}
    left_out = 0
    for (method, folded), path in described.items():
        if folded not in answers:
            if len(answers) >= _MOST_PROBES:
                left_out += 1
                continue
            answers[folded] = answer(_filled_in(path))
        status, allow = answers[folded]
        # Only the list of a 2xx names all methods: that of Starlette's 405 is one route's.
        allowed = {name.strip().upper() for name in allow.split(",")} if allow else set()
        if status == 404 or (200 <= status < 300 and allowed and method not in allowed):
            found.append(LackingOperation(method, excerpt(path, 200), within, label, True))
    return found, f"{left_out} operations were not asked for" if left_out else ""


def _base(document: Document) -> str:
    """The path that stands before all paths."""
    if isinstance(document.get("basePath"), str):
        return str(document["basePath"]).rstrip("/")
    servers = document.get("servers")
    if isinstance(servers, list) and servers and isinstance(servers[0], dict):
        url = servers[0].get("url")
        if isinstance(url, str) and "{" not in url:
            try:
                return urlsplit(url).path.rstrip("/")
            except ValueError:  # it is no address
                return ""
    return ""


def _filled_in(path: str) -> str:
    """The path with a value for each parameter: 1, which numbers and texts both take."""
    return re.sub(r"\{[^{}]*\}", "1", path)
