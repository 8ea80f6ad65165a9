"""The twins' files that answer some endpoints, to be read and counted side by side."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from apps import contract
from harness.models import CodePart, SourceFile
from harness.planning.files import PROJECT

#: Twin -> its folder, within the project.
TWINS: Mapping[str, str] = {"flask": "apps/flask_twin", "fastapi": "apps/fastapi_twin"}
#: What features share -> the files of both twins, without `.py`; and what an endpoint must need for that.
_SHARED: Mapping[str, tuple[tuple[str, ...], str]] = {
    "validation": (("validation",), ""),
    "OpenAPI document": (("openapi",), ""),
    "application": (("app", "handlers", "problems", "request_body"), ""),
    "database": (("database",), "database"),
    "upstream": (("upstream_client",), "upstream"),
}
#: Files that one twin has elsewhere. Flask's stack imports the model only where a setting asks for it.
_ELSEWHERE: Mapping[tuple[str, str], str] = {
    ("validation", "fastapi"): "apps/domain/new_user.py",
}


def twin_code(endpoints: Sequence[str], project: Path = PROJECT) -> tuple[CodePart, ...]:
    """The code of both twins for some endpoints: each feature, then what features share.

    Args:
        endpoints: As in the contract: "GET /users/{id}", "WS /live"; others, which older runs may
            have, are left out.
        project: Where the twins' folders are.
    """
    feature_of = _features()
    features: dict[str, list[str]] = {}
    known = [endpoint for endpoint in dict.fromkeys(endpoints) if endpoint in feature_of]
    for endpoint in known:
        features.setdefault(feature_of[endpoint], []).append(endpoint)
    needs = contract.needs(known)
    parts = [
        CodePart(feature, tuple(answered), _files(feature, [feature], project))
        for feature, answered in features.items()
    ]
    parts += [
        CodePart(name, (), _files(name, modules, project))
        for name, (modules, need) in _SHARED.items()
        if not need or need in needs
    ]
    return tuple(part for part in parts if part.files)


def _features() -> dict[str, str]:
    """Endpoint -> the name of the file, in the contract as in the twins, that it is in."""
    return {
        **{
            endpoint.name: endpoint.samples.__module__.rpartition(".")[2]
            for endpoint in contract.ENDPOINTS
        },
        **{f"WS {exchange.path}": exchange.path.strip("/") for exchange in contract.exchanges()},
    }


def _files(name: str, modules: Iterable[str], project: Path) -> tuple[SourceFile, ...]:
    """Those of the files that a twin has."""
    paths = [
        (twin, f"{folder}/{module}.py") for twin, folder in TWINS.items() for module in modules
    ]
    paths += [(twin, path) for (part, twin), path in _ELSEWHERE.items() if part == name]
    return tuple(
        SourceFile(twin, path, (project / path).read_text(encoding="utf-8"))
        for twin, path in paths
        if (project / path).is_file()
    )
