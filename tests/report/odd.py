"""Runs that are not as one would wish, each made up to try what a report does with it."""

from dataclasses import replace

import pytest

from harness.models import GateResult, Placement
from tests import analyses
from tests.report.conftest import HOSTILE

ODD = {
    "a ladder with a broken rung, and one without a round": analyses.analysis(
        scenarios=["hello", "weather"],
        ladder=["hello", "weather"],
        empty=["hello"],
        invalid={("weather", "fastapi-def"): HOSTILE},
    ),
    "a ladder under open load, one round": analyses.open_load(
        rounds=1, scenarios=["hello"], ladder=["hello"]
    ),
    "no finished round": analyses.analysis(rounds=0),
    "one round, no intervals": analyses.analysis(rounds=1, scenarios=["hello", "weather"]),
    "two rounds, cut off": analyses.analysis(rounds=2, scenarios=["hello"], cut_off=True),
    "a scenario without a round": analyses.analysis(
        scenarios=["hello", "weather"], empty=["weather"]
    ),
    "one stack": analyses.analysis(
        scenarios=["hello"],
        figures={"hello": {"flask-gthread": analyses.SCENARIOS["hello"][4]["flask-gthread"]}},
    ),
    "a stack against itself": analyses.against_itself(),
    "twelve stacks": analyses.many_stacks(12),
    "every cell invalid": analyses.analysis(
        scenarios=["hello"],
        invalid={("hello", stack): analyses.BROKEN for stack in analyses.SCENARIOS["hello"][4]},
    ),
    "words beyond the font": analyses.with_invalid_cell(
        GateResult("errors", False, "\u7d50\u679c \U0001f525 \u05e9", "none")
    ),
    "open load": analyses.open_load(scenarios=["hello", "weather"]),
    "open load, one round": analyses.open_load(rounds=1, scenarios=["hello"]),
    "open load, twelve stacks": analyses.many_stacks(12, rate_rps=300),
    "open load, every cell invalid": analyses.open_load(
        scenarios=["hello"],
        invalid={("hello", stack): analyses.LATE for stack in analyses.SCENARIOS["hello"][4]},
    ),
    "open load, one stack": analyses.open_load(
        scenarios=["hello"],
        figures={"hello": {"flask-gthread": analyses.SCENARIOS["hello"][4]["flask-gthread"]}},
    ),
    "open and closed load": analyses.mixed(),
    "stopped early": analyses.analysis(precision=0.05, fewer={"hello": 5, "weather": 6}),
    "calibrated, very noisy": analyses.calibrated(
        analyses.analysis(), {"throughput_rps": 0.3, "latency_p99_ms": 0.8}
    ),
    "no scenario": analyses.analysis(scenarios=[]),
    "no known environment": replace(
        analyses.analysis(scenarios=["hello"]),
        run=replace(
            analyses.analysis(scenarios=["hello"]).run,
            environment={},
            placement=Placement((), (), (), "this system can't pin processes to cores"),
            started="some day",
        ),
    ),
    "two loads": analyses.two_loads(),
    "two loads, one round": analyses.two_loads(rounds=1),
    "two rates, of which one is too much": analyses.two_rates(),
    "a sweep": analyses.swept(),
    "a sweep of one round": analyses.swept((1, 2, 4), rounds=1),
    "a sweep of rates": analyses.swept((50, 100, 200), rate=True),
    "every stack overloaded": analyses.overloaded(
        analyses.overloaded(analyses.open_load(5000, scenarios=["hello"])), "fastapi-uvicorn"
    ),
}

#: The names of these runs, to be parameters of tests that draw all of their charts.
THOROUGHLY = [pytest.param(name, marks=pytest.mark.thorough) for name in ODD]
