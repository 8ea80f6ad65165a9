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

from harness import machine, placement
from harness.errors import BadInput

#: In the place of an address: a service that we start ourselves.
EMBEDDED = "embedded"
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


def command_line() -> tuple[str, ...]:
    """The command as the user would type it again."""
    return ("twinbench", *sys.argv[1:])
