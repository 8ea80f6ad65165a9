"""Finds a small request that shows the same difference as a large one."""

from __future__ import annotations

import dataclasses
import json
import re
from collections.abc import Callable, Iterator
from typing import Any

from harness.checking.json_bodies import NO_VALUE, parsed
from harness.checking.request import Request
from harness.checking.starting_points import StoredOnce, usable_samples


def smallest(request: Request, shows_it: Callable[[Request], bool], tries: int = 400) -> Request:
    """Return the smallest request that was found and still shows what `request` shows.

    Args:
        request: the request to begin with.
        shows_it: whether another request shows the same.
        tries: how many other requests to try at most.
    """
    once = StoredOnce.of(usable_samples())
    tried = {request}
    found = True
    while found:
        found = False
        for smaller in map(once.per_stack, _smaller_requests(request)):
            if smaller in tried or smaller.size >= request.size:
                continue
            if len(tried) > tries:
                return request
            tried.add(smaller)
            if shows_it(smaller):
                request, found = smaller, True
                break
    return request


def _smaller_requests(request: Request) -> Iterator[Request]:
    """Requests with something left out, beginning with those that leave out most."""
    replace = dataclasses.replace
    path, mark, query = request.path.partition("?")
    if request.body is not None:
        yield replace(request, body=None, chunked=False)
    if mark:
        yield replace(request, path=path)
    yield replace(request, chunked=False)
    for place in range(len(request.headers)):
        yield replace(request, headers=request.headers[:place] + request.headers[place + 1 :])
    parameters = query.split("&")
    for place in range(len(parameters) if mark else 0):
        rest = "&".join(parameters[:place] + parameters[place + 1 :])
        yield replace(request, path=f"{path}?{rest}" if rest else path)
    if request.body:
        value = parsed(request.body)
        for smaller in _smaller_values(value) if value is not NO_VALUE else ():
            body = json.dumps(smaller, ensure_ascii=request.body.isascii(), separators=(",", ":"))
            try:
                yield replace(request, body=body.encode())
            except UnicodeEncodeError:  # half a character
                yield replace(request, body=json.dumps(smaller).encode())
        for start, end in _cuts(len(request.body)):
            yield replace(request, body=request.body[:start] + request.body[end:])
    characters = _characters(request.path[1:])
    for start, end in _cuts(len(characters)):
        yield replace(request, path="/" + "".join(characters[:start] + characters[end:]))
    for place, (name, text) in enumerate(request.headers):
        for start, end in _cuts(len(text)):
            header = (name, (text[:start] + text[end:]).strip())
            headers = (*request.headers[:place], header, *request.headers[place + 1 :])
            yield replace(request, headers=headers)


def _cuts(length: int) -> Iterator[tuple[int, int]]:
    """Start and end of pieces to leave out: everything, the halves, the quarters, … each unit."""
    size = length
    while size:
        for start in range(0, length, size):
            yield start, min(start + size, length)
        size //= 2


def _characters(path: str) -> list[str]:
    """The characters of a path; a percent-encoded byte counts as a character."""
    return re.findall(r"%[0-9A-Fa-f]{2}|.", path, re.DOTALL)


def _smaller_values(value: Any) -> Iterator[Any]:
    """The JSON value with something left out."""
    if isinstance(value, dict):
        for name in value:
            yield {key: member for key, member in value.items() if key != name}
        for name, member in value.items():
            yield from ({**value, name: smaller} for smaller in _smaller_values(member))
    elif isinstance(value, list):
        for place in range(len(value)):
            yield value[:place] + value[place + 1 :]
        for place, element in enumerate(value):
            for smaller in _smaller_values(element):
                yield [*value[:place], smaller, *value[place + 1 :]]
    elif isinstance(value, str):
        for start, end in _cuts(len(value)):
            yield value[:start] + value[end:]
    elif isinstance(value, int) and abs(value) > 9:
        yield from (int(value / 2) if abs(value) < 2**53 else value // 10**9, value // 10)
