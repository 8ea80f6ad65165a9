"""What a run took place on: written into run.json, so that figures are not read without it."""

from __future__ import annotations

import hashlib
import importlib.metadata
import os
import platform
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import urlsplit

import psutil

from harness import placement
from harness.errors import BadInput

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
        "container": _container_limits(),
        "database": _database(environ),
        "git_commit": _git(project, "rev-parse", "HEAD"),
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
_FIXED = ("cpu", "cores", "kernel", "python", "packages", "container", "database", "git_commit")


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


def _container_limits() -> dict[str, str]:
    """Limits of the control group that we are in (versions 2 and 1), as the kernel words them."""
    files = {
        "cpu.max": "/sys/fs/cgroup/cpu.max",
        "memory.max": "/sys/fs/cgroup/memory.max",
        "cpu.cfs_quota_us": "/sys/fs/cgroup/cpu/cpu.cfs_quota_us",
        "memory.limit_in_bytes": "/sys/fs/cgroup/memory/memory.limit_in_bytes",
    }
    limits = {}
    for name, path in files.items():
        try:
            limits[name] = Path(path).read_text().strip()
        except OSError:
            continue  # this version of control groups has no such file
    return limits


def _database(environ: Mapping[str, str]) -> str:
    given = environ.get("DATABASE_URL")
    if not given:
        return "embedded"
    try:
        parts = urlsplit(given)
        # Without user and password: run.json is meant to be shown around.
        address = f"{parts.hostname}:{parts.port or 5432}{parts.path}"
    except ValueError as error:
        raise BadInput(f"DATABASE_URL is not an address: {error}") from None
    if parts.scheme not in _DATABASE_SCHEMES or not parts.hostname:
        raise BadInput(
            f"DATABASE_URL begins with '{parts.scheme[:20]}': "
            "give it a value such as postgresql://user@localhost:5432/name"
        )
    return address


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
