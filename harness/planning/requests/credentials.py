"""What counts as a credential, and refuses those that are written out."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from typing import Any
from urllib.parse import unquote_plus, urlsplit

from harness.errors import BadInput
from harness.models.credentials import is_credential_name
from harness.planning.requests.variables import has_variable

_VALUE = re.compile(r"^\s*(?i:bearer|basic|digest)\s+\S{6}|eyJ[\w-]{8,}\.eyJ[\w-]{8,}\.")
_PART_NAME = re.compile(r'\bname="([^"\r\n]*)"')  # of a part of multipart/form-data


def is_credential_header(name: str, value: str) -> bool:
    """Whether a header holds a credential, by its name or by the look of its value."""
    return (
        is_credential_name(name)
        or bool(_VALUE.search(value))
        or ("://" in value and bool(url_credentials(value)))
    )


def url_credentials(url: str) -> tuple[str, ...]:
    """What in a URL is a credential that is written out: `user:password@`, keys of its query."""
    authority = re.match(r"[a-z][a-z0-9+.-]*://([^/?#]*)@", url, re.IGNORECASE)
    before = ("user:password@",) if authority and _is_literal(authority[1]) else ()
    return before + query_credentials(url)


def query_credentials(path: str) -> tuple[str, ...]:
    """Keys in a path that hold credentials which are written out.

    Those of its query, and parameters of its segments such as `;jsessionid=`.
    """
    pairs = (part.partition("=") for part in re.split(r"[?&;#]", path)[1:])
    return _named((unquote_plus(key), value) for key, _, value in pairs)


def body_credentials(body: str, content_type: str = "") -> tuple[str, ...]:
    """Fields of a body that hold credentials which are written out.

    Args:
        body: JSON, a form, or a form in parts; any other body is taken to have no fields. It has
            a character for each byte.
        content_type: Its type, if that is known.
    """
    if "multipart/" in content_type:
        return _named((name, "a part") for name in _PART_NAME.findall(body))
    if "urlencoded" in content_type:
        return query_credentials(f"?{body}")
    if "json" in content_type or body.lstrip()[:1] in ("{", "["):
        try:
            value = json.loads(body.encode("latin-1"))
        except (ValueError, RecursionError):
            return ()
        return _named(_texts_in(value))
    return ()


def refuse_literal_credentials(
    where: str, *, path: str = "", headers: Sequence[tuple[str, str]] = (), body: str | None = None
) -> None:
    """Refuse a request that a person wrote with a credential in it.

    Args:
        where: The file and the request, with which the message begins.
        path: The request's path; its headers and its body may be given too.
        headers: Names and values.
        body: A character for each byte.

    Raises:
        BadInput: A credential is written out. The message does not repeat it.
    """
    for name, value in headers:
        if is_credential_header(name, value) and _is_literal(value):
            scheme = "Bearer " if "authorization" in name.lower() else ""
            raise _refused(where, f"header '{name}'", f'{name} = "{scheme}${{{_variable(name)}}}"')
    for key in query_credentials(path):
        raise _refused(where, f"'{key}' in the path", f"{key}=${{{_variable(key)}}}")
    types = [value for name, value in headers if name.lower() == "content-type"]
    for key in body_credentials(body or "", "".join(types[:1])):
        raise _refused(where, f"field '{key}' of the body", f'"${{{_variable(key)}}}" as its value')


def refuse_credentials_in_command(where: str, words: Sequence[str]) -> None:
    """Refuse a command that has a password, a token or a key written out: `--token abc`, `KEY=abc`, a URL.

    Raises:
        BadInput: As `refuse_literal_credentials`.
    """
    for word, following in zip(words, (*words[1:], ""), strict=True):
        name, equals, value = word.partition("=")
        if not equals and word.startswith("-") and not following.startswith("-"):
            value = following
        url = value if equals and "://" in value else word
        named = is_credential_name(name) and value and "{port}" not in value and _is_literal(value)
        if named or ("://" in url and url_credentials(url)):
            raise BadInput(
                f"{where}: the command holds a credential, which would get into results: write ${{NAME}} "
                "in its place, and set that variable in the environment"
            )


def refuse_credentials_in_url(where: str, url: str) -> None:
    """Refuse the address of a service with a user and a password, or with a token in its query.

    Raises:
        BadInput: As `refuse_literal_credentials`.
    """
    for found in url_credentials(url):
        host = urlsplit(url).netloc.rpartition("@")[2]
        written = f"${{USER}}:${{PASSWORD}}@{host}" if "@" in found else f"{found}=${{TOKEN}}"
        raise _refused(where, f"'{found}' in the URL", written)


def _refused(where: str, what: str, written: str) -> BadInput:
    return BadInput(
        f"{where}: {what} holds a credential, which would get into results: write {written}, "
        "and set that variable in the environment"
    )


def _variable(name: str) -> str:
    """A name for the variable: `X-Api-Key` -> `API_KEY`."""
    if name.lower() in ("authorization", "proxy-authorization"):
        return "TOKEN"
    words = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name)
    plain = re.sub(r"[^A-Za-z0-9]+", "_", words).strip("_").upper().removeprefix("X_")
    return plain if plain and not plain[0].isdigit() else "SECRET"


def _is_literal(value: str) -> bool:
    return not has_variable(value)


def _named(fields: Iterator[tuple[str, str]]) -> tuple[str, ...]:
    names = (
        name for name, value in fields if value and is_credential_name(name) and _is_literal(value)
    )
    return tuple(dict.fromkeys(names))


def _texts_in(value: Any) -> Iterator[tuple[str, str]]:
    """Members of JSON whose value is a text, at any depth."""
    waiting = [value]
    while waiting:
        match waiting.pop():
            case dict() as members:
                yield from ((name, text) for name, text in members.items() if isinstance(text, str))
                waiting += members.values()
            case list() as elements:
                waiting += elements
