"""Puts variables of the environment where a text has `${NAME}`, and keeps them out of what is shown.

`$${` stands for the characters `${` themselves. So what a HAR or a log has is never taken for a
variable: its reader passes it through `escaped`.
"""

from __future__ import annotations

import dataclasses
import html
import json
import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from urllib.parse import quote

from harness.errors import BadInput
from harness.models import OwnRequest

_VARIABLE = re.compile(r"\$\$\{|\$\{(?P<name>[A-Za-z_][A-Za-z0-9_]*)\}|\$\{(?P<wrong>[^}]{0,30})")
#: Shorter values are in too many texts, so that hiding them would hide the texts.
_SHORTEST_SECRET_CHARACTERS = 4
_HIDDEN = "***"
_NOT_IN_A_PATH = re.compile(r"[^!-~]")
_NOT_IN_A_HEADER = re.compile(r"[^\t -~\x80-\xff]")


def variables_in(text: str, where: str = "") -> tuple[str, ...]:
    """Names of the variables in a text, in their order.

    Raises:
        BadInput: `${` begins something that is no name.
    """
    return tuple(found["name"] for found in _found_in(text, where) if found["name"])


def has_variable(text: str) -> bool:
    """Whether a text has a variable, whatever else it has."""
    return any(found["name"] for found in _VARIABLE.finditer(text))


def expand(text: str, environ: Mapping[str, str], *, where: str = "") -> str:
    """The text with the values of its variables.

    Args:
        text: May have `${NAME}`, and `$${` for the characters themselves.
        environ: The variables.
        where: What the text is, for the message: "header authorization of request GET /orders".

    Raises:
        BadInput: A variable is missing; the message names it and says where it stands.
    """
    parts, end = [], 0
    for found in _found_in(text, where):
        parts += [text[end : found.start()], _value_of(found["name"], environ, where)]
        end = found.end()
    return "".join([*parts, text[end:]])


def expand_request(request: OwnRequest, environ: Mapping[str, str]) -> OwnRequest:
    """A request as it is sent: with the values of all variables in its path, headers and body.

    In a body of JSON, a value is written as a part of a JSON text; in another, as its UTF-8 bytes.
    In a path it stands as it is, so it must be percent-encoded.

    Raises:
        BadInput: A variable is missing, or its value can't stand where it is put.
    """
    path_is = f"path of request '{request.name}'"
    path = expand(request.path, environ, where=path_is)
    if _NOT_IN_A_PATH.search(path):
        names = ", ".join(variables_in(request.path)) or "no variable"
        raise BadInput(
            f"{path_is}: it has a character that no path may have ({names} is put in): "
            "percent-encode the value"
        )
    headers = []
    for name, value in request.headers:
        header_is = f"header '{name}' of request '{request.name}'"
        expanded = expand(value, environ, where=header_is)
        if _NOT_IN_A_HEADER.search(expanded):
            raise BadInput(f"{header_is}: it has a character that no header may have")
        headers.append((name, expanded))
    body = request.body
    if body is not None:
        values = _for_body(environ, variables_in(body), is_json=_is_json(request))
        body = expand(body, values, where=f"body of request '{request.name}'")
    return dataclasses.replace(request, path=path, headers=tuple(headers), body=body)


def texts_of(request: OwnRequest) -> Iterator[str]:
    """Every text of a request that may have variables."""
    yield request.path
    yield from (value for _, value in request.headers)
    if request.body is not None:
        yield request.body


def escaped(text: str) -> str:
    """A text from elsewhere, which `expand` leaves as it is now."""
    return text.replace("${", "$${")


def secrets_in(texts: Iterable[str], environ: Mapping[str, str]) -> frozenset[str]:
    """Values that variables put into these texts, also as they are written in URLs and in JSON.

    Those below 4 characters are not among them.
    """
    names = {name for text in texts for name in variables_in(text)}
    values = {environ[name] for name in names if name in environ}
    long = {value for value in values if len(value) >= _SHORTEST_SECRET_CHARACTERS}
    written = {quote(value, safe="") for value in long} | {_in_json(value) for value in long}
    written |= {repr(value.encode("utf-8", "surrogateescape"))[2:-1] for value in long}
    written |= {html.escape(value) for value in long}
    return frozenset(long | written)


def redacted(text: str, secrets: Collection[str]) -> str:
    """The text with `***` in place of every secret, also of one that the text's end cuts off."""
    for secret in sorted(secrets, key=len, reverse=True):  # one may be a part of another
        text = text.replace(secret, _HIDDEN)
    end = text.rstrip("'\"…")
    for secret in secrets:
        for length in range(len(secret) - 1, _SHORTEST_SECRET_CHARACTERS - 1, -1):
            if end.endswith(secret[:length]):
                return f"{end[:-length]}{_HIDDEN}"
    return text


def _found_in(text: str, where: str) -> Iterator[re.Match[str]]:
    for found in _VARIABLE.finditer(text):
        if found["wrong"] is not None:
            at = f"{where}: " if where else ""
            raise BadInput(
                f"{at}'{found[0]}' begins no name of a variable: write ${{NAME}}, "
                "or $${ for the characters themselves"
            )
        yield found


def _value_of(name: str | None, environ: Mapping[str, str], where: str) -> str:
    if name is None:
        return "${"
    if name not in environ:
        at = f"{where}: " if where else ""
        raise BadInput(
            f"{at}the environment has no variable {name}: set it, as in {name}=… twinbench …"
        )
    return environ[name]


def _for_body(environ: Mapping[str, str], names: Iterable[str], *, is_json: bool) -> dict[str, str]:
    """Values as the characters that stand for their bytes."""
    values = {name: environ[name] for name in names if name in environ}
    return {
        name: (_in_json(value) if is_json else value)
        .encode("utf-8", "surrogateescape")
        .decode("latin-1")
        for name, value in values.items()
    }


def _in_json(value: str) -> str:
    return json.dumps(value, ensure_ascii=False)[1:-1]


def _is_json(request: OwnRequest) -> bool:
    return any(
        name.lower() == "content-type" and "json" in value for name, value in request.headers
    )
