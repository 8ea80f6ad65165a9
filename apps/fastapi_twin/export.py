"""GET /export."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

from fastapi import APIRouter, Query
from pydantic import BaseModel

from apps.domain import catalogue
from apps.domain.catalogue import EXPORTED_DEFAULT, EXPORTED_MAX, CatalogueItem
from apps.fastapi_twin.items import StoredItem
from apps.fastapi_twin.problems import responses
from apps.fastapi_twin.validation import Plain

router = APIRouter()

Count = Annotated[int, Query(ge=1, le=EXPORTED_MAX), Plain]


class Export(BaseModel):
    """Many items."""

    items: list[StoredItem]


@router.get("/export", response_model=Export, responses=responses(422))
async def export(count: Count = EXPORTED_DEFAULT) -> dict[str, Sequence[CatalogueItem]]:
    """Answer with many items. They are in memory, so writing JSON takes most of the time."""
    return {"items": catalogue.items(count)}
