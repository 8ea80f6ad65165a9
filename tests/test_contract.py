"""The contract, the settings and the weather service, without a server."""

from __future__ import annotations

import asyncio
import inspect
import json
import statistics
import subprocess
import sys
from collections.abc import MutableMapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import jwt
import pytest
from email_validator import validate_email
from hypothesis import given
from hypothesis import strategies as st

import apps
from apps import contract, problems
from apps.contract import Containing, FromReply, IntegerAbove, Sample, TextLike
from apps.domain import catalogue, cities, classifier, cpu, digits, passwords, seed
from apps.settings import DEFAULT_JWT_SECRET, Settings
from apps.upstream import WeatherService, latency, latency_from
from harness.checking.parity import compare

ENVIRON = {
    "TWIN_DATABASE_URL": "postgresql://user@localhost:5432/name",
    "TWIN_UPSTREAM_URL": "http://127.0.0.1:8090",
}

# ------------------------------------------------------------------------ contract


@pytest.mark.parametrize("endpoint", contract.ENDPOINTS, ids=lambda e: f"{e.method} {e.path}")
def test_every_endpoint_has_good_and_bad_samples(endpoint: contract.Endpoint) -> None:
    statuses = {sample.status for sample in endpoint.samples("once")}
    assert any(status < 300 for status in statuses) or endpoint.path == "/crash"
    assert any(status >= 400 for status in statuses)


def test_every_endpoint_stands_in_the_contract_once() -> None:
    endpoints = [(endpoint.method, endpoint.path) for endpoint in contract.ENDPOINTS]
    assert len(endpoints) == len(set(endpoints))


def test_every_sample_has_a_name_of_its_own() -> None:
    names = [sample.name for sample in contract.samples("once")]
    assert len(names) == len(set(names))


def test_every_status_of_the_contract_has_a_sample() -> None:
    statuses = {sample.status for sample in contract.samples("once")}
    assert statuses == {
        *(200, 201, 400, 401, 404, 405, 409, 413, 415, 422, 426),
        *(500, 502, 504),
    }


def test_every_rule_of_the_contract_has_a_sample() -> None:
    documents: list[Any] = [s.json for s in contract.samples("once") if s.status == 422]
    rules = {error["rule"] for document in documents for error in document["errors"]}
    assert rules == {"required", "type", "characters", "length", "email", "range", "choice"}


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


def test_a_search_has_the_rows_of_its_page_and_the_total_of_all() -> None:
    def found(**query: str | int) -> Any:
        return contract.search_items(**query).json

    assert found()["total"] == catalogue.SEEDED_ITEMS
    assert [row["id"] for row in found(page=3, per_page=2)["items"]] == [5, 6]
    books = found(category="books", min_price=5_000, max_price=6_000, per_page=100)
    assert 0 < books["total"] <= 100
    assert len(books["items"]) == books["total"]
    assert all(
        row["category"] == "books" and 5_000 <= row["price"] <= 6_000 for row in books["items"]
    )
    assert found(keyword="no such thing") == {"items": [], "total": 0}


def test_samples_of_searches_find_several_pages_one_page_and_nothing() -> None:
    (endpoint,) = (endpoint for endpoint in contract.ENDPOINTS if endpoint.path == "/items")
    replies: list[Any] = [s.json for s in endpoint.samples("once") if s.status == 200]
    assert any(reply["total"] > len(reply["items"]) > 0 for reply in replies)
    assert any(reply["total"] == len(reply["items"]) > 0 for reply in replies)
    assert any(reply["total"] == 0 for reply in replies)


def test_the_page_escapes_what_html_would_read() -> None:
    html = contract.page().json
    assert isinstance(html, bytes)
    for escaped in (
        b"Garden &amp; Home",
        b"Kettle &lt;3",
        b"Painter&#39;s",
        b"6&#34;",
        b"sold out",
    ):
        assert escaped in html


def test_the_contracts_tokens_are_what_pyjwt_takes_them_for() -> None:
    def decoded(sample: Sample) -> Any:
        token = sample.headers["authorization"].removeprefix("Bearer ")
        return jwt.decode(token, DEFAULT_JWT_SECRET, algorithms=["HS256"])

    assert decoded(contract.protected(5))["sub"] == catalogue.user(5).email
    samples = {sample.name: sample for sample in contract.samples("once")}
    with pytest.raises(jwt.ExpiredSignatureError):
        decoded(samples["protected: an expired token"])
    with pytest.raises(jwt.InvalidAlgorithmError):
        decoded(samples["protected: no algorithm"])
    with pytest.raises(jwt.InvalidSignatureError):
        decoded(samples["protected: another's claims"])


def test_users_to_validate_differ_and_some_need_normalising() -> None:
    samples = [contract.validate_user(n) for n in range(50)]
    assert len({sample.body for sample in samples}) == 50
    sent = [json.loads(sample.body or b"") for sample in samples]
    needing = [user for user, sample in zip(sent, samples, strict=True) if user != sample.json]
    assert len(needing) == 25
    assert any(not user["name"].isascii() for user in sent)


def test_reading_the_contract_imports_no_framework() -> None:
    heavy = ["flask", "fastapi", "pydantic", "sqlalchemy", "psycopg", "email_validator", "sklearn"]
    code = (
        f"import sys, apps.contract as c; c.samples('x'); print([m for m in {heavy} "
        "if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize(
    ("method", "path", "template"),
    [
        ("GET", "/hello", "/hello"),
        ("GET", "/users/17", "/users/{id}"),
        ("GET", "/items?page=2&keyword=a%2Fb", "/items"),
        ("GET", "/weather/S%C3%A3o%20Paulo", "/weather/{city}"),
        ("POST", "/users/validate", "/users/validate"),
        ("GET", "/users/validate", "/users/{id}"),
        ("DELETE", "/users/1", "/users/{id}"),
        ("GET", "/nothing?x=/hello", "/nothing"),
        ("WS", "/live", "/live"),
    ],
)
def test_a_request_goes_to_the_path_that_the_contract_has(
    method: str, path: str, template: str
) -> None:
    assert contract.path_template(method, path) == template


def test_an_endpoint_that_the_contract_does_not_have_needs_nothing_known() -> None:
    with pytest.raises(ValueError, match=r"^not in the contract: GET /hallo$"):
        contract.needs(["GET /hello", "GET /hallo"])


def test_the_contract_has_a_file_for_each_feature_of_the_twins() -> None:
    folder = Path(apps.__file__).parent
    features = {
        path.name
        for path in (folder / "fastapi_twin").glob("*.py")
        if "router = APIRouter(" in path.read_text()
    }
    assert features >= {"hello.py", "users.py", "live.py"}
    assert features <= {path.name for path in (folder / "contract").glob("*.py")}


def test_what_the_contract_offers_can_be_used_though_files_have_the_same_names() -> None:
    public = {name: getattr(contract, name) for name in contract.__all__}
    assert not [name for name, value in public.items() if inspect.ismodule(value)]


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
        jwt_secret=DEFAULT_JWT_SECRET,
        jwt_lifetime_s=900,
        classifier=True,
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
            "TWIN_JWT_SECRET": "a secret of 32 bytes, which it is",
            "TWIN_JWT_LIFETIME_S": "60",
            "TWIN_CLASSIFIER": "off",
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
        jwt_secret="a secret of 32 bytes, which it is",
        jwt_lifetime_s=60,
        classifier=False,
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
        ("TWIN_JWT_LIFETIME_S", "15m"),
        ("TWIN_CLASSIFIER", "yes"),
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


def test_a_short_secret_is_refused_and_no_secret_is_shown() -> None:
    with pytest.raises(ValueError, match="TWIN_JWT_SECRET is too short") as raised:
        Settings.from_environ(ENVIRON | {"TWIN_JWT_SECRET": "hunter2"})
    assert "hunter2" not in str(raised.value)
    assert DEFAULT_JWT_SECRET not in repr(Settings.from_environ(ENVIRON))


@pytest.mark.parametrize("value", ["mysql://u:secret@h/d", "u:secret@h:5432", "postgresql://"])
def test_a_malformed_database_url_is_named_without_its_password(value: str) -> None:
    with pytest.raises(ValueError, match="TWIN_DATABASE_URL is not a PostgreSQL URL") as raised:
        Settings.from_environ(ENVIRON | {"TWIN_DATABASE_URL": value})
    assert "secret" not in str(raised.value)


def test_a_twin_needs_no_address_of_a_database_or_an_upstream() -> None:
    assert Settings.from_environ(dict.fromkeys(ENVIRON, "")) == Settings.from_environ({})
    assert Settings.from_environ({}) == Settings(database_url=None, upstream_url=None)


def test_seeding_without_a_database_is_refused_with_an_example(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert seed.main({}) == 2
    expected = "seed: TWIN_DATABASE_URL is not set: give it a value such as postgresql://"
    assert capsys.readouterr().err.startswith(expected)


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


def test_the_same_number_is_always_the_same_item() -> None:
    assert catalogue.item(42) == catalogue.item(42) == catalogue.items(50)[41]
    with pytest.raises(ValueError, match="numbered from 1"):
        catalogue.item(0)


def test_seeded_items_differ_and_keep_the_bounds_of_a_search() -> None:
    items = catalogue.items(catalogue.SEEDED_ITEMS)
    assert len({item.name for item in items}) == len(items)
    assert {item.category for item in items} == set(catalogue.CATEGORIES)
    assert all(0 <= item.price <= catalogue.PRICE_MAX for item in items)
    assert {item.in_stock for item in items} == {True, False}
    assert any(item.rating.is_integer() for item in items)  # 4.0 must not become 4


def test_a_password_matches_its_own_hash_only() -> None:
    kept = passwords.hashed("secret")
    assert passwords.matches("secret", kept)
    assert not passwords.matches("Secret", kept)
    assert not passwords.matches("secret", None)
    assert passwords.hashed("secret") != kept  # another salt
    assert passwords.matches(catalogue.PASSWORD, catalogue.PASSWORD_HASH)


def test_the_classifier_knows_the_contracts_images() -> None:
    loaded = classifier.trained()
    for number in range(digits.IMAGES):
        pixels, digit = digits.image(number)
        assert len(pixels) == digits.PIXELS
        assert loaded.digit(pixels) == digit
    assert {digits.image(number)[1] for number in range(digits.IMAGES)} == set(range(10))


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
    assert any(difference.startswith(problem) for difference in found), found


@pytest.mark.parametrize("drawn", ["10", "-1", "11.0", "true", '"11"', "null"])
def test_compare_refuses_a_drawn_number_that_is_none(drawn: str) -> None:
    found = compare(SAMPLE, 201, HEADERS, BODY.replace("11", drawn, 1).encode())
    assert any("instead of an integer above 10" in difference for difference in found), found


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


@pytest.mark.parametrize(
    ("body", "problems_found"),
    [
        (b"<p>5</p>", []),
        (b"<p>6</p>", ["the body of 8 bytes differs from the 8 expected bytes"]),
        (b"<p>5</p>\n", ["the body of 9 bytes differs from the 8 expected bytes"]),
    ],
)
def test_compare_holds_a_body_that_is_not_json_against_its_bytes(
    body: bytes, problems_found: list[str]
) -> None:
    page = Sample("page", "GET", "/page", 200, b"<p>5</p>", content_type="text/html")
    assert compare(page, 200, {"content-type": "text/html"}, body) == problems_found


def test_compare_looks_for_the_text_that_a_body_of_any_form_contains() -> None:
    docs = Sample("docs", "GET", "/docs", 200, Containing("/openapi.json"))
    headers = {"content-type": "application/json"}
    assert compare(docs, 200, headers, b"see /openapi.json") == []
    assert compare(docs, 200, headers, b"") == ["the body does not contain '/openapi.json'"]


@pytest.mark.parametrize(
    ("body", "good"),
    [
        (b'{"token":"ab.c"}', True),
        (b'{"token": "ab.c"}', False),
        (b'{"token":"ab."}', False),
        (b'{"token":"ab.c\\n"}', False),
        (b'{"token":1}', False),
        (b'{"token":null}', False),
    ],
)
def test_compare_refuses_a_drawn_text_of_another_form(body: bytes, good: bool) -> None:
    sample = Sample("login", "POST", "/login", 200, {"token": TextLike(r"\w+\.\w+")})
    assert (compare(sample, 200, {"content-type": "application/json"}, body) == []) is good
