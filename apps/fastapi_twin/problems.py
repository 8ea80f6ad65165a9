"""Errors as problem documents, the framework's own among them."""

from __future__ import annotations

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from fastapi.routing import iter_route_contexts
from starlette.exceptions import HTTPException

from apps.domain.new_user import RULES
from apps.problems import MEDIA_TYPE, Problem, invalid, method_not_allowed, of_status


class ProblemResponse(JSONResponse):
    """A problem document."""

    media_type = MEDIA_TYPE

    def __init__(self, problem: Problem) -> None:
        super().__init__(problem.document(), problem.status, problem.headers)


def init_app(app: FastAPI) -> None:
    """Register the exception handlers."""

    @app.exception_handler(Problem)
    async def answer(request: Request, problem: Problem) -> ProblemResponse:
        return ProblemResponse(problem)

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
    return invalid((str(one["loc"][-1]), RULES.get(one["type"], "type")) for one in error.errors())


def _methods_of(request: Request) -> set[str]:
    # Starlette's own `allow` names the methods of the first route that has the path, not of all.
    path = request.scope["path"]
    return {
        method
        for route in iter_route_contexts(request.app.routes)
        if route.path_regex.match(path)
        for method in route.methods or ()
    }
