"""Makes requests from the contract's samples, by changing them at random."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from hypothesis import strategies as st

from apps.contract import Sample
from harness.checking.changes import Changes, Draft
from harness.checking.request import Request
from harness.checking.starting_points import StoredOnce, samples_by_endpoint, usable_samples


def changed_samples() -> st.SearchStrategy[Request]:
    """Draw an endpoint, one of its samples, and up to four changes."""
    # A nearly correct request gets further than a wrong request, but most samples of an endpoint
    # are wrong. So a status is drawn first, and then a sample with that status.
    groups = [_by_status(group) for group in samples_by_endpoint()]
    changes = Changes(usable_samples())
    once = StoredOnce.of(usable_samples())

    @st.composite
    def requests(draw: Any) -> Request:
        group = groups[draw(st.integers(0, len(groups) - 1))]
        alike = group[draw(st.integers(0, len(group) - 1))]
        draft = Draft.of(alike[draw(st.integers(0, len(alike) - 1))])
        for _ in range(draw(st.integers(0, 4))):
            changes.change(draw, draft)
        draft.chunked = draft.chunked or draw(st.integers(0, 9)) == 9
        return once.per_stack(draft.finished())

    return requests()


def _by_status(samples: Sequence[Sample]) -> list[list[Sample]]:
    statuses = sorted({sample.status for sample in samples})
    return [[sample for sample in samples if sample.status == status] for status in statuses]
