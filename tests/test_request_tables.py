"""`[[request]]` tables, and the paths of options, as requests."""

from __future__ import annotations

import json
import re
import tomllib
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.errors import BadInput
from harness.models import OwnRequest, OwnRequests
from harness.planning.files import PROJECT
from harness.planning.requests import (
    expand_request,
    read_har,
    request_for_path,
    requests_from_tables,
)


def read(text: str, path: Path = Path("shop.toml")) -> OwnRequests:
    return requests_from_tables(path, tomllib.loads(text)["request"])


def one(fields: str, path: Path = Path("shop.toml")) -> OwnRequest:
    (request,) = read(f"[[request]]\n{fields}", path).requests
    return request


def test_a_table_becomes_a_request() -> None:
    assert one('path = "/orders/7"') == OwnRequest("GET /orders/7", "GET", "/orders/7")
    full = one(
        """
        name = "order"
        method = "post"
        path = "/orders?dry=1"
        headers = { Authorization = "Bearer ${TOKEN}", Accept = ["text/html", "*/*"] }
        json = { item = 7, tags = ["é"], at = 2025-01-02T03:04:05Z, day = 2025-01-02 }
        status = 201
        weight = 3
        """
    )
    assert (full.name, full.method, full.path) == ("order", "POST", "/orders?dry=1")
    assert full.headers == (
        ("authorization", "Bearer ${TOKEN}"), ("accept", "text/html"), ("accept", "*/*"),
        ("content-type", "application/json"),
    )  # fmt: skip
    assert full.body is not None
    assert full.body.encode("latin-1").decode() == (
        '{"item":7,"tags":["é"],"at":"2025-01-02T03:04:05+00:00","day":"2025-01-02"}'
    )
    assert (full.status, full.weight) == (201, 3)


@pytest.mark.parametrize("value", ["1", "false", '"a"', "[]", "1.5"])
def test_a_body_of_json_can_be_any_value(value: str) -> None:
    assert one(f'path = "/"\nmethod = "PUT"\njson = {value}').body == value


def test_the_type_of_a_body_of_json_can_be_another() -> None:
    request = one('path = "/"\njson = {}\nheaders = { Content-Type = "application/problem+json" }')
    assert request.headers == (("content-type", "application/problem+json"),)


def test_a_text_is_sent_as_utf_8_and_a_file_byte_for_byte(tmp_path: Path) -> None:
    assert one('path = "/"\nbody = "é €"').body == "é €".encode().decode("latin-1")
    (tmp_path / "bodies").mkdir()
    data = bytes(range(256)) + b"${HOME} $${x}"
    (tmp_path / "bodies" / "a.bin").write_bytes(data)
    request = one('path = "/"\nbody-file = "bodies/a.bin"', tmp_path / "shop.toml")
    assert (expand_request(request, {}).body or "").encode("latin-1") == data
    assert request.headers == ()


@pytest.mark.parametrize(
    ("written", "path"),
    [
        ("/café au lait?q=é", "/caf%C3%A9%20au%20lait?q=%C3%A9"),
        ("/caf%C3%A9", "/caf%C3%A9"),
        ("/orders/${ORDER}?at=a b", "/orders/${ORDER}?at=a%20b"),
        ("/a|b{c}", "/a%7Cb%7Bc%7D"),
    ],
)
def test_a_path_is_percent_encoded_around_its_variables(written: str, path: str) -> None:
    assert one(f'path = "{written}"').path == path
    assert request_for_path(written).path == path


def test_names_are_unique() -> None:
    found = read(
        """
        [[request]]
        path = "/a"
        [[request]]
        path = "/a"
        headers = { accept = "text/html" }
        [[request]]
        path = "/b"
        name = "GET /a"
        [[request]]
        path = "/c"
        name = "GET /a (3)"
        """
    )
    names = [request.name for request in found.requests]
    assert names == ["GET /a (2)", "GET /a (4)", "GET /a", "GET /a (3)"]


KNOWN = "method, path, headers, json, body, body-file, status, weight, name"
WHERE = "shop.toml: request 1 (GET /a)"
WRITE = "which would get into results: write"
SET = "and set that variable in the environment"


@pytest.mark.parametrize(
    ("fields", "problem"),
    [
        ("", "shop.toml: request 1: field 'path' is missing: write path = \"/…\""),
        ('path = 1', "shop.toml: request 1: field 'path': must be text in quotes"),
        ('path = "a"', "shop.toml: request 1 (GET a): field 'path': must begin with /"),
        (
            'path = "http://x/a"',
            "shop.toml: request 1 (GET http://x/a): field 'path': write the path alone, such as "
            "/orders/7: where it is sent is said elsewhere",
        ),
        (
            'path = "/a#b"',
            "shop.toml: request 1 (GET /a#b): field 'path': has a # and what follows it is never "
            "sent: leave it out, or write %23",
        ),
        (
            'path = "/a"\nurl = "/b"',
            f"{WHERE}: field 'url': is not known; known: {KNOWN}",
        ),
        ('path = "/a"\nmethod = "G T"', "shop.toml: request 1 (G T /a): field 'method': is none that can be sent: write one such as GET or POST"),
        ('path = "/a"\nmethod = 1', "shop.toml: request 1: field 'method': must be text in quotes"),
        ('path = "/a"\nstatus = 99', f"{WHERE}: field 'status': must be a number from 200 to 599"),
        ('path = "/a"\nstatus = true', f"{WHERE}: field 'status': must be a number from 200 to 599"),
        ('path = "/a"\nstatus = "200"', f"{WHERE}: field 'status': must be a number from 200 to 599"),
        ('path = "/a"\nweight = 0', f"{WHERE}: field 'weight': must be a whole number from 1 on"),
        ('path = "/a"\nweight = 1.5', f"{WHERE}: field 'weight': must be a whole number from 1 on"),
        ('path = "/a"\nname = ""', f"{WHERE}: field 'name': must be one line of text"),
        ('path = "/a"\nname = "a\\nb"', "shop.toml: request 1 (a\nb): field 'name': must be one line of text"),
        ('path = "/a"\nheaders = "x: y"', f"{WHERE}: field 'headers': must be a table, such as {{ accept = \"text/html\" }}"),
        ('path = "/a"\nheaders = { n = 1 }', f"{WHERE}: field 'headers.n': must be text in quotes"),
        ('path = "/a"\nheaders = { "a b" = "" }', f"{WHERE}: field 'headers.a b': is no name that a header may have"),
        ('path = "/a"\nheaders = { a = "x\\r\\nb: c" }', f"{WHERE}: field 'headers.a': has a character that no header may have"),
        ('path = "/a"\nheaders = { Connection = "close" }', f"{WHERE}: field 'headers.Connection': twinbench sends it by itself: leave it out"),
        ('path = "/a"\njson = 1\nbody = "1"', f"{WHERE}: field 'body': stands beside 'json': a request has one body"),
        ('path = "/a"\njson = [nan]', f"{WHERE}: field 'json': has nan or inf, which JSON does not have"),
        ('path = "/a"\nbody-file = "no.bin"', f"{WHERE}: field 'body-file': no.bin can't be read: No such file or directory"),
        (
            'path = "/a"\nbody = "${no name}"',
            f"{WHERE}: '${{no name' begins no name of a variable: write ${{NAME}}, or $${{ for the characters themselves",
        ),
        (
            'path = "/a"\nheaders = { Authorization = "Bearer s3cr3t" }',
            f"{WHERE}: header 'authorization' holds a credential, {WRITE} authorization = \"Bearer ${{TOKEN}}\", {SET}",
        ),
        (
            'path = "/a"\nheaders = { X-Api-Key = "s3cr3t" }',
            f"{WHERE}: header 'x-api-key' holds a credential, {WRITE} x-api-key = \"${{API_KEY}}\", {SET}",
        ),
        (
            'path = "/a?api_key=s3cr3t"',
            f"{WHERE}: 'api_key' in the path holds a credential, {WRITE} api_key=${{API_KEY}}, {SET}",
        ),
        (
            'path = "/a"\njson = { user = { password = "s3cr3t" } }',
            f"{WHERE}: field 'password' of the body holds a credential, {WRITE} \"${{PASSWORD}}\" as its value, {SET}",
        ),
        (
            'path = "/a"\nbody = "a=1&accessToken=s3cr3t"\nheaders = { content-type = "application/x-www-form-urlencoded" }',
            f"{WHERE}: field 'accessToken' of the body holds a credential, {WRITE} \"${{ACCESS_TOKEN}}\" as its value, {SET}",
        ),
    ],
)  # fmt: skip
def test_a_mistake_is_refused_with_file_request_and_field(fields: str, problem: str) -> None:
    with pytest.raises(BadInput) as raised:
        one(fields)
    assert str(raised.value) == problem.replace("a\nb", "a b")
    assert "s3cr3t" not in str(raised.value)


@pytest.mark.parametrize(
    ("tables", "problem"),
    [
        ({"path": "/"}, "shop.toml: 'request' is no list of tables: write [[request]], with two brackets"),
        ("/", "shop.toml: 'request' is no list of tables: write [[request]], with two brackets"),
        ([], "shop.toml: has no request: add a table [[request]] with a path"),
        (["/"], "shop.toml: request 1: is no table: write [[request]] above its fields"),
        (
            [{"path": "/a", "name": "x"}, {"path": "/b", "name": "x"}],
            "shop.toml: request 1 (x): another request has that 'name' too: give each its own",
        ),
        ([{"path": "/a"}, {}], "shop.toml: request 2: field 'path' is missing: write path = \"/…\""),
    ],
)  # fmt: skip
def test_what_are_no_tables_is_refused(tables: Any, problem: str) -> None:
    with pytest.raises(BadInput) as raised:
        requests_from_tables(Path("shop.toml"), tables)
    assert str(raised.value) == problem


def test_a_path_of_an_option_is_a_request() -> None:
    assert request_for_path("/orders/7", status=200) == OwnRequest(
        "GET /orders/7", "GET", "/orders/7", status=200
    )
    for path, problem in {
        "orders": "--get 'orders': must begin with /",
        "http://a/b": "--get 'http://a/b': write the path alone, such as /orders/7: "
        "where it is sent is said elsewhere",
    }.items():
        with pytest.raises(BadInput) as raised:
            request_for_path(path)
        assert str(raised.value) == problem
    with pytest.raises(BadInput, match="--get: 'token' in the path holds a credential") as raised:
        request_for_path("/a?token=s3cr3t")
    assert "s3cr3t" not in str(raised.value)


def test_the_table_that_the_document_shows_can_be_read() -> None:
    text = (PROJECT / "docs" / "VERSUS.md").read_text()
    (shown,) = re.findall(r"^```toml\n(\[\[request\]\]\n.*?)^```", text, re.MULTILINE | re.DOTALL)
    (request,) = read(shown).requests
    assert (request.name, request.status, request.weight) == ("order", 201, 3)
    assert request.body == '{"item":7,"count":1}'


PLAIN = st.text(st.characters(codec="utf-8", exclude_characters="${"), max_size=12)
JSON = st.recursive(
    st.booleans() | st.integers(-(2**60), 2**60) | PLAIN,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.just("n") | st.just("é"), inner),
    max_leaves=6,
)


@given(value=JSON)
def test_a_value_of_json_is_sent_as_it_is(value: Any) -> None:
    (request,) = requests_from_tables(Path("a"), [{"path": "/", "json": value}]).requests
    body = (expand_request(request, {}).body or "").encode("latin-1")
    assert json.loads(body) == value


def test_requests_of_a_table_and_of_a_har_are_alike(tmp_path: Path) -> None:
    entry = {
        "request": {
            "method": "POST",
            "url": "http://a/b?c=é",
            "headers": [{"name": "Content-Type", "value": "application/json"}],
            "postData": {"text": '{"n":"é"}'},
        },
        "response": {"status": 201},
    }
    file = tmp_path / "a.har"
    file.write_text(json.dumps({"log": {"entries": [entry]}}))
    tables = [{"method": "POST", "path": "/b?c=é", "json": {"n": "é"}, "status": 201}]
    assert read_har(file, writes=True) == requests_from_tables(file, tables)
