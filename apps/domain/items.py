"""The queries behind a search for items; each twin executes them with its own session."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Select, func, select

from apps.domain.catalogue import Category
from apps.domain.errors import ItemNotFound
from apps.domain.models import ID_MAX, Item

PER_PAGE_DEFAULT = 20
PER_PAGE_MAX = 100


@dataclass(frozen=True, slots=True)
class Search:
    """The filters of a search; None does not filter. Prices are in cents, both bounds included."""

    keyword: str | None = None  # anywhere in the name, in capitals or small letters
    category: Category | None = None
    min_price: int | None = None
    max_price: int | None = None
    page: int = 1
    per_page: int = PER_PAGE_DEFAULT


def page_of(search: Search) -> Select[Item]:
    """The items on the page; no items on a page after the last one."""
    # PostgreSQL's OFFSET has 63 bits, and a page number can be any size.
    offset = min((search.page - 1) * search.per_page, ID_MAX)
    return (
        select(Item)
        .where(*_conditions(search))
        .order_by(Item.id)
        .limit(search.per_page)
        .offset(offset)
    )


def total_of(search: Search) -> Select[int]:
    """The number of items on all pages together."""
    return select(func.count()).select_from(Item).where(*_conditions(search))


def existing(item: Item | None, item_id: int) -> Item:
    """The item, which must have been found.

    Raises:
        ItemNotFound: `item` is None.
    """
    if item is None:
        raise ItemNotFound(item_id)
    return item


def _conditions(search: Search) -> list[ColumnElement[Any]]:
    conditions: list[ColumnElement[Any]] = []
    if search.keyword is not None:
        conditions.append(Item.name.icontains(search.keyword, autoescape=True))
    if search.category is not None:
        conditions.append(Item.category == search.category)
    if search.min_price is not None:
        conditions.append(Item.price >= search.min_price)
    if search.max_price is not None:
        conditions.append(Item.price <= search.max_price)
    return conditions
