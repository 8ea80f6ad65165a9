"""GET /items, GET /items/{id}."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Path, Query
from pydantic import BaseModel, Field

from apps.domain.catalogue import PRICE_MAX, Category
from apps.domain.items import PER_PAGE_DEFAULT, PER_PAGE_MAX, Search, existing, page_of, total_of
from apps.domain.models import ID_MAX, ID_MIN, Item
from apps.fastapi_twin.database import Session
from apps.fastapi_twin.problems import responses
from apps.fastapi_twin.validation import Integer, Name, Plain

router = APIRouter(prefix="/items")

Price = Annotated[int, Field(ge=0, le=PRICE_MAX), Plain]


class ItemQuery(BaseModel):
    """The filters and the page of a search; prices are in cents."""

    keyword: Name | None = None
    category: Category | None = None
    min_price: Price | None = None
    max_price: Price | None = None
    page: Annotated[int, Field(ge=1), Plain] = 1
    per_page: Annotated[int, Field(ge=1, le=PER_PAGE_MAX), Plain] = PER_PAGE_DEFAULT


class StoredItem(BaseModel):
    """An item, with its members in the order in which they are written; the price is in cents."""

    id: int
    name: str
    category: str
    price: int
    rating: float
    in_stock: bool


class ItemPage(BaseModel):
    """One page of the items that were found, and the number on all pages."""

    items: list[StoredItem]
    total: int


@router.get("", response_model=ItemPage, responses=responses(422, 503))
async def search(query: Annotated[ItemQuery, Query()], session: Session) -> dict[str, Any]:
    """Answer with one page of the matching items, and with the number of all."""
    wanted = Search(**query.model_dump())
    items = await session.scalars(page_of(wanted))
    return {"items": items.all(), "total": await session.scalar(total_of(wanted))}


@router.get("/{id}", response_model=StoredItem, responses=responses(404, 422, 503))
async def get(item_id: Annotated[Integer, Path(alias="id")], session: Session) -> Item:
    """Answer with one item; the domain raises an error if it does not exist."""
    item = await session.get(Item, item_id) if ID_MIN <= item_id <= ID_MAX else None
    return existing(item, item_id)
