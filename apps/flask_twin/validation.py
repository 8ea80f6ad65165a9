"""Validation by hand: a function for each kind of value, which raises the broken rule.

A setting lets the other twin's Pydantic model validate users instead.
"""

from __future__ import annotations

import importlib
import re
from collections.abc import Callable, Mapping
from typing import Any, TypeAlias, TypedDict, cast

from email_validator import EmailNotValidError, validate_email
from flask import Flask, current_app

from apps.problems import invalid
from apps.settings import Settings

_INTEGER = re.compile(r"-?[0-9]+")
_SURROGATE = re.compile("[\ud800-\udfff]")  # half a character, as in "\ud83d"
_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f]")
# Unicode's White_Space, which Pydantic strips. str.strip() also removes U+001C to U+001F.
_BLANKS = (
    "\t\n\v\f\r \x85\xa0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a"
    "\u2028\u2029\u202f\u205f\u3000"
)
ABSENT = object()  # the value of a field that the client did not send

Check: TypeAlias = Callable[[Any], Any]  # returns the normalised value or raises RuleBroken


class RuleBroken(Exception):
    """A value is not valid. The only argument is the broken rule."""


class NewUser(TypedDict):
    """A user as a client sends it, normalised."""

    name: str
    email: str
    age: int


Validate: TypeAlias = Callable[[Mapping[str, Any]], NewUser]


def init_app(app: Flask, settings: Settings) -> None:
    """Choose the validation that the settings name."""
    app.extensions["validate"] = settings.variant("validation", VALIDATIONS, "hand")()


def new_user(body: Mapping[str, Any]) -> NewUser:
    """The normalised user; unknown fields are ignored.

    Raises:
        Problem: 422, with the broken rule of each wrong field.
    """
    return cast(Validate, current_app.extensions["validate"])(body)


def _by_hand() -> Validate:
    def validate(body: Mapping[str, Any]) -> NewUser:
        user = checked(body, {"name": name, "email": email, "age": _age})
        return NewUser(name=user["name"], email=user["email"], age=user["age"])

    return validate


def _by_pydantic() -> Validate:
    # Imported only now, because the usual process does not hold Pydantic.
    pydantic = importlib.import_module("pydantic")
    users = importlib.import_module("apps.domain.new_user")

    def validate(body: Mapping[str, Any]) -> NewUser:
        try:
            return cast(NewUser, users.NewUser.model_validate(body).model_dump())
        except pydantic.ValidationError as error:
            raise invalid(
                (str(detail["loc"][-1]), users.RULES.get(detail["type"], "type"))
                for detail in error.errors()
            ) from error

    return validate


VALIDATIONS: Mapping[str, Callable[[], Validate]] = {"hand": _by_hand, "pydantic": _by_pydantic}


def checked(given: Mapping[str, Any], checks: Mapping[str, Check]) -> dict[str, Any]:
    """Every field that has a check, normalised by its check.

    Raises:
        Problem: 422, with the broken rule of each wrong field.
    """
    values = {}
    errors = []
    for field, check in checks.items():
        try:
            values[field] = check(given.get(field, ABSENT))
        except RuleBroken as broken:
            errors.append((field, str(broken)))
    if errors:
        raise invalid(errors)
    return values


def integer(field: str, text: str, low: int | None = None, high: int | None = None) -> int:
    """The whole number in a path or a query with this one field.

    Raises:
        Problem: 422, for this field.
    """
    try:
        return whole_number(text, low, high)
    except RuleBroken as broken:
        raise invalid([(field, str(broken))]) from broken


def whole_number(text: str, low: int | None = None, high: int | None = None) -> int:
    """The whole number in a text; int() alone would also accept "1_000" and " 5"."""
    if not _INTEGER.fullmatch(text):
        raise RuleBroken("type")
    return in_range(int(text), low, high)


def name(value: object) -> str:
    """A line of 1 to 100 characters, not counting the blanks around it."""
    text = string(value).strip(_BLANKS)
    if not 1 <= len(text) <= 100:
        raise RuleBroken("length")
    if _CONTROL.search(text):
        raise RuleBroken("characters")
    return text


def email(value: object) -> str:
    """An email address in its normal form."""
    try:
        return validate_email(_text(value), check_deliverability=False).normalized
    except EmailNotValidError as error:
        raise RuleBroken("email") from error


def string(value: object) -> str:
    """A text without half characters."""
    text = _text(value)
    if _SURROGATE.search(text):
        raise RuleBroken("characters")
    return text


def number(value: object, low: int, high: int) -> int:
    """A whole number in JSON, from `low` to `high`."""
    present(value)
    # A bool is an int in Python, but not in JSON.
    if not isinstance(value, int) or isinstance(value, bool):
        raise RuleBroken("type")
    return in_range(value, low, high)


def present(value: object) -> None:
    """Refuse a field that the client did not send."""
    if value is ABSENT:
        raise RuleBroken("required")


def in_range(number: int, low: int | None, high: int | None) -> int:
    """The number, which must lie within the bounds; None is no bound."""
    if (low is not None and number < low) or (high is not None and number > high):
        raise RuleBroken("range")
    return number


def _text(value: object) -> str:
    present(value)
    if not isinstance(value, str):
        raise RuleBroken("type")
    return value


def _age(value: object) -> int:
    return number(value, 0, 150)
