"""GET /hello."""

from __future__ import annotations

from fastapi import APIRouter
from pydantic import BaseModel

from apps.fastapi_twin.problems import responses

router = APIRouter()


class Greeting(BaseModel):
    """The message to the client."""

    message: str


@router.get("/hello", responses=responses())
async def hello() -> Greeting:
    """Greet: the cost is the framework's alone."""
    return Greeting(message="Hello, World!")
