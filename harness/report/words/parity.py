"""What is said of services that were sent the same requests."""

from __future__ import annotations

from collections.abc import Mapping

from harness.models import Cause, DifferenceKind, Drawn, LackingOperation, ParityFound
from harness.report import formats

KINDS: Mapping[DifferenceKind, str] = {
    DifferenceKind.NO_REPLY: "no reply",
    DifferenceKind.STATUS: "status",
    DifferenceKind.REDIRECT: "redirect",
    DifferenceKind.ERROR_SHAPE: "error shape",
    DifferenceKind.CONTENT_TYPE: "content type",
    DifferenceKind.STRUCTURE: "structure of the body",
    DifferenceKind.VALUE: "values in the body",
    DifferenceKind.COOKIE: "cookie",
    DifferenceKind.HEADER: "header",
    DifferenceKind.ENCODING: "encoding",
}


def title(found: ParityFound) -> str:
    """The question."""
    return "Do both answer the same?" if len(found.services) == 2 else "Do all answer the same?"


def conclusion(found: ParityFound) -> str:
    """What came out, in a sentence or two."""
    sent = f"{formats.plural(found.requests, 'request')} to {_everyone(found)}"
    if not (found.causes or found.lacking):
        unsent = f", but {_unsent(found)}" if found.unsent else ""
        silent = (
            f"; no service gave a whole reply to {found.unanswered:,}" if found.unanswered else ""
        )
        return f"No difference in {sent}{unsent}{silent}."
    parts = []
    if found.causes:
        parts.append(
            f"{formats.plural(len(found.causes), 'cause')} of differences in {sent}, worst first"
        )
    if found.lacking:
        parts.append(f"{formats.plural(len(found.lacking), 'operation')} that a service lacks")
    unsent = f" {_unsent(found).capitalize()}." if found.unsent else ""
    return f"{'; '.join(parts)}.{unsent}"


def _unsent(found: ParityFound) -> str:
    verb = "was" if found.unsent == 1 else "were"
    return f"{formats.plural(found.unsent, 'request')} {verb} not sent, for want of time"


def _everyone(found: ParityFound) -> str:
    names = [f"{label} ({formats.clean(url)})" for label, url in found.services.items()]
    return formats.listing(names)


def cause_words(cause: Cause, *, names_service: bool) -> str:
    """As in `status 404 instead of 200`."""
    said = formats.clean(cause.cause)
    return f"{cause.other}: {said}" if names_service else said


def lacking_words(each: LackingOperation) -> str:
    """As in `b lacks it; a's OpenAPI document has it`."""
    how = ", as its replies to OPTIONS say" if each.is_probed else ""
    return f"{each.lacking} lacks it{how}; the OpenAPI document of {each.within} has it"


def drawn_words(drawn: tuple[Drawn, ...], most: int = 8) -> str:
    """What was compared by its kind only, since services make it up each time; empty without any."""
    if not drawn:
        return ""
    named = [
        f"{formats.clean(each.place)} ({formats.listing(each.services)})" for each in drawn[:most]
    ]
    more = f" and {len(drawn) - most} more places" if len(drawn) > most else ""
    return (
        "These differ each time that the same service is asked, so their values are not compared: "
        f"{', '.join(named)}{more}."
    )
