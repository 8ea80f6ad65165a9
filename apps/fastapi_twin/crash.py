"""GET /crash."""

from __future__ import annotations

from typing import NoReturn

from fastapi import APIRouter

from apps.fastapi_twin.problems import ProblemDocument

router = APIRouter()


# No other status is possible, so the OpenAPI document names only this one.
@router.get("/crash", status_code=500, response_model=ProblemDocument)
async def crash() -> NoReturn:
    """Raise an error that nothing handles."""
    raise RuntimeError("GET /crash fails on purpose")
