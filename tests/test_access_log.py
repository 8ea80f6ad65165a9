"""Access logs as requests."""

from __future__ import annotations

import gzip
from collections import Counter
from pathlib import Path
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.errors import BadInput
from harness.models import OwnRequests
from harness.planning.requests import access_log, read_access_log

COMMON = '127.0.0.1 - - [10/Oct/2025:13:55:36 +0000] "{request}" {status} 2326'
COMBINED = COMMON + ' "https://shop.example/\\"start" "Mozilla/5.0 (X11; \\"odd\\")"'


def log(folder: Path, *lines: str, form: str = COMBINED) -> Path:
    """A log of lines such as `200 GET /orders`."""
    path = folder / "access.log"
    texts = []
    for line in lines:
        status, _, request = line.partition(" ")
        texts.append(form.format(request=f"{request} HTTP/1.1", status=status) + "\n")
    path.write_text("".join(texts))
    return path


def paths(found: OwnRequests) -> dict[str, int]:
    return {request.name: request.weight for request in found.requests}


def test_equal_requests_are_one_with_a_weight_and_the_most_frequent_comes_first(
    tmp_path: Path,
) -> None:
    file = log(tmp_path, "200 GET /a", "200 GET /b?c=1", "200 GET /b?c=1", "404 HEAD /a")
    found = read_access_log(file)
    assert paths(found) == {"GET /b?c=1": 2, "GET /a": 1, "HEAD /a": 1}
    assert [request.status for request in found.requests] == [200, 200, 404]
    assert next(iter(paths(found))) == "GET /b?c=1"
    assert not found.notes


@pytest.mark.parametrize(
    "line",
    [
        COMMON.format(request="GET /a HTTP/1.0", status=200),
        COMBINED.format(request="GET /a HTTP/2.0", status=200),
        'shop.example:443 ::1 - x [10/Oct/2025:13:55:36 +0000] "GET /a HTTP/1.1" 200 5',
        'INFO:     127.0.0.1:52345 - "GET /a HTTP/1.1" 200 OK',
        '[2025-10-10 13:55:36 +0000] 127.0.0.1 - "GET /a HTTP/1.1" 200 0.613',
        '127.0.0.1 - - [10/Oct/2025 13:55:36] "GET /a HTTP/1.1" 200 -',
        COMMON.format(request="GET http://shop.example/a HTTP/1.1", status=200),
        COMMON.format(request="GET http://shop.example/a#part HTTP/1.1", status=200),
    ],
    ids=[
        "common",
        "combined",
        "virtual host",
        "uvicorn",
        "granian",
        "werkzeug",
        "absolute",
        "part",
    ],
)
def test_a_line_of_each_form_is_read(tmp_path: Path, line: str) -> None:
    (tmp_path / "x.log").write_text(line + "\r\n")
    (request,) = read_access_log(tmp_path / "x.log").requests
    assert (request.method, request.path, request.status) == ("GET", "/a", 200)


def test_a_packed_log_is_read_whatever_its_name(tmp_path: Path) -> None:
    plain = log(tmp_path, "200 GET /a").read_bytes()
    (tmp_path / "packed.log").write_bytes(gzip.compress(plain))
    assert paths(read_access_log(tmp_path / "packed.log")) == {"GET /a": 1}


@pytest.mark.parametrize(
    ("written", "path"),
    [
        ("/say?x=\\x22a\\x22", "/say?x=%22a%22"),  # nginx
        ('/say?x=\\"a\\"', "/say?x=%22a%22"),  # Apache, Gunicorn
        ("/caf\\xC3\\xA9", "/caf%C3%A9"),
        ("/caf\\xc3\\xa9%20x", "/caf%C3%A9%20x"),
        ("/caf\u00e9", "/caf%C3%A9"),
        ("/a\\\\b", "/a%5Cb"),
        ("/${HOME}", "/$%7BHOME%7D"),
        ("//a/b", "//a/b"),
        ("/a?filter[x]=1,2;3", "/a?filter[x]=1,2;3"),
    ],
)
def test_what_a_server_escaped_becomes_what_was_asked_for(
    tmp_path: Path, written: str, path: str
) -> None:
    (request,) = read_access_log(log(tmp_path, f"200 GET {written}")).requests
    assert request.path == path


def test_a_status_is_expected_only_if_it_was_always_the_same(tmp_path: Path) -> None:
    file = log(
        tmp_path,
        *("200 GET /same", "200 GET /same", "304 GET /same", "503 GET /same"),
        *("200 GET /differs", "404 GET /differs", "304 GET /cached", "500 GET /broken"),
    )
    statuses = {request.path: request.status for request in read_access_log(file).requests}
    assert statuses == {"/same": 200, "/differs": None, "/cached": None, "/broken": None}


def test_requests_that_change_state_are_left_out_unless_asked_for(tmp_path: Path) -> None:
    file = log(tmp_path, "200 GET /a", "201 POST /a", "201 POST /a", "204 DELETE /a")
    found = read_access_log(file)
    assert paths(found) == {"GET /a": 1}
    assert found.notes == (
        "left out 3 requests that may change state (DELETE, POST): --allow-writes sends them",
    )
    found = read_access_log(file, writes=True)
    assert paths(found) == {"POST /a": 2, "GET /a": 1, "DELETE /a": 1}
    assert found.notes == (
        "sends requests that may change state without a body, since an access log has none",
    )


def test_what_can_not_be_sent_is_left_out_and_counted(tmp_path: Path) -> None:
    file = log(
        tmp_path,
        *("200 GET /a", "400 \\x16\\x03\\x01\\x02", "400 \\x16\\x03\\x01\\x01"),
        *("200 OPTIONS *", "200 GET /a?access_token=abcdef&x=1", "200 GET /b;jsessionid=A1B2"),
    )
    with file.open("a") as more:
        more.write('127.0.0.1 - - [x] "-" 408 -\n')
    found = read_access_log(file)
    assert paths(found) == {"GET /a": 1}
    assert found.notes == (
        "left out 3 requests of another protocol than HTTP",
        "left out 1 request without a path",
        "left out 2 requests with credentials in the path's query (access_token, jsessionid)",
    )
    assert "abcdef" not in repr(found)


def test_only_the_most_frequent_are_taken_and_the_note_says_what_they_cover(tmp_path: Path) -> None:
    file = log(tmp_path, *["200 GET /a"] * 5, *["200 GET /b"] * 3, "200 GET /c", "200 GET /d")
    found = read_access_log(file, most=2)
    assert paths(found) == {"GET /a": 5, "GET /b": 3}
    assert found.notes == ("takes the 2 most frequent of 4 requests: 80 % of the lines",)


def test_of_very_many_different_requests_the_rarest_are_forgotten(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(access_log, "_MOST_COUNTED", 10)
    rare = [f"200 GET /{number}" for number in range(25)]
    file = log(tmp_path, *["200 GET /often"] * 75, *rare)
    found = read_access_log(file, most=1)
    assert paths(found) == {"GET /often": 75}
    (note,) = found.notes
    assert note.startswith("takes the 1 most frequent of more than ")
    assert note.endswith(" requests: 75 % of the lines")


def test_a_few_other_lines_are_left_out_and_the_first_is_named(tmp_path: Path) -> None:
    file = log(tmp_path, "200 GET /a", "200 GET /a")
    file.write_text("\n" + file.read_text() + "log rotated\nagain\n" + file.read_text())
    found = read_access_log(file)
    assert paths(found) == {"GET /a": 4}
    assert found.notes == (
        "left out 2 lines that are no lines of an access log, the first of them line 4",
    )


def test_a_very_long_line_is_one_line(tmp_path: Path) -> None:
    file = log(tmp_path, "200 GET /a", "200 GET /b")
    long = file.read_text().replace("Mozilla", "x" * 200_000)
    file.write_text(f"{long}what\n")
    found = read_access_log(file)
    assert paths(found) == {"GET /a": 1, "GET /b": 1}
    assert found.notes == (
        "left out 1 line that is no line of an access log, the first of them line 3",
    )


FORM = 'each line must have the request in quotes and then its status, as in "GET / HTTP/1.1" 200'


@pytest.mark.parametrize(
    ("data", "problem"),
    [
        (b"", ": has no request that can be sent: it has no lines"),
        (b"\n\n", ": has no request that can be sent: it has no lines"),
        (b"\nhello\n", f":2: 'hello' is no line of an access log: {FORM}"),
        (
            b'{"request": "GET / HTTP/1.1", "status": 200}\n',
            ':1: \'{"request": "GET / HTTP/1.1", "status": 200}\' is no line of an access log: '
            + FORM,
        ),
        (b"\x00\xff" + b"y" * 200_000, f":1: '��{'y' * 58}…' is no line of an access log: {FORM}"),
        (
            COMMON.format(request="POST /a HTTP/1.1", status=200).encode(),
            ": has no request that can be sent: left out 1 request that may change state (POST): "
            "--allow-writes sends them",
        ),
        (
            gzip.compress(b"x" * 1000)[:-9],
            ": can't be unpacked, as gzip: Compressed file ended before the end-of-stream marker "
            "was reached",
        ),
    ],
    ids=["empty", "blank", "text", "JSON", "binary", "POST alone", "cut gzip"],
)
def test_a_bad_log_is_refused_in_one_line(tmp_path: Path, data: bytes, problem: str) -> None:
    file = tmp_path / "bad.log"
    file.write_bytes(data)
    with pytest.raises(BadInput) as raised:
        read_access_log(file)
    assert str(raised.value) == f"{file}{problem}"


def test_a_log_of_another_form_is_refused_before_it_is_read_to_its_end(tmp_path: Path) -> None:
    file = tmp_path / "bad.log"
    good = COMMON.format(request="GET / HTTP/1.1", status=200)
    file.write_text("what\n" * 1000 + f"{good}\n" * 5000)
    with pytest.raises(BadInput, match=r"bad\.log:1: 'what' is no line"):
        read_access_log(file)


def test_a_log_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match=r"nowhere: can't be read: No such file"):
        read_access_log(tmp_path / "nowhere")
    with pytest.raises(BadInput, match="can't be read: Is a directory"):
        read_access_log(tmp_path)


def as_nginx(data: bytes) -> str:
    """As nginx writes what a client sent: `ngx_http_log_escape`."""
    return "".join(
        chr(byte) if 32 <= byte < 127 and byte not in b'"\\' else f"\\x{byte:02X}" for byte in data
    )


@given(
    sent=st.lists(
        st.tuples(
            st.sampled_from(["GET", "HEAD", "OPTIONS"]),
            st.from_regex(r"(/[!$-;=-Z_a-z~\"\\^`{|}\x80-\xff]{0,8}){1,3}", fullmatch=True),
        ),
        min_size=1,
        max_size=20,
    )
)
def test_a_log_written_from_requests_reads_back(
    tmp_path_factory: pytest.TempPathFactory, sent: list[tuple[str, str]]
) -> None:
    file = tmp_path_factory.getbasetemp() / "written.log"
    lines = [
        COMBINED.format(request=as_nginx(f"{method} {path} HTTP/1.1".encode("latin-1")), status=200)
        for method, path in sent
    ]
    file.write_text("\n".join(lines))
    safe = "!$%&'()*+,-./:;=?@[]_~"
    expected = Counter((method, quote(path.encode("latin-1"), safe=safe)) for method, path in sent)
    found = read_access_log(file)
    assert {(one.method, one.path): one.weight for one in found.requests} == expected
