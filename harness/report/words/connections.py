"""What is said of connections that are held."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from harness.models import ConnectionsPlan, Held, HeldPoint
from harness.report import formats

TITLES: Mapping[Held, str] = {
    Held.KEEP_ALIVE: "idle, kept alive",
    Held.WEBSOCKET: "WebSockets",
    Held.HALF_SENT: "half-sent requests",
}
STATES: Mapping[Held, str] = {
    Held.KEEP_ALIVE: "Idle, kept alive: each made one request and waits.",
    Held.WEBSOCKET: "WebSockets: each exchanged one message and stays open.",
    Held.HALF_SENT: "Half-sent requests: each sent a request without its end, as slow clients do.",
}


def others_served(point: HeldPoint, plan: ConnectionsPlan) -> str:
    """When an ordinary client got its reply."""
    if point.serves_others:
        return f"after {formats.number(point.visit_ms.value)}{formats.NBSP}ms"
    if point.answered:
        return f"{point.answered:,} of {point.visits:,} in time"
    return f"not within {patience_words(plan)}"


def others_beside(points: Iterable[HeldPoint]) -> str:
    """Whether one stack served ordinary clients, with as many connections held as it came to.

    As in `others served` or `others not served with 40 of 100`.
    """
    held = [point for point in points if point.asked]
    failed = next((point for point in held if not point.serves_others), None)
    if failed is None:
        return "others served" if held else ""
    who = "only some others" if failed.answered else "others not"
    return f"{who} served with {held_words(failed)}"


def patience_words(plan: ConnectionsPlan) -> str:
    """How long an ordinary client waits."""
    return f"{plan.patience_s:g}{formats.NBSP}s"


def held_words(point: HeldPoint) -> str:
    """How many of the connections the server held."""
    if point.held_least >= point.asked:
        return f"{point.asked:,}"
    return f"{point.held_least:,} of {point.asked:,}"


def fate_words(point: HeldPoint) -> str:
    """What became of the others; empty if there are none."""
    fates = [
        *([f"{point.closed_most:,} closed by the server"] if point.closed_most else []),
        *([formats.clean(point.example) or "no more were taken"] if point.failed_most else []),
    ]
    return ", ".join(fates)
