"""How often intervals and verdicts are correct, in simulated runs whose true ratio is known.

Every run is analysed as a real run is, from the samples of slices to interval and verdict. It has
the noise of a real run: the machine drifts, each process is a little faster or slower for its whole
life, and slices differ.
"""

import math
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cache

import numpy as np
import pytest

from harness.analysis import percentiles, stats
from harness.analysis.analyse import analyse
from harness.analysis.between import compare_runs
from harness.analysis.comparisons import Draft, with_verdicts
from harness.measuring.pacing import UntilPrecise, WhereWidest, Widths
from harness.models import (
    Analysis,
    BlockKey,
    BlockPlan,
    BlockUsage,
    CellRound,
    Change,
    Comparison,
    Decision,
    Estimate,
    Family,
    Plan,
    Round,
    RunRecord,
    Samples,
    Slice,
    Usage,
    Verdict,
)
from tests.runs import FakeRun, hello_plan

pytestmark = [  # thousands of runs
    pytest.mark.timeout(300),
    pytest.mark.busy,
    pytest.mark.thorough,
]

RUNS = 2000
ROUNDS, CYCLES = 8, 20
#: Standard deviations of the logarithm of a rate: by round, by process, by slice.
DRIFT, PROCESS_LUCK, SLICE_LUCK = 0.2, 0.03, 0.13
SECOND = 1_000_000_000
BASELINE, CANDIDATE = "flask-gthread", "fastapi-uvicorn"


@dataclass
class Simulated:
    """A run of two stacks; the candidate is `truth` × as fast as the baseline."""

    plan: Plan
    truth: float
    generator: np.random.Generator

    def __post_init__(self) -> None:
        self.samples: dict[str, Samples] = {}

    def block(self, number: int) -> tuple[CellRound, ...]:
        """Simulate a round of both stacks."""
        machine = self.generator.normal(0, DRIFT)
        return tuple(
            self._cell(number, label, math.log(factor) + machine)
            for label, factor in ((BASELINE, 1.0), (CANDIDATE, self.truth))
        )

    def _cell(self, number: int, label: str, level: float) -> CellRound:
        block = self.plan.blocks[0]
        level += self.generator.normal(0, PROCESS_LUCK)
        rates = np.exp(level + self.generator.normal(0, SLICE_LUCK, CYCLES))
        users = block.load.users
        # Each user sends once and waits beyond the window, and counts by the share inside it.
        begin = np.arange(CYCLES) * 20 * SECOND
        start_ns = np.repeat(begin, users)
        file = f"{label}.{number}"
        self.samples[file] = Samples(
            slice=np.repeat(np.arange(CYCLES, dtype=np.int32), users),
            intended_ns=start_ns,
            start_ns=start_ns,
            latency_ns=np.repeat(users / rates * SECOND, users).astype(np.int64),
            failure=np.zeros(len(start_ns), dtype=np.int8),
            starved=np.zeros(len(start_ns), dtype=np.bool_),
        )
        return CellRound(
            round=number,
            scenario=block.scenario.name,
            stack=label,
            load=block.load.label,
            samples_file=file,
            requests=len(start_ns),
            errors=0,
            slices=tuple(
                Slice(place, int(at), int(at), int(at) + SECOND, int(at) + 19 * SECOND)
                for place, at in enumerate(begin)
            ),
            server=Usage(0.001, 50 << 20, 1, 1),
            load_cpu_s=(0.1,),
            services_cpu_s={"postgres": 0.0, "upstream": 0.0},
            wall_s=float(CYCLES),
        )

    def read(self, cell: CellRound) -> Samples:
        """Return the samples of a cell, as store.read_samples does."""
        return self.samples[cell.samples_file]

    def record(self, blocks: Sequence[tuple[CellRound, ...]]) -> RunRecord:
        """The record of the run when these rounds are complete."""
        key = self.plan.blocks[0].key
        numbered = list(enumerate(blocks, 1))
        return replace(
            _record(),
            plan=self.plan,
            rounds=tuple(Round(number, (key,), "", {}, cells, ()) for number, cells in numbered),
            decisions=tuple(Decision(number, (key,), "simulated") for number, _ in numbered),
        )

    def analysed(self, blocks: Sequence[tuple[CellRound, ...]]) -> Analysis:
        """Analyse the run when these rounds are complete."""
        return analyse(self.record(blocks), self.read)


@cache
def _plan(rounds: int = ROUNDS, precision: float | None = None) -> Plan:
    return hello_plan(rounds=rounds, precision=precision)


@cache
def _record() -> RunRecord:
    return FakeRun(hello_plan(), {BASELINE: [1000.0]}).record


@pytest.fixture(autouse=True)
def _no_percentiles(monkeypatch: pytest.MonkeyPatch) -> None:
    """Save the time for percentiles: these tests use throughput alone."""
    monkeypatch.setattr(percentiles, "CURVE", tuple(percentiles.QUANTILES.values()))


def runs(truth: float, count: int, seed: int = 5) -> list[Analysis]:
    """Simulate and analyse `count` runs of ROUNDS rounds."""
    generator = np.random.default_rng(seed)
    found = []
    for _ in range(count):
        run = Simulated(_plan(), truth, generator)
        found.append(run.analysed([run.block(number) for number in range(1, ROUNDS + 1)]))
    return found


def throughput(analysis: Analysis) -> Comparison:
    return next(c for c in analysis.comparisons if c.metric == "throughput_rps")


def over_slices(analysis: Analysis) -> Estimate:
    """The naive interval, which treats every pair of slices as an independent repeat."""
    base, candidate = analysis.cells
    return stats.log_mean(
        [
            other.throughput_rps / point.throughput_rps
            for point, other in zip(base.timeline, candidate.timeline, strict=True)
        ]
    )


def test_intervals_contain_the_true_ratio_as_often_as_they_promise_and_naive_intervals_do_not() -> (
    None
):
    equal = runs(1.0, RUNS)
    ratios = [throughput(analysis) for analysis in equal]
    covered = sum(ratio.ci_low <= 1 <= ratio.ci_high for ratio in ratios)
    assert 0.93 <= covered / RUNS <= 0.97
    naive = sum(estimate.low <= 1 <= estimate.high for estimate in map(over_slices, equal))
    assert naive / RUNS < 0.90
    # The verdict names a winner even more rarely, because it also asks for a difference of 3 %.
    winners = {Verdict.FASTER, Verdict.SLOWER}
    assert sum(ratio.verdict in winners for ratio in ratios) / RUNS <= 0.05
    assert all(analysis.valid for analysis in equal[:50]), equal[0].cells[0].reason


def test_a_known_difference_is_inside_the_interval_as_often_as_promised() -> None:
    different = runs(1.2, RUNS // 4, seed=6)
    ratios = [throughput(analysis) for analysis in different]
    covered = sum(ratio.ci_low <= 1.2 <= ratio.ci_high for ratio in ratios)
    assert 0.93 <= covered / len(ratios) <= 0.97
    assert sum(ratio.verdict is Verdict.SLOWER for ratio in ratios) == 0
    assert sum(ratio.verdict is Verdict.FASTER for ratio in ratios) / len(ratios) > 0.9


def test_pairs_of_runs_in_which_nothing_changed_differ_as_rarely_as_promised() -> None:
    equal = runs(1.0, RUNS, seed=9)
    found = [
        compare_runs([("one", _named(one, "one")), ("two", _named(two, "two"))], 0.0001)
        for one, two in zip(equal[::2], equal[1::2], strict=True)
    ]
    # A gate fails in a few of so many runs.
    moved = [each for between in found for each in between.headlines if between.comparable]
    assert len(moved) > 0.95 * len(found)
    covered = sum(each.quotient.low <= 1 <= each.quotient.high for each in moved) / len(moved)
    assert 0.93 <= covered <= 0.975
    assert sum(between.changed for between in found) / len(found) <= 0.065
    # The machine drifts between runs: a stack's own figures differ far more than the ratio does.
    own = [between.figures[0].quotient.value for between in found if between.comparable]
    assert np.std(np.log(own)) > 2 * np.std(np.log([each.quotient.value for each in moved]))


def test_a_change_from_one_run_to_the_next_is_found() -> None:
    before, after = runs(1.0, RUNS // 10, seed=10), runs(1.15, RUNS // 10, seed=11)
    changes = [
        next(
            compare_runs([("one", _named(one, "one")), ("two", _named(two, "two"))], 0.03).headlines
        ).change
        for one, two in zip(before, after, strict=True)
    ]
    assert changes.count(Change.DOWN) == 0
    assert changes.count(Change.UP) / len(changes) > 0.9


def _named(analysis: Analysis, run_id: str) -> Analysis:
    """As a run of its own on a machine that is the same for all."""
    run = replace(analysis.run, run_id=run_id, environment={"machine": "simulated"})
    return replace(analysis, run=run)


def stopped(precision: float, most: int, count: int) -> list[tuple[int, Comparison]]:
    """Rounds and ratio of runs of A against A that end when their interval is narrow enough."""
    generator = np.random.default_rng(7)
    plan = _plan(most, precision)
    found = []
    for _ in range(count):
        run = Simulated(plan, 1.0, generator)
        pacing = UntilPrecise(Widths(precision, run.read))
        blocks: list[tuple[CellRound, ...]] = []
        while pacing.next(run.record(blocks)):
            blocks.append(run.block(len(blocks) + 1))
        found.append((len(blocks), throughput(run.analysed(blocks))))
    return found


@pytest.mark.parametrize("precision", [0.03, 0.05])
def test_stopping_by_width_keeps_the_coverage_and_finds_no_false_winners(precision: float) -> None:
    ended = stopped(precision, 30, 600)
    rounds = [count for count, _ in ended]
    assert min(rounds) >= 5
    assert 6 < np.mean(rounds) < 29  # the rule ends the runs, and not the bounds
    covered = sum(ratio.ci_low <= 1 <= ratio.ci_high for _, ratio in ended) / len(ended)
    assert covered >= 0.94
    winners = {Verdict.FASTER, Verdict.SLOWER}
    assert sum(ratio.verdict in winners for _, ratio in ended) / len(ended) <= 0.05


def test_stopping_by_the_width_of_an_ordinary_interval_would_contain_the_true_ratio_too_rarely(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(stats, "STOPPED_CONFIDENCE", stats.CONFIDENCE)
    ended = stopped(0.04, 30, RUNS // 4)
    covered = sum(ratio.ci_low <= 1 <= ratio.ci_high for _, ratio in ended) / len(ended)
    assert covered < 0.94


def test_a_baseline_that_serves_nothing_is_never_precise_enough() -> None:
    plan = _plan(30, 0.05)
    run = Simulated(plan, 1.0, np.random.default_rng(1))
    blocks = []
    for number in range(1, 8):
        block = run.block(number)
        dead = run.samples[block[0].samples_file]
        failed = np.full(len(dead.failure), 4, dtype=np.int8)
        run.samples[block[0].samples_file] = replace(dead, failure=failed)
        blocks.append(block)
    assert UntilPrecise(Widths(0.05, run.read)).next(run.record(blocks))


# ------------------------------------------------------- rounds that are shared out by width

#: Draws the logarithm of a round's ratio, whose true mean is 0, given its spread.
Draw = Callable[[np.random.Generator, float], float]


def normal(generator: np.random.Generator, spread: float) -> float:
    return float(generator.normal(0, spread))


def heavy_tailed(generator: np.random.Generator, spread: float) -> float:
    return float(generator.standard_t(3)) * spread / math.sqrt(3)


def bad_rounds(generator: np.random.Generator, spread: float) -> float:
    """One round in ten is 10 to 20 % bad, on either stack."""
    luck = normal(generator, spread)
    for sign in (1, -1):
        if generator.random() < 0.1:
            luck += sign * math.log(1 - generator.uniform(0.1, 0.2))
    return luck


def one_sided_bad_rounds(generator: np.random.Generator, spread: float) -> float:
    """One round in ten is 10 to 20 % bad, always on the same stack."""
    bad = math.log(1 - generator.uniform(0.1, 0.2)) if generator.random() < 0.1 else 0.0
    # The mean of log(1 - u), u from 0.1 to 0.2, is (0.9 ln 0.9 - 0.8 ln 0.8) / 0.1 - 1.
    mean = 0.1 * ((0.9 * math.log(0.9) - 0.8 * math.log(0.8)) / 0.1 - 1)
    return normal(generator, spread) + bad - mean


SPREADS = (0.01, 0.02, 0.03, 0.04, 0.05, 0.06, 0.08, 0.12)  # of a round, a block each


class KnownLogs:
    """Takes the place of Widths: the logarithm of each ratio is drawn and not measured."""

    within = 0.025

    def __init__(self) -> None:
        self.logs: defaultdict[BlockKey, list[float]] = defaultdict(list)

    def of(self, block: BlockPlan, record: RunRecord) -> float:
        estimate = self.estimate(block.key, stats.STOPPED_CONFIDENCE)
        return math.log(estimate.high / estimate.value) / math.log1p(self.within)

    def estimate(self, key: BlockKey, confidence: float) -> Estimate:
        return stats.log_mean(np.exp(self.logs[key]).tolist(), confidence)


def shared_out(
    draw: Draw, spreads: Sequence[float], budget_s: float, count: int
) -> list[list[tuple[int, Estimate]]]:
    """Per run and block, how many rounds it had, and its interval."""
    generator = np.random.default_rng(8)
    plan = replace(
        hello_plan(rounds=5, users=tuple(range(1, len(spreads) + 1))),
        precision=KnownLogs.within,
        budget_s=budget_s,
    )
    spread = dict(zip((block.key for block in plan.blocks), spreads, strict=True))
    ended = []
    for _ in range(count):
        known = KnownLogs()
        pacing = WhereWidest(known, budget_s)  # type: ignore[arg-type]
        record = replace(_record(), plan=plan, rounds=(), decisions=())
        while decision := pacing.next(record):
            for key in decision.blocks:
                known.logs[key].append(draw(generator, spread[key]))
            usages = tuple(
                BlockUsage(decision.round, key.scenario, key.load, 5.0, {}, took_s=5.0)
                for key in decision.blocks
            )
            took_s = 4.0 + 5.0 * len(usages)
            finished = Round(decision.round, decision.blocks, "", {}, (), usages, took_s)
            record = replace(
                record,
                rounds=(*record.rounds, finished),
                decisions=(*record.decisions, decision),
            )
        ended.append(
            [
                (len(known.logs[key]), known.estimate(key, stats.STOPPED_CONFIDENCE))
                for key in spread
            ]
        )
    return ended


def coverage(ended: Sequence[Sequence[tuple[int, Estimate]]]) -> tuple[float, float]:
    """Of all blocks together, and of the block that has the least."""
    covered = np.array([[e.low <= 1 <= e.high for _, e in blocks] for blocks in ended])
    return float(covered.mean()), float(covered.mean(axis=0).min())


@pytest.mark.parametrize("draw", [normal, heavy_tailed, bad_rounds])
@pytest.mark.parametrize(
    ("spreads", "budget_s"),
    [(SPREADS, 300.0), ((0.03,) * 8, 600.0), ((0.04,), 150.0)],
    ids=["time is short", "time suffices", "one block"],
)
def test_intervals_of_rounds_that_are_shared_out_by_width_hold_the_true_ratio(
    draw: Draw, spreads: Sequence[float], budget_s: float
) -> None:
    ended = shared_out(draw, spreads, budget_s, 600 if len(spreads) > 1 else 2000)
    of_all, least = coverage(ended)
    assert of_all >= 0.94
    assert least >= 0.93  # of a few hundred runs


def test_one_sided_bad_rounds_are_no_worse_for_rounds_that_are_shared_out() -> None:
    ended = shared_out(one_sided_bad_rounds, SPREADS, 300.0, 600)
    generator = np.random.default_rng(9)
    fixed = []
    for _ in range(600):
        logs = [[one_sided_bad_rounds(generator, spread) for _ in range(6)] for spread in SPREADS]
        fixed.append([(6, stats.log_mean(np.exp(of_block).tolist())) for of_block in logs])
    # Neither holds 95 %: see docs/METHOD.md.
    assert coverage(ended)[0] >= coverage(fixed)[0]


def test_rounds_that_are_shared_out_narrow_the_widest_interval_for_the_same_time() -> None:
    ended = shared_out(normal, SPREADS, 300.0, 300)
    rounds = np.array([[count for count, _ in blocks] for blocks in ended]).mean(axis=0)
    assert rounds[0] < 5.2
    assert rounds[-1] > 8
    generator = np.random.default_rng(9)
    six = [stats.log_mean(np.exp(generator.normal(0, SPREADS[-1], 6)).tolist()) for _ in range(300)]
    widest = np.median([math.log(blocks[-1][1].high / blocks[-1][1].value) for blocks in ended])
    assert widest < 0.9 * np.median([math.log(e.high / e.value) for e in six])


def test_a_run_of_equal_stacks_names_a_winner_as_rarely_as_promised() -> None:
    # Eight comparisons of four metrics. The luck of the processes is in all metrics of a comparison.
    generator = np.random.default_rng(11)
    record = _record()
    metrics = ("throughput_rps", "latency_p50_ms", "latency_p99_ms", "cpu_us_per_request")
    found = {False: 0, True: 0}
    count = 1000
    for _ in range(count):
        drafts = []
        for place in range(8):
            shared = generator.normal(0, 0.04, ROUNDS)
            for metric in metrics:
                ratios = np.exp(shared + generator.normal(0, 0.04, ROUNDS))
                drafts.append(
                    Draft(
                        scenario=f"number {place}",
                        load="closed-4",
                        metric=metric,
                        baseline=BASELINE,
                        candidate=CANDIDATE,
                        estimate=stats.log_mean(list(ratios)),
                        rounds=ROUNDS,
                        valid=True,
                        overloaded=False,
                        family=Family.ANSWERS,
                        is_secondary=metric != "throughput_rps",
                    )
                )
        for secondary in found:
            found[secondary] += any(
                made.verdict in (Verdict.FASTER, Verdict.SLOWER)
                for made in with_verdicts(drafts, record)
                if made.is_secondary is secondary
            )
    assert found[False] / count <= 0.06
    assert found[True] / count <= 0.06
    assert found[False] > 0  # the bound is met by the correction, and not for lack of differences
