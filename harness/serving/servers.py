"""Makes targets of stacks: command lines of servers, start, readiness, stop.

Only this module starts measured servers. It has what must be equal for all of them, such as
keep-alive, access log and workers; stacks.toml has what makes a stack different.
"""

from __future__ import annotations

import contextlib
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import psutil

from harness.checking.exchange import unreachable
from harness.errors import ServerFailed
from harness.models import Stack
from harness.planning.stacks import worker_count
from harness.processes import children as processes
from harness.processes.children import Child
from harness.serving.own import Secrets, command_of, readiness_of
from harness.serving.targets import Readiness, Target

#: Longer than any pause between two slices, so that connections stay open. The defaults differ:
#: 2 s in Gunicorn, 5 s in Uvicorn.
KEEP_ALIVE_S = 600
#: How long a server that is told to stop has for requests in flight.
GRACE_S = 1
#: Granian has one limit for idle connections and for requests that arrive in pieces; it accepts at
#: most a minute.
_GRANIAN_KEEP_ALIVE_S = 60
READY_WITHIN_S = 60.0
#: For every stack that starts at the same time: they share the machine, and importing is work.
_READY_MORE_S = 5.0
_PORT_TRIES = 3
#: How every stack says that it is ready.
READY_STATUS = 200
READY = Readiness("/healthz", READY_STATUS)
#: A start takes hundreds of times as long, and a refused request takes us 0.05 ms on a core that is
#: not the server's.
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


#: What `flask` does, without the access log: there is no option for it.
_FLASK = (
    "import logging; logging.getLogger('werkzeug').setLevel(logging.WARNING); "
    "from flask.cli import main; main()"
)


def _werkzeug(stack: Stack, port: int, workers: int) -> list[str]:
    # One process with a thread for each connection, which it closes after each reply: it takes no
    # number of workers, no keep-alive and no timeout.
    return [
        *(sys.executable, "-c", _FLASK, "--app", stack.app, "run"),
        *("--host", "127.0.0.1", "--port", str(port)),
        *stack.options,
    ]


COMMANDS: Mapping[str, Callable[[Stack, int, int], list[str]]] = {
    "gunicorn": _gunicorn,
    "uvicorn": _uvicorn,
    "granian": _granian,
    "werkzeug": _werkzeug,
}


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
) -> Iterator[dict[str, Target]]:
    """Start stacks side by side, wait until all answer, pin them, and stop them at the end.

    Args:
        stacks: What to start; labels are unique.
        workers: Worker processes of each stack that has no number of its own.
        environment: TWIN_* variables that all stacks share (database, upstream).
        cores: Cores to confine them to once they answer.
        start_cores: Cores that they may use until then.
        logs: Folder for their logs.
        folder: Working directory, from which `apps` can be imported.
        check: Called while waiting; raises if what the stacks depend on has ended.

    Raises:
        ServerFailed: A server ended or did not answer in time.
    """
    started: list[Child] = []
    try:
        targets = {stack.label: _running(stack) for stack in stacks if stack.is_running}
        ours = [stack for stack in stacks if not stack.is_running]
        pending = list(zip(ours, processes.free_ports(len(ours)), strict=True))
        for stack, port in pending:
            count = worker_count(stack, workers, cores)
            started.append(_spawn(stack, port, count, environment, start_cores, logs, folder))
        within_s = READY_WITHIN_S + _READY_MORE_S * (len(ours) - 1)
        for position, (stack, port) in enumerate(pending):
            tries = 1
            while not (ready := _await_ready(stack, started[position], port, check, within_s)):
                # Another process took the port after we had found it free.
                if tries == _PORT_TRIES:
                    what = "stack" if stack.own is None else "service"
                    raise ServerFailed(
                        f"{what} '{stack.label}' says {tries} times that an address is in use. The port "
                        "that we gave it was free, so perhaps another one at which it listens is "
                        "not; its last lines:",
                        detail=Secrets.of([stack]).hidden(started[position].last_lines()),
                    )
                tries += 1
                processes.stop([started[position]])
                port = processes.free_port()
                count = worker_count(stack, workers, cores)
                started[position] = _spawn(
                    stack, port, count, environment, start_cores, logs, folder
                )
            label = stack.label
            targets[label] = Target(label, _url(port), started[position], *ready)
        for target in targets.values():
            if target.child is not None:
                processes.pin(target.tree, cores)
        yield targets
    finally:
        processes.stop(started)


def settings_of(stack: Stack) -> dict[str, str]:
    """The TWIN_* variables of a stack's own settings."""
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
    if stack.own is not None:
        command = command_of(stack, port, environment)
        return Child(
            stack.label,
            command.words,
            log=logs / f"{stack.label}-{port}.log",
            environment=command.environment,
            cores=cores,
            folder=command.folder,
            marked=True,
        )
    return Child(
        stack.label,
        COMMANDS[stack.server](stack, port, workers),
        log=logs / f"{stack.label}-{port}.log",
        environment={**environment, **settings_of(stack)},
        cores=cores,
        folder=folder,
    )


def _running(stack: Stack) -> Target:
    """A service that runs already, if it answers."""
    assert stack.own is not None
    ready = readiness_of(stack)
    body = ready.ask(stack.own.url)
    if body is None:
        if why := unreachable(stack.own.url, verify_tls=stack.own.verify_tls):
            insecure = "; --insecure accepts it" if "certificate" in why else ""
            raise ServerFailed(
                f"service '{stack.label}': {stack.own.url} can't be reached: {why}{insecure}"
            )
        raise ServerFailed(
            f"service '{stack.label}': {stack.own.url} does not answer GET {ready.path} with a status "
            "below 500: is it running, and is the address right?"
        )
    return Target(stack.label, stack.own.url, first_reply=body)


def _await_ready(
    stack: Stack, child: Child, port: int, check: Callable[[], None], within_s: float
) -> tuple[float, bytes] | None:
    """Seconds from spawn to the first good reply, and its body; None if the port was taken."""
    readiness, what = READY, "stack"
    if stack.own is not None:
        readiness, what = readiness_of(stack), "service"
    hidden = Secrets.of([stack]).hidden
    deadline = child.spawned_at + within_s
    while time.monotonic() < deadline:
        check()
        if child.exit_code() is not None:
            if "address already in use" in child.last_lines(40).lower():
                return None
            raise ServerFailed(
                f"{what} '{child.name}' ended at its start with exit code {child.exit_code()}"
                f"{' (it has to stay in the foreground)' if child.exit_code() == 0 else ''}; "
                "its last lines:",
                detail=hidden(child.last_lines()),
            )
        body = readiness.ask(_url(port))
        ready_s = time.monotonic() - child.spawned_at
        if body is not None and _listens(child, port):
            return ready_s, body
        time.sleep(_LOOK_AGAIN_S)
    raise ServerFailed(
        f"{what} '{child.name}' did not answer GET {readiness.path} within {within_s:.0f} s; "
        "its last lines:",
        detail=hidden(child.last_lines()),
    )


def _url(port: int) -> str:
    return f"http://127.0.0.1:{port}"


def _listens(child: Child, port: int) -> bool:
    """Whether a process of this tree listens there, and not somebody else's."""
    for pid in child.tree():
        with contextlib.suppress(psutil.Error):
            for connection in psutil.Process(pid).net_connections("tcp"):
                if connection.status == psutil.CONN_LISTEN and connection.laddr.port == port:
                    return True
    return False
