"""HAR files as requests."""

from __future__ import annotations

import base64
import gzip
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.errors import BadInput
from harness.models import OwnRequest, OwnRequests
from harness.planning.requests import expand_request, read_har

SHOP = "https://shop.example"


def entry(url: str = "/", method: str = "GET", status: int = 200, **request: Any) -> dict[str, Any]:
    full = url if "://" in url else SHOP + url
    headers = [{"name": name, "value": value} for name, value in request.pop("headers", {}).items()]
    return {
        "request": {"method": method, "url": full, "headers": headers, **request},
        "response": {"status": status},
    }


def har(folder: Path, *entries: Any) -> Path:
    path = folder / "shop.har"
    path.write_text(json.dumps({"log": {"version": "1.2", "entries": entries}}))
    return path


def only(found: OwnRequests) -> OwnRequest:
    (request,) = found.requests
    return request


def test_an_entry_becomes_a_request(tmp_path: Path) -> None:
    file = har(
        tmp_path,
        entry(
            "/orders/7?full=1&q=caf\u00e9#top",
            headers={"Accept": "application/json", "X-Shop": "a"},
        ),
    )
    found = read_har(file)
    assert only(found) == OwnRequest(
        "GET /orders/7?full=1&q=caf%C3%A9", "GET", "/orders/7?full=1&q=caf%C3%A9",
        (("accept", "application/json"), ("x-shop", "a")), None, 200,
    )  # fmt: skip
    assert not found.notes


def test_headers_of_the_connection_and_those_of_http_2_are_not_sent_again(tmp_path: Path) -> None:
    headers = {
        ":method": "GET", ":authority": "shop.example", "Host": "shop.example", "Connection": "close",
        "Content-Length": "0", "TE": "trailers", "Accept-Encoding": "gzip, br",
    }  # fmt: skip
    request = only(read_har(har(tmp_path, entry(headers=headers))))
    assert request.headers == (("accept-encoding", "gzip, br"),)


def test_equal_requests_are_one_with_a_weight(tmp_path: Path) -> None:
    file = har(
        tmp_path,
        *(entry("/a"), entry("/b"), entry("/a"), entry("/a", headers={"accept": "text/html"})),
    )
    requests = read_har(file).requests
    assert [(one.name, one.weight) for one in requests] == [
        ("GET /a", 2), ("GET /b", 1), ("GET /a (2)", 1),
    ]  # fmt: skip


def test_a_request_that_was_answered_from_a_cache_asks_for_the_whole_reply(tmp_path: Path) -> None:
    conditional = {"If-None-Match": '"1"', "If-Modified-Since": "x", "accept": "*/*"}
    request = only(read_har(har(tmp_path, entry(status=304, headers=conditional))))
    assert (request.headers, request.status) == ((("accept", "*/*"),), None)
    file = har(tmp_path, entry(), entry(status=304))
    assert (only(read_har(file)).status, only(read_har(file)).weight) == (200, 2)


@pytest.mark.parametrize("status", [0, -1, 206, 500, None, "200"])
def test_a_status_that_says_nothing_of_other_times_is_not_expected(
    tmp_path: Path, status: Any
) -> None:
    assert only(read_har(har(tmp_path, entry(status=status)))).status is None


def test_credentials_are_left_out_and_the_note_names_their_headers(tmp_path: Path) -> None:
    secret = "s3cr3ts3cr3t"
    file = har(
        tmp_path,
        entry("/a", headers={"Authorization": f"Bearer {secret}", "X-Shop": "a"}),
        entry("/b", headers={"Cookie": f"session={secret}", "X-Forwarded": f"Bearer {secret}"}),
        entry("/c", headers={"Referer": f"{SHOP}/?access_token={secret}", "X-Api-Key": secret}),
        entry(f"/d?api_key={secret}"),
        entry(f"https://user:{secret}@shop.example/e"),
        entry("/f", "POST", postData={"mimeType": "application/json", "text": json.dumps(
            {"user": {"email": "a@b.example", "password": secret}})}),
        entry("/g", "POST", postData={"mimeType": "application/x-www-form-urlencoded",
            "text": f"user=a&password={secret}"}),
    )  # fmt: skip
    found = read_har(file, writes=True)
    assert [one.path for one in found.requests] == ["/a", "/b", "/c", "/e"]
    assert [one.headers for one in found.requests] == [(("x-shop", "a"),), (), (), ()]
    assert found.notes == (
        "left out headers of 3 requests that are credentials "
        "(authorization, cookie, referer, x-api-key, x-forwarded): "
        "--header 'Authorization: ${TOKEN}' gives them",
        "left out 1 request with credentials in the path's query (api_key)",
        "left out 2 requests with credentials in the body (password)",
    )
    assert secret not in repr(found)


def test_requests_that_change_state_are_left_out_unless_asked_for(tmp_path: Path) -> None:
    body = {"mimeType": "application/json", "text": '{"n":1}'}
    file = har(tmp_path, entry(), entry("/orders", "POST", 201, postData=body))
    found = read_har(file)
    assert only(found).method == "GET"
    assert found.notes == (
        "left out 1 request that may change state (POST): --allow-writes sends them",
    )
    post = read_har(file, writes=True).requests[1]
    assert (post.body, post.status) == ('{"n":1}', 201)
    assert post.headers == (("content-type", "application/json"),)


def posted(folder: Path, data: Any, **request: Any) -> OwnRequests:
    file = har(folder, entry(), entry("/x", "POST", postData=data, **request))
    return read_har(file, writes=True)


@pytest.mark.parametrize(
    ("data", "request_", "body"),
    [
        ({"text": "caf\u00e9 \u20ac"}, {}, "caf\u00e9 \u20ac".encode()),
        ({"text": "\x89PNG\xff"}, {"bodySize": 5}, b"\x89PNG\xff"),
        ({"text": "\x89PNG\xff"}, {"bodySize": 7}, "\x89PNG\xff".encode()),
        ({"text": "\x89PNG\xff"}, {"headers": {"content-length": "5"}}, b"\x89PNG\xff"),
        ({"text": "iVBORw8=", "encoding": "base64"}, {}, b"\x89PNG\x0f"),
        ({"text": "\ufffd"}, {"bodySize": 3}, b"\xef\xbf\xbd"),
        ({"text": ""}, {"bodySize": 0}, b""),
        (
            {
                "mimeType": "application/x-www-form-urlencoded",
                "params": [{"name": "a b", "value": "1&2"}, {"name": "c", "value": "\u00e9"}],
            },
            {},
            b"a+b=1%262&c=%C3%A9",
        ),
        (None, {"bodySize": 0}, None),
        (None, {"bodySize": -1}, None),
    ],
    ids=[
        *("text", "byte for character", "UTF-8", "by header", "base64", "replacement as sent"),
        *("empty", "form", "none", "unknown size"),
    ],
)
def test_a_body_is_sent_as_the_bytes_that_it_was(
    tmp_path: Path, data: Any, request_: Any, body: bytes | None
) -> None:
    found = posted(tmp_path, data, **request_)
    assert found.requests[1].body == (None if body is None else body.decode("latin-1"))


@pytest.mark.parametrize(
    ("data", "request_", "note"),
    [
        (None, {"bodySize": 12}, "whose body is not in the file (POST)"),
        ({"mimeType": "image/png", "_file": "a.bin"}, {"bodySize": 9}, "whose body is not in the file (POST)"),
        (
            {"mimeType": "multipart/form-data; boundary=x", "params": [{"name": "a"}]},
            {},
            "whose body is not in the file (POST)",
        ),
        ({"text": "PNG\ufffd\ufffd"}, {"bodySize": 5}, "whose body is not in the file as it was sent (POST)"),
        ({"text": "\ud83d"}, {}, "whose body is not in the file as it was sent (POST)"),
        ({"text": "?", "encoding": "base64"}, {}, "whose body is not in the file as it was sent (POST)"),
    ],
    ids=["absent", "elsewhere", "parts", "decoded", "half", "no base64"],
)  # fmt: skip
def test_a_request_whose_body_is_lost_is_left_out(
    tmp_path: Path, data: Any, request_: Any, note: str
) -> None:
    found = posted(tmp_path, data, **request_)
    assert only(found).method == "GET"
    assert found.notes == (f"left out 1 request {note}",)


@given(body=st.binary(min_size=1, max_size=60), as_base64=st.booleans())
def test_any_body_that_is_in_the_file_is_sent_unchanged(
    tmp_path_factory: pytest.TempPathFactory, body: bytes, as_base64: bool
) -> None:
    folder = tmp_path_factory.getbasetemp()
    data = (
        {"text": base64.b64encode(body).decode(), "encoding": "base64"}
        if as_base64
        else {"text": body.decode("latin-1")}
    )
    found = posted(folder, data | {"mimeType": "application/octet-stream"}, bodySize=len(body))
    sent = expand_request(found.requests[1], {})
    assert (sent.body or "").encode("latin-1") == body


def test_what_looks_like_a_variable_is_sent_as_it_is(tmp_path: Path) -> None:
    found = posted(tmp_path, {"text": "a ${HOME} $${x}"}, headers={"x-form": "${HOME}"})
    sent = expand_request(found.requests[1], {"HOME": "/secret"})
    assert (sent.body, dict(sent.headers)["x-form"]) == ("a ${HOME} $${x}", "${HOME}")


def test_without_hosts_the_one_with_most_requests_is_taken(tmp_path: Path) -> None:
    file = har(
        tmp_path,
        *(entry("https://cdn.example/a.js"), entry("/a"), entry("/b"), entry("/c")),
        *(entry("https://cdn.example/b.js"), entry("http://ads.example:81/")),
    )
    found = read_har(file)
    assert [one.path for one in found.requests] == ["/a", "/b", "/c"]
    assert found.notes == (
        "takes the requests to shop.example; left out 3 requests: 2 to cdn.example, 1 to ads.example:81",
    )
    found = read_har(file, hosts=["ADS.example", "cdn.example"])
    assert [one.path for one in found.requests] == ["/a.js", "/b.js", "/"]
    assert found.notes == (
        "takes the requests to ads.example:81, cdn.example; left out 3 requests: 3 to shop.example",
    )


def test_what_is_no_http_is_left_out(tmp_path: Path) -> None:
    file = har(
        tmp_path,
        *(entry(), entry("data:,x://"), entry("wss://shop.example/ws"), entry("/ws", status=101)),
    )
    found = read_har(file)
    assert only(found).path == "/"
    assert found.notes == (
        "left out 2 requests of another protocol than HTTP (data:, wss:)",
        "left out 1 request to open a WebSocket",
    )


def test_a_packed_har_and_one_with_a_mark_at_its_beginning_are_read(tmp_path: Path) -> None:
    data = har(tmp_path, entry("/a")).read_bytes()
    (tmp_path / "packed.har").write_bytes(gzip.compress(data))
    (tmp_path / "marked.har").write_bytes(b"\xef\xbb\xbf" + data)
    assert only(read_har(tmp_path / "packed.har")).path == "/a"
    assert only(read_har(tmp_path / "marked.har")).path == "/a"


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", ":1:1: is no JSON: Expecting value"),
        ('{"log":\n {,}}', ":2:3: is no JSON: Expecting property name enclosed in double quotes"),
        ("[]", ": has no 'log', so it is no HAR file: save one in the browser's tools"),
        ('{"log": 1}', ": has no 'log', so it is no HAR file: save one in the browser's tools"),
        ('{"log": {}}', ": its log has no entries: record some requests before saving it"),
        ('{"log": {"entries": []}}', ": its log has no entries: record some requests before saving it"),
        ('{"log": {"entries": [1]}}', ": entry 1 has no request: take it out of the file"),
        (
            '{"log": {"entries": [{"request": {"method": "GET", "url": "http://a/"}}, {}]}}',
            ": entry 2 has no request: take it out of the file",
        ),
        (
            '{"log": {"entries": [{"request": {"url": "http://a/"}}]}}',
            ": entry 1: its request's 'method' is no method of HTTP",
        ),
        (
            '{"log": {"entries": [{"request": {"method": "GET"}}]}}',
            ": entry 1: its request has no 'url'",
        ),
        (
            '{"log": {"entries": [{"request": {"method": "GET", "url": "http://[::1/"}}]}}',
            ": entry 1: its request's 'url': Invalid IPv6 URL",
        ),
        (
            '{"log": {"entries": [{"request": {"method": "GET", "url": "blob:x"}}]}}',
            ": has no request that can be sent: left out 1 request of another protocol than HTTP (blob:)",
        ),
        (
            '{"log": {"entries": [{"request": {"method": "PUT", "url": "http://a/"}}]}}',
            ": has no request that can be sent: left out 1 request that may change state (PUT): "
            "--allow-writes sends them",
        ),
    ],
)  # fmt: skip
def test_a_bad_har_is_refused_in_one_line(tmp_path: Path, text: str, problem: str) -> None:
    file = tmp_path / "bad.har"
    file.write_text(text)
    with pytest.raises(BadInput) as raised:
        read_har(file)
    assert str(raised.value) == f"{file}{problem}"


def test_a_har_that_is_no_text_or_too_deep_or_not_there_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "bad.har"
    file.write_bytes(b'{"log":\n"\xff"}')
    with pytest.raises(BadInput, match=r"bad\.har:2: is not UTF-8 text"):
        read_har(file)
    file.write_text("[" * 200_000)
    with pytest.raises(BadInput, match=r"bad\.har: can't be read as JSON"):
        read_har(file)
    with pytest.raises(BadInput, match=r"can't be read: No such file"):
        read_har(tmp_path / "nowhere.har")


def test_a_host_that_is_not_there_is_refused_with_those_that_are(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match=r"has no request to other\.example, but to: shop\.example"):
        read_har(har(tmp_path, entry()), hosts=["other.example"])
