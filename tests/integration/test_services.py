"""PostgreSQL from the wheel, and one that the user brings."""

from collections.abc import Callable
from pathlib import Path

import psycopg
import pytest

from apps import contract
from harness import store
from harness.checking import parity
from harness.machine import placement
from harness.planning.files import PROJECT, STACKS_FILE
from harness.planning.stacks import load_stacks
from harness.processes import children
from harness.serving import postgres, services
from harness.serving.servers import serving
from tests.integration.conftest import Command, assert_sound, cpu_clocks, wait_for


def test_a_database_of_the_users_own_is_filled_and_nothing_else_in_it_is_touched(
    tmp_path: Path,
) -> None:
    cores = placement.usable_cores()
    with postgres.embedded(cores, tmp_path) as (_, url):
        address = url.replace("postgresql+psycopg://", "postgresql://")
        with psycopg.connect(address) as connection:
            connection.execute("CREATE TABLE users (mine text)")
            connection.execute("INSERT INTO users VALUES ('precious')")
        with services.running(
            upstream_latency="constant:1",
            seed=0,
            cores=cores,
            logs=tmp_path,
            folder=PROJECT,
            environ={"DATABASE_URL": address},
        ) as around:
            assert around.names == ("postgres", "upstream")
            assert list(around.trees) == ["upstream"]  # the database is not ours to meter
            stack = load_stacks(STACKS_FILE)["fastapi-uvicorn"]
            with serving(
                [stack],
                workers=1,
                environment=around.environment,
                cores=cores,
                start_cores=cores,
                logs=tmp_path,
                folder=PROJECT,
            ) as servers:
                samples = [contract.lookup_user(1), contract.lookup_user(10_000)]
                assert parity.check_stack(servers[stack.label].url, samples) == []
        with psycopg.connect(address) as connection:
            assert connection.execute("SELECT mine FROM users").fetchall() == [("precious",)]
            rows = connection.execute("SELECT count(*) FROM twinbench.users").fetchone()
            assert rows == (contract.SEEDED_USERS,)


@pytest.mark.alone  # beside other tests, which are foreign load, cells would be invalid
def test_a_run_that_needs_no_service_starts_none(
    twinbench: Callable[..., Command], tmp_path: Path
) -> None:
    before = cpu_clocks()
    command = twinbench(
        *("run", "hello", "--stack", "flask-gthread", "--profile", "smoke", "--out", tmp_path),
        environment={"DATABASE_URL": "postgresql://nobody@127.0.0.1:1/none"},
    )
    wait_for(lambda: any("gunicorn" in line for line in command.living()), "a server")
    started = " ".join(command.living())
    assert "harness.load" in started
    assert "apps.upstream" not in started
    assert "postgres" not in started
    code, _, err = command.finish()
    assert code in {0, 1}, err
    (folder,) = tmp_path.iterdir()
    assert_sound(code, folder, before)
    measured = [cell for finished in store.read_run(folder).rounds for cell in finished.cells]
    assert {tuple(cell.services_cpu_s) for cell in measured} == {()}


@pytest.mark.thorough
@pytest.mark.alone  # as above
def test_settings_of_the_callers_postgresql_do_not_reach_a_run(
    twinbench: Callable[..., Command], tmp_path: Path
) -> None:
    before = cpu_clocks()
    command = twinbench(
        *("run", "users-lookup", "--profile", "smoke", "--out", tmp_path),
        environment={
            "PGSERVICE": "x",
            "PGSSLMODE": "require",
            "PGOPTIONS": "-c statement_timeout=1",
            "PYTHONASYNCIODEBUG": "1",
        },
    )
    code, _, err = command.finish()
    assert code in {0, 1}, err
    (folder,) = tmp_path.iterdir()
    assert_sound(code, folder, before)


def test_another_user_gets_a_copy_of_programs_that_it_can_not_reach(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(postgres, "_reachable", lambda folder: False)
    monkeypatch.setattr(children, "TERM_WAIT_S", 60)  # a slow machine may need more than usual
    with postgres.embedded((), tmp_path) as (child, url):
        with psycopg.connect(url.replace("+psycopg", "")) as connection:
            assert connection.execute("SELECT 1").fetchone() == (1,)
        assert child.exit_code() is None
    assert child.exit_code() == 0
