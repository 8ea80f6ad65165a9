"""`twinbench sweep` on real servers, and what it refuses before anything starts."""

import csv
import json
import signal
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.integration.conftest import Command, Ended, journal_lines, wait_for
from tests.integration.test_bad_input import failed

USERS = (1, 4, 16)


@pytest.mark.thorough
def test_a_sweep_writes_curves_and_an_interrupted_one_goes_on(
    twinbench: Callable[..., Command], tmp_path: Path
) -> None:
    command = twinbench(
        "sweep", "hello", "--users", ",".join(map(str, USERS)), "--profile", "smoke",
        "--seed", 3, "--out", tmp_path,
    )  # fmt: skip
    wait_for(lambda: any(tmp_path.glob("*/run.json")) and journal_lines(tmp_path) >= 2, "a block")
    command.process.send_signal(signal.SIGINT)
    code, _, err = command.finish()
    assert code == 130, err
    assert command.left_running() == []
    (folder,) = (path.parent for path in tmp_path.glob("*/run.json"))
    had = (folder / "journal.jsonl").read_text()
    code, out, err = twinbench("sweep", "--resume", folder, "--json").finish()
    assert code in {0, 1}, err  # 1: a smoke run on a busy machine may be invalid
    assert (folder / "journal.jsonl").read_text().startswith(had)
    answer = json.loads(out)
    assert answer["seed"] == 3
    points = [(row["curve"], row["value"]) for row in answer["curves"]]
    assert points == [
        (stack, users) for stack in ("flask-gthread", "fastapi-uvicorn") for users in USERS
    ]
    assert all(row["rounds"] == 2 and row["throughput_rps"] > 0 for row in answer["curves"])
    assert {row["family"].partition(":")[0] for row in answer["comparisons"]} == {"loads"}
    assert [row["curve"] for row in answer["knees"]] == ["flask-gthread", "fastapi-uvicorn"]
    with (folder / "curves.csv").open() as file:
        assert len(list(csv.DictReader(file))) == len(points)
    assert (folder / "knees.csv").is_file()
    assert (folder / "report" / "charts" / "curves.svg").is_file()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((), "Missing argument 'SCENARIO'"),
        (("wether",), "unknown scenario 'wether': did you mean weather?"),
        (("startup",), "scenario 'startup' has no load that could be changed; these have one: "),
        (("hello", "--users", "4,2,1"), "--users 4,2,1: give each value once, in rising order"),
        (("hello", "--users", "4"), "--users 4: a curve needs at least 3 values"),
        (("hello", "--users", ""), "'' is not a whole number; write several like 4,64"),
        (("hello", "--users", "1,2,4", "--rate", "1,2,4"), "give one of these, since one thing"),
        (("hello", "--users", "1,2,4", "--resume", "x"), "leave out SCENARIO"),
    ],
)
def test_what_makes_no_curve_is_said_in_one_line(
    here: Callable[..., Ended], tmp_path: Path, arguments: tuple[str, ...], message: str
) -> None:
    command = here("sweep", *arguments, environment={"TWINBENCH_OUT": str(tmp_path)})
    assert message in failed(command, 2)
    assert list(tmp_path.iterdir()) == []


def test_more_connections_than_open_files_are_refused_before_anything_starts(
    twinbench: Callable[..., Command], tmp_path: Path
) -> None:
    limited = ("bash", "-c", 'ulimit -n 256; exec "$@"', "-")
    command = twinbench("sweep", "hello", "--users", "1,10,1000", "--out", tmp_path, prefix=limited)
    assert "with 1,000 connections to each of 2 stacks needs 2,064 open files" in failed(command, 2)
    assert list(tmp_path.iterdir()) == []
