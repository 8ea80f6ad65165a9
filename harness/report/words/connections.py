"""What is said of connections that are held."""

from __future__ import annotations

from collections.abc import Mapping

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
    return f"not within {formats.number(plan.patience_s, 2)}{formats.NBSP}s"


def held_words(point: HeldPoint) -> str:
    """How many of the connections the server held, and what became of the others."""
    if point.held_least >= point.asked and not point.closed_most:
        return f"{point.asked:,}" if point.asked else "none yet"
    fates = [
        *([f"{point.closed_most:,} closed by the server"] if point.closed_most else []),
        *(["no more were taken"] if point.failed_most else []),
    ]
    said = f"{point.held_least:,} of {point.asked:,}"
    return f"{said} ({', '.join(fates)})" if fates else said
