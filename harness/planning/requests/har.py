"""A HAR file (HTTP Archive 1.2, as browsers and proxies save it) -> requests."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import SplitResult, urlsplit

from harness.errors import BadInput
from harness.models import OwnRequest, OwnRequests
from harness.planning.requests.credentials import (
    body_credentials,
    is_credential_header,
    query_credentials,
)
from harness.planning.requests.har_body import NotInFile, body_of
from harness.planning.requests.left_out import (
    CHANGES_STATE,
    CREDENTIAL_IN_PATH,
    LeftOut,
    listed,
    plural,
)
from harness.planning.requests.merge import merged, telling_status, uniquely_named
from harness.planning.requests.parts_of_requests import (
    CONDITIONAL,
    OF_THE_CONNECTION,
    TOKEN,
    is_sendable_value,
    path_of,
    without,
)
from harness.planning.requests.source_file import parsed_json, read_text
from harness.planning.requests.variables import escaped

#: The address that a request was sent to is not the one that it will be sent to.
_NOT_SENT = OF_THE_CONNECTION | CONDITIONAL | {"host"}

_NO_HTTP = "left out {n} of another protocol than HTTP ({names})"
_WEBSOCKET = "left out {n} to open a WebSocket"
_CREDENTIAL_IN_BODY = "left out {n} with credentials in the body ({names})"
_CREDENTIAL_HEADER = (
    "left out headers of {n} that are credentials ({names}): "
    "--header 'Authorization: ${{TOKEN}}' gives them"
)
_UNSENDABLE_HEADER = (
    "left out headers of {n} that have characters which no header may have ({names})"
)


class _CannotBeSent(Exception):
    """Why a request is left out, and what names belong to the reason."""

    def __init__(self, reason: str, names: Collection[str] = ()) -> None:
        super().__init__(reason)
        self.reason, self.names = reason, names


@dataclass(frozen=True, slots=True)
class _Entry:
    """An entry whose parts have the types that they must have."""

    method: str
    url: SplitResult
    request: Mapping[str, Any]
    status: int

    @property
    def host(self) -> str:
        return self.url.netloc.rpartition("@")[2].lower()


def read_har(path: Path, *, hosts: Collection[str] = (), writes: bool = False) -> OwnRequests:
    """The requests of a HAR file, equal ones as one with a weight.

    Args:
        path: The file, packed with gzip or not.
        hosts: Those whose requests are taken, `shop.example` or `shop.example:8443`; empty: the
            one that most requests went to.
        writes: Take requests too that may change state.

    Raises:
        BadInput: It can't be read, is no HAR, or has no request that can be sent.
    """
    entries = list(_entries_of(path, parsed_json(path, read_text(path))))
    left_out = LeftOut()
    over_http = []
    for entry in entries:
        if entry.url.scheme.lower() in ("http", "https") and entry.host:
            over_http.append(entry)
        else:
            left_out.add(_NO_HTTP, [f"{entry.url.scheme or 'no scheme'}:"])
    by_host = Counter(entry.host for entry in over_http)
    chosen = _chosen_hosts(path, by_host, hosts)
    requests = []
    for entry in over_http:
        if entry.host not in chosen:
            continue
        try:
            requests.append(_request_of(entry, left_out, writes=writes))
        except _CannotBeSent as no:
            left_out.add(no.reason, no.names)
    notes = [*_about_hosts(by_host, chosen), *left_out.notes()]
    if not requests:
        raise BadInput(f"{path}: has no request that can be sent: {'; '.join(notes)}")
    return OwnRequests(uniquely_named(merged(requests)), tuple(notes))


def _entries_of(path: Path, archive: Any) -> Iterator[_Entry]:
    log = archive.get("log") if isinstance(archive, dict) else None
    if not isinstance(log, dict):
        raise BadInput(
            f"{path}: has no 'log', so it is no HAR file: save one in the browser's tools"
        )
    entries = log.get("entries")
    if not isinstance(entries, list) or not entries:
        raise BadInput(f"{path}: its log has no entries: record some requests before saving it")
    for number, entry in enumerate(entries, 1):
        request = entry.get("request") if isinstance(entry, dict) else None
        if not isinstance(request, dict):
            raise BadInput(f"{path}: entry {number} has no request: take it out of the file")
        method, url = request.get("method"), request.get("url")
        if not isinstance(method, str) or not TOKEN.fullmatch(method):
            raise BadInput(f"{path}: entry {number}: its request's 'method' is no method of HTTP")
        if not isinstance(url, str) or not url:
            raise BadInput(f"{path}: entry {number}: its request has no 'url'")
        try:
            parts = urlsplit(url)
        except ValueError as error:
            raise BadInput(f"{path}: entry {number}: its request's 'url': {error}") from error
        response = entry.get("response")
        status = response.get("status") if isinstance(response, dict) else 0
        yield _Entry(method, parts, request, status if isinstance(status, int) else 0)


def _chosen_hosts(path: Path, by_host: Counter[str], hosts: Collection[str]) -> frozenset[str]:
    if not hosts:
        return frozenset(host for host, _ in by_host.most_common(1))
    wanted = {host.lower() for host in hosts}
    chosen = frozenset(
        host for host in by_host if host in wanted or host.rpartition(":")[0] in wanted
    )
    if not chosen:
        there = listed([host for host, _ in by_host.most_common()])
        raise BadInput(
            f"{path}: has no request to {listed(sorted(wanted))}, but to: {there or 'none'}"
        )
    return chosen


def _about_hosts(by_host: Counter[str], chosen: Collection[str]) -> Iterator[str]:
    others = [f"{count:,} to {host}" for host, count in by_host.most_common() if host not in chosen]
    if others:
        count = sum(count for host, count in by_host.items() if host not in chosen)
        taken = listed(sorted(chosen))
        yield f"takes the requests to {taken}; left out {plural(count, 'request')}: {listed(others)}"


def _request_of(entry: _Entry, left_out: LeftOut, *, writes: bool) -> OwnRequest:
    headers = list(_headers_of(entry.request))
    if entry.status == 101 or any(name == "upgrade" for name, _ in headers):
        raise _CannotBeSent(_WEBSOCKET)
    path = path_of(entry.url.geturl())
    if keys := query_credentials(path):
        raise _CannotBeSent(CREDENTIAL_IN_PATH, keys)
    request = OwnRequest("", entry.method, path, status=telling_status(entry.status))
    if request.changes_state and not writes:
        raise _CannotBeSent(CHANGES_STATE, [entry.method])
    try:
        body, content_type = body_of(entry.request, dict(reversed(headers)))
    except NotInFile as no:
        raise _CannotBeSent(str(no), [entry.method]) from None
    if keys := body_credentials(body or "", content_type):
        raise _CannotBeSent(_CREDENTIAL_IN_BODY, keys)
    if content_type and not any(name == "content-type" for name, _ in headers):
        headers.append(("content-type", content_type))
    sent = tuple((name, escaped(value)) for name, value in _sent(headers, left_out))
    body = None if body is None else escaped(body)
    return OwnRequest("", entry.method, path, sent, body, status=request.status)


def _headers_of(request: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Names in lower case, since HTTP/2 has no others; its pseudo headers are none."""
    headers = request.get("headers")
    for header in headers if isinstance(headers, list) else []:
        name, value = (
            (header.get("name"), header.get("value")) if isinstance(header, dict) else (0, 0)
        )
        if isinstance(name, str) and isinstance(value, str) and TOKEN.fullmatch(name):
            yield name.lower(), value


def _sent(headers: list[tuple[str, str]], left_out: LeftOut) -> list[tuple[str, str]]:
    """The headers that are sent again."""
    kept = without(headers, _NOT_SENT)
    credentials = [name for name, value in kept if is_credential_header(name, value)]
    if credentials:
        left_out.add(_CREDENTIAL_HEADER, credentials)
    unsendable = [name for name, value in kept if not is_sendable_value(value)]
    if unsendable:
        left_out.add(_UNSENDABLE_HEADER, unsendable)
    return without(kept, frozenset([*credentials, *unsendable]))
