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
        yield Service(_NAME, _variables(host, port), child, partial(_wait, child, port))
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


def _latency_of(address: tuple[str, int]) -> object:
    """Ask an upstream for its latency; None if it does not say."""
    connection = http.client.HTTPConnection(*address, timeout=_ANSWERS_WITHIN_S)
    try:
        connection.request("GET", "/healthz", headers={"connection": "close"})
        said = json.loads(connection.getresponse().read())
    except ValueError:  # not JSON
        return None
    finally:
        connection.close()
    return said.get("latency") if isinstance(said, dict) else None
