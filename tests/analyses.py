"""Analyses made up for tests: plausible figures, the same every time, and odd runs on request."""

from __future__ import annotations

import math
import random
from collections.abc import Mapping, Sequence
from dataclasses import replace

from harness.models import (
    Analysis,
    CellPlan,
    CellSummary,
    Comparison,
    Estimate,
    GateResult,
    Kind,
    Load,
    Placement,
    Plan,
    Round,
    RunRecord,
    Scenario,
    Stack,
    TimelinePoint,
    Verdict,
)

NAN = float("nan")
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

BROKEN = GateResult("errors", False, "2.1 % of replies were wrong", "at most 0.1 %")


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
        ratios: (scenario, candidate) -> throughput ratio and its limits, instead of drawn ones.
        seed: of the made-up noise.
    """
    draw = random.Random(seed)
    known = stacks or STACKS
    contenders = {name: (figures or {}).get(name, SCENARIOS[name][4]) for name in scenarios}
    plans = tuple(_plan(name, tuple(contenders[name])) for name in scenarios)
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
                rounds,
                (invalid or {}).get((name, label)),
                place,
            )
            for place, label in enumerate(plan.stacks)
        ]
        cells += of_scenario
        for candidate in of_scenario[1:]:
            fixed = (ratios or {}).get((name, candidate.stack))
            comparisons += _compare(draw, of_scenario[0], candidate, rounds, fixed)
    used = {label for plan in plans for label in plan.stacks}
    run = _run(plans, [known[label] for label in known if label in used], rounds, cut_off)
    return Analysis(run, tuple(cells), tuple(comparisons), NOISE_FLOOR, 0.004)


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


def many_stacks(count: int = 12) -> Analysis:
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
    )


def _plan(name: str, stacks: tuple[str, ...]) -> CellPlan:
    kind, question, users, slice_s, _ = SCENARIOS[name]
    file = f"scenarios/{name.replace('-', '_')}.py"
    scenario = Scenario(name, file, kind, question, stacks, users, slice_s, slice_s / 10, 0.5)
    return CellPlan(scenario, stacks, Load(users), slice_s, slice_s / 10, CYCLES, 1.0)


def _run(
    plans: tuple[CellPlan, ...], stacks: Sequence[Stack], rounds: int, cut_off: bool
) -> RunRecord:
    planned = max(rounds, 8) if cut_off or rounds == 0 else rounds
    plan = Plan("full", 20_260_401, planned, tuple(stacks), plans, 1, "lognormal:50:0.5")
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
        schema=1,
        plan=plan,
        environment=environment,
        placement=Placement((0,), (1,), (1,)),
        command=("twinbench", "run", "--profile", "full"),
        started="2026-04-01T10:20:30+00:00",
        ended=None if cut_off else "2026-04-01T10:41:12+00:00",
        rounds=tuple(
            Round(
                number,
                tuple(plan.scenario.name for plan in plans),
                "2026-04-01T10:20:31+00:00",
                ready,
                (),
                (),
            )
            for number in range(1, rounds + 1)
        ),
    )


def _cell(
    draw: random.Random,
    plan: CellPlan,
    stack: Stack,
    figures: Figures,
    rounds: int,
    failed: GateResult | None,
    place: int,
) -> CellSummary:
    rps, median_ms, cpu_us, pss_mib = figures
    gates = (
        GateResult("Little's law", True, "1.2 %", "at most 5 %"),
        *([failed] if failed else []),
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
        gates=gates,
        latency_curve_ms=curve,
        timeline=tuple(_timeline(draw, plan, rps, rounds, place)),
    )


def _at(curve: Sequence[tuple[float, float]], quantile: float) -> float:
    return min(curve, key=lambda point: abs(math.log((1 - point[0]) / (1 - quantile))))[1]


def _estimate(draw: random.Random, value: float, spread: float, rounds: int) -> Estimate:
    if rounds < 2:
        return Estimate(value, NAN, NAN)
    half = spread * draw.uniform(0.7, 1.3) * math.sqrt(8 / rounds)
    return Estimate(value, value * (1 - half), value * (1 + half))


def _timeline(
    draw: random.Random, plan: CellPlan, rps: float, rounds: int, place: int
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
    baseline: CellSummary,
    candidate: CellSummary,
    rounds: int,
    fixed: tuple[float, float, float] | None,
) -> list[Comparison]:
    valid = baseline.valid and candidate.valid
    figures = {
        "throughput_rps": (baseline.throughput_rps, candidate.throughput_rps, 0.016),
        "latency_p50_ms": (baseline.latency_ms["p50"], candidate.latency_ms["p50"], 0.02),
        "latency_p99_ms": (baseline.latency_ms["p99"], candidate.latency_ms["p99"], 0.07),
        "cpu_us_per_request": (baseline.cpu_us_per_request, candidate.cpu_us_per_request, 0.008),
    }
    found: list[Comparison] = []
    for metric, (one, other, spread) in figures.items():
        ratio = other.value / one.value
        half = spread * draw.uniform(0.8, 1.2) * math.sqrt(8 / max(rounds, 1))
        low, high = ratio * math.exp(-half), ratio * math.exp(half)
        if metric == "throughput_rps" and fixed:
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
            )
        )
    return found


def judge(ratio: float, low: float, high: float, rounds: int, *, more_is_better: bool) -> Verdict:
    """The verdict as docs/METHOD.md states it, for made-up figures."""
    if rounds < 5:
        return Verdict.INCONCLUSIVE
    if low >= 1 - NOISE_FLOOR and high <= 1 + NOISE_FLOOR:
        return Verdict.SAME
    outside = not 1 - NOISE_FLOOR <= ratio <= 1 + NOISE_FLOOR
    if outside and not low <= 1 <= high:
        return Verdict.FASTER if (ratio > 1) == more_is_better else Verdict.SLOWER
    return Verdict.INCONCLUSIVE
