"""The problem documents (RFC 9457) with which both twins answer, each defined once.

A twin raises a `Problem`. It turns problems, and the errors of its framework, into replies.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Any

MEDIA_TYPE = "application/problem+json"
MAX_BODY_BYTES = 1024 * 1024

# The titles of RFC 9110. http.HTTPStatus has other names for 413 and 422 before Python 3.13.
_TITLES = {
    400: "Bad Request",
    401: "Unauthorized",
    404: "Not Found",
    405: "Method Not Allowed",
    409: "Conflict",
    413: "Content Too Large",
    415: "Unsupported Media Type",
    422: "Unprocessable Content",
    426: "Upgrade Required",
    500: "Internal Server Error",
    502: "Bad Gateway",
    503: "Service Unavailable",
    504: "Gateway Timeout",
}

# For errors of which a framework knows only the status.
_DETAILS = {
    400: "The body is not valid JSON.",
    404: "There is nothing at this path.",
    405: "This path does not take this method.",
    413: "The body is larger than 1 MiB.",
    415: "The body must be JSON, and content-type must say so.",
    500: "The server failed to answer.",
}


class Problem(Exception):
    """An answer other than the one that the client asked for."""

    def __init__(
        self,
        status: int,
        detail: str,
        *,
        errors: Iterable[tuple[str, str]] = (),
        headers: Mapping[str, str] = MappingProxyType({}),
    ) -> None:
        super().__init__(status, detail)
        self.status = status
        self.detail = detail
        self.errors = tuple(errors)
        self.headers = headers

    def document(self) -> dict[str, Any]:
        """The problem document; the twins write its members in this order."""
        document: dict[str, Any] = {
            "type": "about:blank",
            "title": _TITLES[self.status],
            "status": self.status,
            "detail": self.detail,
        }
        if self.errors:
            document["errors"] = [{"field": field, "rule": rule} for field, rule in self.errors]
        return document


def of_status(status: int) -> Problem:
    """The problem for an error that a framework raised; a status without a detail becomes 500."""
    known = status if status in _DETAILS else 500
    return Problem(known, _DETAILS[known])


def method_not_allowed(methods: Iterable[str]) -> Problem:
    """405; the `allow` header names every method of the path, sorted."""
    return Problem(405, _DETAILS[405], headers={"allow": ", ".join(sorted(methods))})


def invalid(errors: Iterable[tuple[str, str]]) -> Problem:
    """422; `errors` has a pair of field and rule for each wrong field, in the declared order.

    Rules: required, type, characters, length, email, range, choice.
    """
    return Problem(422, "The request has fields that are not valid.", errors=errors)


def unknown_user(user_id: int) -> Problem:
    """404: no user has this id."""
    return Problem(404, f"There is no user {user_id}.")


def email_taken() -> Problem:
    """409: another user has this email."""
    return Problem(409, "Another user has this email.")


def unknown_item(item_id: int) -> Problem:
    """404: no item has this id."""
    return Problem(404, f"There is no item {item_id}.")


def wrong_login() -> Problem:
    """401: no account has this email and password. The reply does not tell which one is wrong."""
    return _unauthorized("Email and password do not belong together.", "Bearer")


def token_missing() -> Problem:
    """401: the request has no token in the header that RFC 6750 names."""
    return _unauthorized("This takes a token: Authorization: Bearer <token>.", "Bearer")


def token_invalid() -> Problem:
    """401: the token is malformed, or somebody else signed it."""
    return _unauthorized("The token is not valid.", 'Bearer error="invalid_token"')


def token_expired() -> Problem:
    """401: the token was valid once."""
    return _unauthorized("The token has expired.", 'Bearer error="invalid_token"')


def unknown_city(city: str) -> Problem:
    """404: the weather service does not know this city."""
    return Problem(404, f"There is no weather for {city}.")


def upstream_broken() -> Problem:
    """502: the weather service does not answer, or its answer makes no sense."""
    return Problem(502, "The weather service gave no usable answer.")


def upstream_late() -> Problem:
    """504: the weather service took longer than the timeout."""
    return Problem(504, "The weather service took too long.")


def not_ready(service: str) -> Problem:
    """503: a service that the twin depends on does not answer."""
    return Problem(503, f"The {service} can't be reached.")


def upgrade_required() -> Problem:
    """426: the path takes a WebSocket, and the request did not ask for one."""
    return Problem(426, "This path takes a WebSocket.", headers={"upgrade": "websocket"})


def no_database() -> Problem:
    """503: the process was started without a database."""
    return Problem(503, "This server was started without a database.")


def no_upstream() -> Problem:
    """503: the process was started without the weather service."""
    return Problem(503, "This server was started without a weather service.")


def no_classifier() -> Problem:
    """503: the process was started without the classifier."""
    return Problem(503, "This server was started without its classifier.")


def _unauthorized(detail: str, challenge: str) -> Problem:
    return Problem(401, detail, headers={"www-authenticate": challenge})


def with_problem_media_type(openapi: dict[str, Any]) -> dict[str, Any]:
    """The OpenAPI document, with the media type of problem documents for every error.

    The libraries of both twins give errors the media type of the good reply.
    """
    for operations in openapi["paths"].values():
        for operation in operations.values():
            for status, response in operation["responses"].items():
                if int(status) >= 400:
                    (content,) = response["content"].values()
                    response["content"] = {MEDIA_TYPE: content}
    return openapi
