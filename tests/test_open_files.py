import resource
from typing import Any

import pytest

from harness.errors import EnvironmentFailed
from harness.machine import open_files
from harness.models import Plan
from harness.planning.options import RunOptions
from harness.planning.plan import load_catalogue, make_plan
from harness.processes.launch import files_allowed

CATALOGUE = load_catalogue()


def plan_of(**options: Any) -> Plan:
    return make_plan(CATALOGUE, RunOptions(**{"scenarios": ("hello",), **options}))


def test_a_load_process_holds_the_connections_to_all_stacks() -> None:
    plan = plan_of(users=(1000,))
    open_files.check(plan, allowed=2064)
    with pytest.raises(
        EnvironmentFailed, match=r"hello with 1,000 connections to each of 2 stacks"
    ):
        open_files.check(plan, allowed=2063)


def test_several_load_processes_share_the_connections() -> None:
    with pytest.raises(EnvironmentFailed, match="needs 2,064 open files"):
        open_files.check(plan_of(users=(1000,)), allowed=1200)
    open_files.check(plan_of(users=(1000,), generators=2), allowed=1200)


def test_a_server_holds_its_own_connections_and_its_pools() -> None:
    plan = plan_of(users=(1000,), stacks=("flask-gthread",))
    open_files.check(plan, allowed=1184)
    with pytest.raises(EnvironmentFailed, match="to one stack needs 1,184"):
        open_files.check(plan, allowed=1183)


@pytest.mark.parametrize("generators", [1, 2, 3])
@pytest.mark.parametrize("allowed", [256, 1024, 4096])
def test_the_number_of_users_that_is_proposed_is_accepted(allowed: int, generators: int) -> None:
    with pytest.raises(EnvironmentFailed) as error:
        open_files.check(plan_of(users=(9999,), generators=generators), allowed)
    proposed = int(str(error.value).split("give --users ")[1].split()[0])
    open_files.check(plan_of(users=(proposed,), generators=generators), allowed)


def test_what_opens_no_connections_needs_no_files() -> None:
    open_files.check(plan_of(scenarios=("startup", "tests")), allowed=10)


@pytest.mark.parametrize(
    ("soft", "hard", "allowed"),
    [
        (256, 256, 256),
        (1024, 4096, 4096),
        (1024, 1_048_576, 65_536),
        (100_000, 1_048_576, 100_000),
        (1024, resource.RLIM_INFINITY, 65_536),
    ],
)
def test_a_child_may_open_what_the_hard_limit_allows(soft: int, hard: int, allowed: int) -> None:
    assert files_allowed(soft, hard) == allowed
