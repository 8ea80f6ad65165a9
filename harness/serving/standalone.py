"""Stacks with their services outside a run: for `check` and `serve`, which measure nothing."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager

from harness.machine import placement
from harness.models import Stack
from harness.planning.files import PROJECT
from harness.planning.options import UPSTREAM_LATENCY
from harness.processes import children
from harness.serving import services
from harness.serving.servers import serving


@contextmanager
def stacks_with_services(
    stacks: Sequence[Stack], needs: Collection[str] | None = None
) -> Iterator[dict[str, str]]:
    """Start services and stacks on all usable cores, and stop them when the block ends.

    Args:
        stacks: Those that run already are only asked whether they do.
        needs: What the stacks are going to need of the services; None: all of them.

    Yields:
        Label -> URL of each stack, in their order, when all of them answer.

    Raises:
        ServerFailed, ServiceFailed: One of them did not start.
    """
    cores = placement.usable_cores()
    with (
        children.scratch_folder("logs") as logs,
        services.running(
            upstream_latency=UPSTREAM_LATENCY,
            seed=0,
            cores=cores,
            logs=logs,
            folder=PROJECT,
            needs=tuple(services.TITLES) if needs is None else needs,
        ) as running,
        serving(
            stacks,
            workers=1,
            environment=running.environment,
            cores=cores,
            start_cores=cores,
            logs=logs,
            folder=PROJECT,
        ) as servers,
    ):
        yield {stack.label: servers[stack.label].url for stack in stacks}
