"""What a reply says, read once: status, headers, cookies, redirect, and what kind of body it has.

Secrets are taken out here, so that nothing that is made from these records can show one.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Any
from urllib.parse import urljoin, urlsplit

from harness.checking.exchange import target_of
from harness.checking.json_bodies import NO_VALUE
from harness.models import Framing, Reply, ReplyFailure

Redact = Callable[[str], str]

_DEFAULT_PORTS = {"http": 80, "https": 443}


class Form(StrEnum):
    """What a body is."""

    NOTHING = "no body"
    JSON = "JSON"
    HTML = "HTML"
    TEXT = "text"
    BYTES = "bytes"


@dataclass(frozen=True, slots=True)
class Content:
    """A body, in the form in which it is compared."""

    form: Form
    value: Any = NO_VALUE  # of JSON
    text: str = ""  # of text and HTML
    size: int = 0
    digest: str = ""  # of bytes


@dataclass(frozen=True, slots=True)
class Redirect:
    """Where a reply sends its reader."""

    elsewhere: str  # scheme, host and port of another address; empty: the service itself
    path: str
    query: str  # with the fragment


@dataclass(frozen=True, slots=True)
class Said:
    """What a reply says, without secrets."""

    failure: ReplyFailure | None
    problem: str
    status: int
    headers: Mapping[str, tuple[str, ...]]  # by their names in lower case
    content: Content
    protocol: str
    framing: Framing
    redirect: Redirect | None = None
    path: str = ""  # that was requested, as the service sees it
    cookies: Mapping[str, Mapping[str, str]] = field(default_factory=dict)  # name -> attributes
    address: str = ""  # of the service, as replies name it; empty where that is an everyday word

    def without_address(self) -> Said:
        """The same reply, in which a service's own address is no longer to be told from another's."""
        if not self.address:
            return self

        def neutral(text: str) -> str:
            return text.replace(self.address, "<its address>")

        content = replace(
            self.content,
            value=mapped(self.content.value, neutral),
            text=neutral(self.content.text),
        )
        headers = {name: tuple(map(neutral, values)) for name, values in self.headers.items()}
        return replace(self, content=content, headers=headers)

    def header(self, name: str) -> str:
        """The values of a header with commas between them; empty if there is none."""
        return ", ".join(self.headers.get(name, ()))

    @property
    def media_type(self) -> str:
        """As in `application/json`; empty if there is none."""
        return self.header("content-type").partition(";")[0].strip().lower()

    @property
    def charset(self) -> str:
        """As in `utf-8`; empty if none is named."""
        found = re.search(r";\s*charset\s*=\s*\"?([\w.:-]+)", self.header("content-type"), re.I)
        name = found[1].lower() if found else ""
        return "utf-8" if name == "utf8" else name


def said(reply: Reply, url: str, path: str, redacted: Redact = str) -> Said:
    """Read a reply.

    Args:
        reply: As it came.
        url: Of the service.
        path: That was requested.
        redacted: Takes secrets out of a text.
    """
    headers: dict[str, tuple[str, ...]] = {}
    for name, value in reply.headers:
        headers[name] = (*headers.get(name, ()), redacted(value))
    location = reply.header("location")
    is_redirect = 300 <= reply.status < 400 and bool(location)
    found = Said(
        reply.failure,
        redacted(reply.problem),
        reply.status,
        headers,
        Content(Form.NOTHING),
        reply.protocol,
        reply.framing,
        _redirect(url, path, location, redacted) if is_redirect else None,
        path.partition("?")[0],
        _cookies(headers.get("set-cookie", ())),
        redacted(_address(url)),
    )
    if reply.failure is not None:
        return found
    return replace(found, content=_content(reply, found.media_type, found.charset, redacted))


# -------------------------------------------------------------------------------- bodies


def _content(reply: Reply, media_type: str, charset: str, redacted: Redact) -> Content:
    body = reply.body
    if not body:
        return Content(Form.NOTHING)
    as_bytes = Content(Form.BYTES, size=len(body), digest=hashlib.sha256(body).hexdigest())
    if not reply.is_decoded:
        return as_bytes
    try:
        text = body.decode(charset or "utf-8")
    except (UnicodeError, LookupError):
        try:
            text = body.decode()
        except UnicodeDecodeError:
            return as_bytes
    says_json = media_type == "application/json" or media_type.endswith("+json")
    if says_json or text.lstrip()[:1] in ("{", "["):
        value = _json_value(text, redacted)
        if value is not NO_VALUE:
            return Content(Form.JSON, value, size=len(body))
    if "\0" in text:
        return as_bytes
    start = text.lstrip("\ufeff \t\r\n")[:15].lower()
    is_html = media_type == "text/html" or start.startswith(("<!doctype html", "<html"))
    return Content(Form.HTML if is_html else Form.TEXT, text=redacted(text), size=len(body))


def _json_value(text: str, redacted: Redact) -> Any:
    """The value, as every reader of JSON would have it; NO_VALUE if it is none."""

    def refuse(constant: str) -> None:
        raise ValueError(f"{constant} is not JSON")

    try:
        return mapped(json.loads(text, parse_constant=refuse), redacted)
    except (ValueError, RecursionError):
        return NO_VALUE


def mapped(value: Any, change: Callable[[str], str]) -> Any:
    """A JSON value in which all texts and names are changed."""
    match value:
        case str():
            return change(value)
        case list():
            return [mapped(each, change) for each in value]
        case dict():
            return {change(name): mapped(each, change) for name, each in value.items()}
        case _:
            return value


def error_shape(found: Said) -> str:
    """How an error says what is wrong, in words; the same for bodies that a client reads alike."""
    content = found.content
    match content.form:
        case Form.JSON:
            return _json_shape(content.value, found.media_type)
        case Form.HTML:
            # Werkzeug's own page, which Flask sends for every error without a handler.
            is_werkzeug = re.match(
                r"\s*<!doctype html>\s*<html lang=\"?en\"?>\s*<title>\d{3} ", content.text, re.I
            )
            return "Flask's HTML page" if is_werkzeug else "an HTML page"
        case Form.NOTHING:
            return "no body"
        case _:
            return f"plain {content.form}"


def _json_shape(value: Any, media_type: str) -> str:
    if not isinstance(value, dict):
        return f"a JSON {'list' if isinstance(value, list) else 'text'}"
    names = set(value)
    if media_type == "application/problem+json" or {"type", "title", "status"} <= names:
        return "a problem document"
    if names == {"detail"}:
        detail = value["detail"]
        if isinstance(detail, list) and all(
            isinstance(each, dict) and {"loc", "msg"} <= each.keys() for each in detail
        ):
            return "FastAPI's list of what is invalid"
        return "FastAPI's detail"
    shown = sorted(names)[:4]
    more = ", …" if len(names) > len(shown) else ""
    return f"JSON with {', '.join(shown)}{more}" if shown else "an empty JSON object"


# ------------------------------------------------------------------- redirects and cookies


def _address(url: str) -> str:
    """Host and port; empty for a host such as `localhost`, which texts name for other reasons."""
    address = urlsplit(url).netloc.rpartition("@")[2]
    return address if "." in address or ":" in address else ""


def _origin(scheme: str, host: str | None, port: int | None) -> str:
    default = _DEFAULT_PORTS.get(scheme)
    shown = f"[{host}]" if host and ":" in host else host or ""
    return f"{scheme}://{shown}{'' if port in (None, default) else f':{port}'}"


def _redirect(url: str, path: str, location: str, redacted: Redact) -> Redirect:
    base = urlsplit(url)
    try:
        whole = urlsplit(urljoin(f"{base.scheme}://{base.netloc}{target_of(url, path)}", location))
        there = _origin(whole.scheme, whole.hostname, whole.port)
    except ValueError:  # no URL at all
        return Redirect("", redacted(location), "")
    is_here = there == _origin(base.scheme, base.hostname, base.port)
    own, prefix = whole.path or "/", base.path.rstrip("/")
    if is_here and prefix and own.startswith(f"{prefix}/"):
        own = own[len(prefix) :]
    query = f"?{whole.query}" if whole.query else ""
    rest = f"{query}#{whole.fragment}" if whole.fragment else query
    return Redirect("" if is_here else redacted(there), redacted(own), redacted(rest))


def _cookies(lines: tuple[str, ...]) -> dict[str, dict[str, str]]:
    """Name -> attributes, as RFC 6265 (5.2) reads them; values of cookies are left out."""
    found: dict[str, dict[str, str]] = {}
    for line in lines:
        pair, *rest = line.split(";")
        attributes = {}
        for part in rest:
            name, _, value = part.partition("=")
            if name.strip():
                attributes[name.strip().lower()] = value.strip()
        found[pair.partition("=")[0].strip()] = attributes
    return found


# ---------------------------------------------------------------------------- in few words


def excerpt(text: str, characters: int = 80) -> str:
    """A text from elsewhere for a line: no control characters, and not too long."""
    shown = "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)
    return shown if len(shown) <= characters else f"{shown[:characters]}…"


def value_excerpt(value: Any) -> str:
    """A JSON value for a line."""
    return excerpt(json.dumps(value, ensure_ascii=False))
