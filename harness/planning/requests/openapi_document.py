"""OpenAPI documents: reads them, finds references that lead nowhere, and lists their operations."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from harness.errors import BadInput
from harness.planning.requests.source_file import parsed_json, read_text

_METHODS = ("get", "put", "post", "delete", "options", "head", "patch", "trace")
#: What stands under them is data, in which `$ref` is a word like any other.
_DATA = frozenset({"example", "default", "enum", "const", "value"})
#: Under these, every key is a name that the document's author chose.
_OF_NAMES = frozenset({
    "$defs", "callbacks", "content", "definitions", "dependentSchemas", "encoding", "examples",
    "headers", "links", "parameters", "pathItems", "paths", "patternProperties", "properties",
    "requestBodies", "responses", "schemas", "securitySchemes", "variables",
})  # fmt: skip
_NONE = object()


def read_document(path: Path) -> dict[str, Any]:
    """The OpenAPI document in a JSON or YAML file, with texts as keys.

    Raises:
        BadInput: It can't be read, or is no OpenAPI document.
    """
    return checked_document(_read(path), path)


def checked_document(document: Any, name: object = "the OpenAPI document") -> dict[str, Any]:
    """The same document, if it is one.

    Raises:
        BadInput: It is no OpenAPI document, or has no path.
    """
    if not isinstance(document, dict) or not {"openapi", "swagger"} & document.keys():
        raise BadInput(f"{name}: is no OpenAPI document: it has neither 'openapi' nor 'swagger'")
    for field in ("openapi", "swagger"):
        if isinstance(document.get(field), float):  # `swagger: 2.0` without quotes
            document[field] = str(document[field])
    if not isinstance(document.get("paths"), dict) or not document["paths"]:
        raise BadInput(f"{name}: has no path under 'paths'")
    return document


def check_references(document: Mapping[str, Any], path: Path | None) -> None:
    """Refuse a document that has a reference which leads nowhere, at any depth and in any file.

    Args:
        document: What the file has.
        path: Its file, to which references to other files are relative; None: it has none.

    Raises:
        BadInput: The message names the file, the place as a JSON pointer, and the reference.
    """
    read: dict[Path | None, Any] = {path: document}
    waiting = [path]
    while waiting:
        file = waiting.pop()
        for place, reference in _references(read[file]):
            where = f"{file or 'the OpenAPI document'}: #{place}: the reference '{reference}'"
            target, _, fragment = reference.partition("#")
            other = file
            if target:
                other = _other_file(where, file, target)
                if other not in read:
                    try:
                        read[other] = _read(other)
                    except BadInput as error:
                        raise BadInput(
                            f"{where} leads to a file that can't be used: {error}"
                        ) from error
                    waiting.append(other)
            pointer = unquote(fragment)
            if pointer.startswith("/") and _at(read[other], pointer) is _NONE:
                raise BadInput(f"{where} leads nowhere{_nearest(read[other], pointer)}")


def operations_of(document: Mapping[str, Any]) -> frozenset[str]:
    """The operations of a document, such as `GET /orders/{id}`, with the path of its server before."""
    base = base_path(document)
    return frozenset(f"{method} {base}{path}" for method, path, _ in operations_in(document))


def operations_in(document: Mapping[str, Any]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Method, path and definition of each operation."""
    for path, item in document["paths"].items():
        for method, operation in _path_item(document, item).items():
            if method in _METHODS and isinstance(operation, dict):
                yield method.upper(), path, operation


def base_path(document: Mapping[str, Any]) -> str:
    """What stands before each path: of the first server (OpenAPI 3), or `basePath` (Swagger 2)."""
    servers = document.get("servers")
    if not isinstance(servers, list) or not servers or not isinstance(servers[0], dict):
        return str(document.get("basePath", "")).rstrip("/")
    variables = servers[0].get("variables")
    url = str(servers[0].get("url", ""))
    for name, variable in (variables if isinstance(variables, dict) else {}).items():
        if isinstance(variable, dict):
            url = url.replace(f"{{{name}}}", str(variable.get("default", "")))
    try:
        path = urlsplit(url).path.rstrip("/")
    except ValueError:  # it is no address
        return ""
    return path if path.startswith("/") or not path else f"/{path}"


def _read(path: Path) -> Any:
    text = read_text(path)
    if path.suffix.lower() == ".json" or text.lstrip()[:1] in ("{", "["):
        return parsed_json(path, text)
    return _parsed_yaml(path, text)


def _parsed_yaml(path: Path, text: str) -> Any:
    import yaml

    # Dates stay the texts that they are in JSON.
    resolvers = {
        first: [(tag, pattern) for tag, pattern in found if not tag.endswith(":timestamp")]
        for first, found in yaml.SafeLoader.yaml_implicit_resolvers.items()
    }
    loader = type("Loader", (yaml.SafeLoader,), {"yaml_implicit_resolvers": resolvers})
    try:
        return _with_text_keys(yaml.load(text, loader), {})
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        at = f":{mark.line + 1}:{mark.column + 1}" if mark else ""
        raise BadInput(f"{path}{at}: is no YAML: {error.problem}") from error
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        problem = " ".join(str(error).split())
        raise BadInput(f"{path}: can't be read as YAML: {problem}") from error


def _with_text_keys(value: Any, known: dict[int, Any]) -> Any:
    """The value with `200:` as "200"; what is the same object in it (an alias) stays one.

    Raises:
        ValueError: It is a part of itself.
    """
    if not isinstance(value, dict | list):
        return value
    if id(value) in known:
        if known[id(value)] is None:
            raise ValueError("an alias (*name) stands inside what it names (&name)")
        return known[id(value)]
    known[id(value)] = None
    if isinstance(value, list):
        result: Any = [_with_text_keys(element, known) for element in value]
    else:
        result = {str(key): _with_text_keys(member, known) for key, member in value.items()}
    known[id(value)] = result
    return result


def _references(document: Any) -> Iterator[tuple[str, str]]:
    """Every reference, with its place as a JSON pointer, in the document's order."""
    seen: set[int] = set()  # aliases of YAML are visited once
    waiting: list[tuple[str, Any, bool]] = [("", document, False)]
    while waiting:
        place, value, of_names = waiting.pop()
        if not isinstance(value, dict | list) or id(value) in seen:
            continue
        seen.add(id(value))
        if isinstance(value, list):
            inside = [(f"{place}/{index}", one, False) for index, one in enumerate(value)]
        else:
            reference = value.get("$ref")
            if isinstance(reference, str) and not of_names:
                yield place, reference
            inside = [
                (f"{place}/{_escaped(key)}", one, not of_names and key in _OF_NAMES)
                for key, one in value.items()
                if of_names or key not in _DATA
            ]
        waiting += reversed(inside)


def _other_file(where: str, file: Path | None, target: str) -> Path:
    if urlsplit(target).netloc or "://" in target:
        raise BadInput(
            f"{where} leads to another address, which is not asked: bundle the document into one file"
        )
    if file is None:
        raise BadInput(f"{where} leads to a file, but the document is not in one: bundle it")
    return (file.parent / unquote(target)).resolve()


def _at(document: Any, pointer: str) -> Any:
    """The value at a JSON pointer (RFC 6901), or `_NONE`."""
    value = document
    for part in pointer.split("/")[1:]:
        key = part.replace("~1", "/").replace("~0", "~")
        if isinstance(value, dict) and key in value:
            value = value[key]
        elif isinstance(value, list) and re.fullmatch(r"[0-9]+", key) and int(key) < len(value):
            value = value[int(key)]
        else:
            return _NONE
    return value


def _nearest(document: Any, pointer: str) -> str:
    above, _, name = pointer.rpartition("/")
    siblings = _at(document, above) if above else document
    near = difflib.get_close_matches(name, siblings, n=1) if isinstance(siblings, dict) else []
    return f": did you mean '#{above}/{near[0]}'?" if near else ""


def _path_item(
    document: Mapping[str, Any], item: Any, seen: frozenset[str] = frozenset()
) -> Mapping[str, Any]:
    """A path's operations; they may stand elsewhere in the document."""
    if not isinstance(item, dict):
        return {}
    found: dict[str, Any] = item
    reference = found.get("$ref")
    if isinstance(reference, str) and reference.startswith("#/") and reference not in seen:
        there = _at(document, unquote(reference[1:]))
        found = {**_path_item(document, there, seen | {reference}), **found}
    return found


def _escaped(key: str) -> str:
    return str(key).replace("~", "~0").replace("/", "~1")
