"""Functions that build samples, for all features."""

from __future__ import annotations

from collections.abc import Mapping

from apps import problems
from apps.contract.records import NO_BODY, Expected, FromReply, Sample, compact_json
from apps.problems import Problem

HTML = "text/html; charset=utf-8"


def post(
    name: str,
    path: str,
    sent: Expected,
    status: int,
    reply: Expected,
    *,
    reply_headers: Mapping[str, str | FromReply] | None = None,
) -> Sample:
    """A POST of JSON that succeeds."""
    return Sample(
        name,
        "POST",
        path,
        status,
        reply,
        headers=content_type_header("application/json"),
        body=compact_json(sent),
        reply_headers=reply_headers or {},
    )


def problem_sample(
    name: str,
    method: str,
    path: str,
    problem: Problem,
    *,
    headers: Mapping[str, str] | None = None,
    body: bytes | None = None,
) -> Sample:
    """A request that is answered with a problem document."""
    return Sample(
        name,
        method,
        path,
        problem.status,
        NO_BODY if method == "HEAD" else problem.document(),
        headers=headers or {},
        body=body,
        content_type=problems.MEDIA_TYPE,
        reply_headers=problem.headers,
    )


def get_problem(name: str, path: str, problem: Problem) -> Sample:
    """A GET that is answered with a problem document."""
    return problem_sample(name, "GET", path, problem)


def post_problem(
    name: str,
    path: str,
    sent: bytes | dict[str, Expected],
    problem: Problem,
    content_type: str | None = "application/json",
) -> Sample:
    """A POST that is answered with a problem document; `sent` as bytes is the body itself."""
    body = sent if isinstance(sent, bytes) else compact_json(sent)
    headers = content_type_header(content_type)
    return problem_sample(name, "POST", path, problem, headers=headers, body=body)


def wrong_method(method: str, path: str, *, allow: str) -> Sample:
    """A request with a method that the path does not take."""
    problem = problems.method_not_allowed(allow.split(", "))
    return problem_sample(f"{method} {path}", method, path, problem)


def invalid(**rules: str) -> Problem:
    """The problem of a request in which each named field breaks its rule."""
    return problems.invalid(rules.items())


def content_type_header(content_type: str | None) -> dict[str, str]:
    """The header that names a content type; no header for None."""
    return {} if content_type is None else {"content-type": content_type}


def shortened(value: object) -> str:
    """A value for a sample's name: in ASCII, and cut where it is long."""
    text = ascii(value)
    return text if len(text) <= 40 else f"{text[:30]}… ({len(text)} characters)"
