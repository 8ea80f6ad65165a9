"""The contract, the settings and the weather service, without a server."""

from __future__ import annotations

import asyncio
import json
import statistics
import subprocess
import sys
from collections.abc import MutableMapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from email_validator import validate_email
from hypothesis import given
from hypothesis import strategies as st

import apps
from apps import contract, problems
from apps.contract import FromReply, IntegerAbove, Sample
from apps.domain import catalogue, cities, cpu
from apps.settings import Settings
from apps.upstream import WeatherService, latency, latency_from
from harness.parity import compare

ENVIRON = {
    "TWIN_DATABASE_URL": "postgresql://user@localhost:5432/name",
    "TWIN_UPSTREAM_URL": "http://127.0.0.1:8090",
}

# ------------------------------------------------------------------------ contract


@pytest.mark.parametrize("endpoint", contract.ENDPOINTS, ids=lambda e: f"{e.method} {e.path}")
def test_every_endpoint_has_good_and_bad_samples(endpoint: contract.Endpoint) -> None:
    statuses = {sample.status for sample in endpoint.samples("once")}
    assert any(status < 300 for status in statuses)
    assert any(status >= 400 for status in statuses)


def test_every_endpoint_stands_in_the_contract_once() -> None:
    endpoints = [(endpoint.method, endpoint.path) for endpoint in contract.ENDPOINTS]
    assert len(endpoints) == len(set(endpoints))


def test_every_sample_has_a_name_of_its_own() -> None:
    names = [sample.name for sample in contract.samples("once")]
    assert len(names) == len(set(names))


def test_every_status_of_the_contract_has_a_sample() -> None:
    statuses = {sample.status for sample in contract.samples("once")}
    assert statuses == {200, 201, 400, 404, 405, 409, 413, 415, 422, 502, 504}


def test_every_rule_of_the_contract_has_a_sample() -> None:
    documents: list[Any] = [s.json for s in contract.samples("once") if s.status == 422]
    rules = {error["rule"] for document in documents for error in document["errors"]}
    assert rules == {"required", "type", "characters", "length", "email", "range"}


def test_a_sample_can_be_sent_as_it_stands() -> None:
    for sample in contract.samples("once"):
        assert sample.path.isascii()
        assert " " not in sample.path
        assert all(name == name.lower() for name in [*sample.headers, *sample.reply_headers])


def test_samples_of_another_token_store_other_emails() -> None:
    def stored(unique: str) -> set[bytes | None]:
        return {sample.body for sample in contract.samples(unique) if sample.status == 201}

    assert stored("one").isdisjoint(stored("two"))


def test_the_body_limit_is_exceeded_by_one_byte_only() -> None:
    sizes = {len(s.body or b"") for s in contract.samples("once") if s.status == 413}
    assert sizes == {problems.MAX_BODY_BYTES + 1}


def test_a_problem_document_has_the_members_of_rfc_9457_in_order() -> None:
    problem = problems.invalid([("name", "length"), ("age", "range")])
    assert json.dumps(problem.document()) == (
        '{"type": "about:blank", "title": "Unprocessable Content", "status": 422,'
        ' "detail": "The request has fields that are not valid.",'
        ' "errors": [{"field": "name", "rule": "length"}, {"field": "age", "rule": "range"}]}'
    )


def test_a_status_that_no_framework_should_answer_is_a_500() -> None:
    assert problems.of_status(418).status == 500


def test_allow_is_sorted() -> None:
    assert problems.method_not_allowed({"POST", "GET"}).headers == {"allow": "GET, POST"}


def test_builders_give_the_exact_replies() -> None:
    assert contract.hello().json == {"message": "Hello, World!"}
    assert contract.weather("Oslo").json == {"city": "Oslo", "temperature_c": 3.5}
    assert contract.weather("東京").path == "/weather/%E6%9D%B1%E4%BA%AC"
    assert contract.lookup_user(1).json == {
        "id": 1,
        "name": "Bùi Brontë",
        "email": "user1@example.org",
        "age": 1,
    }
    assert contract.cpu_python().json == {"size": 10, "result": cpu.python(10)}
    assert contract.cpu_native().json == {"size": 10, "result": cpu.native(10)}


def test_users_to_validate_differ_and_some_need_normalising() -> None:
    samples = [contract.validate_user(n) for n in range(50)]
    assert len({sample.body for sample in samples}) == 50
    sent = [json.loads(sample.body or b"") for sample in samples]
    needing = [user for user, sample in zip(sent, samples, strict=True) if user != sample.json]
    assert len(needing) == 25
    assert any(not user["name"].isascii() for user in sent)


def test_reading_the_contract_imports_no_framework() -> None:
    heavy = ["flask", "fastapi", "pydantic", "sqlalchemy", "psycopg", "email_validator"]
    code = (
        f"import sys, apps.contract as c; c.samples('x'); print([m for m in {heavy} "
        "if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_both_twins_have_the_same_files() -> None:
    folder = Path(apps.__file__).parent
    flask, fastapi = (
        {path.name for path in (folder / twin).glob("*.py")}
        for twin in ("flask_twin", "fastapi_twin")
    )
    assert fastapi - flask == {"handlers.py"}  # Flask calls its handlers in one way only
    assert flask < fastapi


# ------------------------------------------------------------------------ settings


def test_settings_have_the_same_defaults_for_both_twins() -> None:
    assert Settings.from_environ(ENVIRON) == Settings(
        database_url="postgresql+psycopg://user@localhost:5432/name",
        upstream_url="http://127.0.0.1:8090",
        http_client=None,
        database_pool=20,
        upstream_pool=100,
        upstream_timeout_s=2.0,
    )


def test_settings_are_read_from_their_variables() -> None:
    settings = Settings.from_environ(
        {
            "TWIN_DATABASE_URL": "postgres://h/d?sslmode=require",
            "TWIN_UPSTREAM_URL": "https://upstream.example:8443/",
            "TWIN_HTTP_CLIENT": "aiohttp",
            "TWIN_HTTP_CLIENT_LIFE": "request",
            "TWIN_DATABASE_DRIVER": "asyncpg",
            "TWIN_VALIDATION": "pydantic",
            "TWIN_HANDLERS": "def",
            "TWIN_DATABASE_POOL": "5",
            "TWIN_UPSTREAM_POOL": "7",
            "TWIN_UPSTREAM_TIMEOUT_S": "0.25",
        }
    )
    assert settings == Settings(
        database_url="postgresql+psycopg://h/d?sslmode=require",
        upstream_url="https://upstream.example:8443",
        http_client="aiohttp",
        http_client_life="request",
        database_driver="asyncpg",
        validation="pydantic",
        handlers="def",
        database_pool=5,
        upstream_pool=7,
        upstream_timeout_s=0.25,
    )


def test_an_empty_variable_counts_as_absent() -> None:
    assert Settings.from_environ(ENVIRON | {"TWIN_DATABASE_POOL": ""}).database_pool == 20


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("TWIN_UPSTREAM_URL", "127.0.0.1:8090"),
        ("TWIN_UPSTREAM_URL", "ftp://127.0.0.1"),
        ("TWIN_UPSTREAM_URL", "http://127.0.0.1:port"),
        ("TWIN_UPSTREAM_URL", "http://[::1"),
        ("TWIN_UPSTREAM_URL", "http://host/?city=Oslo"),
        ("TWIN_DATABASE_POOL", "0"),
        ("TWIN_DATABASE_POOL", "-1"),
        ("TWIN_DATABASE_POOL", "²"),
        ("TWIN_UPSTREAM_POOL", "1.5"),
        ("TWIN_UPSTREAM_TIMEOUT_S", "two"),
        ("TWIN_UPSTREAM_TIMEOUT_S", "nan"),
        ("TWIN_UPSTREAM_TIMEOUT_S", "inf"),
        ("TWIN_UPSTREAM_TIMEOUT_S", "0"),
    ],
)
def test_a_malformed_variable_is_named_with_its_value(name: str, value: str) -> None:
    with pytest.raises(ValueError, match=name) as raised:
        Settings.from_environ(ENVIRON | {name: value})
    assert repr(value) in str(raised.value)


def test_a_misspelt_variable_is_refused_and_all_are_named() -> None:
    with pytest.raises(ValueError, match="TWIN_HTTP_CLEINT is not a setting") as raised:
        Settings.from_environ(ENVIRON | {"TWIN_HTTP_CLEINT": "aiohttp"})
    assert "TWIN_HTTP_CLIENT," in str(raised.value)


@pytest.mark.parametrize("value", ["mysql://u:secret@h/d", "u:secret@h:5432", "postgresql://"])
def test_a_malformed_database_url_is_named_without_its_password(value: str) -> None:
    with pytest.raises(ValueError, match="TWIN_DATABASE_URL is not a PostgreSQL URL") as raised:
        Settings.from_environ(ENVIRON | {"TWIN_DATABASE_URL": value})
    assert "secret" not in str(raised.value)


@pytest.mark.parametrize("name", list(ENVIRON))
def test_a_missing_address_is_named_with_an_example(name: str) -> None:
    with pytest.raises(ValueError, match=f"{name} is not set: give it a value such as"):
        Settings.from_environ({key: value for key, value in ENVIRON.items() if key != name})


# ----------------------------------------------------------------- weather service


def test_constant_latency_is_in_milliseconds() -> None:
    draw_s = latency("constant:50", seed=1)
    assert [draw_s(), draw_s()] == [0.05, 0.05]


def test_lognormal_latency_has_the_stated_median_and_spread() -> None:
    draw_s = latency("lognormal:50:0.5", seed=1)
    drawn = [draw_s() for _ in range(20_000)]
    assert statistics.median(drawn) == pytest.approx(0.05, rel=0.02)
    # One sigma above the median is the 84th percentile: 50 ms × e^0.5.
    assert statistics.quantiles(drawn, n=100)[83] == pytest.approx(0.0824, rel=0.03)


def test_the_same_seed_draws_the_same_latencies() -> None:
    def drawn(seed: int) -> list[float]:
        draw_s = latency("lognormal:50:0.5", seed)
        return [draw_s() for _ in range(10)]

    assert drawn(7) == drawn(7)
    assert drawn(7) != drawn(8)


def test_latency_is_read_from_its_variables() -> None:
    assert latency_from({})() == 0.05
    environ = {"UPSTREAM_LATENCY": "lognormal:20:1", "UPSTREAM_SEED": "3"}
    assert latency_from(environ)() == latency("lognormal:20:1", 3)()


MALFORMED_LATENCIES = """50 constant constant: constant:x constant:-1 constant:inf constant:nan
    constant:1:2 lognormal:50 lognormal:0:1 lognormal:50:-1 normal:50:1 a:b:c"""


@pytest.mark.parametrize("spec", ["", *MALFORMED_LATENCIES.split()])
def test_a_malformed_latency_is_named(spec: str) -> None:
    with pytest.raises(ValueError, match="UPSTREAM_LATENCY") as raised:
        latency(spec, seed=0)
    assert repr(spec) in str(raised.value)


@given(st.text(max_size=30))
def test_any_latency_is_either_drawn_from_or_refused(spec: str) -> None:
    try:
        draw_s = latency(spec, seed=0)
    except ValueError:
        return
    assert draw_s() >= 0


def test_a_malformed_seed_is_named() -> None:
    with pytest.raises(ValueError, match="UPSTREAM_SEED='x'"):
        latency_from({"UPSTREAM_SEED": "x"})


def ask(environ: dict[str, str], scope: dict[str, Any]) -> list[MutableMapping[str, Any]]:
    """What a started weather service sends for one scope."""
    sent: list[MutableMapping[str, Any]] = []

    async def receive() -> MutableMapping[str, Any]:
        return {"type": "http.disconnect" if scope["type"] == "http" else "lifespan.startup"}

    async def send(message: MutableMapping[str, Any]) -> None:
        sent.append(message)

    async def run() -> None:
        service = WeatherService(environ)
        await service({"type": "lifespan"}, receive, send)
        if scope["type"] == "http":
            sent.clear()
            await service(scope, receive, send)

    asyncio.run(run())
    return sent


def ask_weather(query: str) -> tuple[int, Any]:
    scope = {"type": "http", "path": "/weather", "query_string": query.encode()}
    start, body = ask({"UPSTREAM_LATENCY": "constant:0"}, scope)
    return start["status"], json.loads(body["body"])


@pytest.mark.parametrize(
    "query", ["city=S%C3%A3o%20Paulo", "city=S%C3%A3o+Paulo", "x=1&city=S%c3%a3o%20Paulo"]
)
def test_the_weather_service_reads_every_spelling_of_a_city(query: str) -> None:
    assert ask_weather(query) == (200, {"city": "São Paulo", "temperature_c": 22.5})


@pytest.mark.parametrize("query", ["", "city=", "city=Atlantis", "town=Oslo", "city=%FF"])
def test_the_weather_service_does_not_know_other_cities(query: str) -> None:
    assert ask_weather(query)[0] == 404


def test_the_weather_service_breaks_for_the_city_that_is_there_for_it() -> None:
    assert ask_weather(f"city={cities.BROKEN_CITY}")[0] == 500


def test_the_weather_service_stops_waiting_when_nobody_waits_for_the_late_city() -> None:
    query = f"city={cities.LATE_CITY}".encode()
    assert ask({}, {"type": "http", "path": "/weather", "query_string": query}) == []


def test_the_weather_service_fails_to_start_with_one_message() -> None:
    assert ask({"UPSTREAM_LATENCY": "slow"}, {"type": "lifespan"}) == [
        {
            "type": "lifespan.startup.failed",
            "message": "UPSTREAM_LATENCY='slow' is neither constant:MS nor lognormal:MEDIAN_MS:SIGMA",
        }
    ]


# ------------------------------------------------------------------ domain: data, work


def test_the_same_number_is_always_the_same_user() -> None:
    assert catalogue.user(42) == catalogue.user(42)
    assert catalogue.user(42).id == 42


def test_seeded_users_have_emails_of_their_own() -> None:
    users = [catalogue.user(number) for number in range(1, catalogue.SEEDED_USERS + 1)]
    assert len({user.email for user in users}) == catalogue.SEEDED_USERS
    assert any(not user.name.isascii() for user in users)


@given(st.integers(min_value=1, max_value=10**9))
def test_every_user_keeps_the_rules_of_the_contract(number: int) -> None:
    user = catalogue.user(number)
    assert user.name == user.name.strip()
    assert 1 <= len(user.name) <= 100
    assert validate_email(user.email, check_deliverability=False).normalized == user.email
    assert 0 <= user.age <= 150


def test_there_is_no_user_0() -> None:
    with pytest.raises(ValueError, match="numbered from 1"):
        catalogue.user(0)


@pytest.mark.parametrize("work", [cpu.python, cpu.native])
def test_work_of_one_size_has_one_result(work: Any) -> None:
    assert work(2) == work(2)
    assert work(2) != work(3)
    assert len(work(1)) == 8


# ------------------------------------------------------------------------- compare

SAMPLE = Sample(
    "a user",
    "POST",
    "/users",
    201,
    {"id": IntegerAbove(10), "name": "Zoë", "age": 3, "tags": ["a", 1.0]},
    reply_headers={"location": FromReply("/users/{id}")},
)
BODY = '{"id":11,"name":"Zoë","age":3,"tags":["a",1.0]}'
HEADERS = {"Content-Type": "application/json", "Location": "/users/11", "Server": "any"}


def test_compare_finds_nothing_in_the_promised_reply() -> None:
    assert compare(SAMPLE, 201, HEADERS, BODY.encode()) == []


@pytest.mark.parametrize(
    ("body", "problem"),
    [
        (BODY.replace("Zoë", "Zoe"), "body.name is 'Zoe' instead of 'Zoë'"),
        (BODY.replace(":3", ":3.0"), "body.age is 3.0 instead of 3"),
        (BODY.replace(":3", ":true"), "body.age is True instead of 3"),
        (BODY.replace("1.0", "1"), "body.tags[1] is 1 instead of 1.0"),
        (BODY.replace(",1.0", ""), "body.tags has 1 elements instead of 2"),
        (BODY.replace(',"age":3', ""), "body.age is missing"),
        (BODY.replace("{", '{"x":1,'), "body.x is there and should not be"),
        (BODY.replace('["a",1.0]', "null"), "body.tags is None instead of ['a', 1.0]"),
        ("[]", "body is [] instead of {'id': "),
        ("", "the body is not JSON"),
        ("<html>", "the body is not JSON"),
        (BODY.replace(":", ": "), "the same JSON value in other bytes"),
        (BODY + "\n", "the same JSON value in other bytes"),
        (BODY.replace("ë", "\\u00eb"), "the same JSON value in other bytes"),
        ('{"name":"Zoë","id":11,"age":3,"tags":["a",1.0]}', "the same JSON value in other bytes"),
    ],
)
def test_compare_names_what_is_wrong_in_a_body(body: str, problem: str) -> None:
    found = compare(SAMPLE, 201, HEADERS, body.encode())
    assert any(one.startswith(problem) for one in found), found


@pytest.mark.parametrize("drawn", ["10", "-1", "11.0", "true", '"11"', "null"])
def test_compare_refuses_a_drawn_number_that_is_none(drawn: str) -> None:
    found = compare(SAMPLE, 201, HEADERS, BODY.replace("11", drawn, 1).encode())
    assert any("instead of an integer above 10" in one for one in found), found


def test_compare_names_a_wrong_status() -> None:
    assert compare(SAMPLE, 200, HEADERS, BODY.encode()) == ["status 200 instead of 201"]


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        (
            {"Content-Type": "application/json; charset=utf-8"},
            "content-type is 'application/json; charset=utf-8' instead of 'application/json'",
        ),
        ({"Location": "/users/12"}, "location is '/users/12' instead of '/users/11'"),
        ({"Allow": "GET"}, "allow is 'GET' instead of absent"),
        ({"WWW-Authenticate": "Bearer"}, "www-authenticate is 'Bearer' instead of absent"),
    ],
)
def test_compare_names_a_wrong_header(change: dict[str, str], problem: str) -> None:
    assert compare(SAMPLE, 201, HEADERS | change, BODY.encode()) == [problem]


def test_compare_names_a_missing_header() -> None:
    headers = {"Content-Type": "application/json"}
    assert compare(SAMPLE, 201, headers, BODY.encode()) == [
        "location is absent instead of '/users/11'"
    ]


def test_compare_wants_no_body_where_none_is_promised() -> None:
    head = replace(SAMPLE, json=contract.NO_BODY, reply_headers={})
    headers = {"content-type": "application/json"}
    assert compare(head, 201, headers, b"") == []
    assert compare(head, 201, headers, b"{}") == ["a body of 2 bytes instead of none"]
