"""The contract: every endpoint once, with sample requests and the replies that they must get.

Both twins answer every sample with the same status, headers and bytes: the expected JSON in
compact form, its members in the order written here. The builders at the end make the requests
that the scenarios send. Nothing here imports a framework: the load process reads it too.
"""

from __future__ import annotations

import functools
import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import TypeAlias
from urllib.parse import quote

from apps import problems
from apps.domain import cpu
from apps.domain.catalogue import SEEDED_USERS as SEEDED_USERS
from apps.domain.catalogue import CatalogueUser, user
from apps.domain.cities import BROKEN_CITY, LATE_CITY, TEMPERATURES_C
from apps.problems import Problem

CITIES = tuple(TEMPERATURES_C)

# ------------------------------------------------------------------------- records


@dataclass(frozen=True, slots=True)
class IntegerAbove:
    """Stands for a number that the server draws: any integer above `bound`."""

    bound: int


@dataclass(frozen=True, slots=True)
class FromReply:
    """A header made from members of the reply's own JSON: `/users/{id}`."""

    template: str


@dataclass(frozen=True, slots=True)
class NoBody:
    """Stands for the body that a reply to HEAD does not have."""


NO_BODY = NoBody()

# A JSON value, in which an IntegerAbove may stand for a number.
Expected: TypeAlias = (
    "bool | int | float | str | IntegerAbove | list[Expected] | dict[str, Expected] | None"
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
    json: Expected | NoBody
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes | None = None
    content_type: str = "application/json"
    reply_headers: Mapping[str, str | FromReply] = field(default_factory=dict)


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
    Endpoint("GET", "/cpu/python", "work that holds the GIL", _cpu_python_samples),
    Endpoint("GET", "/cpu/native", "work that releases the GIL", _cpu_native_samples),
)


def samples(unique: str) -> list[Sample]:
    """Every sample of every endpoint, and of paths that there are not; `unique` as in Endpoint."""
    return [
        *(sample for endpoint in ENDPOINTS for sample in endpoint.samples(unique)),
        *_unknown_path_samples(),
    ]


def _unknown_path_samples() -> Iterator[Sample]:
    for method in ("GET", "POST", "DELETE"):
        yield _problem(f"{method} an unknown path", method, "/nothing", problems.of_status(404))
    for path in ("/", "/static/app.js", "/docs", "/openapi.json", "/cpu", "/%00"):
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

    for name, body in {
        "an array": b"[]",
        "an array of a user": b"[" + _encode(_ADA) + b"]",
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
        "more after the object": _encode(_ADA) + b"{}",
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
        for name, body in {"a user": _encode(_ADA), "nothing": b"", "no JSON": b"{"}.items():
            yield _post_problem(
                f"{path}: {name} as {content_type or 'no content type'}",
                path,
                body,
                problems.of_status(415),
                content_type,
            )

    too_large = b" " * (problems.MAX_BODY_BYTES - len(_encode(_ADA)) + 1) + _encode(_ADA)
    for type_name, content_type in {"": "application/json", " of text": "text/plain"}.items():
        yield _post_problem(
            f"{path}: 1 MiB and a byte{type_name}",
            path,
            too_large,
            problems.of_status(413),
            content_type,
        )


def _every_field(rule: str) -> dict[str, str]:
    return dict.fromkeys(_ADA, rule)


# ------------------------------------------------------------------------- helpers


def _fields_of(person: CatalogueUser) -> dict[str, Expected]:
    return {"name": person.name, "email": person.email, "age": person.age}


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
