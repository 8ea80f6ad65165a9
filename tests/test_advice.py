"""Answers to questions about a traffic, from runs whose law is known."""

import json
import math
import random
import shlex
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from rich.console import Console

from harness import report, store
from harness.analysis import analyse as analysing
from harness.analysis.advice import _shifted, advise, differences, is_grid, mixed_noise
from harness.analysis.connections import analyse_connections
from harness.cli import advise as cli
from harness.errors import BadInput
from harness.machine import environment
from harness.models import (
    Advice,
    Analysis,
    AtUsers,
    CellSummary,
    ConnectionsPlan,
    ConnectionsRecord,
    Demand,
    Estimate,
    GateResult,
    Held,
    HeldSeries,
    HeldStep,
    Load,
    Outcome,
    Placement,
    Prediction,
    Prices,
    Question,
    RunRecord,
    StackChange,
)
from harness.planning.advice import QUESTIONS, first_command, suggestions
from harness.planning.files import STACKS_FILE
from harness.planning.options import PROFILES, RunOptions
from harness.planning.plan import load_catalogue, make_plan
from harness.planning.slo import parse_slo
from harness.planning.stacks import load_stacks
from harness.report.words import advice as words
from harness.store import SCHEMA
from tests.analyses import NAN

FLASK, HTTPX, AIOHTTP = "flask-gthread", "fastapi-uvicorn", "fastapi-aiohttp"
CATALOGUE = load_catalogue()
UNIT_US = 200.0
QUERY_US = 300.0
#: CPU time of a request that neither looks up nor computes.
OWN_US = {FLASK: 1_000.0, HTTPX: 3_000.0, AIOHTTP: 800.0}
NOT_ANSWERED: dict[str, bool | None] = dict.fromkeys(QUESTIONS)


def cpu_us(stack: str, load: Load) -> float:
    return OWN_US[stack] + QUERY_US * (load.queries or 0) + UNIT_US * (load.work or 0)


def rate_rps(stack: str, load: Load) -> float:
    """What the users ask for, or else what one core can do."""
    cpu_s = cpu_us(stack, load) / 1e6
    return min(load.users / ((load.io_ms or 0) / 1e3 + cpu_s), 1 / cpu_s)


Law = Callable[[str, Load], float]


def analysis(
    *,
    users: tuple[int, ...] = (1, 3, 10, 30, 100),
    io_ms: tuple[float, ...] = (20.0, 50.0, 100.0),
    queries: tuple[int, ...] = (0, 5),
    work: tuple[int, ...] = (0, 10, 20),
    stacks: tuple[str, ...] = (FLASK, HTTPX, AIOHTTP),
    law: Law = rate_rps,
    spread: float = 0.02,
    change: Callable[[CellSummary], CellSummary] = lambda cell: cell,
) -> Analysis:
    """A run in which each stack follows the law, and p99 is the mean latency."""
    plan = make_plan(
        CATALOGUE,
        RunOptions(
            profile=PROFILES["smoke"], scenarios=("dashboard",), stacks=stacks,
            users=users, io_ms=io_ms, queries=queries, work=work,
        ),
    )  # fmt: skip
    cells = [
        change(_cell(label, block.load, law(label, block.load), spread))
        for block in plan.blocks
        for label in block.stacks
    ]
    run = RunRecord(
        "fake", SCHEMA, plan, {}, Placement((0,), (1,), (1,)), ("twinbench",), "", "then", ()
    )
    return Analysis(run, tuple(cells), (), 0.0, 0.0)


def _cell(stack: str, load: Load, rate: float, spread: float) -> CellSummary:
    def estimate(value: float) -> Estimate:
        limits = (value / (1 + spread), value * (1 + spread)) if spread else (NAN, NAN)
        return Estimate(value, *limits)

    latency = estimate(1e3 * load.users / rate)
    return CellSummary(
        scenario="dashboard", stack=stack, twin=stack.split("-")[0], load=load.label, rounds=2,
        requests=1_000, errors=0, throughput_rps=estimate(rate),
        latency_ms={"p50": latency, "p90": latency, "p99": latency, "p999": Estimate(NAN, NAN, NAN)},
        cpu_us_per_request=estimate(cpu_us(stack, load)), pss_mib=64.0, threads=4,
        switches_per_request=1.0, schedule=None, gates=(), latency_curve_ms=(), timeline=(),
    )  # fmt: skip


def question(
    *,
    rate: float = 800.0,
    io: float = 50.0,
    cpu: float = 2.0,
    queries: int = 5,
    slo: str = "p99<200ms",
    headroom: float = 0.0,
    **more: Any,
) -> Question:
    prices = Prices(0.04, 0.004)
    return Question(Demand(rate, headroom), io, cpu, queries, parse_slo(slo), prices=prices, **more)


def advice(asked: Question | None = None, of: Analysis | None = None, **more: Any) -> Advice:
    return advise(of or analysis(), asked or question(), run="results/fake", **more)


def made(stack: str, of: Advice) -> Prediction:
    return next(each for each in of.predictions if each.stack == stack)


def text_of(of: Advice, answers: dict[str, bool | None] = NOT_ANSWERED, width: int = 100) -> str:
    console = Console(width=width, record=True, force_terminal=False)
    with console.capture() as captured:
        console.print(report.advice_terminal(of, list(suggestions(of)), answers))
    assert max(map(len, captured.get().splitlines())) <= width
    return " ".join(captured.get().replace("\u00a0", " ").split())


# ------------------------------------------------------------------------- predictions


def test_cpu_time_becomes_units_of_work_of_this_machine() -> None:
    found = advice()
    assert found.unit_us.value == pytest.approx(UNIT_US)
    assert found.work == pytest.approx(10.0)  # 2 ms


@pytest.mark.parametrize(("io", "queries", "cpu"), [(50.0, 5, 2.0), (70.0, 3, 1.5), (25.0, 1, 3.0)])
def test_a_busy_stack_is_predicted_by_the_cpu_time_of_its_requests(
    io: float, queries: int, cpu: float
) -> None:
    """With 100 users each stack is busy at nearly all loads around, so that the law is straight."""
    found = advice(question(io=io, queries=queries, cpu=cpu, slo="p99<2s"))
    for stack, own_us in OWN_US.items():
        rate = made(stack, found).rate_rps
        assert rate.value == pytest.approx(
            1e6 / (own_us + QUERY_US * queries + cpu * 1e3), rel=5e-3
        )
        assert rate.low < rate.value < rate.high
        assert made(stack, found).outcome is Outcome.KEEPS


def test_the_promise_bounds_the_rate_and_is_kept_by_the_law_itself() -> None:
    """FastAPI with httpx is busy from 8.7 users on, who wait 56.5 ms; 9.2 users wait 60 ms."""
    tight = made(HTTPX, advice(question(slo="p99<60ms")))
    loose = made(HTTPX, advice(question(slo="p99<2s")))
    assert tight.rate_rps.value < loose.rate_rps.value
    assert 3 < tight.at_users < 9.2
    # Between numbers of users the prediction is careful, and its upper limit contains the law.
    assert tight.rate_rps.value <= 1e6 / 6_500 <= tight.rate_rps.high


def test_containers_workers_memory_and_money_follow_from_the_rate() -> None:
    need = made(AIOHTTP, advice(question(rate=1_000.0, slo="p99<2s"))).need  # 4.3 ms: 232.6 each
    assert (need.containers, need.workers) == (5, 5)
    assert need.fewest <= 5 <= (need.most or 0)
    assert need.memory_mib == pytest.approx(5 * 64.0)
    assert need.hour == pytest.approx(5 * (0.04 + 0.004 / 16))
    assert made(AIOHTTP, advice(question(slo="p99<2s", headroom=0.5))).need.containers == 7


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        (
            question(io=150.0),
            "the upstream's latency was measured from 20 to 100 ms, not at 150 ms",
        ),
        (question(io=0.0), "the upstream's latency was measured from 20 to 100 ms, not at 0 ms"),
        (question(queries=9), "queries were measured from 0 to 5, not at 9"),
        (question(cpu=9.0), "CPU work was measured from 0 to 20 units, not at 45 units"),
    ],
)
def test_nothing_is_predicted_outside_of_what_was_measured(asked: Question, said: str) -> None:
    found = advice(asked)
    assert {each.outcome for each in found.predictions} == {Outcome.UNKNOWN}
    assert not found.known
    assert all(math.isnan(each.rate_rps.value) for each in found.predictions)
    text = text_of(found)
    assert said in text
    assert "No stack has an answer." in text


def test_an_axis_with_one_value_answers_for_that_value_alone() -> None:
    one = analysis(io_ms=(50.0,))
    assert made(FLASK, advice(of=one)).outcome is Outcome.KEEPS
    assert (
        "measured at 50 ms only, not at 60 ms"
        in made(FLASK, advice(question(io=60.0), of=one)).reason
    )
    assert made(FLASK, advice(of=analysis(work=(0,)))).outcome is Outcome.UNKNOWN
    assert made(FLASK, advice(question(cpu=0.0), of=analysis(work=(0,)))).outcome is Outcome.KEEPS


def test_a_promise_that_one_user_breaks_already_can_not_be_kept() -> None:
    found = advice(question(slo="p99<20ms"))
    assert {each.outcome for each in found.predictions} == {Outcome.FAILS}
    assert found.known
    assert "broken with 1 user already" in text_of(found)


def test_whether_fewer_users_than_were_measured_would_keep_it_is_not_known() -> None:
    found = advice(question(slo="p99<20ms"), of=analysis(users=(10, 30)))
    assert {each.outcome for each in found.predictions} == {Outcome.UNKNOWN}
    assert "broken with 10 users already, the fewest measured" in text_of(found)


def test_a_rate_that_still_grows_with_the_most_users_is_a_least_one() -> None:
    found = made(AIOHTTP, advice(of=analysis(users=(1, 2, 4))))
    assert found.is_least
    assert math.isinf(found.rate_rps.high)
    assert found.need.fewest == 1
    busy = made(AIOHTTP, advice(question(slo="p99<2s")))
    assert not busy.is_least, "100 users serve no more than 30"


def test_invalid_cells_and_cells_with_too_many_errors_do_not_count() -> None:
    def broken(cell: CellSummary) -> CellSummary:
        gate = GateResult("errors", False, "2 %", "at most 0.1 %")
        many = cell.load.startswith(("closed-30-", "closed-100-"))
        return replace(cell, gates=(gate,)) if many else cell

    whole = advice(of=analysis(change=broken))
    found = made(FLASK, whole)
    assert found.at_users == pytest.approx(10)
    # Of five numbers of users, three are valid, so that one can be left out.
    assert whole.left_out[0].cells == 1 * 3 * 3 * 2 * 3
    assert "with 30 users, a measurement around it is invalid (errors)" in found.reason

    def failing(cell: CellSummary) -> CellSummary:
        return replace(cell, errors=100) if cell.load.startswith("closed-30-") else cell

    asked = question(slo="p99<2s,errors<1%")
    at = [level.users for level in made(FLASK, advice(asked, of=analysis(change=failing))).levels
          if math.isfinite(level.latency_ms["p99"])]  # fmt: skip
    assert at == [1, 3, 10, 100]


def test_a_percentile_that_too_few_requests_support_is_not_predicted() -> None:
    found = made(FLASK, advice(question(slo="p999<200ms")))
    assert found.outcome is Outcome.UNKNOWN
    assert "too few requests were measured for p999" in found.reason


# ------------------------------------------------------------------------ leave one out


def test_predictions_are_right_where_the_law_is_straight_and_wrong_where_it_bends() -> None:
    def straight(stack: str, load: Load) -> float:
        return load.users / ((load.io_ms or 0) / 1e3 + cpu_us(stack, load) / 1e6)

    exact = {each.axis: each for each in advice(of=analysis(law=straight)).left_out}
    bent = {each.axis: each for each in advice().left_out}
    assert exact.keys() == bent.keys() == {"users", "io_ms", "work"}  # queries have two values
    for axis, each in exact.items():
        assert each.throughput_worst == pytest.approx(0, abs=1e-9)
        assert bent[axis].throughput_worst > 0.05
        assert bent[axis].latency_worst > 0.05
    # Where a stack becomes busy, a prediction says too little throughput and too much latency.
    assert bent["io_ms"].throughput_over == pytest.approx(0, abs=1e-9)
    assert bent["io_ms"].throughput_under > 0
    assert bent["io_ms"].latency_over > 0


def test_each_inner_cell_is_left_out_once() -> None:
    cells = {each.axis: each.cells for each in advice().left_out}
    assert cells == {"users": 3 * 3 * 3 * 2 * 3, "io_ms": 3 * 5 * 2 * 3, "work": 3 * 5 * 2 * 3}


def test_errors_of_prediction_widen_the_interval_of_a_question_between_loads() -> None:
    known = made(FLASK, advice(question(io=60.0, slo="p99<2s")))
    exact = made(FLASK, advice(question(io=50.0, slo="p99<2s")))
    width = [math.log(each.rate_rps.high / each.rate_rps.low) for each in (exact, known)]
    assert width[0] < width[1]


def test_the_good_end_of_a_lopsided_latency_is_its_own_and_not_the_mirrored_bad_one() -> None:
    """A p99 of 105 ms [60, 110] may keep a promise of 100 ms."""
    level = AtUsers(
        10,
        500.0,
        0.0,
        {"p99": 105.0},
        {"p99": math.log(110 / 105)},
        {"p99": math.log(105 / 60)},
        70,
    )
    worse, better = (_shifted([level], [], is_worse=bad)[0] for bad in (True, False))
    assert worse.latency_ms["p99"] == pytest.approx(110)
    assert better.latency_ms["p99"] == pytest.approx(60)


def test_a_corner_makes_a_prediction_as_unsure_as_it_weighs_in_it() -> None:
    """Halfway between 1 ms ± 1 % and 51 ms ± 20 %, the second is nearly all of the time."""
    rates = [Estimate(1_000, 990, 1_010), Estimate(1_000 / 51, 0, 1_200 / 51)]
    halves = [math.log(each.high / each.value) for each in rates]
    noise = mixed_noise(halves, [0.5 * 0.001, 0.5 * 0.051])
    assert noise == pytest.approx((math.log(1.01) + 51 * math.log(1.2)) / 52)


@pytest.mark.parametrize("users", [(1, 3, 10, 30, 100), (1, 10, 100)])
def test_intervals_hold_what_the_law_says(users: tuple[int, ...]) -> None:
    """Whole users or not: with 1 % noise, at questions that lie anywhere inside."""
    draw = random.Random(7)

    def noisy(stack: str, load: Load) -> float:
        return rate_rps(stack, load) * math.exp(draw.gauss(0, 0.01))

    measured = analysis(users=users, law=noisy)
    for _ in range(15):
        asked = question(
            io=draw.uniform(20, 100), queries=draw.randint(0, 5), cpu=draw.uniform(0, 4),
            slo=f"p99<{draw.choice([150, 200, 300, 600])}ms",
        )  # fmt: skip
        for each in advice(asked, of=measured).predictions:
            cpu_s = (OWN_US[each.stack] + QUERY_US * asked.queries + 1e3 * asked.cpu_ms) / 1e6
            truth = min(1 / cpu_s, users[-1] / (asked.io_ms / 1e3 + cpu_s))
            assert each.rate_rps.low <= truth <= each.rate_rps.high
            assert each.rate_rps.value < 1.03 * truth


def test_it_is_said_which_errors_are_not_known() -> None:
    few = advice(question(io=60.0, cpu=0.0), of=analysis(users=(1, 30), io_ms=(20.0, 100.0),
                                                         work=(0, 10)))  # fmt: skip
    assert few.unchecked == ("users", "io_ms")
    assert "none could be left out" in text_of(few)
    some = advice(question(queries=3))
    assert some.unchecked == ("queries",)
    assert "On queries, no load could be left out" in text_of(some)
    assert "have no interval of their own" in text_of(advice(of=analysis(spread=0.0)))


# ------------------------------------------------------------------------------ changes


def test_the_single_change_that_helps_most_is_found() -> None:
    found = advice(question(slo="p99<2s", baseline=HTTPX))
    assert [change.after for change in found.changes] == [AIOHTTP]  # Flask differs in more
    change = found.changes[0]
    assert change.differs == ("http client: httpx → aiohttp",)
    assert change.ratio.value == pytest.approx(6_500 / 4_300)
    assert change.helps
    text = text_of(found)
    assert (
        "Helps most: fastapi-aiohttp (http client: httpx → aiohttp) serves 1.51 × as much" in text
    )
    assert "Fewest containers: fastapi-aiohttp and flask-gthread, with 4 each." in text


def test_without_a_single_change_the_others_are_shown_as_what_they_are() -> None:
    found = advice(question(slo="p99<2s"))
    assert found.question.baseline == FLASK
    assert {change.after for change in found.changes} == {HTTPX, AIOHTTP}
    assert not any(change.is_single for change in found.changes)
    assert "No measured stack differs from flask-gthread in one thing alone" in text_of(found)


def test_a_change_that_makes_the_promise_possible_is_named_first() -> None:
    def slow(stack: str, load: Load) -> float:
        return rate_rps(stack, load) / (10 if stack == HTTPX else 1)

    found = advice(question(slo="p99<100ms", baseline=HTTPX), of=analysis(law=slow))
    assert found.changes[0].enables
    assert "keeps the promise with 4 containers, fastapi-uvicorn does not" in text_of(found)


def test_nothing_is_made_possible_that_was_not_surely_impossible() -> None:
    change = StackChange(
        HTTPX, AIOHTTP, ("http client: httpx → aiohttp",), Estimate(NAN, NAN, NAN), 4, enables=False
    )
    found = replace(advice(question(baseline=HTTPX)), changes=(change,))
    (said,) = (each for each in words.changes(found) if "aiohttp" in each)
    assert said == (
        "fastapi-aiohttp (http client: httpx → aiohttp) takes 4\u00a0containers; whether fastapi-uvicorn keeps "
        "the promise at all is not sure."
    )


def test_what_tells_stacks_apart_is_named_thing_by_thing() -> None:
    stacks = load_stacks(STACKS_FILE)
    assert differences(stacks[FLASK], stacks["flask-granian"]) == ("server: gunicorn → granian",)
    assert differences(stacks[FLASK], stacks["flask-gevent"]) == ("options of gunicorn",)
    assert len(differences(stacks[HTTPX], stacks["fastapi-def"])) == 3
    assert differences(stacks[FLASK], stacks[AIOHTTP])[0] == "framework: flask → fastapi"


# -------------------------------------------------------------------------- connections


def held(up_to: int) -> ConnectionsRecord:
    def step(number: int) -> HeldStep:
        return HeldStep(
            number, number, 0, 0, "", 0.1, (50 << 20) + number * 10_240, None, 4, (1.0,)
        )

    plan = ConnectionsPlan(
        "quick", 1, 2, (load_stacks(STACKS_FILE)[FLASK],), (Held.KEEP_ALIVE,), (100, up_to), 1, 1.0
    )
    series = tuple(
        HeldSeries(number, FLASK, Held.KEEP_ALIVE, tuple(map(step, (0, 100, up_to))))
        for number in (1, 2)
    )
    return ConnectionsRecord("x", 1, plan, {}, Placement((0,), (1,), (1,)), (), "", "then", series)


def test_open_connections_take_what_was_measured_of_them_as_far_as_that_reaches() -> None:
    asked = question(slo="p99<2s", connections=2_000)
    found = advice(asked, connections=analyse_connections(held(1_000)), held_run="results/c")
    flask = made(FLASK, found)
    assert flask.held is not None
    assert flask.held.each == math.ceil(2_000 / (flask.need.containers or 0))
    assert flask.held.memory_mib == pytest.approx(2_000 * 10 / 1024)
    text = text_of(found)
    assert "flask-gthread: 19.5 MiB in all" in text
    assert "fastapi-aiohttp: 500 per container; not measured" in text
    assert "twinbench connections --held keep-alive" in text
    far = made(FLASK, advice(asked, connections=analyse_connections(held(200))))
    assert far.held is not None
    assert math.isnan(far.held.memory_mib)
    assert "200 at most" in far.held.reason


# ------------------------------------------------------------------------- what is said


@pytest.mark.parametrize("width", [80, 120])
def test_the_answer_says_what_was_asked_and_how_to_measure_it(width: int) -> None:
    text = text_of(advice(question(io=60.0, queries=3)), width=width)
    assert "For 800 requests/s, each with 60 ms of waiting for another service, 3 queries" in text
    assert "closed load" in text
    assert "twinbench capacity dashboard --slo 'p99<200ms' --io-ms 60 --queries 3 --work 10" in text
    assert "another machine" not in text
    assert "another machine" in text_of(advice(other_machine=True))


def test_suggestions_are_commands_that_can_be_typed() -> None:
    from harness.cli.main import cli as commands

    asked = question(io=700.0, cpu=3.0, queries=3, connections=500)
    few = analysis(users=(1, 2), stacks=(FLASK, AIOHTTP))
    lines = [each.command for found in (advice(asked), advice(question(queries=3), of=few))
             for each in suggestions(found)]  # fmt: skip
    assert len(lines) >= 5
    for line in (*lines, first_command(asked)):
        _, name, *arguments = shlex.split(line)
        commands.commands[name].make_context(name, arguments)


def test_the_first_run_has_loads_at_the_question_and_enough_of_them_to_leave_some_out() -> None:
    words = shlex.split(first_command(question(io=60.0, cpu=3.0, queries=3)))
    given = dict(zip(words[3::2], words[4::2], strict=True))
    assert (given["--io-ms"], given["--queries"]) == ("60", "3")
    assert all(given[axis].count(",") >= 2 for axis in ("--users", "--work"))


def test_nothing_is_suggested_that_can_not_be_measured() -> None:
    (only,) = suggestions(advice(question(queries=50)))
    assert not only.command
    assert "at most 20 queries" in only.why


def test_questions_are_asked_until_they_are_answered() -> None:
    text = text_of(advice(), {**NOT_ANSWERED, "openapi": True, "async-team": False})
    assert "Does the service need Flask extensions? (--flask-extensions or --no-flask-ext" in text
    assert "Do clients need an OpenAPI document? Yes. FastAPI makes it" in text
    assert "Does the team know how to write async Python? No. Handlers in threads" in text


def test_the_object_for_programs_is_complete_and_is_json() -> None:
    found = advice(question(io=60.0, connections=10), of=analysis(users=(1, 2, 4)))
    made_of = json.loads(json.dumps(store.advice_as_json(found), allow_nan=False))
    assert made_of["question"]["slo"] == "p99<200ms"
    assert [each["stack"] for each in made_of["stacks"]] == [FLASK, HTTPX, AIOHTTP]
    assert made_of["stacks"][0]["rate_rps"][2] is None  # no limit was found
    assert made_of["stacks"][0]["at_least"]
    assert {each["axis"] for each in made_of["left_out"]} == {"users", "io_ms", "work"}
    assert made_of["measured"]["io_ms"] == [20.0, 50.0, 100.0]


# -------------------------------------------------------------------------- the command


ASK = ["--io-ms", "50", "--cpu-ms", "2", "--db-queries", "5", "--slo", "p99<200ms"]


@pytest.fixture
def answering(monkeypatch: pytest.MonkeyPatch) -> Callable[..., Any]:
    """The command, with a made-up run as the one that it finds."""
    of = analysis()
    monkeypatch.setattr(cli, "_find", lambda *_: (Path("results/fake"), of.run))
    monkeypatch.setattr(analysing, "analyse", lambda *_: of)

    def run(arguments: Sequence[str]) -> Any:
        return CliRunner().invoke(cli.command, list(arguments))

    return run


def test_the_command_answers(answering: Callable[..., Any]) -> None:
    done = answering(["--rate", "800", *ASK, "--openapi", "--json"])
    assert done.exit_code == 0, done.output
    made_of = json.loads(done.stdout)
    assert made_of["answers"]["openapi"] is True
    assert made_of["answers"]["async-team"] is None
    assert made_of["suggestions"]
    assert "Fewest containers" in answering(["--rate", "800", *ASK]).stdout


def test_the_command_fails_if_no_stack_has_an_answer(answering: Callable[..., Any]) -> None:
    assert answering(["--rate", "800", *ASK, "--io-ms", "900"]).exit_code == 1


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--rate", "0"], "--rate 0: give more than 0 requests per second"),
        (["--rate", "9", "--io-ms", "-1"], "--io-ms -1: give 0 to 60,000 milliseconds"),
        (["--rate", "9", "--cpu-ms", "nan"], "--cpu-ms nan: give 0 to 60,000 milliseconds"),
        (["--rate", "9", "--db-queries", "-1"], "--db-queries -1: give 0 to 1,000 lookups"),
        (["--rate", "9", "--connections", "0"], "--connections 0: give 1 or more, or leave it out"),
        (["--rate", "9", "--headroom", "100%"], "--headroom 100%: give 0% to 99%"),
        (["--rate", "9", "--slo", "fast"], "'fast' is no bound on"),
        (["--rate", "9", "--from", "fastapi-aiohtp"], "did you mean fastapi-aiohttp"),
    ],
)
def test_bad_input_is_refused_in_one_line(
    answering: Callable[..., Any], arguments: Sequence[str], said: str
) -> None:
    done = answering([*ASK, *arguments])
    assert isinstance(done.exception, BadInput)
    assert said in str(done.exception)
    assert "\n" not in str(done.exception)


def test_the_newest_run_of_this_machine_answers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = analysis().run
    here = {"cpu": "this", "cores": 2, "usable_cores": [0, 1]}
    of_runs = {
        "20260101-a": replace(run, environment=here),
        "20260102-b": replace(run, environment={**here, "cpu": "another"}),
        "20260103-c": replace(run, environment=here, ended=None),
    }
    monkeypatch.setattr(store, "list_runs", lambda _out: sorted(of_runs))
    monkeypatch.setattr(store, "read_run", lambda folder: of_runs[folder.name])
    monkeypatch.setattr(store, "find_run", lambda out, name: out / name)
    monkeypatch.setattr(environment, "is_of_this_machine", lambda facts: facts == here)
    assert cli._find(tmp_path, None, question())[0].name == "20260101-a"
    assert cli._find(tmp_path, "20260102-b", question())[0].name == "20260102-b"
    with pytest.raises(BadInput, match="twinbench run dashboard --users 1,10,100 --io-ms 50"):
        cli._find(tmp_path, "20260103-c", question())
    of_runs["20260104-d"] = replace(analysis(io_ms=(200.0, 400.0)).run, environment=here)
    assert cli._find(tmp_path, None, question())[0].name == "20260101-a", "the newer does not reach"
    assert cli._find(tmp_path, None, question(io=300.0))[0].name == "20260104-d"
    assert cli._find(tmp_path, None, question(io=900.0))[0].name == "20260104-d"
    of_runs.pop("20260104-d")
    of_runs.pop("20260101-a")
    with pytest.raises(BadInput, match="no run of this machine"):
        cli._find(tmp_path, None, question())


def test_a_run_answers_only_if_its_loads_say_what_requests_do() -> None:
    assert is_grid(analysis().run)
    plan = make_plan(CATALOGUE, RunOptions(profile=PROFILES["smoke"], scenarios=("hello",)))
    assert not is_grid(replace(analysis().run, plan=plan))
