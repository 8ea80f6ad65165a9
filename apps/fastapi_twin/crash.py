"""GET /crash."""

from __future__ import annotations

from typing import NoReturn

from fastapi import APIRouter

from apps.fastapi_twin.problems import ProblemDocument

router = APIRouter()


# It has no other status, so this is the one that stands in the OpenAPI document.
@router.get("/crash", status_code=500, response_model=ProblemDocument)
async def crash() -> NoReturn:
    """Fail in a way that nobody has foreseen."""
    raise RuntimeError("GET /crash fails on purpose")
