"""GET /page."""

from __future__ import annotations

from flask import Blueprint, render_template

from apps.domain import catalogue

blueprint = Blueprint("page", __name__)


@blueprint.get("/page")
def page() -> str:
    """Render a list as HTML; the rows are in memory, so that rendering is what takes time."""
    items = catalogue.items(catalogue.ITEMS_ON_PAGE)
    return render_template("items.html", title="Items", items=items)
