"""Problem documents for all errors, including those that Flask raises."""

from __future__ import annotations

from flask import Flask, Response, jsonify, request
from werkzeug.exceptions import HTTPException, MethodNotAllowed
from werkzeug.routing.exceptions import WebsocketMismatch

from apps.domain.errors import ItemNotFound
from apps.problems import (
    MEDIA_TYPE,
    Problem,
    method_not_allowed,
    of_status,
    unknown_item,
    upgrade_required,
)


def init_app(app: Flask) -> None:
    """Register the error handlers."""
    app.register_error_handler(Problem, answer)
    app.register_error_handler(ItemNotFound, _answer_item_not_found)
    app.register_error_handler(HTTPException, _answer_http_exception)


def answer(problem: Problem) -> Response:
    """The reply for a problem."""
    response = jsonify(problem.document())
    response.status_code = problem.status
    response.mimetype = MEDIA_TYPE
    response.headers.update(problem.headers)
    return response


def _answer_item_not_found(error: ItemNotFound) -> Response:
    return answer(unknown_item(error.item_id))


def _answer_http_exception(error: HTTPException) -> Response:
    # Flask logs an unhandled error and then passes it here as a 500.
    if isinstance(error, MethodNotAllowed):
        return answer(method_not_allowed(error.valid_methods or ()))
    if isinstance(error, WebsocketMismatch):
        # The path exists only for the other protocol.
        is_websocket = request.headers.get("upgrade", "").lower() == "websocket"
        return answer(of_status(404) if is_websocket else upgrade_required())
    return answer(of_status(error.code or 500))
