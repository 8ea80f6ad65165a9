"""The contract's samples from which requests are generated.

A new endpoint is covered as soon as the contract has samples of it. An email can be stored only
once, so every stack is sent a different email: a marker stands for the part that differs.
"""

from __future__ import annotations

import dataclasses
import functools
import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from apps import contract
from apps.contract import Sample
from harness.checking.json_bodies import NO_VALUE, parsed, texts_in
from harness.checking.request import Request

#: The sender of a request replaces this with a token that is different for every stack.
MARKER = "z0unique0z"

#: Larger bodies take long and add little; the contract's own samples include some.
_MAX_BODY_BYTES = 4096


@functools.cache
def samples_by_endpoint() -> Sequence[Sequence[Sample]]:
    """Group the usable samples by endpoint; samples of no endpoint are the last group."""
    groups = [list(endpoint.samples(MARKER)) for endpoint in contract.ENDPOINTS]
    known = {sample.name for group in groups for sample in group}
    groups.append([sample for sample in contract.samples(MARKER) if sample.name not in known])
    usable = (tuple(sample for sample in group if is_usable(sample)) for group in groups)
    return tuple(group for group in usable if group)


def usable_samples() -> list[Sample]:
    """Return the usable samples of all endpoints."""
    return [sample for group in samples_by_endpoint() for sample in group]


def is_usable(sample: Sample) -> bool:
    """Whether a sample is small, answered without a long wait, and understood alike by servers."""
    # Servers decode headers in different ways unless they are ASCII.
    ascii_only = all(text.isascii() for text in sample.headers.values())
    return ascii_only and sample.status != 504 and len(sample.body or b"") <= _MAX_BODY_BYTES


@dataclass(frozen=True, slots=True)
class StoredOnce:
    """Knows which values can be stored only once, so that only the first stack would accept them."""

    endpoints: frozenset[tuple[str, str]]  # method and path of those that store something
    taken: frozenset[str]  # values that are stored already, which every stack refuses

    @classmethod
    def of(cls, samples: Sequence[Sample]) -> StoredOnce:
        """Derive both from statuses: 201 means that a value was stored, 409 that it was taken."""
        refused = [parsed(sample.body or b"") for sample in samples if sample.status == 409]
        return cls(
            frozenset((s.method, s.path.partition("?")[0]) for s in samples if s.status == 201),
            frozenset(text.lower() for value in refused for text in texts_in(value)),
        )

    def per_stack(self, request: Request) -> Request:
        """Put the marker into every email of a request that stores something."""
        if (request.method, request.path.partition("?")[0]) not in self.endpoints:
            return request
        value = parsed(request.body or b"")
        if value is NO_VALUE:
            return request
        marked = self._marked(value)
        if marked == value and MARKER.encode() in (request.body or b""):
            return request
        return dataclasses.replace(request, body=json.dumps(marked).encode())

    def _marked(self, value: Any) -> Any:
        match value:
            case str() if "@" in value and MARKER not in value and value.lower() not in self.taken:
                return MARKER + value
            case dict():
                return {name: self._marked(member) for name, member in value.items()}
            case list():
                return [self._marked(element) for element in value]
            case _:
                return value
