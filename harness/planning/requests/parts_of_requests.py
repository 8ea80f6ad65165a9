"""Paths and headers of requests from elsewhere, in the form in which they can be sent."""

from __future__ import annotations

import re
from collections.abc import Iterable
from urllib.parse import quote, urlsplit

TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")  # RFC 9110, 5.6.2: methods, names of headers
_VARIABLE = re.compile(r"(\$\{[A-Za-z_][A-Za-z0-9_]*\})")
#: What may stand in a path or a query (RFC 3986), and `%`, since it may be encoded already.
_AS_THEY_ARE = "!#$%&'()*+,-./:;=?@[]_~"

#: Headers of one connection, and those that whoever sends a request makes by itself.
OF_THE_CONNECTION = frozenset({
    "connection", "content-length", "expect", "http2-settings", "keep-alive", "proxy-connection",
    "te", "trailer", "transfer-encoding", "upgrade",
})  # fmt: skip
#: The same request gets the whole reply without them, and not "not modified".
CONDITIONAL = frozenset({
    "if-none-match", "if-modified-since", "if-match", "if-unmodified-since", "if-range",
})  # fmt: skip


def percent_encoded(path: str | bytes) -> str:
    """A path with its query, with `%XX` for every byte that may not stand in it; of text: UTF-8.

    What is encoded already stays so.
    """
    if isinstance(path, str):  # half a surrogate pair, which JSON may have, stands for no byte
        return quote(path, safe=_AS_THEY_ARE, errors="replace")
    return quote(path, safe=_AS_THEY_ARE)


def percent_encoded_around_variables(path: str) -> str:
    """As `percent_encoded`, but `${NAME}` stays."""
    parts = _VARIABLE.split(path)
    return "".join(
        part if number % 2 else percent_encoded(part) for number, part in enumerate(parts)
    )


def path_of(target: str | bytes) -> str:
    """Path and query of a URL or of a request's target, percent-encoded; empty if it has no path.

    Raises:
        ValueError: It is no URL.
    """
    encoded = percent_encoded(target)
    if encoded.startswith("/"):  # two slashes at the beginning would be an authority to urlsplit
        return encoded.partition("#")[0]
    parts = urlsplit(encoded)
    if not parts.netloc or parts.scheme.lower() not in ("http", "https"):
        return ""
    return (parts.path or "/") + (f"?{parts.query}" if parts.query else "")


def is_sendable_value(value: str) -> bool:
    """Whether a header may have this value: a character for each byte, and no control character."""
    return re.fullmatch(r"[\t -~\x80-\xff]*", value) is not None


def without(headers: Iterable[tuple[str, str]], names: frozenset[str]) -> list[tuple[str, str]]:
    """The headers that have none of these names, which are in lower case."""
    return [(name, value) for name, value in headers if name.lower() not in names]
