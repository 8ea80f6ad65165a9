"""What the report shows of a run that searched for capacities."""

from __future__ import annotations

import csv
import math
from dataclasses import replace
from pathlib import Path

import pytest

from harness import store
from harness.analysis.cost import examples
from harness.models import Analysis, AtShare, Capacity, Estimate, LimitedBy, Load
from harness.planning.capacity import SEARCHES
from harness.planning.slo import parse_slo
from harness.report.charts import CHARTS
from harness.report.view import View
from tests import analyses
from tests.report.reading import folded, render, shown

pytestmark = pytest.mark.busy

NAN = math.nan
UNKNOWN = Estimate(NAN, NAN, NAN)


def searched(*capacities: Capacity) -> Analysis:
    """A run of nothing but a search."""
    whole = analyses.analysis()
    plan = whole.run.plan
    block = replace(
        plan.blocks[0],
        stacks=tuple(found.stack for found in capacities),
        load=Load(1_000, slo=parse_slo("p99<100ms,errors<0.1%")),
        search=SEARCHES["quick"],
        ladder=(),
    )
    stacks = tuple(stack for stack in plan.stacks if stack.label in block.stacks)
    run = replace(
        whole.run, plan=replace(plan, blocks=(block,), stacks=stacks), rounds=(), decisions=()
    )
    return Analysis(
        run, (), (), 0.0, 0.0, capacities=capacities, costings=tuple(examples(capacities))
    )


def found(stack: str, rate_rps: float, ratio: Estimate = UNKNOWN) -> Capacity:
    """A capacity with plausible figures."""
    rounds = tuple(rate_rps * factor for factor in (0.97, 1.01, 1.03, 0.99, 1.0))
    return Capacity(
        scenario="hello", stack=stack, twin=stack.partition("-")[0], load="capacity-p99-100ms",
        slo="p99<100ms,errors<0.1%", rate_rps=Estimate(rate_rps, rate_rps * 0.96, rate_rps * 1.04),
        ratio=ratio, baseline="flask-gthread", rounds=5, round_rps=rounds,
        limited_by=LimitedBy.LATENCY, workers=1, cores=1, pss_mib=71.3, cpu_us_per_request=310.0,
        at_shares=tuple(
            AtShare(
                share, share * rate_rps, 9_000,
                {"p50": Estimate(1.2, 1.1, 1.3), "p99": Estimate(8 + 40 * share, 9, 70)},
                overloaded=False,
            )
            for share in (0.25, 0.5, 0.75, 0.9)
        ),
    )  # fmt: skip


FLASK = found("flask-gthread", 2_310.0)
FASTAPI = found("fastapi-uvicorn", 5_480.0, Estimate(2.37, 2.24, 2.51))
FAILED = replace(
    FASTAPI,
    rate_rps=UNKNOWN,
    ratio=UNKNOWN,
    rounds=0,
    round_rps=(None,) * 5,
    at_shares=(),
    reasons=("the promise fails at the lowest rate that can be tested",),
)


def test_page_summary_and_terminal_show_capacity_interval_and_ratio() -> None:
    analysis = searched(FLASK, FASTAPI)
    files = render(analysis)

    for text in (files["index.html"].decode(), files["summary.md"].decode()):
        for words in ("2,310", "5,480", "2.37", "p99", "Capacity"):
            assert words in text
    terminal = folded(shown(analysis, 110))
    for words in ("2,310", "[2,220, 2,400]", "5,480", "2.37", "latency"):
        assert words in terminal.replace("\N{NO-BREAK SPACE}", " ")
    charts = {name for name in files if name.startswith("charts/")}
    assert charts == {
        f"charts/{name}.{kind}"
        for name in ("capacity", "load-shares", "cost")
        for kind in ("svg", "png")
    }


@pytest.mark.parametrize("width", [60, 80, 100, 120])
def test_the_tables_fit_a_terminal(width: int) -> None:
    for analysis in (searched(FLASK, FASTAPI), searched(FLASK, FAILED)):
        assert max(map(len, shown(analysis, width).splitlines())) <= width


def test_a_capacity_without_a_number_shows_its_reason_everywhere(tmp_path: Path) -> None:
    analysis = searched(FLASK, FAILED)
    files = render(analysis)
    store.write_tables(tmp_path, analysis)

    reason = "fails at the lowest rate"
    for text in (
        files["index.html"].decode(),
        files["summary.md"].decode(),
        files["charts/capacity.svg"].decode(),
        folded(shown(analysis, 80)),
        (tmp_path / "capacity.csv").read_text(),
    ):
        assert reason in text
    assert not analysis.valid
    with (tmp_path / "capacity.csv").open() as file:
        known, unknown = csv.DictReader(file)
    assert (known["rate_rps"], known["valid"]) == ("2310", "true")
    assert (unknown["rate_rps"], unknown["valid"]) == ("", "false")


def test_runs_without_a_search_have_no_table_and_no_chart_of_capacity(tmp_path: Path) -> None:
    usual = analyses.analysis(scenarios=["hello"])
    store.write_tables(tmp_path, usual)

    assert not (tmp_path / "capacity.csv").exists()
    assert not (tmp_path / "costs.csv").exists()
    assert not {"charts/capacity.svg", "charts/cost.svg"} & render(usual).keys()
    assert "capacity" not in store.analysis_as_json(usual)


def test_latency_below_capacity_is_p50_for_all_where_p99_has_too_few_requests() -> None:
    unsure = replace(
        FLASK.at_shares[0], latency_ms={**FLASK.at_shares[0].latency_ms, "p99": UNKNOWN}
    )
    few = replace(FLASK, at_shares=(unsure, *FLASK.at_shares[1:]))

    for analysis, name in ((searched(few, FASTAPI), "p50"), (searched(FLASK, FASTAPI), "p99")):
        alt = CHARTS["load-shares"].caption(View(analysis)).alt
        assert f"flask-gthread at 25\N{NO-BREAK SPACE}%: {name}" in alt
        assert f"fastapi-uvicorn at 90\N{NO-BREAK SPACE}%: {name}" in alt
    assert "too few requests" in folded(shown(searched(few, FASTAPI), 100))


# ------------------------------------------------------------------------------ cost


def test_the_report_says_what_an_example_of_a_traffic_costs() -> None:
    files = render(searched(FLASK, FASTAPI))

    for text in (files["index.html"].decode(), files["summary.md"].decode()):
        plain = text.replace("\N{NO-BREAK SPACE}", " ")
        assert "What a traffic costs" in plain
        assert "An example, for 20,000 requests/s of hello" in plain
        assert "10 times the capacity of flask-gthread, rounded to one digit" in plain
        assert "0.04048 for a core" in plain
        assert "twinbench cost" in plain
        # Half the containers, or how many: with its interval.
        assert (
            "fastapi-uvicorn takes 0.42 × the containers of flask-gthread (95 % interval 0.40 to 0.45)"
            in plain
        )
    alt = CHARTS["cost"].caption(View(searched(FLASK, FASTAPI))).alt
    assert "flask-gthread 0.00736" in alt
    assert "in 13\N{NO-BREAK SPACE}containers" in alt


def test_an_interval_around_one_does_not_say_who_takes_fewer_containers() -> None:
    unsure = replace(FASTAPI, ratio=Estimate(2.37, 0.9, 6.2))

    for fastapi, is_open in ((FASTAPI, False), (unsure, True)):
        text = render(searched(FLASK, fastapi))["summary.md"].decode()
        assert ("which leaves open who takes fewer" in text) is is_open


def test_a_stack_without_a_capacity_has_no_cost_but_its_reason() -> None:
    files = render(searched(FLASK, FAILED))

    reason = "not known: the promise fails at the lowest rate that can be tested"
    assert f"fastapi-uvicorn {reason}" in CHARTS["cost"].caption(View(searched(FLASK, FAILED))).alt
    section = files["summary.md"].decode().partition("What a traffic costs")[2]
    assert f"fastapi-uvicorn: {reason}" in section
    assert "takes" not in section.partition("##")[0]


def test_memory_that_is_not_known_makes_no_price(tmp_path: Path) -> None:
    unmetered = searched(FLASK, replace(FASTAPI, pss_mib=NAN))

    assert "fastapi-uvicorn not known: its memory was not measured" in (
        CHARTS["cost"].caption(View(unmetered)).alt
    )
    assert b"its memory was not measured" in render(unmetered)["charts/cost.svg"]
    store.write_tables(tmp_path, unmetered)
    with (tmp_path / "costs.csv").open() as file:
        _, row = csv.DictReader(file)
    assert (row["containers"], row["per_million"], row["pss_mib"]) == ("6", "", "")


def test_a_search_without_any_capacity_has_no_section_on_cost(tmp_path: Path) -> None:
    nothing = searched(replace(FAILED, stack="flask-gthread"), FAILED)

    files = render(nothing)
    assert "charts/cost.svg" not in files
    assert "What a traffic costs" not in files["index.html"].decode()
    store.write_tables(tmp_path, nothing)
    assert (tmp_path / "costs.csv").read_text().splitlines() == [",".join(store.COST_COLUMNS)]


def test_costs_csv_has_what_the_example_assumes_beside_what_follows(tmp_path: Path) -> None:
    analysis = searched(FLASK, FASTAPI)
    store.write_tables(tmp_path, analysis)

    with (tmp_path / "costs.csv").open() as file:
        flask, fastapi = csv.DictReader(file)
    assert (flask["rate_rps"], flask["headroom"], flask["vcpu_hour"]) == ("20000", "0.3", "0.04048")
    assert [flask[f"containers{end}"] for end in ("", "_low", "_high")] == ["13", "12", "13"]
    assert (flask["containers_ratio"], flask["cores"]) == ("", "13")
    ratio = [float(fastapi[f"containers_ratio{end}"]) for end in ("", "_low", "_high")]
    assert ratio == pytest.approx([1 / 2.37, 1 / 2.51, 1 / 2.24], rel=1e-5)
    hour = 0.04048 + 71.3 / 1024 * 0.004445
    assert float(flask["per_hour"]) == pytest.approx(13 * hour, rel=1e-5)
    assert float(flask["per_million"]) == pytest.approx(13 * hour / 72, rel=1e-5)
    assert store.analysis_as_json(analysis)["costs"][1]["stack"] == "fastapi-uvicorn"


def test_containers_of_unlike_size_are_not_to_be_counted_against_each_other() -> None:
    for cores, is_said in ((1, False), (2, True)):
        files = render(searched(FLASK, replace(FASTAPI, cores=cores)))
        said = "compare what a million requests cost" in files["summary.md"].decode()
        assert said is is_said
