"""Services of the reader's own, and what is requested of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

#: What every client sends, where a request does not say otherwise.
_USUAL_HEADERS = (("accept", "*/*"), ("user-agent", "twinbench"))
_METHODS_WITH_BODY = frozenset({"POST", "PUT", "PATCH"})


@dataclass(frozen=True, slots=True)
class OwnRequest:
    """A request to services of the reader's own.

    Where a text has `${NAME}`, the variable of that name is put in at the moment of sending: so
    nothing secret is in a plan, and nothing secret gets into results.
    """

    name: str  # unique among the requests of a run: "GET /orders/7"
    method: str
    path: str  # percent-encoded, with the query
    headers: tuple[tuple[str, str], ...] = ()  # in their order; values may have ${NAME}
    body: str | None = None  # a character for each byte (latin-1), so that JSON can hold any body
    #: Status that the reply must have; None: the one with which the service answers at first, unless
    #: that is an error of its own (500 and above).
    status: int | None = None
    weight: int = 1  # how often it is sent, beside the others

    @property
    def changes_state(self) -> bool:
        """Whether its method is none of those that only read (RFC 9110, 9.2.1)."""
        return self.method not in {"GET", "HEAD", "OPTIONS", "TRACE"}

    @property
    def sent_body(self) -> bytes | None:
        """The body's bytes; none of them where its method wants a body and it has none."""
        if self.body is not None:
            return self.body.encode("latin-1")
        return b"" if self.method in _METHODS_WITH_BODY else None

    @property
    def sent_headers(self) -> tuple[tuple[str, str], ...]:
        """Its headers, and those that every client sends."""
        given = {name.lower() for name, _ in self.headers}
        return (*(pair for pair in _USUAL_HEADERS if pair[0] not in given), *self.headers)


@dataclass(frozen=True, slots=True)
class OwnRequests:
    """What is requested, and what of its source is not."""

    requests: tuple[OwnRequest, ...]
    #: What was left out or changed and why, a sentence each: "left out 12 requests that change state".
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class OwnService:
    """How a service of the reader's own is started, or where it runs already.

    `command` and `environment` may have `${NAME}`, as in requests.
    """

    url: str = ""  # of a service that runs already; empty: `command` starts it
    command: tuple[str, ...] = ()  # program and arguments, one of which has {port}
    ready: str = "/"  # path that answers once the service is ready, with any status below 500
    environment: Mapping[str, str] = field(default_factory=dict)  # variables of its own
    folder: str = ""  # working folder, absolute; empty: where twinbench was called
    python: str = ""  # the project's own interpreter, whose folder is first on PATH; absolute
    verify_tls: bool = True
    #: Beginnings of paths, as requests have them and as this service has them: ("/api/v1", "/v1").
    #: The first that fits is taken.
    paths: tuple[tuple[str, str], ...] = ()

    def path_of(self, path: str) -> str:
        """A request's path as this service has it."""
        for before, here in self.paths:
            rest = path.removeprefix(before)
            if rest != path and (not rest or before.endswith("/") or rest[0] in "/?"):
                return (here + rest) or "/"
        return path
