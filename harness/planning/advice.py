"""What to measure for a question about a traffic, as commands, and what can only be asked."""

from __future__ import annotations

import itertools
import math
import re
import shlex
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from apps import contract
from harness.models import Advice, Outcome, Question

#: Values that are easy to remember, around which a question lies.
_SERIES = (0, 1, 2, 5, 10, 20, 50, 100, 200, 500, 1_000, 2_000, 5_000)
_USERS = (1, 10, 100)
#: With less work, the CPU time of a unit drowns in that of the rest. Three values, so that the middle
#: one can be left out and predicted from the others.
_WORK = (0, 5, 20)


@dataclass(frozen=True, slots=True)
class Suggestion:
    """What would make an answer surer."""

    why: str
    command: str  # empty if no command of twinbench can


@dataclass(frozen=True, slots=True)
class YesNo:
    """A question that no measurement answers."""

    option: str  # with yes: "openapi" for --openapi and --no-openapi
    text: str
    yes: str  # what follows, as a fact
    no: str


QUESTIONS: Mapping[str, YesNo] = {
    asked.option: asked
    for asked in (
        YesNo(
            "async-team",
            "Does the team know how to write async Python?",
            "Both ways are open: `async def` handlers, and handlers in threads.",
            "Handlers in threads need no async Python: Flask's, and FastAPI's with `def` "
            "(stack fastapi-def). A call that blocks in an `async def` handler stops all requests of "
            "its worker (stack fastapi-blocking).",
        ),
        YesNo(
            "flask-extensions",
            "Does the service need Flask extensions?",
            "Flask extensions run in a Flask application only; a FastAPI application can mount a "
            "Flask one (stack fastapi-mounts-flask).",
            "No extension ties the service to Flask.",
        ),
        YesNo(
            "server-pages",
            "Does the server render HTML pages?",
            "Both twins render with Jinja: Flask brings it along, FastAPI needs it installed. The "
            "scenario page measures it; this answer does not contain it.",
            "Templates don't matter then.",
        ),
        YesNo(
            "openapi",
            "Do clients need an OpenAPI document?",
            "FastAPI makes it from the handlers' types; for Flask it is written by hand, as in this "
            "project, or made by an extension.",
            "An OpenAPI document doesn't matter then.",
        ),
    )
}


def first_command(question: Question) -> str:
    """The run that answers a question of which nothing is known yet.

    It has loads with the question's own waits and lookups, between which nothing has to be guessed.
    How much CPU time a unit of work takes is known after the run only.
    """
    queries = min(question.queries, contract.QUERIES_MAX)
    return _run(_USERS, (question.io_ms,), (queries,), _WORK if question.cpu_ms else (0,))


def suggestions(advice: Advice) -> Iterator[Suggestion]:
    """What would make the answer surer, what helps most first."""
    question, axes = advice.question, advice.axes
    work = round(advice.work) if math.isfinite(advice.work) else None
    stacks = tuple(each.stack for each in advice.predictions)
    if question.queries > contract.QUERIES_MAX or (work is not None and work > contract.WORK_MAX):
        yield Suggestion(
            f"the scenario {advice.scenario} takes at most {contract.QUERIES_MAX} queries and {contract.WORK_MAX} "
            "units of work, so no run reaches this question",
            "",
        )
        return
    work_values = _work_around(question, advice.work)
    if any(each.outcome is Outcome.UNKNOWN for each in advice.predictions) or work is None:
        yield Suggestion(
            "not every stack has an answer; this run has loads around the question",
            _run(
                tuple(sorted({1, *map(int, axes["users"])})),
                _around(question.io_ms),
                _around(question.queries, contract.QUERIES_MAX),
                work_values,
                stacks,
            ),
        )
    if work is not None:
        at = ((question.io_ms,), (question.queries,), work_values, stacks)
        if advice.between and advice.known:
            yield Suggestion(
                "the question lies between measured loads; this run has some at it",
                _run(_finer(axes["users"]), *at),
            )
        if any(each.is_least for each in advice.predictions):
            most = int(max(axes["users"]))
            yield Suggestion(
                f"with {most:,} users, the most measured, some stacks still keep the promise",
                _run((most, 3 * most), *at),
            )
        yield Suggestion(
            "the capacity can be measured itself, under random arrivals and with whole units of work",
            capacity_command(question, work, [each.stack for each in advice.serving]),
        )
    if question.connections is not None:
        lacking = [each for each in advice.predictions if each.held and each.held.reason]
        if lacking:
            most = max((each.held.each or 0) if each.held else 0 for each in lacking)
            count = most or question.connections
            yield Suggestion(
                "the memory of open connections is not known of every stack",
                shlex.join(
                    [
                        *("twinbench", "connections", "--held", "keep-alive"),
                        *("--connections", f"{max(20, count // 10)},{max(200, count)}"),
                        *_named([each.stack for each in lacking]),
                    ]
                ),
            )


def capacity_command(question: Question, work: int, stacks: Sequence[str] = ()) -> str:
    """The search that measures the answer itself."""
    return shlex.join(
        [
            *("twinbench", "capacity", "dashboard", "--slo", question.slo.text),
            *("--io-ms", f"{question.io_ms:g}", "--queries", f"{question.queries}"),
            *("--work", f"{work}"),
            *_named(stacks),
        ]
    )


def _run(
    users: Sequence[float],
    io_ms: Sequence[float],
    queries: Sequence[float],
    work: Sequence[float],
    stacks: Sequence[str] = (),
) -> str:
    loads = (("users", users), ("io-ms", io_ms), ("queries", queries), ("work", work))
    words = ["twinbench", "run", "dashboard"]
    for option, values in loads:
        words += [f"--{option}", ",".join(f"{value:g}" for value in values)]
    return shlex.join([*words, *_named(stacks)])


def _named(stacks: Sequence[str]) -> list[str]:
    """Options for stacks, by their names: a label may have a number behind it."""
    names = dict.fromkeys(re.split("[@#]", label)[0] for label in stacks)
    return [word for name in names for word in ("--stack", name)]


def _work_around(question: Question, units: float) -> tuple[int, ...]:
    """None, about the units that were asked for, and more: that measures a unit's CPU time too."""
    if not question.cpu_ms:
        return (0,)
    if math.isnan(units):
        return _WORK
    nearest = max(1, math.ceil(units))
    most = min(max(2 * nearest, _WORK[-1]), contract.WORK_MAX)
    return tuple(sorted({0, nearest, most}))


def _around(value: float, most: float = _SERIES[-1]) -> tuple[float, ...]:
    """The neighbours of a value in the series, or the value itself if it is one of them."""
    if value in _SERIES or value > most:
        return (value,)
    return next(
        (low, min(high, most))
        for low, high in itertools.pairwise((*_SERIES, math.inf))
        if low < value < high
    )


def _finer(users: Sequence[float]) -> tuple[int, ...]:
    """The measured numbers of users, with one more in each gap of more than a factor of four."""
    found = {1, *map(int, users)}
    between = {
        round(math.sqrt(low * high))
        for low, high in itertools.pairwise(sorted(found))
        if high > 4 * low
    }
    return tuple(sorted(found | between))
