"""What all readers of requests do in the end: equal requests become one, and each gets its name."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Sequence

from harness.models import OwnRequest

#: Names are for people; a query may be thousands of characters long.
_LONGEST_NAME_CHARACTERS = 100


def default_name(method: str, path: str) -> str:
    """`GET /orders/7`, cut where it is longer than a person reads."""
    name = f"{method} {path}"
    if len(name) <= _LONGEST_NAME_CHARACTERS:
        return name
    return f"{name[: _LONGEST_NAME_CHARACTERS - 1]}…"


def telling_status(status: int) -> int | None:
    """The status that a service owes to the same request at another time; None if this one can't tell.

    A part (206) or "not modified" (304) is owed to headers that are not sent again; 408, 429, 499
    and those from 500 on say that something failed or was too much at that time.
    """
    if not 200 <= status < 500 or status in {206, 304, 408, 429, 444, 499}:
        return None
    return status


def agreed_status(statuses: Iterable[int | None]) -> int | None:
    """The only status among those that are known; None if they differ, or none is known."""
    known = {status for status in statuses if status is not None}
    return known.pop() if len(known) == 1 else None


def merged(requests: Iterable[OwnRequest]) -> tuple[OwnRequest, ...]:
    """Each different request once, in the order in which it came first, with their weights summed.

    Names and statuses make no difference; see `agreed_status`.
    """
    alike: dict[OwnRequest, list[OwnRequest]] = {}
    for request in requests:
        bare = dataclasses.replace(request, name="", status=None, weight=1)
        alike.setdefault(bare, []).append(request)
    return tuple(
        dataclasses.replace(
            same[0],
            status=agreed_status(request.status for request in same),
            weight=sum(request.weight for request in same),
        )
        for same in alike.values()
    )


def uniquely_named(
    requests: Sequence[OwnRequest], taken: Iterable[str] = ()
) -> tuple[OwnRequest, ...]:
    """The requests with a number behind names that others had before them: `GET /orders/7 (2)`.

    A request without a name gets `METHOD path`.

    Args:
        requests: In their order.
        taken: Names that may not be given.
    """
    used = set(taken)
    tries: dict[str, int] = {}  # so that a thousand equal names take a thousand steps
    result = []
    for request in requests:
        name = wanted = request.name or default_name(request.method, request.path)
        while name in used:
            tries[wanted] = tries.get(wanted, 1) + 1
            name = f"{wanted} ({tries[wanted]})"
        used.add(name)
        result.append(dataclasses.replace(request, name=name))
    return tuple(result)
