"""GET /page."""

from __future__ import annotations

from collections.abc import Iterator

from apps.contract.building import HTML, wrong_method
from apps.contract.records import Sample
from apps.domain import catalogue


def page() -> Sample:
    """GET /page."""
    lines = "\n".join(
        f'<li id="item-{item.id}">{_escaped(item.name)}: {item.price / 100:.2f}'
        f"{'' if item.in_stock else ' (sold out)'}</li>"
        for item in catalogue.items(catalogue.ITEMS_ON_PAGE)
    )
    html = (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n<title>Items</title>\n'
        f"</head>\n<body>\n<h1>Items</h1>\n<ul>\n{lines}\n</ul>\n</body>\n</html>"
    )
    return Sample("page", "GET", "/page", 200, html.encode(), content_type=HTML)


def page_samples(unique: str) -> Iterator[Sample]:
    """Samples of GET /page."""
    yield page()
    yield wrong_method("POST", "/page", allow="GET")


def _escaped(text: str) -> str:
    """The text as Jinja escapes it; html.escape writes quotes in another way."""
    for character, entity in {"&": "amp", "<": "lt", ">": "gt", "'": "#39", '"': "#34"}.items():
        text = text.replace(character, f"&{entity};")
    return text
