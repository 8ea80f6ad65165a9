"""Validation with Pydantic: a type for each kind of value."""

from __future__ import annotations

import re
from typing import Annotated

from pydantic import BeforeValidator
from pydantic_core import PydanticCustomError

# The Flask twin uses these too, if a setting asks for it.
from apps.domain.new_user import Email as Email
from apps.domain.new_user import Name as Name
from apps.domain.new_user import NewUser as NewUser

_INTEGER = re.compile(r"-?[0-9]+")


def _plain(text: object) -> object:
    if isinstance(text, str) and not _INTEGER.fullmatch(text):
        raise PydanticCustomError("int_parsing", "not an integer")
    return text


# Restricts an int to whole numbers as a path or a query has them; int alone would also accept
# "1_000", " 5" and "5.0". Bounds must stand before it, or OpenAPI would not know them.
Plain = BeforeValidator(_plain)
Integer = Annotated[int, Plain]
