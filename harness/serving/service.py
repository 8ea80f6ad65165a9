"""A service: what stacks depend on and is not measured."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from harness.errors import ServiceFailed
from harness.processes import children as processes
from harness.processes.children import Child


@dataclass(frozen=True, slots=True)
class Service:
    """A service that was started, or one that the user brings."""

    name: str  # as the journal and the report call it
    environment: Mapping[str, str]  # variables through which the twins find it
    child: Child | None  # None: the user's own, so that its CPU time is unknown
    wait: Callable[[], None]  # returns when the service can be used; raises ServiceFailed, BadInput
    #: Makes the service take so long from now on; None if its latency can't be changed.
    have_latency: Callable[[str], None] | None = None

    def check(self) -> None:
        """Raise ServiceFailed if the service has ended."""
        if self.child is not None and self.child.exit_code() is not None:
            raise ServiceFailed(
                f"{self.child.name} ended in the middle of the run with exit code "
                f"{self.child.exit_code()}; its last lines:",
                detail=self.child.last_lines(),
            )


def finish(child: Child, complaint: str, within_s: float) -> None:
    """Wait for a child that is to end by itself.

    Raises:
        ServiceFailed: It failed or took too long; the message begins with `complaint`.
    """
    try:
        code = child.process.wait(within_s)
        if code != 0:
            raise ServiceFailed(f"{complaint} (exit code {code}):", detail=child.last_lines())
    except subprocess.TimeoutExpired:
        raise ServiceFailed(
            f"{complaint}: not done within {within_s:.0f} s", detail=child.last_lines()
        ) from None
    finally:
        processes.stop([child])
