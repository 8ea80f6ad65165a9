"""A file of `twinbench versus` -> services, and what to request of them."""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness.errors import BadInput
from harness.models import OwnService, Stack
from harness.planning.requests.credentials import (
    is_credential_header,
    refuse_literal_credentials,
)
from harness.planning.requests.sources import Sources
from harness.planning.requests.tables import problem_of_header
from harness.planning.requests.variables import variables_in
from harness.planning.toml_file import read_toml
from harness.planning.versus import (
    checked_command,
    checked_ready,
    checked_url,
    own_stack,
    path_pair,
)

#: Places of services, in their order: the first is the baseline.
PLACES = ("a", "b", "c", "d", "e", "f", "g", "h")
_SERVICE_FIELDS: Mapping[str, type | tuple[type, ...]] = {
    "name": str,
    "stack": str,
    "url": str,
    "command": (str, list),
    "ready": str,
    "folder": str,
    "python": str,
    "environment": dict,
    "paths": dict,
    "verify-tls": bool,
}
_ONE_OF = ("stack", "url", "command")
_FIELDS: Mapping[str, type | tuple[type, ...]] = {
    "get": list,
    "request": list,
    "har": str,
    "access-log": str,
    "openapi": str,
    "locustfile": str,
    "ignore": list,
    "header": dict,
}
_NAME = re.compile(r"[A-Za-z0-9][\w.-]*", re.ASCII)  # it becomes part of file names
_TYPES: Mapping[type, str] = {
    str: "text in quotes",
    list: "a list",
    dict: "a table",
    bool: "true or false",
}


@dataclass(frozen=True, slots=True)
class VersusFile:
    """What a file says."""

    stacks: tuple[Stack, ...]  # the first is the baseline
    sources: Sources
    locustfile: Path | None = None
    ignore: tuple[str, ...] = ()  # JSON paths whose values may differ
    headers: tuple[tuple[str, str], ...] = ()  # of every request


def read_versus_file(path: Path, stacks: Mapping[str, Stack]) -> VersusFile:
    """Read a file. Paths in it are relative to its folder.

    Args:
        path: The file.
        stacks: By name, of which services may be.

    Raises:
        BadInput: It is missing, malformed, or something in it makes no sense.
    """
    values = read_toml(path)
    folder = path.resolve().parent
    for key, value in values.items():
        if key not in _FIELDS and key not in PLACES:
            known = ", ".join((*PLACES[:3], "…", *_FIELDS))
            raise BadInput(f"{path}: unknown field '{key}'; known: {known}")
        _refuse_type(path, key, value, dict if key in PLACES else _FIELDS[key])
    services = tuple(
        service_of_table(f"{path}: [{place}]", folder, place, values[place], stacks)
        for place in PLACES
        if place in values
    )
    for key in ("get", "ignore"):
        if not all(isinstance(item, str) for item in values.get(key, ())):
            raise BadInput(f"{path}: '{key}' must be a list of texts in quotes")
    if not all(isinstance(table, dict) for table in values.get("request", ())):
        raise BadInput(f"{path}: write requests as tables: [[request]]")
    headers = _texts(path, "header", values.get("header", {}))
    for header, value in headers.items():
        if problem := problem_of_header(header, value):
            raise BadInput(f"{path}: header '{header}' {problem}")
    refuse_literal_credentials(f"{path}", headers=tuple(headers.items()))
    return VersusFile(
        stacks=services,
        sources=Sources(
            paths=tuple(values.get("get", ())),
            tables=tuple(values.get("request", ())),
            tables_file=path,
            har=_file(folder, values.get("har")),
            access_log=_file(folder, values.get("access-log")),
            openapi=_file(folder, values.get("openapi")),
        ),
        locustfile=_file(folder, values.get("locustfile")),
        ignore=tuple(values.get("ignore", ())),
        headers=tuple(headers.items()),
    )


def service_of_table(
    where: str, folder: Path, place: str, table: Mapping[str, Any], stacks: Mapping[str, Stack]
) -> Stack:
    """A service as a table describes it.

    Args:
        where: What messages call the table.
        folder: What its paths are relative to.
        place: "a", "b" …, by which a service is called that has no name.
        table: Its fields.
        stacks: By name, of which it may be one.

    Raises:
        BadInput: Something in it makes no sense.
    """
    for key, value in table.items():
        if key not in _SERVICE_FIELDS:
            raise BadInput(
                f"{where} has an unknown field '{key}'; known: {', '.join(_SERVICE_FIELDS)}"
            )
        _refuse_type(where, key, value, _SERVICE_FIELDS[key])
    given = [key for key in _ONE_OF if key in table]
    if len(given) != 1:
        raise BadInput(f"{where} needs exactly one of: {', '.join(_ONE_OF)}")
    name = table.get("name", place)
    if not _NAME.fullmatch(name):
        raise BadInput(f"{where} name '{name}' may have letters, digits, '-', '_' and '.' only")
    if given == ["stack"]:
        if table["stack"] not in stacks:
            raise BadInput(
                f"{where} there is no stack '{table['stack']}': see 'twinbench list stacks'"
            )
        if beside := sorted(set(table) - {"stack"}):
            raise BadInput(f"{where} '{beside[0]}' has no meaning for a stack: leave it out")
        return stacks[table["stack"]]
    environment = _texts(f"{where} environment", "environment", table.get("environment", {}))
    _refuse_literal_secrets(f"{where} environment", environment)
    paths = _texts(where, "paths", table.get("paths", {}))
    return own_stack(
        name,
        OwnService(
            url=checked_url(f"{where} url", table["url"]) if "url" in table else "",
            command=_command(where, table["command"]) if "command" in table else (),
            ready=checked_ready(f"{where} ready", table.get("ready", "/")),
            environment=environment,
            folder=str((folder / table.get("folder", ".")).resolve()),
            python=_interpreter(where, folder, table.get("python", "")),
            verify_tls=table.get("verify-tls", True),
            paths=tuple(path_pair(f"{where} paths", *pair) for pair in paths.items()),
        ),
    )


def _refuse_literal_secrets(where: str, environment: Mapping[str, str]) -> None:
    for name, value in environment.items():
        if is_credential_header(name, value) and not variables_in(value):
            raise BadInput(
                f"{where}: {name} holds a credential, which would get into results: write "
                f'{name} = "${{{name}}}", and set that variable in the environment'
            )


def _command(where: str, value: str | list[Any]) -> tuple[str, ...]:
    try:
        words = shlex.split(value) if isinstance(value, str) else value
    except ValueError as error:
        raise BadInput(f"{where} command can't be split into words: {error}") from None
    if not all(isinstance(word, str) for word in words):
        raise BadInput(f"{where} command must be text, or a list of texts")
    return checked_command(f"{where} command", tuple(words))


def _interpreter(where: str, folder: Path, text: str) -> str:
    """An interpreter's path; its links stay, since they lead out of a virtual environment."""
    if not text:
        return ""
    path = folder / text
    if not path.is_file():
        raise BadInput(f"{where} python '{text}': there is no such file")
    return str(path.absolute())


def _file(folder: Path, text: str | None) -> Path | None:
    return None if text is None else folder / text


def _texts(where: Path | str, key: str, table: Mapping[str, Any]) -> dict[str, str]:
    for name, value in table.items():
        if not isinstance(value, str):
            raise BadInput(f"{where}: '{key}' has '{name}', whose value must be text in quotes")
    return dict(table)


def _refuse_type(where: Path | str, key: str, value: Any, wanted: type | tuple[type, ...]) -> None:
    if not isinstance(value, wanted):
        types = wanted if isinstance(wanted, tuple) else (wanted,)
        raise BadInput(f"{where}: '{key}' must be {' or '.join(_TYPES[each] for each in types)}")
