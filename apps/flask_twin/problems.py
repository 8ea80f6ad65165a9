"""Errors as problem documents, the framework's own among them."""

from __future__ import annotations

from flask import Flask, Response, jsonify
from werkzeug.exceptions import HTTPException, MethodNotAllowed

from apps.problems import MEDIA_TYPE, Problem, method_not_allowed, of_status


def init_app(app: Flask) -> None:
    """Register the error handlers."""
    app.register_error_handler(Problem, _answer)
    app.register_error_handler(HTTPException, _answer_http_exception)


def _answer(problem: Problem) -> Response:
    response = jsonify(problem.document())
    response.status_code = problem.status
    response.mimetype = MEDIA_TYPE
    response.headers.update(problem.headers)
    return response


def _answer_http_exception(error: HTTPException) -> Response:
    # An unhandled error comes here too, as a 500, once Flask has logged it.
    if isinstance(error, MethodNotAllowed):
        return _answer(method_not_allowed(error.valid_methods or ()))
    return _answer(of_status(error.code or 500))
