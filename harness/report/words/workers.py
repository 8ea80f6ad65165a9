"""What is said of the number of worker processes."""

from __future__ import annotations

from collections.abc import Iterator

from harness.report import formats
from harness.report.view import View


def sharing_cores(view: View) -> Iterator[str]:
    """Which stacks have more workers than cores, where the run is about the number of workers."""
    cores = len(view.placement.servers)
    counts = sorted(
        {
            named[1]
            for stack in view.stacks.values()
            if (named := stack.with_its_number) and cores and named[1] > cores
        }
    )
    if counts:
        yield (
            f"The servers have {formats.plural(cores, 'core')}, so the workers of stacks with "
            f"{formats.listing([str(count) for count in counts])} of them share cores: more "
            "workers than cores can overlap waiting, but not work."
        )
