"""`twinbench connections` with real servers."""

import json
import signal
from collections.abc import Callable
from pathlib import Path

import pytest

from harness import store
from tests.integration.conftest import Command, Ended, wait_for

pytestmark = pytest.mark.thorough


def test_half_sent_requests_take_all_threads_and_no_event_loop(
    twinbench: Callable[..., Command], tmp_path: Path
) -> None:
    command = twinbench(
        *("connections", "--profile", "smoke", "--rounds", 1, "--connections", 60),
        *("--stack", "flask-gthread", "--stack", "fastapi-uvicorn"),
        *("--held", "half-sent", "--held", "websocket", "--json", "--out", tmp_path),
    )
    code, out, err = command.finish()
    assert code == 0, err
    assert command.left_running() == []
    said = json.loads(out)
    rows = {
        (row["held"], row["stack"]): row for row in said["connections"] if row["connections"] == 60
    }
    # flask-gthread has 40 threads. Each waits for the rest of a request, or serves a WebSocket.
    assert rows["half-sent", "flask-gthread"]["others_answered"] == 0
    assert rows["websocket", "flask-gthread"]["held_least"] <= 40
    assert rows["websocket", "flask-gthread"]["others_answered"] == 0
    for held in ("half-sent", "websocket"):
        row = rows[held, "fastapi-uvicorn"]
        assert row["held_least"] == 60
        assert row["others_answered"] == row["others_asked"] == 10
    folder = Path(said["run"])
    assert (folder / "connections.csv").is_file()
    assert (folder / "report" / "charts" / "connections.svg").is_file()
    assert store.read_connections(folder).ended
    (folder / "connections.csv").unlink()
    again = twinbench("report", folder, "--json").finish()
    assert (again[0], json.loads(again[1])) == (0, said)
    assert (folder / "connections.csv").is_file()


def test_what_was_interrupted_goes_on_where_it_was(
    twinbench: Callable[..., Command], tmp_path: Path
) -> None:
    chosen = ("--stack", "fastapi-uvicorn", "--held", "keep-alive", "--held", "half-sent")
    command = twinbench(
        *("connections", "--profile", "smoke", "--rounds", 2, "--connections", 30, *chosen),
        *("--out", tmp_path),
    )
    wait_for(lambda: any(tmp_path.glob("connections/*/connections.json")), "the first series")
    command.process.send_signal(signal.SIGINT)
    code, _, err = command.finish()
    assert code == 130, err
    (folder,) = tmp_path.glob("connections/*")
    assert f"twinbench connections --resume {folder}" in err
    before = store.read_connections(folder)
    assert before.ended is None
    assert 1 <= len(before.series) < 4
    code, _, err = twinbench("connections", "--resume", folder, "--json").finish()
    assert code == 0, err
    after = store.read_connections(folder)
    assert after.series[: len(before.series)] == before.series
    assert len({(each.round, each.held) for each in after.series}) == len(after.series) == 4
    code, _, err = twinbench("connections", "--resume", folder).finish()
    assert code == 2
    assert "is complete" in err
    code, _, err = twinbench("connections", "--resume", folder, "--rounds", 3).finish()
    assert code == 2
    assert "leave out --rounds" in err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--connections", "0"), "--connections 0: give between 1 and 60,000 connections"),
        (("--connections", "9,8"), "--connections 9,8: give rising numbers"),
        (("--connections", "x"), "'x' is not a whole number"),
        (("--held", "open"), "'open' is not one of 'keep-alive', 'websocket', 'half-sent'"),
        (("--stack", "flask-gtread"), "did you mean flask-gthread"),
    ],
)
def test_bad_input_is_one_line_before_anything_starts(
    here: Callable[..., Ended], tmp_path: Path, arguments: tuple[str, ...], message: str
) -> None:
    code, out, err = here("connections", *arguments, "--out", tmp_path / "new").finish()
    assert (code, out) == (2, "")
    assert message in err
    assert not (tmp_path / "new").exists()


def test_more_connections_than_open_files_are_refused_before_anything_starts(
    twinbench: Callable[..., Command], tmp_path: Path
) -> None:
    limited = ("bash", "-c", 'ulimit -n 512; exec "$@"', "-")
    code, out, err = twinbench(
        "connections", "--connections", 1000, "--out", tmp_path, prefix=limited
    ).finish()
    assert (code, out) == (3, "")
    assert "holding 1,000 connections needs 1,184 open files in one process" in err
    assert "give --connections 328 or fewer" in err
    assert list(tmp_path.iterdir()) == []
