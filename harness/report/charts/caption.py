"""The words around a chart, and the phrases that several charts share."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from harness.models import CellSummary, Measures
from harness.report import formats
from harness.report.metrics import MEDIAN, THROUGHPUT, Metric
from harness.report.view import ROUNDS_FOR_AN_INTERVAL, Part, View, overload_words


@dataclass(frozen=True, slots=True)
class Caption:
    """What stands around a chart."""

    title: str  # the question that the chart answers
    note: str  # unit, load, rounds, what the interval is
    reading: str  # how to read it
    alt: str  # the data in words, for those who can't see the chart


def joined(*pieces: str) -> str:
    """The pieces of a note that are not empty."""
    return " · ".join(piece for piece in pieces if piece)


def loads(parts: Sequence[Part]) -> str:
    """As in `closed load, 8 to 64 users`."""
    phrases = []
    asking = [part for part in parts if part.plan.scenario.measures is Measures.REQUESTS]
    users = sorted({part.plan.load.users for part in asking if not part.plan.load.is_open})
    if users:
        fewest = f"{users[0]:,} to " if len(users) > 1 else ""
        phrases.append(f"closed load, {fewest}{formats.plural(users[-1], 'user')}")
    phrases += dict.fromkeys(
        part.load for part in parts if part.plan.load.is_open or part not in asking
    )
    return "; ".join(phrases)


def whiskers(view: View) -> str:
    """What the lines through marks and bars are."""
    if view.fewest_rounds < ROUNDS_FOR_AN_INTERVAL:
        return f"{view.rounds_words}: no intervals, which need at least {ROUNDS_FOR_AN_INTERVAL}"
    return f"lines: 95{formats.NBSP}% intervals over {view.rounds_words}"


def any_open(parts: Sequence[Part]) -> bool:
    """Whether any of the parts is decided by latency at a given rate."""
    return any(part.headline == MEDIAN for part in parts)


def all_open(parts: Sequence[Part]) -> bool:
    """Whether all parts are decided by latency at a given rate."""
    return bool(parts) and all(part.headline == MEDIAN for part in parts)


def of_headlines(parts: Sequence[Part], words: Mapping[Metric, str], between: str = " ") -> str:
    """What is to be said of each metric that decides any of the parts."""
    wanted = {part.headline for part in parts} or {THROUGHPUT}
    return between.join(said for metric, said in words.items() if metric in wanted)


def cell_facts(parts: Iterable[Part], say: Callable[[CellSummary], str]) -> Iterator[str]:
    """Each cell in words, for those who can't see the chart."""
    for part in parts:
        for cell in part.cells:
            said = say(cell) if cell.valid else f"invalid ({formats.clean(cell.reason)})"
            if cell.valid and cell.overloaded:
                said += f", {overload_words(cell)}"
            yield f"{part.title}: {cell.stack} {said}"


def as_alt(facts: Iterable[str]) -> str:
    """Facts as one text."""
    phrases = "; ".join(facts)
    return f"{phrases}." if phrases else "Nothing was measured yet."
