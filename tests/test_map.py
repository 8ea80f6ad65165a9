"""A map says who serves more where, and spends its time where that changes."""

import csv
import io
import math
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from harness import report, store
from harness.analysis import stats
from harness.analysis.analyse import analyse
from harness.analysis.maps import near_line
from harness.errors import BadInput
from harness.measuring.pacing import pacing_of
from harness.models import (
    Analysis,
    BlockKey,
    Decision,
    Estimate,
    Family,
    Load,
    Plan,
    RunRecord,
    Samples,
    Winner,
)
from harness.planning.map import GRIDS, MapOptions, map_plan
from harness.planning.options import PROFILES
from harness.planning.plan import load_catalogue
from harness.report.sections import maps as section
from harness.report.view import View
from harness.store.tables import as_csv
from tests.report.reading import shown
from tests.runs import FakeRun

CATALOGUE = load_catalogue()
A, B = "flask-gevent", "fastapi-aiohttp"
IO, USERS = (0.0, 20.0, 100.0), (1, 10)
Ratio = Callable[[Load], float]


def plan_of(**options: Any) -> Plan:
    given = {"io_ms": IO, "users": USERS, "work": (0,), **options}
    return map_plan(CATALOGUE, MapOptions(**given))


def measured(
    plan: Plan, ratio: Ratio, rounds: int = 5, spread: float = 0.01
) -> tuple[RunRecord, dict[str, Samples]]:
    """A run in which each load has a ratio of its own, which goes up and down by its spread."""
    samples: dict[str, Samples] = {}
    record: RunRecord | None = None
    for block in plan.blocks:
        wanted = ratio(block.load)
        rates = [1000.0 * wanted * (1 + spread * (-1) ** number) for number in range(rounds)]
        run = FakeRun(replace(plan, blocks=(block,)), {A: [1000.0] * rounds, B: rates})
        samples |= run.samples
        if record is None:
            record = replace(run.record, plan=plan)
            continue
        record = replace(
            record,
            rounds=tuple(
                replace(
                    one,
                    order=(*one.order, *other.order),
                    cells=(*one.cells, *other.cells),
                    blocks=(*one.blocks, *other.blocks),
                )
                for one, other in zip(record.rounds, run.record.rounds, strict=True)
            ),
        )
    assert record is not None
    return replace(
        record, decisions=tuple(_decision(made.number) for made in record.rounds)
    ), samples


def _decision(number: int) -> Decision:
    return Decision(number, (), "every block in the first 5 rounds")


def analysed(ratio: Ratio, spread: float = 0.01, **options: Any) -> Analysis:
    record, samples = measured(plan_of(**options), ratio, spread=spread)
    return analyse(record, lambda cell: samples[cell.samples_file])


def slower_with_wait(load: Load) -> float:
    """Below 1 at once, above it where the upstream takes long: 1 lies between 0 and 20 ms."""
    return 0.8 if load.io_ms == 0 else 2.0


# ---------------------------------------------------------------------------- planning


def test_a_map_has_a_tile_for_every_combination_and_no_headline() -> None:
    plan = plan_of(work=(0, 10), queries=2)
    assert len(plan.blocks) == len(IO) * len(USERS) * 2
    assert {block.load.queries for block in plan.blocks} == {2}
    assert {block.family for block in plan.blocks} == {Family.LOADS}
    assert {block.stacks for block in plan.blocks} == {(A, B)}
    assert plan.near_line
    assert plan.budget_s == 14 * 60


@pytest.mark.parametrize("profile", ["smoke", "quick", "full"])
def test_a_profile_has_a_grid_of_its_own(profile: str) -> None:
    plan = map_plan(CATALOGUE, MapOptions(profile=PROFILES[profile]))
    grid = GRIDS[profile]
    assert len(plan.blocks) == len(grid.io_ms) * len(grid.users) * len(grid.work)
    first_rounds_s = plan.rounds * sum(block.seconds_per_round for block in plan.blocks)
    assert first_rounds_s < (plan.budget_s or 90)  # starts come on top


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        ({"stacks": ("flask-gthread",)}, "give two stacks or more"),
        ({"io_ms": (5.0,)}, "--io-ms 5: a map needs at least 2 values"),
        ({"users": (10, 1)}, "--users 10,1: give each value once, in rising order"),
        ({"work": (3, 3)}, "--work 3,3: give each value once"),
        ({"queries": 21}, "--queries 21: give 0 to 20"),
        ({"io_ms": (0.0, 6000.0)}, "--io-ms 6000: give 0 to 5,000"),
        ({"minutes": 0.0}, "--minutes 0: give more than 0"),
    ],
)
def test_what_makes_no_map_is_refused(options: dict[str, Any], problem: str) -> None:
    with pytest.raises(BadInput, match=problem):
        MapOptions(**options)


# ---------------------------------------------------------------------------- analysis


def test_tiles_name_the_stack_that_serves_more_and_crossings_lie_between_them() -> None:
    (of,) = analysed(slower_with_wait).maps
    winners = {(tile.io_ms, tile.users): tile.winner for tile in of.tiles}
    assert winners == {
        (io_ms, users): Winner.BASELINE if io_ms == 0 else Winner.CANDIDATE
        for io_ms in IO
        for users in USERS
    }
    assert [(each.axis, each.at, each.low, each.high) for each in of.crossings] == [
        ("io_ms", 1, 0, 20),
        ("io_ms", 10, 0, 20),
    ]
    share = math.log(0.8) / (math.log(0.8) - math.log(2.0))
    for crossing in of.crossings:
        assert crossing.adjacent
        assert crossing.above is Winner.CANDIDATE
        assert crossing.value == pytest.approx(math.expm1(share * math.log1p(20)), rel=0.02)


def test_tiles_inside_the_noise_have_no_winner_and_the_line_goes_through_them() -> None:
    def ratio(load: Load) -> float:
        return {0.0: 0.5, 20.0: 1.02, 100.0: 2.0}[load.io_ms or 0.0]

    (of,) = analysed(ratio, spread=0.05).maps
    assert {tile.winner for tile in of.tiles if tile.io_ms == 20} == {Winner.UNSURE}
    assert {(each.low, each.high, each.adjacent) for each in of.crossings} == {(0, 100, False)}


def test_equal_tiles_are_the_same_and_have_no_line() -> None:
    (of,) = analysed(lambda load: 1.0, spread=0.002).maps
    assert {tile.winner for tile in of.tiles} == {Winner.SAME}
    assert of.crossings == ()


def test_a_run_that_varies_one_axis_alone_has_curves_and_no_map() -> None:
    plan = plan_of(users=(1, 2, 4))
    one = replace(plan, blocks=tuple(b for b in plan.blocks if b.load.io_ms == 20))
    record, samples = measured(one, slower_with_wait)
    found = analyse(record, lambda cell: samples[cell.samples_file])
    assert found.maps == ()
    assert len(found.curves) == 2
    assert analysed(slower_with_wait).curves == ()


# ------------------------------------------------------------------------------ pacing


def test_further_rounds_go_to_tiles_near_the_line_as_the_first_rounds_show_it() -> None:
    def ratio(load: Load) -> float:
        return {0.0: 0.5, 20.0: 0.97, 100.0: 3.0}[load.io_ms or 0.0]

    plan = plan_of()
    record, samples = measured(plan, ratio, spread=0.04)
    decision = pacing_of(plan, lambda cell: samples[cell.samples_file]).next(record)
    assert decision is not None
    near = {f"closed-{users}-io20-q0-w0" for users in USERS}
    assert {key.load for key in decision.blocks} <= near
    assert decision.reason.startswith("2 of 2 blocks near the line are wider than ±2.5%")


@pytest.mark.thorough
def test_time_near_the_line_narrows_it_and_finds_no_more_winners_than_promised() -> None:
    draw = np.random.default_rng(5)
    truth = np.log([0.4, 0.6, 0.9, 1.0, 1.2, 2.0, 0.5, 0.7, 1.0, 1.5, 2.0, 4.0])
    plan = plan_of(io_ms=tuple(float(ms) for ms in range(6)))  # 12 tiles
    order = [block.key for block in plan.blocks]
    first, further, runs, spread = 5, 24, 150, 0.06
    held = winners = ones = 0
    adaptive, uniform = [], []
    for _ in range(runs):
        rounds = {
            key: list(draw.normal(mean, spread, first))
            for key, mean in zip(order, truth, strict=True)
        }
        near = near_line({key: (_estimate(made),) for key, made in rounds.items()})
        for _ in range(further if near else 0):
            widest = max(
                near, key=lambda key: _estimate(rounds[key]).high / _estimate(rounds[key]).low
            )
            rounds[widest].append(draw.normal(truth[order.index(widest)], spread))
        for key, mean in zip(order, truth, strict=True):
            found = _estimate(rounds[key])
            held += found.low <= math.exp(mean) <= found.high
            if mean == 0:
                ones += 1
                winners += not found.low <= 1 <= found.high
                adaptive.append(math.log(found.high / found.low))
                fixed = draw.normal(mean, spread, first + further // len(order))
                uniform.append(math.log(_estimate(list(fixed)).high / _estimate(list(fixed)).low))
    assert held >= 0.95 * runs * len(order)
    assert winners <= 0.05 * ones
    assert np.median(adaptive) < 0.8 * np.median(uniform)


def _estimate(logs: list[float]) -> Estimate:
    return stats.log_mean([math.exp(value) for value in logs], stats.STOPPED_CONFIDENCE)


def test_a_tile_of_which_nothing_is_known_is_near_the_line() -> None:
    unknown = Estimate(math.nan, math.nan, math.nan)
    first, *others = (block.key for block in plan_of().blocks)
    far: dict[BlockKey, tuple[Estimate, ...]] = {key: (Estimate(2.0, 1.9, 2.1),) for key in others}
    assert near_line(far) == set()
    assert near_line({**far, first: (unknown,)}) == {first}


# ------------------------------------------------------------------------------ report


def test_map_csv_has_a_row_for_each_tile() -> None:
    rows = list(
        csv.DictReader(
            io.StringIO(as_csv(store.MAP_COLUMNS, store.map_rows(analysed(slower_with_wait))))
        )
    )
    assert len(rows) == len(IO) * len(USERS)
    assert {row["winner"] for row in rows} == {"baseline", "candidate"}
    assert {(row["held"], row["work"]) for row in rows} == {("0 queries", "0")}


def test_the_report_says_where_the_winner_changes_and_draws_it() -> None:
    analysis = analysed(slower_with_wait)
    files = report.render(analysis)
    page, summary = files["index.html"].decode(), files["summary.md"].decode()
    for text in (page, summary):
        assert "Who serves more where?" in text
    assert "At 1 user and no CPU work, fastapi-aiohttp serves more from about" in (
        summary.replace("\u00a0", " ")
    )
    assert "charts/map.svg" in files


def test_a_map_without_a_verdict_says_so() -> None:
    record, samples = measured(plan_of(), slower_with_wait, rounds=2)
    view = View(analyse(record, lambda cell: samples[cell.samples_file]))
    made = section.maps(view)
    assert made is not None
    assert all(tile.winner is Winner.UNSURE for of in view.analysis.maps for tile in of.tiles)


def test_a_terminal_shows_the_map_as_a_grid() -> None:
    def ratio(load: Load) -> float:
        return {0.0: 0.8, 20.0: 1.0, 100.0: 2.0}[load.io_ms or 0.0]

    lines = shown(analysed(ratio, spread=0.002), 120).splitlines()
    assert any(
        line.startswith(f"Requests/s, {B} ÷ {A}, 0 queries, by upstream latency.") for line in lines
    )
    heading = next(line for line in lines if "CPU work" in line)
    assert heading.split()[-6:] == ["0", "ms", "20", "ms", "100", "ms"]
    (row,) = (line.split() for line in lines if line.split()[:2] == ["0", "units"])
    assert row == ["0", "units", "1", "0.80", "×", "same", "2.00", "×"]
    noisy = shown(analysed(slower_with_wait, spread=0.5), 80)
    (row,) = (line.split() for line in noisy.splitlines() if line.split()[:2] == ["0", "units"])
    assert row == ["0", "units", "1", "?", "?", "?"]
