"""GET /crash."""

from __future__ import annotations

from typing import NoReturn

from flask import Blueprint

blueprint = Blueprint("crash", __name__)


@blueprint.get("/crash")
def crash() -> NoReturn:
    """Raise an error that nothing handles."""
    raise RuntimeError("GET /crash fails on purpose")
