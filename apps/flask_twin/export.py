"""GET /export."""

from __future__ import annotations

from flask import Blueprint, request

from apps.domain import catalogue
from apps.domain.catalogue import EXPORTED_DEFAULT, EXPORTED_MAX
from apps.flask_twin.items import as_json
from apps.flask_twin.validation import integer

blueprint = Blueprint("export", __name__)


@blueprint.get("/export")
def export() -> dict[str, object]:
    """Answer with many items. They are in memory, so writing JSON takes most of the time."""
    counts = request.args.getlist("count")
    count = integer("count", counts[-1], 1, EXPORTED_MAX) if counts else EXPORTED_DEFAULT
    return {"items": [as_json(item) for item in catalogue.items(count)]}
