"""Validation by Pydantic: a type for each kind of value."""

from __future__ import annotations

import re
from typing import Annotated

from pydantic import BeforeValidator
from pydantic_core import PydanticCustomError

from apps.domain.new_user import NewUser as NewUser  # shared with stack flask-pydantic

_INTEGER = re.compile(r"-?[0-9]+")


def _plain(text: object) -> object:
    if isinstance(text, str) and not _INTEGER.fullmatch(text):
        raise PydanticCustomError("int_parsing", "not an integer")
    return text


# The whole number in a path or a query; int alone would also read "1_000", " 5" and "5.0".
Integer = Annotated[int, BeforeValidator(_plain)]
