"""What processes and cores did while a cell was measured, as far as it is known of every round."""

from __future__ import annotations

from collections.abc import Sequence

from harness.analysis.figures import RoundFigures
from harness.models import CellRound, CoreUsage, Usage

#: What a scenario needs -> the service that gives it, as the journal calls it.
SERVICE_OF = {"database": "postgres", "upstream": "upstream"}
#: Service -> what messages call it.
_SERVICES = {"postgres": "PostgreSQL", "upstream": "upstream"}


def server_usages(rounds: Sequence[RoundFigures]) -> list[Usage]:
    """What the stack used in each round; empty if a round could not meter it."""
    servers = [measured.cell.server for measured in rounds]
    metered = [server for server in servers if server is not None]
    return metered if len(metered) == len(servers) else []


def core_usages(rounds: Sequence[RoundFigures], group: str) -> list[CoreUsage]:
    """What a group of cores did in each round; empty if a round could not read it."""
    usages = [measured.cell.cores[group] for measured in rounds if group in measured.cell.cores]
    return usages if len(usages) == len(rounds) else []


def services_cpu_s(rounds: Sequence[RoundFigures]) -> dict[str, float | None]:
    """Service -> its CPU seconds in all slices of a cell; None if a round could not meter it."""
    names = dict.fromkeys(name for measured in rounds for name in measured.cell.services_cpu_s)
    total: dict[str, float | None] = {}
    for name in names:
        seconds = [measured.cell.services_cpu_s.get(name) for measured in rounds]
        known = [value for value in seconds if value is not None]
        total[_SERVICES.get(name, name)] = sum(known) if len(known) == len(seconds) else None
    return total


def load_cpu_s(rounds: Sequence[RoundFigures]) -> list[float]:
    """CPU seconds that each load process worked in all slices of a cell; empty without any."""
    per_round = [_worked_s(measured.cell) for measured in rounds]
    return [sum(of_process) for of_process in zip(*per_round, strict=True)]


def _worked_s(cell: CellRound) -> list[float]:
    """CPU seconds of each load process without those that it spent on spinning.

    A load process spins only while it has nothing else to do, so one without time to spare does
    not look idle.
    """
    spun_s = cell.load_spun_s or (0.0,) * len(cell.load_cpu_s)
    return [cpu_s - spun for cpu_s, spun in zip(cell.load_cpu_s, spun_s, strict=True)]
