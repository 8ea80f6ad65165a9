"""The JSON body of a request."""

from __future__ import annotations

from typing import Any

from flask import Flask, abort, request

from apps.problems import MAX_BODY_BYTES, invalid


def init_app(app: Flask) -> None:
    """Limit the size of a body in memory."""
    # Werkzeug silently cuts a chunked body at the limit. One byte more shows that it was cut.
    app.config["MAX_CONTENT_LENGTH"] = MAX_BODY_BYTES + 1


def json_object() -> dict[str, Any]:
    """The body as a dictionary; Werkzeug raises 415 and 400 by itself."""
    # The size comes before the type: an oversized body is always a 413.
    if len(request.get_data()) > MAX_BODY_BYTES:
        abort(413)
    if request.mimetype.count("/") != 1:  # Werkzeug accepts "application/a/b+json"
        abort(415)
    body = request.get_json()
    if not isinstance(body, dict):
        raise invalid([("body", "type")])
    return body
