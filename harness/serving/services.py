"""The services of a run: those that its scenarios need, and no others."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from harness.errors import ServiceFailed
from harness.serving import postgres, upstream
from harness.serving.service import Service

#: What a scenario may need and a service gives -> what messages call the service.
TITLES = {"database": "PostgreSQL", "upstream": "the upstream"}


@dataclass(frozen=True, slots=True)
class Services:
    """The services that run."""

    running: tuple[Service, ...] = ()

    @property
    def environment(self) -> dict[str, str]:
        """The variables through which the twins find them."""
        return {
            name: value for service in self.running for name, value in service.environment.items()
        }

    @property
    def names(self) -> tuple[str, ...]:
        """Names of all of them."""
        return tuple(service.name for service in self.running)

    @property
    def trees(self) -> dict[str, list[int]]:
        """Name -> process ids, without services of the user's own."""
        return {
            service.name: service.child.tree()
            for service in self.running
            if service.child is not None
        }

    def have_latency(self, latency: str) -> None:
        """Make the upstream that we started take so long from now on.

        Raises:
            ServiceFailed: It does not do so.
        """
        for service in self.running:
            if service.have_latency is not None:
                try:
                    service.have_latency(latency)
                except ServiceFailed:
                    service.check()  # says more, if it has ended
                    raise

    def check(self) -> None:
        """Raise ServiceFailed if one of them has ended."""
        for service in self.running:
            service.check()


def starting(needs: Collection[str]) -> str:
    """Say which services `running` starts."""
    titles = [title for need, title in TITLES.items() if need in needs]
    return f"starting {' and '.join(titles) or 'no service: none is needed'}"


@contextmanager
def running(
    *,
    upstream_latency: str,
    seed: int,
    cores: Sequence[int],
    logs: Path,
    folder: Path,
    needs: Collection[str] = tuple(TITLES),
    environ: Mapping[str, str] = os.environ,
) -> Iterator[Services]:
    """Start the services that are needed, wait until all can be used, and stop them at the end.

    Args:
        upstream_latency: How long the upstream takes: "constant:50" or "lognormal:50:0.5", in ms.
        seed: Decides latencies that are drawn.
        cores: Cores to pin services to.
        logs: Folder for their logs.
        folder: Working directory, from which `apps` can be imported.
        needs: What scenarios need; names that no service gives are left to others.
        environ: May name services of the user's own (DATABASE_URL, UPSTREAM_URL).

    Raises:
        ServiceFailed: A service did not start, or one that the user named does not answer.
        BadInput: An address is malformed, or the user's own upstream has another latency.
    """
    with contextlib.ExitStack() as stack:
        services: list[Service] = []
        if "database" in needs:
            services.append(
                stack.enter_context(
                    postgres.running(cores=cores, logs=logs, folder=folder, environ=environ)
                )
            )
        if "upstream" in needs:
            services.append(
                stack.enter_context(
                    upstream.running(
                        latency=upstream_latency,
                        seed=seed,
                        cores=cores,
                        logs=logs,
                        folder=folder,
                        environ=environ,
                    )
                )
            )
        for service in services:
            service.wait()
        yield Services(tuple(services))
