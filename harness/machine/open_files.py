"""Whether processes may hold as many connections as a plan opens.

Each connection is an open file. A process that has no more of them fails wherever it needs the
next: in an import, in the middle of a round.
"""

from __future__ import annotations

import math
import resource

from harness.errors import EnvironmentFailed
from harness.models import BlockPlan, Measures, Plan
from harness.processes import launch

#: What a process opens that has no connection from the load: libraries while they are imported,
#: logs, pipes, samples. A server also fills its pools (apps/settings.py) to the database and to
#: the upstream.
_BASE = 64
_POOLS = 120


def check(plan: Plan, allowed: int | None = None) -> None:
    """Refuse a plan that needs more open files than a process may have.

    Raises:
        EnvironmentFailed: A process would run out of files.
    """
    if found := problem(plan, allowed):
        raise EnvironmentFailed(found)


def problem(plan: Plan, allowed: int | None = None) -> str:
    """Say which block needs more open files than a process may have; empty if none does.

    Args:
        plan: What is going to run.
        allowed: How many files a child process may open; None: as this machine says.
    """
    if allowed is None:
        allowed = launch.files_allowed(*resource.getrlimit(resource.RLIMIT_NOFILE))
    for block in plan.blocks:
        if block.scenario.measures is not Measures.REQUESTS:
            continue
        needed = _needed(block, plan.generators)
        if needed > allowed:
            return _message(block, plan.generators, needed, allowed)
    return ""


def check_held(connections: int, allowed: int | None = None) -> None:
    """Refuse to hold more connections than a process may have open files.

    Args:
        connections: The most that are held at the same time.
        allowed: How many files a process may open; None: as this machine says.

    Raises:
        EnvironmentFailed: A process would run out of files.
    """
    if allowed is None:
        allowed = launch.files_allowed(*resource.getrlimit(resource.RLIMIT_NOFILE))
    needed = connections + _POOLS + _BASE
    if needed > allowed:
        most = allowed - _POOLS - _BASE
        cure = "raise the limit (ulimit -n)"
        if most > 0:
            cure += f" or give --connections {most} or fewer"
        raise EnvironmentFailed(
            f"holding {connections:,} connections needs {needed:,} open files in one process, and "
            f"{allowed:,} are allowed: {cure}"
        )


def allow_here() -> None:
    """Let this process open as many files as its children may."""
    launch.allow_files()


def _needed(block: BlockPlan, generators: int) -> int:
    """Of the process that holds the most: a load process (all stacks) or a server (its own)."""
    load = math.ceil(block.load.users / generators) * len(block.stacks) + _BASE
    server = block.load.users + _POOLS + _BASE
    return max(load, server)


def _message(block: BlockPlan, generators: int, needed: int, allowed: int) -> str:
    stacks = len(block.stacks)
    most = min((allowed - _BASE) // stacks * generators, allowed - _BASE - _POOLS)
    cure = "raise the limit (ulimit -n)"
    if most > 0 and block.search is None:  # a search has no --users
        cure += f" or give --users {most} or fewer"
    to_stacks = "one stack" if stacks == 1 else f"each of {stacks} stacks"
    return (
        f"{block.scenario.name} with {block.load.users:,} connections to {to_stacks} needs {needed:,} open files in one process, and "
        f"{allowed:,} are allowed: {cure}"
    )
