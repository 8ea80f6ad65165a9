"""What counts as a credential, and how variables keep credentials out of what is kept."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.errors import BadInput
from harness.models import OwnRequest
from harness.planning.requests import (
    expand,
    expand_request,
    is_credential_header,
    is_credential_name,
    redacted,
    refuse_credentials_in_url,
    secrets_in,
    texts_of,
)
from harness.planning.requests.credentials import body_credentials, query_credentials
from harness.planning.requests.variables import escaped


@pytest.mark.parametrize(
    "name",
    [
        *("Authorization", "Proxy-Authorization", "Cookie", "X-Api-Key", "api_key", "apikey"),
        *("X-Auth-Token", "access_token", "accessToken", "refresh_token", "id_token", "X-CSRFToken"),
        *("password", "passwd", "new_password", "client_secret", "X-Session-Id", "sessionid"),
        *("PHPSESSID", "JSESSIONID", "sid", "jwt", "X-Amz-Signature", "X-Amz-Security-Token"),
        *("X-Amz-Credential", "sig", "Ocp-Apim-Subscription-Key", "X-Forwarded-Access-Token", "auth"),
        *("DB_PASS", "SMTP_PASS", "x-pass", "ENCRYPTION_KEY", "SIGNING_KEY"),
    ],
)  # fmt: skip
def test_names_of_credentials_are_known(name: str) -> None:
    assert is_credential_name(name)


@pytest.mark.parametrize(
    "name",
    [
        *("bypass", "compass", "accept", "author", "authors", "max_tokens", "page_token", "nextPageToken", "key", "id"),
        *("Continuation-Token", "tokens_used", "session_count", "Content-Type", "cookie_consent"),
        *("X-Request-Id", "aside", "design", "inside", "compass", "Sec-Fetch-Site"),
    ],
)  # fmt: skip
def test_other_names_are_none(name: str) -> None:
    assert not is_credential_name(name)


@pytest.mark.parametrize(
    ("value", "is_one"),
    [
        ("Bearer abcdef123", True),
        ("basic dXNlcjpwdw==", True),
        ("eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.x", True),
        ("https://user:pw@shop.example/", True),
        ("https://shop.example/?access_token=abc", True),
        ("https://shop.example/?page=2", False),
        ("text/html", False),
        ("a basic example", False),
        ("", False),
    ],
)
def test_a_header_can_be_known_by_its_value(value: str, is_one: bool) -> None:
    assert is_credential_header("x-thing", value) is is_one


def test_keys_in_paths_are_found_unless_they_have_a_variable() -> None:
    path = "/a;jsessionid=1/b?x=1&access%5Ftoken=2&token=${TOKEN}&password=#sig=3"
    assert query_credentials(path) == ("jsessionid", "access_token", "sig")
    assert query_credentials("/token=1/token") == ()


@pytest.mark.parametrize(
    ("body", "content_type", "found"),
    [
        ('{"a":[{"password":"x"}],"token":"${T}","max_tokens":5}', "", ("password",)),
        ('{"password":', "application/json", ()),
        ("[" * 100_000, "", ()),
        ("password=x&a=b", "application/x-www-form-urlencoded; charset=utf-8", ("password",)),
        ("password=x", "text/plain", ()),
        (
            '--b\r\ncontent-disposition: form-data; name="secret"\r\n\r\nx',
            "multipart/form-data; boundary=b",
            ("secret",),
        ),
    ],
)
def test_fields_of_bodies_are_found(body: str, content_type: str, found: tuple[str, ...]) -> None:
    assert body_credentials(body, content_type) == found


def test_a_url_with_a_password_is_refused_without_repeating_it() -> None:
    with pytest.raises(BadInput) as raised:
        refuse_credentials_in_url("--a", "http://me:s3cr3t@127.0.0.1:80/x")
    assert str(raised.value) == (
        "--a: 'user:password@' in the URL holds a credential, which would get into results: write "
        "${USER}:${PASSWORD}@127.0.0.1:80, and set that variable in the environment"
    )
    with pytest.raises(BadInput, match=r"'token' in the URL holds a credential.*token=\$\{TOKEN\}"):
        refuse_credentials_in_url("--a", "http://127.0.0.1/?token=s3cr3t")
    for url in ("http://127.0.0.1/", "http://${USER}:${PASSWORD}@a/", "http://a/?at=x@y"):
        refuse_credentials_in_url("--a", url)


ENVIRON = {"TOKEN": "s3cr3t/+", "N": "7", "QUOTED": 'a"b\\é', "LINES": "a\r\nb: c"}


def test_variables_are_put_in() -> None:
    assert expand("a ${TOKEN}${N} $N $${N} $", ENVIRON) == "a s3cr3t/+7 $N ${N} $"


def test_what_a_variable_holds_is_not_looked_through_again() -> None:
    assert expand("${A}", {"A": "${TOKEN}", **ENVIRON}) == "${TOKEN}"


def test_a_variable_that_is_missing_is_named_with_its_place() -> None:
    request = OwnRequest("order", "GET", "/", (("authorization", "Bearer ${NO_SUCH}"),))
    with pytest.raises(BadInput) as raised:
        expand_request(request, ENVIRON)
    assert str(raised.value) == (
        "header 'authorization' of request 'order': the environment has no variable NO_SUCH: "
        "set it, as in NO_SUCH=… twinbench …"
    )


@pytest.mark.parametrize("text", ["${}", "${a b}", "${7}", "x ${", "${A"])
def test_what_begins_no_name_is_refused(text: str) -> None:
    with pytest.raises(BadInput, match="begins no name of a variable"):
        expand(text, ENVIRON)


@given(st.text(st.sampled_from("${}AN "), max_size=12))
def test_a_text_from_elsewhere_is_left_as_it_is(text: str) -> None:
    assert expand(escaped(text), {}) == text


def test_a_body_gets_bytes_and_one_of_json_stays_json() -> None:
    json_type = (("content-type", "application/json"),)
    request = OwnRequest("a", "POST", "/", json_type, '{"a":"${QUOTED}"}')
    assert expand_request(request, ENVIRON).body == '{"a":"a\\"b\\\\\u00c3\u00a9"}'
    request = OwnRequest("a", "POST", "/", (), "${QUOTED}")
    assert expand_request(request, ENVIRON).body == 'a"b\\\u00c3\u00a9'


def test_a_value_can_not_begin_another_header_or_another_request() -> None:
    for request in (
        OwnRequest("a", "GET", "/", (("x", "${LINES}"),)),
        OwnRequest("a", "GET", "/?${LINES}"),
    ):
        with pytest.raises(BadInput, match=r"has a character that no (path|header) may have"):
            expand_request(request, ENVIRON)


def test_secrets_are_hidden_in_each_form_in_which_they_are_sent() -> None:
    request = OwnRequest("a", "GET", "/?t=${TOKEN}&n=${N}", (("x", "$${LINES}"),), "${QUOTED}")
    secrets = secrets_in(texts_of(request), ENVIRON)
    assert secrets == {
        *("s3cr3t/+", "s3cr3t%2F%2B", 'a"b\\é', 'a\\"b\\\\é', "a%22b%5C%C3%A9"),
        *('a"b\\\\\\xc3\\xa9', "a&quot;b\\é"),  # as Python shows bytes, and as HTML has it
    }
    assert redacted("GET /?t=s3cr3t/+ and s3cr3t%2F%2B 7", secrets) == "GET /?t=*** and *** 7"
    assert redacted("long-long", {"long", "long-long"}) == "***"
