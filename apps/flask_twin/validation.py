"""Validation by hand: a function for each kind of value, which raises the rule that it breaks.

By setting, a user is validated by the other twin's Pydantic model instead.
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
_SURROGATE = re.compile("[\ud800-\udfff]")  # half of a character, as in "\ud83d": not text
_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f]")
# Unicode's White_Space, as Pydantic strips it; str.strip() also takes U+001C to U+001F.
_BLANKS = (
    "\t\n\v\f\r \x85\xa0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a"
    "\u2028\u2029\u202f\u205f\u3000"
)
_ABSENT = object()


class RuleBroken(Exception):
    """A value is not valid; the only argument is the rule."""


class NewUser(TypedDict):
    """A user as a client sends it, normalised."""

    name: str
    email: str
    age: int


Validate: TypeAlias = Callable[[Mapping[str, Any]], NewUser]


def init_app(app: Flask, settings: Settings) -> None:
    """Take the validation that the settings name."""
    app.extensions["validate"] = settings.variant("validation", VALIDATIONS, "hand")()


def new_user(body: Mapping[str, Any]) -> NewUser:
    """The normalised user; unknown fields are ignored.

    Raises:
        Problem: 422, with one rule for each field that breaks one.
    """
    return cast(Validate, current_app.extensions["validate"])(body)


def _by_hand() -> Validate:
    def validate(body: Mapping[str, Any]) -> NewUser:
        user: dict[str, Any] = {}
        errors = []
        for field, check in (("name", _name), ("email", _email), ("age", _age)):
            try:
                user[field] = check(body.get(field, _ABSENT))
            except RuleBroken as broken:
                errors.append((field, str(broken)))
        if errors:
            raise invalid(errors)
        return NewUser(name=user["name"], email=user["email"], age=user["age"])

    return validate


def _by_pydantic() -> Validate:
    # Imported now: the usual process does not hold Pydantic.
    pydantic = importlib.import_module("pydantic")
    users = importlib.import_module("apps.domain.new_user")

    def validate(body: Mapping[str, Any]) -> NewUser:
        try:
            return cast(NewUser, users.NewUser.model_validate(body).model_dump())
        except pydantic.ValidationError as error:
            raise invalid(
                (str(one["loc"][-1]), users.RULES.get(one["type"], "type"))
                for one in error.errors()
            ) from error

    return validate


VALIDATIONS: Mapping[str, Callable[[], Validate]] = {"hand": _by_hand, "pydantic": _by_pydantic}


def integer(field: str, text: str, low: int | None = None, high: int | None = None) -> int:
    """The whole number in a path or a query; int() alone would also read "1_000" and " 5".

    Raises:
        Problem: 422, for this one field.
    """
    try:
        if not _INTEGER.fullmatch(text):
            raise RuleBroken("type")
        return _in_range(int(text), low, high)
    except RuleBroken as broken:
        raise invalid([(field, str(broken))]) from broken


def _name(value: object) -> str:
    text = _string(value)
    if _SURROGATE.search(text):
        raise RuleBroken("characters")
    text = text.strip(_BLANKS)
    if not 1 <= len(text) <= 100:
        raise RuleBroken("length")
    if _CONTROL.search(text):
        raise RuleBroken("characters")
    return text


def _email(value: object) -> str:
    try:
        return validate_email(_string(value), check_deliverability=False).normalized
    except EmailNotValidError as error:
        raise RuleBroken("email") from error


def _age(value: object) -> int:
    if value is _ABSENT:
        raise RuleBroken("required")
    # A bool is an int to Python, not to JSON.
    if not isinstance(value, int) or isinstance(value, bool):
        raise RuleBroken("type")
    return _in_range(value, 0, 150)


def _string(value: object) -> str:
    if value is _ABSENT:
        raise RuleBroken("required")
    if not isinstance(value, str):
        raise RuleBroken("type")
    return value


def _in_range(number: int, low: int | None, high: int | None) -> int:
    if (low is not None and number < low) or (high is not None and number > high):
        raise RuleBroken("range")
    return number
