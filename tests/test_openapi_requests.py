"""OpenAPI documents as requests."""

from __future__ import annotations

import contextlib
import copy
import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import jsonschema_rs
import pytest

from harness.errors import BadInput
from harness.planning.files import PROJECT
from harness.planning.requests import operations_of, read_document, read_openapi

ORDER = {
    "type": "object",
    "required": ["item"],
    "properties": {"item": {"type": "integer", "minimum": 1}, "note": {"type": "string", "maxLength": 5}},
}  # fmt: skip
DOCUMENT: dict[str, Any] = {
    "openapi": "3.1.0",
    "info": {"title": "Shop", "version": "1"},
    "servers": [{"url": "https://{host}/v1/", "variables": {"host": {"default": "shop.example"}}}],
    "paths": {
        "/health": {"get": {"responses": {"200": {"description": "up"}}}},
        "/orders": {
            "get": {
                "parameters": [
                    {"name": "page", "in": "query", "required": True,
                     "schema": {"type": "integer", "minimum": 1, "maximum": 99}},
                ],
                "responses": {"200": {"description": "some"}, "204": {"description": "none"}},
            },
            "post": {
                "requestBody": {
                    "required": True,
                    "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Order"}}},
                },
                "responses": {"201": {"description": "made"}, "422": {"description": "bad"}},
            },
        },
        "/orders/{id}": {
            "get": {
                "parameters": [
                    {"name": "id", "in": "path", "required": True, "example": 7,
                     "schema": {"type": "integer", "minimum": 0, "maximum": 999}},
                    {"name": "X-Auth-Token", "in": "header", "required": True,
                     "schema": {"type": "string"}},
                ],
                "responses": {"200": {"description": "it"}, "default": {"description": "bad"}},
            },
        },
    },
    "components": {
        "schemas": {"Order": ORDER},
        "securitySchemes": {"login": {"type": "http", "scheme": "bearer"}},
    },
}  # fmt: skip


def written(folder: Path, document: Any = DOCUMENT, name: str = "openapi.json") -> Path:
    path = folder / name
    path.write_text(json.dumps(document) if not isinstance(document, str) else document)
    return path


def changed(change: str, value: Any) -> dict[str, Any]:
    """The document with another value at a JSON pointer."""
    document = copy.deepcopy(DOCUMENT)
    *above, last = [part.replace("~1", "/") for part in change.split("/")[1:]]
    inner: Any = document
    for key in above:
        inner = inner[int(key) if isinstance(inner, list) else key]
    inner[int(last) if isinstance(inner, list) else last] = value
    return document


def test_every_operation_that_reads_is_requested_equally_often(tmp_path: Path) -> None:
    found = read_openapi(written(tmp_path), count=30)
    weights: dict[str, int] = {}
    for request in found.requests:
        operation = re.sub(r"\d+", "{n}", request.path.partition("?")[0].removeprefix("/v1"))
        weights[operation] = weights.get(operation, 0) + request.weight
    assert weights == {"/health": 10, "/orders": 10, "/orders/{n}": 10}
    assert len({request.name for request in found.requests}) == len(found.requests)
    pages = [re.fullmatch(r"/v1/orders\?page=(\d+)", one.path) for one in found.requests]
    numbers = [int(page[1]) for page in pages if page]
    assert len(numbers) > 3
    assert all(1 <= number <= 99 for number in numbers)
    assert (
        "left out 1 operation that may change state (POST): --allow-writes sends them"
        in found.notes
    )


def test_examples_come_first_and_a_status_is_expected_only_where_it_is_known(
    tmp_path: Path,
) -> None:
    found = read_openapi(written(tmp_path), count=30)
    orders = [one for one in found.requests if one.path.startswith("/v1/orders/")]
    assert (orders[0].path, orders[0].status) == ("/v1/orders/7", 200)
    assert {one.status for one in orders[1:]} == {None}
    assert {one.status for one in found.requests if one.path.startswith("/v1/orders?")} == {None}
    assert {one.status for one in found.requests if one.path == "/v1/health"} == {200}


@pytest.mark.parametrize(
    ("security", "status"),
    [([{"login": []}], None), ([], 200), ([{"login": []}, {}], 200)],
    ids=["wanted", "not wanted", "not needed"],
)
def test_no_success_is_expected_where_credentials_are_wanted_that_are_not_sent(
    security: Any, status: int | None
) -> None:
    document = changed("/paths/~1health/get/security", security)
    document["security"] = [{"login": []}]
    found = read_openapi(document)
    assert [one.status for one in found.requests if one.path == "/v1/health"] == [status]


def test_credentials_are_neither_made_up_nor_sent(tmp_path: Path) -> None:
    found = read_openapi(written(tmp_path, changed("/security", [{"login": []}])))
    assert {name for one in found.requests for name, _ in one.headers} == set()
    assert found.notes[0] == (
        "sends no credentials, for which the document asks in 4 operations (login): "
        "--header 'Authorization: ${TOKEN}' gives them"
    )
    assert (
        "left out headers that are credentials (x-auth-token): "
        "--header 'Authorization: ${TOKEN}' gives them"
    ) in found.notes


def test_bodies_conform_to_the_document(tmp_path: Path) -> None:
    found = read_openapi(written(tmp_path), count=60, writes=True)
    posts = [one for one in found.requests if one.method == "POST"]
    assert len(posts) > 3
    for post in posts:
        assert jsonschema_rs.is_valid(ORDER, json.loads((post.body or "").encode("latin-1")))
        assert ("content-type", "application/json") in post.headers
        assert post.status is None  # valid, but made up


def test_fewer_requests_than_operations_still_ask_every_operation(tmp_path: Path) -> None:
    found = read_openapi(written(tmp_path), count=1, writes=True)
    assert [one.weight for one in found.requests] == [1, 1, 1, 1]


def test_the_same_seed_gives_the_same_requests_and_another_seed_others(tmp_path: Path) -> None:
    file = written(tmp_path)
    assert read_openapi(file, seed=1) == read_openapi(file, seed=1)
    assert read_openapi(file, seed=1) != read_openapi(file, seed=2)
    assert read_openapi(DOCUMENT, seed=1) == read_openapi(file, seed=1)


def test_parts_of_a_form_are_the_same_each_time() -> None:
    content = {
        "multipart/form-data": {
            "schema": {
                "type": "object", "required": ["a"],
                "properties": {"a": {"type": "string", "maxLength": 4}},
            }
        }
    }  # fmt: skip
    document = changed("/paths/~1orders/post/requestBody/content", content)
    first = read_openapi(document, writes=True)
    assert first == read_openapi(document, writes=True)
    (form, *_) = [one for one in first.requests if one.method == "POST"]
    assert 'name="a"' in (form.body or "")


def test_nothing_is_written_to_the_working_folder_and_its_configuration_is_not_read(
    tmp_path: Path,
) -> None:
    file = written(tmp_path)
    working = tmp_path / "working"
    working.mkdir()
    (working / "schemathesis.toml").write_text("what = 1\n")
    code = (
        "import sys; from pathlib import Path; from harness.planning.requests import read_openapi; "
        "assert 'schemathesis' not in sys.modules and 'hypothesis' not in sys.modules; "
        "print(len(read_openapi(Path(sys.argv[1])).requests))"
    )
    environ = {**os.environ, "PYTHONPATH": str(PROJECT)}
    environ.pop("HYPOTHESIS_STORAGE_DIRECTORY", None)
    done = subprocess.run(
        [sys.executable, "-c", code, str(file)], cwd=working, env=environ, capture_output=True,
        text=True, check=True, timeout=100,
    )  # fmt: skip
    assert int(done.stdout) > 5
    assert [path.name for path in working.iterdir()] == ["schemathesis.toml"]


YAML = """\
openapi: 3.1
info: {title: Shop, version: 1}
paths:
  /days/{day}:
    get:
      parameters:
        - &day {name: day, in: path, required: true, schema: {type: string, enum: [2025-01-02]}}
        - *day
      responses:
        200: {description: it}
"""


def test_yaml_is_read_with_dates_as_texts_and_statuses_as_numbers(tmp_path: Path) -> None:
    text = YAML.replace("        - *day\n", "").replace("3.1\n", "3.0.3\n")
    found = read_openapi(written(tmp_path, text, "openapi.yaml"))
    assert [one.path for one in found.requests] == ["/days/2025-01-02"]


def test_operations_have_the_path_of_the_server_before_them() -> None:
    names = {"GET /v1/health", "GET /v1/orders", "POST /v1/orders", "GET /v1/orders/{id}"}
    assert operations_of(DOCUMENT) == names
    moved = changed("/paths/~1health", {"$ref": "#/components/pathItems/Up"})
    moved["components"]["pathItems"] = {"Up": DOCUMENT["paths"]["/health"]}
    assert operations_of(moved) == names
    swagger = {"swagger": "2.0", "basePath": "/v1/", "paths": DOCUMENT["paths"]}
    assert operations_of(swagger) == names


def test_a_reference_to_another_file_is_followed(tmp_path: Path) -> None:
    place = "/paths/~1orders/post/requestBody/content/application~1json/schema"
    file = written(tmp_path, changed(place, {"$ref": "parts/order.yaml#/Order"}))
    (tmp_path / "parts").mkdir()
    other = tmp_path / "parts" / "order.yaml"
    other.write_text("Order: {type: object, required: [n], properties: {n: {const: 7}}}\n")
    posts = [one for one in read_openapi(file, writes=True).requests if one.method == "POST"]
    assert {json.loads(post.body or "")["n"] for post in posts} == {7}
    other.write_text('Order: {$ref: "#/Order2"}\n')
    with pytest.raises(BadInput) as raised:
        read_openapi(file)
    assert (
        str(raised.value)
        == f"{other}: #/Order: the reference '#/Order2' leads nowhere: did you mean '#/Order'?"
    )


BODY = "/paths/~1orders/post/requestBody/content/application~1json/schema"


@pytest.mark.parametrize(
    ("place", "reference", "problem"),
    [
        (
            BODY,
            "#/components/schemas/Oder",
            "leads nowhere: did you mean '#/components/schemas/Order'?",
        ),
        (BODY, "#/what", "leads nowhere"),
        ("/paths/~1orders~1{id}/get/parameters/0", "#/paths/0", "leads nowhere"),
        ("/paths/~1orders~1{id}/get/responses/default", "#/components/responses/Bad", "leads nowhere"),
        (
            BODY,
            "https://else.example/order.json",
            "leads to another address, which is not asked: bundle the document into one file",
        ),
        (
            BODY,
            "no.json#/a",
            "leads to a file that can't be used: {folder}/no.json: can't be read: No such file or directory",
        ),
    ],
)  # fmt: skip
def test_a_reference_that_leads_nowhere_is_refused_with_its_place(
    tmp_path: Path, place: str, reference: str, problem: str
) -> None:
    file = written(tmp_path, changed(place, {"$ref": reference}))
    with pytest.raises(BadInput) as raised:
        read_openapi(file)
    expected = problem.format(folder=tmp_path.resolve())
    assert str(raised.value) == f"{file}: #{place}: the reference '{reference}' {expected}"


def test_a_reference_in_data_is_data() -> None:
    document = changed("/paths/~1health/get/responses/200/content", {
        "application/json": {"example": {"$ref": "#/nowhere"}, "schema": {"type": "object",
            "properties": {"$ref": {"type": "string"}, "default": {"$ref": "#/components/schemas/Order"}}}},
    })  # fmt: skip
    assert read_openapi(document).requests


@pytest.mark.parametrize(
    ("name", "text", "problem"),
    [
        ("a.json", "{\n1}", ":2:1: is no JSON: Expecting property name enclosed in double quotes"),
        ("a.yaml", "a: [1\nb: 2", ":2:2: is no YAML: expected ',' or ']', but got ':'"),
        ("a.yaml", "a: &a\n  b: *a", ": can't be read as YAML: an alias (*name) stands inside what it names (&name)"),
        ("a.yaml", "", ": is no OpenAPI document: it has neither 'openapi' nor 'swagger'"),
        ("a.json", "[1]", ": is no OpenAPI document: it has neither 'openapi' nor 'swagger'"),
        ("a.json", '{"openapi": "3.1.0"}', ": has no path under 'paths'"),
        ("a.json", '{"openapi": "3.1.0", "paths": {}}', ": has no path under 'paths'"),
        (
            "a.json",
            '{"openapi": "9.0.0", "paths": {"/": {}}}',
            ": can't be used: The provided schema uses Open API 9.0.0, which is currently not supported.",
        ),
        (
            "a.json",
            '{"openapi": "3.1.0", "paths": {"/": {"post": {"responses": {}}}}}',
            ": has no operation that can be requested: left out 1 operation that may change state "
            "(POST): --allow-writes sends them",
        ),
    ],
)  # fmt: skip
def test_a_bad_document_is_refused_in_one_line(
    tmp_path: Path, name: str, text: str, problem: str
) -> None:
    file = written(tmp_path, text, name)
    with pytest.raises(BadInput) as raised:
        read_openapi(file)
    assert str(raised.value) == f"{file}{problem}"


def test_an_operation_for_which_nothing_is_valid_is_left_out() -> None:
    impossible = {"allOf": [{"type": "integer", "minimum": 5}, {"type": "integer", "maximum": 4}]}
    document = changed("/paths/~1orders/get/parameters/0/schema", impossible)
    found = read_openapi(document, count=3)
    assert {one.path.split("?")[0] for one in found.requests} == {"/v1/health", "/v1/orders/7"}
    assert "left out 1 operation for which no valid request was found (GET /orders)" in found.notes


def test_read_document_gives_what_operations_of_takes(tmp_path: Path) -> None:
    text = YAML.replace("        - *day\n", "").replace("3.1\n", "3.0.3\n")
    file = written(tmp_path, text, "openapi.yml")
    assert operations_of(read_document(file)) == {"GET /days/{day}"}


@pytest.mark.parametrize(
    "odd",
    [
        {"paths": {"/a": {"$ref": "#/paths/~1a"}, "/b": {"get": {"responses": {}}}}},
        {"security": True},
        {"security": {"login": []}},
        {"components": "x"},
        {"servers": [{"url": "http://[::1"}]},
        {"servers": [{"url": "/{a}", "variables": ["x"]}]},
    ],
    ids=lambda odd: next(iter(odd)),
)
def test_an_odd_document_is_read_or_refused_but_ends_nothing(odd: dict[str, Any]) -> None:
    document = {
        "openapi": "3.1.0",
        "info": {"title": "x", "version": "1"},
        "paths": {"/b": {"get": {"responses": {"200": {"description": "x"}}}}},
        **odd,
    }
    with contextlib.suppress(BadInput):  # anything else ends the test
        assert read_openapi(document, count=2).requests
