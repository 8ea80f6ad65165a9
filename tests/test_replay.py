"""The same requests to services of somebody else's, and what of their replies differs."""

import io
import itertools
import json
import re
import subprocess
import time
from collections.abc import Iterator
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from hypothesis import given
from hypothesis import strategies as st

from harness import report
from harness.checking import operations
from harness.checking import replay as replaying
from harness.checking.contents import Said, said
from harness.checking.differences import Drawings, Ignored, differing, drawings
from harness.checking.json_paths import json_path
from harness.checking.replay import replay, sample_of
from harness.checking.request import curl
from harness.cli.main import cli
from harness.errors import BadInput, EnvironmentFailed
from harness.models import (
    Cause,
    DifferenceKind,
    Framing,
    LackingOperation,
    OwnRequest,
    ParityFound,
    Reply,
    ReplyFailure,
)
from harness.planning.requests.variables import expand_request
from tests.own_services import Answer, Asked, json_reply, reply, routes, service
from tests.socket_server import nobody_listening
from tests.test_json import problems

Kind = DifferenceKind
URL = "http://127.0.0.1:5000"


def of(
    body: bytes = b"",
    status: int = 200,
    headers: tuple[tuple[str, str], ...] = (),
    kind: str = "text/plain",
    failure: ReplyFailure | None = None,
    framing: Framing = Framing.LENGTH,
    protocol: str = "1.1",
) -> Said:
    given = (("content-type", kind), *headers) if kind else headers
    return said(
        Reply(failure, str(failure or ""), status, given, body, body, True, protocol, framing),
        URL,
        "/users/7",
    )


def of_json(value: Any, status: int = 200, kind: str = "application/json") -> Said:
    return of(json.dumps(value).encode(), status, kind=kind)


def found(first: Said, other: Said, *ignore: str) -> list[tuple[Kind, str]]:
    ignored = Ignored(tuple(map(json_path, ignore)))
    return [(each.kind, each.cause) for each in differing(first, other, ("a", "b"), ignored)]


# ------------------------------------------------------------------------- two replies


@pytest.mark.parametrize(
    ("first", "other", "expected"),
    [
        ({"a": 1}, {"a": 1}, None),
        ({"a": 1}, {}, (Kind.STRUCTURE, "$.a: missing in b")),
        ({}, {"a": 1}, (Kind.STRUCTURE, "$.a: only in b")),
        ({"a": 1}, {"a": "1"}, (Kind.STRUCTURE, "$.a: number in a, text in b")),
        ({"a": None}, {"a": False}, (Kind.STRUCTURE, "$.a: null in a, true or false in b")),
        ({"a": 1}, {"a": True}, (Kind.STRUCTURE, "$.a: number in a, true or false in b")),
        ({"a": 1}, {"a": 2}, (Kind.VALUE, "$.a: different values")),
        ({"a": 1}, {"a": 1.0}, (Kind.VALUE, "$.a: written as a whole number in a, with a decimal point in b")),
        ([1, 2], [1], (Kind.STRUCTURE, "$: lists of different length")),
        ([{"x": 1}], [{"x": "1"}], (Kind.STRUCTURE, "$[*].x: number in a, text in b")),
        ({"a b": 1}, {}, (Kind.STRUCTURE, "$['a b']: missing in b")),
        (
            {"at": "Fri, 27 Nov 2026 10:00:00 GMT"},
            {"at": "2026-11-27T10:00:00Z"},
            (Kind.STRUCTURE, "$.at: an HTTP date in a, an ISO time in UTC (Z) in b"),
        ),
        (
            {"at": "2026-11-27T10:00:00.12+00:00"},
            {"at": "2026-11-27T10:00:00"},
            (Kind.STRUCTURE, "$.at: an ISO time with an offset in a, an ISO time without a zone in b"),
        ),
    ],
)  # fmt: skip
def test_json_is_compared_place_by_place(
    first: Any, other: Any, expected: tuple[Kind, str] | None
) -> None:
    assert found(of_json(first), of_json(other)) == ([expected] if expected else [])


def test_tokens_that_services_make_are_not_shown() -> None:
    one, two = of_json({"access_token": "abc123secret"}), of_json({"access_token": "xyz789secret"})
    (difference,) = differing(one, two, ("a", "b"), Ignored())
    assert difference.place == "$.access_token"
    assert "secret" not in difference.detail + difference.cause


def test_the_order_of_members_blanks_and_escapes_mean_nothing() -> None:
    first = of(b'{"a": 1, "b": "\\u00e9"}', kind="application/json")
    assert found(first, of('{"b":"é","a":1}'.encode(), kind="application/json")) == []


NOT_FOUND = "<!doctype html>\n<html lang=en>\n<title>404 Not Found</title>\n<h1>Not Found</h1>\n"


@pytest.mark.parametrize(
    ("first", "other", "expected"),
    [
        (
            of(NOT_FOUND.encode(), 404, kind="text/html; charset=utf-8"),
            of_json({"detail": "Not Found"}, 404),
            [(Kind.ERROR_SHAPE, "an error is FastAPI's detail instead of Flask's HTML page")],
        ),
        (
            of_json({"type": "about:blank", "title": "x", "status": 404}, 404, "application/problem+json"),
            of_json({"detail": [{"loc": ["query"], "msg": "x", "type": "y"}]}, 404),
            [(Kind.ERROR_SHAPE, "an error is FastAPI's list of what is invalid instead of a problem document")],
        ),
        (
            of_json({"error": "x", "code": 1}, 400),
            of(b"wrong", 400),
            [(Kind.ERROR_SHAPE, "an error is plain text instead of JSON with code, error")],
        ),
        (
            of_json({"error": "x"}, 400),
            of_json({"detail": [{"loc": [], "msg": ""}]}, 422),
            [
                (Kind.STATUS, "status 422 instead of 400"),
                (Kind.ERROR_SHAPE, "an error is FastAPI's list of what is invalid instead of JSON with error"),
            ],
        ),
        (
            of_json({"detail": "x"}, 404),
            of_json({"detail": "y"}, 404),
            [(Kind.VALUE, "$.detail: different values")],
        ),
        (of_json({"a": 1}), of_json({"detail": "no"}, 500), [(Kind.STATUS, "status 500 instead of 200")]),
    ],
)  # fmt: skip
def test_errors_of_another_shape_are_named(
    first: Said, other: Said, expected: list[tuple[Kind, str]]
) -> None:
    assert found(first, other) == expected


@pytest.mark.parametrize(
    ("one", "two", "expected"),
    [
        ("/login", f"{URL}/login", None),
        ("/login", "login", (Kind.REDIRECT, "redirects to /users/login instead of /login")),
        ("/login", "http://localhost:5000/login", (Kind.REDIRECT, "redirects to another host: a to its own address, b to http://localhost:5000")),
        ("/login", "https://127.0.0.1:5000/login", (Kind.REDIRECT, "redirects to another host: a to its own address, b to https://127.0.0.1:5000")),
        ("/login", "/login/", (Kind.REDIRECT, "the redirect's target differs by the slash at its end")),
        ("/u/7", "/v/7", (Kind.REDIRECT, "redirects to /v/… instead of /u/…")),
        ("/login?next=/a", "/login?next=/b", (Kind.REDIRECT, "the redirect's target has another query")),
        ("/login", "http://[::1", (Kind.REDIRECT, "redirects to http://[::… instead of /login")),
    ],
)  # fmt: skip
def test_redirects_are_compared_by_where_they_lead(
    one: str, two: str, expected: tuple[Kind, str] | None
) -> None:
    first, other = (of(status=302, headers=(("location", each),)) for each in (one, two))
    assert found(first, other) == ([expected] if expected else [])


def test_what_a_redirect_shows_to_a_reader_is_no_difference() -> None:
    headers = (("location", "/x"),)
    html = of(b"<!doctype html>Moved", 302, headers, "text/html")
    assert found(html, of(b"", 302, headers, "")) == []


def test_two_redirects_to_the_same_path_are_said_once() -> None:
    first, other = (of(status=each, headers=(("location", "/users/7/"),)) for each in (308, 307))
    ((_, cause),) = found(first, other)
    assert cause.endswith(
        "307 instead of 308: both redirect to the same path with a slash at its end"
    )


def test_a_redirect_to_the_same_path_with_a_slash_is_named() -> None:
    other = of(status=307, headers=(("location", "/users/7/"),))
    ((kind, cause),) = found(of_json({}), other)
    assert (kind, cause) == (
        Kind.STATUS,
        "status 307 instead of 200: b redirects to the same path with a slash at its end",
    )


@pytest.mark.parametrize(
    ("one", "two", "causes"),
    [
        ("sid=1; Path=/; HttpOnly", "sid=2; httponly; path=/", []),
        ("sid=1; Path=/; HttpOnly; Secure", "sid=1; Path=/", ["cookie sid: no Secure instead of Secure", "cookie sid: no HttpOnly instead of HttpOnly"]),
        ("sid=1; SameSite=Lax", "sid=1; SameSite=none", ["cookie sid: SameSite=None instead of SameSite=Lax"]),
        ("sid=1; samesite=lax", "sid=1; SameSite=Lax", []),
        ("sid=1; Path=/", "sid=1; Path=/app", ["cookie sid: Path=/app instead of Path=/"]),
        ("sid=1; Domain=x.org", "sid=1", ["cookie sid: no Domain instead of Domain=x.org"]),
        ("sid=1; Max-Age=9", "sid=1; Expires=Thu, 01 Jan 2032 00:00:00 GMT", []),
        ("sid=1; Max-Age=9", "sid=1", ["cookie sid: no lifetime (a session's cookie) instead of a lifetime"]),
        ("sid=1", "session=1", ["cookie session: only in b", "cookie sid: missing in b"]),
    ],
)  # fmt: skip
def test_cookies_are_compared_by_name_and_attributes(one: str, two: str, causes: list[str]) -> None:
    first, other = (of(headers=(("set-cookie", each),)) for each in (one, two))
    assert found(first, other) == [(Kind.COOKIE, cause) for cause in causes]


@pytest.mark.parametrize(
    ("one", "two", "expected"),
    [
        (("date", "x"), ("date", "y"), None),
        (("server", "x"), ("content-length", "y"), None),
        (("allow", "GET, HEAD"), ("allow", "HEAD,GET"), None),
        (("vary", "Cookie"), ("vary", "cookie, Accept"), (Kind.HEADER, "vary: accept, cookie instead of cookie")),
        (("cache-control", "no-store"), ("x-y", "1"), None),
        (("etag", '"1"'), ("etag", 'W/"2"'), None),
        (("x-version", "1"), ("x-version", "2"), (Kind.HEADER, "x-version: different values")),
        (("www-authenticate", "Basic"), ("www-authenticate", "Bearer"), (Kind.HEADER, "www-authenticate: Bearer instead of Basic")),
        (("content-encoding", "gzip"), ("content-encoding", "br"), (Kind.ENCODING, "content-encoding br instead of gzip")),
    ],
)  # fmt: skip
def test_headers_are_compared_by_what_they_mean(
    one: tuple[str, str], two: tuple[str, str], expected: tuple[Kind, str] | None
) -> None:
    same = of(headers=(one,)), of(headers=(two,))
    if one[0] == "cache-control":  # one is missing, another is new
        assert found(*same) == [
            (Kind.HEADER, "cache-control: missing in b"),
            (Kind.HEADER, "x-y: only in b"),
        ]
    else:
        assert found(*same) == ([expected] if expected else [])


def test_a_header_can_be_ignored() -> None:
    ignored = Ignored(headers=frozenset({"x-version"}))
    pair = of(headers=(("x-version", "1"),)), of(headers=(("x-version", "2"),))
    assert list(differing(*pair, ("a", "b"), ignored)) == []


@pytest.mark.parametrize(
    ("first", "other", "expected"),
    [
        (of(b"x"), of(b"x", kind="text/html"), [(Kind.CONTENT_TYPE, "content-type text/html instead of text/plain")]),
        (of(b"x"), of(b"x", kind=""), [(Kind.CONTENT_TYPE, "content-type missing instead of text/plain")]),
        (of(b"x", kind="text/plain; charset=UTF8"), of(b"x", kind="text/plain;charset=utf-8"), []),
        (of(b"x", kind="text/plain; charset=utf-8"), of(b"x"), [(Kind.ENCODING, "charset none instead of utf-8")]),
        (of(b'{"a": 1}', kind="application/json"), of(b'{"a": NaN}', kind="application/json"), [(Kind.STRUCTURE, "text instead of JSON")]),
        (of(b"one\ntwo"), of(b"one\n2\nthree"), [(Kind.VALUE, "the text differs")]),
        (of(b"\x00\x01"), of(b"\x00\x02"), [(Kind.VALUE, "the bytes differ")]),
        (of(b"x"), of(b""), [(Kind.STRUCTURE, "no body instead of text")]),
        (of(b"x"), of(b"x", framing=Framing.CHUNKED), [(Kind.ENCODING, "the body's end by chunks instead of length")]),
        (of(b"x"), of(b"x", protocol="1.0", framing=Framing.CLOSE), [(Kind.ENCODING, "HTTP/1.0 instead of HTTP/1.1")]),
        (of(b"x"), of(failure=ReplyFailure.CLOSED), [(Kind.NO_REPLY, "b closes the connection too early")]),
        (of(failure=ReplyFailure.CLOSED, status=0), of(failure=ReplyFailure.CLOSED, status=0), []),
    ],
)  # fmt: skip
def test_bodies_and_encodings_are_compared(
    first: Said, other: Said, expected: list[tuple[Kind, str]]
) -> None:
    assert found(first, other) == expected


def test_the_first_line_that_differs_is_shown() -> None:
    (only,) = differing(of(b"one\ntwo\nthree"), of(b"one\n2\nthree"), ("a", "b"))
    assert only.detail == 'line 2: "2" instead of "two"'


def test_values_from_elsewhere_are_shown_without_control_characters() -> None:
    hostile = "\x1b[2J\u202e<script>" + "x" * 500
    for each in differing(of_json({hostile: 1, "b": ""}), of_json({"b": hostile}), ("a", "b")):
        assert each.detail.isprintable()
        assert len(each.detail) < 700


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=4), inner, max_size=4),
    max_leaves=12,
)  # fmt: skip


@given(VALUES)
def test_the_same_json_never_differs(value: Any) -> None:
    assert found(of_json(value), of_json(value)) == []


@given(st.binary(max_size=60), st.sampled_from(["text/html", "application/json", "image/png", ""]))
def test_the_same_bytes_never_differ(body: bytes, kind: str) -> None:
    assert found(of(body, kind=kind), of(body, kind=kind)) == []


@given(VALUES, VALUES)
def test_different_json_differs(first: Any, other: Any) -> None:
    same = json.dumps(first, sort_keys=True) == json.dumps(other, sort_keys=True)
    assert bool(found(of_json(first), of_json(other))) is not same


@given(VALUES, VALUES, st.data())
def test_ignoring_a_place_hides_what_is_there_and_nothing_else(
    first: Any, other: Any, data: st.DataObject
) -> None:
    pair = of_json({"x": first}), of_json({"x": other})
    every = list(differing(*pair, ("a", "b")))
    if not every:
        return
    hidden = data.draw(st.sampled_from(every)).detail.split(": ")[0]
    if "…" in hidden or ": " in json.dumps([first, other]):
        return
    ignored = Ignored((json_path(hidden),))
    left = list(differing(*pair, ("a", "b"), ignored))
    assert [each for each in every if not each.detail.startswith(hidden)] == [
        each for each in left if not each.detail.startswith(hidden)
    ]
    assert not any(each.detail.startswith(f"{hidden}: ") for each in left)


# ----------------------------------------------------------------------- what is drawn


def test_what_a_service_draws_is_compared_by_its_kind() -> None:
    asked = [of_json({"id": number, "name": "x"}) for number in (1, 2)]
    drawn = drawings(asked, Ignored())
    assert drawn == Drawings(frozenset({"$.id"}), frozenset())
    value, kind = (
        next(differing(asked[0], of_json({"id": each, "name": "x"}), ("a", "b")))
        for each in (9, "9")
    )
    assert drawn.covers(value)
    assert not drawn.covers(kind)


def test_a_member_that_comes_and_goes_is_no_difference() -> None:
    drawn = drawings([of_json({"a": 1}), of_json({})], Ignored())
    (only,) = differing(of_json({"a": 1}), of_json({}), ("a", "b"))
    assert drawn.covers(only)


def test_lines_that_are_drawn_leave_the_others() -> None:
    drawn = drawings([of(b"token 1\nname"), of(b"token 2\nname")], Ignored())
    token, name = differing(of(b"token 1\nname"), of(b"token 9\nother"), ("a", "b"))
    assert (drawn.covers(token), drawn.covers(name)) == (True, False)


# ---------------------------------------------------------------------- several services


def get(*paths: str) -> list[OwnRequest]:
    return [OwnRequest(f"GET {path}", "GET", path) for path in paths]


def between(one: Answer, two: Answer, *requests: OwnRequest, **more: Any) -> ParityFound:
    with service(one) as a, service(two) as b:
        return replay({"a": a, "b": b}, requests or get("/"), **more)


def test_services_that_answer_the_same_agree() -> None:
    same = routes({"GET /": json_reply({"a": [1, 2]})})
    result = between(same, same, *get("/", "/nowhere"))
    assert result.agree
    assert (result.requests, list(result.lines()), result.notes) == (2, [], ())


def test_services_that_give_no_whole_reply_do_not_agree() -> None:
    def broken(_: Asked) -> bytes:
        return b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\ncontent-length: 6\r\n\r\n123456"

    found = between(broken, broken, *get("/x"))
    assert found.causes == ()
    assert found.unanswered == 1
    assert not found.agree


def test_the_requests_that_are_sent_change_until_all_had_their_turn() -> None:
    requests = get(*(f"/{number}" for number in range(30)))
    turns = [sample_of(requests, 3, turn) for turn in range(10)]
    assert all(len(chosen) == 3 for chosen in turns)
    assert {each.path for chosen in turns for each in chosen} == {each.path for each in requests}


def test_differences_are_grouped_by_cause_and_the_worst_is_first() -> None:
    paths = [f"/items/{number}" for number in range(5)]
    one = routes(
        {f"GET {path}": json_reply({"price": 1.5}) for path in paths} | {"GET /x": reply("x")}
    )
    two = routes({f"GET {path}": json_reply({"price": "1.5"}) for path in paths})
    result = between(one, two, *get(*paths, "/x"))
    assert [(each.kind, each.cause, each.requests, len(each.examples)) for each in result.causes] == [
        (Kind.STATUS, "status 404 instead of 200", 1, 1),
        (Kind.STRUCTURE, "$.price: number in a, text in b", 5, 3),
    ]  # fmt: skip
    assert list(result.lines()) == [
        "GET /x: status 404 instead of 200",
        "GET /items/0: $.price: number in a, text in b (and 4 more)",
    ]
    assert not result.agree


def test_elements_of_a_list_are_one_cause() -> None:
    one, two = (lambda _, v=v: json_reply([{"p": v} for _ in range(40)]) for v in (1, "1"))
    (cause,) = between(one, two).causes
    assert (cause.cause, cause.requests) == ("$[*].p: number in a, text in b", 1)
    assert cause.examples[0].detail.startswith("$[0].p")


def counting(first: int = 0, **fixed: Any) -> Answer:
    numbers = itertools.count(first)
    return lambda _: json_reply(
        {"id": next(numbers) * 7, **fixed}, headers=[("X-Request-Id", str(next(numbers)))]
    )


def test_what_services_draw_for_themselves_is_no_difference() -> None:
    result = between(counting(name="x"), counting(500, name="x"))
    assert result.agree
    assert [(each.place, each.services) for each in result.drawn] == [
        ("$.id", ("a", "b")),
        ("header x-request-id", ("a", "b")),
    ]
    assert not between(counting(name="x"), counting(500, name="x"), twice=False).agree
    (cause,) = between(counting(name="x"), counting(500, name="y")).causes
    assert cause.cause == "$.name: different values"


def test_the_own_address_of_each_is_no_difference() -> None:
    def echo(asked: Asked) -> bytes:
        here = f"http://{asked.header('host')}"
        if asked.path == "/page":
            return reply(f"<a href={here}/next>", headers=[("Link", f"<{here}/2>; rel=next")])
        return json_reply({"url": here + asked.path, "host": asked.header("host")})

    assert between(echo, echo, *get("/page", "/json")).agree


def test_an_address_that_is_not_the_own_one_is_a_difference() -> None:
    def own(asked: Asked) -> bytes:
        return json_reply({"next": f"http://{asked.header('host')}/2"})

    (cause,) = between(own, lambda _: json_reply({"next": "http://old.test/2"})).causes
    assert cause.cause == "$.next: different values"


def test_lines_that_one_draws_are_not_called_the_whole_text() -> None:
    numbers = itertools.count()
    text = lambda name: lambda _: reply(f"{name}\nup {next(numbers)}")  # noqa: E731
    result = between(text("a"), text("b"))
    assert [each.place for each in result.drawn] == ["lines of the text"]
    assert len(result.causes) == 1


def test_a_clock_of_whole_seconds_is_no_difference(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(replaying, "_LATER_S", 0.3)

    def clock(shift: int) -> Answer:
        return lambda _: json_reply({"at": int(time.monotonic() / 0.15) + shift, "b": 1})

    result = between(clock(0), clock(1_000_000), *get("/", "/2"))
    assert result.agree
    assert not between(clock(0), lambda _: json_reply({"at": "x", "b": 1})).agree


def test_a_value_that_stays_is_a_difference_after_the_third_ask(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(replaying, "_LATER_S", 0.1)
    asks: list[Asked] = []

    def answer(asked: Asked) -> bytes:
        asks.append(asked)
        return json_reply({"a": 1})

    result = between(answer, lambda _: json_reply({"a": 2}), *get("/x"))
    assert [each.cause for each in result.causes] == ["$.a: different values"]
    assert len(asks) == 3


def test_a_status_that_comes_and_goes_is_noted() -> None:
    flaky = lambda asked: reply("x", "503 Service Unavailable" if asked.number % 2 else "200 OK")  # noqa: E731
    result = between(flaky, lambda _: reply("x"))
    assert result.agree
    assert result.notes == ("service a replied 503 and then 200 to the same request: GET /",)


def post(path: str = "/items", **more: Any) -> OwnRequest:
    return OwnRequest(
        f"POST {path}", "POST", path, (("content-type", "application/json"),), "{}", **more
    )


def test_what_changes_state_is_sent_only_if_it_may() -> None:
    seen: list[str] = []

    def answer(asked: Asked) -> bytes:
        seen.append(asked.method)
        return reply("x")

    result = between(answer, answer, *get("/"), post(), post())
    assert (set(seen), result.requests, result.left_out) == ({"GET"}, 1, 2)
    assert result.notes == ("2 requests were left out, since they may change state",)
    seen.clear()
    result = between(answer, answer, *get("/"), post(), allow_writes=True)
    assert (seen.count("POST"), result.left_out) == (4, 0)


def test_what_is_answered_in_another_way_the_second_time_is_compared_by_the_first() -> None:
    def storing(first: str) -> Answer:
        return lambda asked: json_reply({}, first if asked.number == 1 else "409 Conflict")

    assert between(storing("201 Created"), storing("201 Created"), post(), allow_writes=True).agree
    (cause,) = between(
        storing("201 Created"), storing("409 Conflict"), post(), allow_writes=True
    ).causes
    assert cause.cause == "status 409 instead of 201"


def test_replies_that_are_none_are_the_worst_difference() -> None:
    bad = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 7\r\n\r\nhello"
    two = routes({"GET /": bad, "GET /2": b""})
    result = between(lambda _: reply("hello"), two, *get("/2", "/", "/3"))
    assert [(each.kind, each.cause) for each in result.causes] == [
        (Kind.NO_REPLY, "b closes the connection too early"),
        (Kind.NO_REPLY, "b replies with what is not HTTP"),
        (Kind.STATUS, "status 404 instead of 200"),
    ]
    assert "two Content-Lengths" in list(result.lines())[1]
    assert not between(two, two, *get("/")).agree


def test_three_services_are_each_compared_with_the_first() -> None:
    with ExitStack() as stack:
        urls = {
            label: stack.enter_context(service(lambda _, v=v: json_reply({"a": v})))
            for label, v in {"old": 1, "new": 1, "newest": "1"}.items()
        }
        result = replay(urls, get("/"))
    assert list(result.lines()) == ["newest, GET /: $.a: number in old, text in newest"]


def test_few_of_many_requests_can_be_sent() -> None:
    seen: list[str] = []

    def answer(asked: Asked) -> bytes:
        seen.append(asked.path)
        return reply("x")

    result = between(
        answer, lambda _: reply("x"), *get(*(f"/{n}" for n in range(10))), at_most=2, twice=False
    )
    assert (seen, result.requests) == (["/0", "/5"], 2)


def test_what_is_not_sent_in_time_is_said_and_is_no_agreement() -> None:
    same = routes({"GET /": reply("x")})
    result = between(same, same, *get("/", "/2"), budget_s=-1)
    assert (result.unsent, result.agree) == (2, False)


def test_a_service_that_is_not_there_is_named() -> None:
    with service(lambda _: reply("x")) as a, nobody_listening() as b:
        said = re.escape(f"service b ({b}) can't be reached: connection refused")
        with pytest.raises(EnvironmentFailed, match=said):
            replay({"a": a, "b": b}, get("/"))


def test_a_service_that_dies_half_way_is_named_with_the_request(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(replaying, "_PATIENCE_S", 0.2)
    real = replaying.exchange
    monkeypatch.setattr(
        replaying,
        "exchange",
        lambda url, request, **more: (
            Reply(ReplyFailure.REFUSED, "connection refused")
            if request.path == "/2"
            else real(url, request, **more)
        ),
    )
    with pytest.raises(EnvironmentFailed, match=r"any more, at request 2 of 3 \(GET /2\)"):
        between(lambda _: reply("x"), lambda _: reply("x"), *get("/1", "/2", "/3"))


def test_secrets_are_sent_and_never_shown() -> None:
    secret = 'gehe"im\\1/2'

    def echoing(kind: str) -> Answer:
        def answer(asked: Asked) -> bytes:
            key = asked.header("x-key")
            body = {"you said": key, key: 1, "kind": kind, "all": [f"Key {key}"]}
            return json_reply(
                body, headers=[("X-Echo", f"{kind} {key}"), ("Set-Cookie", f"{key}=1")]
            )

        return answer

    request = OwnRequest("GET /", "GET", "/?k=${KEY}", (("X-Key", "${KEY}"),))
    result = between(
        echoing("one"),
        lambda asked: echoing("two")(asked).replace(b"HTTP/1.1 200 OK", b"HTTP/1.1 201 Created"),
        request,
        OwnRequest("GET /2", "GET", "/2", (("X-Key", "${KEY}"),)),
        expand=partial(expand_request, environ={"KEY": secret}),
        redacted=lambda text: text.replace(secret, "${KEY}"),
    )
    other = between(
        echoing("one"),
        echoing("two"),
        request,
        expand=partial(expand_request, environ={"KEY": secret}),
        redacted=lambda text: text.replace(secret, "${KEY}"),
    )
    for each in (result, other):
        assert each.causes
        assert "gehe" not in repr(each)
        assert '"${KEY}"' in each.causes[0].examples[0].curl["a"]
    assert [cause.cause for cause in other.causes] == [
        "$.kind: different values",
        "x-echo: different values",
    ]


def test_a_variable_that_is_not_set_is_found_before_anything_is_sent() -> None:
    seen: list[Asked] = []

    def answer(asked: Asked) -> bytes:
        seen.append(asked)
        return reply("x")

    with pytest.raises(BadInput):
        between(
            answer,
            answer,
            *get("/"),
            OwnRequest("x", "GET", "/", (("k", "${KEY}"),)),
            expand=partial(expand_request, environ={}),
        )
    assert seen == []


# --------------------------------------------------------------------------------- curl


@pytest.mark.parametrize(
    "request_",
    [
        OwnRequest("x", "GET", "/a/../b//c?x=[1]&y={2}&z=$HOME`id`"),
        OwnRequest("x", "GET", "/x?k=${KEY}", (("X-Key", "a ${KEY} \"b\" 'c' $KEY"),)),
        OwnRequest("x", "POST", "/x", (("Content-Type", "text/plain"),), "it's ${KEY}\n\x00\xff!"),
        OwnRequest("x", "DELETE", "/x", (("X-Empty", ""), ("X-Literal", "$${KEY}"))),
    ],
)  # fmt: skip
def test_a_curl_command_sends_what_was_sent(request_: OwnRequest, tmp_path: Path) -> None:
    # A curl that writes down its arguments takes the place of curl.
    code = f"curl() {{ printf '%s|' \"$@\"; }}; KEY='v 1'; {curl(request_, 'http://h:1/')}"
    done = subprocess.run(["bash", "-c", code], capture_output=True, check=True)
    words = done.stdout.decode("latin-1").split("|")[:-1]
    assert words[-1] == "http://h:1" + request_.path.replace("${KEY}", "v 1")
    for name, value in request_.headers:
        text = value.replace("$${", "$\0{").replace("${KEY}", "v 1").replace("\0", "")
        assert (f"{name}: {text}" if value else f"{name};") in words
    if request_.body is not None:
        assert (
            words[words.index("--data-binary") + 1] == "it's v 1\n"
        )  # no argument holds a zero byte
    assert ("-X" in words) is (request_.method != "GET")


# --------------------------------------------------------------------------- operations


def document(*paths: str, **more: Any) -> dict[str, Any]:
    made: dict[str, Any] = {}
    for each in paths:
        method, path = each.split()
        made.setdefault(path, {})[method.lower()] = {}
    return {"openapi": "3.1.0", "paths": made, **more}


def test_operations_that_one_lacks_are_named_whatever_parameters_are_called() -> None:
    a = document("GET /users/{id}", "DELETE /users/{id}", "GET /old")
    b = document("GET /{user_id}", "POST /new", servers=[{"url": "/users"}])
    known = {"a": operations.operations(a), "b": operations.operations(b)}
    assert list(operations.lacking(known)) == [
        LackingOperation("DELETE", "/users/{id}", "a", "b"),
        LackingOperation("GET", "/old", "a", "b"),
        LackingOperation("POST", "/users/new", "b", "a"),
    ]


def flask_like(*known: str) -> Answer:
    """Answers OPTIONS for the paths that it knows."""

    def answer(asked: Asked) -> bytes:
        path = re.sub(r"/1$", "/{}", asked.path)
        methods = [each.split()[0] for each in known if each.split()[1] == path]
        if not methods:
            return reply("nothing here", "404 Not Found")
        if asked.method == "OPTIONS":
            return reply("", headers=[("Allow", ", ".join(methods))])
        return reply("x")

    return answer


def test_a_service_without_a_document_is_asked_for_its_paths() -> None:
    described = document("GET /users/{id}", "DELETE /users/{id}", "GET /new")
    two = routes({"GET /openapi.json": json_reply(described), "GET /": reply("x")})
    with service(flask_like("GET /", "GET /users/{}")) as a, service(two) as b:
        found, notes = operations.lacking_operations({"a": a, "b": b}, {}, get("/"))
    assert (found, notes) == (
        (
            LackingOperation("DELETE", "/users/{id}", "b", "a", True),
            LackingOperation("GET", "/new", "b", "a", True),
        ),
        (),
    )


def test_a_service_that_says_nothing_of_its_paths_lacks_nothing() -> None:
    described = {"GET /openapi.json": json_reply(document("GET /new")), "GET /": reply("x")}
    everywhere = lambda _: reply("x")  # noqa: E731
    nowhere = routes({"GET /": reply("x")})
    for other in (everywhere, nowhere):
        with service(other) as a, service(routes(described)) as b:
            found, notes = operations.lacking_operations({"a": a, "b": b}, {}, get("/"))
        assert found == ()
        assert "OPTIONS" in notes[0]
    with service(nowhere) as a, service(nowhere) as b:
        assert operations.lacking_operations({"a": a, "b": b}, {}, get("/")) == ((), ())


# ------------------------------------------------------------------------- command line


def check(*arguments: str) -> Result:
    return CliRunner().invoke(cli, ["check", *arguments])


@pytest.fixture
def differing_urls() -> Iterator[tuple[str, str]]:
    one = routes({"GET /hello": json_reply({"a": 1, "t": "x"})})
    with (
        service(one) as a,
        service(routes({"GET /hello": json_reply({"a": "1", "t": "</script><b>1"})})) as b,
    ):
        yield a, b


def test_check_names_what_differs_and_how_to_see_it(differing_urls: tuple[str, str]) -> None:
    a, b = differing_urls
    done = check("--a", a, "--b", b, "--get", "/hello", "--get", "/nowhere")
    assert done.exit_code == 1, done.output
    assert "$.a: number in a, text in b" in done.stdout
    for url in (a, b):
        assert f"curl -i --path-as-is --compressed {url}/hello\n" in done.stdout
    assert check("--a", a, "--b", a, "--get", "/hello").exit_code == 0
    ignoring = ("--ignore", "$.a", "--ignore", "$..t")
    assert check("--a", a, "--b", b, "--get", "/hello", *ignoring).exit_code == 0


def test_check_prints_json_as_described(differing_urls: tuple[str, str]) -> None:
    a, b = differing_urls
    done = check("--a", a, "--b", b, "--c", b, "--get", "/hello", "--json")
    assert problems("check", done.stdout) == []
    answer = json.loads(done.stdout)
    assert (answer["agree"], {each["other"] for each in answer["causes"]}) == (False, {"b", "c"})
    assert answer["causes"][0]["examples"][0]["curl"]["b"].endswith(f"{b}/hello")


def test_check_describes_every_kind(differing_urls: tuple[str, str]) -> None:
    from tests.test_json import SCHEMAS

    kinds = SCHEMAS["check"]["properties"]["causes"]["items"]["properties"]["kind"]["enum"]
    assert kinds == [str(kind) for kind in DifferenceKind]


def test_check_writes_a_page_in_which_texts_stay_texts(
    differing_urls: tuple[str, str], tmp_path: Path
) -> None:
    a, b = differing_urls
    page = tmp_path / "parity.html"
    done = check("--a", a, "--b", b, "--get", "/hello", "--html", str(page))
    assert done.exit_code == 1, done.output
    text = page.read_text()
    assert "<b>" not in text.partition("</style>")[2]
    assert "&lt;/script&gt;&lt;b&gt;1" in text
    assert "Do both answer the same?" in text
    assert text.count("</script>") == 1
    assert "from run" not in text


A, B = "http://127.0.0.1:1", "http://127.0.0.1:2"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--a", A], "name both, with --a and --b"),
        (["--b", A], "name both, with --a and --b"),
        (["--get", "/x"], "name both, with --a and --b"),
        (["--once"], "name both, with --a and --b"),
        (["--a", A, "--b", B], "give a path with --get"),
        (["--a", "flask-gthread", "--b", "flask-gthread", "--get", "/"], "services are called"),
        (["--a", A, "--b", "http://u:geheim@127.0.0.1", "--get", "/"], "--b"),
        (["--a", A, "--b", B, "--get", "x"], "must begin with /"),
        (["--a", A, "--b", B, "--get", "/", "--stack", "x"], "--stack belongs to a check"),
        (["--a", A, "--b", B, "--get", "/", "--cases", "9"], "--cases belongs to a check"),
        (["--a", A, "--b", B, "--get", "/", "--ignore", "a"], "begins with $"),
        (["--a", A, "--b", B, "--get", "/", "--openapi-a", "/no/such.json"], "/no/such.json"),
        (["--a", A, "--b", B, "--get", "/", "--html", "/no/such/x.html"], "its folder is not there"),
    ],
)  # fmt: skip
def test_bad_input_is_one_line_that_says_what_to_do(arguments: list[str], said: str) -> None:
    done = check(*arguments)
    assert isinstance(done.exception, BadInput), done.output
    assert said in str(done.exception)
    assert "\n" not in str(done.exception)
    assert "geheim" not in str(done.exception)


def test_an_unreachable_service_ends_the_check() -> None:
    with nobody_listening() as url:
        done = check("--a", url, "--b", url, "--get", "/")
    assert isinstance(done.exception, EnvironmentFailed)
    assert f"service 'a': {url}" in str(done.exception)


def test_a_service_may_be_a_command_and_have_paths_of_its_own(tmp_path: Path) -> None:
    (tmp_path / "old").mkdir()
    (tmp_path / "old" / "x.json").write_text('{"a": 1}')
    command = f"python -m http.server {{port}} --bind 127.0.0.1 --directory {tmp_path}"
    with service(routes({"GET /new/x.json": json_reply({"a": 2})})) as url:
        arguments = ["--a", command, "--b", url, "--get", "/old/x.json", "--map", "b:/old/*=/new/*"]
        done = check(*arguments, "--json")
    assert done.exit_code == 1, done.output
    assert {"$.a: different values", "HTTP/1.1 instead of HTTP/1.0"} <= {
        each["cause"] for each in json.loads(done.stdout)["causes"]
    }
    curl_b = json.loads(done.stdout)["causes"][0]["examples"][0]["curl"]["b"]
    assert curl_b.endswith("/new/x.json")


def test_what_may_change_state_is_left_out_and_said(tmp_path: Path) -> None:
    with service(routes({})) as url:
        file = tmp_path / "shop.toml"
        file.write_text(
            f'get = ["/x"]\n[a]\nurl = "{url}"\n[b]\nurl = "{url}"\n'
            '[[request]]\nmethod = "DELETE"\npath = "/y"\n'
        )
        left = check(str(file), "--json")
        sent = check(str(file), "--json", "--allow-writes")
    assert (left.exit_code, sent.exit_code) == (0, 0), left.output
    assert [json.loads(each.stdout)["requests"] for each in (left, sent)] == [1, 2]
    assert "left out 1 request" in json.loads(left.stdout)["notes"][0]


def test_variables_are_put_in_and_are_not_shown(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("SHOP_TOKEN", "geheim-7")
    page = tmp_path / "page.html"

    def echoing(word: str) -> Answer:
        return lambda asked: json_reply({"word": word, "you": asked.header("authorization") + word})

    with service(echoing("one")) as a, service(echoing("two")) as b:
        header = "authorization: Bearer ${SHOP_TOKEN}"
        arguments = ["--a", a, "--b", b, "--get", "/", "--header", header, "--html", str(page)]
        done = check(*arguments)
    assert done.exit_code == 1
    assert "***" in done.stdout
    assert "${SHOP_TOKEN}" in done.stdout
    assert "geheim" not in done.output + page.read_text()


def test_a_document_that_is_given_is_compared_with_the_service_s_own(tmp_path: Path) -> None:
    path = tmp_path / "openapi.json"
    path.write_text(json.dumps(document("GET /hello", "GET /gone")))
    served = {"GET /openapi.json": json_reply(document("GET /hello")), "GET /hello": reply("x")}
    with service(routes(served)) as url:
        arguments = ["--a", url, "--b", url, "--get", "/hello"]
        assert check(*arguments).exit_code == 0
        done = check(*arguments, "--openapi-a", str(path))
    assert done.exit_code == 1
    assert "GET /gone" in done.stdout


def test_all_that_is_found_fits_a_narrow_terminal_and_a_page() -> None:
    from rich.console import Console

    causes = tuple(
        Cause(kind, "b", f"cause {number} " + "x" * 200, 1, result_examples())
        for number, kind in enumerate(list(DifferenceKind) * 5)
    )
    made = ParityFound({"a": URL, "b": URL}, 50, 1, 0, causes, notes=("a note",))
    console = Console(width=60, record=True, file=io.StringIO())
    console.print(report.parity_terminal(made), crop=False)
    text = console.export_text()
    assert "20 more" in text.replace("\n", " ")
    assert "A note." in text
    page = report.parity_page(made).decode()
    assert all(f"cause {number} " in page for number in range(50))


def result_examples() -> Any:
    from harness.models import CauseExample

    return (CauseExample("GET /x", "detail", {"a": f"curl {URL}/x", "b": f"curl {URL}/x"}),)
