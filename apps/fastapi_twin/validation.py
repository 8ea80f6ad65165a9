"""Validation by Pydantic: a type for each kind of value."""

from __future__ import annotations

import re
from typing import Annotated

from email_validator import EmailNotValidError, validate_email
from pydantic import AfterValidator, BaseModel, BeforeValidator, Field, StringConstraints
from pydantic_core import PydanticCustomError

_INTEGER = re.compile(r"-?[0-9]+")


def _plain(text: object) -> object:
    if isinstance(text, str) and not _INTEGER.fullmatch(text):
        raise PydanticCustomError("int_parsing", "not an integer")
    return text


def _well_formed(email: str) -> str:
    try:
        return validate_email(email, check_deliverability=False).normalized
    except EmailNotValidError as error:
        raise PydanticCustomError("email", "not an email address") from error


# What makes an int the whole number in a path or a query; by itself it would also read "1_000",
# " 5" and "5.0". Bounds go before it, or OpenAPI would not know them.
Plain = BeforeValidator(_plain)
Integer = Annotated[int, Plain]

Name = Annotated[
    str,
    StringConstraints(
        strict=True,
        strip_whitespace=True,
        min_length=1,
        max_length=100,
        pattern=r"^[^\x00-\x1f\x7f-\x9f]*$",
    ),
]

# Not EmailStr, which uses the same library and also takes "Ada <ada@example.org>".
Email = Annotated[str, Field(strict=True), AfterValidator(_well_formed)]

# Strict: neither true, nor 30.0, nor "30".
Age = Annotated[int, Field(strict=True, ge=0, le=150)]


class NewUser(BaseModel):
    """A user as a client sends it, normalised; unknown fields are ignored."""

    name: Name
    email: Email
    age: Age
