"""The records that the contract is written in, and the JSON bytes that it promises."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import ClassVar, Literal, TypeAlias

#: What an endpoint can need beside the twin's own process.
Need: TypeAlias = Literal["database", "upstream", "classifier"]


@dataclass(frozen=True, slots=True)
class IntegerAbove:
    """Stands for a number that the server chooses: any integer above `bound`."""

    bound: int


@dataclass(frozen=True, slots=True)
class TextLike:
    """Stands for a text that the server chooses: any text that the whole pattern matches."""

    pattern: str


@dataclass(frozen=True, slots=True)
class FromReply:
    """A header that is built from members of the reply's own JSON, as in `/users/{id}`."""

    template: str


@dataclass(frozen=True, slots=True)
class NoBody:
    """Stands for the missing body of a reply to HEAD."""


NO_BODY = NoBody()


@dataclass(frozen=True, slots=True)
class Containing:
    """Stands for a body that each framework writes in its own way; it must contain `text`."""

    text: str


#: A JSON value in which a record may stand for a number or a text.
Expected: TypeAlias = (
    "bool | int | float | str | IntegerAbove | TextLike | list[Expected] | dict[str, Expected]"
    " | None"
)


@dataclass(frozen=True, slots=True)
class Sample:
    """One request and the reply that it must get. Header names are lower-case.

    Three headers matter beside content-type: allow, location and www-authenticate. A reply must
    not have one of them unless `reply_headers` names it.
    """

    name: str  # unique in the contract
    method: str
    path: str  # percent-encoded, with the query
    status: int
    json: Expected | bytes | Containing | NoBody  # bytes: the exact body, which is not JSON
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes | None = None
    content_type: str = "application/json"
    reply_headers: Mapping[str, str | FromReply] = field(default_factory=dict)
    chunked: bool = False  # the body is sent in chunks, without content-length


@dataclass(frozen=True, slots=True)
class Message:
    """One text that is sent over an open WebSocket. The echo adds its number, from 1."""

    name: str
    path: str
    text: str
    method: ClassVar[str] = "WS"

    def echo(self, number: int) -> str:
        """The reply that is due if this is message `number` of its connection."""
        return compact_json({"seq": number, "text": self.text}).decode()


@dataclass(frozen=True, slots=True)
class Exchange:
    """A conversation over one WebSocket: the client sends every text, then reads the replies.

    Afterwards the client closes the connection, unless the server closes it with its own code.
    """

    name: str  # unique in the contract
    path: str
    sent: tuple[str | bytes, ...]
    replies: tuple[str, ...]
    close_code: int = 1000


@dataclass(frozen=True, slots=True)
class Endpoint:
    """A method and a path, with what they need and their samples.

    `samples` takes a token of letters and digits. An email can be stored only once, so each call
    on the same database needs a new token.
    """

    method: str
    path: str
    summary: str
    samples: Callable[[str], Iterator[Sample]]
    needs: tuple[Need, ...] = ()  # every part that some good request to the endpoint uses

    @property
    def name(self) -> str:
        """Method and path, as scenarios name the endpoint: `GET /users/{id}`."""
        return f"{self.method} {self.path}"

    def has_path(self, path: str) -> bool:
        """Whether a request's path, with or without a query, has the form of this endpoint's."""
        pattern = re.sub(r"{\w+}", "[^/]+", self.path)
        return re.fullmatch(pattern, path.partition("?")[0]) is not None


def compact_json(value: Expected) -> bytes:
    """A JSON value in the bytes that both twins write: without blanks and without escapes."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()
