"""Errors of the domain, without HTTP. The twins turn them into replies."""

from __future__ import annotations


class DomainError(Exception):
    """Base class of the domain's errors."""


class ItemNotFound(DomainError):
    """No item has this id."""

    def __init__(self, item_id: int) -> None:
        super().__init__(item_id)
        self.item_id = item_id
