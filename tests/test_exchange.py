"""One request to a service of somebody else's, whatever comes back."""

import gzip
import json
import socket
import time
import zlib
from collections.abc import Iterator

import brotli
import pytest

from harness.checking import exchange as exchanging
from harness.checking.exchange import exchange, unreachable
from harness.models import Framing, OwnRequest, Reply, ReplyFailure
from harness.planning.requests.variables import expand_request
from tests.own_services import Asked, reply, service
from tests.socket_server import TLS, nobody_listening, says, serving, tls_context

HELLO = OwnRequest("GET /hello", "GET", "/hello")


def replied(raw: bytes, request: OwnRequest = HELLO, max_body_bytes: int = 2**20) -> Reply:
    with service(lambda _: raw) as url:
        return exchange(url, request, timeout_s=5, max_body_bytes=max_body_bytes)


def sent(request: OwnRequest, prefix: str = "", **more: str) -> Asked:
    seen: list[Asked] = []

    def answer(asked: Asked) -> bytes:
        seen.append(asked)
        return reply("ok")

    with service(answer) as url:
        assert exchange(url + prefix, expand_request(request, more)).failure is None
    return seen[0]


def test_a_reply_has_all_headers_in_their_order() -> None:
    raw = reply(
        "hi", headers=[("X-B", "1"), ("Set-Cookie", "a=1"), ("X-A", "2"), ("Set-Cookie", "b=2")]
    )
    found = replied(raw)
    assert (found.failure, found.status, found.body, found.protocol) == (None, 200, b"hi", "1.1")
    assert found.headers[2:] == (
        ("x-b", "1"),
        ("set-cookie", "a=1"),
        ("x-a", "2"),
        ("set-cookie", "b=2"),
    )
    assert found.framing is Framing.LENGTH


def test_chunks_are_put_together() -> None:
    found = replied(
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n"
    )
    assert (found.failure, found.body, found.framing) == (None, b"abcde", Framing.CHUNKED)


def test_a_body_may_end_with_the_connection() -> None:
    found = replied(b"HTTP/1.0 200 OK\r\nContent-Type: text/plain\r\n\r\nto the end")
    assert (found.failure, found.body, found.protocol) == (None, b"to the end", "1.0")
    assert found.framing is Framing.CLOSE


@pytest.mark.parametrize(
    ("raw", "failure", "problem"),
    [
        (b"", ReplyFailure.CLOSED, "without a reply"),
        (b"HTTP/1.1 200 OK\r\nContent-", ReplyFailure.CLOSED, "in the middle of the head"),
        (
            b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nonly a part.",
            ReplyFailure.CLOSED,
            "in the middle of the body (12 of 100 bytes)",
        ),
        (
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n",
            ReplyFailure.CLOSED,
            "in the middle of the body",
        ),
        (
            b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 7\r\n\r\nhello",
            ReplyFailure.MALFORMED,
            "two Content-Lengths",
        ),
        (
            b"HTTP/1.1 200 OK\r\nContent-Length: 5, 7\r\n\r\nhello",
            ReplyFailure.MALFORMED,
            "two Content-Lengths",
        ),
        (
            b"HTTP/1.1 200 OK\r\nContent-Length: five\r\n\r\nhello",
            ReplyFailure.MALFORMED,
            "no number",
        ),
        (
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\nabc\r\n0\r\n\r\n",
            ReplyFailure.MALFORMED,
            "chunks",
        ),
        (
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabcde\r\n0\r\n\r\n",
            ReplyFailure.MALFORMED,
            "chunks",
        ),
        (b"220 smtp.example ESMTP\r\n\r\n", ReplyFailure.MALFORMED, "no status line"),
        (b"HTTP/1.1 200 OK\r\nno header at all\r\n\r\n", ReplyFailure.MALFORMED, "no header"),
        (b"HTTP/1.1 200 OK\r\nx: " + b"y" * 300_000, ReplyFailure.MALFORMED, "longer than 256 KiB"),
    ],
)
def test_what_is_wrong_with_a_reply_is_said(
    raw: bytes, failure: ReplyFailure, problem: str
) -> None:
    found = replied(raw)
    assert found.failure is failure
    assert problem in found.problem


@pytest.mark.parametrize(
    ("coding", "body"),
    [
        ("gzip", gzip.compress(b"hello", mtime=0)),
        ("x-gzip", gzip.compress(b"hel", mtime=0) + gzip.compress(b"lo", mtime=0)),
        ("deflate", zlib.compress(b"hello")),
        ("deflate", zlib.compress(b"hello")[2:-4]),  # bare, as some servers send it
        ("br", brotli.compress(b"hello")),
        ("gzip, br", brotli.compress(gzip.compress(b"hello", mtime=0))),
        ("identity", b"hello"),
    ],
)
def test_compressed_bodies_are_decoded(coding: str, body: bytes) -> None:
    found = replied(reply(body, headers=[("Content-Encoding", coding)]))
    assert (found.failure, found.body, found.raw) == (None, b"hello", body)


@pytest.mark.parametrize("coding", ["gzip", "deflate", "br"])
@pytest.mark.parametrize(
    "body", [b"hello, this is plain", gzip.compress(b"hello" * 9, mtime=0)[:-9]]
)
def test_a_body_that_is_not_as_encoded_as_it_says_is_malformed(coding: str, body: bytes) -> None:
    found = replied(reply(body, headers=[("Content-Encoding", coding)]))
    assert (found.failure, found.status) == (ReplyFailure.MALFORMED, 200)
    assert coding in found.problem


def test_an_encoding_that_nobody_here_knows_leaves_the_body_as_it_is() -> None:
    found = replied(reply(b"\x28\xb5", headers=[("Content-Encoding", "zstd")]))
    assert (found.failure, found.body, found.is_decoded) == (None, b"\x28\xb5", False)


@pytest.mark.parametrize(
    "raw",
    [
        reply(b"x" * 5_000),
        b"HTTP/1.1 200 OK\r\n\r\n" + b"x" * 5_000,
        reply(gzip.compress(b"x" * 5_000, mtime=0), headers=[("Content-Encoding", "gzip")]),
        reply(zlib.compress(b"x" * 5_000)[2:-4], headers=[("Content-Encoding", "deflate")]),
        reply(brotli.compress(b"x" * 5_000), headers=[("Content-Encoding", "br")]),
    ],
)
def test_a_body_is_read_only_so_far(raw: bytes) -> None:
    assert replied(raw, max_body_bytes=5_000).failure is None
    found = replied(raw, max_body_bytes=4_999)
    assert (found.failure, found.status) == (ReplyFailure.TOO_LARGE, 200)
    assert len(found.body) <= 4_999


@pytest.mark.parametrize(
    "head", [b"HTTP/1.1 200 OK\r\n\r\n", b"HTTP/1.1 200 OK\r\nContent-Length: 9999\r\n\r\n"]
)
def test_an_endless_body_is_left_when_the_time_is_over(head: bytes) -> None:
    def dripping(_: Asked) -> Iterator[bytes]:
        yield head
        while True:
            yield b"."
            time.sleep(0.01)

    with service(dripping) as url:
        found = exchange(url, HELLO, timeout_s=0.3)
    assert (found.failure, found.status) == (ReplyFailure.TIMED_OUT, 200)
    assert found.problem == "its body had not ended after 0.3 s"


def test_a_head_that_never_ends_and_silence_are_left_too() -> None:
    def dripping(_: Asked) -> Iterator[bytes]:
        yield b"HTTP/1.1 200 OK\r\n"
        while True:
            yield b"x: y\r\n"
            time.sleep(0.01)

    def silent(_: Asked) -> Iterator[bytes]:
        time.sleep(1)
        yield b""

    for answer in (dripping, silent):
        with service(answer) as url:
            found = exchange(url, HELLO, timeout_s=0.3)
        assert (found.failure, found.status) == (ReplyFailure.TIMED_OUT, 0)
        assert found.problem == "no reply within 0.3 s"


@pytest.mark.parametrize(
    ("method", "raw"),
    [
        ("GET", b"HTTP/1.1 204 No Content\r\n\r\n"),
        ("GET", b"HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\n"),
        ("HEAD", b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Encoding: gzip\r\n\r\n"),
        ("GET", b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"),
    ],
)
def test_a_reply_may_have_no_body(method: str, raw: bytes) -> None:
    found = replied(raw, OwnRequest("x", method, "/"))
    assert (found.failure, found.body) == (None, b"")


def test_interim_replies_are_passed_over_and_redirects_are_not_followed() -> None:
    final = reply("", "302 Found", [("Location", "http://elsewhere.invalid/")])
    found = replied(b"HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n" + final)
    assert (found.status, found.header("location")) == (302, "http://elsewhere.invalid/")


def test_nobody_there_is_said() -> None:
    with nobody_listening() as url:
        found = exchange(url, HELLO)
        assert (found.failure, found.problem) == (ReplyFailure.REFUSED, "connection refused")
        assert unreachable(url) == "connection refused"
    assert unreachable("http://no-such-host.invalid") == "no such host"


def test_a_request_is_sent_as_it_is_written_with_variables_put_in() -> None:
    request = OwnRequest(
        "POST /a",
        "POST",
        "/a/../b//c?x=[1]&y=%2F&z=${Q}#fragment",
        (("X-Key", "${KEY}"), ("Accept", "text/html"), ("Content-Length", "999")),
        'caf\xc3\xa9 ${KEY} \xff"',
    )
    asked = sent(request, "/base/", KEY="schlüssel", Q="a%20b")
    assert asked.method == "POST"
    assert asked.path == "/base/a/../b//c?x=[1]&y=%2F&z=a%20b"
    assert asked.header("x-key") == "schlüssel"  # a character for each byte
    assert asked.header("accept") == "text/html"
    assert asked.body == b"caf\xc3\xa9 " + "schlüssel".encode() + b' \xff"'
    assert asked.header("content-length") == str(len(asked.body))
    assert asked.header("host").startswith("127.0.0.1:")


def test_a_variable_in_json_is_a_part_of_a_text_and_an_escaped_one_is_none() -> None:
    request = OwnRequest(
        "POST /",
        "POST",
        "/",
        (("content-type", "application/json"),),
        '{"a": "${KEY}", "b": "$${KEY}"}',
    )
    with service(lambda asked: reply(asked.body)) as url:
        body = exchange(url, expand_request(request, {"KEY": 'say "é"'})).body
    assert json.loads(body) == {"a": 'say "é"', "b": "${KEY}"}


def test_a_service_may_reply_before_it_has_read_the_request() -> None:
    def early(sock: socket.socket) -> bool:
        sock.sendall(reply("too large", "413 Content Too Large"))
        while sock.recv(65536):
            pass
        return False

    with serving(early) as url:
        found = exchange(url, OwnRequest("POST /", "POST", "/", body="x" * 5_000_000))
    assert (found.failure, found.status) == (None, 413)


def test_what_can_not_be_sent_is_said_without_its_secret() -> None:
    request = OwnRequest("x", "GET", "/", (("X-Key", "geheim\r\nX-Evil: 1"),))
    found = exchange("http://127.0.0.1:1", request)
    assert found.failure is ReplyFailure.UNSENDABLE
    assert "geheim" not in found.problem


def test_certificates_are_verified_unless_told(monkeypatch: pytest.MonkeyPatch) -> None:
    context = tls_context()
    wrap = lambda sock: context.wrap_socket(sock, server_side=True)  # noqa: E731
    with service(lambda _: reply("secret"), wrap) as url:
        https = url.replace("http:", "https:")
        assert "certificate is not trusted" in exchange(https, HELLO).problem
        assert exchange(https, HELLO, verify_tls=False).body == b"secret"
        exchanging.tls_context.cache_clear()
        try:
            with monkeypatch.context() as trusting:
                trusting.setenv("SSL_CERT_FILE", str(TLS))
                assert exchange(https, HELLO).body == b"secret"
        finally:
            exchanging.tls_context.cache_clear()
    with serving(says(reply("plain"), keep=False)) as url:
        assert "TLS" in unreachable(url.replace("http:", "https:"))
