"""How two replies to the same request differ, and what of it a service draws for itself."""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from harness.checking.contents import Form, Said, error_shape, excerpt, value_excerpt
from harness.checking.json_paths import JsonPath, Place, written
from harness.models import DifferenceKind as Kind
from harness.models import Framing, ReplyDifference, ReplyFailure
from harness.models.credentials import is_credential_name

#: Of one reply; more tell a reader nothing.
_MOST_DIFFERENCES = 2_000
_HIDDEN = "***"

_FAILED = {
    ReplyFailure.UNSENDABLE: "can't be sent the request",
    ReplyFailure.REFUSED: "accepts no connection",
    ReplyFailure.TIMED_OUT: "does not reply in time",
    ReplyFailure.CLOSED: "closes the connection too early",
    ReplyFailure.MALFORMED: "replies with what is not HTTP",
    ReplyFailure.TOO_LARGE: "replies without an end, or with too much",
}

#: Headers that say nothing of what a service does.
_NEVER_COMPARED = frozenset(
    {
        *("date", "server", "content-length", "connection", "keep-alive", "transfer-encoding"),
        *("via", "x-powered-by", "age", "alt-svc", "trailer", "upgrade", "proxy-connection"),
        *("x-process-time", "x-runtime", "x-response-time", "server-timing"),
    }
)
#: Headers of which only whether they are there is compared: each service makes its own.
_PRESENCE = frozenset({"etag", "last-modified", "expires"})
#: Headers whose order and letters' size mean nothing.
_SETS = frozenset(
    {
        *("allow", "vary", "cache-control", "access-control-allow-methods"),
        *("access-control-allow-headers", "access-control-expose-headers", "accept-ranges"),
    }
)
#: Headers that state a policy, and so are the same for many requests: their values are a cause.
_POLICIES = _SETS | {
    *("www-authenticate", "strict-transport-security", "content-security-policy"),
    *("x-frame-options", "x-content-type-options", "referrer-policy", "permissions-policy"),
    *("access-control-allow-origin", "access-control-allow-credentials", "access-control-max-age"),
    *("retry-after", "content-language"),
}
#: Compared apart from the others.
_OF_THEIR_OWN = frozenset({"content-type", "location", "set-cookie", "content-encoding"})

#: The form of a text that stands for something else, which a client parses.
_TEXT_FORMS: tuple[tuple[str, re.Pattern[str]], ...] = (
    ("an HTTP date", re.compile(r"[A-Z][a-z]{2}, \d{2} [A-Z][a-z]{2} \d{4} \d{2}:\d{2}:\d{2} GMT")),
    ("an ISO time in UTC (Z)", re.compile(r"\d{4}-\d{2}-\d{2}T\d{2}:\d{2}(:\d{2}(\.\d+)?)?Z")),
    (
        "an ISO time with an offset",
        re.compile(r"\d{4}-\d{2}-\d{2}T\d{2}:\d{2}(:\d{2}(\.\d+)?)?[+-]\d{2}:?\d{2}"),
    ),
    (
        "an ISO time without a zone",
        re.compile(r"\d{4}-\d{2}-\d{2}T\d{2}:\d{2}(:\d{2}(\.\d+)?)?"),
    ),
    (
        "a time with a blank in it",
        re.compile(r"\d{4}-\d{2}-\d{2} \d{2}:\d{2}(:\d{2}(\.\d+)?)?([+-]\d{2}:?\d{2})?"),
    ),
    ("a date", re.compile(r"\d{4}-\d{2}-\d{2}")),
)


@dataclass(frozen=True, slots=True)
class Ignored:
    """What is not compared."""

    paths: tuple[JsonPath, ...] = ()
    headers: frozenset[str] = frozenset()  # in lower case

    def covers(self, place: Place) -> bool:
        """Whether a place in JSON is not compared."""
        return any(path.covers(place) for path in self.paths)


_NOTHING = Ignored()


@dataclass(frozen=True, slots=True)
class Drawings:
    """Places where a service said something else when it was asked again."""

    values: frozenset[str] = frozenset()  # only the value was another
    anything: frozenset[str] = field(default_factory=frozenset)

    def covers(self, difference: ReplyDifference) -> bool:
        """Whether two services may differ in this way, since each does so by itself."""
        place = difference.place
        if place in self.anything or (difference.is_value and place in self.values):
            return True
        return place.startswith("line ") and "text" in self.anything | self.values

    def __or__(self, other: Drawings) -> Drawings:
        """What either of two services draws."""
        return Drawings(self.values | other.values, self.anything | other.anything)


def drawings(asked: Sequence[Said], ignored: Ignored) -> Drawings:
    """What one service draws for itself, by its replies to the same request."""
    found = [
        difference
        for other in asked[1:]
        if asked[0].status == other.status
        for difference in differing(asked[0], other, ("", ""), ignored)
    ]
    return Drawings(
        frozenset(each.place for each in found if each.is_value),
        frozenset(each.place for each in found if not each.is_value),
    )


def differing(
    first: Said, other: Said, names: tuple[str, str], ignored: Ignored = _NOTHING
) -> Iterator[ReplyDifference]:
    """Yield how a reply differs from that of the reference.

    Args:
        first: The reference's reply.
        other: The reply of another service.
        names: What sentences call the two.
        ignored: What is not compared.
    """
    found = list(_differing(first, other, names, ignored))
    if first.address != other.address and any(each.is_value for each in found):
        # Each may name itself: in links, or where it repeats what it was asked.
        neutral = first.without_address(), other.without_address()
        still = {(each.kind, each.place) for each in _differing(*neutral, names, ignored)}
        found = [each for each in found if not each.is_value or (each.kind, each.place) in still]
    yield from found


def _differing(
    first: Said, other: Said, names: tuple[str, str], ignored: Ignored
) -> Iterator[ReplyDifference]:
    if first.failure is not other.failure:
        yield _no_reply(first, other, names)
        return
    if first.status != other.status:
        yield _status(first, other, names)
        if min(first.status, other.status) >= 400 and first.failure is None:
            yield from _error_shape(first, other)
        return
    if not first.status:
        return  # neither has a reply
    yield from _redirect(first, other, names)
    shapes = list(_error_shape(first, other)) if first.status >= 400 else []
    yield from shapes
    # What a redirect shows to a reader who does not follow it is no matter.
    if not shapes and None in (first.redirect, other.redirect):
        types = list(_content_type(first, other))
        yield from types
        yield from itertools.islice(
            _body(first, other, names, ignored, says_form=not types), _MOST_DIFFERENCES
        )
    yield from _cookies(first, other, names)
    yield from _headers(first, other, names, ignored)
    yield from _encodings(first, other)


# ------------------------------------------------------------------------ reply and status


def _no_reply(first: Said, other: Said, names: tuple[str, str]) -> ReplyDifference:
    sides = list(zip(names, (first, other), strict=True))
    causes = [f"{name} {_FAILED[side.failure]}" for name, side in sides if side.failure]
    details = [f"{name}: {side.problem}" for name, side in sides if side.failure]
    replied = [f"{name} replied {side.status}" for name, side in sides if side.failure is None]
    detail = "; ".join([*details, *replied])
    return ReplyDifference(Kind.NO_REPLY, "reply", "; ".join(causes), detail)


def _status(first: Said, other: Said, names: tuple[str, str]) -> ReplyDifference:
    said = f"status {other.status} instead of {first.status}"
    slashes = {name: _slash(side) for name, side in zip(names, (first, other), strict=True)}
    if slashes[names[0]] and slashes[names[0]] == slashes[names[1]]:
        said += f": both redirect to the same path {slashes[names[0]]}"
    else:
        for name, slash in slashes.items():
            said += f": {name} redirects to the same path {slash}" if slash else ""
    return ReplyDifference(Kind.STATUS, "status", said, said)


def _slash(side: Said) -> str:
    """What a redirect changes, if that is only the slash at the end of the path."""
    to = side.redirect
    if to is None or to.elsewhere or to.path.rstrip("/") != side.path.rstrip("/"):
        return ""
    return "with a slash at its end" if to.path.endswith("/") else "without its last slash"


def _redirect(first: Said, other: Said, names: tuple[str, str]) -> Iterator[ReplyDifference]:
    here, there = first.redirect, other.redirect
    if here is None or there is None:
        if here is not there:
            name = names[0] if here is None else names[1]
            said = f"{name} redirects without saying where to"
            yield ReplyDifference(Kind.REDIRECT, "redirect", said, said)
        return
    if here.elsewhere != there.elsewhere:
        own = "its own address"
        sides = zip(names, (here, there), strict=True)
        said = "redirects to another host: " + ", ".join(
            f"{name} to {to.elsewhere or own}" for name, to in sides
        )
        yield ReplyDifference(Kind.REDIRECT, "redirect host", said, said, is_value=True)
    if here.path != there.path:
        detail = f"redirects to {excerpt(there.path)} instead of {excerpt(here.path)}"
        if here.path.rstrip("/") == there.path.rstrip("/"):
            cause = "the redirect's target differs by the slash at its end"
        else:
            cause = re.sub(r"\d+", "…", detail)
        yield ReplyDifference(Kind.REDIRECT, "redirect path", cause, detail, is_value=True)
    if here.query != there.query:
        cause = "the redirect's target has another query"
        detail = (
            f"redirects with {excerpt(there.query) or 'no query'} "
            f"instead of {excerpt(here.query) or 'none'}"
        )
        yield ReplyDifference(Kind.REDIRECT, "redirect query", cause, detail, is_value=True)


def _error_shape(first: Said, other: Said) -> Iterator[ReplyDifference]:
    here, there = error_shape(first), error_shape(other)
    if here != there:
        said = f"an error is {excerpt(there)} instead of {excerpt(here)}"
        status = f"{first.status}: " if first.status == other.status else ""
        yield ReplyDifference(Kind.ERROR_SHAPE, "error", said, f"{status}{said}")


def _content_type(first: Said, other: Said) -> Iterator[ReplyDifference]:
    here, there = first.media_type, other.media_type
    if here != there:
        said = f"content-type {excerpt(there) or 'missing'} instead of {excerpt(here) or 'none'}"
        yield ReplyDifference(Kind.CONTENT_TYPE, "content-type", said, said, is_value=True)


# -------------------------------------------------------------------------------- bodies


def _body(
    first: Said, other: Said, names: tuple[str, str], ignored: Ignored, *, says_form: bool
) -> Iterator[ReplyDifference]:
    here, there = first.content, other.content
    if ignored.covers(()):
        return
    if here.form is not there.form:
        if says_form or Form.NOTHING in (here.form, there.form):
            said = f"{there.form} instead of {here.form}"
            yield ReplyDifference(Kind.STRUCTURE, "body", said, said)
        return
    match here.form:
        case Form.JSON:
            try:
                yield from _json(here.value, there.value, (), names, ignored)
            except RecursionError:
                said = "JSON that is too deep to be compared"
                yield ReplyDifference(Kind.STRUCTURE, "body", said, said)
        case Form.TEXT | Form.HTML:
            yield from _lines(here.text, there.text)
        case Form.BYTES if here.digest != there.digest:
            detail = (
                f"{there.size:,} bytes (SHA-256 {there.digest[:12]}…) instead of "
                f"{here.size:,} (SHA-256 {here.digest[:12]}…)"
            )
            yield ReplyDifference(Kind.VALUE, "bytes", "the bytes differ", detail, is_value=True)


def _json(
    here: Any, there: Any, place: Place, names: tuple[str, str], ignored: Ignored
) -> Iterator[ReplyDifference]:
    if ignored.covers(place):
        return

    def found(kind: Kind, cause: str, detail: str = "", *, is_value: bool = False) -> Any:
        whole = written(place, is_folded=True)
        folded, exact = excerpt(whole, 200), excerpt(written(place), 200)
        return ReplyDifference(
            kind, whole, f"{folded}: {cause}", f"{exact}: {detail or cause}", is_value
        )

    def shown(value: Any) -> str:
        """A value, unless it is a token or the like, which must not get into reports."""
        is_secret = any(isinstance(each, str) and is_credential_name(each) for each in place)
        return _HIDDEN if is_secret else value_excerpt(value)

    kinds = _kind_of(here), _kind_of(there)
    if kinds[0] != kinds[1]:
        yield found(Kind.STRUCTURE, f"{kinds[0]} in {names[0]}, {kinds[1]} in {names[1]}")
    elif isinstance(here, dict):
        for name in [*here, *(name for name in there if name not in here)]:
            inner = (*place, name)
            if name in here and name in there:
                yield from _json(here[name], there[name], inner, names, ignored)
            elif not ignored.covers(inner):
                yield _member(inner, names, is_missing=name in here)
    elif isinstance(here, list):
        if len(here) != len(there):
            yield found(
                Kind.STRUCTURE,
                "lists of different length",
                f"{len(here)} elements in {names[0]}, {len(there)} in {names[1]}",
            )
        for index, (one, two) in enumerate(zip(here, there, strict=False)):
            yield from _json(one, two, (*place, index), names, ignored)
    elif isinstance(here, str):
        forms = _text_form(here), _text_form(there)
        values = f"{shown(here)} in {names[0]}, {shown(there)} in {names[1]}"
        if all(forms) and forms[0] != forms[1]:
            cause = f"{forms[0]} in {names[0]}, {forms[1]} in {names[1]}"
            yield found(Kind.STRUCTURE, cause, f"{cause} ({values})")
        elif here != there:
            yield found(Kind.VALUE, "different values", values, is_value=True)
    elif here != there:
        values = f"{shown(here)} in {names[0]}, {shown(there)} in {names[1]}"
        yield found(Kind.VALUE, "different values", values, is_value=True)
    elif type(here) is not type(there):  # 1 and 1.0, which typed clients tell apart
        ways = [
            "with a decimal point" if isinstance(each, float) else "as a whole number"
            for each in (here, there)
        ]
        yield found(
            Kind.VALUE,
            f"written {ways[0]} in {names[0]}, {ways[1]} in {names[1]}",
            f"{here} in {names[0]}, {there} in {names[1]}",
            is_value=True,
        )


def _member(place: Place, names: tuple[str, str], *, is_missing: bool) -> ReplyDifference:
    said = f"missing in {names[1]}" if is_missing else f"only in {names[1]}"
    whole = written(place, is_folded=True)
    folded, exact = excerpt(whole, 200), excerpt(written(place), 200)
    return ReplyDifference(Kind.STRUCTURE, whole, f"{folded}: {said}", f"{exact}: {said}")


def _kind_of(value: Any) -> str:
    match value:
        case None:
            return "null"
        case bool():
            return "true or false"
        case int() | float():
            return "number"
        case str():
            return "text"
        case list():
            return "list"
        case _:
            return "object"


def _text_form(text: str) -> str:
    """What a text stands for, where its form tells; empty for most."""
    if not 10 <= len(text) <= 40:
        return ""
    return next((name for name, form in _TEXT_FORMS if form.fullmatch(text)), "")


def _lines(here: str, there: str) -> Iterator[ReplyDifference]:
    """A difference for each line, so that those that are drawn can be told from the others."""
    if here == there:
        return
    one, two = here.splitlines(), there.splitlines()
    pairs = list(itertools.zip_longest(one, two))
    is_same_length = len(one) == len(two)
    cause = "the text differs"
    nothing_found = True
    for number, (left, right) in enumerate(pairs, 1):
        if left == right:
            continue
        nothing_found = False
        detail = f"line {number}: {_line(right)} instead of {_line(left)}"
        place = f"line {number}" if is_same_length else "text"
        yield ReplyDifference(Kind.VALUE, place, cause, detail, is_value=True)
        if not is_same_length:
            return
    if nothing_found:
        detail = "the ends of lines differ"
        yield ReplyDifference(Kind.VALUE, "text", cause, detail, is_value=True)


def _line(line: str | None) -> str:
    return "nothing" if line is None else value_excerpt(line)


# ----------------------------------------------------------- cookies, headers, encodings


def _cookies(first: Said, other: Said, names: tuple[str, str]) -> Iterator[ReplyDifference]:
    for name in sorted(first.cookies.keys() | other.cookies.keys()):
        place = f"cookie {excerpt(name, 40)}"
        here, there = first.cookies.get(name), other.cookies.get(name)
        if here is None or there is None:
            said = f"{place}: {'only' if here is None else 'missing'} in {names[1]}"
            yield ReplyDifference(Kind.COOKIE, place, said, said)
            continue
        for attribute, describe in _COOKIE_ATTRIBUTES.items():
            one, two = describe(here), describe(there)
            if one != two:
                said = f"{place}: {two} instead of {one}"
                yield ReplyDifference(Kind.COOKIE, f"{place} {attribute}", said, said)


def _has(name: str, words: str) -> Callable[[dict[str, str]], str]:
    return lambda attributes: words if name in attributes else f"no {words}"


def _value_of(name: str, words: str) -> Callable[[dict[str, str]], str]:
    return lambda attributes: (
        f"{words}={excerpt(attributes[name], 60)}" if name in attributes else f"no {words}"
    )


def _lasting(attributes: dict[str, str]) -> str:
    """A cookie with either lives on when the browser is closed."""
    lasts = "max-age" in attributes or "expires" in attributes
    return "a lifetime" if lasts else "no lifetime (a session's cookie)"


_COOKIE_ATTRIBUTES: dict[str, Callable[[Any], str]] = {
    "secure": _has("secure", "Secure"),
    "httponly": _has("httponly", "HttpOnly"),
    "samesite": lambda attributes: _value_of("samesite", "SameSite")(
        {name: value.capitalize() for name, value in attributes.items()}
    ),
    "path": _value_of("path", "Path"),
    "domain": _value_of("domain", "Domain"),
    "lifetime": _lasting,
}


def _shown_header(name: str, said: Said) -> str:
    return _HIDDEN if is_credential_name(name) else excerpt(said.header(name))


def _headers(
    first: Said, other: Said, names: tuple[str, str], ignored: Ignored
) -> Iterator[ReplyDifference]:
    left_out = _NEVER_COMPARED | ignored.headers | _OF_THEIR_OWN
    for name in sorted((first.headers.keys() | other.headers.keys()) - left_out):
        place, shown = f"header {name}", excerpt(name, 60)
        if name not in first.headers or name not in other.headers:
            side = "missing" if name in first.headers else "only"
            said = f"{shown}: {side} in {names[1]}"
            value = _shown_header(name, first if name in first.headers else other)
            yield ReplyDifference(Kind.HEADER, place, said, f"{said} ({value})")
        elif name not in _PRESENCE:
            here, there = _normal(name, first.header(name)), _normal(name, other.header(name))
            if here != there:
                pair = f"{shown}: {excerpt(there)} instead of {excerpt(here)}"
                if is_credential_name(name):
                    pair = f"{shown}: different values"
                cause = pair if name in _POLICIES else f"{shown}: different values"
                yield ReplyDifference(Kind.HEADER, place, cause, pair, is_value=True)


def _normal(name: str, value: str) -> str:
    if name not in _SETS:
        return value.strip()
    parts = {part.strip() for part in value.split(",") if part.strip()}
    if name != "allow":
        parts = {part.lower() for part in parts}
    return ", ".join(sorted(parts))


def _encodings(first: Said, other: Said) -> Iterator[ReplyDifference]:
    def found(place: str, here: str, there: str) -> Iterator[ReplyDifference]:
        if here != there:
            said = f"{place} {excerpt(there) or 'none'} instead of {excerpt(here) or 'none'}"
            yield ReplyDifference(Kind.ENCODING, place, said, said, is_value=True)

    if first.media_type == other.media_type:
        yield from found("charset", first.charset, other.charset)
    codings = [side.header("content-encoding").lower() for side in (first, other)]
    yield from found("content-encoding", *codings)
    if first.protocol != other.protocol:
        said = f"HTTP/{other.protocol} instead of HTTP/{first.protocol}"
        yield ReplyDifference(Kind.ENCODING, "protocol", said, said, is_value=True)
    elif codings[0] == codings[1] and Framing.NONE not in (first.framing, other.framing):
        yield from found("the body's end by", first.framing, other.framing)


def without(differences: Collection[ReplyDifference], drawn: Drawings) -> list[ReplyDifference]:
    """Differences that are none of what a service draws for itself."""
    return [each for each in differences if not drawn.covers(each)]
