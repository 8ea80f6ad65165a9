"""GET /items, GET /items/{id}."""

from __future__ import annotations

import functools
from collections.abc import Iterator
from urllib.parse import quote, urlencode

from apps import problems
from apps.contract.building import get_problem, invalid, shortened, wrong_method
from apps.contract.records import Expected, Sample
from apps.domain import catalogue
from apps.domain.catalogue import SEEDED_ITEMS, CatalogueItem, item


# Cached: it goes through all items, and scenarios repeat a few searches.
@functools.lru_cache(maxsize=1024)
def search_items(**query: str | int) -> Sample:
    """GET /items with these valid parameters; an absent filter restricts nothing."""
    page, per_page = int(query.get("page", 1)), int(query.get("per_page", 20))
    low, high = int(query.get("min_price", 0)), int(query.get("max_price", catalogue.PRICE_MAX))
    keyword = str(query.get("keyword", "")).strip().lower()
    found = [
        candidate
        for candidate in catalogue.items(SEEDED_ITEMS)
        if low <= candidate.price <= high
        and query.get("category", candidate.category) == candidate.category
        and keyword in candidate.name.lower()
    ]
    on_page = found[(page - 1) * per_page : page * per_page]
    shown: list[Expected] = [item_json(match) for match in on_page]
    path = f"/items?{urlencode(query)}" if query else "/items"
    return Sample(f"GET {path}", "GET", path, 200, {"items": shown, "total": len(found)})


def lookup_item(item_id: int) -> Sample:
    """GET /items/{id} for one of the SEEDED_ITEMS, from 1."""
    return Sample(f"item {item_id}", "GET", f"/items/{item_id}", 200, item_json(item(item_id)))


def search_samples(unique: str) -> Iterator[Sample]:
    """Samples of GET /items."""
    yield search_items()
    for query in (
        {"keyword": "lamp"},
        {"keyword": " LAMP\t"},
        {"keyword": "café lamp"},
        {"keyword": "明るい"},
        {"keyword": "100%", "per_page": 100},
        {"keyword": "%"},
        {"keyword": "m_k"},
        {"keyword": '6" 1'},
        {"keyword": "<3"},
        {"keyword": "a/b\\c"},
        {"keyword": "'; DROP TABLE items; --"},
        {"category": "books"},
        {"category": "toys", "min_price": 50_000},
        {"min_price": 0, "max_price": 150},
        {"min_price": 2_000, "max_price": 1_000},
        {"max_price": catalogue.PRICE_MAX, "per_page": 1},
        {"keyword": "tent", "category": "garden", "min_price": 1_000, "max_price": 90_000},
        {"page": 2},
        {"page": 100, "per_page": 100},
        {"page": 101, "per_page": 100},
        {"page": 2**63, "per_page": 100},
        {"page": 10**50},
        {"keyword": "vase", "page": "007", "per_page": "05"},
    ):
        yield search_items(**query)
    yield Sample(
        "items with parameters twice and unknown ones",
        "GET",
        "/items?page=x&page=3&sort=price&category=none&category=music",
        200,
        search_items(page=3, category="music").json,
    )
    nothing: Expected = {"items": [], "total": 0}
    yield Sample("items with a keyword not in UTF-8", "GET", "/items?keyword=%FF", 200, nothing)
    rules = {
        "keyword": {"": "length", " \n": "length", "é" * 101: "length", "a\0b": "characters"},
        "category": {"": "choice", "cars": "choice", "Books": "choice", " books": "choice"},
        "min_price": {"-1": "range", "1000001": "range", "1.5": "type", "": "type"},
        "max_price": {"-1": "range", "9" * 100: "range", "1e3": "type", "ten": "type"},
        "page": {"0": "range", "-1": "range", "": "type", "1.0": "type", "٣": "type"},
        "per_page": {"0": "range", "101": "range", "+1": "type", "all": "type"},
    }
    for parameter, texts in rules.items():
        for text, rule in texts.items():
            query_text = urlencode({parameter: text})
            yield get_problem(
                f"items with {parameter} {shortened(text)}",
                f"/items?{query_text}",
                invalid(**{parameter: rule}),
            )
    yield get_problem(
        "items with nothing valid",
        "/items?per_page=0&page=0&max_price=x&min_price=x&category=x&keyword=",
        invalid(
            keyword="length",
            category="choice",
            min_price="type",
            max_price="type",
            page="range",
            per_page="range",
        ),
    )
    yield wrong_method("POST", "/items", allow="GET")


def item_samples(unique: str) -> Iterator[Sample]:
    """Samples of GET /items/{id}."""
    for item_id in (1, 30, SEEDED_ITEMS):
        yield lookup_item(item_id)
    for absent in (0, -1, SEEDED_ITEMS + 1, 2**31, 2**63, 10**100):
        yield get_problem(f"item {absent}", f"/items/{absent}", problems.unknown_item(absent))
    for text in ("abc", "1.0", "1_0", " 1", "٣", "1\0"):
        yield get_problem(f"item {text!r}", f"/items/{quote(text, safe='')}", invalid(id="type"))
    yield get_problem("no item", "/items/", problems.of_status(404))
    yield wrong_method("DELETE", "/items/1", allow="GET")


def item_json(row: CatalogueItem) -> Expected:
    """An item, in the order in which the twins write its members."""
    return {
        "id": row.id,
        "name": row.name,
        "category": row.category,
        "price": row.price,
        "rating": row.rating,
        "in_stock": row.in_stock,
    }
