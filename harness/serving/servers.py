"""Servers under test: command lines, start, readiness, stop.

The only code that starts a measured server. What must be equal for all of them stands here
once (keep-alive, access log, workers); what makes a stack itself stands in stacks.toml.
Only a stack that is there for its number of workers has a number of its own.
"""

from __future__ import annotations

import contextlib
import http.client
import socket
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil

from harness.errors import ServerFailed
from harness.models import Stack
from harness.planning.stacks import worker_count
from harness.processes import children as processes
from harness.processes.children import Child

#: Longer than any pause between two slices, so that connections stay open. Gunicorn's own
#: default is 2 s and Uvicorn's 5 s: left alone, they would not be compared alike.
KEEP_ALIVE_S = 600
#: A server that is told to stop has this long for requests in flight.
GRACE_S = 1
#: Granian has one time limit for an idle connection and for a request that comes in pieces, and
#: takes no more than a minute.
_GRANIAN_KEEP_ALIVE_S = 60
READY_WITHIN_S = 60.0
#: More for every stack that starts beside it: they share the machine, and importing is work.
_READY_MORE_S = 5.0
_PORT_TRIES = 3
#: A start takes hundreds of times as long, and a look that is refused takes us 0.05 ms, on a
#: core that is not the server's.
_LOOK_AGAIN_S = 0.001


def _gunicorn(stack: Stack, port: int, workers: int) -> list[str]:
    return [
        *(sys.executable, "-m", "gunicorn", f"{stack.app}()"),
        *("--bind", f"127.0.0.1:{port}"),
        *("--workers", str(workers)),
        *("--keep-alive", str(KEEP_ALIVE_S)),
        *("--graceful-timeout", str(GRACE_S)),
        *("--log-level", "warning"),  # the access log is off unless asked for
        "--no-control-socket",  # all servers of one machine would share its path
        *stack.options,
    ]


def _uvicorn(stack: Stack, port: int, workers: int) -> list[str]:
    return [
        *(sys.executable, "-m", "uvicorn", "--factory", stack.app),
        *("--host", "127.0.0.1", "--port", str(port)),
        *("--workers", str(workers)),  # always, or WEB_CONCURRENCY would decide
        *("--timeout-keep-alive", str(KEEP_ALIVE_S)),
        *("--timeout-graceful-shutdown", str(GRACE_S)),
        *("--log-level", "warning", "--no-access-log"),
        *stack.options,
    ]


def _granian(stack: Stack, port: int, workers: int) -> list[str]:
    return [
        *(sys.executable, "-m", "granian", "--factory", stack.app),
        *("--host", "127.0.0.1", "--port", str(port)),
        *("--workers", str(workers)),
        *("--http", "1", "--http1-keep-alive"),
        *("--http1-header-read-timeout", str(_GRANIAN_KEEP_ALIVE_S * 1000)),
        *("--workers-kill-timeout", str(GRACE_S)),
        *("--log-level", "warning", "--no-access-log"),
        *stack.options,
    ]


COMMANDS: Mapping[str, Callable[[Stack, int, int], list[str]]] = {
    "gunicorn": _gunicorn,
    "uvicorn": _uvicorn,
    "granian": _granian,
}


@dataclass(frozen=True, slots=True)
class Server:
    """A stack that answers."""

    stack: Stack
    url: str
    child: Child
    ready_s: float  # from spawn to the first good answer
    answer: bytes  # that one's body


@contextmanager
def serving(
    stacks: Sequence[Stack],
    *,
    workers: int,
    environment: Mapping[str, str],
    cores: Sequence[int],
    start_cores: Sequence[int],
    logs: Path,
    folder: Path,
    check: Callable[[], None] = lambda: None,
) -> Iterator[dict[str, Server]]:
    """Start stacks side by side, wait until all answer, pin them, and stop them at the end.

    Args:
        stacks: what to start; labels are unique.
        workers: worker processes of each that has no number of its own.
        environment: TWIN_* variables that all share (database, upstream).
        cores: where to confine them once they answer.
        start_cores: where they may run until then.
        logs: folder for their output.
        folder: working directory, from which `apps` can be imported.
        check: called while waiting; raises if what the stacks depend on has ended.

    Raises:
        ServerFailed: one of them ended or did not answer in time.
    """
    started: list[Child] = []
    try:
        pending = list(zip(stacks, processes.free_ports(len(stacks)), strict=True))
        for stack, port in pending:
            count = worker_count(stack, workers, cores)
            started.append(_spawn(stack, port, count, environment, start_cores, logs, folder))
        servers = {}
        within_s = READY_WITHIN_S + _READY_MORE_S * (len(stacks) - 1)
        for position, (stack, port) in enumerate(pending):
            tries = 1
            while not (ready := _await_ready(started[position], port, check, within_s)):
                # Somebody took the port between our look and the server's.
                if tries == _PORT_TRIES:
                    raise ServerFailed(f"stack '{stack.label}': no port stays free")
                tries += 1
                processes.stop([started[position]])
                port = processes.free_port()
                count = worker_count(stack, workers, cores)
                started[position] = _spawn(
                    stack, port, count, environment, start_cores, logs, folder
                )
            url = f"http://127.0.0.1:{port}"
            servers[stack.label] = Server(stack, url, started[position], *ready)
        for server in servers.values():
            processes.pin(server.child.tree, cores)
        yield servers
    finally:
        processes.stop(started)


def settings_of(stack: Stack) -> dict[str, str]:
    """The TWIN_* variables that make a stack another than its neighbour."""
    return {f"TWIN_{key.upper()}": value for key, value in stack.settings.items()}


def _spawn(
    stack: Stack,
    port: int,
    workers: int,
    environment: Mapping[str, str],
    cores: Sequence[int],
    logs: Path,
    folder: Path,
) -> Child:
    return Child(
        stack.label,
        COMMANDS[stack.server](stack, port, workers),
        log=logs / f"{stack.label}-{port}.log",
        environment={**environment, **settings_of(stack)},
        cores=cores,
        folder=folder,
    )


def _await_ready(
    child: Child, port: int, check: Callable[[], None], within_s: float
) -> tuple[float, bytes] | None:
    """Seconds from spawn to the first good answer, and its body; None when the port was taken."""
    deadline = child.spawned_at + within_s
    while time.monotonic() < deadline:
        check()
        if child.exit_code() is not None:
            if "address already in use" in child.last_lines(40).lower():
                return None
            raise ServerFailed(
                f"stack '{child.name}' ended at its start with exit code {child.exit_code()}; "
                "its last lines:",
                detail=child.last_lines(),
            )
        body = _answer(port)
        ready_s = time.monotonic() - child.spawned_at
        if body is not None and _listens(child, port):
            return ready_s, body
        time.sleep(_LOOK_AGAIN_S)
    raise ServerFailed(
        f"stack '{child.name}' did not answer GET /healthz within {within_s:.0f} s; "
        "its last lines:",
        detail=child.last_lines(),
    )


def _listens(child: Child, port: int) -> bool:
    """Whether it is this very tree of processes that answers there, and not somebody else."""
    for pid in child.tree():
        with contextlib.suppress(psutil.Error):
            for connection in psutil.Process(pid).net_connections("tcp"):
                if connection.status == psutil.CONN_LISTEN and connection.laddr.port == port:
                    return True
    return False


def answers(port: int) -> bool:
    """Whether an HTTP server on this port says that it is ready."""
    return _answer(port) is not None


def _answer(port: int) -> bytes | None:
    """What an HTTP server on this port answers to GET /healthz; None unless it is ready.

    Where a server listens before it can answer, the request waits in its queue: it is not asked
    again and again while it starts.
    """
    with socket.socket() as sock:
        sock.settimeout(5)
        if sock.connect_ex(("127.0.0.1", port)) or sock.getsockname()[1] == port:
            return None  # nobody listens; or, by chance, the port was ours and we met ourselves
        connection = http.client.HTTPConnection("127.0.0.1", port)
        connection.sock = sock  # it would open one more slowly, to be refused hundreds of times
        try:
            connection.request("GET", "/healthz", headers={"connection": "close"})
            reply = connection.getresponse()
            body = reply.read()
        except (OSError, http.client.HTTPException):
            return None
        return body if reply.status == 200 else None
