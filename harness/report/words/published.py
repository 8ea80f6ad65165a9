"""What is said of published figures."""

from __future__ import annotations

from harness.models import PublishedBeside
from harness.report import formats

PUBLISHED_NOTE = (
    "Ratios that others published, each beside the comparison of this run that is nearest to it. They "
    "are no targets: machine, versions, servers and requests differ, and the last column names what is "
    "known of that. A ratio of CPU time below 1 means that FastAPI used less."
)


def left_out(found: PublishedBeside) -> str:
    """How many figures have no counterpart in the run; empty if all have."""
    if not found.left_out:
        return ""
    one = found.left_out == 1
    return (
        f"{formats.plural(found.left_out, 'published figure')} {'is' if one else 'are'} left out: "
        f"the comparison nearest to {'it' if one else 'them'} is not in this run, or there is none."
    )
