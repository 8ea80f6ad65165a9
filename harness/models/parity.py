"""Whether services of the reader's own answer the same: replies, how they differ, and what causes it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum


class ReplyFailure(StrEnum):
    """Why there is no whole reply."""

    UNSENDABLE = "unsendable"  # the request is none that HTTP allows
    REFUSED = "refused"  # no connection came about
    TIMED_OUT = "timed out"
    CLOSED = "closed early"
    MALFORMED = "malformed"
    TOO_LARGE = "too large"


class Framing(StrEnum):
    """How a reader of a reply knows where its body ends."""

    NONE = "no body"
    LENGTH = "length"
    CHUNKED = "chunks"
    CLOSE = "end of the connection"


@dataclass(frozen=True, slots=True)
class Reply:
    """What came back for one request, or what was wrong with it."""

    failure: ReplyFailure | None = None
    problem: str = ""  # what was wrong, in words; empty: a whole reply
    status: int = 0  # 0: there is none
    headers: tuple[tuple[str, str], ...] = ()  # as they came, in order; names in lower case
    raw: bytes = b""  # the body as it came
    body: bytes = b""  # without its content encoding, if `is_decoded`
    is_decoded: bool = True
    protocol: str = ""  # "1.1"
    framing: Framing = Framing.NONE

    def header(self, name: str) -> str:
        """The values of a header with commas between them; empty if there is none."""
        return ", ".join(value for other, value in self.headers if other == name)


class DifferenceKind(StrEnum):
    """What two replies differ in, the worst first."""

    NO_REPLY = "no reply"
    STATUS = "status"
    REDIRECT = "redirect"
    ERROR_SHAPE = "error shape"
    CONTENT_TYPE = "content type"
    STRUCTURE = "structure"
    VALUE = "value"
    COOKIE = "cookie"
    HEADER = "header"
    ENCODING = "encoding"

    @property
    def rank(self) -> int:
        """0 for the worst."""
        return tuple(DifferenceKind).index(self)


@dataclass(frozen=True, slots=True)
class ReplyDifference:
    """One way in which the replies of two services to a request differ."""

    kind: DifferenceKind
    place: str  # "status", "$.items[*].price", "header vary": places of list elements are folded
    cause: str  # the same for all requests that seem to show the same mistake
    detail: str  # what this request shows of it
    #: Whether both have something of the same kind there, and only the value differs.
    is_value: bool = False


@dataclass(frozen=True, slots=True)
class CauseExample:
    """A request that shows a difference."""

    request: str  # its name
    detail: str
    curl: Mapping[str, str]  # service -> a command that sends the request to it


@dataclass(frozen=True, slots=True)
class Cause:
    """Differences that seem to have one cause."""

    kind: DifferenceKind
    other: str  # the service that differs from the reference
    cause: str
    requests: int  # that show it
    examples: tuple[CauseExample, ...]


@dataclass(frozen=True, slots=True)
class Drawn:
    """A place of replies where a service says something else each time it is asked."""

    place: str
    services: tuple[str, ...]
    requests: int  # whose replies have it


@dataclass(frozen=True, slots=True)
class LackingOperation:
    """An operation of one service's OpenAPI document that another does not have."""

    method: str
    path: str  # as the document writes it
    within: str  # the service that has it
    lacking: str  # the service that has not
    is_probed: bool = False  # found by asking the service, which has no document


@dataclass(frozen=True, slots=True)
class ParityFound:
    """What came out when the same requests were sent to several services."""

    services: Mapping[str, str]  # label -> URL; the others are compared with the first
    requests: int  # that were sent to each service
    left_out: int  # that change state, and were not sent
    unsent: int  # for which no time was left
    causes: tuple[Cause, ...]  # worst first
    drawn: tuple[Drawn, ...] = ()
    notes: tuple[str, ...] = ()
    lacking: tuple[LackingOperation, ...] = ()
    unanswered: int = 0  # to which no service gave a whole reply

    @property
    def agree(self) -> bool:
        """Whether everything was sent that was to be, somebody replied to it, and nothing differs."""
        return not (self.causes or self.lacking or self.unsent or self.unanswered)

    def lines(self) -> Iterator[str]:
        """A line for each cause, with the first request that shows it, and for each operation."""
        names = len(self.services) > 2
        for cause in self.causes:
            example = cause.examples[0]
            more = f" (and {cause.requests - 1} more)" if cause.requests > 1 else ""
            who = f"{cause.other}, " if names else ""
            yield f"{who}{example.request}: {example.detail}{more}"
        for each in self.lacking:
            yield f"{each.method} {each.path}: {each.lacking} lacks this operation of {each.within}"
