"""POST /users/validate, POST /users, GET /users/{id}."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import replace
from urllib.parse import quote

from apps import problems
from apps.contract.building import (
    content_type_header,
    get_problem,
    invalid,
    post,
    post_problem,
    shortened,
    wrong_method,
)
from apps.contract.records import Expected, FromReply, IntegerAbove, Sample, compact_json
from apps.contract.request_body import malformed_bodies, padded
from apps.domain.catalogue import SEEDED_USERS, CatalogueUser, user


def validate_user(number: int) -> Sample:
    """POST /users/validate with valid user `number`, from 0; every second one needs normalising."""
    newcomer = user(SEEDED_USERS + 1 + number)
    sent = _fields_of(newcomer)
    if number % 2:
        sent |= {"name": f"  {newcomer.name}\t", "email": f"user{newcomer.id}@EXAMPLE.Org"}
    return post(f"validate user {number}", "/users/validate", sent, 200, _fields_of(newcomer))


def lookup_user(user_id: int) -> Sample:
    """GET /users/{id} for one of the SEEDED_USERS, from 1."""
    row: Expected = {"id": user_id, **_fields_of(user(user_id))}
    return Sample(f"look up user {user_id}", "GET", f"/users/{user_id}", 200, row)


def validate_samples(unique: str) -> Iterator[Sample]:
    """Samples of POST /users/validate."""
    for number in range(4):
        yield validate_user(number)
    yield from _good_users()
    yield from _bad_bodies("/users/validate")
    # GET goes to /users/{id}, and `validate` is not a valid id.
    yield get_problem("look up user validate", "/users/validate", invalid(id="type"))
    yield wrong_method("DELETE", "/users/validate", allow="GET, POST")


def create_samples(unique: str) -> Iterator[Sample]:
    """Samples of POST /users."""

    def sent(number: int) -> dict[str, Expected]:
        return {"name": f"Zoë {number}", "email": f"zoë.{unique}.{number}@example.org", "age": 33}

    new_id = IntegerAbove(SEEDED_USERS)
    location = {"location": FromReply("/users/{id}")}
    yield post(
        "create a user", "/users", sent(1), 201, {"id": new_id, **sent(1)}, reply_headers=location
    )
    yield post(
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
        yield post_problem(f"create a user with {name}", "/users", body, problems.email_taken())
    yield from _bad_bodies("/users")
    for method in ("GET", "DELETE", "HEAD"):
        yield wrong_method(method, "/users", allow="POST")


def lookup_samples(unique: str) -> Iterator[Sample]:
    """Samples of GET /users/{id}."""
    for user_id in (1, 17, SEEDED_USERS):
        yield lookup_user(user_id)
    yield Sample("look up user 0017", "GET", "/users/0017", 200, lookup_user(17).json)
    for absent in (0, -1, 2**31, 2**63 - 1, 2**63, -(2**63) - 1, 10**100):
        yield get_problem(
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
        yield get_problem(
            f"look up user {text!r}", f"/users/{quote(text, safe='')}", invalid(id="type")
        )
    yield get_problem("look up no user", "/users/", problems.of_status(404))
    yield wrong_method("DELETE", "/users/1", allow="GET")
    yield wrong_method("OPTIONS", "/users/1", allow="GET")


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
        yield _validate(f"valid: {name}", compact_json(_ADA | change), _ADA | normalised)

    reply = compact_json(_ADA).decode()
    for name, body in {
        "blanks in the JSON": json.dumps(_ADA, indent=4).encode(),
        "escapes in the JSON": reply.replace("Ada", "\\u0041da").encode(),
        "members in another order": compact_json(dict(reversed(_ADA.items()))),
        "a member twice, the last of which counts": reply.replace(
            '"age":', '"age":"x","age":'
        ).encode(),
        "a byte order mark": b"\xef\xbb\xbf" + reply.encode(),
    }.items():
        yield _validate(f"valid: {name}", body, _ADA)
    yield _validate("valid: 1 MiB", padded(compact_json(_ADA), problems.MAX_BODY_BYTES), _ADA)
    yield replace(_validate("valid: in chunks", compact_json(_ADA), _ADA), chunked=True)
    for content_type in (
        "application/json; charset=utf-8",
        "Application/JSON",
        "application/vnd.example+json",
    ):
        yield _validate(f"valid: {content_type}", compact_json(_ADA), _ADA, content_type)


def _bad_users() -> Iterator[tuple[str, Mapping[str, object], dict[str, str]]]:
    """A name, changes to a valid user (`...` removes the field), and the rule that each field breaks."""
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
        yield f"email {shortened(email)}", {"email": email}, {"email": "email"}

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
        yield f"age {shortened(age)}", {"age": age}, {"age": rule}


def _bad_bodies(path: str) -> Iterator[Sample]:
    """Bodies that both endpoints for a user refuse, before they store anything."""
    for name, change, rules in _bad_users():
        fields = {key: value for key, value in {**_ADA, **change}.items() if value is not ...}
        body = json.dumps(fields).encode()  # in ASCII: only an escape can send half a character
        yield post_problem(f"{path}: {name}", path, body, invalid(**rules))
    yield from malformed_bodies(path, compact_json(_ADA))


def _every_field(rule: str) -> dict[str, str]:
    return dict.fromkeys(_ADA, rule)


def _fields_of(person: CatalogueUser) -> dict[str, Expected]:
    return {"name": person.name, "email": person.email, "age": person.age}


def _validate(
    name: str, body: bytes, reply: Expected, content_type: str = "application/json"
) -> Sample:
    headers = content_type_header(content_type)
    return Sample(name, "POST", "/users/validate", 200, reply, headers=headers, body=body)
