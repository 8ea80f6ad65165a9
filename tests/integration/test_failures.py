"""When something dies in the middle of a run, the run says so, and shows no number for it."""

import csv
import json
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from harness.planning.scenarios import load_scenarios
from tests.integration.conftest import Command, wait_for

USERS = load_scenarios()["hello"].users


def started(command: Command, part: str) -> list[psutil.Process]:
    """Processes of a run that have `part` in their command lines."""
    found = []
    for process in psutil.Process(command.process.pid).children(recursive=True):
        try:
            if part in " ".join(process.cmdline()):
                found.append(process)
        except psutil.Error:
            continue  # it ended while we looked
    return found


def loaded(process: psutil.Process) -> bool:
    """Whether users are connected to it."""
    try:
        connections = process.net_connections("tcp")
    except psutil.Error:
        return False
    return sum(c.status == psutil.CONN_ESTABLISHED for c in connections) >= USERS


def long_slices(
    twinbench: Callable[..., Command], out: Path, stack: str, scenario: str = "hello"
) -> Command:
    return twinbench(
        "run",
        scenario,
        "--stack",
        stack,
        "--profile",
        "smoke",
        "--slice",
        2,
        "--json",
        "--out",
        out,
    )


@pytest.mark.thorough
def test_a_worker_that_is_killed_makes_its_cell_invalid(
    twinbench: Callable[..., Command], tmp_path: Path
) -> None:
    command = long_slices(twinbench, tmp_path, "flask-gthread")
    wait_for(lambda: any(map(loaded, started(command, "gunicorn"))), "load on a worker")
    worker = next(filter(loaded, started(command, "gunicorn")))
    wait_for(lambda: worker.cpu_times().user > 0, "its clock")
    first = worker.cpu_times().user
    wait_for(lambda: worker.cpu_times().user > first + 0.2, "the first slice")
    worker.kill()
    code, out, err = command.finish()
    assert code == 1, err
    (row,) = json.loads(out)["summary"]
    assert row["valid"] is False
    assert "server alive: 1 of the server's 2 processes ended" in row["reason"]
    (table,) = tmp_path.glob("*/summary.csv")
    with table.open() as file:
        assert next(csv.DictReader(file))["valid"] == "false"
    assert command.left_running() == []


@pytest.mark.thorough
def test_a_server_that_is_killed_makes_its_cell_invalid_and_the_run_goes_on(
    twinbench: Callable[..., Command], tmp_path: Path
) -> None:
    command = long_slices(twinbench, tmp_path, "fastapi-uvicorn")
    part = "apps.fastapi_twin"
    wait_for(lambda: any(map(loaded, started(command, part))), "load on the server")
    server = next(filter(loaded, started(command, part)))
    first = server.cpu_times().user
    wait_for(lambda: server.cpu_times().user > first + 0.2, "the first slice")
    server.kill()
    code, out, err = command.finish()
    assert code == 1, err
    (row,) = json.loads(out)["summary"]
    assert row["valid"] is False
    assert row["rounds"] == 2
    assert "errors" in row["reason"]
    assert "server alive: the server ended with exit code -9" in row["reason"]


def test_a_service_that_dies_ends_the_run_with_its_name(
    twinbench: Callable[..., Command], tmp_path: Path
) -> None:
    command = long_slices(twinbench, tmp_path, "fastapi-uvicorn", "weather")
    wait_for(lambda: any(map(loaded, started(command, "apps.fastapi_twin"))), "load")
    (upstream,) = started(command, "apps.upstream")
    upstream.kill()
    code, out, err = command.finish()
    assert code == 3, err
    assert "upstream ended in the middle of the run" in json.loads(out)["error"]
    assert command.left_running() == []


def test_a_load_process_that_dies_ends_the_run_with_its_name(
    twinbench: Callable[..., Command], tmp_path: Path
) -> None:
    command = long_slices(twinbench, tmp_path, "fastapi-uvicorn")
    wait_for(lambda: any(map(loaded, started(command, "apps.fastapi_twin"))), "load")
    (load,) = started(command, "harness.load")
    load.kill()
    code, _, err = command.finish()
    assert code == 3, err
    assert "the load process died" in err
    assert command.left_running() == []
