"""Gathers differences of many requests by what seems to cause them, worst first."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from harness.models import Cause, CauseExample, DifferenceKind, Drawn, ReplyDifference

#: Requests that are shown of each cause.
MOST_EXAMPLES = 3


class Causes:
    """Differences that were found so far, by their cause."""

    def __init__(self) -> None:
        self._examples: dict[tuple[str, DifferenceKind, str], list[CauseExample]] = {}
        self._requests: dict[tuple[str, DifferenceKind, str], int] = {}

    def add(
        self,
        other: str,
        request: str,
        differences: Collection[ReplyDifference],
        curl: Mapping[str, str],
    ) -> None:
        """Take the differences of one request; a cause counts once, however often it shows."""
        seen: set[tuple[str, DifferenceKind, str]] = set()
        for difference in differences:
            key = (other, difference.kind, difference.cause)
            if key in seen:
                continue
            seen.add(key)
            self._requests[key] = self._requests.get(key, 0) + 1
            examples = self._examples.setdefault(key, [])
            if len(examples) < MOST_EXAMPLES:
                examples.append(CauseExample(request, difference.detail, curl))

    def worst_first(self) -> tuple[Cause, ...]:
        """By kind, then by how many requests show it, then by name."""
        found = [
            Cause(kind, other, cause, self._requests[key], tuple(examples))
            for key, examples in self._examples.items()
            for other, kind, cause in [key]
        ]
        return tuple(
            sorted(found, key=lambda each: (each.kind.rank, -each.requests, each.cause, each.other))
        )


class Draws:
    """Places that services draw for themselves, over all requests."""

    def __init__(self) -> None:
        self._requests: dict[str, int] = {}
        self._services: dict[str, dict[str, None]] = {}

    def add(self, places: Mapping[str, Collection[str]]) -> None:
        """Take what each service draws in its replies to one request."""
        for place in {place for found in places.values() for place in found}:
            self._requests[place] = self._requests.get(place, 0) + 1
        for service, found in places.items():
            for place in found:
                self._services.setdefault(place, {})[service] = None

    def all(self) -> tuple[Drawn, ...]:
        """The most frequent first."""
        found = [
            Drawn(place, tuple(sorted(self._services[place])), requests)
            for place, requests in self._requests.items()
        ]
        return tuple(sorted(found, key=lambda each: (-each.requests, each.place)))
