"""GET /cpu/python, GET /cpu/native."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query
from pydantic import BaseModel

from apps.domain import cpu
from apps.domain.cpu import SIZE_DEFAULT, SIZE_MAX, SIZE_MIN
from apps.fastapi_twin.problems import responses
from apps.fastapi_twin.validation import Plain

router = APIRouter(prefix="/cpu")


class Work(BaseModel):
    """The size of the work, and its result."""

    size: int
    result: str


Size = Annotated[int, Query(ge=SIZE_MIN, le=SIZE_MAX), Plain]


@router.get("/python", responses=responses(422))
def python(size: Size = SIZE_DEFAULT) -> Work:
    """Do work that holds the GIL, in a thread: it does not block the event loop as well."""
    return Work(size=size, result=cpu.python(size))


@router.get("/native", responses=responses(422))
def native(size: Size = SIZE_DEFAULT) -> Work:
    """Do work that releases the GIL, in a thread: the event loop stays free meanwhile."""
    return Work(size=size, result=cpu.native(size))
