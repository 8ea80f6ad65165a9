"""POST /login, GET /protected."""

from __future__ import annotations

import base64
import hmac
import json
from collections.abc import Iterator

from apps import problems
from apps.contract.building import invalid, post, post_problem, problem_sample, wrong_method
from apps.contract.records import Expected, Sample, TextLike, compact_json
from apps.contract.request_body import malformed_bodies
from apps.domain.catalogue import PASSWORD, user
from apps.problems import Problem
from apps.settings import DEFAULT_JWT_SECRET

_IN_2100 = 4_102_444_800  # seconds since 1970


_TOKEN_REPLY: Expected = {
    # {"alg":"HS256","typ":"JWT"}, claims and a signature of 32 bytes.
    "access_token": TextLike(r"eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9\.[\w-]+\.[\w-]{43}"),
    "token_type": "Bearer",
    "expires_in": 900,
}


def login(user_id: int) -> Sample:
    """POST /login as one of the SEEDED_USERS, from 1."""
    sent: Expected = {"email": user(user_id).email, "password": PASSWORD}
    return post(f"login of user {user_id}", "/login", sent, 200, _TOKEN_REPLY)


def protected(user_id: int) -> Sample:
    """GET /protected with the token of one of the SEEDED_USERS, from 1; it expires in 2100."""
    email = user(user_id).email
    return Sample(
        f"protected for user {user_id}",
        "GET",
        "/protected",
        200,
        {"email": email},
        headers={"authorization": f"Bearer {_token({'sub': email, 'exp': _IN_2100})}"},
    )


def login_samples(unique: str) -> Iterator[Sample]:
    """Samples of POST /login."""
    yield login(1)
    sent: dict[str, Expected] = {"email": user(2).email, "password": PASSWORD}
    capitals = sent | {"email": user(2).email.replace("example", "EXAMPLE"), "remember": True}
    yield post("login with a domain in capitals", "/login", capitals, 200, _TOKEN_REPLY)
    wrong: dict[str, dict[str, Expected]] = {
        "a wrong password": {"password": PASSWORD + "."},
        "blanks around the password": {"password": f" {PASSWORD} "},
        "an unknown email": {"email": f"{unique}@example.org"},
    }
    for name, change in wrong.items():
        yield post_problem(
            f"login with {name}", "/login", compact_json(sent | change), problems.wrong_login()
        )
    bad: dict[str, tuple[dict[str, object], dict[str, str]]] = {
        "no fields": (
            {"email": ..., "password": ...},
            {"email": "required", "password": "required"},
        ),
        "fields of null": (
            {"email": None, "password": None},
            {"email": "type", "password": "type"},
        ),
        "an email that is none": ({"email": "ada"}, {"email": "email"}),
        "a password of no characters": ({"password": ""}, {"password": "length"}),
        "a password of 101 characters": ({"password": "é" * 101}, {"password": "length"}),
        "a password with half a character": ({"password": "\ud83d"}, {"password": "characters"}),
        "a number for a password": ({"password": 12345678}, {"password": "type"}),
    }
    for name, (changed, broken) in bad.items():
        fields = {key: value for key, value in {**sent, **changed}.items() if value is not ...}
        yield post_problem(
            f"login with {name}", "/login", json.dumps(fields).encode(), invalid(**broken)
        )
    yield from malformed_bodies("/login", compact_json(sent))
    yield wrong_method("GET", "/login", allow="POST")


def protected_samples(unique: str) -> Iterator[Sample]:
    """Samples of GET /protected."""
    yield protected(1)
    email = user(3).email
    claims: dict[str, Expected] = {"sub": email, "exp": _IN_2100}
    good_claims: dict[str, dict[str, Expected]] = {
        "claims that it need not have": {"iat": 1, "nbf": 1, "jti": "x", "aud": "x", "iss": "x"},
        "a subject who is no user": {"sub": "nobody"},
    }
    for name, more in good_claims.items():
        reply: Expected = {"email": more.get("sub", email)}
        headers = {"authorization": f"Bearer {_token(claims | more)}"}
        yield Sample(f"protected: {name}", "GET", "/protected", 200, reply, headers=headers)

    good = _token(claims)
    for name, header in {
        "no header": None,
        "an empty header": "",
        "a token without its scheme": good,
        "the scheme without a token": "Bearer",
        "another scheme": "Basic dXNlcjpwYXNzd29yZA==",
        "the scheme in small letters": f"bearer {good}",
        "a token and more": f"Bearer {good} {good}",
    }.items():
        yield unauthorized(name, header, problems.token_missing())
    head, payload, signature = good.split(".")
    for name, token in {
        "no token at all": "token",
        "three parts of no token": "a.b.c",
        "letters outside ASCII": "é.é.é",
        "two parts of a token": f"{head}.{payload}",
        "a token with a part too many": f"{good}.{signature}",
        "no signature": f"{head}.{payload}.",
        "half a signature": good[:-20],
        "another's signature": _token(claims, secret="another secret, which is as long as ours"),
        "another's claims": f"{head}.{_base64(compact_json(claims | {'sub': 'eve'}))}.{signature}",
        "no subject": _token({"exp": _IN_2100}),
        "a subject that is no text": _token(claims | {"sub": 3}),
        "no expiry": _token({"sub": email}),
        "an expiry that is no time": _token(claims | {"exp": "soon"}),
        "a token of the future": _token(claims | {"nbf": _IN_2100 - 1}),
        "claims that are no object": _token([email]),
        "no algorithm": _token(claims, algorithm="none", secret=None),
        "no algorithm in capitals": _token(claims, algorithm="NONE", secret=None),
        "no algorithm, signed": _token(claims, algorithm="none"),
        "another hash": _token(claims, algorithm="HS512", digest="sha512"),
        "an algorithm with a public key": _token(claims, algorithm="RS256"),
        "an algorithm that there is not": _token(claims, algorithm="XS256"),
    }.items():
        yield unauthorized(name, f"Bearer {token}", problems.token_invalid())
    expired = _token({"sub": email, "iat": 999_999_100, "exp": 1_000_000_000})
    yield unauthorized("an expired token", f"Bearer {expired}", problems.token_expired())
    yield wrong_method("POST", "/protected", allow="GET")


def _token(
    claims: Expected,
    *,
    algorithm: str = "HS256",
    secret: str | None = DEFAULT_JWT_SECRET,
    digest: str = "sha256",
) -> str:
    """A token as RFC 7519 defines it; without a secret it has no signature."""
    head: Expected = {"alg": algorithm, "typ": "JWT"}
    signed = f"{_base64(compact_json(head))}.{_base64(compact_json(claims))}"
    if secret is None:
        return f"{signed}."
    return f"{signed}.{_base64(hmac.digest(secret.encode(), signed.encode(), digest))}"


def _base64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def unauthorized(name: str, header: str | None, problem: Problem) -> Sample:
    """GET /protected that is refused, with this authorization header or without one."""
    headers = {} if header is None else {"authorization": header}
    return problem_sample(f"protected: {name}", "GET", "/protected", problem, headers=headers)
