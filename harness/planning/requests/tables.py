"""The `[[request]]` tables of a TOML file, and the path of an option -> requests."""

from __future__ import annotations

import datetime
import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from harness.errors import BadInput, BadOption
from harness.models import OwnRequest, OwnRequests
from harness.planning.requests.credentials import refuse_literal_credentials
from harness.planning.requests.merge import default_name, uniquely_named
from harness.planning.requests.parts_of_requests import (
    OF_THE_CONNECTION,
    TOKEN,
    is_sendable_value,
    percent_encoded_around_variables,
)
from harness.planning.requests.variables import escaped, variables_in

#: The fields of a table, and what each must be.
_FIELDS: Mapping[str, str] = {
    "method": "text in quotes",
    "path": "text in quotes",
    "headers": "a table, such as { accept = \"text/html\" }",
    "json": "a value",
    "body": "text in quotes",
    "body-file": "text in quotes",
    "status": "a number from 200 to 599",
    "weight": "a whole number from 1 on",
    "name": "text in quotes",
}  # fmt: skip
_BODIES = ("json", "body", "body-file")


def requests_from_tables(path: Path, tables: Sequence[Mapping[str, Any]]) -> OwnRequests:
    """The requests of a file's `[[request]]` tables, in their order.

    Args:
        path: The file, for messages, and because `body-file` is relative to it.
        tables: What stands under `request` in it.

    Raises:
        BadInput: A table is malformed; the message names file, request and field.
    """
    if isinstance(tables, Mapping) or not isinstance(tables, Sequence) or isinstance(tables, str):
        raise BadInput(
            f"{path}: 'request' is no list of tables: write [[request]], with two brackets"
        )
    if not tables:
        raise BadInput(f"{path}: has no request: add a table [[request]] with a path")
    drafts = [_request_of(path, number, table) for number, table in enumerate(tables, 1)]
    given = [request.name for request in drafts if request.name]
    for number, request in enumerate(drafts, 1):
        if request.name and given.count(request.name) > 1:
            raise BadInput(
                f"{path}: request {number} ({request.name}): another request has that 'name' too: "
                "give each its own"
            )
    # Those with names of their own keep them, wherever they stand.
    named = iter(uniquely_named([one for one in drafts if not one.name], taken=given))
    return OwnRequests(tuple(one if one.name else next(named) for one in drafts))


def request_for_path(path: str, *, status: int | None = None) -> OwnRequest:
    """What `--get /orders/7` asks for.

    Raises:
        BadOption: It is no path, or has a credential in its query.
    """
    problem = problem_of_path(path)
    if problem:
        raise BadOption("--get", f"'{path.partition('?')[0]}'", problem)
    refuse_literal_credentials("--get", path=path)
    encoded = percent_encoded_around_variables(path)
    return OwnRequest(default_name("GET", encoded), "GET", encoded, status=status)


def _request_of(path: Path, number: int, table: Any) -> OwnRequest:
    """A table's request; its name is empty unless the table has one."""
    if not isinstance(table, Mapping):
        raise BadInput(f"{path}: request {number}: is no table: write [[request]] above its fields")
    where = f"{path}: request {number}{_called(table)}"

    def fail(field: str, advice: str) -> BadInput:
        return BadInput(f"{where}: field '{field}': {advice}")

    for field in table:
        if field not in _FIELDS:
            raise fail(field, f"is not known; known: {', '.join(_FIELDS)}")
        if not _is_of_its_type(field, table[field]):
            raise fail(field, f"must be {_FIELDS[field]}")
    if "path" not in table:
        raise BadInput(f"{where}: field 'path' is missing: write path = \"/…\"")
    method, target = table.get("method", "GET").upper(), table["path"]
    if not TOKEN.fullmatch(method) or method == "CONNECT":
        raise fail("method", "is none that can be sent: write one such as GET or POST")
    if problem := problem_of_path(target):
        raise fail("path", problem)
    name = table.get("name", "")
    if "name" in table and (not name.strip() or not name.isprintable()):
        raise fail("name", "must be one line of text")
    headers = []
    for header, value in _headers_of(table.get("headers", {})):
        if problem := problem_of_header(header, value):
            raise fail(f"headers.{header}", problem)
        headers.append((header.lower(), value))
    body = _body_of(path, table, fail)
    if "json" in table and not any(header == "content-type" for header, _ in headers):
        headers.append(("content-type", "application/json"))
    for text in (target, *(value for _, value in headers), body or ""):
        variables_in(text, where)
    refuse_literal_credentials(where, path=target, headers=headers, body=body)
    return OwnRequest(
        name, method, percent_encoded_around_variables(target), tuple(headers), body,
        table.get("status"), table.get("weight", 1),
    )  # fmt: skip


def _called(table: Mapping[str, Any]) -> str:
    """How the table is found in the file, for messages."""
    name, method, path = table.get("name"), table.get("method", "GET"), table.get("path")
    if isinstance(name, str) and name:
        return f" ({' '.join(name.split())})"
    if isinstance(path, str) and isinstance(method, str):
        return f" ({default_name(method, path.partition('?')[0])})"  # its query may have a secret
    return ""


def _is_of_its_type(field: str, value: Any) -> bool:
    match field:
        case "json":
            return True
        case "headers":
            return isinstance(value, Mapping)
        case "status":
            return type(value) is int and 200 <= value <= 599
        case "weight":
            return type(value) is int and value >= 1
    return isinstance(value, str)


def problem_of_path(path: str) -> str:
    """What to write instead; empty if it can be sent."""
    if "://" in path.partition("?")[0]:
        return "write the path alone, such as /orders/7: where it is sent is said elsewhere"
    if not path.startswith("/"):
        return "must begin with /"
    if "#" in path:
        return "has a # and what follows it is never sent: leave it out, or write %23"
    if re.search(r"[\x00-\x1f\x7f]", path):
        return "has a control character: percent-encode it"
    try:
        path.encode()
    except UnicodeEncodeError:
        return "has bytes that are no text: percent-encode them"
    return ""


def _headers_of(table: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """A list of texts is a header that is sent several times."""
    for name, value in table.items():
        yield from ((name, one) for one in (value if isinstance(value, list) else [value]))


def problem_of_header(name: str, value: Any) -> str:
    """What is wrong with a header; empty if it can be sent."""
    if not TOKEN.fullmatch(name):
        return "is no name that a header may have"
    if name.lower() in OF_THE_CONNECTION:
        return "twinbench sends it by itself: leave it out"
    if not isinstance(value, str):
        return "must be text in quotes"
    return "" if is_sendable_value(value) else "has a character that no header may have"


def _body_of(
    path: Path, table: Mapping[str, Any], fail: Callable[[str, str], BadInput]
) -> str | None:
    """The body, a character for each byte; None: the request has no body."""
    given = [field for field in _BODIES if field in table]
    if len(given) > 1:
        raise fail(given[1], f"stands beside '{given[0]}': a request has one body")
    match given:
        case ["json"]:
            try:
                text = json.dumps(
                    table["json"], ensure_ascii=False, allow_nan=False, separators=(",", ":"),
                    default=_date_or_time,
                )  # fmt: skip
            except ValueError:
                raise fail("json", "has nan or inf, which JSON does not have") from None
            return text.encode().decode("latin-1")
        case ["body"]:
            body: str = table["body"]
            return body.encode().decode("latin-1")
        case ["body-file"]:
            file = path.parent / table["body-file"]
            try:
                return escaped(file.read_bytes().decode("latin-1"))
            except (OSError, ValueError) as error:
                reason = getattr(error, "strerror", None) or error
                raise fail("body-file", f"{file} can't be read: {reason}") from error
    return None


def _date_or_time(value: Any) -> str:
    if isinstance(value, datetime.date | datetime.time):  # a datetime is a date
        return value.isoformat()
    raise ValueError(f"no JSON value: {value!r}")
