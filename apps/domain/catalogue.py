"""The users that the database is seeded with: number n is always the same person."""

from __future__ import annotations

from dataclasses import dataclass

SEEDED_USERS = 10_000

# Several scripts and lengths, so that encoding is part of what is measured.
_GIVEN_NAMES = (
    "Ada",
    "Bùi",
    "Chinwe",
    "Dagný",
    "Élodie",
    "Ferran",
    "Grace",
    "Håkon",
    "İpek",
    "José",
    "Kōji",
    "Łucja",
    "محمد",
    "Νίκος",
    "Олена",
    "明",
    "Zoë",
)
_FAMILY_NAMES = (
    "Ángström",
    "Brontë",
    "Curie",
    "Dvořák",
    "Euler",
    "Fibonacci",
    "Gödel",
    "Hopper",
    "Ibn Sīnā",
    "Kovalevskaya",
    "Lovelace",
    "Noether",
    "Ramanujan",
    "王",
)


@dataclass(frozen=True, slots=True)
class CatalogueUser:
    """A user as it is seeded; the fields are the columns."""

    id: int
    name: str
    email: str
    age: int


def user(number: int) -> CatalogueUser:
    """The user `number`, from 1; those up to SEEDED_USERS are in the database."""
    if number < 1:
        raise ValueError(f"users are numbered from 1, not {number}")
    # The numbers of names have no common factor, so every pair of them comes up.
    given = _GIVEN_NAMES[number % len(_GIVEN_NAMES)]
    family = _FAMILY_NAMES[number % len(_FAMILY_NAMES)]
    return CatalogueUser(number, f"{given} {family}", f"user{number}@example.org", number % 151)
