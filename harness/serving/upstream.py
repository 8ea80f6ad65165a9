"""The upstream weather service: the scenario `weather` waits for it for a stated time."""

from __future__ import annotations

import http.client
import json
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from harness.errors import BadInput, ServiceFailed
from harness.machine import environment
from harness.models import Plan
from harness.processes import children as processes
from harness.processes.children import Child
from harness.serving.servers import KEEP_ALIVE_S
from harness.serving.service import Service
from harness.serving.targets import Readiness

_NAME = "upstream"
_READY = Readiness("/healthz")
_READY_WITHIN_S = 30.0
_ANSWERS_WITHIN_S = 10.0


@contextmanager
def running(
    *,
    latency: str,
    seed: int,
    cores: Sequence[int],
    logs: Path,
    folder: Path,
    environ: Mapping[str, str],
) -> Iterator[Service]:
    """Start an upstream, or take the one in UPSTREAM_URL; see services.running."""
    address = environment.upstream_address(environ)
    if address is not None:
        yield Service(_NAME, _variables(*address), None, partial(check, address, latency))
        return
    host, port = "127.0.0.1", processes.free_port()
    child = Child(
        _NAME,
        [sys.executable, *arguments(port)],
        log=logs / "upstream.log",
        environment={"UPSTREAM_LATENCY": latency, "UPSTREAM_SEED": str(seed)},
        cores=cores,
        folder=folder,
    )
    try:
        yield Service(
            _NAME,
            _variables(host, port),
            child,
            partial(_wait, child, port),
            partial(change_latency, (host, port)),
        )
    finally:
        processes.stop([child])


def arguments(port: int) -> list[str]:
    """Arguments of Python that start the upstream; docker-compose.yml repeats them."""
    return [
        *("-m", "uvicorn", "apps.upstream:app"),
        *("--host=127.0.0.1", f"--port={port}", "--workers=1"),
        f"--timeout-keep-alive={KEEP_ALIVE_S}",
        "--timeout-graceful-shutdown=1",
        *("--log-level=warning", "--no-access-log"),
    ]


def _variables(host: str, port: int) -> dict[str, str]:
    host = f"[{host}]" if ":" in host else host  # IPv6
    return {"TWIN_UPSTREAM_URL": f"http://{host}:{port}"}


def _wait(child: Child, port: int) -> None:
    """Wait until the upstream that we started answers."""
    deadline = time.monotonic() + _READY_WITHIN_S
    while _READY.ask(f"http://127.0.0.1:{port}") is None:
        if child.exit_code() is not None or time.monotonic() > deadline:
            raise ServiceFailed(
                "the upstream weather service did not start; its last lines:",
                detail=child.last_lines(),
            )
        time.sleep(0.02)


def check(address: tuple[str, int], latency: str) -> None:
    """Wait until an upstream that somebody else started answers; refuse another latency.

    Raises:
        ServiceFailed: It does not answer.
        BadInput: It is something else than apps.upstream, or has another latency.
    """
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


def check_changeable(plan: Plan, environ: Mapping[str, str]) -> None:
    """Refuse a plan that changes the latency of an upstream that is not ours.

    Raises:
        BadInput: UPSTREAM_URL names an upstream, or is malformed.
    """
    changes = any(block.load.io_ms is not None for block in plan.blocks)
    if changes and environment.upstream_address(environ) is not None:
        raise BadInput(
            "--io-ms changes the latency of the upstream that twinbench starts: unset UPSTREAM_URL"
        )


def change_latency(address: tuple[str, int], latency: str) -> None:
    """Make an upstream take so long from now on, unless it does already.

    Raises:
        ServiceFailed: It does not do so.
    """
    try:
        if _latency_of(address) == latency:
            return
        _latency_of(address, "PUT", f"/latency?{latency}")
        found = _latency_of(address)
    except (OSError, http.client.HTTPException) as error:
        raise ServiceFailed(f"the upstream does not answer: {error}") from error
    if found != latency:
        raise ServiceFailed(f"the upstream has a latency of {found} and does not take {latency}")


def _latency_of(address: tuple[str, int], method: str = "GET", target: str = "/healthz") -> object:
    """Ask an upstream for its latency, or change it; None if it does not say."""
    connection = http.client.HTTPConnection(*address, timeout=_ANSWERS_WITHIN_S)
    try:
        connection.request(method, target, headers={"connection": "close"})
        said = json.loads(connection.getresponse().read())
    except ValueError:  # not JSON
        return None
    finally:
        connection.close()
    return said.get("latency") if isinstance(said, dict) else None
