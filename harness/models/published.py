"""What others published of Flask and FastAPI, beside what a run measured."""

from __future__ import annotations

from dataclasses import dataclass

from harness.models.derived import Estimate


@dataclass(frozen=True, slots=True)
class Published:
    """A figure of both frameworks from one source, and the comparison here that is nearest to it."""

    source: str
    setup: str  # what it says of machine, servers and load
    test: str
    flask: float  # in the unit of the metric, or of the source where it normalised them
    fastapi: float
    differs: str  # what of the set-up is not the same here
    metric: str = "throughput_rps"  # as in comparisons.csv
    scenario: str = ""  # the nearest; empty: none is near
    candidate: str = ""  # FastAPI's stack that is nearest, and Flask's
    baseline: str = ""
    note: str = ""  # what the source says beside its figures, such as errors

    @property
    def ratio(self) -> float:
        """FastAPI ÷ Flask, of the published figures."""
        return self.fastapi / self.flask


@dataclass(frozen=True, slots=True)
class BesidePublished:
    """A published figure and the nearest measured ratio."""

    published: Published
    ratio: Estimate | None  # None: it can't be used
    reason: str = ""  # why it can't be used, or what it does not show


@dataclass(frozen=True, slots=True)
class PublishedBeside:
    """The published figures that have a comparison near to them in a run."""

    rows: tuple[BesidePublished, ...] = ()
    left_out: int = 0  # figures whose nearest comparison is not in the run, or that have none
