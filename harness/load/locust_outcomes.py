"""What became of a request that Locust reports: a kind of failure, and one line about it."""

from __future__ import annotations

import re
from typing import Any

import gevent
import requests.exceptions
from geventhttpclient._parser import HTTPParseError
from geventhttpclient.response import HTTPConnectionClosed
from geventhttpclient.useragent import BadStatusCode
from urllib3.exceptions import NewConnectionError

from harness.load.connection import Outcome
from harness.load.locust_hooks import FastWentElsewhere, WentElsewhere
from harness.models import Failure
from harness.models.credentials import is_credential_name

_LONGEST_EXAMPLE = 200
_PARAMETER = re.compile(r"([\w-]+)=([^&\s\"']+)")
LEAST_ERROR_STATUS = 400


def without_secrets(text: str) -> str:
    """Leave out values of parameters such as `?token=…`, which must not get into results."""

    def shown(found: re.Match[str]) -> str:
        return f"{found[1]}=…" if is_credential_name(found[1]) else found[0]

    return _PARAMETER.sub(shown, text)


def one_line(error: object) -> str:
    """What an exception says, in one line."""
    text = " ".join(str(error).split()) or type(error).__name__
    text = without_secrets(text)
    return text if len(text) <= _LONGEST_EXAMPLE else text[: _LONGEST_EXAMPLE - 1] + "…"


def outcome_of(name: str, endpoint: int, status: int, size: int, exception: Any) -> Outcome:
    """The outcome of a request.

    Args:
        name: its method and name, for the example.
        endpoint: its place among the names that were seen.
        status: 0 without a reply.
        size: bytes of the body.
        exception: as Locust reports it; None if the request succeeded.
    """
    if exception is None:
        return Outcome(status, size, Failure.NONE, endpoint=endpoint)
    # Bodies of failed requests differ in size, and each size would be a kind of its own.
    example = f"{without_secrets(name)}: {one_line(exception)}"
    return Outcome(status, 0, failure_of(exception, status), example, endpoint)


def failure_of(exception: Any, status: int) -> Failure:
    """Which kind of failure an exception is that Locust reports."""
    cause = getattr(exception, "original", None) or exception  # when tries are used up
    match cause:
        case WentElsewhere() | FastWentElsewhere():
            return Failure.REFUSED
        case requests.exceptions.HTTPError() | BadStatusCode():
            return Failure.WRONG_STATUS
        case requests.exceptions.Timeout() | TimeoutError() | gevent.Timeout():
            return Failure.TIMEOUT
        case ConnectionRefusedError() | NewConnectionError():
            return Failure.REFUSED
        case ConnectionError() | HTTPConnectionClosed():
            return Failure.CLOSED
        case HTTPParseError():
            return Failure.MALFORMED
        case OSError() if not status:
            return Failure.CLOSED
    if status >= LEAST_ERROR_STATUS:
        return Failure.WRONG_STATUS
    return Failure.WRONG_BODY if status else Failure.CLOSED
