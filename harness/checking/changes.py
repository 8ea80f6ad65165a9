"""Changes a draft of a request at random, in what the twins read: method, path, query, headers, body.

Servers refuse what is not HTTP, each in its own words, so a change leaves valid HTTP. `draw` draws
from a Hypothesis strategy; Hypothesis thereby knows every decision, and a seed repeats them.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias
from urllib.parse import parse_qsl, quote, unquote

from hypothesis import strategies as st

from apps.contract import Sample
from harness.checking import odd_values
from harness.checking.json_bodies import NO_VALUE, parsed, texts_in
from harness.checking.request import Request

Draw: TypeAlias = Callable[[st.SearchStrategy[Any]], Any]


@dataclass
class Draft:
    """A request in parts that can be changed separately."""

    method: str
    path: str
    query: list[tuple[str, str]]  # percent-encoded
    headers: list[tuple[str, str]]
    body: bytes | None
    chunked: bool = False

    @classmethod
    def of(cls, sample: Sample) -> Draft:
        """Take a sample apart."""
        path, _, query = sample.path.partition("?")
        return cls(
            sample.method,
            path,
            [_name_and_value(part) for part in query.split("&")] if query else [],
            list(sample.headers.items()),
            sample.body,
            sample.chunked,
        )

    def finished(self) -> Request:
        """Put the parts together."""
        query = "&".join(f"{name}={value}" if name else value for name, value in self.query)
        return Request(
            self.method,
            self.path + ("?" + query if query else ""),
            tuple(self.headers),
            self.body,
            self.chunked and self.body is not None,
        )


def _name_and_value(part: str) -> tuple[str, str]:
    name, equals, value = part.partition("=")
    return (name, value) if equals else ("", name)


class Changes:
    """Changes drafts, by values that samples contain as well as by odd ones."""

    def __init__(self, samples: Sequence[Sample]) -> None:
        self._texts = _texts_like(samples)
        self._parameters = _parameters_like(samples)
        self._query_values = st.integers(-2, 102).map(str) | self._texts
        self._json_values = _json_values(self._texts)
        self._paths = st.sampled_from(sorted({s.path.partition("?")[0] for s in samples}))
        change_anything = (
            _change_content_type,
            _add_header,
            _change_method,
            self._sometimes_change_shape_of_path,
        )
        # A change is drawn as often as it is listed.
        self._with_body = (
            *4 * (self._change_json,),
            _change_bytes,
            _change_content_type,
            self._change_query,
            *change_anything,
        )
        self._without_body = (
            *3 * (self._change_query,),
            *2 * (self._change_segment_or_query,),
            self._change_json,
            _change_authorization,
            *change_anything,
        )

    def change(self, draw: Draw, draft: Draft) -> None:
        """Change one part of the draft."""
        changes = self._without_body if draft.body is None else self._with_body
        # Drawn by number: Hypothesis tells strategies apart by the repr of what they hold, and a
        # function's repr contains its address, which differs between processes.
        changes[draw(st.integers(0, len(changes) - 1))](draw, draft)

    def _change_segment_or_query(self, draw: Draw, draft: Draft) -> None:
        if draft.path.count("/") > 1:
            _change_segment(draw, draft, self._texts)
        else:  # any other segment would only be another 404
            self._change_query(draw, draft)

    def _change_query(self, draw: Draw, draft: Draft) -> None:
        _change_query(draw, draft, self._parameters, self._query_values)

    def _change_json(self, draw: Draw, draft: Draft) -> None:
        _change_json(draw, draft, self._json_values)

    def _sometimes_change_shape_of_path(self, draw: Draw, draft: Draft) -> None:
        if draw(st.integers(0, 4)) == 4:  # rarely, because most results are a 404
            _change_shape_of_path(draw, draft, self._paths)


# ---------------------------------------------------------------------------- texts


def _texts_like(samples: Sequence[Sample]) -> st.SearchStrategy[str]:
    """Texts that samples contain, odd ones, and random ones."""
    known = {unquote(part) for s in samples for part in s.path.partition("?")[0].split("/")}
    known |= {text for sample in samples for text in texts_in(parsed(sample.body or b""))}
    return st.one_of(
        st.sampled_from(sorted(text for text in known if len(text) < 200)),
        st.sampled_from(odd_values.TEXTS),
        st.integers().map(str),
        st.text(max_size=12),
    )


_SHORT_TEXTS = st.text(max_size=2) | st.sampled_from(
    [text for text in odd_values.TEXTS if len(text) < 9]
)


def _edited(draw: Draw, text: str, insertions: st.SearchStrategy[str] = _SHORT_TEXTS) -> str:
    """Insert something into the text, and drop up to two characters at the same place."""
    place = draw(st.integers(0, len(text)))
    inserted = draw(insertions)
    return text[:place] + str(inserted) + text[place + int(draw(st.integers(0, 2))) :]


_MAX_TEXT = 200  # a server may refuse a request line of more than 4,094 bytes
_LENIENT = "utf-8", "surrogatepass"  # half a character becomes bytes that are not UTF-8


def _quoted(draw: Draw, text: str) -> str:
    """Percent-encode the text; rarely encode every byte, or add bytes that are not UTF-8."""
    text = text[:_MAX_TEXT]
    match draw(st.integers(0, 9)):
        case 9:
            return _percent_encoded(text) + str(draw(st.sampled_from(odd_values.NOT_UTF8)))
        case 8:
            return "".join(f"%{byte:02x}" for byte in text.encode(*_LENIENT))
        case _:
            return _percent_encoded(text)


def _percent_encoded(text: str) -> str:
    return quote(text.encode(*_LENIENT), safe="")


# ------------------------------------------------------------ method, path and query


def _change_method(draw: Draw, draft: Draft) -> None:
    draft.method = draw(st.sampled_from(odd_values.METHODS))


def _change_segment(draw: Draw, draft: Draft, texts: st.SearchStrategy[str]) -> None:
    segments = draft.path.split("/")
    place = draw(st.integers(1, len(segments) - 1).map(lambda n: len(segments) - n))
    segments[place] = _quoted(draw, draw(texts))
    draft.path = "/".join(segments)


def _change_shape_of_path(draw: Draw, draft: Draft, paths: st.SearchStrategy[str]) -> None:
    path = draft.path
    shapes = (
        path + "/", "/" + path, path.rsplit("/", 1)[0] or "/", path.upper(), path + "/x",
        path + ".json", path + "%2F", path + ";x=1", "/." + path, "/x/.." + path, path + "%00",
    )  # fmt: skip
    place = draw(st.integers(0, len(shapes)))
    draft.path = shapes[place] if place < len(shapes) else draw(paths)


def _parameters_like(samples: Sequence[Sample]) -> st.SearchStrategy[str]:
    """Names of parameters: those in samples, odd ones, and random ones."""
    known = {name for sample in samples for name, _ in parse_qsl(sample.path.partition("?")[2])}
    names = sorted(name for name in known if name.isascii())
    odd = st.sampled_from(odd_values.PARAMETERS)
    return (st.sampled_from(names) | odd if names else odd) | st.text(max_size=4)


def _change_query(
    draw: Draw, draft: Draft, parameters: st.SearchStrategy[str], values: st.SearchStrategy[str]
) -> None:
    match draw(st.integers(0, 4)):
        case 0 | 1:
            draft.query.append((_percent_encoded(draw(parameters)), _quoted(draw, draw(values))))
        case 2 if draft.query:  # repeat a parameter with another value
            name, _ = draft.query[draw(st.integers(0, len(draft.query) - 1))]
            place = draw(st.integers(0, len(draft.query)))
            draft.query.insert(place, (name, _quoted(draw, draw(values))))
        case 3 if draft.query:
            draft.query.pop(draw(st.integers(0, len(draft.query) - 1)))
        case _:
            draft.query.append(("", draw(st.sampled_from(odd_values.QUERY_PARTS))))


# -------------------------------------------------------------------------- headers


def _change_content_type(draw: Draw, draft: Draft) -> None:
    draft.headers = [header for header in draft.headers if header[0].lower() != "content-type"]
    name = draw(st.sampled_from(("content-type", "Content-Type", "CONTENT-TYPE")))
    if draw(st.integers(0, 5)):
        draft.headers.append((name, draw(st.sampled_from(odd_values.CONTENT_TYPES))))


#: A server may refuse these if they are sent twice, or join them by a comma.
_SENT_ONCE = ("host", "authorization")
_ANY_HEADER = st.sampled_from(odd_values.HEADERS) | st.tuples(
    st.from_regex(r"x-[a-zA-Z0-9-]{1,8}", fullmatch=True),
    # What the grammar of HTTP allows: visible characters and Latin-1, with blanks inside.
    st.from_regex(r"[!-~\xa1-\xff]?([ -~\xa1-\xff]{0,10}[!-~\xa1-\xff])?", fullmatch=True),
)


def _add_header(draw: Draw, draft: Draft) -> None:
    name, value = draw(_ANY_HEADER)
    if name in _SENT_ONCE:
        draft.headers = [header for header in draft.headers if header[0] != name]
    draft.headers.append((name, value))


# Flask-JWT-Extended splits the header at commas, and servers disagree on whether a tab is a blank.
# No client sends a token with a comma or a tab, so neither is drawn.
_PARTS_OF_TOKENS = st.from_regex(r"[ -+\--~]{0,3}", fullmatch=True)


def _change_authorization(draw: Draw, draft: Draft) -> None:
    for place, (name, text) in enumerate(draft.headers):
        if name == "authorization":
            edited = _edited(draw, text, _PARTS_OF_TOKENS).strip(" ")
            draft.headers[place] = (name, edited)
            return
    _add_header(draw, draft)


# --------------------------------------------------------------------------- bodies


_NUMBERS = st.one_of(
    st.sampled_from(odd_values.INTEGERS), st.sampled_from(odd_values.FLOATS), st.integers()
)


def _json_values(texts: st.SearchStrategy[str]) -> st.SearchStrategy[Any]:
    # JSON can also contain half a character (a lone surrogate), as an escape.
    half = st.text(st.characters(exclude_categories=()), max_size=4)
    plain = st.none() | st.booleans() | _NUMBERS | texts | half
    few = st.lists(plain, max_size=2)
    members = st.sampled_from(odd_values.MEMBERS)
    return plain | few | st.dictionaries(members, plain | few, max_size=2)


def _change_json(draw: Draw, draft: Draft, values: st.SearchStrategy[Any]) -> None:
    value = parsed(draft.body or b"")
    if value is NO_VALUE:
        value = {}
    typed = any(name.lower() == "content-type" for name, _ in draft.headers)
    if not typed and draw(st.booleans()):
        draft.headers.append(("content-type", "application/json"))
    value = _with_change(draw, value, values)
    text = json.dumps(
        value, ensure_ascii=True, indent=draw(st.sampled_from((None, None, 1))),
        separators=draw(st.sampled_from((None, (",", ":")))),
    )  # fmt: skip
    if draw(st.integers(0, 3)) == 3:
        try:
            raw = json.dumps(value, ensure_ascii=False)
            draft.body = raw.encode(
                draw(st.sampled_from(("utf-8", "utf-8-sig", "utf-16", "utf-32", "utf-16-le")))
            )
        except UnicodeEncodeError:  # half a character
            draft.body = text.encode()
    else:
        draft.body = text.encode()


def _with_change(draw: Draw, value: Any, values: st.SearchStrategy[Any]) -> Any:
    """The JSON value with one place of it changed."""
    if isinstance(value, dict) and value and draw(st.integers(0, 5)):
        name = draw(st.sampled_from(sorted(value)))
        match draw(st.integers(0, 5)):
            case 0:
                return {key: member for key, member in value.items() if key != name}
            case 1:
                return {**value, draw(st.sampled_from(odd_values.MEMBERS)): draw(values)}
            case _:
                return {**value, name: _with_change(draw, value[name], values)}
    if isinstance(value, list) and value and draw(st.integers(0, 5)):
        place = draw(st.integers(0, len(value) - 1))
        match draw(st.integers(0, 3)):
            case 0:
                return value[:place] + value[place + 1 :]
            case 1:
                return value + value[place:]
            case _:
                changed = _with_change(draw, value[place], values)
                return [*value[:place], changed, *value[place + 1 :]]
    if isinstance(value, str) and draw(st.booleans()):
        return _edited(draw, value)
    if isinstance(value, int) and not isinstance(value, bool) and draw(st.booleans()):
        return draw(
            st.sampled_from((value - 1, value + 1, -value, float(value % 2**53), str(value)[:99]))
        )
    return draw(values)


def _change_bytes(draw: Draw, draft: Draft) -> None:
    body = draft.body or b""
    place = draw(st.integers(0, len(body)))
    match draw(st.integers(0, 4)):
        case 0:
            draft.body = body[:place]
        case 1:
            draft.body = body[:place] + draw(st.binary(max_size=3)) + body[place:]
        case 2:
            draft.body = draw(st.binary(max_size=8))
        case 3:
            draft.body = draw(st.sampled_from(odd_values.BODIES))
        case _:
            draft.body = None
