"""The JSON body of a request."""

from __future__ import annotations

from typing import Any

from flask import Flask, abort, request

from apps.problems import MAX_BODY_BYTES, invalid


def init_app(app: Flask) -> None:
    """Let no larger body into memory."""
    # Werkzeug cuts a chunked body at its limit in silence; one byte more shows that it was cut.
    app.config["MAX_CONTENT_LENGTH"] = MAX_BODY_BYTES + 1


def json_object() -> dict[str, Any]:
    """The body as a dictionary; Werkzeug answers 415 and 400 by itself."""
    # Size goes before type: an oversized body is 413 in any case.
    if len(request.get_data()) > MAX_BODY_BYTES:
        abort(413)
    if request.mimetype.count("/") != 1:  # Werkzeug takes "application/a/b+json" for JSON
        abort(415)
    body = request.get_json()
    if not isinstance(body, dict):
        raise invalid([("body", "type")])
    return body
