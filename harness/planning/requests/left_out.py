"""Counts what of a source is not requested, and says so: a sentence for each reason."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field

_MOST_NAMED = 5


@dataclass(slots=True)
class LeftOut:
    """How many were left out for which reason, and what names belong to it."""

    _counts: dict[str, int] = field(default_factory=dict)
    _names: dict[str, dict[str, None]] = field(default_factory=dict)

    def add(self, reason: str, names: Collection[str] = (), count: int = 1) -> None:
        """Count one more.

        Args:
            reason: The sentence, with `{n}` for "12 requests", and `{names}` if it names any.
            names: Those that this one adds to it.
            count: How many there are of it.
        """
        self._counts[reason] = self._counts.get(reason, 0) + count
        self._names.setdefault(reason, {}).update(dict.fromkeys(names))

    def notes(self, thing: str = "request") -> list[str]:
        """The sentences, in the order in which their reasons came up."""
        return [
            reason.format(n=plural(count, thing), names=listed(sorted(self._names[reason])))
            for reason, count in self._counts.items()
        ]


def plural(count: int, thing: str) -> str:
    """`1 request`, `1,200 requests`."""
    return f"{count:,} {thing}{'' if count == 1 else 's'}"


def listed(names: Collection[str]) -> str:
    """Some names, and how many more there are."""
    shown = list(names)[:_MOST_NAMED]
    more = len(names) - len(shown)
    return ", ".join(shown) + (f" and {more:,} more" if more else "")


#: Reasons that several readers have.
CHANGES_STATE = "left out {n} that may change state ({names}): --allow-writes sends them"
CREDENTIAL_IN_PATH = "left out {n} with credentials in the path's query ({names})"
