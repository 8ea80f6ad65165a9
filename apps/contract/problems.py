"""Requests that are answered with problem documents, across all features."""

from __future__ import annotations

from collections.abc import Iterator

from apps import problems
from apps.contract.auth import unauthorized
from apps.contract.building import (
    get_problem,
    invalid,
    post_problem,
    problem_sample,
    wrong_method,
)
from apps.contract.records import Sample
from apps.domain.catalogue import SEEDED_ITEMS


def refused() -> tuple[Sample, ...]:
    """One request for each kind of refusal; GET /crash, which is no refusal, is left out."""
    return (
        get_problem("refused: an unknown path", "/nothing", problems.of_status(404)),
        wrong_method("DELETE", "/hello", allow="GET"),
        post_problem(
            "refused: no JSON", "/users/validate", b'{"name": "Ada"', problems.of_status(400)
        ),
        post_problem(
            "refused: wrong fields",
            "/users/validate",
            {"name": " ", "email": "ada", "age": 151},
            invalid(name="length", email="email", age="range"),
        ),
        get_problem(
            "refused: an absent item",
            f"/items/{SEEDED_ITEMS + 1}",
            problems.unknown_item(SEEDED_ITEMS + 1),
        ),
        unauthorized("refused: no token", None, problems.token_missing()),
    )


def unknown_paths() -> Iterator[Sample]:
    """Requests to paths that the contract does not have."""
    for method in ("GET", "POST", "DELETE"):
        yield problem_sample(
            f"{method} an unknown path", method, "/nothing", problems.of_status(404)
        )
    # Paths that a framework may add by itself.
    for path in ("/", "/static/app.js", "/redoc", "/docs/oauth2-redirect", "/cpu", "/%00"):
        yield get_problem(f"GET {path}", path, problems.of_status(404))
