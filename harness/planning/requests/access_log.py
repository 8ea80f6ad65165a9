r"""An access log -> requests: the most frequent ones, as often as the log has them.

Reads what Apache, nginx, Gunicorn, Uvicorn, Granian, Hypercorn and Werkzeug write: lines in which
the first text in quotes is the request, and the status follows. Common and combined form are two
such forms. Inside the quotes, nginx writes `\x22` for a quote, Apache and Gunicorn write `\"`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

from harness.errors import BadInput
from harness.models import OwnRequest, OwnRequests
from harness.planning.requests.credentials import query_credentials
from harness.planning.requests.left_out import CHANGES_STATE, CREDENTIAL_IN_PATH, LeftOut, plural
from harness.planning.requests.merge import (
    agreed_status,
    default_name,
    telling_status,
    uniquely_named,
)
from harness.planning.requests.parts_of_requests import path_of
from harness.planning.requests.source_file import opened

_LINE = re.compile(rb'(?:[^"\\]|\\.)*+"((?:[^"\\]|\\.)*+)" (\d{3})(?=\s|$)')
_REQUEST = re.compile(rb"([!#$%&'*+.^_`|~0-9A-Za-z-]+) ([^ ]+) HTTP/\d(?:\.\d)?")
_ESCAPE = re.compile(rb"\\(?:x([0-9A-Fa-f]{2})|([\\\"nrtbfv]))")
_CONTROL = {b"n": b"\n", b"r": b"\r", b"t": b"\t", b"b": b"\b", b"f": b"\f", b"v": b"\v"}
_FORM = 'each line must have the request in quotes and then its status, as in "GET / HTTP/1.1" 200'

_LONGEST_LINE_BYTES = 64 * 1024  # a file without line ends would be one line
#: Lines by which it is judged whether the file is an access log at all.
_LINES_JUDGED = 1000
#: Different requests that are counted at a time: about 100 MB. Beyond that the rarest are forgotten.
_MOST_COUNTED = 200_000
_EXCERPT_CHARACTERS = 60


def read_access_log(path: Path, *, writes: bool = False, most: int = 1000) -> OwnRequests:
    """The requests of an access log, most frequent first; their weights are how often it has them.

    Args:
        path: The log, packed with gzip or not. It is never in memory as a whole.
        writes: Take requests too that may change state. A log has no bodies.
        most: Different requests at most.

    Raises:
        BadInput: It can't be read, is no access log, or has no request that can be sent.
    """
    lines = _Lines()
    with opened(path) as file:
        for number, line in _lines_of(file):
            lines.count(line, number)
            if lines.seen == _LINES_JUDGED:
                lines.judge(path)
    lines.judge(path)
    left_out = LeftOut()
    found = _requests_of(lines.requests, left_out, writes=writes)
    if not found:
        why = "; ".join(left_out.notes()) or "it has no lines"
        raise BadInput(f"{path}: has no request that can be sent: {why}")
    found.sort(key=lambda request: -request.weight)
    return OwnRequests(
        uniquely_named(found[:most]), tuple(_notes(lines, left_out, found, most, writes=writes))
    )


@dataclass(slots=True)
class _Lines:
    """Lines, counted by request as it stands there and by status."""

    seen: int = 0
    others: int = 0  # lines of another form
    first_other: tuple[int, bytes] = (0, b"")
    requests: dict[tuple[bytes, bytes], int] = field(default_factory=dict)
    forgotten_lines: int = 0

    def count(self, line: bytes, number: int) -> None:
        if not line.strip():
            return
        self.seen += 1
        if not (found := _LINE.match(line)):
            self.others += 1
            self.first_other = self.first_other if self.others > 1 else (number, line)
            return
        key = (found[1], found[2])
        self.requests[key] = self.requests.get(key, 0) + 1
        if len(self.requests) > _MOST_COUNTED:
            self._forget_the_rarest()

    def judge(self, path: Path) -> None:
        """Refuse the file if most of its lines so far are of another form."""
        if self.others * 2 <= self.seen:
            return
        number, line = self.first_other
        text = line.decode("utf-8", "replace").strip()
        excerpt = "".join(one if one.isprintable() else "�" for one in text[:_EXCERPT_CHARACTERS])
        more = "…" if len(text) > _EXCERPT_CHARACTERS else ""
        raise BadInput(f"{path}:{number}: '{excerpt}{more}' is no line of an access log: {_FORM}")

    def _forget_the_rarest(self) -> None:
        by_count = sorted(self.requests.items(), key=lambda item: -item[1])
        self.requests = dict(by_count[: _MOST_COUNTED // 2])
        self.forgotten_lines += sum(count for _, count in by_count[_MOST_COUNTED // 2 :])


def _lines_of(file: BinaryIO) -> Iterator[tuple[int, bytes]]:
    """Lines with their numbers; of a very long one, the beginning."""
    number = 0
    while line := file.readline(_LONGEST_LINE_BYTES):
        number += 1
        yield number, line
        while line and not line.endswith(b"\n"):
            line = file.readline(_LONGEST_LINE_BYTES)


def _requests_of(
    counted: dict[tuple[bytes, bytes], int], left_out: LeftOut, *, writes: bool
) -> list[OwnRequest]:
    """The requests that can be sent; they have no names yet."""
    weights: dict[tuple[str, str], int] = {}
    statuses: dict[tuple[str, str], set[int | None]] = {}
    for (raw, status), count in counted.items():
        line = _REQUEST.fullmatch(_unescaped(raw))
        if line is None:
            left_out.add("left out {n} of another protocol than HTTP", count=count)
            continue
        method = line[1].decode("ascii")
        try:
            path = path_of(line[2])
        except ValueError:
            path = ""
        if not path or method == "CONNECT":
            left_out.add("left out {n} without a path", count=count)
        elif keys := query_credentials(path):
            left_out.add(CREDENTIAL_IN_PATH, keys, count)
        elif OwnRequest("", method, path).changes_state and not writes:
            left_out.add(CHANGES_STATE, [method], count)
        else:
            weights[method, path] = weights.get((method, path), 0) + count
            statuses.setdefault((method, path), set()).add(telling_status(int(status)))
    return [
        OwnRequest(
            default_name(method, path),
            method,
            path,
            status=agreed_status(statuses[method, path]),
            weight=weight,
        )
        for (method, path), weight in weights.items()
    ]


def _unescaped(raw: bytes) -> bytes:
    def character(found: re.Match[bytes]) -> bytes:
        if found[1]:
            return bytes([int(found[1], 16)])
        return _CONTROL.get(found[2], found[2])

    return _ESCAPE.sub(character, raw)


def _notes(
    lines: _Lines, left_out: LeftOut, found: list[OwnRequest], most: int, *, writes: bool
) -> Iterator[str]:
    taken = found[:most]
    if len(taken) < len(found) or lines.forgotten_lines:
        total = sum(request.weight for request in found) + lines.forgotten_lines
        share = int(100 * sum(request.weight for request in taken) / total)
        beyond = "more than " if lines.forgotten_lines else ""
        yield (
            f"takes the {len(taken):,} most frequent of {beyond}{plural(len(found), 'request')}: "
            f"{share} % of the lines"
        )
    if lines.others:
        are = "is no line" if lines.others == 1 else "are no lines"
        yield (
            f"left out {plural(lines.others, 'line')} that {are} of an access log, "
            f"the first of them line {lines.first_other[0]:,}"
        )
    yield from left_out.notes()
    if writes and any(request.changes_state for request in taken):
        yield "sends requests that may change state without a body, since an access log has none"
