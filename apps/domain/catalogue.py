"""The users and items in the seeded database: number n always stands for the same one."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, get_args

SEEDED_USERS = 10_000
SEEDED_ITEMS = 10_000

# Every seeded user has this password. All share one salt, because computing 10,000 hashes would
# take half an hour.
PASSWORD = "correct horse battery staple"
PASSWORD_HASH = (
    "scrypt$16384$8$5$9f1c2ab07d5e4863b8d0c1f2e3a49576"
    "$e794db2e5beac26d906914e0bf3f91f1aff56b63d104bb6c46cdbe2bd0380b90"
)

# Several scripts and lengths, so that the measurements include encoding.
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
    """A user in the seeded database; the fields are the columns."""

    id: int
    name: str
    email: str
    age: int


def user(number: int) -> CatalogueUser:
    """User `number`, from 1; the database holds the users up to SEEDED_USERS."""
    if number < 1:
        raise ValueError(f"users are numbered from 1, not {number}")
    # 17 given names and 14 family names have no common factor, so every pair of them occurs.
    given = _GIVEN_NAMES[number % len(_GIVEN_NAMES)]
    family = _FAMILY_NAMES[number % len(_FAMILY_NAMES)]
    return CatalogueUser(number, f"{given} {family}", f"user{number}@example.org", number % 151)


Category = Literal["books", "garden", "kitchen", "music", "office", "sports", "toys", "travel"]
CATEGORIES: tuple[Category, ...] = get_args(Category)

PRICE_MAX = 1_000_000  # in cents, the highest valid price
EXPORTED_DEFAULT, EXPORTED_MAX = 1_000, 5_000
ITEMS_ON_PAGE = 50

# Some need escaping in HTML, JSON or LIKE. Outside ASCII there are only small letters, because it
# depends on PostgreSQL's locale whether a search finds them by their capitals.
_KINDS = (
    "Bold",
    "Crème",
    "Café",
    "Deluxe",
    "Everyday",
    "Folding",
    "Garden & Home",
    "100%",
    "Painter's",
    "smörgås",
    "明るい",
)
_THINGS = (
    "Atlas",
    "Bowl",
    "Clock",
    "Drum_Kit",
    "Easel",
    "Kettle <3",
    "Lamp",
    "Notebook",
    'Ruler 6"',
    "Scarf",
    "Tent",
    "Umbrella",
    "Vase",
)


@dataclass(frozen=True, slots=True)
class CatalogueItem:
    """An item in the seeded database; the fields are the columns. The price is in cents."""

    id: int
    name: str
    category: Category
    price: int
    rating: float
    in_stock: bool


def item(number: int) -> CatalogueItem:
    """Item `number`, from 1; the database holds the items up to SEEDED_ITEMS."""
    if number < 1:
        raise ValueError(f"items are numbered from 1, not {number}")
    # 11 kinds, 13 things and 8 categories have no common factor, so every trio of them occurs.
    return CatalogueItem(
        id=number,
        name=f"{_KINDS[number % len(_KINDS)]} {_THINGS[number % len(_THINGS)]} {number}",
        category=CATEGORIES[number % len(CATEGORIES)],
        price=100 + number * 7919 % 99_901,
        rating=number * 37 % 51 / 10,
        in_stock=number % 5 != 0,
    )


@functools.cache
def items(count: int) -> Sequence[CatalogueItem]:
    """The first `count` items, at most SEEDED_ITEMS. They are built once and kept."""
    if count > SEEDED_ITEMS:
        raise ValueError(f"there are {SEEDED_ITEMS} items, not {count}")
    return tuple(item(number) for number in range(1, count + 1))
