"""GET /items, GET /items/{id}."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial

from flask import Blueprint, request

from apps.domain.catalogue import CATEGORIES, PRICE_MAX, CatalogueItem
from apps.domain.items import PER_PAGE_MAX, Search, existing, page_of, total_of
from apps.domain.models import ID_MAX, ID_MIN, Item
from apps.flask_twin.database import db
from apps.flask_twin.validation import (
    Check,
    RuleBroken,
    checked,
    integer,
    name,
    whole_number,
)

blueprint = Blueprint("items", __name__, url_prefix="/items")


@blueprint.get("")
def search() -> dict[str, object]:
    """Answer with one page of the matching items, and with the number of all."""
    wanted = _search()
    items = db.session.scalars(page_of(wanted))
    return {
        "items": [as_json(item) for item in items],
        "total": db.session.scalar(total_of(wanted)),
    }


@blueprint.get("/<id>")
def get(id: str) -> dict[str, object]:
    """Answer with one item; the domain raises an error if it does not exist."""
    number = integer("id", id)
    item = db.session.get(Item, number) if ID_MIN <= number <= ID_MAX else None
    return as_json(existing(item, number))


def as_json(item: Item | CatalogueItem) -> dict[str, object]:
    """An item, with its members in the order in which they are written."""
    return {
        "id": item.id,
        "name": item.name,
        "category": item.category,
        "price": item.price,
        "rating": item.rating,
        "in_stock": item.in_stock,
    }


def _category(text: str) -> str:
    if text not in CATEGORIES:
        raise RuleBroken("choice")
    return text


_CHECKS: Mapping[str, Check] = {
    "keyword": name,
    "category": _category,
    "min_price": partial(whole_number, low=0, high=PRICE_MAX),
    "max_price": partial(whole_number, low=0, high=PRICE_MAX),
    "page": partial(whole_number, low=1),
    "per_page": partial(whole_number, low=1, high=PER_PAGE_MAX),
}


def _search() -> Search:
    # With several values the last one counts, as in the FastAPI twin. Absent fields get defaults.
    given = {field: values[-1] for field, values in request.args.lists()}
    checks = {field: check for field, check in _CHECKS.items() if field in given}
    return Search(**checked(given, checks))
