"""The contract: every endpoint once, with sample requests and the replies that they must get.

Both twins answer every sample with the same status, headers and bytes: the expected JSON in
compact form, its members in the order written here. The builders at the end make the requests
that the scenarios send. Nothing here imports a framework: the load process reads it too.
"""

from __future__ import annotations

import base64
import functools
import hmac
import json
import re
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import ClassVar, TypeAlias
from urllib.parse import quote, urlencode

from apps import problems
from apps.domain import catalogue, cpu, digits
from apps.domain.catalogue import PASSWORD, SEEDED_ITEMS, CatalogueItem, CatalogueUser, item, user
from apps.domain.catalogue import SEEDED_USERS as SEEDED_USERS
from apps.domain.cities import BROKEN_CITY, LATE_CITY, TEMPERATURES_C
from apps.problems import Problem
from apps.settings import DEFAULT_JWT_SECRET

CITIES = tuple(TEMPERATURES_C)

# ------------------------------------------------------------------------- records


@dataclass(frozen=True, slots=True)
class IntegerAbove:
    """Stands for a number that the server draws: any integer above `bound`."""

    bound: int


@dataclass(frozen=True, slots=True)
class TextLike:
    """Stands for a text that the server draws: any that the pattern matches from end to end."""

    pattern: str


@dataclass(frozen=True, slots=True)
class FromReply:
    """A header made from members of the reply's own JSON: `/users/{id}`."""

    template: str


@dataclass(frozen=True, slots=True)
class NoBody:
    """Stands for the body that a reply to HEAD does not have."""


NO_BODY = NoBody()


@dataclass(frozen=True, slots=True)
class Containing:
    """Stands for a body that each framework writes in its own way, with this text in it."""

    text: str


# A JSON value, in which something may stand for a number or a text.
Expected: TypeAlias = (
    "bool | int | float | str | IntegerAbove | TextLike | list[Expected] | dict[str, Expected]"
    " | None"
)


@dataclass(frozen=True, slots=True)
class Sample:
    """One request, and the reply that it must get. Names of headers are lower-case.

    Of the headers that matter (allow, location, www-authenticate), those that don't stand in
    `reply_headers` must be absent.
    """

    name: str  # unique in the contract
    method: str
    path: str  # percent-encoded, with the query
    status: int
    json: Expected | bytes | Containing | NoBody  # bytes: a body that is not JSON, as it stands
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes | None = None
    content_type: str = "application/json"
    reply_headers: Mapping[str, str | FromReply] = field(default_factory=dict)
    chunked: bool = False  # the body is sent in chunks, without content-length


@dataclass(frozen=True, slots=True)
class Message:
    """One text over a WebSocket, which is held; the echo has its number there, from 1."""

    name: str
    path: str
    text: str
    method: ClassVar[str] = "WS"

    def echo(self, number: int) -> str:
        """What must come back when it is the message of this number."""
        return _encode({"seq": number, "text": self.text}).decode()


@dataclass(frozen=True, slots=True)
class Exchange:
    """What is said over one WebSocket: all messages are sent, then the replies must come.

    After them the client closes, or the server has done so with a code of its own.
    """

    name: str  # unique in the contract
    path: str
    sent: tuple[str | bytes, ...]
    replies: tuple[str, ...]
    close_code: int = 1000


@dataclass(frozen=True, slots=True)
class Endpoint:
    """A method and path, with its samples.

    `samples` takes a token that no earlier call on the same database had (letters and digits):
    an email can be stored only once.
    """

    method: str
    path: str
    summary: str
    samples: Callable[[str], Iterator[Sample]]


# --------------------------------------------------------- requests of the scenarios

_HTML = "text/html; charset=utf-8"
_IN_2100 = 4_102_444_800
_TOKEN_REPLY: Expected = {
    # {"alg":"HS256","typ":"JWT"}, claims and a signature of 32 bytes.
    "access_token": TextLike(r"eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9\.[\w-]+\.[\w-]{43}"),
    "token_type": "Bearer",
    "expires_in": 900,
}


def hello() -> Sample:
    """GET /hello."""
    return Sample("hello", "GET", "/hello", 200, {"message": "Hello, World!"})


def weather(city: str) -> Sample:
    """GET /weather/{city}, for one of CITIES."""
    reply: Expected = {"city": city, "temperature_c": TEMPERATURES_C[city]}
    return Sample(f"weather in {city}", "GET", _weather_path(city), 200, reply)


def validate_user(n: int) -> Sample:
    """POST /users/validate with the valid user number n, from 0; some need normalising."""
    newcomer = user(SEEDED_USERS + 1 + n)
    sent = _fields_of(newcomer)
    if n % 2:
        sent |= {"name": f"  {newcomer.name}\t", "email": f"user{newcomer.id}@EXAMPLE.Org"}
    return _post(f"validate user {n}", "/users/validate", sent, 200, _fields_of(newcomer))


def lookup_user(user_id: int) -> Sample:
    """GET /users/{id}, for one of the SEEDED_USERS, from 1."""
    row: Expected = {"id": user_id, **_fields_of(user(user_id))}
    return Sample(f"look up user {user_id}", "GET", f"/users/{user_id}", 200, row)


@functools.lru_cache(maxsize=1024)  # it goes through all items, and the same ones are sent often
def search_items(**query: str | int) -> Sample:
    """GET /items with these valid parameters, of which no filter has its default."""
    page, per_page = int(query.get("page", 1)), int(query.get("per_page", 20))
    low, high = int(query.get("min_price", 0)), int(query.get("max_price", catalogue.PRICE_MAX))
    keyword = str(query.get("keyword", "")).strip().lower()
    found = [
        one
        for one in catalogue.items(SEEDED_ITEMS)
        if low <= one.price <= high
        and query.get("category", one.category) == one.category
        and keyword in one.name.lower()
    ]
    shown: list[Expected] = [_item(one) for one in found[(page - 1) * per_page : page * per_page]]
    path = f"/items?{urlencode(query)}" if query else "/items"
    return Sample(f"GET {path}", "GET", path, 200, {"items": shown, "total": len(found)})


def lookup_item(item_id: int) -> Sample:
    """GET /items/{id}, for one of the SEEDED_ITEMS, from 1."""
    return Sample(f"item {item_id}", "GET", f"/items/{item_id}", 200, _item(item(item_id)))


def login(user_id: int) -> Sample:
    """POST /login as one of the SEEDED_USERS, from 1."""
    sent: Expected = {"email": user(user_id).email, "password": PASSWORD}
    return _post(f"login of user {user_id}", "/login", sent, 200, _TOKEN_REPLY)


def protected(user_id: int) -> Sample:
    """GET /protected with a token of one of the SEEDED_USERS, from 1; it is good until 2100."""
    email = user(user_id).email
    return Sample(
        f"protected for user {user_id}",
        "GET",
        "/protected",
        200,
        {"email": email},
        headers={"authorization": f"Bearer {_token({'sub': email, 'exp': _IN_2100})}"},
    )


def page() -> Sample:
    """GET /page."""
    lines = "\n".join(
        f'<li id="item-{one.id}">{_escape(one.name)}: {one.price / 100:.2f}'
        f"{'' if one.in_stock else ' (sold out)'}</li>"
        for one in catalogue.items(catalogue.ITEMS_ON_PAGE)
    )
    html = (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n<title>Items</title>\n'
        f"</head>\n<body>\n<h1>Items</h1>\n<ul>\n{lines}\n</ul>\n</body>\n</html>"
    )
    return Sample("page", "GET", "/page", 200, html.encode(), content_type=_HTML)


def export(count: int = catalogue.EXPORTED_DEFAULT) -> Sample:
    """GET /export of so many items, from 1 to catalogue.EXPORTED_MAX."""
    rows: list[Expected] = [_item(one) for one in catalogue.items(count)]
    return Sample(f"export of {count}", "GET", f"/export?count={count}", 200, {"items": rows})


def predict(number: int) -> Sample:
    """POST /predict with one of the images, from 0; they repeat."""
    pixels, digit = digits.image(number)
    sent: Expected = {"pixels": [*pixels]}
    return _post(f"predict image {number}", "/predict", sent, 200, {"digit": digit})


def live_message(number: int) -> Message:
    """WS /live: a line of a chat, as somebody might write it about the item of this number."""
    text = f"{user(number).name}: {item(number).name}?"
    return Message(f"live message {number}", "/live", text)


def crash() -> Sample:
    """GET /crash."""
    return _get_problem("crash", "/crash", problems.of_status(500))


def refused() -> tuple[Sample, ...]:
    """A request of each kind that is answered by a problem, but for those that nobody foresaw."""
    return (
        _get_problem("refused: an unknown path", "/nothing", problems.of_status(404)),
        _wrong_method("DELETE", "/hello", allow="GET"),
        _post_problem(
            "refused: no JSON", "/users/validate", b'{"name": "Ada"', problems.of_status(400)
        ),
        _post_problem(
            "refused: wrong fields",
            "/users/validate",
            {"name": " ", "email": "ada", "age": 151},
            _invalid(name="length", email="email", age="range"),
        ),
        _get_problem(
            "refused: an absent item",
            f"/items/{SEEDED_ITEMS + 1}",
            problems.unknown_item(SEEDED_ITEMS + 1),
        ),
        _unauthorized("refused: no token", None, problems.token_missing()),
    )


def cpu_python() -> Sample:
    """GET /cpu/python with the default size."""
    return _cpu("python", cpu.python, cpu.SIZE_DEFAULT, "")


def cpu_native() -> Sample:
    """GET /cpu/native with the default size."""
    return _cpu("native", cpu.native, cpu.SIZE_DEFAULT, "")


# ------------------------------------------------------------ samples of each endpoint


def _healthz_samples(unique: str) -> Iterator[Sample]:
    yield Sample("healthz", "GET", "/healthz", 200, {"status": "ok"})
    yield _wrong_method("POST", "/healthz", allow="GET")


def _hello_samples(unique: str) -> Iterator[Sample]:
    yield hello()
    yield Sample("hello with a query", "GET", "/hello?a=1&a=2&%FF", 200, hello().json)
    for method in ("POST", "PUT", "PATCH", "DELETE", "OPTIONS", "HEAD"):
        yield _wrong_method(method, "/hello", allow="GET")
    for name, path in {
        "a slash at the end": "/hello/",
        "other letters": "/Hello",
        "an encoded slash": "/hello%2F",
    }.items():
        yield _get_problem(f"hello with {name}", path, problems.of_status(404))


def _weather_samples(unique: str) -> Iterator[Sample]:
    for city in CITIES:
        yield weather(city)
    for name, city in {
        "an unknown city": "Atlantis",
        "a city in other letters": "oslo",
        "a city in another script": "Ἀτλαντίς",
        "a city with blanks": " Oslo ",
        "a city with characters of URLs": "a?b&c=d#e%+;",
        "a city with a NUL": "Os\0lo",
    }.items():
        yield _get_problem(f"weather in {name}", _weather_path(city), problems.unknown_city(city))
    yield _get_problem(
        "weather in a city that is not UTF-8", "/weather/%FF", problems.unknown_city("\ufffd")
    )
    yield _get_problem("weather without a city", "/weather/", problems.of_status(404))
    yield _get_problem("weather at a path below", "/weather/a%2Fb", problems.of_status(404))
    yield _get_problem(
        "weather of a broken upstream", _weather_path(BROKEN_CITY), problems.upstream_broken()
    )
    yield _get_problem(
        "weather of a late upstream", _weather_path(LATE_CITY), problems.upstream_late()
    )
    yield _wrong_method("POST", "/weather/Oslo", allow="GET")


def _validate_samples(unique: str) -> Iterator[Sample]:
    for n in range(4):
        yield validate_user(n)
    yield from _good_users()
    yield from _bad_bodies("/users/validate")
    # GET belongs to /users/{id}, of which `validate` is not a valid id.
    yield _get_problem("look up user validate", "/users/validate", _invalid(id="type"))
    yield _wrong_method("DELETE", "/users/validate", allow="GET, POST")


def _create_samples(unique: str) -> Iterator[Sample]:
    def sent(number: int) -> dict[str, Expected]:
        return {"name": f"Zoë {number}", "email": f"zoë.{unique}.{number}@example.org", "age": 33}

    new_id = IntegerAbove(SEEDED_USERS)
    location = {"location": FromReply("/users/{id}")}
    yield _post(
        "create a user", "/users", sent(1), 201, {"id": new_id, **sent(1)}, reply_headers=location
    )
    yield _post(
        "create a user that needs normalising",
        "/users",
        {"age": 0, "role": "admin", "email": f"o.{unique}@Bücher.Example.ORG", "name": "\n 明 "},
        201,
        {"id": new_id, "name": "明", "email": f"o.{unique}@bücher.example.org", "age": 0},
        reply_headers=location,
    )
    for name, taken in {
        "a taken email": user(1).email,
        "a taken email in other letters": user(1).email.replace("example", "EXAMPLE"),
    }.items():
        body = {**sent(2), "email": taken}
        yield _post_problem(f"create a user with {name}", "/users", body, problems.email_taken())
    yield from _bad_bodies("/users")
    for method in ("GET", "DELETE", "HEAD"):
        yield _wrong_method(method, "/users", allow="POST")


def _lookup_samples(unique: str) -> Iterator[Sample]:
    for user_id in (1, 17, SEEDED_USERS):
        yield lookup_user(user_id)
    yield Sample("look up user 0017", "GET", "/users/0017", 200, lookup_user(17).json)
    for absent in (0, -1, 2**31, 2**63 - 1, 2**63, -(2**63) - 1, 10**100):
        yield _get_problem(
            f"look up user {absent}", f"/users/{absent}", problems.unknown_user(absent)
        )
    for text in (
        "abc",
        "1.0",
        "1e3",
        "1_0",
        "+1",
        " 1",
        "1 ",
        "--1",
        "-",
        "0x1",
        "٣",
        "1\0",
        "NaN",
    ):
        yield _get_problem(
            f"look up user {text!r}", f"/users/{quote(text, safe='')}", _invalid(id="type")
        )
    yield _get_problem("look up no user", "/users/", problems.of_status(404))
    yield _wrong_method("DELETE", "/users/1", allow="GET")
    yield _wrong_method("OPTIONS", "/users/1", allow="GET")


def _search_samples(unique: str) -> Iterator[Sample]:
    yield search_items()
    for query in (
        {"keyword": "lamp"},
        {"keyword": " LAMP\t"},
        {"keyword": "café lamp"},
        {"keyword": "明るい"},
        {"keyword": "100%", "per_page": 100},
        {"keyword": "%"},
        {"keyword": "m_k"},
        {"keyword": '6" 1'},
        {"keyword": "<3"},
        {"keyword": "a/b\\c"},
        {"keyword": "'; DROP TABLE items; --"},
        {"category": "books"},
        {"category": "toys", "min_price": 50_000},
        {"min_price": 0, "max_price": 150},
        {"min_price": 2_000, "max_price": 1_000},
        {"max_price": catalogue.PRICE_MAX, "per_page": 1},
        {"keyword": "tent", "category": "garden", "min_price": 1_000, "max_price": 90_000},
        {"page": 2},
        {"page": 100, "per_page": 100},
        {"page": 101, "per_page": 100},
        {"page": 2**63, "per_page": 100},
        {"page": 10**50},
        {"keyword": "vase", "page": "007", "per_page": "05"},
    ):
        yield search_items(**query)
    yield Sample(
        "items with parameters twice and unknown ones",
        "GET",
        "/items?page=x&page=3&sort=price&category=none&category=music",
        200,
        search_items(page=3, category="music").json,
    )
    nothing: Expected = {"items": [], "total": 0}
    yield Sample("items with a keyword not in UTF-8", "GET", "/items?keyword=%FF", 200, nothing)
    rules = {
        "keyword": {"": "length", " \n": "length", "é" * 101: "length", "a\0b": "characters"},
        "category": {"": "choice", "cars": "choice", "Books": "choice", " books": "choice"},
        "min_price": {"-1": "range", "1000001": "range", "1.5": "type", "": "type"},
        "max_price": {"-1": "range", "9" * 100: "range", "1e3": "type", "ten": "type"},
        "page": {"0": "range", "-1": "range", "": "type", "1.0": "type", "٣": "type"},
        "per_page": {"0": "range", "101": "range", "+1": "type", "all": "type"},
    }
    for field_, texts in rules.items():
        for text, rule in texts.items():
            query_text = urlencode({field_: text})
            yield _get_problem(
                f"items with {field_} {_short(text)}",
                f"/items?{query_text}",
                _invalid(**{field_: rule}),
            )
    yield _get_problem(
        "items with nothing valid",
        "/items?per_page=0&page=0&max_price=x&min_price=x&category=x&keyword=",
        _invalid(
            keyword="length",
            category="choice",
            min_price="type",
            max_price="type",
            page="range",
            per_page="range",
        ),
    )
    yield _wrong_method("POST", "/items", allow="GET")


def _item_samples(unique: str) -> Iterator[Sample]:
    for item_id in (1, 30, SEEDED_ITEMS):
        yield lookup_item(item_id)
    for absent in (0, -1, SEEDED_ITEMS + 1, 2**31, 2**63, 10**100):
        yield _get_problem(f"item {absent}", f"/items/{absent}", problems.unknown_item(absent))
    for text in ("abc", "1.0", "1_0", " 1", "٣", "1\0"):
        yield _get_problem(f"item {text!r}", f"/items/{quote(text, safe='')}", _invalid(id="type"))
    yield _get_problem("no item", "/items/", problems.of_status(404))
    yield _wrong_method("DELETE", "/items/1", allow="GET")


def _login_samples(unique: str) -> Iterator[Sample]:
    yield login(1)
    sent: dict[str, Expected] = {"email": user(2).email, "password": PASSWORD}
    capitals = sent | {"email": user(2).email.replace("example", "EXAMPLE"), "remember": True}
    yield _post("login with a domain in capitals", "/login", capitals, 200, _TOKEN_REPLY)
    wrong: dict[str, dict[str, Expected]] = {
        "a wrong password": {"password": PASSWORD + "."},
        "blanks around the password": {"password": f" {PASSWORD} "},
        "an unknown email": {"email": f"{unique}@example.org"},
    }
    for name, change in wrong.items():
        yield _post_problem(
            f"login with {name}", "/login", _encode(sent | change), problems.wrong_login()
        )
    bad: dict[str, tuple[dict[str, object], dict[str, str]]] = {
        "no fields": (
            {"email": ..., "password": ...},
            {"email": "required", "password": "required"},
        ),
        "fields of null": (
            {"email": None, "password": None},
            {"email": "type", "password": "type"},
        ),
        "an email that is none": ({"email": "ada"}, {"email": "email"}),
        "a password of no characters": ({"password": ""}, {"password": "length"}),
        "a password of 101 characters": ({"password": "é" * 101}, {"password": "length"}),
        "a password with half a character": ({"password": "\ud83d"}, {"password": "characters"}),
        "a number for a password": ({"password": 12345678}, {"password": "type"}),
    }
    for name, (changed, broken) in bad.items():
        fields = {key: value for key, value in {**sent, **changed}.items() if value is not ...}
        yield _post_problem(
            f"login with {name}", "/login", json.dumps(fields).encode(), _invalid(**broken)
        )
    yield from _malformed_bodies("/login", _encode(sent))
    yield _wrong_method("GET", "/login", allow="POST")


def _protected_samples(unique: str) -> Iterator[Sample]:
    yield protected(1)
    email = user(3).email
    claims: dict[str, Expected] = {"sub": email, "exp": _IN_2100}
    good_claims: dict[str, dict[str, Expected]] = {
        "claims that it need not have": {"iat": 1, "nbf": 1, "jti": "x", "aud": "x", "iss": "x"},
        "a subject who is no user": {"sub": "nobody"},
    }
    for name, more in good_claims.items():
        reply: Expected = {"email": more.get("sub", email)}
        headers = {"authorization": f"Bearer {_token(claims | more)}"}
        yield Sample(f"protected: {name}", "GET", "/protected", 200, reply, headers=headers)

    good = _token(claims)
    for name, header in {
        "no header": None,
        "an empty header": "",
        "a token without its scheme": good,
        "the scheme without a token": "Bearer",
        "another scheme": "Basic dXNlcjpwYXNzd29yZA==",
        "the scheme in small letters": f"bearer {good}",
        "a token and more": f"Bearer {good} {good}",
    }.items():
        yield _unauthorized(name, header, problems.token_missing())
    head, payload, signature = good.split(".")
    for name, token in {
        "no token at all": "token",
        "three parts of no token": "a.b.c",
        "letters outside ASCII": "é.é.é",
        "two parts of a token": f"{head}.{payload}",
        "a token with a part too many": f"{good}.{signature}",
        "no signature": f"{head}.{payload}.",
        "half a signature": good[:-20],
        "another's signature": _token(claims, secret="another secret, which is as long as ours"),
        "another's claims": f"{head}.{_base64(_encode(claims | {'sub': 'eve'}))}.{signature}",
        "no subject": _token({"exp": _IN_2100}),
        "a subject that is no text": _token(claims | {"sub": 3}),
        "no expiry": _token({"sub": email}),
        "an expiry that is no time": _token(claims | {"exp": "soon"}),
        "a token of the future": _token(claims | {"nbf": _IN_2100 - 1}),
        "claims that are no object": _token([email]),
        "no algorithm": _token(claims, algorithm="none", secret=None),
        "no algorithm in capitals": _token(claims, algorithm="NONE", secret=None),
        "no algorithm, signed": _token(claims, algorithm="none"),
        "another hash": _token(claims, algorithm="HS512", digest="sha512"),
        "an algorithm with a public key": _token(claims, algorithm="RS256"),
        "an algorithm that there is not": _token(claims, algorithm="XS256"),
    }.items():
        yield _unauthorized(name, f"Bearer {token}", problems.token_invalid())
    expired = _token({"sub": email, "iat": 999_999_100, "exp": 1_000_000_000})
    yield _unauthorized("an expired token", f"Bearer {expired}", problems.token_expired())
    yield _wrong_method("POST", "/protected", allow="GET")


def _page_samples(unique: str) -> Iterator[Sample]:
    yield page()
    yield _wrong_method("POST", "/page", allow="GET")


def _export_samples(unique: str) -> Iterator[Sample]:
    for count in (1, 2, catalogue.EXPORTED_MAX):
        yield export(count)
    yield Sample("export", "GET", "/export", 200, export().json)
    yield Sample("export of the last count", "GET", "/export?count=x&count=2", 200, export(2).json)
    for text, rule in {
        "0": "range",
        "5001": "range",
        "-1": "range",
        "": "type",
        "1.0": "type",
    }.items():
        yield _get_problem(f"export of {text!r}", f"/export?count={text}", _invalid(count=rule))
    yield _wrong_method("POST", "/export", allow="GET")


def _predict_samples(unique: str) -> Iterator[Sample]:
    for number in range(digits.IMAGES):
        yield predict(number)
    pixels, digit = digits.image(0)
    one: list[Expected] = [*pixels]
    yield _post(
        "predict with an unknown field", "/predict", {"pixels": one, "x": 1}, 200, {"digit": digit}
    )
    bad: dict[str, tuple[Expected, str]] = {
        "null": (None, "type"),
        "a number": (1, "type"),
        "a text": ("0" * digits.PIXELS, "type"),
        "an object": ({"0": 1}, "type"),
        "no pixels": ([], "length"),
        "63 pixels": (one[1:], "length"),
        "65 pixels": ([*one, 0], "length"),
        "65 texts": (["a"] * 65, "length"),
        "8 rows": ([one[:8]] * 8, "type"),
        "a pixel of -1": ([-1, *one[1:]], "range"),
        "a pixel of 17": ([*one[1:], digits.PIXEL_MAX + 1], "range"),
        "a pixel of 2**70": ([*one[1:], 2**70], "range"),
        "a pixel of 1.0": ([1.0, *one[1:]], "type"),
        "a pixel of true": ([True, *one[1:]], "type"),
        "a pixel of null": ([None, *one[1:]], "type"),
        "a pixel of text": (["1", *one[1:]], "type"),
        "a pixel of 17, then a text": ([17, "1", *one[2:]], "range"),
        "a text, then a pixel of 17": (["1", 17, *one[2:]], "type"),
        "a text and no more": (["1"], "type"),
    }
    for name, (value, rule) in bad.items():
        yield _post_problem(
            f"predict with {name}", "/predict", {"pixels": value}, _invalid(pixels=rule)
        )
    yield _post_problem("predict without pixels", "/predict", {}, _invalid(pixels="required"))
    yield from _malformed_bodies("/predict", _encode({"pixels": one}))
    yield _wrong_method("GET", "/predict", allow="POST")


def _crash_samples(unique: str) -> Iterator[Sample]:
    yield crash()
    yield _wrong_method("POST", "/crash", allow="GET")


def _openapi_samples(unique: str) -> Iterator[Sample]:
    document = Containing('"/users/{id}"')  # tests compare the documents themselves
    yield Sample("openapi", "GET", "/openapi.json", 200, document)
    for method in ("POST", "HEAD"):
        yield _wrong_method(method, "/openapi.json", allow="GET")


def _docs_samples(unique: str) -> Iterator[Sample]:
    page_of_document = Containing("/openapi.json")
    yield Sample("docs", "GET", "/docs", 200, page_of_document, content_type=_HTML)
    for method in ("POST", "HEAD"):
        yield _wrong_method(method, "/docs", allow="GET")


def _cpu_samples(kind: str, work: Callable[[int], str]) -> Iterator[Sample]:
    path = f"/cpu/{kind}"
    yield _cpu(kind, work, cpu.SIZE_DEFAULT, "")
    for size in (cpu.SIZE_MIN, 3, cpu.SIZE_MAX):
        yield _cpu(kind, work, size, f"?size={size}")
    yield _cpu(kind, work, 3, "?size=200&size=3")
    for text in ("0", "101", "-1", "9" * 100):
        yield _get_problem(
            f"cpu {kind} of size {text}", f"{path}?size={text}", _invalid(size="range")
        )
    for text in ("", "ten", "1.0", "1e1", "1_0", "+1", " 1", "٣", "true", "\0"):
        yield _get_problem(
            f"cpu {kind} of size {text!r}", f"{path}?size={quote(text)}", _invalid(size="type")
        )
    yield _get_problem(
        f"cpu {kind} with a slash too many", f"/cpu//{kind}", problems.of_status(404)
    )
    yield _wrong_method("POST", path, allow="GET")


def _cpu_python_samples(unique: str) -> Iterator[Sample]:
    return _cpu_samples("python", cpu.python)


def _cpu_native_samples(unique: str) -> Iterator[Sample]:
    return _cpu_samples("native", cpu.native)


# Further rows of the contract go here; the parity suite finds them by itself.
ENDPOINTS = (
    Endpoint("GET", "/healthz", "ready: database and upstream reachable", _healthz_samples),
    Endpoint("GET", "/hello", "the framework's own cost", _hello_samples),
    Endpoint("GET", "/weather/{city}", "asks the upstream service", _weather_samples),
    Endpoint("POST", "/users/validate", "answers the normalised user", _validate_samples),
    Endpoint("POST", "/users", "stores a user", _create_samples),
    Endpoint("GET", "/users/{id}", "one row by primary key", _lookup_samples),
    Endpoint("GET", "/items", "several rows: filters and pages", _search_samples),
    Endpoint("GET", "/items/{id}", "one item, or a domain error", _item_samples),
    Endpoint("POST", "/login", "a token for a password", _login_samples),
    Endpoint("GET", "/protected", "whose the token is", _protected_samples),
    Endpoint("GET", "/page", "a list as HTML", _page_samples),
    Endpoint("GET", "/export", "many items as JSON", _export_samples),
    Endpoint("GET", "/cpu/python", "work that holds the GIL", _cpu_python_samples),
    Endpoint("GET", "/cpu/native", "work that releases the GIL", _cpu_native_samples),
    Endpoint("POST", "/predict", "which digit an image shows", _predict_samples),
    Endpoint("GET", "/crash", "an error that nobody has foreseen", _crash_samples),
    Endpoint("GET", "/openapi.json", "describes the operations", _openapi_samples),
    Endpoint("GET", "/docs", "shows the description", _docs_samples),
)


def samples(unique: str) -> list[Sample]:
    """Every sample of every endpoint, and of paths that are none; `unique` as in Endpoint."""
    return [
        *(sample for endpoint in ENDPOINTS for sample in endpoint.samples(unique)),
        *_live_samples(unique),
        *_unknown_path_samples(),
    ]


def tested(endpoints: Collection[str]) -> tuple[Sample, ...]:
    """What an application's own tests ask of endpoints such as "GET /users/{id}".

    Of each, the first sample that is found, that is not there and that is refused: 200, 404, 422.
    """
    found: list[Sample] = []
    unknown = set(endpoints).difference(f"{one.method} {one.path}" for one in ENDPOINTS)
    if unknown:
        raise ValueError(f"not in the contract: {', '.join(sorted(unknown))}")
    for endpoint in ENDPOINTS:
        if f"{endpoint.method} {endpoint.path}" in endpoints:
            pattern = re.compile(re.sub(r"{\w+}", "[^/]+", endpoint.path))
            asked = [
                sample
                for sample in endpoint.samples("")
                if sample.method == endpoint.method and pattern.fullmatch(sample.path)
            ]
            for status in (200, 404, 422):
                found += [sample for sample in asked if sample.status == status][:1]
    return tuple(found)


def _live_samples(unique: str) -> Iterator[Sample]:
    """WS /live, as HTTP without an upgrade sees it; what is said over it is in `exchanges`."""
    yield _get_problem("live without an upgrade", "/live", problems.upgrade_required())
    yield _wrong_method("POST", "/live", allow="GET")


def exchanges() -> list[Exchange]:
    """Every conversation of WS /live, the one endpoint that is not HTTP."""
    texts = ("hello", "", " Zoë 明 ", '{"a": "b\\n"}', "x" * 100_000)
    numbered = tuple(Message("", "/live", text).echo(seq) for seq, text in enumerate(texts, 1))
    return [
        Exchange("live: texts", "/live", texts, numbered),
        Exchange("live: nothing said", "/live", (), ()),
        Exchange("live: bytes after a text", "/live", ("hello", b"hello"), numbered[:1], 1003),
    ]


def _unknown_path_samples() -> Iterator[Sample]:
    for method in ("GET", "POST", "DELETE"):
        yield _problem(f"{method} an unknown path", method, "/nothing", problems.of_status(404))
    # Paths that a framework may have without being asked.
    for path in ("/", "/static/app.js", "/redoc", "/docs/oauth2-redirect", "/cpu", "/%00"):
        yield _get_problem(f"GET {path}", path, problems.of_status(404))


# ----------------------------------------------------- users and bodies, good and bad

_ADA: dict[str, Expected] = {"name": "Ada Lovelace", "email": "ada@example.org", "age": 36}


def _good_users() -> Iterator[Sample]:
    good: dict[str, tuple[dict[str, Expected], dict[str, Expected]]] = {
        "age 0": ({"age": 0}, {"age": 0}),
        "age 150": ({"age": 150}, {"age": 150}),
        "a name of one character": ({"name": "明"}, {"name": "明"}),
        "a name of 100 characters": ({"name": "𝒜ë" * 50}, {"name": "𝒜ë" * 50}),
        "100 characters between blanks": ({"name": f" {'é' * 100}\n"}, {"name": "é" * 100}),
        "blanks of Unicode around a name": ({"name": "\u2003\xa0Bo\u3000\x85"}, {"name": "Bo"}),
        "a name with an accent apart": ({"name": "Zoe\u0308"}, {"name": "Zoe\u0308"}),
        "a name to be escaped": ({"name": 'a"b\\c/<d>\u2028'[:-1]}, {"name": 'a"b\\c/<d>'}),
        "a separator within a name": ({"name": "a\u2028b"}, {"name": "a\u2028b"}),
        "an email in capitals": ({"email": "ADA@EXAMPLE.ORG"}, {"email": "ADA@example.org"}),
        "an international email": ({"email": "αβγ@bücher.org"}, {"email": "αβγ@bücher.org"}),
        "an email in punycode": ({"email": "a@xn--bcher-kva.org"}, {"email": "a@bücher.org"}),
        "an unknown field": ({"role": {"admin": [True, None]}}, {}),
    }
    for name, (change, normalised) in good.items():
        yield _validate(f"valid: {name}", _encode(_ADA | change), _ADA | normalised)

    reply = _encode(_ADA).decode()
    for name, body in {
        "blanks in the JSON": json.dumps(_ADA, indent=4).encode(),
        "escapes in the JSON": reply.replace("Ada", "\\u0041da").encode(),
        "members in another order": _encode(dict(reversed(_ADA.items()))),
        "a member twice, the last of which counts": reply.replace(
            '"age":', '"age":"x","age":'
        ).encode(),
        "a byte order mark": b"\xef\xbb\xbf" + reply.encode(),
    }.items():
        yield _validate(f"valid: {name}", body, _ADA)
    yield _validate("valid: 1 MiB", _padded(_encode(_ADA), problems.MAX_BODY_BYTES), _ADA)
    yield replace(_validate("valid: in chunks", _encode(_ADA), _ADA), chunked=True)
    for content_type in (
        "application/json; charset=utf-8",
        "Application/JSON",
        "application/vnd.example+json",
    ):
        yield _validate(f"valid: {content_type}", _encode(_ADA), _ADA, content_type)


def _bad_users() -> Iterator[tuple[str, Mapping[str, object], dict[str, str]]]:
    """Name, changes to a valid user (`...` leaves the field out), and the rule of each field."""
    yield "no fields", {"name": ..., "email": ..., "age": ...}, _every_field("required")
    yield "fields of null", {"name": None, "email": None, "age": None}, _every_field("type")
    yield "fields of false", {"name": False, "email": False, "age": False}, _every_field("type")
    yield "fields of NaN", dict.fromkeys(_ADA, float("nan")), _every_field("type")
    yield "fields of Infinity", dict.fromkeys(_ADA, float("-inf")), _every_field("type")
    yield "fields of lists", {"name": ["A"], "email": [], "age": [1]}, _every_field("type")
    yield "fields of objects", {"name": {}, "email": {"a": 1}, "age": {}}, _every_field("type")
    yield (
        "three rules",
        {"name": " ", "email": "ada", "age": 151},
        {"name": "length", "email": "email", "age": "range"},
    )
    yield (
        "three other rules",
        {"name": ..., "email": 1, "age": "1"},
        {"name": "required", "email": "type", "age": "type"},
    )
    yield "two fields", {"name": "", "age": -1}, {"name": "length", "age": "range"}

    for name, text, rule in (
        ("an empty name", "", "length"),
        ("a name of blanks", " \t\r\n\u2003\xa0", "length"),
        ("a name of 101 characters", "é" * 101, "length"),
        ("a name of 100,000 characters", "é" * 100_000, "length"),
        ("a name with a NUL", "A\0B", "characters"),
        ("a name with a line break", "A\nB", "characters"),
        ("a name with DEL", "A\x7fB", "characters"),
        ("a name with a control character of Latin-1", "A\x9bB", "characters"),
        ("a name with a separator that is no blank", "\x1fA", "characters"),
        ("a name with half a character", "A\ud83d", "characters"),
        ("a name of 101 with half a character", "A" * 100 + "\udc00", "characters"),
        ("a name of 101 with a NUL", "A" * 100 + "\0", "length"),
    ):
        yield name, {"name": text}, {"name": rule}

    for email in (
        "",
        " ",
        "ada",
        "@example.org",
        "ada@",
        "ada@@example.org",
        "ada@example",
        "ada@localhost",
        "ada@.org",
        "ada@example..org",
        ".ada@example.org",
        "ada b@example.org",
        '"ada b"@example.org',
        " ada@example.org",
        "ada@example.org ",
        "ada@example.org\n",
        "ada@example.org\r\nbcc: eve@example.org",
        "Ada <ada@example.org>",
        "ada@example.org, eve@example.org",
        "ada@[127.0.0.1]",
        "ada@127.0.0.1",
        "a\0da@example.org",
        "ada@exam\0ple.org",
        "\ud83d@example.org",
        "ada@\ud83d.org",
        "a" * 250 + "@example.org",
        "ada@" + "a" * 64 + ".org",
        "ada@" + "a." * 200 + "org",
    ):
        yield f"email {_short(email)}", {"email": email}, {"email": "email"}

    for age, rule in (
        (-1, "range"),
        (151, "range"),
        (2**63, "range"),
        (-(10**400), "range"),
        (30.0, "type"),
        (30.5, "type"),
        (-0.0, "type"),
        (1e300, "type"),
        (True, "type"),
        ("30", "type"),
        ("", "type"),
    ):
        yield f"age {_short(age)}", {"age": age}, {"age": rule}


def _bad_bodies(path: str) -> Iterator[Sample]:
    """What both endpoints that take a user refuse, before they would store it."""
    for name, change, rules in _bad_users():
        fields = {key: value for key, value in {**_ADA, **change}.items() if value is not ...}
        body = json.dumps(fields).encode()  # in ASCII, which is how half a character can be sent
        yield _post_problem(f"{path}: {name}", path, body, _invalid(**rules))
    yield from _malformed_bodies(path, _encode(_ADA))


def _malformed_bodies(path: str, good: bytes) -> Iterator[Sample]:
    """What every endpoint that takes an object refuses, whatever the object."""
    for name, body in {
        "an array": b"[]",
        "an array of the right object": b"[" + good + b"]",
        "a string": b'"ada"',
        "an empty string": b'""',
        "a number": b"1",
        "zero": b"0",
        "NaN": b"NaN",
        "true": b"true",
        "false": b"false",
        "null": b"null",
    }.items():
        yield _post_problem(f"{path}: body is {name}", path, body, _invalid(body="type"))

    for name, body in {
        "nothing": b"",
        "blanks": b" \n",
        "half an object": b'{"name": "Ada"',
        "a comma too many": b'{"name": "Ada",}',
        "single quotes": b"{'name': 'Ada'}",
        "more after the object": good + b"{}",
        "no JSON at all": b"name=Ada&age=36",
        "a line break within a string": b'{"name": "A\nda"}',
        "not UTF-8": b'{"name": "\xff"}',
        "an integer of 5,000 digits": b'{"age": ' + b"9" * 5000 + b"}",
        "nested too deeply": b"[" * 100_000,
    }.items():
        yield _post_problem(f"{path}: body is {name}", path, body, problems.of_status(400))

    for content_type in (
        None,
        "text/plain",
        "application/x-www-form-urlencoded",
        "multipart/form-data; boundary=x",
        "text/json",
        "application/json, text/plain",
        "json",
    ):
        for name, body in {"the right object": good, "nothing": b"", "no JSON": b"{"}.items():
            yield _post_problem(
                f"{path}: {name} as {content_type or 'no content type'}",
                path,
                body,
                problems.of_status(415),
                content_type,
            )

    too_large = _padded(good, problems.MAX_BODY_BYTES + 1)
    for type_name, content_type in {"": "application/json", " of text": "text/plain"}.items():
        sample = _post_problem(
            f"{path}: 1 MiB and a byte{type_name}",
            path,
            too_large,
            problems.of_status(413),
            content_type,
        )
        yield sample
        yield replace(sample, name=f"{sample.name} in chunks", chunked=True)


def _every_field(rule: str) -> dict[str, str]:
    return dict.fromkeys(_ADA, rule)


# ------------------------------------------------------------------------- helpers


def _fields_of(person: CatalogueUser) -> dict[str, Expected]:
    return {"name": person.name, "email": person.email, "age": person.age}


def _item(one: CatalogueItem) -> Expected:
    return {
        "id": one.id,
        "name": one.name,
        "category": one.category,
        "price": one.price,
        "rating": one.rating,
        "in_stock": one.in_stock,
    }


def _escape(text: str) -> str:
    """As Jinja does; html.escape writes the quotes in another way."""
    for character, entity in {"&": "amp", "<": "lt", ">": "gt", "'": "#39", '"': "#34"}.items():
        text = text.replace(character, f"&{entity};")
    return text


def _padded(body: bytes, size: int) -> bytes:
    return b" " * (size - len(body)) + body


def _token(
    claims: Expected,
    *,
    algorithm: str = "HS256",
    secret: str | None = DEFAULT_JWT_SECRET,
    digest: str = "sha256",
) -> str:
    """A token as RFC 7519 has it; without a secret, unsigned."""
    head: Expected = {"alg": algorithm, "typ": "JWT"}
    signed = f"{_base64(_encode(head))}.{_base64(_encode(claims))}"
    if secret is None:
        return f"{signed}."
    return f"{signed}.{_base64(hmac.digest(secret.encode(), signed.encode(), digest))}"


def _base64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def _unauthorized(name: str, header: str | None, problem: Problem) -> Sample:
    headers = {} if header is None else {"authorization": header}
    return _problem(f"protected: {name}", "GET", "/protected", problem, headers=headers)


def _weather_path(city: str) -> str:
    return f"/weather/{quote(city, safe='')}"


@functools.cache  # the scenarios and every stack's samples ask for the same few
def _result(work: Callable[[int], str], size: int) -> str:
    return work(size)


def _cpu(kind: str, work: Callable[[int], str], size: int, query: str) -> Sample:
    reply: Expected = {"size": size, "result": _result(work, size)}
    return Sample(f"cpu {kind}{query}", "GET", f"/cpu/{kind}{query}", 200, reply)


def _encode(value: Expected) -> bytes:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()


def _short(value: object) -> str:
    text = ascii(value)
    return text if len(text) <= 40 else f"{text[:30]}… ({len(text)} characters)"


def _content_type(content_type: str | None) -> dict[str, str]:
    return {} if content_type is None else {"content-type": content_type}


def _post(
    name: str,
    path: str,
    sent: Expected,
    status: int,
    reply: Expected,
    *,
    reply_headers: Mapping[str, str | FromReply] | None = None,
) -> Sample:
    return Sample(
        name,
        "POST",
        path,
        status,
        reply,
        headers=_content_type("application/json"),
        body=_encode(sent),
        reply_headers=reply_headers or {},
    )


def _validate(
    name: str, body: bytes, reply: Expected, content_type: str = "application/json"
) -> Sample:
    headers = _content_type(content_type)
    return Sample(name, "POST", "/users/validate", 200, reply, headers=headers, body=body)


def _problem(
    name: str,
    method: str,
    path: str,
    problem: Problem,
    *,
    headers: Mapping[str, str] | None = None,
    body: bytes | None = None,
) -> Sample:
    return Sample(
        name,
        method,
        path,
        problem.status,
        NO_BODY if method == "HEAD" else problem.document(),
        headers=headers or {},
        body=body,
        content_type=problems.MEDIA_TYPE,
        reply_headers=problem.headers,
    )


def _get_problem(name: str, path: str, problem: Problem) -> Sample:
    return _problem(name, "GET", path, problem)


def _post_problem(
    name: str,
    path: str,
    sent: bytes | dict[str, Expected],
    problem: Problem,
    content_type: str | None = "application/json",
) -> Sample:
    body = sent if isinstance(sent, bytes) else _encode(sent)
    return _problem(name, "POST", path, problem, headers=_content_type(content_type), body=body)


def _wrong_method(method: str, path: str, *, allow: str) -> Sample:
    problem = problems.method_not_allowed(allow.split(", "))
    return _problem(f"{method} {path}", method, path, problem)


def _invalid(**rules: str) -> Problem:
    return problems.invalid(rules.items())
