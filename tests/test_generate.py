"""How requests are generated, and how differences between the answers are shown."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from apps import contract, fastapi_twin
from apps.fastapi_twin import openapi
from apps.settings import Settings
from harness.checking import explore, generate, shrink
from harness.checking.from_contract import changed_samples
from harness.checking.from_openapi import requests_of
from harness.checking.request import Request
from harness.checking.starting_points import MARKER, StoredOnce
from harness.planning.files import PROJECT

FEW = 350


@pytest.fixture(scope="module")
def requests() -> list[Request]:
    return list(generate.requests(FEW, 1))


@pytest.fixture(scope="module")
def document() -> dict[str, object]:
    settings = Settings("postgresql+psycopg://u@localhost/d", "http://127.0.0.1:1")
    return openapi.describe(fastapi_twin.create_app(settings))


@pytest.fixture(scope="module")
def from_document(document: dict[str, object]) -> list[Request]:
    return generate.drawn(requests_of(document), 80, "1")


def test_there_are_as_many_different_requests_as_were_asked_for(requests: list[Request]) -> None:
    assert len(set(requests)) == FEW


def test_the_same_seed_gives_the_same_requests() -> None:
    few = FEW // 4
    assert list(generate.requests(few, 1)) == list(generate.requests(few, 1))


@pytest.mark.thorough
def test_the_same_seed_gives_the_same_requests_to_every_process() -> None:
    code = (
        "from harness.checking import generate; import hashlib; "
        f"print(hashlib.sha256(repr(list(generate.requests({FEW}, 1))).encode()).hexdigest())"
    )
    with ExitStack() as started:
        others = [
            started.enter_context(
                subprocess.Popen(
                    [sys.executable, "-c", code],
                    env={**os.environ, "PYTHONHASHSEED": seed},
                    stdout=subprocess.PIPE,
                    cwd=PROJECT,
                )
            )
            for seed in ("1", "2")
        ]
        digests = {other.communicate()[0] for other in others}
        assert [other.returncode for other in others] == [0, 0]
    assert len(digests) == 1


def test_another_seed_gives_other_requests(requests: list[Request]) -> None:
    few = FEW // 4
    assert len(set(generate.requests(few, 2)) & set(requests)) < few / 2


def test_every_endpoint_comes_up_and_every_part_that_a_twin_reads_is_changed(
    requests: list[Request],
) -> None:
    written = {(sample.method, sample.path) for sample in contract.samples(MARKER)}
    for endpoint in contract.ENDPOINTS:
        start = endpoint.path.partition("{")[0]
        assert any(request.path.startswith(start) for request in requests), endpoint.path
    assert any((request.method, request.path) not in written for request in requests)
    assert any("?" in request.path for request in requests)
    assert any(request.chunked for request in requests)
    assert any(name.startswith("x-") for request in requests for name, _ in request.headers)
    assert any(not (request.body or b"").isascii() for request in requests)


def test_the_bytes_of_a_request_are_http(requests: list[Request]) -> None:
    for request in requests:
        head, _, body = request.as_bytes("host:1").partition(b"\r\n\r\n")
        first, *headers = head.decode("latin-1").split("\r\n")
        assert first == f"{request.method} {request.path} HTTP/1.1"
        assert first.isascii()
        assert first.count(" ") == 2
        assert [header for header in headers if header.lower().startswith("host:")]
        assert all(header.partition(":")[0] for header in headers)
        assert request.chunked or body == (request.body or b"")


def test_a_token_contains_no_character_that_servers_interpret_in_different_ways(
    requests: list[Request], from_document: list[Request]
) -> None:
    tokens = [
        [text for name, text in request.headers if name.lower() == "authorization"]
        for request in [*requests, *from_document]
    ]
    assert len({text for texts in tokens for text in texts}) > 3
    for texts in tokens:
        assert len(texts) <= 1  # two would be joined by a comma
        for text in texts:
            assert text.isascii()
            assert text.isprintable()
            assert "," not in text


def test_no_request_asks_an_http_path_for_a_websocket(requests: list[Request]) -> None:
    names = {name.lower() for request in requests for name, _ in request.headers}
    assert names
    assert "upgrade" not in names


def test_an_email_is_marked_so_that_each_stack_can_store_it() -> None:
    once = StoredOnce(frozenset({("POST", "/users")}), frozenset({"taken@example.org"}))
    body = {"name": "x", "email": "a@b.cd", "more": ["Taken@example.org"]}
    request = Request("POST", "/users?x=1", body=json.dumps(body).encode())
    marked = json.loads(once.per_stack(request).body or b"")
    assert marked == {**body, "email": f"{MARKER}a@b.cd"}
    stores_nothing = Request("POST", "/users/validate", body=request.body)
    assert once.per_stack(stores_nothing) == stores_nothing
    without_json = Request("POST", "/users", body=b"{a@b.cd")
    assert once.per_stack(without_json) == without_json


def test_the_smallest_request_is_found() -> None:
    body = json.dumps({"name": "Zoë of all people", "email": "x@y.zz", "age": 17}).encode()
    headers = (("content-type", "application/json"), ("x-a", "b"))
    large = Request("POST", "/users/validate?a=1&size=%C3%A9", headers, body, chunked=True)

    def shows_it(request: Request) -> bool:
        return "size" in request.path and b"\\u00eb" in (request.body or b"")

    smallest = shrink.smallest(large, shows_it)
    assert shows_it(smallest)
    assert smallest.headers == ()
    assert not smallest.chunked
    assert smallest.path == "/size"
    assert smallest.body in (b'{"name":"\\u00eb"}', b"\\u00eb")


def test_a_request_is_shown_as_a_command_that_a_shell_understands() -> None:
    request = Request("POST", "/a?b='c'", (("x-d", "e f"),), b"\x00it's \xff")
    code = f"curl() {{ printf '%s|' \"$@\"; }}; URL=http://h; {request}"
    finished = subprocess.run(["bash", "-c", code], capture_output=True, check=True)
    # A word of a shell cannot contain NUL, so the body is compared as text below.
    assert b"|-H|x-d: e f|" in finished.stdout
    assert finished.stdout.endswith(b"|http://h/a?b='c'|")
    assert "\\x00it\\x27s \\xff" in str(request)


# ------------------------------------------------------- two servers that may differ

Respond = Callable[[str, str, bytes], tuple[int, dict[str, str], bytes]]
JSON = {"content-type": "application/json"}


@contextmanager
def server(respond: Respond) -> Iterator[str]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        wbufsize = -1  # head and body in one piece: the body would wait for the head's ACK

        def answer(self) -> None:
            body = self.rfile.read(int(self.headers.get("content-length", 0)))
            path = self.requestline.split()[1]  # self.path has one slash for several
            status, headers, reply = respond(self.command, path, body)
            self.send_response(status)
            for name, text in {**headers, "content-length": str(len(reply))}.items():
                self.send_header(name, text)
            if self.headers.get("transfer-encoding"):  # this server can't read such a body
                self.send_header("connection", "close")
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(reply)

        do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = do_HEAD = do_OPTIONS = do_TRACE = answer

        def log_message(self, *arguments: object) -> None:
            pass

    running = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    running.daemon_threads = True
    thread = threading.Thread(target=running.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield f"http://127.0.0.1:{running.server_port}"
    finally:
        running.shutdown()
        thread.join()
        running.server_close()


def plain(method: str, path: str, body: bytes) -> tuple[int, dict[str, str], bytes]:
    return 200, JSON, b'{"a":1,"b":[2.0]}'


def explored(other: Respond, cases: int = 150) -> explore.Exploration:
    """Compare a server that always answers plainly with another one."""
    with server(plain) as first_url, server(other) as other_url:
        return explore.explore({"first": first_url, "other": other_url}, cases, 1)


def test_servers_that_answer_alike_do_not_differ() -> None:
    found = explored(plain)
    assert found.disagreements == []
    assert found.cases == 150
    assert sum(found.statuses.values()) == 150


def test_neither_the_order_of_members_nor_blanks_are_a_difference() -> None:
    assert explored(lambda *_: (200, JSON, b'{"b": [2.0], "a": 1}')).disagreements == []


@pytest.mark.parametrize(
    ("headers", "body", "problem"),
    [
        (JSON, b'{"a":1.0,"b":[2.0]}', "body.a is 1.0 instead of 1"),
        (JSON, b'{"a":1,"b":[2.0,3]}', "body.b has 2 elements instead of 1"),
        ({"content-type": "text/plain"}, b'{"a":1,"b":[2.0]}', "content-type is 'text/plain'"),
        ({**JSON, "allow": "GET"}, b'{"a":1,"b":[2.0]}', "allow is 'GET' instead of absent"),
        ({**JSON, "location": "/x"}, b'{"a":1,"b":[2.0]}', "location is '/x' instead of absent"),
        (JSON, b"<html>", "the bodies differ"),
    ],
)
def test_a_difference_is_named_with_both_answers(
    headers: dict[str, str], body: bytes, problem: str
) -> None:
    found = explored(lambda *_: (200, headers, body), 20).disagreements
    assert found
    for disagreement in found:
        assert any(text.startswith(problem) for text in disagreement.problems)
        if disagreement.request.method != "HEAD":
            assert repr(body) in str(disagreement)
            assert repr(b'{"a":1,"b":[2.0]}') in str(disagreement)
        assert "curl -i" in str(disagreement)
        assert json.loads(json.dumps(disagreement.as_json()))["problems"]


def test_a_difference_is_shown_by_the_smallest_request() -> None:
    def picky(method: str, path: str, body: bytes) -> tuple[int, dict[str, str], bytes]:
        return (500, JSON, b"{}") if b"age" in body else plain(method, path, body)

    found = explored(picky).disagreements
    assert found
    for disagreement in found:
        assert disagreement.problems == ("status 500 instead of 200",)
        assert disagreement.request.body == b"age"
        assert disagreement.request.headers == ()


def test_an_error_without_a_promise_is_found_even_if_all_stacks_have_it() -> None:
    def broken(method: str, path: str, body: bytes) -> tuple[int, dict[str, str], bytes]:
        return 500, JSON, b"{}"

    with server(broken) as first_url, server(broken) as other_url:
        urls = {"first": first_url, "other": other_url}
        found = explore.explore(urls, 5, 1).disagreements
    assert found
    assert {disagreement.problems for disagreement in found} == {
        ("status 500, which the contract does not promise",)
    }


@pytest.mark.parametrize("merging", ["first", "other"])
def test_a_server_that_merges_slashes_is_not_asked_to_agree_about_them(
    monkeypatch: pytest.MonkeyPatch, merging: str
) -> None:
    def exact(method: str, path: str, body: bytes) -> tuple[int, dict[str, str], bytes]:
        return (404 if path.startswith("//") else 200), JSON, b"{}"

    def merges(method: str, path: str, body: bytes) -> tuple[int, dict[str, str], bytes]:
        return 200, JSON, b"{}"

    drawn = [Request("GET", "//hello"), Request("GET", "/hello")]
    monkeypatch.setattr(explore.generate, "requests", lambda *_: iter(drawn))
    with server(exact) as first_url, server(merges) as other_url:
        urls = {"first": first_url, "other": other_url}
        (found,) = explore.explore(urls, 2, 1).disagreements
        assert found.request.path.startswith("//")
        assert explore.explore(urls, 2, 1, merging_slashes=[merging]).disagreements == []
        assert len(explore.explore(urls, 2, 1, merging_slashes=list(urls)).disagreements) == 1


def test_a_server_that_does_not_answer_differs() -> None:
    with server(plain) as stopped_url:
        pass
    with server(plain) as first_url:
        urls = {"first": first_url, "stopped": stopped_url}
        found = explore.explore(urls, 3, 1).disagreements
    assert found
    problems = [problem for disagreement in found for problem in disagreement.problems]
    assert all(problem.startswith("status 0 ") for problem in problems)


# ------------------------------------------------------------------------------ OpenAPI


def test_requests_are_made_from_an_openapi_document_too(
    document: dict[str, object], from_document: list[Request]
) -> None:
    made = list(generate.requests(100, 1, [document]))
    assert len(set(made)) == 100
    places = {request.path.partition("?")[0].split("/")[1] for request in from_document}
    assert len(places & {endpoint.path.split("/")[1] for endpoint in contract.ENDPOINTS}) > 4
    for request in from_document:
        # These headers would be the client's own, and would differ from run to run.
        assert not {name for name, _ in request.headers} & {"user-agent", "content-length"}
    assert set(made) & set(generate.drawn(changed_samples(), 100, "1 0")) < set(made)


def test_the_document_of_a_stack_that_has_one_is_used(document: dict[str, object]) -> None:
    asked: set[str] = set()

    def with_document(method: str, path: str, body: bytes) -> tuple[int, dict[str, str], bytes]:
        asked.add(path)
        if path == "/openapi.json":
            return 200, JSON, json.dumps(document).encode()
        return plain(method, path, body)

    assert explored(with_document, 60).cases == 60
    assert "/openapi.json" in asked
