"""A user as a client sends it, as a Pydantic model.

The FastAPI twin uses it always, the Flask twin only if a setting asks for it. Otherwise the Flask
twin does not import it, because a process should hold only what it uses.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Annotated

from email_validator import EmailNotValidError, validate_email
from pydantic import AfterValidator, BaseModel, Field, StringConstraints
from pydantic_core import PydanticCustomError

# Pydantic's error types and the contract's rules for them; every other error type is "type".
RULES: Mapping[str, str] = MappingProxyType(
    {
        "missing": "required",
        "string_unicode": "characters",
        "string_pattern_mismatch": "characters",
        "string_too_short": "length",
        "string_too_long": "length",
        "too_short": "length",
        "too_long": "length",
        "email": "email",
        "greater_than_equal": "range",
        "less_than_equal": "range",
        "literal_error": "choice",
    }
)


def _well_formed(email: str) -> str:
    try:
        return validate_email(email, check_deliverability=False).normalized
    except EmailNotValidError as error:
        raise PydanticCustomError("email", "not an email address") from error


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

# Not EmailStr, which uses the same library but also accepts "Ada <ada@example.org>".
Email = Annotated[str, Field(strict=True), AfterValidator(_well_formed)]

# Strict: true, 30.0 and "30" are no ages.
Age = Annotated[int, Field(strict=True, ge=0, le=150)]


class NewUser(BaseModel):
    """A user as a client sends it, normalised; unknown fields are ignored."""

    name: Name
    email: Email
    age: Age
