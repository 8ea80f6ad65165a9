"""What measuring services of the reader's own does differently from measuring the twins."""

import dataclasses
import math
import random
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from harness.analysis import gates, stats
from harness.analysis.comparisons import _for_kept_processes
from harness.errors import BadInput, ServerFailed
from harness.machine import placement
from harness.measuring.by_load import distinct
from harness.models import (
    PROCESS_SPREAD,
    BlockPlan,
    Estimate,
    OwnRequest,
    OwnService,
    Plan,
    Stack,
)
from harness.planning.options import RunOptions
from harness.planning.plan import lengths, slicings
from harness.planning.versus import own_stack, versus_catalogue, versus_plan
from harness.serving import servers
from harness.serving.own import Secrets, command_of, for_locustfiles, requests_of
from tests.socket_server import reply, says, serving, tls_context

GET = OwnRequest("GET /x", "GET", "/x")
STARTED = own_stack("a", OwnService(command=("sh", "-c", "sleep {port}")))
RUNNING = own_stack("b", OwnService(url="http://127.0.0.1:8001"))


def own_plan(users: int = 10) -> tuple[Plan, BlockPlan]:
    plan = versus_plan(versus_catalogue([STARTED, RUNNING], [GET]), RunOptions(users=(users,)))
    return plan, plan.blocks[0]


# --------------------------------------------------------------------------- settling


def test_users_of_own_services_get_out_of_step_as_if_they_waited_all_the_time() -> None:
    plan, block = own_plan(users=10)
    rate_rps = 100.0  # a request takes 0.1 s
    slicing = slicings(block, {"a": rate_rps, "b": rate_rps})["a"]
    found = lengths(plan, block, 1, "a", rate_rps, slicing)
    uncounted = sum(length.uncounted for length in found) / len(found)
    assert uncounted == pytest.approx(4 * 10, rel=0.25)  # drawn by ±25 %
    counted = sum(length.counted for length in found) / len(found)
    assert counted >= 0.75 * 4 * 10


def test_settling_takes_a_second_at_most() -> None:
    plan, block = own_plan(users=10)
    rate_rps = 2.0  # a request takes 5 s
    slicing = slicings(block, {"a": rate_rps, "b": rate_rps})["a"]
    found = lengths(plan, block, 1, "a", rate_rps, slicing)
    assert max(length.uncounted for length in found) <= math.ceil(1.25 * rate_rps)


# ------------------------------------------------------------------- running services


def test_intervals_of_running_services_hold_the_truth_as_often_as_others() -> None:
    draw = random.Random(1)
    rounds, runs, held, held_without = 10, 2_000, 0, 0
    for _ in range(runs):
        kept = draw.gauss(0, PROCESS_SPREAD)  # the luck of the process that ran before
        ratios = [
            math.exp(kept + draw.gauss(0, PROCESS_SPREAD) + draw.gauss(0, 0.01))
            for _ in range(rounds)
        ]
        plain = stats.log_mean(ratios)
        wide = _for_kept_processes(plain, 1, rounds, stats.CONFIDENCE)
        held += wide.low <= 1 <= wide.high
        held_without += plain.low <= 1 <= plain.high
    assert held / runs >= 0.94
    assert held_without / runs < 0.8


def test_services_that_are_started_afresh_keep_their_intervals() -> None:
    plain = Estimate(1.1, 1.0, 1.21)
    assert _for_kept_processes(plain, 0, 10, stats.CONFIDENCE) == plain


def test_an_interval_without_an_end_stays_without_one() -> None:
    nothing = Estimate(1.1, math.nan, math.nan)
    assert _for_kept_processes(nothing, 2, 1, stats.CONFIDENCE) == nothing


# --------------------------------------------------------------------------- starting


def started(**fields: object) -> Stack:
    own = dataclasses.replace(OwnService(command=("sh", "x", "{port}")), **fields)  # type: ignore[arg-type]
    return own_stack("a", own)


ENVIRON = {"PATH": "/usr/bin:/bin", "HOME": "/home/me", "SECRET": "s3cret!", "OTHER": "x"}


def test_a_service_gets_its_port_and_no_more_of_the_environment_than_it_names() -> None:
    stack = started(environment={"TOKEN": "${SECRET}"})
    made = command_of(stack, 8123, {"PYTHONHASHSEED": "7", "TWIN_DATABASE_URL": "x"}, ENVIRON)
    assert made.words[1:] == ("x", "8123")
    assert made.words[0].endswith("/sh")
    assert made.environment["PORT"] == "8123"
    assert made.environment["TOKEN"] == "s3cret!"
    assert made.environment["PYTHONHASHSEED"] == "7"
    assert made.environment["HOME"] == "/home/me"
    assert set(made.environment) == {"PATH", "HOME", "PORT", "TOKEN", "PYTHONHASHSEED"}


def test_the_projects_own_interpreter_comes_first_on_path() -> None:
    made = command_of(started(python="/shop/.venv/bin/python"), 1, {}, ENVIRON)
    assert made.environment["PATH"].startswith("/shop/.venv/bin:/usr/bin:/bin:")


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"command": ("no-such-program-here", "{port}")}, "no program 'no-such-program-here'"),
        ({"folder": "/no/such/folder"}, "its folder /no/such/folder does not exist"),
        ({"environment": {"A": "${NOT_SET}"}}, "environment has no variable NOT_SET"),
    ],
)
def test_what_can_not_be_started_is_said_in_one_line(
    fields: dict[str, object], message: str
) -> None:
    with pytest.raises(BadInput) as caught:
        command_of(started(**fields), 1, {}, ENVIRON)
    assert message in str(caught.value)
    assert "service 'a'" in str(caught.value)


def test_each_service_is_asked_by_its_own_paths_with_variables_put_in() -> None:
    stack = own_stack("b", OwnService(url="http://127.0.0.1:1", paths=(("/api/", "/"),)))
    request = dataclasses.replace(
        GET, path="/api/x", headers=(("authorization", "Bearer ${SECRET}"),)
    )
    (asked,) = requests_of(stack, [request], ENVIRON)
    assert asked.path == "/x"
    assert asked.headers == (("authorization", "Bearer s3cret!"),)
    hidden = Secrets.of([stack], [request], ENVIRON).hidden
    assert hidden("status 401: Bearer s3cret! is wrong") == "status 401: Bearer *** is wrong"


# ----------------------------------------------------------------------------- gates


def test_a_gate_on_own_services_speaks_of_the_baseline_and_not_of_a_contract() -> None:
    assert gates.parity(()).figure == "every checked reply kept the contract"
    passed = gates.parity((), own=True)
    assert passed.passed
    assert "contract" not in passed.figure + passed.bound
    failed = gates.parity(("GET /x: status 404 instead of 200",), own=True)
    assert not failed.passed
    assert failed.figure == "GET /x: status 404 instead of 200"


@pytest.mark.parametrize(
    "text",
    [
        "status 401: b'you sent Bearer s3cret!'",
        "status 401: b'you sent Bearer s3cr'",  # cut off by an excerpt's end
        "status 401: b'%73: s3cret%21'",
    ],
)
def test_no_part_of_a_secret_stays(text: str) -> None:
    request = dataclasses.replace(GET, headers=(("authorization", "Bearer ${SECRET}"),))
    hidden = Secrets.of([], [request], ENVIRON).hidden(text)
    assert "s3c" not in hidden
    assert "***" in hidden


def test_secrets_that_python_writes_in_another_way_are_hidden_too() -> None:
    environ = {"SECRET": "päss'w\\ord<1>"}
    hidden = Secrets.of([], [dataclasses.replace(GET, path="/${SECRET}")], environ).hidden
    for written in (repr(environ["SECRET"].encode())[2:-1], "päss&#x27;w\\ord&lt;1&gt;"):
        assert hidden(f"b'{written}'") == "b'***'"


def test_a_locustfile_has_the_environment_and_its_credentials_are_hidden() -> None:
    environ = {"SHOP_TOKEN": "t0ken-value", "PYTHONPATH": "x", "HTTP_PROXY": "p", "SHOP": "open"}
    plan = versus_plan(
        versus_catalogue([STARTED, RUNNING], [], "/shop/locustfile.py"), RunOptions()
    )
    assert for_locustfiles(plan, environ) == {"SHOP_TOKEN": "t0ken-value", "SHOP": "open"}
    assert Secrets.of_run(plan, environ).hidden("open t0ken-value") == "open ***"
    without, _ = own_plan()
    assert for_locustfiles(without, environ) == {}


# ------------------------------------------------------------------ what a start is told


def test_an_untrusted_certificate_is_the_reason_and_not_the_address(tmp_path: Path) -> None:
    with serving(says(reply()), tls_context()) as url:
        stack = own_stack("shop", OwnService(url=url))
        with pytest.raises(
            ServerFailed, match="can't be reached: its certificate is not trusted"
        ) as caught:
            labels_of([stack], tmp_path)
        assert "--insecure accepts it" in str(caught.value)
        insecure = own_stack("shop", OwnService(url=url, verify_tls=False))
        assert labels_of([insecure], tmp_path) == ["shop"]


#: Listens at the port that it is given, once it has found another one taken.
GREEDY = "import socket, sys; socket.create_server(('127.0.0.1', int(sys.argv[1])))"


def test_another_port_that_is_taken_is_not_called_ours(tmp_path: Path) -> None:
    with serving(says(reply())) as taken:
        port = taken.rpartition(":")[2]
        command = (sys.executable, "-c", GREEDY, port, "{port}")
        stack = own_stack("shop", OwnService(command=command))
        with pytest.raises(ServerFailed, match="perhaps another one at which it listens") as caught:
            labels_of([stack], tmp_path)
    assert "service 'shop' says 3 times" in str(caught.value)
    assert "Address already in use" in caught.value.detail


def labels_of(stacks: Sequence[Stack], logs: Path) -> list[str]:
    cores = placement.usable_cores()
    with servers.serving(
        stacks, workers=1, environment={}, cores=cores, start_cores=cores, logs=logs, folder=logs
    ) as targets:
        return list(targets)


def test_names_that_became_equal_when_secrets_were_hidden_stay_apart() -> None:
    names = ["GET /a?appid=…", "GET /b", "GET /a?appid=…", "GET /a?appid=…"]
    assert distinct(names) == (
        "GET /a?appid=…",
        "GET /b",
        "GET /a?appid=… (2)",
        "GET /a?appid=… (3)",
    )
