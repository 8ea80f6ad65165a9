"""Generates requests that nobody wrote down: from the contract's samples and OpenAPI documents.

Hypothesis draws them, so the same seed gives the same requests.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import hypothesis
from hypothesis import strategies as st

from harness.checking.from_contract import changed_samples
from harness.checking.from_openapi import requests_of
from harness.checking.request import Request

#: Requests per batch. Hypothesis begins every batch with simple requests, but its memory of what
#: it drew grows with the size of a batch.
_BATCH = 500


def requests(
    cases: int, seed: int, documents: Sequence[Mapping[str, Any]] = ()
) -> Iterator[Request]:
    """Yield different requests; the same command with the same seed yields the same ones.

    Hypothesis also draws numbers and texts that it finds in the source of the loaded modules.
    Another version of the project, or a test, may therefore get other requests.

    Args:
        cases: how many requests.
        seed: decides which ones.
        documents: OpenAPI documents; if there are any, half of the requests are made from them.
    """
    if not cases:
        return
    strategy = changed_samples()
    if documents:
        strategy = strategy | st.one_of([requests_of(document) for document in documents])
    known: set[Request] = set()
    for number in itertools.count():
        for request in drawn(strategy, min(cases, _BATCH), f"{seed} {number}"):
            if len(known) == cases:
                return
            if request not in known:  # about a third are repetitions
                known.add(request)
                yield request


def drawn(strategy: st.SearchStrategy[Request], count: int, seed: str) -> list[Request]:
    """Draw a batch of requests, some of which may be equal."""
    result: list[Request] = []

    @hypothesis.seed(seed)
    @hypothesis.settings(
        max_examples=count,
        database=None,
        deadline=None,
        phases=[hypothesis.Phase.generate],
        suppress_health_check=list(hypothesis.HealthCheck),
    )
    @hypothesis.given(strategy)
    def draw(request: Request) -> None:
        result.append(request)

    draw()
    return result
