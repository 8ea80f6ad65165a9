"""`twinbench map` on real servers, and what it refuses before anything starts."""

import csv
import json
import signal
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.integration.conftest import Command, Ended, journal_lines, wait_for
from tests.integration.test_bad_input import failed

IO_MS, USERS = (0, 20), (1, 8)


@pytest.mark.thorough
def test_a_map_has_all_tiles_and_an_interrupted_one_goes_on(
    twinbench: Callable[..., Command], tmp_path: Path
) -> None:
    command = twinbench(
        *("map", "--profile", "smoke", "--work", 5, "--queries", 1, "--seed", 3),
        *("--io-ms", ",".join(map(str, IO_MS)), "--users", ",".join(map(str, USERS))),
        *("--out", tmp_path),
    )
    wait_for(lambda: any(tmp_path.glob("*/run.json")) and journal_lines(tmp_path) >= 2, "a block")
    command.process.send_signal(signal.SIGINT)
    code, _, err = command.finish()
    assert code == 130, err
    assert command.left_running() == []
    (folder,) = (path.parent for path in tmp_path.glob("*/run.json"))
    had = (folder / "journal.jsonl").read_text()
    code, out, err = twinbench("map", "--resume", folder, "--json").finish()
    assert code in {0, 1}, err  # 1: a smoke run on a busy machine may be invalid
    assert (folder / "journal.jsonl").read_text().startswith(had)
    tiles = json.loads(out)["map"]
    assert [(row["users"], row["io_ms"], row["work"]) for row in tiles] == [
        (users, io_ms, 5) for users in USERS for io_ms in IO_MS
    ]
    assert all(row["rounds"] == 2 and row["ratio"] > 0 for row in tiles)
    with (folder / "map.csv").open() as file:
        assert len(list(csv.DictReader(file))) == len(tiles)
    assert (folder / "report" / "charts" / "map.svg").is_file()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--io-ms", "5"), "--io-ms 5: a map needs at least 2 values, such as 1,10,100"),
        (("--users", "10,1"), "--users 10,1: give each value once, in rising order"),
        (("--users", ""), "'' is not a whole number; write several like 4,64"),
        (("--stack", "flask-gthread"), "a map compares; give two stacks or more"),
        (("--stack", "flask-gthread", "--stack", "falsk"), "unknown stack 'falsk'"),
        (("--queries", "99"), "--queries 99: give 0 to 20 lookups"),
        (("--work", "0", "--resume", "x"), "leave out --work"),
    ],
)
def test_what_makes_no_map_is_refused_in_one_line(
    here: Callable[..., Ended], tmp_path: Path, arguments: tuple[str, ...], message: str
) -> None:
    command = here("map", *arguments, environment={"TWINBENCH_OUT": str(tmp_path)})
    assert message in failed(command, 2)
    assert list(tmp_path.iterdir()) == []
