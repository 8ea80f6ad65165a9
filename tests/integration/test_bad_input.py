"""One clear line, the right exit code, nothing left running."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from harness.processes.children import free_port
from tests.integration.conftest import Command


def failed(command: Command, code: int) -> str:
    """The first line of the complaint, after checking what is true of all complaints."""
    got, out, err = command.finish()
    assert got == code, err
    assert out == ""
    assert "Traceback" not in err.split("its last lines:")[0]
    assert command.all_gone_within(0.5) == []
    lines = [line for line in err.splitlines() if line.startswith("twinbench: ")]
    assert len(lines) == 1, err
    return lines[0]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["run", "wether"], "unknown scenario 'wether': did you mean weather?"),
        (["run", "hello", "--stack", "flask-gtread"], "did you mean flask-gthread"),
        (["run", "hello", "--users", "0"], "--users 0: give between 1 and 10,000 users"),
        (["run", "hello", "--users", "many"], "'many' is not a valid integer"),
        (["run", "hello", "--rate", "0"], "--rate 0: give 1 to 1,000,000 requests a second"),
        (["run", "hello", "--rate", "fast"], "'fast' is not a valid float"),
        (["run", "hello", "--generators", "0"], "--generators 0: give 1 to"),
        (["run", "hello", "--precision", "narrow"], "'narrow' is not a share such as 3% or 0.03"),
        (["run", "--profile", "quik"], "'quik' is not one of"),
        (["run", "hello", "--out", "/dev/null/results"], "can't write results to"),
        (["serve", "fastapi"], "unknown stack 'fastapi': did you mean fastapi-"),
        (["report", "nowhere"], "unknown run 'nowhere'"),
        (["list", "stack"], "'stack' is not one of"),
    ],
)
def test_what_can_not_be_done_is_said_in_one_line(
    twinbench: Callable[..., Command], tmp_path: Path, arguments: list[str], message: str
) -> None:
    environment = {"TWINBENCH_OUT": str(tmp_path)}
    code = 3 if "can't write" in message else 2
    assert message in failed(twinbench(*arguments, environment=environment), code)
    assert list(tmp_path.iterdir()) == []


def test_who_asked_for_json_gets_json_in_failure_too(twinbench: Callable[..., Command]) -> None:
    code, out, err = twinbench("run", "wether", "--json").finish()
    assert code == 2
    said = json.loads(out)
    assert said["exit_code"] == 2
    assert "did you mean weather?" in said["error"]
    assert said["error"] in err


def test_a_malformed_stacks_file_is_named_with_its_line(
    twinbench: Callable[..., Command], tmp_path: Path
) -> None:
    file = tmp_path / "stacks.toml"
    file.write_text('[mine]\ntwin = "django"\n')
    command = twinbench("run", "hello", "--stacks-file", file, "--out", tmp_path / "out")
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
    assert command.all_gone_within(0.5) == []
    assert list((tmp_path / "out").iterdir()) == []


def test_a_database_that_does_not_answer_is_named(
    twinbench: Callable[..., Command], tmp_path: Path
) -> None:
    address = f"postgresql://nobody:secret@127.0.0.1:{free_port()}/none"
    command = twinbench(
        "run", "users-lookup", "--out", tmp_path, environment={"DATABASE_URL": address}
    )
    code, _, err = command.finish()
    assert code == 3
    assert "the database could not be filled" in err
    assert "secret" not in err
    assert command.all_gone_within(0.5) == []


@pytest.mark.parametrize(
    "address",
    ["mysql://u:secret@h/d", "garbage", "postgresql://u:secret@h:port/d", "postgresql://u@[::1/d"],
)
def test_what_is_no_address_of_a_postgresql_is_bad_input_and_its_password_is_not_shown(
    twinbench: Callable[..., Command], tmp_path: Path, address: str
) -> None:
    command = twinbench("run", "hello", "--out", tmp_path, environment={"DATABASE_URL": address})
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
    assert command.all_gone_within(0.5) == []
    assert list(tmp_path.iterdir()) == []
