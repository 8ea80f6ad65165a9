"""The claims ledger: read strictly, and judged from intervals alone."""

from __future__ import annotations

import json
import math
import shlex
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from harness import store
from harness.analysis import claims as judging
from harness.analysis.claims import Evidence, judge
from harness.analysis.connections import analyse_connections
from harness.cli.main import cli
from harness.errors import BadInput
from harness.machine.placement import place_here
from harness.models import (
    Analysis,
    AtShare,
    Capacity,
    Claim,
    ClaimKind,
    ClaimResult,
    ClaimTest,
    ClaimVerdict,
    Comparison,
    ConnectionsAnalysis,
    ConnectionsPlan,
    ConnectionsRecord,
    Estimate,
    Failure,
    Family,
    Held,
    HeldSeries,
    HeldStep,
    LimitedBy,
    Load,
    Placement,
    Plan,
    ProfilePlan,
    Verdict,
)
from harness.planning.capacity import CapacityOptions, plan_capacity
from harness.planning.claims import load_claims, read_sources
from harness.planning.connections import PROFILES as HELD_PROFILES
from harness.planning.connections import connections_plan
from harness.planning.files import PROJECT, STACKS_FILE
from harness.planning.options import PROFILES, RunOptions
from harness.planning.parts import is_whole, parts, whole_plan
from harness.planning.plan import load_catalogue, make_plan
from harness.planning.sweep import SweepOptions, sweep_plan
from tests import analyses

CATALOGUE = load_catalogue()
LEDGER = load_claims()
FLASK, FASTAPI, AIOHTTP = "flask-gthread", "fastapi-uvicorn", "fastapi-aiohttp"
HOLDS, FAILS = ClaimVerdict.HOLDS, ClaimVerdict.FAILS
INCONCLUSIVE, NOT_MEASURED = ClaimVerdict.INCONCLUSIVE, ClaimVerdict.NOT_MEASURED
NAN = math.nan
#: Of the servers on this machine, which `--workers n` counts.
CORES = max(1, len(place_here().servers))

# -------------------------------------------------------------------------- the ledger


def test_the_ledger_has_the_claims_with_a_test_for_each() -> None:
    assert len(LEDGER) >= 24
    assert all(claim.claim.endswith(".") for claim in LEDGER)
    assert {test.kind for claim in LEDGER for test in claim.tests} == set(ClaimKind)


def test_every_kind_of_test_has_a_strategy() -> None:
    strategies = judging.OF_RUNS.keys() | judging.OF_CONNECTIONS.keys() | judging.OF_CODE.keys()
    assert strategies == set(ClaimKind)


GOOD = """
[a]
claim = "It is so."
measure = "twinbench run hello"
[[a.test]]
kind = "ratio"
scenario = "hello"
candidate = "fastapi-uvicorn"
baseline = "flask-gthread"
metric = "throughput_rps"
at_least = 2
"""


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("[a]", "[a", r"can't be read as TOML: .*\(at line 2, column 3\)"),
        (GOOD, "", "has no claim"),
        (GOOD, "a = 1", "claim 'a': stands outside a table such as .a."),
        ('claim = "It is so."', "claim = 1", "claim 'a': needs 'claim', a sentence in quotes"),
        ('claim = "It is so."', 'claims = "x"', "claim 'a': unknown field 'claims'; known: claim, me"),
        (GOOD, '[a]\nclaim = "x"', "claim 'a': has no test: add a table ..a.test.."),
        (GOOD, '[a]\nclaim = "x"\ntest = [1]', "claim 'a', test 1: must be a table"),
        ('kind = "ratio"\n', "", "claim 'a', test 1: needs 'kind', one of: ratio, larger-effect"),
        ('"ratio"', '"ration"', "claim 'a', test 1: kind 'ration' is not one of: ratio"),
        ('"ratio"', "[1]", "claim 'a', test 1: kind '.1.' is not one of: ratio"),
        ('scenario = "hello"', "", "claim 'a', test 1: field 'scenario' is missing"),
        ('measure = "twinbench run hello"', "", "claim 'a', test 1: field 'measure' is missing"),
        ('"twinbench run hello"', '"run hello"', "measure 'run hello' must begin with 'twinbench'"),
        ('"twinbench run hello"', "1", "claim 'a', test 1: 'measure' must be text in quotes"),
        ('scenario = "hello"', 'scenario = "helo"', "scenario 'helo' is not one of: .*hello"),
        ('"flask-gthread"', '"flask"', "baseline 'flask' is not one of: flask-gthread, "),
        ('"throughput_rps"', '"rps"', "metric 'rps' is not one of: throughput_rps, "),
        ("at_least = 2", "", "needs a bound: 'at_least', 'at_most' or both"),
        ("at_least = 2", "at_least = true", "'at_least' must be a number of 0 or more"),
        ("at_least = 2", "at_least = nan", "'at_least' must be a number of 0 or more"),
        ("at_least = 2", "at_least = 2\nat_most = 2", "at_least 2 must be below at_most 2"),
        ("at_least = 2", "atleast = 2", "'atleast' is no field of kind 'ratio', which has: measure"),
        ("at_least = 2", 'at_least = 2\nheld = "websocket"', "'held' is no field of kind 'ratio'"),
    ],
)  # fmt: skip
def test_a_bad_entry_is_refused_with_its_place(
    old: str, new: str, message: str, tmp_path: Path
) -> None:
    file = tmp_path / "claims.toml"
    file.write_text(GOOD)
    assert load_claims(file, CATALOGUE)[0].tests[0].at_least == 2
    file.write_text(GOOD.replace(old, new, 1))
    with pytest.raises(BadInput, match=rf"^{file}: .*{message}"):
        load_claims(file, CATALOGUE)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ('kind = "code-lines"\ncandidate_code = "x"\nbaseline_code = ["y"]\nat_most = 1',
         "'candidate_code' must be a list of texts in quotes"),
        ('kind = "largest-load"\nscenario = "hello"\naxis = "users"\nat = "many"\n'
         'candidate = "flask-gthread"\nat_most = 1', "at 'many' is not a whole number, n, 2n or 2n"),
        ('kind = "largest-load"\nscenario = "hello"\naxis = "user"\nat = "9"\n'
         'candidate = "flask-gthread"\nat_most = 1', "axis 'user' is not one of: users, rate"),
        ('kind = "others-served"\nheld = "open"\ncandidate = "flask-gthread"\nat_most = 1',
         "held 'open' is not one of: keep-alive"),
        ('kind = "latency-at-share"\nscenario = "hello"\ncandidate = "flask-gthread"\n'
         'baseline = "flask-gthread"\nmetric = "latency_p99_ms"\nshare = 75\nat_most = 1',
         "share 75 must be more than 0 and at most 1"),
    ],
)  # fmt: skip
def test_fields_of_other_kinds_are_checked_too(fields: str, message: str, tmp_path: Path) -> None:
    file = tmp_path / "claims.toml"
    file.write_text(
        f'[a]\nclaim = "It is so."\nmeasure = "twinbench run hello"\n[[a.test]]\n{fields}\n'
    )
    with pytest.raises(BadInput, match=f"claim 'a', test 1: {message}"):
        load_claims(file, CATALOGUE)


def test_a_missing_file_is_bad_input(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match=r"claims\.toml: can't be read: No such file"):
        load_claims(tmp_path / "claims.toml", CATALOGUE)


# ------------------------------------------------- the commands measure what claims ask


def planned(command: str) -> Plan | ConnectionsPlan:
    """What a command line of the ledger plans."""
    _, name, *arguments = shlex.split(command)
    given = cli.commands[name].make_context(name, arguments).params
    stacks = tuple(given.get("stacks", ()))
    match name:
        case "connections":
            return connections_plan(
                CATALOGUE.stacks, profile=HELD_PROFILES["quick"], seed=1, rounds=given["rounds"]
            )
        case "run":
            return make_plan(
                CATALOGUE,
                RunOptions(
                    profile=PROFILES[given["profile"].name],
                    scenarios=tuple(given["scenarios"]),
                    stacks=stacks,
                    ladder=given["ladder"],
                    worker_counts=tuple(given["worker_counts"]),
                ),
            )
        case "sweep":
            return sweep_plan(
                CATALOGUE,
                RunOptions(stacks=stacks),
                SweepOptions(
                    given["scenario"],
                    {"users": given["user_values"]}
                    if given["user_values"]
                    else {"workers": given["worker_values"]},
                ),
            )
        case "capacity":
            return plan_capacity(
                CATALOGUE,
                CapacityOptions(given["scenario"], given["slo"], rounds=given["rounds"]),
            )
    raise AssertionError(f"no plan for: {command}")


def pairs_of(plan: Plan, scenario: str) -> set[frozenset[str]]:
    """Pairs that are compared under the scenario's usual load, by way of at most one other stack."""
    direct = {
        frozenset((contrast.baseline, contrast.candidate))
        for block in plan.blocks
        if block.scenario.name == scenario and block.load == Load(block.scenario.users)
        for contrast in block.contrasts
    }
    return direct | {one ^ other for one in direct for other in direct if len(one & other) == 1}


MEASURED = [
    pytest.param(test, id=f"{claim.id}-{number}")
    for claim in LEDGER
    for number, test in enumerate(claim.tests, 1)
    if test.measure
]


def measures(test: ClaimTest, plan: Plan | ConnectionsPlan) -> bool:
    """Whether a plan has what a test asks for, in rounds enough for a verdict."""
    if plan.rounds < 5:
        return False
    if isinstance(plan, ConnectionsPlan):
        stacks = {stack.label for stack in plan.stacks}
        return test.held in plan.held and {test.candidate, test.baseline or FLASK} <= stacks
    blocks = [block for block in plan.blocks if block.scenario.name == test.scenario]
    counted = {stack.with_its_number for stack in plan.stacks} - {None}
    match test.kind:
        case ClaimKind.RATIO | ClaimKind.NEITHER_BETTER:
            return frozenset((test.candidate, test.baseline)) in pairs_of(plan, test.scenario)
        case ClaimKind.LARGER_EFFECT:
            pairs = pairs_of(plan, test.scenario)
            return {
                frozenset((test.candidate, test.baseline)),
                frozenset((test.beside_candidate, test.beside_baseline)),
            } <= pairs
        case ClaimKind.MOST:
            with_both = [b for b in blocks if {test.candidate, test.baseline} <= set(b.stacks)]
            return len({block.load.users for block in with_both}) >= 3
        case ClaimKind.CAPACITY | ClaimKind.AT_SHARE:
            return any(
                {test.candidate, test.baseline} <= set(block.stacks)
                for block in blocks
                if block.search is not None
            )
        case ClaimKind.LARGEST_LOAD if test.axis == "users":
            users = [block.load.users for block in blocks if test.candidate in block.stacks]
            return len(users) >= 3 and max(users) == int(test.at)
        case ClaimKind.LARGEST_LOAD | ClaimKind.WORKER_MEMORY:
            own = {count for name, count in filter(None, counted) if name == test.candidate}
            # 2n+1 is the largest of them.
            return bool(blocks) and 1 in own and max(own) == 2 * CORES + 1
    return False


@pytest.mark.parametrize("test", MEASURED)
def test_the_command_of_a_claim_measures_what_it_asks(test: ClaimTest) -> None:
    assert measures(test, planned(test.measure))


@pytest.mark.parametrize("test", MEASURED)
def test_a_whole_run_measures_what_every_claim_asks(test: ClaimTest) -> None:
    plan = whole_plan(CATALOGUE, RunOptions(profile=PROFILES["full"]), LEDGER)
    planned_parts = [part.plan for part in parts(CATALOGUE, seed=1, cores=CORES)]
    runs = [each for each in (plan, *planned_parts) if not isinstance(each, ProfilePlan)]
    assert any(measures(test, each) for each in runs)


def test_the_profile_full_measures_every_claim_about_the_twins_as_they_are_commonly_run() -> None:
    plan = make_plan(CATALOGUE, RunOptions(profile=PROFILES["full"]))
    asked = [
        test
        for claim in LEDGER
        for test in claim.tests
        if test.kind in (ClaimKind.RATIO, ClaimKind.NEITHER_BETTER)
        and "--stack" not in test.measure
    ]
    assert len(asked) >= 9
    for test in asked:
        assert frozenset((test.candidate, test.baseline)) in pairs_of(plan, test.scenario)
    # Its rounds leave time of the hour for starting servers and checking replies.
    load_s = plan.rounds * sum(block.seconds_per_round for block in plan.blocks)
    assert load_s < 0.85 * 3_600


def test_a_whole_run_takes_an_hour_at_most() -> None:
    plan = whole_plan(CATALOGUE, RunOptions(profile=PROFILES["full"]), LEDGER)
    assert plan.budget_s is not None
    # Its rounds leave time of their budget for starting servers and checking replies.
    assert plan.rounds * sum(block.seconds_per_round for block in plan.blocks) < 0.7 * plan.budget_s
    assert plan.budget_s < 0.5 * 3_600


def test_a_whole_run_names_its_parts_and_explains_its_steps() -> None:
    plan = whole_plan(CATALOGUE, RunOptions(profile=PROFILES["full"], seed=7), LEDGER)
    assert plan.parts == tuple(part.name for part in parts(CATALOGUE, seed=7, cores=CORES))
    assert {block.scenario.name for block in plan.blocks} == set(CATALOGUE.scenarios)
    ladders = {block.scenario.name for block in plan.blocks if block.ladder}
    assert {"hello", "users-validate", "users-lookup", "weather"} <= ladders
    assert "crud-mix" not in ladders  # whose steps would take minutes a round
    profiled = {
        part.plan.block.scenario.name
        for part in parts(CATALOGUE, seed=7, cores=CORES)
        if isinstance(part.plan, ProfilePlan)
    }
    assert {"hello", "users-validate", "users-lookup", "weather"} == profiled


@pytest.mark.parametrize(
    ("arguments", "whole"),
    [
        (["--profile", "full"], True),
        (["--profile", "full", "--no-claims"], False),
        (["--profile", "full", "hello"], False),
        (["--profile", "full", "--stack", "flask-gthread"], False),
        (["--profile", "full", "--users", "4"], False),
        (["--profile", "full", "--stacks-file", "mine.toml"], False),
        (["--profile", "quick"], False),
        (["--profile", "quick", "--claims"], True),
    ],
)
def test_a_run_is_whole_if_nothing_is_chosen(arguments: list[str], whole: bool) -> None:
    given = cli.commands["run"].make_context("run", arguments).params
    options = RunOptions(
        profile=given["profile"],
        scenarios=given["scenarios"],
        stacks=given["stacks"],
        users=given["users"],
    )
    assert is_whole(options, given["claims"], given["stacks_file"]) is whole


def test_a_whole_run_of_a_choice_is_refused() -> None:
    with pytest.raises(BadInput, match="leave out --stack, or --claims"):
        is_whole(RunOptions(stacks=(FLASK,)), True, STACKS_FILE)


# ------------------------------------------------------------------------------ ratios


def ratio(**fields: Any) -> ClaimTest:
    return replace(
        ClaimTest(
            ClaimKind.RATIO,
            measure="twinbench run weather",
            scenario="weather",
            candidate=AIOHTTP,
            baseline=FLASK,
            metric="throughput_rps",
        ),
        **fields,
    )


def verdict(test: ClaimTest, *runs: Any) -> ClaimResult:
    evidence = [Evidence(run, f"run {number}") for number, run in enumerate(runs, 1)]
    (judged,) = judge([Claim("a", "It is so.", (test,))], evidence)
    (tested,) = judged.tested
    assert judged.verdict is tested.verdict
    return tested


def weather(low: float, value: float, high: float, *, rounds: int = 8, **options: Any) -> Analysis:
    return analyses.analysis(
        scenarios=["weather"],
        rounds=rounds,
        ratios={("weather", AIOHTTP): (value, low, high)},
        **options,
    )


@pytest.mark.parametrize(
    ("bounds", "limits", "expected"),
    [
        ({"at_least": 2.0}, (2.0, 2.2, 2.4), HOLDS),
        ({"at_least": 2.0}, (1.9, 2.2, 2.4), INCONCLUSIVE),  # its point is above the bound
        ({"at_least": 2.0}, (1.5, 1.7, 1.9), FAILS),
        ({"at_most": 1.0}, (0.8, 0.9, 1.0), HOLDS),
        ({"at_most": 1.0}, (0.8, 0.9, 1.1), INCONCLUSIVE),
        ({"at_most": 1.0}, (1.1, 1.2, 1.3), FAILS),
        ({"at_least": 0.9, "at_most": 1.1}, (0.95, 1.0, 1.05), HOLDS),
        ({"at_least": 0.9, "at_most": 1.1}, (0.85, 1.0, 1.05), INCONCLUSIVE),
        ({"at_least": 0.9, "at_most": 1.1}, (0.5, 0.6, 0.7), FAILS),
        ({"at_least": 0.9, "at_most": 1.1}, (1.2, 1.3, 1.4), FAILS),
    ],
)
def test_the_interval_decides_and_not_the_point(
    bounds: dict[str, float], limits: tuple[float, float, float], expected: ClaimVerdict
) -> None:
    found = verdict(ratio(**bounds), weather(*limits))
    assert found.verdict is expected
    assert found.figure == Estimate(limits[1], limits[0], limits[2])
    assert found.reason == (judging.CROSSES if expected is INCONCLUSIVE else "")
    assert found.source == "run 1"


def test_a_claim_about_the_baseline_takes_the_inverse_ratio() -> None:
    test = ratio(candidate=FLASK, baseline=AIOHTTP, at_least=0.4)
    found = verdict(test, weather(1.6, 2.0, 2.5))
    assert found.figure == Estimate(0.5, 0.4, 0.625)
    assert found.verdict is HOLDS


def test_two_stacks_are_compared_by_way_of_a_third_with_a_wider_interval() -> None:
    run = analyses.analysis(
        scenarios=["weather"],
        ratios={
            ("weather", AIOHTTP): (2.0, 1.8, 2.2),
            ("weather", FASTAPI): (0.5, 0.4, 0.6),
        },
    )
    found = verdict(ratio(baseline=FASTAPI, at_least=2), run)
    assert found.figure is not None
    assert found.figure.value == pytest.approx(4.0)
    assert (found.figure.low, found.figure.high) == pytest.approx((1.8 / 0.6, 2.2 / 0.4))


def test_too_few_rounds_give_no_verdict() -> None:
    found = verdict(ratio(at_least=2), weather(2.5, 3, 3.5, rounds=4))
    assert found.verdict is INCONCLUSIVE
    assert found.reason == "4 of 5 rounds that a verdict needs"


def test_an_invalid_cell_gives_no_verdict_and_its_reason() -> None:
    run = weather(2.5, 3, 3.5, invalid={("weather", AIOHTTP): analyses.BROKEN})
    found = verdict(ratio(at_least=2), run)
    assert found.verdict is INCONCLUSIVE
    assert found.reason.startswith(f"{AIOHTTP} is invalid: errors: 2.1 %")


def test_an_overloaded_stack_has_no_latency_to_judge_by() -> None:
    run = analyses.analysis(scenarios=["weather"])
    made = tuple(
        replace(each, verdict=Verdict.OVERLOADED)
        if (each.candidate, each.metric) == (AIOHTTP, "latency_p99_ms")
        else each
        for each in run.comparisons
    )
    cells = tuple(
        replace(cell, overload=analyses.OVERLOAD) if cell.stack == AIOHTTP else cell
        for cell in run.cells
    )
    run = replace(run, cells=cells, comparisons=made)
    found = verdict(ratio(metric="latency_p99_ms", at_most=1), run)
    assert (found.verdict, found.reason) == (INCONCLUSIVE, f"{AIOHTTP} is overloaded")


@pytest.mark.parametrize(
    ("idle", "bounds", "expected"),
    [
        (AIOHTTP, {"at_least": 2.0}, INCONCLUSIVE),  # 1.7 to 1.9; with more users it may be 2
        (AIOHTTP, {"at_least": 1.5}, HOLDS),  # more could only help
        (AIOHTTP, {"at_most": 1.0}, FAILS),
        (AIOHTTP, {"at_most": 2.0}, INCONCLUSIVE),
        (FLASK, {"at_least": 1.5}, HOLDS),  # with 40 threads for 50 users, more would only wait
        (FLASK, {"at_least": 2.0}, FAILS),
    ],
)
def test_a_stack_that_its_users_left_idle_may_serve_more(
    idle: str, bounds: dict[str, float], expected: ClaimVerdict
) -> None:
    run = weather(1.7, 1.8, 1.9)
    run = replace(
        run,
        cells=tuple(replace(cell, limited_by_users=cell.stack == idle) for cell in run.cells),
    )
    found = verdict(ratio(**bounds), run)
    assert found.verdict is expected
    assert found.figure == Estimate(1.8, 1.7, 1.9)
    if expected is INCONCLUSIVE:
        assert found.reason == f"users left {idle} idle, which could serve more"


def test_a_claim_is_about_the_usual_load_and_no_other() -> None:
    other = analyses.analysis(scenarios=["weather"], users=3)
    assert verdict(ratio(at_least=2), other).verdict is NOT_MEASURED
    assert verdict(ratio(at_least=2, scenario="page"), other).verdict is NOT_MEASURED
    assert verdict(ratio(at_least=2, candidate="x"), weather(1, 2, 3)).verdict is NOT_MEASURED


# ------------------------------------------------------------- several tests, several runs


def test_a_claim_fails_with_one_test_and_holds_with_all() -> None:
    run = weather(2.0, 2.2, 2.4)
    yes, no = ratio(at_least=2), ratio(at_most=1)
    open_, absent = ratio(at_least=2.1), ratio(at_least=2, scenario="page")
    for tests, expected in (
        ((yes, yes), HOLDS),
        ((yes, open_), INCONCLUSIVE),
        ((yes, absent, open_), NOT_MEASURED),
        ((absent, open_, yes, no), FAILS),
    ):
        (judged,) = judge([Claim("a", "It is so.", tests)], [Evidence(run)])
        assert judged.verdict is expected
        assert judged.is_measured


def test_the_first_run_that_can_decide_counts_whatever_it_says() -> None:
    yes, no = weather(2.5, 3, 3.5), weather(0.5, 0.6, 0.7)
    few = weather(2.5, 3, 3.5, rounds=3)
    assert verdict(ratio(at_least=2), no, yes).verdict is FAILS
    assert verdict(ratio(at_least=2), yes, no).source == "run 1"
    assert verdict(ratio(at_least=2), few, no).source == "run 2"
    assert verdict(ratio(at_least=2), few, few).source == "run 1"


def test_without_runs_nothing_is_measured_but_code() -> None:
    for judged in judge(LEDGER, [Evidence(read_sources())]):
        is_code = judged.claim.tests[0].kind is ClaimKind.CODE_LINES
        assert judged.is_measured == is_code
        assert (judged.verdict is NOT_MEASURED) != is_code


# ------------------------------------------------------------------ effects and dominance


def compared(*verdicts: Verdict, limits: tuple[float, float, float] = (1.9, 2, 2.1)) -> Analysis:
    """FastAPI beside Flask in weather, with these verdicts, metric by metric."""
    run = analyses.analysis(scenarios=["weather"])
    metrics = ("throughput_rps", "latency_p50_ms", "latency_p99_ms", "cpu_us_per_request")
    low, value, high = limits
    block = run.run.blocks[0].key
    made = tuple(
        Comparison(
            "weather", block.load, metric, FLASK, FASTAPI, value, low, high, 8, 0.03, each,
            Family.ANSWERS,
        )
        for metric, each in zip(metrics, verdicts, strict=True)
    )  # fmt: skip
    return replace(run, comparisons=made)


F, S, SAME, OPEN = Verdict.FASTER, Verdict.SLOWER, Verdict.SAME, Verdict.INCONCLUSIVE


@pytest.mark.parametrize(
    ("verdicts", "expected", "reason"),
    [
        ((F, S, OPEN, SAME), HOLDS, "each is better in something"),
        ((SAME,) * 4, HOLDS, "no difference is large enough to matter"),
        ((F, F, SAME, F), FAILS, f"{FASTAPI} is nowhere worse"),
        ((SAME, S, S, SAME), FAILS, f"{FLASK} is nowhere worse"),
        ((F, F, OPEN, F), INCONCLUSIVE, "some metrics are inconclusive"),
    ],
)
def test_neither_is_better_if_each_is_in_something(
    verdicts: tuple[Verdict, ...], expected: ClaimVerdict, reason: str
) -> None:
    test = ratio(kind=ClaimKind.NEITHER_BETTER, candidate=FASTAPI, metric="")
    found = verdict(test, compared(*verdicts))
    assert (found.verdict, found.reason) == (expected, reason)
    invalid = verdict(test, compared(*verdicts[:3], Verdict.INVALID))
    assert (invalid.verdict, invalid.reason) == (INCONCLUSIVE, "too little was measured")


@pytest.mark.parametrize(
    ("own", "beside", "expected"),
    [
        ((3.6, 4.0, 4.4), (1.9, 2.0, 2.1), HOLDS),
        ((0.2, 0.25, 0.3), (1.9, 2.0, 2.1), HOLDS),  # a fall by as much is as large
        ((1.9, 2.0, 2.1), (0.2, 0.25, 0.3), FAILS),
        ((1.8, 2.0, 2.4), (1.9, 2.1, 2.3), INCONCLUSIVE),
        ((0.9, 1.05, 1.2), (0.45, 0.5, 0.55), FAILS),  # hardly any effect at all
    ],
)
def test_one_change_is_held_against_another(
    own: tuple[float, float, float],
    beside: tuple[float, float, float],
    expected: ClaimVerdict,
) -> None:
    run = analyses.analysis(
        scenarios=["weather"],
        ratios={
            ("weather", candidate): (value, low, high)
            for candidate, (low, value, high) in ((AIOHTTP, own), (FASTAPI, beside))
        },
    )
    test = ratio(
        kind=ClaimKind.LARGER_EFFECT,
        beside_candidate=FASTAPI,
        beside_baseline=FLASK,
        at_least=1.0,
    )
    assert verdict(test, run).verdict is expected
    assert verdict(replace(test, beside_candidate="x"), run).verdict is NOT_MEASURED


# ------------------------------------------------------------------------------ curves


def most(**fields: Any) -> ClaimTest:
    return ratio(**{"kind": ClaimKind.MOST, "axis": "users", "metric": "", **fields})


def test_the_most_of_two_curves_is_compared() -> None:
    run = analyses.swept()
    found = verdict(most(at_least=1.5), run)
    assert found.figure is not None
    assert found.verdict is HOLDS
    assert 1.9 < found.figure.value < 2.9
    assert verdict(most(at_least=5), run).verdict is FAILS
    assert verdict(most(at_least=1.5), analyses.swept(rounds=3)).verdict is INCONCLUSIVE
    assert verdict(most(at_least=1.5, axis="workers"), run).verdict is NOT_MEASURED


def test_a_stack_whose_throughput_still_rises_may_serve_more() -> None:
    few_users = analyses.swept((1, 3, 10))
    found = verdict(most(at_least=1.5), few_users)
    assert found.figure is not None
    assert found.figure.high < 1.5
    assert found.verdict is INCONCLUSIVE
    assert found.reason == f"more users may raise the most of {AIOHTTP} and {FLASK} further"


def test_a_curve_without_a_valid_load_has_no_most() -> None:
    users = (1, 10, 100)
    broken = {(AIOHTTP, number): Failure.TIMEOUT for number in users}
    found = verdict(most(at_least=1.5), analyses.swept(users, invalid=broken))
    assert (found.verdict, found.reason) == (INCONCLUSIVE, f"no load of {AIOHTTP} is valid")


def largest(at: str = "1000", stack: str = FLASK, **fields: Any) -> ClaimTest:
    return ClaimTest(
        ClaimKind.LARGEST_LOAD, scenario="weather", axis="users", at=at, candidate=stack, **fields
    )


def test_what_becomes_of_the_throughput_at_the_largest_load() -> None:
    run = analyses.swept()
    assert verdict(largest(at_most=1.1), run).verdict is HOLDS
    assert verdict(largest(at_least=1.1), run).verdict is FAILS
    assert verdict(largest(stack=FASTAPI, at_most=0.6), run).verdict is HOLDS  # it collapses
    assert verdict(largest("300", at_most=1.1), run).verdict is NOT_MEASURED
    few = verdict(largest(at_most=1.1), analyses.swept(rounds=4))
    assert (few.verdict, few.reason) == (INCONCLUSIVE, "4 of 5 rounds that a verdict needs")
    invalid = verdict(
        largest(at_most=1.1), analyses.swept(invalid={(FLASK, 1000): Failure.TIMEOUT})
    )
    assert (invalid.verdict, invalid.reason) == (INCONCLUSIVE, f"{FLASK} is invalid at 1,000")


# ------------------------------------------------------------------- worker processes


def by_workers(mib: dict[int, float], rounds: int = 6, *, metered: bool = True) -> Analysis:
    """weather with several numbers of Flask's worker processes, whose memory is known."""
    stacks = {
        f"{FLASK}@{count}": replace(analyses.STACKS[FLASK], label=f"{FLASK}@{count}")
        for count in mib
    }
    figures = {f"{FLASK}@{count}": (500.0, 100.0, 1600.0, memory) for count, memory in mib.items()}
    run = analyses.analysis(
        scenarios=["weather"], stacks=stacks, figures={"weather": figures}, rounds=rounds
    )
    if metered:
        return run
    cut = tuple(
        replace(each, cells=tuple(replace(cell, server=None) for cell in each.cells))
        for each in run.run.rounds
    )
    return replace(run, run=replace(run.run, rounds=cut))


def test_memory_of_further_workers_is_held_against_the_first() -> None:
    test = ClaimTest(ClaimKind.WORKER_MEMORY, scenario="weather", candidate=FLASK, at_least=0.8)
    found = verdict(test, by_workers({1: 60, 2: 110, 3: 168}))
    assert found.figure is not None
    assert found.figure.value == pytest.approx((168 - 60) / 2 / 60)
    assert found.verdict is HOLDS
    assert verdict(test, by_workers({1: 60, 2: 90, 3: 120})).verdict is FAILS
    assert verdict(test, by_workers({1: 60, 3: 168}, rounds=4)).verdict is INCONCLUSIVE
    assert verdict(test, by_workers({2: 60, 3: 168})).verdict is NOT_MEASURED
    unmetered = verdict(test, by_workers({1: 60, 3: 168}, metered=False))
    assert (unmetered.verdict, unmetered.reason) == (INCONCLUSIVE, "memory was not metered")


# ---------------------------------------------------------------------------- capacity


def searched(value: float, low: float, high: float, **fields: Any) -> Analysis:
    """Capacities of both twins, FastAPI's being so many times Flask's; p99 40 and 20 ms."""

    def capacity(stack: str, times: Estimate, p99_ms: float) -> Capacity:
        return Capacity(
            "weather", stack, stack.partition("-")[0], "capacity-p99-100ms", "p99<100ms",
            Estimate(500 * (times.value if times.value == times.value else 1), 450, 550), times,
            FLASK, 5, (500.0,) * 5, LimitedBy.LATENCY, 1, 1, 70.0, 300.0,
            (AtShare(0.75, 375, 9_000, {
                "p50": Estimate(5, 4, 6), "p99": Estimate(p99_ms, 0.9 * p99_ms, 1.1 * p99_ms)
            }, False),),
        )  # fmt: skip

    flask = capacity(FLASK, Estimate(NAN, NAN, NAN), 40)
    fastapi = replace(capacity(FASTAPI, Estimate(value, low, high), 20), **fields)
    return replace(analyses.analysis(scenarios=["weather"]), capacities=(flask, fastapi))


def test_capacities_are_compared_round_by_round() -> None:
    test = ratio(kind=ClaimKind.CAPACITY, candidate=FASTAPI, metric="", at_least=2.0)
    assert verdict(test, searched(2.2, 2.0, 2.4)).verdict is HOLDS
    assert verdict(test, searched(2.2, 1.9, 2.4)).verdict is INCONCLUSIVE
    assert verdict(test, searched(1.5, 1.4, 1.6)).verdict is FAILS
    swapped = replace(test, candidate=FLASK, baseline=FASTAPI, at_least=None, at_most=0.5)
    assert verdict(swapped, searched(2.2, 2.0, 2.4)).verdict is HOLDS
    broken = verdict(test, searched(2.2, 2.0, 2.4, reasons=("errors",)))
    assert broken.verdict is INCONCLUSIVE
    assert broken.reason == f"{FASTAPI} has no capacity: errors"
    # Five rounds each, but only four in which both found a rate.
    unlike = searched(2.2, 2.0, 2.4, round_rps=(None, 500.0, 500.0, 500.0, 500.0, 500.0))
    assert verdict(test, unlike).verdict is INCONCLUSIVE
    assert verdict(test, weather(1, 2, 3)).verdict is NOT_MEASURED


def test_latency_is_compared_at_a_share_of_each_stacks_own_capacity() -> None:
    test = ratio(
        kind=ClaimKind.AT_SHARE, candidate=FASTAPI, metric="latency_p99_ms", share=0.75, at_most=0.7
    )
    found = verdict(test, searched(2.2, 2.0, 2.4))
    assert found.figure is not None
    assert found.figure.value == pytest.approx(0.5)
    assert (found.figure.low, found.figure.high) == pytest.approx((18 / 44, 22 / 36))
    assert found.verdict is HOLDS
    other = verdict(replace(test, share=0.8), searched(2.2, 2.0, 2.4))
    assert (other.verdict, other.reason) == (INCONCLUSIVE, "this share was not measured")
    at = AtShare(0.75, 375, 9_000, {"p99": Estimate(20, 18, 22)}, overloaded=True)
    late = verdict(test, searched(2.2, 2.0, 2.4, at_shares=(at,)))
    assert (late.verdict, late.reason) == (INCONCLUSIVE, f"{FASTAPI} is overloaded")


# ------------------------------------------------------------------- held connections


def held_by(
    *, rounds: int = 5, kib: dict[str, float], most: int = 1_000, died: str = "",
    visits: dict[str, tuple[float | None, ...]] | None = None,
) -> ConnectionsAnalysis:  # fmt: skip
    """Servers that hold WebSockets; Flask holds at most as many as said."""
    series = []
    for number in range(1, rounds + 1):
        for stack, each in kib.items():
            seen = (visits or {}).get(stack, (1.0, 2.0))
            steps = tuple(
                HeldStep(
                    asked, min(asked, most) if stack == FLASK else asked, 0, 0, "", 1.0,
                    50 * 1024**2 + round((each + 0.01 * number) * 1024 * asked), None, 5,
                    seen if asked else (1.0,),
                )
                for asked in (0, 100, 1_000)
            )  # fmt: skip
            died_ = died if stack == FLASK else ""
            series.append(HeldSeries(number, stack, Held.WEBSOCKET, steps, died_))
    plan = connections_plan(
        CATALOGUE.stacks, profile=HELD_PROFILES["quick"], seed=1, stacks=list(kib), rounds=rounds,
        held=[Held.WEBSOCKET],
    )  # fmt: skip
    record = ConnectionsRecord(
        "x", 1, plan, {}, Placement((0,), (1,), (1,)), ("twinbench",), "", "", tuple(series)
    )
    return analyse_connections(record)


def held(kind: ClaimKind, **fields: Any) -> ClaimTest:
    return ClaimTest(kind, held="websocket", candidate=FASTAPI, baseline=FLASK, **fields)


def test_memory_for_each_connection_is_compared() -> None:
    test = held(ClaimKind.HELD_MEMORY, at_most=1.0)
    assert verdict(test, held_by(kib={FLASK: 20, FASTAPI: 10})).verdict is HOLDS
    assert verdict(test, held_by(kib={FLASK: 10, FASTAPI: 20})).verdict is FAILS
    few = verdict(test, held_by(kib={FLASK: 20, FASTAPI: 10}, rounds=3))
    assert (few.verdict, few.reason) == (INCONCLUSIVE, "3 of 5 rounds that a verdict needs")
    died = verdict(test, held_by(kib={FLASK: 20, FASTAPI: 10}, died="it ended"))
    assert died.reason == f"{FLASK}: a server ended or never answered"
    assert verdict(test, held_by(kib={FASTAPI: 10})).verdict is NOT_MEASURED
    assert verdict(replace(test, held="half-sent"), held_by(kib={FLASK: 1})).verdict is NOT_MEASURED


def test_how_many_connections_were_held_is_compared() -> None:
    test = held(ClaimKind.HELD_COUNT, at_least=2.0)
    found = verdict(test, held_by(kib={FLASK: 20, FASTAPI: 10}, most=40))
    assert found.figure is not None
    assert found.figure.value == pytest.approx(25)
    assert found.verdict is HOLDS
    assert verdict(test, held_by(kib={FLASK: 20, FASTAPI: 10})).verdict is FAILS
    died = verdict(test, held_by(kib={FLASK: 20, FASTAPI: 10}, died="it ended"))
    assert died.verdict is INCONCLUSIVE


def test_who_else_was_served_is_a_share_over_rounds() -> None:
    nobody = {FLASK: (None, None), FASTAPI: (1.0, 2.0)}
    run = held_by(kib={FLASK: 20, FASTAPI: 10}, visits=nobody)
    test = held(ClaimKind.OTHERS_SERVED, at_least=0.9)
    assert verdict(test, run).verdict is HOLDS
    blocked = verdict(replace(test, candidate=FLASK, at_least=None, at_most=0.1), run)
    assert (blocked.verdict, blocked.figure) == (HOLDS, Estimate(0, 0, 0))
    half = held_by(kib={FASTAPI: 10}, visits={FASTAPI: (1.0, None)})
    assert verdict(test, half).verdict is FAILS
    one = held_by(kib={FASTAPI: 10}, rounds=1)
    assert verdict(test, one).verdict is INCONCLUSIVE


# -------------------------------------------------------------------------------- code


def test_code_is_counted_and_has_no_noise() -> None:
    test = ClaimTest(
        ClaimKind.CODE_LINES, candidate_code=("a.py: x",), baseline_code=("a.py",), at_most=0.5
    )
    found = verdict(test, {"a.py": "x = 1\ny = 2\n"})
    assert (found.verdict, found.figure) == (HOLDS, Estimate(0.5, 0.5, 0.5))
    absent = verdict(replace(test, candidate_code=("b.py",)), {"a.py": "x = 1\n"})
    assert (absent.verdict, absent.reason) == (INCONCLUSIVE, "can't be counted: 'b.py'")


# ------------------------------------------------------------------------ list claims


def listed(*arguments: str, out: Path) -> str:
    done = CliRunner().invoke(
        cli, ["list", "claims", *arguments, "--out", str(out)], catch_exceptions=False
    )
    assert done.exit_code == 0
    return done.output.replace("\u00a0", " ")


def test_without_runs_every_claim_says_what_measures_it(tmp_path: Path) -> None:
    text = listed(out=tmp_path)
    for claim in LEDGER:
        assert f"{claim.id}: {claim.claim}" in text
        assert all(f"run: {test.measure}" in text for test in claim.tests if test.measure)
    assert text.endswith("Of 25 claims, 1 holds, 1 does not hold.\n")


def test_claims_are_judged_by_the_runs_that_are_named() -> None:
    swept = PROJECT / "results" / "reference" / "parts" / "sweep-weather"
    answer = json.loads(listed(str(swept), "--json", out=PROJECT / "results"))
    by_id = {each["id"]: each for each in answer["claims"]}
    assert answer["runs"] == [str(swept)]
    slow, quick = by_id["io-several-times"]["tests"]
    assert (slow["run"], slow["test_verdict"]) == ("sweep-weather", "does not hold")
    assert slow["ci_high"] < 2
    assert quick["candidate"] == AIOHTTP
    assert by_id["cpu-no-advantage"]["verdict"] == "not measured"


def test_held_connections_are_a_run_too(tmp_path: Path) -> None:
    folder = tmp_path / "connections" / "x"
    folder.mkdir(parents=True)
    made = held_by(kib={FLASK: 20, FASTAPI: 10}).record
    store.write_connections(folder, replace(made, ended="2026-01-01T00:00:00+00:00"))
    text = listed(out=tmp_path)
    assert "websocket connections: memory for each, fastapi-uvicorn ÷ flask-gthread: 0.5" in text
    text = listed("connections/x", out=tmp_path)
    assert "(at most 1); x" in text


def test_the_newest_of_runs_that_are_alike_is_taken(tmp_path: Path) -> None:
    def run(name: str, *, rounds: int = 5, ended: bool = True, stack: str = "a") -> None:
        folder = tmp_path / name
        folder.mkdir()
        plan = {
            "rounds": rounds, "stacks": [{"label": stack}], "blocks": [{"scenario": {"name": "hello"}}],
        }  # fmt: skip
        (folder / "run.json").write_text(
            json.dumps(
                {"plan": plan, "ended": "x" if ended else None, "command": ["twinbench", "run"]}
            )
        )

    run("reference")
    run("20260101-000000-quick", stack="b")
    run("20260102-000000-quick")
    run("20260103-000000-quick")
    run("20260104-000000-smoke", rounds=2)
    run("20260105-000000-quick", ended=False)
    (tmp_path / "20260106-000000-quick").mkdir()
    (tmp_path / "20260106-000000-quick" / "run.json").write_text("{")
    names = [folder.name for folder in store.newest_of_each(tmp_path)]
    assert names == ["20260103-000000-quick", "20260101-000000-quick"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["claims", "nosuch"], "unknown run 'nosuch'"),
        (["stacks", "reference"], "'twinbench list stacks' takes no run; only claims do"),
    ],
)
def test_a_run_that_makes_no_sense_is_refused(arguments: list[str], message: str) -> None:
    done = CliRunner().invoke(cli, ["list", *arguments])
    assert isinstance(done.exception, BadInput)
    assert message in str(done.exception)
