"""GET /cpu/python, GET /cpu/native."""

from __future__ import annotations

from flask import Blueprint, request

from apps.domain import cpu
from apps.domain.cpu import SIZE_DEFAULT, SIZE_MAX, SIZE_MIN
from apps.flask_twin.validation import integer

blueprint = Blueprint("cpu", __name__, url_prefix="/cpu")


@blueprint.get("/python")
def python() -> dict[str, object]:
    """Do work that holds the GIL."""
    size = _size()
    return {"size": size, "result": cpu.python(size)}


@blueprint.get("/native")
def native() -> dict[str, object]:
    """Do work that releases the GIL."""
    size = _size()
    return {"size": size, "result": cpu.native(size)}


def _size() -> int:
    sizes = request.args.getlist("size")
    if not sizes:
        return SIZE_DEFAULT
    # With several values the last one counts, as in the FastAPI twin.
    return integer("size", sizes[-1], SIZE_MIN, SIZE_MAX)
