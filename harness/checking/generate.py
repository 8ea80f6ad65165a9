"""Requests that nobody thought of: the contract's samples, changed at random, and made smaller.

Hypothesis draws the changes, so that a seed gives the same requests again. Whatever stands in the
contract is a starting point: a new endpoint is covered as soon as it has samples. From an OpenAPI
document, Schemathesis makes further requests.

A request is changed in what the twins read: method, path, query, headers, body. What is not HTTP
at all is for the servers to refuse, each in its own words, and is not sent.
"""

from __future__ import annotations

import dataclasses
import functools
import itertools
import json
import re
import shlex
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias
from urllib.parse import parse_qsl, quote, unquote

import hypothesis
from hypothesis import strategies as st

from apps import contract
from apps.contract import Sample

#: Stands for a token that each stack is sent in another form: an email can be stored only once.
MARKER = "z0unique0z"

#: Larger bodies say little more and take long; the contract's own samples have them.
_MAX_BODY_BYTES = 4096
_ANY_METHOD = st.sampled_from(("GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS", "TRACE"))


@dataclass(frozen=True, slots=True)
class Request:
    """One request, as it goes to every stack."""

    method: str
    path: str  # percent-encoded, with the query
    headers: tuple[tuple[str, str], ...] = ()
    body: bytes | None = None
    chunked: bool = False  # sent in chunks, without content-length

    def __str__(self) -> str:
        """As a curl command, which can be tried by hand: `$URL` is a stack's."""
        words = ["curl", "-i", "--path-as-is", "-X", self.method]
        for name, value in self.headers:
            words += ["-H", f"{name}: {value}" if value else f"{name};"]
        if not any(name.lower() == "content-type" for name, _ in self.headers):
            words += ["-H", "content-type:"] if self.body is not None else []
        if self.chunked:
            words += ["-H", "transfer-encoding: chunked"]
        data = "" if self.body is None else f" --data-binary {_shell_bytes(self.body)}"
        return f'{shlex.join(words)}{data} "$URL"{shlex.quote(self.path)}'

    def as_bytes(self, host: str) -> bytes:
        """As it goes over the wire, to this host."""
        headers = list(self.headers)
        if not any(name.lower() == "host" for name, _ in headers):
            headers.insert(0, ("host", host))
        body = self.body or b""
        if self.chunked:
            headers.append(("transfer-encoding", "chunked"))
            body = b"%x\r\n%b\r\n0\r\n\r\n" % (len(body), body) if body else b"0\r\n\r\n"
        elif self.body is not None:
            headers.append(("content-length", str(len(body))))
        lines = [f"{self.method} {self.path} HTTP/1.1", *(f"{n}: {text}" for n, text in headers)]
        return "\r\n".join([*lines, "", ""]).encode("latin-1") + body

    @property
    def size(self) -> int:
        """How much there is to read in it."""
        headers = sum(len(name) + len(value) + 4 for name, value in self.headers)
        return len(self.method) + len(self.path) + headers + len(self.body or b"") + self.chunked


def _shell_bytes(body: bytes) -> str:
    if body.isascii() and body.decode().isprintable():
        return shlex.quote(body.decode())
    text = "".join(
        chr(byte) if 32 <= byte < 127 and byte not in b"\\'" else f"\\x{byte:02x}" for byte in body
    )
    return f"$'{text}'"


#: Hypothesis begins with the simple ones each time, and its memory of what it drew grows.
_AT_A_TIME = 500


def requests(
    cases: int, seed: int, documents: Sequence[Mapping[str, Any]] = ()
) -> Iterator[Request]:
    """So many different requests; the same command with the same seed gives the same ones.

    Hypothesis also puts in numbers and texts from the source of the modules that are loaded, so
    that another version of the project, or a test, may have others.

    Args:
        cases: how many.
        seed: decides them.
        documents: OpenAPI documents, from which half of the requests are then made.
    """
    if not cases:
        return
    strategy = from_contract()
    if documents:
        strategy = strategy | st.one_of([from_openapi(document) for document in documents])
    known: set[Request] = set()
    for number in itertools.count():
        for request in _drawn(strategy, min(cases, _AT_A_TIME), f"{seed} {number}"):
            if len(known) == cases:
                return
            if request not in known:  # about a third has been there before
                known.add(request)
                yield request


def _drawn(strategy: st.SearchStrategy[Request], count: int, seed: str) -> list[Request]:
    result: list[Request] = []

    @hypothesis.seed(seed)
    @hypothesis.settings(
        max_examples=count,
        database=None,
        deadline=None,
        phases=[hypothesis.Phase.generate],
        suppress_health_check=list(hypothesis.HealthCheck),
    )
    @hypothesis.given(strategy)
    def draw(request: Request) -> None:
        result.append(request)

    draw()
    return result


# ------------------------------------------------------------------ from the contract


@dataclass
class _Draft:
    """A request in parts that can be changed one by one."""

    method: str
    path: str
    query: list[tuple[str, str]]  # percent-encoded
    headers: list[tuple[str, str]]
    body: bytes | None
    chunked: bool = False

    def finished(self) -> Request:
        query = "&".join(f"{name}={value}" if name else value for name, value in self.query)
        return Request(
            self.method,
            self.path + ("?" + query if query else ""),
            tuple(self.headers),
            self.body,
            self.chunked and self.body is not None,
        )


_Draw: TypeAlias = Callable[[st.SearchStrategy[Any]], Any]


def usable(sample: Sample) -> bool:
    """Whether a sample is a starting point: small, and answered without a long wait."""
    # What is not ASCII in a header is something else to each server.
    ascii_only = all(text.isascii() for text in sample.headers.values())
    return ascii_only and sample.status != 504 and len(sample.body or b"") <= _MAX_BODY_BYTES


@functools.cache
def seeds() -> Sequence[Sequence[Sample]]:
    """The contract's samples, those of one endpoint together."""
    groups = [list(endpoint.samples(MARKER)) for endpoint in contract.ENDPOINTS]
    known = {sample.name for group in groups for sample in group}
    groups.append([one for one in contract.samples(MARKER) if one.name not in known])
    kept = (tuple(one for one in group if usable(one)) for group in groups)
    return tuple(group for group in kept if group)


def from_contract() -> st.SearchStrategy[Request]:
    """A sample of the contract with up to four changes."""
    groups = seeds()
    samples = [sample for group in groups for sample in group]
    # A request that is all but right gets further than one that is wrong already; and most are.
    by_status = [
        [[one for one in group if one.status == s] for s in sorted({one.status for one in group})]
        for group in groups
    ]
    texts = _texts(samples)
    parameters = _parameters(samples)
    values = st.integers(-2, 102).map(str) | texts
    json_values = _values(texts)
    paths = st.sampled_from(sorted({sample.path.partition("?")[0] for sample in samples}))
    once = StoredOnce.of(samples)

    def segment(draw: _Draw, draft: _Draft) -> None:
        if draft.path.count("/") > 1:  # else nothing but another 404 would come of it
            _change_segment(draw, draft, texts)
        else:
            _change_query(draw, draft, parameters, values)

    def query(draw: _Draw, draft: _Draft) -> None:
        _change_query(draw, draft, parameters, values)

    def value(draw: _Draw, draft: _Draft) -> None:
        _change_json(draw, draft, json_values)

    def shape(draw: _Draw, draft: _Draft) -> None:
        if draw(count) == 4:  # few: most of them are a 404 too
            _change_shape_of_path(draw, draft, paths)

    around = (_change_content_type, _add_header, _change_method, shape)
    # By number: Hypothesis tells strategies apart by what they hold, and a function's name has
    # its address in it, which is another one each time.
    with_body = (value, value, value, value, _change_bytes, _change_content_type, query, *around)
    without_body = (query, query, query, segment, segment, value, _change_authorization, *around)
    count = st.integers(0, 4)
    tenth = st.integers(0, 9)
    group_of_samples = st.integers(0, len(groups) - 1)

    @st.composite
    def requests(draw: Any) -> Request:
        group = by_status[draw(group_of_samples)]
        alike = group[draw(st.integers(0, len(group) - 1))]
        sample = alike[draw(st.integers(0, len(alike) - 1))]
        path, _, query = sample.path.partition("?")
        draft = _Draft(
            sample.method,
            path,
            [_parted(part) for part in query.split("&")] if query else [],
            list(sample.headers.items()),
            sample.body,
            sample.chunked,
        )
        for _ in range(draw(count)):
            changes = without_body if draft.body is None else with_body
            changes[draw(st.integers(0, len(changes) - 1))](draw, draft)
        draft.chunked = draft.chunked or draw(tenth) == 9
        return once.per_stack(draft.finished())

    return requests()


def _parted(part: str) -> tuple[str, str]:
    name, equals, value = part.partition("=")
    return (name, value) if equals else ("", name)


@dataclass(frozen=True, slots=True)
class StoredOnce:
    """What can be stored only once, and would be refused by all stacks but the first."""

    endpoints: frozenset[tuple[str, str]]  # method and path of those that store something
    taken: frozenset[str]  # what every stack refuses alike, since it is stored already

    @classmethod
    def of(cls, samples: Sequence[Sample]) -> StoredOnce:
        """Read it off the contract: 201 is a thing stored, 409 one that was."""
        refused = [_value_of(one.body or b"") for one in samples if one.status == 409]
        return cls(
            frozenset((s.method, s.path.partition("?")[0]) for s in samples if s.status == 201),
            frozenset(text.lower() for value in refused for text in _strings(value)),
        )

    def per_stack(self, request: Request) -> Request:
        """The request with the marker in every address, if it goes to such an endpoint."""
        if (request.method, request.path.partition("?")[0]) not in self.endpoints:
            return request
        value = _value_of(request.body or b"")
        if value is _NO_VALUE:
            return request
        marked = self._marked(value)
        if marked == value and MARKER.encode() in (request.body or b""):
            return request
        return dataclasses.replace(request, body=json.dumps(marked).encode())

    def _marked(self, value: Any) -> Any:
        match value:
            case str() if "@" in value and MARKER not in value and value.lower() not in self.taken:
                return MARKER + value
            case dict():
                return {name: self._marked(one) for name, one in value.items()}
            case list():
                return [self._marked(one) for one in value]
            case _:
                return value


# ---------------------------------------------------------------------------- texts

_NO_VALUE = object()

# What parsers and validators of the world have stumbled over.
_ODD_TEXTS = (
    *("", " ", "0", "-0", "00", "01", "-1", "+1", " 1", "1 ", "1.0", "1e2", "0x1", "1_0", "٣", "½"),
    *(
        "NaN",
        "Infinity",
        "null",
        "true",
        "None",
        "undefined",
        "[]",
        "{}",
        "'",
        '"',
        "\\",
        "%",
        "%00",
    ),
    *(
        "\0",
        "\t",
        "\n",
        "\r\n",
        "\x1f",
        "\x7f",
        "\x85",
        "\xa0",
        "\u2028",
        "\u200b",
        "\ufeff",
        "\ufffd",
    ),
    *("é", "e\u0301", "ß", "ı", "İ", "ﬁ", "𝒜", "👩‍💻", "أ", "e" * 101, "é" * 100, "a" * 2000),
    *(".", "..", "/", "//", "a/b", "?", "#", "&", "=", ";", "+", ":", "@", "a@b.c", "<b>", "${1}"),
    *(str(2**31), str(2**63 - 1), str(2**63), str(-(2**63)), str(-(2**63) - 1), "9" * 5000),
)


def _texts(samples: Sequence[Sample]) -> st.SearchStrategy[str]:
    """Texts of the contract, odd ones, any."""
    known = {unquote(part) for one in samples for part in one.path.partition("?")[0].split("/")}
    known |= {text for one in samples for text in _strings(_value_of(one.body or b""))}
    return st.one_of(
        st.sampled_from(sorted(text for text in known if len(text) < 200)),
        st.sampled_from(_ODD_TEXTS),
        st.integers().map(str),
        st.text(max_size=12),
    )


def _value_of(body: bytes) -> Any:
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        return _NO_VALUE


def _strings(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for one in value.values():
            yield from _strings(one)
    elif isinstance(value, list):
        for one in value:
            yield from _strings(one)


_BIT_OF_TEXT = st.text(max_size=2) | st.sampled_from([one for one in _ODD_TEXTS if len(one) < 9])


def _edited(draw: _Draw, text: str, bits: st.SearchStrategy[str] = _BIT_OF_TEXT) -> str:
    """The text with a character more, less or other at one place."""
    place = draw(st.integers(0, len(text)))
    put = draw(bits)
    return text[:place] + str(put) + text[place + int(draw(st.integers(0, 2))) :]


# --------------------------------------------------------------------- path and query


def _quoted(draw: _Draw, text: str) -> str:
    """Percent-encoded; now and then bytes that are no UTF-8, or letters that need no encoding."""
    text = text[:_MAX_TEXT]
    match draw(st.integers(0, 9)):
        case 9:
            return _percent(text) + str(draw(st.sampled_from(("%FF", "%C3", "%ED%A0%80"))))
        case 8:
            return "".join(f"%{byte:02x}" for byte in text.encode(*_LENIENT))
        case _:
            return _percent(text)


_MAX_TEXT = 200  # a server may refuse a request line of more than 4,094 bytes
_LENIENT = "utf-8", "surrogatepass"  # half a character becomes bytes that are no UTF-8


def _percent(text: str) -> str:
    return quote(text.encode(*_LENIENT), safe="")


def _change_segment(draw: _Draw, draft: _Draft, texts: st.SearchStrategy[str]) -> None:
    segments = draft.path.split("/")
    place = draw(st.integers(1, len(segments) - 1).map(lambda n: len(segments) - n))
    segments[place] = _quoted(draw, draw(texts))
    draft.path = "/".join(segments)


def _change_shape_of_path(draw: _Draw, draft: _Draft, paths: st.SearchStrategy[str]) -> None:
    path = draft.path
    shapes = (
        path + "/", "/" + path, path.rsplit("/", 1)[0] or "/", path.upper(), path + "/x",
        path + ".json", path + "%2F", path + ";x=1", "/." + path, "/x/.." + path, path + "%00",
    )  # fmt: skip
    place = draw(st.integers(0, len(shapes)))
    draft.path = shapes[place] if place < len(shapes) else draw(paths)


def _change_method(draw: _Draw, draft: _Draft) -> None:
    draft.method = draw(_ANY_METHOD)


def _parameters(samples: Sequence[Sample]) -> st.SearchStrategy[str]:
    """Names of parameters: those of the contract, and others."""
    known = {name for one in samples for name, _ in parse_qsl(one.path.partition("?")[2])}
    names = sorted(name for name in known if name.isascii())
    other = st.sampled_from(("", "q", "id", "Size", "size[]", "size ", "é", "a.b", "__class__"))
    return (st.sampled_from(names) | other if names else other) | st.text(max_size=4)


def _change_query(
    draw: _Draw, draft: _Draft, parameters: st.SearchStrategy[str], values: st.SearchStrategy[str]
) -> None:
    match draw(st.integers(0, 4)):
        case 0 | 1:
            draft.query.append((_percent(draw(parameters)), _quoted(draw, draw(values))))
        case 2 if draft.query:  # once more, with another value
            name, _ = draft.query[draw(st.integers(0, len(draft.query) - 1))]
            place = draw(st.integers(0, len(draft.query)))
            draft.query.insert(place, (name, _quoted(draw, draw(values))))
        case 3 if draft.query:
            draft.query.pop(draw(st.integers(0, len(draft.query) - 1)))
        case _:
            odd = (
                "&",
                "a",
                "=",
                "==",
                "a=&",
                "%",
                "%zz=1",
                "+",
                ";a=1",
                "?",
                "size",
                "size=+",
                "a%3Db",
            )
            draft.query.append(("", draw(st.sampled_from(odd))))


# --------------------------------------------------------------------------- headers

_CONTENT_TYPES = (
    "application/json", "APPLICATION/JSON", "application/json;", "application/json ;charset=utf-8",
    "application/json; charset=latin-1", "application/json; charset=utf-16",
    'application/json; charset="utf-8"', "application/json; x", "application/json;;", "application/ json",
    "application/problem+json", "application/+json", "application/x+JSON", "application/jsonp",
    "application/json+xml", "application/a+json/b", "application/a/b+json", "application/json,text/plain",
    "text/json", "text/plain", "text/x+json", "json", "/json", "application/", "application", "*/*",
    "; charset=utf-8", "", " application/json", "multipart/form-data", "application/octet-stream",
    "application/x-www-form-urlencoded", "multipart/form-data; boundary=x", "application/json\t; a=b",
)  # fmt: skip


_ANY_CONTENT_TYPE = st.sampled_from(_CONTENT_TYPES)


def _change_content_type(draw: _Draw, draft: _Draft) -> None:
    draft.headers = [one for one in draft.headers if one[0].lower() != "content-type"]
    name = draw(st.sampled_from(("content-type", "Content-Type", "CONTENT-TYPE")))
    if draw(st.integers(0, 5)):
        draft.headers.append((name, draw(_ANY_CONTENT_TYPE)))


# Nothing that asks for another protocol or for a part of the reply: that is the servers' to do.
_HEADERS = (
    ("accept", "text/html"), ("accept", "application/xml;q=1, */*;q=0"), ("accept", ""),
    ("accept-encoding", "gzip, br"), ("accept-language", "tlh"), ("accept-charset", "utf-16"),
    ("authorization", "Basic Og=="), ("authorization", "Bearer x.y.z"), ("authorization", ""),
    ("cookie", "a=b; c"), ("cookie", "session=\"é; ;="), ("content-language", "de"),
    ("content-encoding", "gzip"), ("content-md5", "x"), ("content-range", "bytes 0-1/2"),
    ("origin", "null"), ("access-control-request-method", "PUT"), ("date", "yesterday"),
    ("referer", "http://["), ("user-agent", ""), ("user-agent", "x" * 1000),
    ("if-none-match", "*"), ("if-match", "\"x\""), ("if-modified-since", "never"), ("range", "bytes=0-0"),
    ("x-http-method-override", "DELETE"), ("x-requested-with", "XMLHttpRequest"),
    ("x-forwarded-for", "::1, x"), ("x-forwarded-proto", "https"), ("x-forwarded-prefix", "/users"),
    ("x-forwarded-host", "example.org"), ("x-original-url", "/cpu"), ("x-script-name", "/hello"),
    ("forwarded", "for=_x;host=y"), ("via", "1.0 x"), ("max-forwards", "0"), ("expect", "100-continue"),
    ("connection", "close"), ("cache-control", "only-if-cached"), ("prefer", "return=minimal"),
    ("host", "example.org"), ("host", "EXAMPLE.org:80"), ("host", "localhost:1"), ("host", "[::1]:80"),
)  # fmt: skip


#: Sent twice, they are a server's to refuse, or to join by a comma.
_ONCE = ("host", "authorization")
_ANY_HEADER = st.sampled_from(_HEADERS) | st.tuples(
    st.from_regex(r"x-[a-zA-Z0-9-]{1,8}", fullmatch=True),
    # What the grammar of HTTP allows: visible characters and Latin-1, blanks within.
    st.from_regex(r"[!-~\xa1-\xff]?([ -~\xa1-\xff]{0,10}[!-~\xa1-\xff])?", fullmatch=True),
)


# Neither a comma, by which Flask-JWT-Extended takes a header apart, nor a tab, which is a blank to
# some servers and part of a text to others: no client sends a token with one of them.
_ANY_BIT_OF_TOKEN = st.from_regex(r"[ -+\--~]{0,3}", fullmatch=True)


def _change_authorization(draw: _Draw, draft: _Draft) -> None:
    for place, (name, text) in enumerate(draft.headers):
        if name == "authorization":
            edited = _edited(draw, text, _ANY_BIT_OF_TOKEN).strip(" ")
            draft.headers[place] = (name, edited)
            return
    _add_header(draw, draft)


def _add_header(draw: _Draw, draft: _Draft) -> None:
    name, value = draw(_ANY_HEADER)
    if name in _ONCE:
        draft.headers = [one for one in draft.headers if one[0] != name]
    draft.headers.append((name, value))


# ------------------------------------------------------------------------------ bodies

_NUMBERS = st.one_of(
    st.sampled_from((0, -0.0, 1, -1, 150, 151, 2**31, 2**53 + 1, 2**63, -(2**63) - 1, 10**400)),
    st.sampled_from((1.0, 30.0, 1.5, 1e308, float("inf"), float("-inf"), float("nan"), 5e-324)),
    st.integers(),
)
_NAMES = ("", "id", "name", "NAME", " name", "__proto__", "email\0", "é", "e\u0301", "age", "$ref")


def _values(texts: st.SearchStrategy[str]) -> st.SearchStrategy[Any]:
    # Half a character can be sent too, as an escape in JSON.
    half = st.text(st.characters(exclude_categories=()), max_size=4)
    plain = st.none() | st.booleans() | _NUMBERS | texts | half
    few = st.lists(plain, max_size=2)
    return plain | few | st.dictionaries(st.sampled_from(_NAMES), plain | few, max_size=2)


def _change_json(draw: _Draw, draft: _Draft, values: st.SearchStrategy[Any]) -> None:
    value = _value_of(draft.body or b"")
    if value is _NO_VALUE:
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


def _with_change(draw: _Draw, value: Any, values: st.SearchStrategy[Any]) -> Any:
    """The JSON value with one place of it changed."""
    if isinstance(value, dict) and value and draw(st.integers(0, 5)):
        name = draw(st.sampled_from(sorted(value)))
        match draw(st.integers(0, 5)):
            case 0:
                return {key: one for key, one in value.items() if key != name}
            case 1:
                return {**value, draw(st.sampled_from(_NAMES)): draw(values)}
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
                return [
                    *value[:place],
                    _with_change(draw, value[place], values),
                    *value[place + 1 :],
                ]
    if isinstance(value, str) and draw(st.booleans()):
        return _edited(draw, value)
    if isinstance(value, int) and not isinstance(value, bool) and draw(st.booleans()):
        return draw(
            st.sampled_from((value - 1, value + 1, -value, float(value % 2**53), str(value)[:99]))
        )
    return draw(values)


def _change_bytes(draw: _Draw, draft: _Draft) -> None:
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
            odd = (b"", b" ", b"\0", b"nul", b"NaN", b"-", b"1e400", b"[1,]", b"{}{}", b'"\\ud83d"',
                   b"\xef\xbb\xbf", b"\xff\xfe", b"[" * 90, b'{"a":' * 90, b"9" * 4400, b"//\n{}")  # fmt: skip
            draft.body = draw(st.sampled_from(odd))
        case _:
            draft.body = None


# --------------------------------------------------------------- from an OpenAPI document


def from_openapi(document: Mapping[str, Any]) -> st.SearchStrategy[Request]:
    """What Schemathesis makes of a document: requests that keep it, and requests that break it."""
    import schemathesis
    from requests import Request as Unsent
    from schemathesis import GenerationMode
    from schemathesis.core.result import Ok

    schema = schemathesis.openapi.from_dict(dict(document))
    operations = [one.ok() for one in schema.get_all_operations() if isinstance(one, Ok)]
    once = StoredOnce.of([sample for group in seeds() for sample in group])

    def prepared(case: Any) -> Request:
        sent = Unsent(**case.as_transport_kwargs(base_url="http://stack")).prepare()
        body = sent.body.encode() if isinstance(sent.body, str) else sent.body
        headers = tuple(
            (name.lower(), _for_every_server(value))
            for name, value in sent.headers.items()
            if name.lower() not in _OF_THE_CLIENT
        )
        return once.per_stack(Request(sent.method or "GET", sent.path_url, headers, body))

    cases: list[st.SearchStrategy[Any]] = [
        operation.as_strategy(generation_mode=mode)
        for operation in operations
        for mode in (GenerationMode.POSITIVE, GenerationMode.NEGATIVE)
    ]
    return st.one_of(cases).map(prepared)


def _for_every_server(value: str | bytes) -> str:
    """A header's value without what servers understand in different ways."""
    text = value if isinstance(value, str) else value.decode("latin-1")
    return re.sub(r"[^ -+\--~]", "", text).strip(" ")


#: Headers by which requests and Schemathesis speak for themselves.
_OF_THE_CLIENT = {
    "accept", "accept-encoding", "connection", "content-length", "user-agent",
    "x-schemathesis-testcaseid",
}  # fmt: skip


# --------------------------------------------------------------------------- smaller


def smallest(request: Request, shows_it: Callable[[Request], bool], tries: int = 400) -> Request:
    """A request as small as can be found that still shows what `request` shows.

    Args:
        request: what to begin with.
        shows_it: whether another one shows the same.
        tries: how many others to try at the most.
    """
    once = StoredOnce.of([sample for group in seeds() for sample in group])
    tried = {request}
    found = True
    while found:
        found = False
        for smaller in map(once.per_stack, _smaller(request)):
            if smaller in tried or smaller.size >= request.size:
                continue
            if len(tried) > tries:
                return request
            tried.add(smaller)
            if shows_it(smaller):
                request, found = smaller, True
                break
    return request


def _smaller(request: Request) -> Iterator[Request]:
    """Requests with less in them, those with much less first."""
    replace = dataclasses.replace
    path, mark, query = request.path.partition("?")
    if request.body is not None:
        yield replace(request, body=None, chunked=False)
    if mark:
        yield replace(request, path=path)
    yield replace(request, chunked=False)
    for place in range(len(request.headers)):
        yield replace(request, headers=request.headers[:place] + request.headers[place + 1 :])
    parameters = query.split("&")
    for place in range(len(parameters) if mark else 0):
        rest = "&".join(parameters[:place] + parameters[place + 1 :])
        yield replace(request, path=f"{path}?{rest}" if rest else path)
    if request.body:
        value = _value_of(request.body)
        for less in _less(value) if value is not _NO_VALUE else ():
            body = json.dumps(less, ensure_ascii=request.body.isascii(), separators=(",", ":"))
            try:
                yield replace(request, body=body.encode())
            except UnicodeEncodeError:  # half a character
                yield replace(request, body=json.dumps(less).encode())
        for start, end in _cuts(len(request.body)):
            yield replace(request, body=request.body[:start] + request.body[end:])
    units = _units(request.path[1:])
    for start, end in _cuts(len(units)):
        yield replace(request, path="/" + "".join(units[:start] + units[end:]))
    for place, (name, text) in enumerate(request.headers):
        for start, end in _cuts(len(text)):
            header = (name, (text[:start] + text[end:]).strip())
            headers = (*request.headers[:place], header, *request.headers[place + 1 :])
            yield replace(request, headers=headers)


def _cuts(length: int) -> Iterator[tuple[int, int]]:
    """Pieces to leave out: the halves, the quarters, … each single one."""
    size = length
    while size:
        for start in range(0, length, size):
            yield start, min(start + size, length)
        size //= 2


def _units(path: str) -> list[str]:
    """The path's characters; a percent-encoded byte is one."""
    return re.findall(r"%[0-9A-Fa-f]{2}|.", path, re.DOTALL)


def _less(value: Any) -> Iterator[Any]:
    """JSON values that are the same with less in them."""
    if isinstance(value, dict):
        for name in value:
            yield {key: one for key, one in value.items() if key != name}
        for name, one in value.items():
            yield from ({**value, name: less} for less in _less(one))
    elif isinstance(value, list):
        for place in range(len(value)):
            yield value[:place] + value[place + 1 :]
        for place, one in enumerate(value):
            yield from ([*value[:place], less, *value[place + 1 :]] for less in _less(one))
    elif isinstance(value, str):
        for start, end in _cuts(len(value)):
            yield value[:start] + value[end:]
    elif isinstance(value, int) and abs(value) > 9:
        yield from (int(value / 2) if abs(value) < 2**53 else value // 10**9, value // 10)
