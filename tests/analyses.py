"""Analyses made up for tests: plausible figures, the same every time, and odd runs on request."""

from __future__ import annotations

import math
import random
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from harness.analysis.curves import Pace, curves
from harness.models import (
    Analysis,
    BlockKey,
    BlockPlan,
    BlockUsage,
    Calibration,
    CellKey,
    CellRound,
    CellSummary,
    Comparison,
    Estimate,
    Failure,
    Family,
    GateResult,
    Kind,
    Load,
    Overload,
    Placement,
    Plan,
    Round,
    RunRecord,
    Scenario,
    ScheduleKept,
    Stack,
    TimelinePoint,
    Usage,
    Verdict,
)
from harness.planning.files import LADDER_FILE, STACKS_FILE
from harness.planning.ladder import climbed, load_ladder
from harness.planning.scenarios import load_scenarios
from harness.planning.stacks import load_stacks
from harness.store import SCHEMA

NAN = float("nan")
OVERLOAD = Overload(answered_rps=1707, due_rps=5000, never_sent=0, timed_out=0)
NOISE_FLOOR = 0.03
CYCLES = 25

STACKS: Mapping[str, Stack] = {
    stack.label: stack
    for stack in (
        Stack(
            "flask-gthread",
            "flask-gthread",
            "flask",
            "apps.flask_twin:create_app",
            "gunicorn",
            "Flask as most people run it: gunicorn with threads",
            ("--worker-class", "gthread", "--threads", "16"),
            {"http_client": "requests"},
        ),
        Stack(
            "fastapi-uvicorn",
            "fastapi-uvicorn",
            "fastapi",
            "apps.fastapi_twin:create_app",
            "uvicorn",
            "FastAPI as most people run it: uvicorn with uvloop and httptools",
            (),
            {"http_client": "httpx"},
        ),
        Stack(
            "fastapi-httpx2",
            "fastapi-httpx2",
            "fastapi",
            "apps.fastapi_twin:create_app",
            "uvicorn",
            "the HTTP client apart from the framework",
            (),
            {"http_client": "httpx2"},
        ),
        Stack(
            "fastapi-aiohttp",
            "fastapi-aiohttp",
            "fastapi",
            "apps.fastapi_twin:create_app",
            "uvicorn",
            "the HTTP client apart from the framework",
            (),
            {"http_client": "aiohttp"},
        ),
    )
}

# scenario -> kind, question, users, slice_s, {stack: (requests/s, median ms, CPU µs, PSS MiB)}
Figures = tuple[float, float, float, float]
SCENARIOS: Mapping[str, tuple[Kind, str, int, float, Mapping[str, Figures]]] = {
    "hello": (
        Kind.FRAMEWORK,
        "What does the framework itself cost per request?",
        16,
        0.1,
        {"flask-gthread": (1742, 8.9, 561, 68.4), "fastapi-uvicorn": (4076, 3.8, 238, 84.9)},
    ),
    "weather": (
        Kind.IO,
        "How do the twins cope with waiting for another service?",
        64,
        1.0,
        {
            "flask-gthread": (596, 103, 1630, 71.2),
            "fastapi-uvicorn": (132, 480, 7420, 96.3),
            "fastapi-httpx2": (877, 71, 1105, 97.8),
            "fastapi-aiohttp": (926, 67, 1012, 93.1),
        },
    ),
    "users-validate": (
        Kind.CPU,
        "What does validation cost?",
        16,
        0.1,
        {"flask-gthread": (1480, 10.6, 660, 70.0), "fastapi-uvicorn": (2890, 5.4, 335, 85.6)},
    ),
    "users-lookup": (
        Kind.IO,
        "What does one row from the database cost?",
        16,
        0.25,
        {"flask-gthread": (702, 22.1, 1390, 75.8), "fastapi-uvicorn": (722, 21.7, 1350, 92.2)},
    ),
    "cpu-python": (
        Kind.CPU,
        "Does the framework matter where Python computes?",
        8,
        0.25,
        {"flask-gthread": (41.2, 193, 24210, 70.4), "fastapi-uvicorn": (41.5, 192, 24050, 85.8)},
    ),
    "cpu-native": (
        Kind.CPU,
        "Does the framework matter where C computes?",
        8,
        0.25,
        {"flask-gthread": (118, 67, 8440, 70.9), "fastapi-uvicorn": (131, 60, 7680, 86.0)},
    ),
}

ENDPOINTS: Mapping[str, tuple[str, ...]] = {
    "hello": ("GET /hello",),
    "weather": ("GET /weather/{city}",),
    "users-validate": ("POST /users/validate",),
    "users-lookup": ("GET /users/{id}",),
    "cpu-python": ("GET /cpu/python",),
    "cpu-native": ("GET /cpu/native",),
}
#: Where a rung stands on the way from Flask to FastAPI: 0 is the one, 1 the other.
RUNGS: Mapping[str, float] = {
    "flask-granian": -0.12,
    "flask-granian-pydantic": 0.05,
    "fastapi-def-granian": 0.07,
    "fastapi-def": 0.068,
    "fastapi-def-httpx": 0.6,
    "fastapi-aiohttp": 1.1,
    "fastapi-aiohttp-asyncpg": 1.2,
    "fastapi-uvicorn-freeze": 1.15,
}
#: What A against A came to on the machine of a calibrated run.
CALIBRATION = Calibration(
    machine="0123456789ab",
    made="2026-03-12T08:00:00+00:00",
    rounds=9,
    noise_floor={"throughput_rps": 0.045, "latency_p50_ms": 0.05, "latency_p99_ms": 0.21},
    ceiling_rps={"1": 9_000.0, "16": 31_200.0},
)
BROKEN = GateResult("errors", False, "2.1 % of replies were wrong", "at most 0.1 %")
LATE = GateResult(
    "schedule lag", False, "median 10.970 ms, p99 12.97 ms",
    "median at most 0.01 ms and p99 at most 1 ms, or 2 % of the median latency",
)  # fmt: skip


def analysis(
    *,
    rounds: int = 8,
    scenarios: Sequence[str] = tuple(SCENARIOS),
    stacks: Mapping[str, Stack] | None = None,
    figures: Mapping[str, Mapping[str, Figures]] | None = None,
    invalid: Mapping[tuple[str, str], GateResult] | None = None,
    empty: Sequence[str] = (),
    cut_off: bool = False,
    ratios: Mapping[tuple[str, str], tuple[float, float, float]] | None = None,
    rate_rps: float | None = None,
    users: int | None = None,
    precision: float | None = None,
    fewer: Mapping[str, int] | None = None,
    ladder: Sequence[str] = (),
    seed: int = 7,
) -> Analysis:
    """A run of so many finished rounds (of at least eight planned, unless it is complete).

    Args:
        rounds: finished rounds; below 2 there are no intervals, below 5 no verdicts.
        scenarios: which of SCENARIOS take part.
        stacks: label -> stack; STACKS when None.
        figures: scenario -> stack -> figures, instead of those of SCENARIOS.
        invalid: (scenario, stack) -> the gate that failed.
        empty: scenarios of which no round has finished.
        cut_off: the run was interrupted.
        ratios: (scenario, candidate) -> headline ratio and its limits, instead of drawn ones.
        rate_rps: open load at this rate, instead of closed load.
        users: of closed load, instead of those of SCENARIOS.
        precision: at which a scenario was measured no further.
        fewer: scenario -> its rounds, where they are fewer.
        ladder: scenarios of which the steps are measured too.
        seed: of the made-up noise.
    """
    draw = random.Random(seed)
    known = {**(load_stacks(STACKS_FILE) if ladder else {}), **(stacks or STACKS)}
    contenders = {name: (figures or {}).get(name, SCENARIOS[name][4]) for name in scenarios}
    plans = tuple(_plan(name, tuple(contenders[name]), rate_rps, users) for name in scenarios)
    plans = tuple(
        _with_ladder(planned) if planned.scenario.name in ladder else planned for planned in plans
    )
    contenders = {
        planned.scenario.name: _on_rungs(planned, contenders[planned.scenario.name])
        for planned in plans
    }
    rounds_of = {name: (fewer or {}).get(name, rounds) for name in scenarios}
    cells: list[CellSummary] = []
    comparisons: list[Comparison] = []
    for plan in plans:
        name = plan.scenario.name
        if name in empty or rounds == 0:
            continue
        of_scenario = [
            _cell(
                draw,
                plan,
                known[label],
                contenders[name][label],
                rounds_of[name],
                (invalid or {}).get((name, label)),
                place,
            )
            for place, label in enumerate(plan.stacks)
        ]
        cells += of_scenario
        by_label = {cell.stack: cell for cell in of_scenario}
        for contrast in plan.contrasts:
            baseline, candidate = by_label[contrast.baseline], by_label[contrast.candidate]
            is_step = contrast.family is Family.LADDER
            fixed = None if is_step else (ratios or {}).get((name, candidate.stack))
            comparisons += _compare(
                draw, plan.load, baseline, candidate, rounds_of[name], fixed, contrast.family
            )
    used = {label for plan in plans for label in plan.stacks}
    run = _run(
        plans,
        [known[label] for label in known if label in used],
        tuple(cells),
        rounds,
        cut_off=cut_off,
        precision=precision,
    )
    return Analysis(run, tuple(cells), tuple(comparisons), 0.004, 0.011)


def open_load(rate_rps: float = 300, **settings: Any) -> Analysis:
    """The same under open load: Flask's latency holds waiting that FastAPI's does not."""
    return analysis(rate_rps=rate_rps, **settings)


def calibrated(before: Analysis, floors: Mapping[str, float] | None = None) -> Analysis:
    """An analysis whose machine's own noise was known when the run began."""
    known = replace(CALIBRATION, noise_floor=floors or CALIBRATION.noise_floor)
    return replace(before, run=replace(before.run, calibration=known))


def with_invalid_cell(reason: GateResult = BROKEN) -> Analysis:
    """The FastAPI twin of weather gave wrong replies."""
    return analysis(invalid={("weather", "fastapi-uvicorn"): reason})


def against_itself() -> Analysis:
    """One stack twice."""
    stack = STACKS["fastapi-uvicorn"]
    twice = {
        "fastapi-uvicorn": stack,
        "fastapi-uvicorn#2": replace(stack, label="fastapi-uvicorn#2"),
    }
    figures = {"hello": dict.fromkeys(twice, SCENARIOS["hello"][4]["fastapi-uvicorn"])}
    return analysis(
        scenarios=["hello"],
        stacks=twice,
        figures=figures,
        ratios={("hello", "fastapi-uvicorn#2"): (1.002, 0.985, 1.019)},
    )


def mixed() -> Analysis:
    """A scenario under closed load and one under open load."""
    return together(analysis(scenarios=["hello"]), open_load(scenarios=["users-validate"]))


def together(*several: Analysis) -> Analysis:
    """Analyses of different blocks as those of one run, in this order."""
    first = several[0]
    stacks = {stack.label: stack for part in several for stack in part.run.plan.stacks}
    blocks = tuple(block for part in several for block in part.run.plan.blocks)
    plan = replace(first.run.plan, stacks=tuple(stacks.values()), blocks=blocks)
    rounds = tuple(
        replace(
            merged[0],
            order=tuple(key for measured in merged for key in measured.order),
            cells=tuple(cell for measured in merged for cell in measured.cells),
            blocks=tuple(block for measured in merged for block in measured.blocks),
        )
        for merged in zip(*(part.run.rounds for part in several), strict=True)
    )
    return replace(
        first,
        run=replace(first.run, plan=plan, rounds=rounds),
        cells=tuple(cell for part in several for cell in part.cells),
        comparisons=tuple(made for part in several for made in part.comparisons),
    )


def two_loads(users: tuple[int, int] = (4, 64), **settings: Any) -> Analysis:
    """hello under two closed loads, and weather under one.

    Under the larger load FastAPI serves more than under the smaller one, and Flask does not.
    """
    flask, fastapi = SCENARIOS["hello"][4].values()
    faster: Figures = (fastapi[0] * 1.31, fastapi[1] * 3, fastapi[2] * 0.9, fastapi[3] * 1.5)
    larger = {"hello": {"flask-gthread": flask, "fastapi-uvicorn": faster}}
    hello = [
        analysis(scenarios=["hello"], users=number, figures=figures, seed=seed, **settings)
        for number, figures, seed in zip(users, (None, larger), (7, 8), strict=True)
    ]
    return together(*hello, analysis(scenarios=["weather"], **settings))


def two_rates(rates_rps: tuple[float, float] = (200, 5000)) -> Analysis:
    """hello under two open loads, of which the larger is too much for Flask."""
    lower, higher = (open_load(rate, scenarios=["hello"]) for rate in rates_rps)
    return together(lower, overloaded(higher))


def overloaded(of: Analysis, stack: str = "flask-gthread") -> Analysis:
    """The same where a stack could not keep up, so that no latency is compared with its own."""
    cells = tuple(
        replace(
            cell,
            overload=OVERLOAD,
            schedule=replace(cell.schedule, achieved_rps=1707.0) if cell.schedule else None,
        )
        if cell.stack == stack
        else cell
        for cell in of.cells
    )
    comparisons = tuple(
        replace(made, verdict=Verdict.OVERLOADED)
        if stack in (made.baseline, made.candidate) and made.metric.startswith("latency_")
        else made
        for made in of.comparisons
    )
    return replace(of, cells=cells, comparisons=comparisons)


def many_stacks(count: int = 12, rate_rps: float | None = None) -> Analysis:
    """A run with so many stacks of both twins in one scenario."""
    stacks: dict[str, Stack] = {}
    figures: dict[str, Figures] = {}
    for place in range(count):
        twin = "flask" if place % 2 == 0 else "fastapi"
        label = f"{twin}-variant-with-a-long-name-{place}"
        base = STACKS["flask-gthread" if twin == "flask" else "fastapi-uvicorn"]
        stacks[label] = replace(base, name=label, label=label)
        figures[label] = (1500 + 260 * place, 9 - 0.5 * place, 600 - 30 * place, 60 + 5 * place)
    return analysis(
        scenarios=["hello", "weather"],
        stacks=stacks,
        figures={"hello": figures, "weather": figures},
        rate_rps=rate_rps,
    )


def _plan(
    name: str, stacks: tuple[str, ...], rate_rps: float | None, users: int | None
) -> BlockPlan:
    kind, question, own_users, slice_s, _ = SCENARIOS[name]
    file = f"scenarios/{name.replace('-', '_')}.py"
    scenario = Scenario(
        name, file, kind, question, ENDPOINTS[name], stacks, own_users, slice_s, slice_s / 10, 0.5,
        needs=("database", "upstream"),
    )  # fmt: skip
    load = Load(users or own_users) if rate_rps is None else Load(1000, rate_rps)
    return BlockPlan(scenario, stacks, load, slice_s, slice_s / 10, CYCLES, 1.0)


def _with_ladder(plan: BlockPlan) -> BlockPlan:
    """With the steps that its real namesake declares."""
    kinds = load_scenarios()[plan.scenario.name].ladder
    steps = climbed(load_ladder(LADDER_FILE), kinds)
    rungs = [label for step in steps for label in (step.before, step.after)]
    return replace(
        plan,
        scenario=replace(plan.scenario, ladder=kinds),
        stacks=tuple(dict.fromkeys([*plan.stacks, *rungs])),
        ladder=steps,
    )


def _on_rungs(plan: BlockPlan, own: Mapping[str, Figures]) -> Mapping[str, Figures]:
    """Figures of the rungs beside those of the scenario's own stacks."""
    return {
        label: own[label]
        if label in own
        else tuple(
            low * (high / low) ** RUNGS[label]
            for low, high in zip(own["flask-gthread"], own["fastapi-uvicorn"], strict=True)
        )
        for label in plan.stacks
    }  # type: ignore[return-value]


def _run(
    plans: tuple[BlockPlan, ...],
    stacks: Sequence[Stack],
    cells: Sequence[CellSummary],
    rounds: int,
    *,
    cut_off: bool,
    precision: float | None,
) -> RunRecord:
    planned = max(rounds, 8) if cut_off or rounds == 0 else rounds
    plan = Plan(
        "full",
        20_260_401,
        planned + (12 if precision else 0),
        tuple(stacks),
        plans,
        1,
        "lognormal:50:0.5",
        precision=precision,
    )
    environment = {
        "cpu": "Example CPU @ 2.50 GHz",
        "cores": 2,
        "memory_gib": 7.8,
        "kernel": "Linux 6.12.0",
        "python": "3.13.1",
        "git_commit": "0123456789abcdef",
        "container": {"cpu_limit": None, "memory_limit_gib": 8},
        "load_average": [0.12, 0.2, 0.31],
        "packages": {"flask": "3.1.3", "fastapi": "0.165.0", "uvicorn": "0.54.0"},
    }
    ready = {stack.label: 0.61 if stack.twin == "flask" else 0.94 for stack in stacks}
    return RunRecord(
        run_id="2026-04-01T10-20-30",
        schema=SCHEMA,
        plan=plan,
        environment=environment,
        placement=Placement((0,), (1,), (1,)),
        command=("twinbench", "run", "--profile", "full"),
        started="2026-04-01T10:20:30+00:00",
        ended=None if cut_off else "2026-04-01T10:41:12+00:00",
        rounds=tuple(
            _round(number, [cell for cell in cells if number <= cell.rounds], ready)
            for number in range(1, rounds + 1)
        ),
    )


def _round(number: int, cells: Sequence[CellSummary], ready_s: Mapping[str, float]) -> Round:
    """Who used what; the analysis was made up without samples."""
    blocks = tuple(dict.fromkeys(cell.key.block for cell in cells))
    return Round(
        number,
        blocks or (BlockKey("hello", "closed-16"),),
        "2026-04-01T10:20:31+00:00",
        {label: seconds + 0.02 * number for label, seconds in ready_s.items()},
        tuple(_cell_round(number, cell) for cell in cells),
        tuple(_block(number, key) for key in blocks),
    )


def _cell_round(number: int, cell: CellSummary) -> CellRound:
    requests = cell.requests // cell.rounds
    return CellRound(
        round=number,
        scenario=cell.scenario,
        stack=cell.stack,
        load=cell.load,
        samples_file=f"samples/{cell.scenario}.{cell.stack}.r{number:02}.parquet",
        requests=requests,
        errors=0,
        slices=(),
        server=Usage(0.97, round(cell.pss_mib * (1 << 20)), cell.threads, 3 * requests),
        load_cpu_s=(0.3,),
        services_cpu_s={"postgres": 0.01, "upstream": 0.02},
        wall_s=1.0,
    )


def _block(number: int, key: BlockKey) -> BlockUsage:
    roles = {
        "postgres": Usage(0.01, 44 << 20, 10, 40),
        "upstream": Usage(0.02, 22 << 20, 5, 160),
        "load 1": Usage(0.62, 59 << 20, 1, 2400),
        "harness": Usage(0.006, 55 << 20, 3, 30),
    }
    return BlockUsage(number, key.scenario, key.load, 2.0, {"flask-gthread": 0.001}, roles)


def _cell(
    draw: random.Random,
    plan: BlockPlan,
    stack: Stack,
    figures: Figures,
    rounds: int,
    failed: GateResult | None,
    place: int,
) -> CellSummary:
    rps, median_ms, cpu_us, pss_mib = figures
    if plan.load.rate_rps is not None:
        rps = plan.load.rate_rps * draw.uniform(0.99, 1.01)
        median_ms /= 4
    gates = (
        _kept(plan.load),
        *([failed] if failed else [BROKEN_NOT]),
    )
    tail = 1.6 if stack.twin == "flask" else 1.3
    curve = tuple(
        (q, median_ms * (1 + (tail - 1) * x + 0.06 * x**3))
        for step in range(28)
        if (q := 1 - 0.5 * 10 ** (-step / 10)) and (x := step / 10) >= 0
    )
    latency = {
        key: _estimate(draw, _at(curve, q), spread, rounds)
        for key, q, spread in (
            ("p50", 0.5, 0.03),
            ("p90", 0.9, 0.04),
            ("p99", 0.99, 0.08),
            ("p999", 0.999, 0.15),
        )
    }
    return CellSummary(
        scenario=plan.scenario.name,
        stack=stack.label,
        twin=stack.twin,
        load=plan.load.label,
        rounds=rounds,
        requests=round(rps * rounds * plan.cycles * plan.slice_s * 0.9),
        errors=round(rps * 0.3) if failed else 0,
        throughput_rps=_estimate(draw, rps, 0.06, rounds),
        latency_ms=latency,
        cpu_us_per_request=_estimate(draw, cpu_us, 0.015, rounds),
        pss_mib=pss_mib,
        threads=41 if stack.twin == "flask" else 5,
        switches_per_request=3.0,
        schedule=_schedule(plan.load, latency, rounds) if plan.load.is_open else None,
        gates=gates,
        latency_curve_ms=curve,
        timeline=tuple(_timeline(draw, plan, rps, rounds, place)),
        slices=rounds * plan.cycles,
        slice_s=plan.slice_s,
    )


BROKEN_NOT = GateResult("errors", True, "0 of 9,000 requests failed", "at most 0.1%")


def _kept(load: Load) -> GateResult:
    if load.is_open:
        return GateResult(
            "schedule lag", True, "median 0.006 ms, p99 0.21 ms",
            "median at most 0.01 ms and p99 at most 1 ms, or 2% of the median latency",
        )  # fmt: skip
    return GateResult(
        "Little's law",
        True,
        "15.9 of 16 users in flight, 15.9 by throughput × latency, and 0.05 between two requests: "
        "0.3% off",
        "at most 2.5% off, and 5% between two requests",
    )


def _schedule(load: Load, latency: Mapping[str, Estimate], rounds: int) -> ScheduleKept:
    """Most of the median is service, and less than half of the tail."""
    shares = {"p50": 0.92, "p90": 0.8, "p99": 0.55, "p999": 0.4}
    assert load.rate_rps is not None
    return ScheduleKept(
        offered_rps=load.rate_rps * 1.002,
        achieved_rps=load.rate_rps * 1.001,
        lag_p50_ms=0.006,
        lag_p99_ms=0.213,
        late=7 * rounds,
        starved=2,
        never_sent=0,
        service_ms={
            key: Estimate(
                estimate.value * shares[key],
                estimate.low * shares[key],
                estimate.high * shares[key],
            )
            for key, estimate in latency.items()
        },
        lag_effect_ms={key: 0.01 * estimate.value for key, estimate in latency.items()},
    )


def _at(curve: Sequence[tuple[float, float]], quantile: float) -> float:
    return min(curve, key=lambda point: abs(math.log((1 - point[0]) / (1 - quantile))))[1]


def _estimate(draw: random.Random, value: float, spread: float, rounds: int) -> Estimate:
    if rounds < 2:
        return Estimate(value, NAN, NAN)
    half = spread * draw.uniform(0.7, 1.3) * math.sqrt(8 / rounds)
    return Estimate(value, value * (1 - half), value * (1 + half))


def _timeline(
    draw: random.Random, plan: BlockPlan, rps: float, rounds: int, place: int
) -> list[TimelinePoint]:
    points: list[TimelinePoint] = []
    turn_s = plan.slice_s * len(plan.stacks)
    for number in range(1, rounds + 1):
        pace = 1 + 0.14 * math.sin(2.1 * number)
        for cycle in range(plan.cycles):
            elapsed_s = ((number - 1) * plan.cycles + cycle) * turn_s + place * plan.slice_s
            rate = rps * pace * draw.gauss(1, 0.05)
            points.append(TimelinePoint(number, elapsed_s, rate))
    return points


def _compare(
    draw: random.Random,
    load: Load,
    baseline: CellSummary,
    candidate: CellSummary,
    rounds: int,
    fixed: tuple[float, float, float] | None,
    family: Family,
) -> list[Comparison]:
    valid = baseline.valid and candidate.valid
    figures = {
        "throughput_rps": (baseline.throughput_rps, candidate.throughput_rps, 0.016),
        "latency_p50_ms": (baseline.latency_ms["p50"], candidate.latency_ms["p50"], 0.02),
        "latency_p99_ms": (baseline.latency_ms["p99"], candidate.latency_ms["p99"], 0.07),
        "cpu_us_per_request": (baseline.cpu_us_per_request, candidate.cpu_us_per_request, 0.008),
    }
    found: list[Comparison] = []
    if load.is_open:
        del figures["throughput_rps"]
    for metric, (base, other, spread) in figures.items():
        ratio = other.value / base.value
        half = spread * draw.uniform(0.8, 1.2) * math.sqrt(8 / max(rounds, 1))
        low, high = ratio * math.exp(-half), ratio * math.exp(half)
        if metric == ("latency_p50_ms" if load.is_open else "throughput_rps") and fixed:
            ratio, low, high = fixed
        if rounds < 2:
            low = high = NAN
        verdict = judge(ratio, low, high, rounds, more_is_better=metric == "throughput_rps")
        found.append(
            Comparison(
                baseline.scenario,
                baseline.load,
                metric,
                baseline.stack,
                candidate.stack,
                ratio,
                low,
                high,
                rounds,
                NOISE_FLOOR,
                verdict if valid else Verdict.INVALID,
                family,
            )
        )
    return found


def judge(ratio: float, low: float, high: float, rounds: int, *, more_is_better: bool) -> Verdict:
    """The verdict as docs/METHOD.md states it, for made-up figures."""
    if rounds < 5:
        return Verdict.INCONCLUSIVE
    if low >= 1 / (1 + NOISE_FLOOR) and high <= 1 + NOISE_FLOOR:
        return Verdict.SAME
    outside = not 1 / (1 + NOISE_FLOOR) <= ratio <= 1 + NOISE_FLOOR
    if outside and not low <= 1 <= high:
        return Verdict.FASTER if (ratio > 1) == more_is_better else Verdict.SLOWER
    return Verdict.INCONCLUSIVE


#: What limits each stack in `swept`: its most requests/s, and what becomes of them from the 300th user on.
_CAPACITY: Mapping[str, tuple[float, float]] = {
    "flask-gthread": (612, 0.97),
    "fastapi-uvicorn": (131, 0.35),
    "fastapi-httpx2": (655, 1.0),
    "fastapi-aiohttp": (1466, 1.0),
}


def swept(
    users: Sequence[int] = (1, 3, 10, 30, 100, 300, 1000),
    *,
    rounds: int = 6,
    invalid: Mapping[tuple[str, int], Failure] | None = None,
    rate: bool = False,
    stacks: Mapping[str, Stack] = STACKS,
) -> Analysis:
    """weather under many loads: users who wait 50 ms for the upstream, and then for their stack.

    Args:
        users: the loads.
        rounds: of each load.
        invalid: (stack, users) -> why 2 % of the requests failed.
        rate: whether the loads are requests per second of open load.
        stacks: those that take part; each has the capacity of one of STACKS.
    """
    parts = []
    for number in users:
        figures: dict[str, Figures] = {}
        for label, stack in stacks.items():
            most, later = _CAPACITY[stack.name]
            rps = _served(number, most) * (later if number >= 300 else 1)
            figures[label] = (rps, 1000 * number / rps, 1e6 / most * 0.95, 80.0)
        failed = {("weather", label): BROKEN for (label, load) in (invalid or {}) if load == number}
        made = analysis(
            scenarios=["weather"],
            stacks=stacks,
            figures={"weather": figures},
            users=None if rate else number,
            rate_rps=number if rate else None,
            rounds=rounds,
            invalid=failed,
            seed=number,
        )
        parts.append(made)
    whole = together(*parts)
    draw = random.Random(3)
    paces: dict[CellKey, list[Pace]] = {}
    for cell in whole.cells:
        load = int(float(cell.load.rpartition("-")[2]))
        reason = (invalid or {}).get((cell.stack, load))
        paces[cell.key] = [
            Pace(
                number,
                rps := cell.throughput_rps.value * math.exp(draw.gauss(0, 0.015)),
                rps * cell.latency_ms["p50"].value / 1000 if rate else load,
                {reason: 20} if reason else {},
            )
            for number in range(1, rounds + 1)
        ]
    return replace(whole, curves=curves(whole.run, whole.cells, paces))


def _served(users: int, most: float) -> float:
    """Requests/s of users who wait 50 ms and are then served one at a time (mean value analysis)."""
    waiting, rps = 0.0, 0.0
    for number in range(1, users + 1):
        rps = number / (0.05 + (1 + waiting) / most)
        waiting = rps * (1 + waiting) / most
    return rps
