"""What the analysis derives from runs whose content is known."""

import math
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest

from harness.analysis.analyse import analyse
from harness.analysis.comparisons import Draft, with_verdicts
from harness.analysis.figures import round_figures
from harness.analysis.percentiles import QUANTILES, SAMPLES_BEYOND, Pool
from harness.measuring.pacing import UntilPrecise, Widths
from harness.models import (
    SERVER_CORES,
    Analysis,
    BusyProcess,
    Calibration,
    Comparison,
    CoreUsage,
    Estimate,
    Failure,
    Family,
    Kind,
    Placement,
    Samples,
    Verdict,
)
from tests.runs import FakeRun, closed_load, hello_plan

A, B = "flask-gthread", "fastapi-uvicorn"


def analysed(run: FakeRun) -> Analysis:
    return analyse(run.record, run.read)


def calibrated(run: FakeRun, floor: float) -> Analysis:
    """Analyse the run with a calibration whose noise floor of throughput is `floor`."""
    calibration = Calibration(
        "this machine", "2026-01-01T00:00:00+00:00", 9, {"throughput_rps": floor}, {}
    )
    return analyse(replace(run.record, calibration=calibration), run.read)


def throughput(analysis: Analysis) -> Comparison:
    return next(c for c in analysis.comparisons if c.metric == "throughput_rps")


def drifting(factor: float) -> dict[str, list[float]]:
    """Rates on a machine whose speed changes by round; the candidate is `factor` × as fast."""
    machine = [1000.0, 2000.0, 1500.0, 900.0, 1800.0, 1200.0]
    noise = [1.01, 0.99, 1.0, 1.005, 0.995, 1.0]
    return {A: machine, B: [m * factor * x for m, x in zip(machine, noise, strict=True)]}


def test_a_known_ratio_is_found_although_the_machine_drifts() -> None:
    comparison = throughput(analysed(FakeRun(hello_plan(), drifting(2.0))))
    assert comparison.ratio == pytest.approx(2.0, rel=0.005)
    assert comparison.ci_low < 2.0 < comparison.ci_high
    assert comparison.ci_high / comparison.ci_low < 1.05
    assert comparison.verdict is Verdict.FASTER


def test_a_slow_down_of_ten_percent_is_found() -> None:
    comparison = throughput(analysed(FakeRun(hello_plan(), drifting(1 / 1.1))))
    assert comparison.ci_low < 1 / 1.1 < comparison.ci_high
    assert comparison.verdict is Verdict.SLOWER


def test_equal_stacks_are_the_same() -> None:
    assert throughput(analysed(FakeRun(hello_plan(), drifting(1.0)))).verdict is Verdict.SAME


def test_throughput_latency_cpu_time_and_memory_are_those_of_the_server() -> None:
    cell = analysed(FakeRun(hello_plan(), {A: [1000.0] * 5, B: [2000.0] * 5})).cells[0]
    assert cell.throughput_rps.value == pytest.approx(1000, rel=0.01)
    assert cell.latency_ms["p50"].value == pytest.approx(4.0, rel=0.01)  # 4 users, 1,000/s
    assert cell.cpu_us_per_request.value == pytest.approx(200)
    assert cell.pss_mib == pytest.approx(50)
    assert cell.valid


def test_the_ratio_in_the_comparison_is_the_ratio_of_the_summaries() -> None:
    analysis = analysed(FakeRun(hello_plan(), drifting(1.7)))
    base, candidate = (cell.throughput_rps.value for cell in analysis.cells)
    assert throughput(analysis).ratio == pytest.approx(candidate / base)


def test_failures_make_a_cell_and_its_comparisons_invalid() -> None:
    run = FakeRun(hello_plan(), drifting(2.0))
    run.spoil(B, 0.01)
    analysis = analysed(run)
    broken = next(cell for cell in analysis.cells if cell.stack == B)
    assert not broken.valid
    assert "errors" in broken.reason
    assert "status 500" in broken.reason
    assert all(c.verdict is Verdict.INVALID for c in analysis.comparisons)
    assert not analysis.valid


def test_a_cell_that_was_measured_in_a_single_round_is_invalid() -> None:
    analysis = analysed(FakeRun(hello_plan(), {A: [1000.0], B: [2000.0]}))
    assert not analysis.valid
    assert "rounds: 1 measured" in analysis.cells[0].reason
    assert math.isnan(throughput(analysis).ci_low)


def test_fewer_than_five_rounds_give_an_interval_but_no_verdict() -> None:
    comparison = throughput(analysed(FakeRun(hello_plan(), {A: [1000.0, 1010.0], B: [2000.0] * 2})))
    assert not math.isnan(comparison.ci_low)
    assert comparison.verdict is Verdict.INCONCLUSIVE


def test_only_rounds_with_both_stacks_are_compared() -> None:
    rates = drifting(2.0)
    rates[B] = rates[B][:5]
    comparison = throughput(analysed(FakeRun(hello_plan(), rates)))
    assert comparison.rounds == 5
    assert comparison.ratio == pytest.approx(2.0, rel=0.01)


def test_the_reader_decides_what_is_too_small_to_matter() -> None:
    run = FakeRun(hello_plan(), drifting(1.06))
    assert throughput(analysed(run)).verdict is Verdict.FASTER
    run.record = replace(run.record, plan=replace(run.record.plan, same_within=0.10))
    comparison = throughput(analysed(run))
    assert comparison.verdict is Verdict.SAME
    assert comparison.same_within == 0.10


def test_a_noisy_machine_does_not_widen_what_is_called_the_same() -> None:
    run = FakeRun(hello_plan(), drifting(1.06))
    assert throughput(calibrated(run, 0.40)) == throughput(analysed(run))


def test_headline_metrics_are_corrected_apart_from_the_others() -> None:
    analysis = analysed(FakeRun(hello_plan(), drifting(2.0)))
    names = {made.metric: made.family_name for made in analysis.comparisons}
    assert names.pop("throughput_rps") == "answers"
    assert set(names.values()) == {"answers: secondary"}


def test_secondary_metrics_are_corrected_for_all_of_them_together() -> None:
    def draft(metric: str, half: float) -> Draft:
        estimate = Estimate(1.1, 1.1 * math.exp(-half), 1.1 * math.exp(half))
        return Draft(
            scenario="hello", load="closed-4", metric=metric, baseline=A, candidate=B,
            estimate=estimate, rounds=6, valid=True, overloaded=False, family=Family.ANSWERS,
            is_secondary=metric != "throughput_rps",
        )  # fmt: skip

    run = FakeRun(hello_plan(), drifting(2.0)).record
    # An interval that just excludes 1: enough for one comparison, and too little for three.
    alone = with_verdicts([draft("cpu_us_per_request", 0.09)], run)
    assert alone[0].verdict is Verdict.SLOWER
    beside = [draft(name, 0.09) for name in ("latency_p50_ms", "latency_p99_ms")]
    throughput, cpu, *_ = with_verdicts(
        [draft("throughput_rps", 0.09), draft("cpu_us_per_request", 0.09), *beside], run
    )
    assert throughput.verdict is Verdict.FASTER
    assert cpu.verdict is Verdict.INCONCLUSIVE


def test_idle_users_make_a_cell_invalid() -> None:
    run = FakeRun(hello_plan(), drifting(2.0))
    run.record = replace(run.record, plan=hello_plan(users=(5,)))
    for label in (A, B):
        run.change(label, lambda cell: replace(cell, load="closed-5"))
    assert "Little's law" in analysed(run).cells[0].reason


def test_the_curve_ends_at_the_last_quantile_with_enough_samples() -> None:
    analysis = analysed(FakeRun(hello_plan(), drifting(2.0)))
    for cell in analysis.cells:
        last = cell.latency_curve_ms[-1][0]
        assert cell.requests * (1 - last) >= 9.9
        assert last < 0.9999


def test_a_curve_reaches_a_percentile_exactly_when_enough_samples_support_it() -> None:
    for cell in analysed(FakeRun(hello_plan(), {A: [1000.0] * 6, B: [300.0] * 6})).cells:
        reached = {q for q, _ in cell.latency_curve_ms}
        for name, quantile in QUANTILES.items():
            is_supported = cell.requests * (1 - quantile) >= SAMPLES_BEYOND
            assert (quantile in reached) == is_supported
            assert math.isnan(cell.latency_ms[name].value) != is_supported


def test_the_stalls_of_two_rounds_are_no_percentile_of_the_stack() -> None:
    run = FakeRun(hello_plan(), {A: [1000.0] * 6, B: [1000.0] * 6})

    def stalled(rounds: int) -> Estimate:
        for finished in run.record.rounds[:rounds]:
            cell = finished.cells[0]
            samples = run.samples[cell.samples_file]
            latency_ns = samples.latency_ns.copy()
            latency_ns[20:60] = 90_000_000
            run.samples[cell.samples_file] = replace(samples, latency_ns=latency_ns)
        return analysed(run).cells[0].latency_ms["p99"]

    assert stalled(0).value == pytest.approx(4)
    assert math.isnan(stalled(2).value)
    assert stalled(3).value == pytest.approx(90)


def test_ratios_of_percentiles_multiply_exactly_from_step_to_step() -> None:
    generator = np.random.default_rng(2)
    low, middle, high = (
        Pool([generator.lognormal(14, 0.4, 800).astype(np.int64) * factor for _ in range(6)])
        for factor in (2, 3, 7)
    )
    steps = middle.ratio(low, "p99", 0.95).value * high.ratio(middle, "p99", 0.95).value
    total = high.ratio(low, "p99", 0.95)
    assert steps == pytest.approx(total.value)
    assert total.low < total.value < total.high
    turned = low.ratio(high, "p99", 0.95)
    assert (turned.low, turned.high) == pytest.approx((1 / total.high, 1 / total.low))


def test_a_stack_without_a_good_reply_takes_no_p99_from_the_others() -> None:
    plan = hello_plan(ladder=True)
    dead = "flask-granian"
    run = FakeRun(plan, {label: [1000.0] * 6 for label in plan.blocks[0].stacks})
    run.spoil(dead, 1.0)
    others = [
        made for made in analysed(run).comparisons if dead not in (made.baseline, made.candidate)
    ]
    p99 = [made for made in others if made.metric == "latency_p99_ms"]
    assert len(p99) == len([made for made in others if made.metric == "latency_p50_ms"]) >= 2
    assert [made.ratio for made in p99] == pytest.approx([1.0] * len(p99))
    assert Verdict.INVALID not in {made.verdict for made in others}


def test_the_timeline_shows_rounds_in_sequence() -> None:
    cell = analysed(FakeRun(hello_plan(), drifting(2.0))).cells[0]
    times = [point.elapsed_s for point in cell.timeline]
    assert times == sorted(times)
    assert {point.round for point in cell.timeline} == {1, 2, 3, 4, 5, 6}
    assert len(cell.timeline) == 6 * 4


def test_the_share_of_the_harness_is_its_cpu_time_during_the_slices() -> None:
    analysis = analysed(FakeRun(hello_plan(), drifting(1.0)))
    assert analysis.harness_core_share == pytest.approx(0.03)


def test_threads_and_context_switches_are_those_of_the_server() -> None:
    cell = analysed(FakeRun(hello_plan(), drifting(1.0))).cells[0]
    assert cell.threads == 41
    assert cell.switches_per_request == pytest.approx(3)


def test_the_idle_share_is_that_of_a_single_idle_stack() -> None:
    assert analysed(FakeRun(hello_plan(), drifting(1.0))).idle_core_share == pytest.approx(0.002)


def test_a_run_without_rounds_has_neither_cells_nor_comparisons() -> None:
    run = FakeRun(hello_plan(), {A: [1000.0], B: [1000.0]})
    run.record = replace(run.record, rounds=())
    analysis = analysed(run)
    assert analysis.cells == ()
    assert analysis.comparisons == ()


def first_half_then(early: Samples, late: Samples) -> Samples:
    """Slices 0 and 1 of `early`, and slices 2 and 3 of `late`."""
    return Samples(
        **{
            name: np.concatenate(
                [getattr(early, name)[early.slice < 2], getattr(late, name)[late.slice >= 2]]
            )
            for name in Samples.__slots__
        }
    )


def test_a_stack_that_warms_up_while_the_other_does_not_is_not_settled() -> None:
    run = FakeRun(hello_plan(), {A: [1000.0] * 6, B: [1000.0] * 6})
    for finished in run.record.rounds:
        cell = next(cell for cell in finished.cells if cell.stack == B)
        slow, _ = closed_load(800.0, 4, 4)
        fast = run.samples[cell.samples_file]
        run.samples[cell.samples_file] = first_half_then(slow, fast)
    reasons = {cell.stack: cell.reason for cell in analysed(run).cells}
    assert "settled: the second half of a round is 1.25" in reasons[B]


def test_a_stack_without_halves_is_not_blamed_for_the_drift_of_others() -> None:
    """One slice a round has none; the machine slows the other stack's second halves."""
    run = FakeRun(hello_plan(), {A: [1000.0] * 6, B: [1000.0] * 6})
    for finished in run.record.rounds:
        for cell in finished.cells:
            samples = run.samples[cell.samples_file]
            late, _ = closed_load(800.0, 4, 4)
            run.samples[cell.samples_file] = first_half_then(samples, late)
    rounds = []
    for finished in run.record.rounds:
        cells = []
        for cell in finished.cells:
            if cell.stack == B:
                samples = run.samples[cell.samples_file]
                whole = {
                    name: getattr(samples, name)[samples.slice == 0] for name in Samples.__slots__
                }
                run.samples[cell.samples_file] = Samples(**whole)
                cell = replace(cell, slices=cell.slices[:1])
            cells.append(cell)
        rounds.append(replace(finished, cells=tuple(cells)))
    run.record = replace(run.record, rounds=tuple(rounds))
    settled = {
        cell.stack: next(gate for gate in cell.gates if gate.gate == "settled")
        for cell in analysed(run).cells
    }
    assert settled[B].passed
    assert "too few rounds or slices to tell" in settled[B].figure
    assert "0.800 × the first" in settled[A].figure  # nothing to compare it with


def test_a_slow_slice_weighs_in_its_half_by_its_time() -> None:
    """Slices count equal numbers of requests: a half at 1,000 and 100/s serves 182/s and not 550/s."""
    run = FakeRun(hello_plan(), {A: [1000.0] * 2, B: [1000.0] * 2})
    cell = next(cell for cell in run.record.rounds[0].cells if cell.stack == B)
    samples = run.samples[cell.samples_file]
    count = len(cell.slices)
    latency_ns = np.where(samples.slice == count - 1, samples.latency_ns * 10, samples.latency_ns)
    slowed = replace(samples, latency_ns=latency_ns)
    found = round_figures(run.record.plan.blocks[0], cell, slowed)
    slices_in_half = count // 2
    expected = slices_in_half / (slices_in_half - 1 + 10)
    assert found.halves == pytest.approx(expected, rel=0.02)


def test_a_machine_that_slows_all_stacks_down_makes_no_cell_invalid() -> None:
    run = FakeRun(hello_plan(), {A: [1000.0] * 6, B: [2000.0] * 6})
    for finished in run.record.rounds:
        for cell in finished.cells:
            rate = 1000.0 if cell.stack == A else 2000.0
            late, _ = closed_load(rate * 0.7, 4, 4)
            early = run.samples[cell.samples_file]
            run.samples[cell.samples_file] = first_half_then(early, late)
    analysis = analysed(run)
    assert analysis.valid
    assert throughput(analysis).ratio == pytest.approx(2.0, rel=0.01)


def test_without_io_a_single_failure_makes_a_cell_invalid() -> None:
    run = FakeRun(hello_plan(), drifting(2.0))
    run.spoil(B, 0.001)  # at most a single request of a round
    broken = next(cell for cell in analysed(run).cells if cell.stack == B)
    assert broken.errors
    assert "none may fail in a scenario without I/O" in broken.reason


def test_with_io_a_request_in_a_thousand_may_fail() -> None:
    run = FakeRun(hello_plan(), drifting(2.0))
    run.spoil(B, 0.001)
    block = run.record.plan.blocks[0]
    scenario = replace(block.scenario, kind=Kind.IO)
    plan = replace(run.record.plan, blocks=(replace(block, scenario=scenario),))
    run.record = replace(run.record, plan=plan)
    analysis = analysed(run)
    assert analysis.cells[1].errors
    assert analysis.valid


def test_a_service_without_a_reading_is_unknown_and_not_idle() -> None:
    run = FakeRun(hello_plan(), {A: [1000.0] * 5, B: [1000.0] * 5})
    run.change(A, lambda cell: replace(cell, services_cpu_s={"postgres": None, "upstream": None}))
    figures = {
        cell.stack: gate.figure
        for cell in analyse(run.record, run.read).cells
        for gate in cell.gates
        if gate.gate == "service cores busy"
    }
    assert figures == {
        A: "10% of 1 core, not counting PostgreSQL and upstream, which can't be metered",
        B: "10% of 1 core",
    }
    # If the load is not on these cores either, nothing is known, and there is no gate.
    apart = replace(run.record, placement=Placement((0,), (1,), (2, 3)))
    gates = {
        cell.stack: [gate.gate for gate in cell.gates] for cell in analyse(apart, run.read).cells
    }
    assert "service cores busy" not in gates[A]
    assert "service cores busy" in gates[B]


def on_the_servers_core(
    run: FakeRun, label: str, *, foreign_s: float, steal_s: float = 0.0
) -> None:
    """Let the core be available for 1 s a round, of which the stack used 0.5 s."""
    usage = CoreUsage(1.0, 0.5 + foreign_s, 0.5, interrupt_s=0.0, steal_s=steal_s)
    run.change(label, lambda cell: replace(cell, cores={SERVER_CORES: usage}))


def core_gates(analysis: Analysis) -> dict[str, list[str]]:
    """Stack -> gates that judge the servers' cores."""
    return {
        cell.stack: [g.gate for g in cell.gates if g.gate in {"foreign load", "steal time"}]
        for cell in analysis.cells
    }


def test_a_cell_beside_foreign_load_is_invalid_and_names_the_busiest_process() -> None:
    run = FakeRun(hello_plan(), {A: [1000.0] * 5, B: [1000.0] * 5})
    on_the_servers_core(run, A, foreign_s=0.01)
    on_the_servers_core(run, B, foreign_s=0.4)
    rounds = [
        replace(
            finished,
            blocks=tuple(
                replace(block, busiest=(BusyProcess(4711, "make", 0.4),))
                for block in finished.blocks
            ),
        )
        for finished in run.record.rounds
    ]
    run.record = replace(run.record, rounds=tuple(rounds))
    calm, beside = analysed(run).cells
    assert calm.valid
    assert calm.foreign_share == {SERVER_CORES: pytest.approx(0.01)}
    assert "foreign load: other processes used 40% of the servers' core" in beside.reason
    assert "the busiest: make, pid 4711" in beside.reason


def test_a_cell_whose_core_was_stolen_is_invalid_for_that_alone() -> None:
    run = FakeRun(hello_plan(), {A: [1000.0] * 5, B: [1000.0] * 5})
    on_the_servers_core(run, A, foreign_s=0.0, steal_s=0.3)
    (cell, _) = analysed(run).cells
    assert cell.steal_share == {SERVER_CORES: pytest.approx(0.3)}
    assert [gate.gate for gate in cell.gates if not gate.passed] == ["steal time"]


def test_where_the_time_of_cores_is_unknown_nothing_is_said_of_it() -> None:
    run = FakeRun(hello_plan(), {A: [1000.0] * 5, B: [1000.0] * 5})
    on_the_servers_core(run, B, foreign_s=0.0)
    run.record = replace(  # one round of B without a reading
        run.record,
        rounds=(
            replace(
                run.record.rounds[0],
                cells=tuple(replace(cell, cores={}) for cell in run.record.rounds[0].cells),
            ),
            *run.record.rounds[1:],
        ),
    )
    analysis = analysed(run)
    assert core_gates(analysis) == {A: [], B: []}
    assert [cell.foreign_share for cell in analysis.cells] == [{}, {}]


def test_services_of_somebody_else_are_not_taken_for_foreign_load() -> None:
    run = FakeRun(hello_plan(), {A: [1000.0] * 5, B: [1000.0] * 5})
    on_the_servers_core(run, A, foreign_s=0.4)
    on_the_servers_core(run, B, foreign_s=0.4)
    run.change(A, lambda cell: replace(cell, services_cpu_s={"postgres": None, "upstream": None}))
    (planned,) = run.record.plan.blocks
    with_io = replace(planned, scenario=replace(planned.scenario, needs=("database",)))
    run.record = replace(run.record, plan=replace(run.record.plan, blocks=(with_io,)))
    assert core_gates(analysed(run)) == {A: ["steal time"], B: ["foreign load", "steal time"]}


def test_a_stack_that_breaks_the_contract_is_invalid() -> None:
    run = FakeRun(hello_plan(), drifting(2.0))
    run.change(B, lambda cell: replace(cell, parity=("after: hello: body differs",)))
    reasons = {cell.stack: cell.reason for cell in analysed(run).cells}
    assert reasons[A] == ""
    assert "parity: after: hello: body differs (and 5 more)" in reasons[B]


# -------------------------------------------------------------------------- ladder

#: Rung -> its speed relative to flask-gthread, from the lowest rung on.
RUNGS = {
    A: 1.0,
    "flask-granian": 1.5,
    "fastapi-def-granian": 1.0,
    "fastapi-def": 1.01,
    B: 2.5,
}


def ladder_run(**changes: float) -> FakeRun:
    """A run on a drifting machine, with noise that differs between rungs."""
    machine = drifting(1.0)[A]
    rates = {
        label: [
            m * factor * (1 + 0.004 * math.sin(17 * place + 5 * n)) for n, m in enumerate(machine)
        ]
        for place, (label, factor) in enumerate({**RUNGS, **changes}.items())
    }
    return FakeRun(hello_plan(ladder=True), rates)


def of_steps(run: FakeRun, metric: str = "throughput_rps") -> list[Comparison]:
    """The comparisons of the ladder's steps, from the lowest rung on."""
    by_pair = {
        (c.baseline, c.candidate): c for c in analysed(run).comparisons if c.metric == metric
    }
    return [by_pair[pair] for pair in run.record.plan.blocks[0].steps]


@pytest.mark.parametrize("metric", ["throughput_rps", "latency_p50_ms", "cpu_us_per_request"])
def test_the_steps_of_a_ladder_multiply_to_the_total(metric: str) -> None:
    run = ladder_run()
    steps = of_steps(run, metric)
    assert len(steps) == 4
    (total,) = (
        c for c in analysed(run).comparisons
        if (c.baseline, c.candidate, c.metric) == (A, B, metric)
    )  # fmt: skip
    assert math.prod(step.ratio for step in steps) == pytest.approx(total.ratio, rel=1e-12)


def test_each_step_has_its_known_ratio_and_a_verdict() -> None:
    steps = of_steps(ladder_run())
    for step, ratio in zip(steps, (1.5, 1 / 1.5, 1.01, 2.5 / 1.01), strict=True):
        assert step.ci_low < ratio < step.ci_high
    assert [step.verdict for step in steps] == ["faster", "slower", "same", "faster"]


def test_a_rung_is_compared_only_with_its_neighbours() -> None:
    pairs = {(c.baseline, c.candidate) for c in analysed(ladder_run()).comparisons}
    rungs = list(RUNGS)
    assert pairs == {(A, B), *pairwise(rungs)}


def test_an_invalid_rung_makes_only_the_steps_to_and_from_it_invalid() -> None:
    run = ladder_run()
    run.spoil("fastapi-def-granian", 0.05)
    verdicts = [step.verdict for step in of_steps(run)]
    assert verdicts == ["faster", "invalid", "invalid", "faster"]
    total = next(c for c in analysed(run).comparisons if (c.baseline, c.candidate) == (A, B))
    assert total.verdict is Verdict.FASTER


#: 5 % above STEADY on average, with a p-value between 0.0125 and 0.05.
BARELY_FASTER = [1000.0 * (1 + x) for x in (0.105, 0.005, 0.07, 0.01, 0.1, 0.03)]
STEADY = [1000.0 * (1 + x) for x in (0.02, -0.02, 0.0, 0.01, -0.01, 0.0)]


def test_measuring_the_steps_too_does_not_change_the_verdict_on_the_twins() -> None:
    without_steps = throughput(analysed(FakeRun(hello_plan(), {A: STEADY, B: BARELY_FASTER})))
    assert without_steps.verdict is Verdict.FASTER
    rates = {**dict.fromkeys(RUNGS, STEADY), B: BARELY_FASTER}
    run = FakeRun(hello_plan(ladder=True), rates)
    with_steps = throughput(analysed(run))
    assert (with_steps.baseline, with_steps.candidate) == (A, B)
    assert with_steps == without_steps


def test_the_verdicts_on_the_steps_are_corrected_together() -> None:
    """The difference is significant as the only comparison, and not among four steps."""
    assert (
        throughput(analysed(FakeRun(hello_plan(), {A: STEADY, B: BARELY_FASTER}))).verdict
        == "faster"
    )
    rates = {**dict.fromkeys(RUNGS, STEADY), B: BARELY_FASTER}
    *_, last = of_steps(FakeRun(hello_plan(ladder=True), rates))
    assert (last.candidate, last.verdict) == (B, Verdict.INCONCLUSIVE)
    assert last.ci_low > 1


def test_a_block_is_measured_further_while_the_interval_of_a_step_is_wide() -> None:
    def is_precise(rates: list[float]) -> bool:
        plan = hello_plan(ladder=True, precision=0.05)
        run = FakeRun(plan, {**dict.fromkeys(RUNGS, STEADY), "fastapi-def": rates})
        more = replace(run.record, plan=replace(plan, rounds=plan.rounds + 1))
        return UntilPrecise(Widths(0.05, run.read)).next(more) is None

    assert is_precise(STEADY)
    assert not is_precise([700.0, 1400.0] * 3)


# ----------------------------------------------------------------------- open load


def steady(a_ms: float = 4.0, b_ms: float = 2.0) -> dict[str, list[float]]:
    return {A: [a_ms] * 6, B: [b_ms * x for x in (1.01, 0.99, 1.0, 1.005, 0.995, 1.0)]}


def open_run(**more: float) -> FakeRun:
    return FakeRun(hello_plan(rate_rps=500), steady(), **more)


def test_open_load_compares_latency_and_not_throughput() -> None:
    analysis = analysed(open_run())
    assert analysis.valid, [cell.reason for cell in analysis.cells]
    metrics = [c.metric for c in analysis.comparisons]
    # No p99: latencies are equal within a round, so that all beyond it are of the slowest round.
    assert metrics == ["latency_p50_ms", "cpu_us_per_request"]
    median = analysis.comparisons[0]
    assert median.ratio == pytest.approx(2.0 / 4.0, rel=0.02)
    assert median.verdict is Verdict.FASTER


def test_lag_of_the_generator_is_no_part_of_the_latency_and_is_told_beside_it() -> None:
    cell = analysed(open_run(lag_ms=0.5)).cells[0]
    assert cell.latency_ms["p50"].value == pytest.approx(4.0)
    assert cell.schedule is not None
    assert cell.schedule.service_ms["p50"].value == pytest.approx(4.0)
    assert cell.schedule.lag_p99_ms == pytest.approx(0.5)
    assert cell.schedule.lag_effect_ms["p50"] == pytest.approx(0.5)
    assert cell.schedule.late == 0


def test_lag_moves_no_ratio_of_latencies() -> None:
    late = analysed(open_run(lag_ms=0.5)).comparisons[0]
    assert late.ratio == pytest.approx(analysed(open_run(lag_ms=0.0)).comparisons[0].ratio)


def test_what_was_due_and_what_was_answered_are_counted_of_the_same_requests() -> None:
    kept = analysed(open_run()).cells[0].schedule
    assert kept is not None
    assert kept.offered_rps == pytest.approx(500)
    assert kept.achieved_rps == pytest.approx(500, rel=0.01)
    assert kept.never_sent == 0


def test_a_schedule_that_was_not_kept_makes_a_cell_invalid() -> None:
    late = analysed(open_run(lag_ms=1.5)).cells[0]
    assert late.schedule is not None
    assert late.schedule.late == late.requests
    assert late.schedule.lag_p50_ms == pytest.approx(1.5)
    assert "schedule lag: median 1.500 ms, p99 1.50 ms" in late.reason
    assert not late.overloaded


def test_lag_that_moves_only_the_tail_is_judged_by_the_tail() -> None:
    run = open_run(lag_ms=0.0)

    def stalled(cell):
        """Two requests in a hundred are sent 3 ms late."""
        samples = run.samples[cell.samples_file]
        lag_ns = np.where(np.arange(len(samples.start_ns)) % 50 == 0, 3_000_000, 0)
        run.samples[cell.samples_file] = replace(
            samples,
            start_ns=samples.start_ns + lag_ns,
            latency_ns=samples.latency_ns + lag_ns,
        )
        return cell

    run.change(A, stalled)
    cell = analysed(run).cells[0]
    assert "schedule lag: median 0.000 ms, p99 3.00 ms" in cell.reason
    assert "it would have added 75.0% to p99" in cell.reason
    assert cell.latency_ms["p99"].value == pytest.approx(4.0)


def test_a_wait_for_a_free_connection_is_the_servers_doing_and_not_the_generators() -> None:
    run = open_run(lag_ms=0.0)

    def waited(cell):
        """A tenth of the requests wait 50 ms for a connection, and then are sent at once."""
        samples = run.samples[cell.samples_file]
        starved = np.arange(len(samples.start_ns)) % 10 == 0
        wait_ns = np.where(starved, 50_000_000, 0)
        run.samples[cell.samples_file] = replace(
            samples,
            start_ns=samples.start_ns + wait_ns,
            latency_ns=samples.latency_ns + wait_ns,
            starved=starved,
        )
        return replace(cell, starved=int(starved.sum()))

    run.change(A, waited)
    cell = analysed(run).cells[0]
    assert cell.valid, cell.reason
    assert cell.schedule is not None
    assert cell.schedule.lag_p99_ms == 0
    assert cell.latency_ms["p99"].value == pytest.approx(54.0)
    assert cell.schedule.service_ms["p99"].value == pytest.approx(4.0)


def test_spinning_until_a_request_is_due_is_not_work_of_a_load_process() -> None:
    run = open_run(lag_ms=0.0)
    run.change(A, lambda cell: replace(cell, load_cpu_s=(0.95 * cell.wall_s,)))
    assert "the busiest load process used 95% of its core" in analysed(run).cells[0].reason
    run.change(A, lambda cell: replace(cell, load_spun_s=(0.2 * cell.wall_s,)))
    cell = analysed(run).cells[0]
    assert cell.valid, cell.reason
    assert "the busiest load process used 75% of its core" in {gate.figure for gate in cell.gates}


def overloaded_run(**more: object) -> FakeRun:
    """The second stack comes to half of what is due; the other half is never sent."""
    run = open_run(lag_ms=0.01)

    def held_up(cell):
        samples = run.samples[cell.samples_file]
        lost = np.arange(len(samples.start_ns)) % 2 == 1
        failure = np.where(lost, Failure.NEVER_SENT, samples.failure).astype(np.int8)
        start_ns = samples.start_ns + np.where(lost, 10**10, 0)
        changed = replace(samples, failure=failure, start_ns=start_ns)
        run.samples[cell.samples_file] = changed
        return replace(cell, starved=7, errors=int(lost.sum()), **more)

    run.change(B, held_up)
    return run


def test_a_server_that_cannot_keep_up_is_a_finding_and_its_cell_valid() -> None:
    analysis = analysed(overloaded_run())
    kept_up, overloaded = analysis.cells
    assert analysis.valid, [cell.reason for cell in analysis.cells]
    assert not kept_up.overloaded
    assert overloaded.overload is not None
    assert overloaded.overload.answered_rps == pytest.approx(250, rel=0.01)
    assert overloaded.overload.due_rps == pytest.approx(500)
    assert overloaded.overload.never_sent == 6 * 2 * 250
    assert overloaded.overload.text == (
        "overloaded: it answered 250 of 500 requests/s (3,000 never sent)"
    )


def test_the_throughput_of_open_load_is_the_rate_of_right_answers() -> None:
    """The queue of an overloaded server is served after the window: that is not its rate."""
    run = open_run(lag_ms=0.0)

    def queued(cell):
        """Each answer takes twice as long as the request before it was due: half are in time."""
        samples = run.samples[cell.samples_file]
        begin = np.array([piece.begin_ns for piece in cell.slices])[samples.slice]
        waits = samples.intended_ns - begin
        run.samples[cell.samples_file] = replace(samples, latency_ns=samples.latency_ns + waits)
        return cell

    run.change(A, queued)
    cell = analysed(run).cells[0]
    assert cell.overload is not None
    assert cell.schedule is not None
    assert cell.overload.answered_rps == pytest.approx(250, rel=0.02)
    assert cell.throughput_rps.value == pytest.approx(cell.overload.answered_rps)
    assert [point.throughput_rps for point in cell.timeline] == pytest.approx(
        [cell.overload.answered_rps] * len(cell.timeline), rel=0.01
    )


def test_a_server_that_takes_long_and_keeps_up_is_not_overloaded() -> None:
    """Answers take longer than a slice settles, and many come after its window."""
    run = FakeRun(hello_plan(rate_rps=500), {A: [300.0] * 6}, lag_ms=0.01)
    (cell,) = analysed(run).cells
    assert cell.schedule is not None
    assert cell.schedule.achieved_rps == cell.schedule.offered_rps
    assert cell.throughput_rps.value == pytest.approx(500, rel=0.01)
    assert not cell.overloaded
    assert cell.valid, cell.reason


def test_the_latency_of_an_overloaded_server_is_not_compared_and_its_cpu_time_is() -> None:
    verdicts = {c.metric: c.verdict for c in analysed(overloaded_run()).comparisons}
    assert verdicts["latency_p50_ms"] is Verdict.OVERLOADED
    assert verdicts["cpu_us_per_request"] is Verdict.SLOWER


def test_requests_that_were_never_sent_have_no_lag_and_cost_the_server_nothing() -> None:
    cell = analysed(overloaded_run()).cells[1]
    assert cell.schedule is not None
    assert cell.schedule.never_sent == 6 * 2 * 250
    assert cell.schedule.starved == 6 * 7
    assert cell.schedule.lag_p99_ms == pytest.approx(0.01)
    assert cell.schedule.achieved_rps == pytest.approx(250, rel=0.01)
    assert cell.cpu_us_per_request.value == pytest.approx(400)


def test_an_overloaded_server_that_answers_wrongly_is_invalid_all_the_same() -> None:
    run = overloaded_run()

    def wrong(cell):
        samples = run.samples[cell.samples_file]
        failure = samples.failure.copy()
        failure[::10] = Failure.WRONG_STATUS
        run.samples[cell.samples_file] = replace(samples, failure=failure)
        return cell

    run.change(B, wrong)
    cell = analysed(run).cells[1]
    assert cell.overloaded
    assert cell.reason.startswith("errors: ")
    latency = next(c for c in analysed(run).comparisons if c.metric == "latency_p50_ms")
    assert latency.verdict is Verdict.INVALID


def test_a_generator_that_cannot_keep_its_schedule_is_invalid_also_where_the_rate_falls() -> None:
    """Nothing was starved: connections were free, and the generator did not use them."""
    run = open_run(lag_ms=300.0)
    cell = analysed(run).cells[0]
    assert "schedule lag: median 300.000 ms" in cell.reason


def test_a_stall_shows_in_open_load_and_hides_in_closed_load() -> None:
    """The server stops for 300 ms of each second."""
    run = FakeRun(hello_plan(rate_rps=500), {A: [2.0] * 6})
    slices = run.record.rounds[0].cells[0]
    due = run.read(slices)
    begin = np.array([piece.begin_ns for piece in slices.slices])[due.slice]
    since = due.intended_ns - begin
    stalled = (since >= 300_000_000) & (since < 600_000_000)
    for finished in run.record.rounds:
        file = finished.cells[0].samples_file
        waits = np.where(stalled, 600_000_000 - since, 0)
        run.samples[file] = replace(due, latency_ns=due.latency_ns + waits)
    cell = analysed(run).cells[0]
    # A third of the counted 0.9 s is stalled, so the 90th percentile is a wait of 210 ms.
    assert cell.latency_ms["p90"].value == pytest.approx(212, rel=0.02)
    closed = analysed(FakeRun(hello_plan(), {A: [2000.0] * 6})).cells[0]
    assert closed.schedule is None
    assert closed.latency_ms["p99"].value == pytest.approx(2.0, rel=0.02)


def test_the_halves_of_open_load_are_compared_by_latency() -> None:
    run = open_run()

    def slower_later(cell):
        samples = run.samples[cell.samples_file]
        factor = np.where(samples.slice >= 1, 1.3, 1.0)
        latency_ns = (samples.latency_ns * factor).astype(np.int64)
        run.samples[cell.samples_file] = replace(samples, latency_ns=latency_ns)
        return cell

    run.change(B, slower_later)
    reasons = {cell.stack: cell.reason for cell in analysed(run).cells}
    assert "settled: the second half of a round is 1.3" in reasons[B]


# --------------------------------------------------------------------- percentiles


@pytest.mark.parametrize("name", list(QUANTILES))
def test_percentiles_are_those_of_all_rounds_pooled(name: str) -> None:
    run = FakeRun(hello_plan(), {A: [1000.0] * 6})
    generator = np.random.default_rng(4)
    by_round = []
    for finished in run.record.rounds:
        cell = finished.cells[0]
        samples = run.samples[cell.samples_file]
        spread = generator.lognormal(0, 0.3, len(samples.latency_ns))
        latency_ns = (samples.latency_ns * spread).astype(np.int64)
        run.samples[cell.samples_file] = replace(samples, latency_ns=latency_ns)
        begin = np.array([piece.from_ns for piece in cell.slices])[samples.slice]
        end = np.array([piece.to_ns for piece in cell.slices])[samples.slice]
        inside = (samples.start_ns >= begin) & (samples.start_ns < end)
        by_round.append(latency_ns[inside])
    found = analysed(run).cells[0].latency_ms[name]
    if name == "p999":  # 3,500 samples
        assert math.isnan(found.value)
        return
    exact = np.quantile(np.concatenate(by_round), QUANTILES[name]) / 1e6
    assert found.value == pytest.approx(exact)
    assert found.low < found.value < found.high
    mean = np.mean([np.quantile(latency_ns, QUANTILES[name]) for latency_ns in by_round]) / 1e6
    assert name == "p50" or found.value != pytest.approx(mean, rel=1e-6)


def test_a_ratio_of_percentiles_uses_only_the_rounds_with_both_stacks() -> None:
    rates = {A: [1000.0] * 5 + [100.0], B: [2000.0] * 5}
    median = analysed(FakeRun(hello_plan(), rates)).comparisons[1]
    assert median.rounds == 5
    assert median.ratio == pytest.approx(0.5, rel=0.01)


# ----------------------------------------------------------------------- two loads


def at_two_loads(candidate: list[float]) -> FakeRun:
    """A run of hello with 4 and with 64 users; the second load has half the throughput."""
    run = FakeRun(hello_plan(users=(4, 64)), {A: [1000.0] * 6, B: candidate})
    slower = FakeRun(hello_plan(users=(64,)), {A: [500.0] * 6, B: [x / 2 for x in candidate]})
    heavy = {
        (cell.key, cell.round): cell for finished in slower.record.rounds for cell in finished.cells
    }
    run.samples |= slower.samples
    run.record = replace(
        run.record,
        rounds=tuple(
            replace(
                finished,
                cells=tuple(heavy.get((cell.key, cell.round), cell) for cell in finished.cells),
            )
            for finished in run.record.rounds
        ),
    )
    return run


def test_two_loads_of_a_scenario_are_two_cells_with_figures_of_their_own() -> None:
    analysis = analysed(at_two_loads([2000.0] * 6))
    assert {str(cell.key): round(cell.throughput_rps.value) for cell in analysis.cells} == {
        f"{A} in hello (closed-4)": 1000,
        f"{B} in hello (closed-4)": 2000,
        f"{A} in hello (closed-64)": 500,
        f"{B} in hello (closed-64)": 1000,
    }
    assert {cell.rounds for cell in analysis.cells} == {6}
    assert [str(c.block) for c in analysis.comparisons if c.metric == "throughput_rps"] == [
        "hello (closed-4)", "hello (closed-64)",
    ]  # fmt: skip


def test_a_further_load_does_not_weaken_the_answer_to_the_first() -> None:
    # The difference is significant, but would not be after a correction for two comparisons.
    candidate = [1000.0 * x for x in (1.02, 1.19, 1.08, 1.01, 1.17, 1.03)]
    first_load = throughput(analysed(FakeRun(hello_plan(), {A: [1000.0] * 6, B: candidate})))
    assert first_load.verdict is Verdict.FASTER
    analysis = analysed(at_two_loads(candidate))
    both = [c for c in analysis.comparisons if c.metric == "throughput_rps"]
    assert [c.family for c in both] == [Family.ANSWERS, Family.LOADS]
    assert both[0].verdict is Verdict.FASTER
    in_one_family = at_two_loads(candidate)
    plan = in_one_family.record.plan
    blocks = tuple(replace(block, family=Family.ANSWERS) for block in plan.blocks)
    in_one_family.record = replace(in_one_family.record, plan=replace(plan, blocks=blocks))
    assert throughput(analysed(in_one_family)).verdict is Verdict.INCONCLUSIVE
