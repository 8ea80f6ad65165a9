"""What a run took place on: written into run.json, so that figures are not read without it."""

from __future__ import annotations

import hashlib
import importlib.metadata
import os
import platform
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from urllib.parse import SplitResult, urlsplit

import psutil

from harness.errors import BadInput, EnvironmentFailed
from harness.machine import facts as machine
from harness.machine import placement
from harness.models import Plan
from harness.planning.stacks import worker_count

#: In the place of an address: a service that we start ourselves.
EMBEDDED = "embedded"
#: Variables that stand in for options of `twinbench run`.
_OPTIONS = (
    *("TWINBENCH_SCENARIOS", "TWINBENCH_PROFILE"),
    *("TWINBENCH_STACKS", "TWINBENCH_ROUNDS"),
)
_DATABASE_SCHEMES = ("postgresql", "postgres", "postgresql+psycopg")


def describe(project: Path, environ: Mapping[str, str] = os.environ) -> dict[str, object]:
    """Facts of the machine, the software and the surroundings; JSON values only."""
    return {
        "cpu": _cpu_model(),
        "cores": os.cpu_count(),
        "usable_cores": list(placement.usable_cores()),
        "memory_bytes": psutil.virtual_memory().total,
        "system": platform.system(),
        "kernel": platform.release(),
        "distribution": _distribution(),
        "python": f"{platform.python_implementation()} {platform.python_version()}",
        "load_average": list(os.getloadavg()),
        "container": machine.limits(),
        "database": _database(environ),
        "upstream": _upstream(environ),
        "git_commit": _git(project, "rev-parse", "HEAD") or environ.get("TWINBENCH_COMMIT", ""),
        "git_dirty": _dirty(project),
        "packages": {
            name: distribution.version
            for distribution in sorted(
                importlib.metadata.distributions(), key=lambda d: (d.name or "").lower()
            )
            if (name := distribution.name)
        },
    }


#: What may not change in the middle of a run.
_FIXED = (
    *("cpu", "cores", "kernel", "python", "packages", "container"),
    *("database", "upstream", "git_commit"),
)


def differences(before: Mapping[str, object], now: Mapping[str, object]) -> list[str]:
    """Which of the facts that decide a figure differ between two descriptions."""
    return [name.replace("_", " ") for name in _FIXED if before.get(name) != now.get(name)]


#: Measured with four stacks: 506 MB at most, of which 75 MiB a server process. PostgreSQL is not
#: in it, since a container of its own has it where there are limits.
_BASE_BYTES = 300 << 20
_PROCESS_BYTES = 80 << 20
_CLASSIFIER_BYTES = 170 << 20


def check_limits(facts: Mapping[str, object], todo: Plan) -> None:
    """Hold what our control groups allow against what a run takes.

    Args:
        facts: as `describe` found them.
        todo: what is going to run.

    Raises:
        EnvironmentFailed: they allow less; processes would be killed, or stopped for most of the time.
    """
    limits = facts["container"]
    assert isinstance(limits, Mapping)
    cpu_cores, memory_bytes = limits["cpu_cores"], limits["memory_bytes"]
    if cpu_cores is not None and cpu_cores < 1:
        raise EnvironmentFailed(
            f"a limit of {cpu_cores:g} cores of CPU time: the servers alone take 1, and the load "
            "another; raise it (CPUS with Docker Compose) or give whole cores (CPUSET)"
        )
    cores = placement.place_here(todo.generators).servers
    processes = sum(worker_count(stack, todo.workers, cores) for stack in todo.stacks)
    predicts = any("classifier" in block.scenario.needs for block in todo.blocks)
    each = _PROCESS_BYTES + (_CLASSIFIER_BYTES if predicts else 0)
    needed = _BASE_BYTES + processes * each
    if memory_bytes is not None and memory_bytes < needed:
        raise EnvironmentFailed(
            f"a limit of {memory_bytes >> 20:,} MiB of memory: {len(todo.stacks)} stacks take about "
            f"{needed >> 20:,} MiB; raise it (MEMORY with Docker Compose) or name fewer stacks"
        )


def fingerprint() -> str:
    """A short name of this machine: the same as long as its figures can be compared."""
    hardware = (platform.node(), _cpu_model(), str(placement.usable_cores()))
    return hashlib.sha256("\n".join(hardware).encode()).hexdigest()[:12]


def _cpu_model() -> str:
    try:
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    except OSError:
        pass  # not Linux
    return platform.processor() or platform.machine()


def _distribution() -> str:
    try:
        return platform.freedesktop_os_release().get("PRETTY_NAME", "")
    except OSError:  # no such file outside Linux
        return platform.platform()


def _database(environ: Mapping[str, str]) -> str:
    example = "postgresql://user@localhost:5432/name"
    parts = _parsed(environ, "DATABASE_URL", _DATABASE_SCHEMES, example)
    # Without user and password: run.json is meant to be shown around.
    return f"{parts.hostname}:{parts.port or 5432}{parts.path}" if parts else EMBEDDED


def _upstream(environ: Mapping[str, str]) -> str:
    address = upstream_address(environ)
    return f"{address[0]}:{address[1]}" if address else EMBEDDED


def upstream_address(environ: Mapping[str, str]) -> tuple[str, int] | None:
    """Host and port of an upstream that runs already; None where UPSTREAM_URL is not set.

    Raises:
        BadInput: it is no address.
    """
    parts = _parsed(environ, "UPSTREAM_URL", ("http",), "http://127.0.0.1:8100")
    if parts and (parts.path.strip("/") or parts.query):
        raise BadInput("UPSTREAM_URL has a path: give host and port alone: http://127.0.0.1:8100")
    return (parts.hostname or "", parts.port or 80) if parts else None


def _parsed(
    environ: Mapping[str, str], variable: str, schemes: Sequence[str], example: str
) -> SplitResult | None:
    """The address in a variable, its port known to be a number; None where it is not set."""
    given = environ.get(variable)
    if not given:
        return None
    try:
        parts = urlsplit(given)
        _ = parts.port
    except ValueError as error:
        raise BadInput(f"{variable} is not an address: {error}") from None
    if parts.scheme not in schemes or not parts.hostname:
        raise BadInput(
            f"{variable} begins with '{parts.scheme[:20]}': give it a value such as {example}"
        )
    return parts


def _dirty(project: Path) -> bool | None:
    """Whether files differ from the commit; None where git can't say."""
    if not _git(project, "rev-parse", "HEAD"):
        return None
    return bool(_git(project, "status", "--porcelain", "--untracked-files=no"))


def _git(project: Path, *arguments: str) -> str:
    try:
        done = subprocess.run(
            ["git", "-C", str(project), *arguments],
            capture_output=True,
            text=True,
            check=False,
            timeout=10,
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""  # no git, no commit: the run is as good without
    return done.stdout.strip() if done.returncode == 0 else ""


def command_line(environ: Mapping[str, str] = os.environ) -> tuple[str, ...]:
    """The command as the user would type it again, with the variables that stood in for options."""
    told = [f"{name}={environ[name]}" for name in _OPTIONS if environ.get(name)]
    return (*told, "twinbench", *sys.argv[1:])
