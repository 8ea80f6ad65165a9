"""GET /page."""

from __future__ import annotations

from flask import Blueprint, render_template

from apps.domain import catalogue

blueprint = Blueprint("page", __name__)


@blueprint.get("/page")
def page() -> str:
    """Render a list as HTML. The rows are in memory, so rendering takes most of the time."""
    items = catalogue.items(catalogue.ITEMS_ON_PAGE)
    return render_template("items.html", title="Items", items=items)
