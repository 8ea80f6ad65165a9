"""One clear line, the right exit code, nothing left running."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from harness.planning.files import PROJECT
from tests.integration.conftest import Command, Ended
from tests.socket_server import nobody_listening


def failed(command: Command | Ended, code: int) -> str:
    """The first line of the complaint, after checking what is true of all complaints."""
    got, out, err = command.finish()
    assert got == code, err
    assert out == ""
    assert "Traceback" not in err.split("its last lines:")[0]
    assert command.left_running() == []
    lines = [line for line in err.splitlines() if line.startswith("twinbench: ")]
    assert len(lines) == 1, err
    return lines[0]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["run", "wether"], "unknown scenario 'wether': did you mean weather?"),
        (["run", "hello", "--stack", "flask-gtread"], "did you mean flask-gthread"),
        (["run", "hello", "--users", "0"], "--users 0: give between 1 and 10,000 users"),
        (["run", "hello", "--users", "many"], "'many' is not a whole number; write several like"),
        (["run", "hello", "--users", "4,x"], "'x' is not a whole number; write several like 4,64"),
        (["run", "hello", "--users", "4,4"], "--users 4: this load is given twice"),
        (["run", "hello", "--rate", "0"], "--rate 0: give 1 to 1,000,000 requests a second"),
        (["run", "hello", "--rate", "fast"], "'fast' is not a number"),
        (["run", "hello", "--workers", "0"], "--workers 0: give 1 to 64 worker processes"),
        (["run", "hello", "--workers", "-1"], "--workers -1: give 1 to 64 worker processes"),
        (["run", "hello", "--workers", "2n+"], "--workers '2n+': write whole numbers, n, 2n or"),
        (["sweep", "hello", "--workers", "1,2n+"], "--workers '2n+': write whole numbers, n, 2n"),
        (["run", "hello", "--workers", "2,1"], "--workers 2,1: give rising numbers, such as 1,2,4"),
        (["run", "hello", "--io-ms", "5"], "scenario 'hello' does not use the upstream: leave out"),
        (["run", "weather", "--io-ms", "slow"], "'slow' is not a number"),
        (["run", "hello", "--generators", "0"], "--generators 0: give 1 to"),
        (["run", "hello", "--precision", "narrow"], "'narrow' is not a share such as 3% or 0.03"),
        (["run", "hello", "--precision", "3"], "'3' is unclear: write 3% or 0.03"),
        (
            ["run", "hello", "--minutes", "3", "--rounds", "9"],
            "--minutes 3 --rounds 9: give one of the two, the time or the number of rounds",
        ),
        (["run", "hello", "--minutes", "0"], "--minutes 0: give more than 0 and at most 10,080"),
        (["run", "hello", "--precision", "80%"], "--precision 80.00%: give 0.1% to 50%"),
        (["run", "hello", "--same", "3"], "'3' is unclear: write 3% or 0.03"),
        (["report", "--same", "80%"], "--same 80.00%: give 0.1% to 50%"),
        (["run", "--profile", "quik"], "'quik' is not one of"),
        (["run", "hello", "--out", "/dev/null/results"], "can't write results to"),
        (["serve", "fastapi"], "unknown stack 'fastapi': did you mean fastapi-"),
        (["report", "nowhere"], "unknown run 'nowhere'"),
        (["list", "stack"], "'stack' is not one of"),
        (["cost", "--rate", "0"], "--rate 0: give more than 0 requests per second"),
        (["cost", "--rate", "9", "--headroom", "100%"], "--headroom 100%: give 0% to 99%"),
        (["cost", "--rate", "9", "--gib-hour", "-1"], "--gib-hour -1: give a price of 0 or more"),
        (
            ["advise", "--rate=0", "--io-ms=0", "--cpu-ms=0", "--db-queries=0", "--slo=p99<1s"],
            "--rate 0: give more than 0 requests per second",
        ),
        (
            ["advise", "--rate=9", "--io-ms=60", "--cpu-ms=0", "--db-queries=3", "--slo=p99<1s"],
            "no run of this machine in",
        ),
        (
            ["cost", str(PROJECT / "results" / "reference-bench"), "--rate", "9"],
            "has no capacity: 'twinbench capacity SCENARIO --slo",
        ),
    ],
)
def test_what_can_not_be_done_is_said_in_one_line(
    here: Callable[..., Ended], tmp_path: Path, arguments: list[str], message: str
) -> None:
    environment = {"TWINBENCH_OUT": str(tmp_path)}
    code = 3 if "can't write" in message else 2
    assert message in failed(here(*arguments, environment=environment), code)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("variable", "value", "message"),
    [
        ("ROUNDS", "abc", "Invalid value for TWINBENCH_ROUNDS: 'abc' is not a valid integer"),
        ("ROUNDS", "0", "TWINBENCH_ROUNDS: --rounds 0: give 1 to 10,000 rounds"),
        ("PROFILE", "quik", "Invalid value for TWINBENCH_PROFILE: 'quik' is not one of"),
        ("SCENARIOS", "hello wether", "TWINBENCH_SCENARIOS: unknown scenario 'wether': did you"),
        ("STACKS", "flask-gtread", "TWINBENCH_STACKS: unknown stack 'flask-gtread': did you mean"),
        ("OUT", "/dev/null/results", "TWINBENCH_OUT: can't write results to '/dev/null/results'"),
    ],
)
def test_a_wrong_value_from_the_environment_is_named_by_its_variable(
    here: Callable[..., Ended], tmp_path: Path, variable: str, value: str, message: str
) -> None:
    name = f"TWINBENCH_{variable}"
    command = here("run", environment={"TWINBENCH_OUT": str(tmp_path), name: value})
    assert message in failed(command, 3 if variable == "OUT" else 2)


def test_an_option_is_blamed_itself_where_it_overrules_a_variable(
    here: Callable[..., Ended], tmp_path: Path
) -> None:
    command = here("run", "--rounds", "0", "--out", tmp_path, environment={"TWINBENCH_ROUNDS": "3"})
    assert failed(command, 2).startswith("twinbench: --rounds 0: give 1 to")


@pytest.mark.parametrize("command", [(), ("--no-such-option",), ("run", "--no-such-option")])
def test_what_can_not_be_parsed_is_answered_with_the_usage(
    twinbench: Callable[..., Command], command: tuple[str, ...]
) -> None:
    code, out, err = twinbench(*command).finish()
    assert (code, out) == (2, "")
    assert f"Usage: {' '.join(('twinbench', *command[:-1]))} [OPTIONS]" in err


def test_a_run_that_needs_more_open_files_than_are_allowed_does_not_begin(
    twinbench: Callable[..., Command], tmp_path: Path
) -> None:
    limited = ("bash", "-c", 'ulimit -n 256; exec "$@"', "-")
    command = twinbench("run", "hello", "--users", "1000", "--out", tmp_path, prefix=limited)
    complaint = failed(command, 3)
    assert "needs 2,064 open files in one process, and 256 are allowed" in complaint
    assert "give --users 72 or fewer" in complaint
    assert list(tmp_path.iterdir()) == []


def test_who_asked_for_json_gets_json_in_failure_too(twinbench: Callable[..., Command]) -> None:
    code, out, err = twinbench("run", "wether", "--json").finish()
    assert code == 2
    said = json.loads(out)
    assert said["exit_code"] == 2
    assert "did you mean weather?" in said["error"]
    assert said["error"] in err


def test_a_malformed_stacks_file_is_named_with_its_line(
    here: Callable[..., Ended], tmp_path: Path
) -> None:
    file = tmp_path / "stacks.toml"
    file.write_text('[mine]\ntwin = "django"\n')
    command = here("run", "hello", "--stacks-file", file, "--out", tmp_path / "out")
    assert f"{file}:1: stack 'mine': field 'app' is missing" in failed(command, 2)


def stacks_file(folder: Path, app: str) -> Path:
    file = folder / "stacks.toml"
    file.write_text(
        f'[broken]\ntwin = "flask"\napp = "{app}"\nserver = "gunicorn"\nisolates = "a failure"\n'
    )
    return file


def test_a_server_that_dies_at_its_start_shows_its_last_lines(
    twinbench: Callable[..., Command], tmp_path: Path
) -> None:
    file = stacks_file(tmp_path, "apps.no_such_twin:create_app")
    command = twinbench(
        "run", "hello", "--stack", "broken", "--stacks-file", file, "--out", tmp_path / "out"
    )
    code, _, err = command.finish()
    assert code == 3
    assert "stack 'broken' ended at its start" in err
    assert "No module named 'apps.no_such_twin'" in err
    assert command.left_running() == []
    assert list((tmp_path / "out").iterdir()) == []


def test_a_database_that_does_not_answer_is_named(
    twinbench: Callable[..., Command], tmp_path: Path
) -> None:
    with nobody_listening() as url:
        address = f"postgresql://nobody:secret@{url.removeprefix('http://')}/none"
        command = twinbench(
            "run", "users-lookup", "--out", tmp_path, environment={"DATABASE_URL": address}
        )
        complaint = failed(command, 3)
    where = address.partition("@")[2]
    assert f"the PostgreSQL at {where}: Connection refused; check that server" in complaint
    assert "secret" not in complaint


@pytest.mark.parametrize(
    "address",
    ["mysql://u:secret@h/d", "garbage", "postgresql://u:secret@h:port/d", "postgresql://u@[::1/d"],
)
def test_what_is_no_address_of_a_postgresql_is_bad_input_and_its_password_is_not_shown(
    here: Callable[..., Ended], tmp_path: Path, address: str
) -> None:
    command = here("run", "hello", "--out", tmp_path, environment={"DATABASE_URL": address})
    code, out, err = command.finish()
    assert code == 2
    assert "DATABASE_URL" in err
    assert "secret" not in out + err
    assert list(tmp_path.iterdir()) == []


def test_a_postgresql_that_can_not_start_shows_its_last_lines(
    twinbench: Callable[..., Command], tmp_path: Path
) -> None:
    # No file may grow beyond 1 MiB, and a new cluster needs larger ones.
    limited = ("bash", "-c", 'ulimit -f 1024; exec "$@"', "-")
    command = twinbench("run", "users-lookup", "--out", tmp_path, prefix=limited)
    code, _, err = command.finish()
    assert code == 3
    assert "PostgreSQL's initdb failed" in err
    assert "File too large" in err
    assert command.left_running() == []
    assert list(tmp_path.iterdir()) == []
