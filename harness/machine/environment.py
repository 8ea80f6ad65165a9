"""Describes what a run took place on: run.json keeps it, so that nobody reads figures without it."""

from __future__ import annotations

import hashlib
import importlib.metadata
import os
import platform
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from urllib.parse import SplitResult, quote, urlsplit

import psutil

from harness.errors import BadInput, EnvironmentFailed
from harness.machine import facts as machine
from harness.machine import placement
from harness.models import Plan
from harness.planning.stacks import worker_count
from harness.processes.child_environment import child_environment

#: Stands for the address of a service that we start ourselves.
EMBEDDED = "embedded"
#: Variables that replace options of `twinbench run`.
_OPTIONS = (
    *("TWINBENCH_SCENARIOS", "TWINBENCH_PROFILE"),
    *("TWINBENCH_STACKS", "TWINBENCH_ROUNDS"),
)
_DATABASE_EXAMPLE = "postgresql://user@localhost:5432/name"
_DATABASE_SCHEMES = ("postgresql", "postgres", "postgresql+psycopg")


def describe(project: Path, environ: Mapping[str, str] = os.environ) -> dict[str, object]:
    """Describe the machine, the software and the services; JSON values only, and no secrets."""
    return {
        "machine": fingerprint(),
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
        "child_environment": child_environment(),
        "git_commit": _git(project, "rev-parse", "HEAD") or environ.get("TWINBENCH_COMMIT", ""),
        "git_dirty": _dirty(project),
        "code": _code(project),
        "packages": {
            name: distribution.version
            for distribution in sorted(
                importlib.metadata.distributions(), key=lambda d: (d.name or "").lower()
            )
            if (name := distribution.name)
        },
    }


#: What decides figures, and what is done with them.
_CODE = ("apps", "scenarios", "harness")


def _code(project: Path) -> str:
    """A digest of our own code, which git does not know of where it was edited or came without git."""
    digest = hashlib.sha256()
    for file in sorted(file for folder in _CODE for file in (project / folder).rglob("*")):
        if file.is_file() and file.suffix != ".pyc":
            digest.update(f"{file.relative_to(project)}\0".encode())
            digest.update(hashlib.sha256(file.read_bytes()).digest())
    return digest.hexdigest()[:16]


#: Facts that may not change in the middle of a run.
_FIXED = (
    *("cpu", "cores", "kernel", "python", "packages", "container"),
    *("database", "upstream", "git_commit", "code", "child_environment"),
)


def differences(before: Mapping[str, object], now: Mapping[str, object]) -> list[str]:
    """Names of the facts that decide a figure and differ between two descriptions."""
    return [name.replace("_", " ") for name in _FIXED if before.get(name) != now.get(name)]


#: Measured with four stacks: 506 MB at most, of which each server process had 75 MiB. PostgreSQL is
#: not included, because it has a container of its own where there are limits.
_BASE_BYTES = 300 << 20
_PROCESS_BYTES = 80 << 20
_CLASSIFIER_BYTES = 170 << 20


def check_limits(facts: Mapping[str, object], todo: Plan) -> None:
    """Compare what our control groups allow with what a run takes.

    Args:
        facts: The description that `describe` made.
        todo: The plan that is about to run.

    Raises:
        EnvironmentFailed: The limits are too low: processes would be killed, or stopped most of the
            time.
    """
    limits = facts["container"]
    assert isinstance(limits, Mapping)
    cpu_cores, memory_bytes = limits["cpu_cores"], limits["memory_bytes"]
    if cpu_cores is not None and cpu_cores < 1:
        raise EnvironmentFailed(
            f"the control group has a limit of {cpu_cores:g} cores of CPU time, but the servers take 1 and "
            "the load takes another: raise the limit (CPUS with Docker Compose), or give whole "
            "cores (CPUSET)"
        )
    cores = placement.place_here(todo.generators).servers
    processes = sum(worker_count(stack, todo.workers, cores) for stack in todo.stacks)
    predicts = any("classifier" in block.scenario.needs for block in todo.blocks)
    each = _PROCESS_BYTES + (_CLASSIFIER_BYTES if predicts else 0)
    needed = _BASE_BYTES + processes * each
    if memory_bytes is not None and memory_bytes < needed:
        raise EnvironmentFailed(
            f"the control group has a limit of {memory_bytes >> 20:,} MiB of memory, but "
            f"{len(todo.stacks)} stacks take about {needed >> 20:,} MiB: raise the limit (MEMORY "
            "with Docker Compose), or name fewer stacks"
        )


def fingerprint() -> str:
    """Short name of this machine; it stays the same as long as figures can be compared."""
    hardware = (platform.node(), _cpu_model(), str(placement.usable_cores()))
    return hashlib.sha256("\n".join(hardware).encode()).hexdigest()[:12]


def is_of_this_machine(facts: Mapping[str, object]) -> bool:
    """Whether a run took place on this machine.

    Older runs don't name their machine; of those, whether it has the same CPU and cores.
    """
    if (name := facts.get("machine")) is not None:
        return name == fingerprint()
    here = {
        "cpu": _cpu_model(),
        "cores": os.cpu_count(),
        "usable_cores": list(placement.usable_cores()),
    }
    return all(facts.get(name) == value for name, value in here.items())


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
    except OSError:  # only Linux has that file
        return platform.platform()


def _database(environ: Mapping[str, str]) -> str:
    parts = _database_parts(environ)
    # Without user and password, because run.json is meant to be shown to others.
    return f"{parts.hostname}:{parts.port or 5432}{parts.path}" if parts else EMBEDDED


def database_url(environ: Mapping[str, str]) -> str | None:
    """DATABASE_URL with the password of PGPASSWORD, if it has none; None if it is not set.

    The password goes into the URL because children have no other variable of PostgreSQL's.

    Raises:
        BadInput: DATABASE_URL is no address of a database, or PGPASSWORD has no user to belong to.
    """
    parts = _database_parts(environ)
    if parts is None:
        return None
    password = environ.get("PGPASSWORD")
    if not password or parts.password is not None:
        return parts.geturl()
    if not parts.username:
        raise BadInput(
            "DATABASE_URL names no user for the password in PGPASSWORD: "
            f"give it a value such as {_DATABASE_EXAMPLE}, or unset PGPASSWORD"
        )
    user, _, host = parts.netloc.rpartition("@")
    netloc = f"{user.removesuffix(':')}:{quote(password, safe='')}@{host}"
    return parts._replace(netloc=netloc).geturl()


def _database_parts(environ: Mapping[str, str]) -> SplitResult | None:
    return _parsed(environ, "DATABASE_URL", _DATABASE_SCHEMES, _DATABASE_EXAMPLE)


def _upstream(environ: Mapping[str, str]) -> str:
    address = upstream_address(environ)
    return f"{address[0]}:{address[1]}" if address else EMBEDDED


def upstream_address(environ: Mapping[str, str]) -> tuple[str, int] | None:
    """Host and port in UPSTREAM_URL; None if it is not set.

    Raises:
        BadInput: UPSTREAM_URL is no address of an HTTP server.
    """
    parts = _parsed(environ, "UPSTREAM_URL", ("http",), "http://127.0.0.1:8100")
    if parts and (parts.path.strip("/") or parts.query):
        raise BadInput(
            "UPSTREAM_URL has a path: give only host and port, such as http://127.0.0.1:8100"
        )
    return (parts.hostname or "", parts.port or 80) if parts else None


def _parsed(
    environ: Mapping[str, str], variable: str, schemes: Sequence[str], example: str
) -> SplitResult | None:
    """The address in a variable, with a valid port; None if the variable is not set."""
    value = environ.get(variable)
    if not value:
        return None
    try:
        parts = urlsplit(value)
        _ = parts.port
    except ValueError as error:
        raise BadInput(f"{variable} is not an address: {error}") from None
    if parts.scheme not in schemes or not parts.hostname:
        raise BadInput(
            f"{variable} begins with '{parts.scheme[:20]}': give it a value such as {example}"
        )
    return parts


def _dirty(project: Path) -> bool | None:
    """Whether files differ from the commit; None if git can't say."""
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
        return ""  # git is not installed; a run does not need it
    return done.stdout.strip() if done.returncode == 0 else ""


def command_line(environ: Mapping[str, str] = os.environ) -> tuple[str, ...]:
    """The command as the user would type it again, with the variables that replaced options."""
    variables = [f"{name}={environ[name]}" for name in _OPTIONS if environ.get(name)]
    return (*variables, "twinbench", *sys.argv[1:])
