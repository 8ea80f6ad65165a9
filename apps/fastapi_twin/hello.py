"""GET /hello."""

from __future__ import annotations

from fastapi import APIRouter
from pydantic import BaseModel

from apps.fastapi_twin.problems import responses

router = APIRouter()


class Greeting(BaseModel):
    """What is said."""

    message: str


@router.get("/hello", responses=responses())
async def hello() -> Greeting:
    """Greet: the framework's own cost and nothing else."""
    return Greeting(message="Hello, World!")
