import dataclasses
import http.server
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from click.testing import CliRunner

from harness import container
from harness.cli.main import cli
from harness.errors import BadInput, EnvironmentFailed, ServiceFailed, UnknownName
from harness.machine import environment
from harness.machine import facts as machine
from harness.models import Plan
from harness.planning import plan
from harness.planning.files import PROJECT
from harness.planning.options import PROFILES, RunOptions
from harness.processes.child_environment import child_environment
from harness.serving import upstream


def todo(*scenarios: str) -> Plan:
    return plan.make_plan(
        plan.load_catalogue(),
        RunOptions(profile=PROFILES["smoke"], seed=1, scenarios=scenarios),
    )


@contextmanager
def answering(body: bytes) -> Iterator[tuple[str, int]]:
    """A server that says the same to everybody."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:
            pass

    with http.server.HTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield "127.0.0.1", server.server_port
        finally:
            server.shutdown()
            thread.join()


@pytest.mark.parametrize(
    ("value", "complaint"),
    [
        ("127.0.0.1:8100", "give it a value such as http://127.0.0.1:8100"),
        ("https://127.0.0.1", "begins with 'https'"),
        ("http://", "begins with 'http'"),
        ("http://here:port", "UPSTREAM_URL is not an address"),
        ("http://127.0.0.1:8100/api", "UPSTREAM_URL has a path"),
    ],
)
def test_an_upstream_must_be_an_address(value: str, complaint: str) -> None:
    with pytest.raises(BadInput, match=complaint):
        environment.upstream_address({"UPSTREAM_URL": value})


def test_services_of_somebody_else_stand_in_the_description_without_the_password() -> None:
    found = environment.describe(
        PROJECT,
        {
            "DATABASE_URL": "postgresql://me:secret@db:5433/mine",
            "UPSTREAM_URL": "http://127.0.0.1:8100/",
        },
    )
    assert found["database"] == "db:5433/mine"
    assert found["upstream"] == "127.0.0.1:8100"
    assert environment.describe(PROJECT, {})["upstream"] == environment.EMBEDDED


@pytest.mark.parametrize(
    ("url", "completed"),
    [
        ("postgresql://me@db:5433/mine", "postgresql://me:s%2F%20t@db:5433/mine"),
        ("postgres://me:@[::1]/mine?sslmode=require", "postgres://me:@[::1]/mine?sslmode=require"),
        ("postgresql://me@[::1]/mine", "postgresql://me:s%2F%20t@[::1]/mine"),
        ("postgresql://me:own@db/mine", "postgresql://me:own@db/mine"),
    ],
)
def test_a_password_beside_the_database_url_becomes_part_of_it(url: str, completed: str) -> None:
    environ = {"DATABASE_URL": url, "PGPASSWORD": "s/ t"}
    assert environment.database_url(environ) == completed
    assert "s/ t" not in str(environment.describe(PROJECT, environ))
    assert environment.database_url({"DATABASE_URL": url}) == url
    assert environment.database_url({"PGPASSWORD": "s/ t"}) is None


def test_a_password_without_a_user_is_refused() -> None:
    with pytest.raises(BadInput, match="names no user for the password in PGPASSWORD"):
        environment.database_url({"DATABASE_URL": "postgresql://db/mine", "PGPASSWORD": "s"})


def test_a_run_says_of_which_machine_it_is() -> None:
    facts = environment.describe(PROJECT, {})
    assert environment.is_of_this_machine(facts)
    assert environment.is_of_this_machine({**facts, "load_average": [9.0]})
    assert not environment.is_of_this_machine({**facts, "machine": "another"})


def test_an_older_run_is_of_a_machine_with_the_same_cpu_and_cores() -> None:
    facts = environment.describe(PROJECT, {})
    del facts["machine"]
    assert environment.is_of_this_machine(facts)
    assert not environment.is_of_this_machine({**facts, "cpu": "another"})
    assert not environment.is_of_this_machine({**facts, "usable_cores": [0]})


def test_a_run_in_another_environment_of_children_is_not_resumed() -> None:
    before = environment.describe(PROJECT, {})
    assert before["child_environment"] == child_environment()
    now = {**before, "child_environment": {**child_environment(), "LC_ALL": "de_DE"}}
    assert environment.differences(before, now) == ["child environment"]


def test_a_run_is_not_resumed_with_other_code(tmp_path: Path) -> None:
    """Nor where git has nothing to say about it."""
    code = tmp_path / "apps" / "twin.py"
    code.parent.mkdir()
    code.write_text("FAST = True\n")
    before = environment.describe(tmp_path, {})
    assert environment.differences(before, environment.describe(tmp_path, {})) == []
    code.write_text("FAST = False\n")
    assert environment.differences(before, environment.describe(tmp_path, {})) == ["code"]


def test_where_there_is_no_git_the_commit_is_what_the_image_was_told(tmp_path: Path) -> None:
    assert environment.describe(tmp_path, {"TWINBENCH_COMMIT": "abc"})["git_commit"] == "abc"


def test_the_upstream_must_have_the_latency_of_the_plan() -> None:
    with answering(b'{"status":"ok","latency":"constant:50"}') as address:
        upstream.check(address, "constant:50")
        with pytest.raises(BadInput, match="latency of constant:50, this run needs constant:20"):
            upstream.check(address, "constant:20")


@pytest.mark.parametrize("body", [b'{"status":"ok"}', b"[]", b"hello"])
def test_what_is_no_upstream_is_not_taken_for_one(body: bytes) -> None:
    with answering(body) as address, pytest.raises(BadInput, match="something else"):
        upstream.check(address, "constant:50")


def test_an_upstream_that_does_not_answer_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(upstream, "_ANSWERS_WITHIN_S", 0.1)
    with answering(b"") as address:
        pass
    with pytest.raises(ServiceFailed, match=f"{address[1]}\\) does not answer"):
        upstream.check(address, "constant:50")


@pytest.mark.parametrize(
    ("limits", "complaint"),
    [
        ({"cpu_cores": None, "memory_bytes": None}, ""),
        ({"cpu_cores": 1.0, "memory_bytes": 460 << 20}, ""),
        ({"cpu_cores": 0.99, "memory_bytes": None}, "a limit of 0.99 cores of CPU time"),
        ({"cpu_cores": None, "memory_bytes": 459 << 20}, "2 stacks take about 460 MiB"),
    ],
)
def test_limits_below_what_a_run_takes_are_refused(
    limits: dict[str, float | None], complaint: str
) -> None:
    facts = {"container": limits}
    if complaint:
        with pytest.raises(EnvironmentFailed, match=complaint):
            environment.check_limits(facts, todo("hello"))
    else:
        environment.check_limits(facts, todo("hello"))


def test_more_processes_take_more_memory() -> None:
    facts = {"container": {"cpu_cores": None, "memory_bytes": 460 << 20}}
    with_many = dataclasses.replace(todo("hello"), workers=4)
    with pytest.raises(EnvironmentFailed, match="940 MiB"):
        environment.check_limits(facts, with_many)


@pytest.mark.parametrize(
    "files",
    [
        {
            "proc/self/cgroup": "0::/",
            "sys/fs/cgroup/cpu.max": "150000 100000",
            "sys/fs/cgroup/memory.max": "1073741824",
        },
        {
            "proc/self/cgroup": "3:memory:/docker/0123\n2:cpu,cpuacct:/docker/0123",
            "sys/fs/cgroup/cpu,cpuacct/cpu.cfs_quota_us": "150000",
            "sys/fs/cgroup/cpu,cpuacct/cpu.cfs_period_us": "100000",
            "sys/fs/cgroup/memory/memory.limit_in_bytes": "1073741824",
        },
    ],
    ids=["v2", "v1"],
)
def test_limits_are_read_back_from_control_groups_of_both_versions(
    tmp_path: Path, files: dict[str, str]
) -> None:
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text + "\n")
    assert machine.limits(tmp_path) == {"cpu_cores": 1.5, "memory_bytes": 1 << 30}


def test_no_limit_is_none(tmp_path: Path) -> None:
    assert machine.limits(tmp_path) == {"cpu_cores": None, "memory_bytes": None}


@pytest.mark.parametrize("names", ["hello,wether", "hello wether", " hello, wether "])
def test_variables_stand_in_for_options(names: str) -> None:
    done = CliRunner().invoke(cli, ["run"], env={"TWINBENCH_SCENARIOS": names})
    assert isinstance(done.exception, UnknownName)
    assert done.exception.near == ["weather"]
    settings = {"TWINBENCH_STACKS": "flask-gthread,flask-gthraed"}
    done = CliRunner().invoke(cli, ["run"], env=settings)
    assert isinstance(done.exception, UnknownName)
    assert "flask-gthread" in done.exception.near


@pytest.mark.parametrize(
    ("settings", "complaint"),
    [
        ({"TWINBENCH_PROFILE": "smok"}, "'smok' is not one of"),
        ({"TWINBENCH_ROUNDS": "six"}, "'six' is not a valid integer"),
    ],
)
def test_a_variable_that_makes_no_sense_is_bad_input(
    settings: dict[str, str], complaint: str
) -> None:
    done = CliRunner().invoke(cli, ["run"], env=settings)
    assert done.exit_code == 2
    assert complaint in done.output


@pytest.mark.parametrize(
    ("given", "owner", "root_is_caller", "user"),
    [
        (":", (501, 20), False, (501, 20)),
        ("", (501, 20), False, (501, 20)),
        (":", (0, 0), False, (1000, 1000)),
        (":", (0, 0), True, (0, 0)),
        ("7:8", (501, 20), False, (7, 8)),
        ("7:", (501, 20), False, (7, 7)),
        ("0:0", (501, 20), False, (0, 0)),
        (":8", (501, 20), False, (501, 8)),
    ],
)
def test_a_container_runs_as_whoever_owns_the_results_and_never_as_root_unasked(
    given: str, owner: tuple[int, int], root_is_caller: bool, user: tuple[int, int]
) -> None:
    assert container.user_to_become(given, owner, root_is_caller=root_is_caller) == user


@pytest.mark.parametrize("given", ["me:us", "-1:0", "99999999999:1", "1:4294967295"])
def test_a_user_that_there_can_not_be_is_refused(given: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        container.user_to_become(given, (501, 20), root_is_caller=False)


def test_a_run_says_which_variables_decided_it() -> None:
    told = environment.command_line({"TWINBENCH_PROFILE": "smoke", "TWINBENCH_STACKS": ""})
    assert told[:2] == ("TWINBENCH_PROFILE=smoke", "twinbench")
