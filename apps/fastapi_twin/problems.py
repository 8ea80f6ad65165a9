"""Problem documents for all errors, including those that FastAPI raises."""

from __future__ import annotations

from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from fastapi.routing import iter_route_contexts
from pydantic import BaseModel
from starlette.exceptions import HTTPException

from apps.domain.errors import ItemNotFound
from apps.domain.new_user import RULES
from apps.problems import (
    MEDIA_TYPE,
    Problem,
    invalid,
    method_not_allowed,
    of_status,
    unknown_item,
)


class ProblemResponse(JSONResponse):
    """A problem document."""

    media_type = MEDIA_TYPE

    def __init__(self, problem: Problem) -> None:
        super().__init__(problem.document(), problem.status, problem.headers)


class BrokenRule(BaseModel):
    """A field and the rule that it breaks."""

    field: str
    rule: str


class ProblemDocument(BaseModel):
    """A problem document, for the OpenAPI document."""

    type: str
    title: str
    status: int
    detail: str
    errors: list[BrokenRule] | None = None


def responses(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """Describe the problems that an operation can answer with; 500 is always one of them."""
    return {status: {"model": ProblemDocument} for status in (*statuses, 500)}


def init_app(app: FastAPI) -> None:
    """Register the exception handlers."""

    @app.exception_handler(Problem)
    async def answer(request: Request, problem: Problem) -> ProblemResponse:
        return ProblemResponse(problem)

    @app.exception_handler(ItemNotFound)
    async def answer_item_not_found(request: Request, error: ItemNotFound) -> ProblemResponse:
        return ProblemResponse(unknown_item(error.item_id))

    @app.exception_handler(RequestValidationError)
    async def answer_invalid(request: Request, error: RequestValidationError) -> ProblemResponse:
        return ProblemResponse(_problem_of(error))

    @app.exception_handler(HTTPException)
    async def answer_http_exception(request: Request, error: HTTPException) -> ProblemResponse:
        if error.status_code == 405:
            return ProblemResponse(method_not_allowed(_methods_of(request)))
        return ProblemResponse(of_status(error.status_code))

    @app.exception_handler(Exception)
    async def answer_unhandled(request: Request, error: Exception) -> ProblemResponse:
        return ProblemResponse(of_status(500))


def _problem_of(error: RequestValidationError) -> Problem:
    rules: dict[str, str] = {}
    for detail in error.errors():
        # `loc` is the place ("body"), the field, perhaps an index. A field's first error counts.
        rules.setdefault(str(detail["loc"][1]), RULES.get(detail["type"], "type"))
    return invalid(rules.items())


def _methods_of(request: Request) -> set[str]:
    # Starlette's own `allow` names only the methods of the first route with the path.
    path = request.scope["path"]
    return {
        method
        for route in iter_route_contexts(request.app.routes)
        if route.path_regex.match(path)
        for method in route.methods or ()
    }
