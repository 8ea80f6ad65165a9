"""WS /live, the one endpoint that is not HTTP."""

from __future__ import annotations

from collections.abc import Iterator

from apps import problems
from apps.contract.building import get_problem, wrong_method
from apps.contract.records import Exchange, Message, Sample
from apps.domain.catalogue import item, user


def live_message(number: int) -> Message:
    """WS /live: a line of a chat, in which user `number` asks about item `number`."""
    text = f"{user(number).name}: {item(number).name}?"
    return Message(f"live message {number}", "/live", text)


def exchanges() -> list[Exchange]:
    """Every conversation over WS /live."""
    texts = ("hello", "", " Zoë 明 ", '{"a": "b\\n"}', "x" * 100_000)
    numbered = tuple(Message("", "/live", text).echo(seq) for seq, text in enumerate(texts, 1))
    return [
        Exchange("live: texts", "/live", texts, numbered),
        Exchange("live: nothing said", "/live", (), ()),
        Exchange("live: bytes after a text", "/live", ("hello", b"hello"), numbered[:1], 1003),
    ]


def plain_requests() -> Iterator[Sample]:
    """Requests to /live that do not ask for a WebSocket."""
    yield get_problem("live without an upgrade", "/live", problems.upgrade_required())
    yield wrong_method("POST", "/live", allow="GET")
