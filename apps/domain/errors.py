"""What can go wrong in the domain, in its own words; the twins make replies of it."""

from __future__ import annotations


class DomainError(Exception):
    """Base of all of them."""


class ItemNotFound(DomainError):
    """No item has this id."""

    def __init__(self, item_id: int) -> None:
        super().__init__(item_id)
        self.item_id = item_id
