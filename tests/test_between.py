"""What changed from one run to another, and what can't be compared."""

import csv
import json
import math
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from rich.console import Console

from harness import report, store
from harness.analysis import stats
from harness.analysis.between import compare_runs
from harness.cli.list import runs_lines
from harness.cli.main import cli
from harness.errors import BadInput, UnknownName
from harness.models import (
    Analysis,
    Change,
    Comparison,
    Estimate,
    Moved,
    RunsCompared,
    Verdict,
)
from harness.planning.files import PROJECT
from tests import analyses
from tests.report.test_capacity import FAILED, FASTAPI, FLASK, searched

REFERENCE = PROJECT / "results" / "reference-bench"
SCENARIO, BASELINE, CANDIDATE = "hello", "flask-gthread", "fastapi-uvicorn"
MACHINE = {"machine": "0123456789ab", "python": "CPython 3.11.7", "packages": {"Flask": "3.1.3"}}
Rng = np.random.Generator


def run(
    name: str = "one",
    *,
    ratio: tuple[float, float, float] = (2.0, 1.96, 2.04),
    environment: dict[str, object] = MACHINE,
    **settings: object,
) -> Analysis:
    """A run of hello whose headline ratio is given."""
    made = analyses.analysis(
        scenarios=[SCENARIO],
        ratios={(SCENARIO, CANDIDATE): ratio},
        **settings,  # type: ignore[arg-type]
    )
    return replace(made, run=replace(made.run, run_id=name, environment=environment))


def compared(*runs: Analysis, same_within: float = 0.03) -> RunsCompared:
    return compare_runs([(made.run.run_id, made) for made in runs], same_within)


def headline(of: RunsCompared) -> Moved:
    (found,) = of.headlines
    return found


# -------------------------------------------------------------------------- statistics


@pytest.mark.parametrize("counts", [(5, 5), (8, 19), (2, 30)])
def test_a_quotient_has_the_interval_and_the_p_value_of_welchs_test(
    counts: tuple[int, int],
) -> None:
    generator = np.random.default_rng(3)
    later = generator.normal(0.05, 0.02, counts[0])
    earlier = generator.normal(0.0, 0.06, counts[1])
    from scipy import stats as scipy_stats  # takes seconds, and every test process reads this file

    welch = scipy_stats.ttest_ind(later, earlier, equal_var=False)
    limits = welch.confidence_interval(0.95)
    found = stats.quotient(
        stats.log_mean(np.exp(later).tolist()), stats.log_mean(np.exp(earlier).tolist()), counts
    )
    assert found.p_value == pytest.approx(welch.pvalue)
    assert found.estimate.low == pytest.approx(math.exp(limits.low))
    assert found.estimate.high == pytest.approx(math.exp(limits.high))


def test_the_lower_limit_follows_from_the_lower_of_the_one_and_the_upper_of_the_other() -> None:
    exact = Estimate(1.0, 1.0, 1.0)
    skewed = Estimate(1.0, 0.9, 2.0)
    above, below = (
        stats.quotient(later, earlier, (8, 8)).estimate
        for later, earlier in ((skewed, exact), (exact, skewed))
    )
    assert (above.low, above.high) == pytest.approx((0.9, 2.0))
    assert (below.low, below.high) == pytest.approx((1 / 2.0, 1 / 0.9))


def test_each_interval_counts_with_the_rounds_of_its_own_run() -> None:
    few, many = (2.0, 1.8, 2.0 / 0.9), (2.0, 1.98, 2.0 / 0.99)
    moved = headline(compared(run(ratio=few, rounds=5), run("two", ratio=many, rounds=30)))
    assert (moved.rounds, moved.rounds_of_each) == (5, (30, 5))
    expected = stats.quotient(Estimate(*many), Estimate(*few), (30, 5)).estimate
    assert (moved.quotient.low, moved.quotient.high) == pytest.approx((expected.low, expected.high))
    # With its few rounds, the width is nearly all that of the first run.
    assert moved.quotient.high == pytest.approx(1 / 0.9, rel=0.01)


def test_a_quotient_without_an_interval_is_no_evidence() -> None:
    alone = Estimate(2.0, math.nan, math.nan)
    found = stats.quotient(alone, Estimate(1.0, 0.9, 1.1), (1, 8))
    assert found.estimate.value == 2.0
    assert math.isnan(found.estimate.low)
    assert found.p_value == 1.0
    assert math.isnan(stats.quotient(Estimate(0, 0, 0), alone, (8, 8)).estimate.value)


SCENARIOS = tuple(analyses.SCENARIOS)
WHOLE = analyses.analysis(scenarios=SCENARIOS)
#: Headlines alone, because there are hundreds of runs.
TEMPLATE = replace(
    WHOLE,
    comparisons=tuple(made for made in WHOLE.comparisons if made.metric == "throughput_rps"),
)


def drawn(name: str, generator: Rng, factor: float = 1.0) -> Analysis:
    """A run whose ratios are estimated from rounds; the true ones are the same in every run.

    In hello the ratio is `factor` × as large.
    """
    rounds = int(generator.integers(5, 20))

    def estimated(made: Comparison) -> Comparison:
        level = math.log(0.7 * (factor if made.scenario == "hello" else 1.0))
        found = stats.log_mean(np.exp(generator.normal(level, 0.04, rounds)).tolist())
        return replace(made, ratio=found.value, ci_low=found.low, ci_high=found.high, rounds=rounds)

    return replace(
        TEMPLATE,
        run=replace(TEMPLATE.run, run_id=name),
        comparisons=tuple(map(estimated, TEMPLATE.comparisons)),
    )


def test_runs_in_which_nothing_changed_name_a_change_in_5_percent_of_cases_at_most() -> None:
    generator = np.random.default_rng(11)
    pairs = [(drawn("one", generator), drawn("two", generator)) for _ in range(300)]
    # Any difference would matter, so that the band does not help.
    found = [compared(*pair, same_within=0.0001) for pair in pairs]
    false_alarms = sum(each.changed for each in found) / len(found)
    assert false_alarms <= 0.08  # 5 %, and two standard errors of 300 cases
    # Without a correction, eight ratios would name one far more often.
    alone = [
        any(moved.quotient.low > 1 or moved.quotient.high < 1 for moved in each.headlines)
        for each in found
    ]
    assert sum(alone) / len(alone) > 0.2


def test_a_true_change_is_found_and_named_where_it_is() -> None:
    generator = np.random.default_rng(12)
    found = [compared(drawn("one", generator), drawn("two", generator, 1.15)) for _ in range(100)]
    ups = [
        [moved.block.scenario for moved in each.headlines if moved.change is Change.UP]
        for each in found
    ]
    assert sum("hello" in names for names in ups) >= 90
    assert sum(names == ["hello"] for names in ups) >= 85


# ---------------------------------------------------------------------------- verdicts


@pytest.mark.parametrize(
    ("later", "change"),
    [
        ((2.4, 2.35, 2.45), Change.UP),
        ((1.6, 1.56, 1.64), Change.DOWN),
        ((2.0, 1.99, 2.01), Change.SAME),
        ((2.1, 1.7, 2.6), Change.INCONCLUSIVE),
    ],
)
def test_the_verdict_follows_from_both_intervals(
    later: tuple[float, float, float], change: Change
) -> None:
    found = compared(run(ratio=(2.0, 1.99, 2.01)), run("two", ratio=later))
    assert headline(found).change is change
    assert found.changed is (change in (Change.UP, Change.DOWN))
    assert found.comparable


def test_a_change_needs_both_intervals_to_be_narrow() -> None:
    wide = run(ratio=(2.0, 1.6, 2.5))
    assert headline(compared(wide, run("two", ratio=(2.4, 2.35, 2.45)))).change is (
        Change.INCONCLUSIVE
    )


def test_fewer_than_five_rounds_give_no_verdict() -> None:
    found = compared(run(rounds=4), run("two", ratio=(3.0, 2.9, 3.1), rounds=4))
    assert headline(found).change is Change.INCONCLUSIVE
    assert headline(found).rounds == 4


def test_a_run_beside_itself_has_nothing_to_compare_and_no_change() -> None:
    made = run()
    found = compared(made, made)
    assert {moved.change for moved in (*found.ratios, *found.figures)} == {Change.SAME}
    assert found.comparable
    assert not found.changed
    assert "B is the same run as A, so nothing can differ between them." in text(found)


def test_parts_of_the_same_run_are_not_compared_because_they_share_rounds() -> None:
    found = compared(run(), run(rounds=6))
    assert not found.comparable
    assert headline(found).reason == "both are the run one, and share rounds"


def test_the_later_runs_of_a_history_are_compared_with_the_first() -> None:
    found = compared(run(), run("two"), run("three", ratio=(2.4, 2.35, 2.45)))
    assert [(moved.before, moved.after, moved.changed) for moved in found.headlines] == [
        ("A", "B", False),
        ("A", "C", True),
    ]


# -------------------------------------------------------------- what can't be compared


def with_stack(made: Analysis, **changes: object) -> Analysis:
    stacks = tuple(
        replace(stack, **changes) if stack.label == CANDIDATE else stack  # type: ignore[arg-type]
        for stack in made.run.plan.stacks
    )
    return replace(made, run=replace(made.run, plan=replace(made.run.plan, stacks=stacks)))


CANT: dict[str, tuple[Callable[[], tuple[Analysis, Analysis]], str]] = {
    "scenario": (
        lambda: (analyses.analysis(scenarios=["weather"]), run("two")),
        "A did not measure hello",
    ),
    "load": (
        lambda: (run(), run("two", users=64)),
        "another load: B measured hello under closed-64",
    ),
    "stack": (
        lambda: (run(), run("two", figures={"hello": {BASELINE: (1e3, 8.9, 561, 68.4)}})),
        "B did not measure fastapi-uvicorn in hello (closed-16)",
    ),
    "settings": (
        lambda: (run(), with_stack(run("two"), options=("--backlog", "9"))),
        "fastapi-uvicorn has other settings: options none → --backlog 9",
    ),
    "workers": (
        lambda: (run(), with_stack(run("two"), workers="4")),
        "fastapi-uvicorn has other settings: worker processes 1 → 4",
    ),
    "method": (
        lambda: (replace(run(), run=replace(run().run, schema=3)), run("two")),
        "another method: slices counted seconds in A (schema 3) and requests in B (schema 4)",
    ),
    "validity": (
        lambda: (run(), run("two", invalid={(SCENARIO, CANDIDATE): analyses.BROKEN})),
        "B: invalid (fastapi-uvicorn: errors: 2.1 % of replies were wrong (at most 0.1 %))",
    ),
}


@pytest.mark.parametrize("why", CANT)
def test_what_is_not_the_same_is_not_compared_and_the_reason_is_said(why: str) -> None:
    make, reason = CANT[why]
    found = compared(*make())
    moved = next(each for each in found.headlines if each.block.scenario == "hello")
    assert moved.change is Change.NOT_COMPARABLE
    assert moved.reason == reason
    assert math.isnan(moved.quotient.value)
    assert not found.comparable
    assert not found.changed
    assert reason in text(found, width=240)


def test_another_latency_of_the_upstream_is_another_question() -> None:
    one = analyses.analysis(scenarios=["weather"])
    needs = tuple(
        replace(block, scenario=replace(block.scenario, needs=("upstream",)))
        for block in one.run.plan.blocks
    )
    plan = replace(one.run.plan, blocks=needs)
    slow = replace(plan, upstream_latency="constant:200")
    found = compared(
        *(
            replace(one, run=replace(one.run, run_id=made.upstream_latency, plan=made))
            for made in (plan, slow)
        )
    )
    reasons = {moved.reason for moved in found.headlines}
    assert reasons == {
        f"the upstream took {plan.upstream_latency} ms in A and constant:200 ms in B"
    }


def test_a_p99_of_too_few_samples_in_one_run_is_not_compared() -> None:
    later = run("two")
    kept = tuple(made for made in later.comparisons if made.metric != "latency_p99_ms")
    found = compared(run(), replace(later, comparisons=kept))
    (p99,) = (moved for moved in found.ratios if moved.metric == "latency_p99_ms")
    assert p99.reason == "B: there is no figure: too few samples or rounds"
    assert p99.is_secondary
    assert found.comparable  # which the headline decides


def test_latency_of_a_stack_that_could_not_keep_up_is_not_compared() -> None:
    late = analyses.overloaded(analyses.open_load(scenarios=[SCENARIO]), CANDIDATE)
    late = replace(
        late,
        run=replace(late.run, run_id="two"),
        comparisons=tuple(
            replace(made, verdict=Verdict.OVERLOADED)
            if made.metric.startswith("latency_")
            else made
            for made in late.comparisons
        ),
    )
    found = compared(analyses.open_load(scenarios=[SCENARIO]), late)
    assert headline(found).reason == "B: fastapi-uvicorn could not keep up with the rate"


def test_capacities_are_compared_by_their_ratio_and_by_themselves() -> None:
    load = searched(FLASK).run.plan.blocks[0].load.label
    base, candidate, failed = (replace(each, load=load) for each in (FLASK, FASTAPI, FAILED))
    one = searched(base, candidate)
    faster = replace(candidate, ratio=Estimate(3.0, 2.9, 3.1), rate_rps=Estimate(7e3, 6.9e3, 7.1e3))
    two = searched(base, faster)
    one, two = (
        replace(made, run=replace(made.run, run_id=name, environment=MACHINE))
        for name, made in (("one", one), ("two", two))
    )
    found = compared(one, two)
    assert (headline(found).metric, headline(found).change) == ("capacity_rps", Change.UP)
    assert [moved.change for moved in found.figures] == [Change.INCONCLUSIVE, Change.UP]
    none = replace(two, capacities=(base, failed))
    assert headline(compared(one, none)).reason == (
        "B: the promise fails at the lowest rate that can be tested"
    )


def test_a_stacks_own_figures_are_judged_on_the_same_machine_only() -> None:
    other = {**MACHINE, "machine": "ba9876543210"}
    here = compared(run(), run("two"))
    assert {moved.change for moved in here.figures} != {Change.NOT_COMPARABLE}
    assert "depend on how fast the machine was at that time" in text(here)
    for away in (other, {}):
        found = compared(run(), run("two", environment=away))
        assert {moved.change for moved in found.figures} == {Change.NOT_COMPARABLE}
        assert headline(found).change is not Change.NOT_COMPARABLE  # ratios are, all the same
        assert "depend on how fast" not in text(found)
    assert "B took place on another machine than A." in text(
        compared(run(), run("two", environment=other))
    )
    assert "It is not recorded whether B took place on the same machine as A." in text(
        compared(run(), run("two", environment={}))
    )


def test_stacks_that_all_moved_alike_point_to_the_machine() -> None:
    made = run()
    slower = replace(
        made,
        run=replace(made.run, run_id="two"),
        cells=tuple(
            replace(
                cell,
                throughput_rps=Estimate(
                    *(
                        0.8 * end
                        for end in (
                            cell.throughput_rps.value,
                            cell.throughput_rps.low,
                            cell.throughput_rps.high,
                        )
                    )
                ),
            )
            for cell in made.cells
        ),
    )
    found = compared(made, slower)
    moved = found.together["B"]
    assert (moved.value, moved.low, moved.high) == pytest.approx((0.8, 0.8, 0.8))
    assert headline(found).change is not Change.DOWN
    assert "All moved the same way, which points to the machine." in text(found)


# ------------------------------------------------------------------------- differences


def test_what_differs_between_the_runs_comes_first_and_names_versions() -> None:
    after = {
        **MACHINE,
        "python": "CPython 3.13.1",
        "kernel": "6.18",
        "packages": {"flask": "3.2.0", "ruff": "1.0"},
    }
    found = compared(run(), run("two", environment=after))
    assert [(each.what, each.values, each.is_minor) for each in found.differences] == [
        ("Python", ("CPython 3.11.7", "CPython 3.13.1"), False),
        ("flask", ("3.1.3", "3.2.0"), False),
        ("kernel", ("", "6.18"), False),
        ("ruff", ("", "1.0"), True),
    ]
    shown = text(found)
    assert shown.index("CPython 3.13.1") < shown.index("÷ A")
    assert not compared(run(), run("two")).differences


def test_runs_of_which_one_let_users_get_out_of_step_are_told_apart() -> None:
    later = run("two")
    blocks = tuple(replace(block, settle_s=0.2) for block in later.run.plan.blocks)
    later = replace(later, run=replace(later.run, plan=replace(later.run.plan, blocks=blocks)))
    (found,) = compared(run(), later).differences
    assert found.what.startswith("uncounted beginning of slices of ")
    assert found.values == ("0.01 s", "0.2 s")


def test_another_version_of_twinbench_points_to_the_changelog() -> None:
    hint = "lines of its changelog that begin with Results"
    commits = [run(name, environment={**MACHINE, "git_commit": name}) for name in ("one", "two")]
    assert hint in text(compared(*commits))
    assert hint not in text(compared(run(), run("two")))


# ------------------------------------------------------------------------------ report


def text(of: RunsCompared, width: int = 120) -> str:
    console = Console(width=width, force_terminal=False, file=None)
    with console.capture() as captured:
        console.print(report.between_terminal(of))
    lines = captured.get().splitlines()
    assert max(map(len, lines)) <= width
    return " ".join(captured.get().replace("\u00a0", " ").split())


@pytest.mark.parametrize("count", [2, 3])
def test_the_tables_fit_a_narrow_terminal(count: int) -> None:
    runs = [
        replace(
            analyses.analysis(seed=seed),
            run=replace(analyses.analysis().run, run_id=f"run-{seed}", environment=MACHINE),
        )
        for seed in range(count)
    ]
    shown = text(compared(*runs), width=80)
    assert "users-validate" in shown


def test_the_page_shows_every_metric_and_the_chart_every_headline() -> None:
    of = compared(run(), run("two"), run("three", ratio=(2.4, 2.35, 2.45)))
    files = report.render_between(of)
    assert set(files) == {
        "index.html", "summary.md", "charts/between.svg", "charts/between.png",
    }  # fmt: skip
    page = files["index.html"].decode()
    assert "CPU time per request" in page
    chart = files["charts/between.svg"].decode()
    assert "hello (closed-16): fastapi-uvicorn ÷ flask-gthread 2.00" in chart  # in other words
    assert "C ÷ A 1.20" in chart


def test_runs_that_have_nothing_in_common_still_have_a_report() -> None:
    files = report.render_between(compared(analyses.analysis(scenarios=["weather"]), run("two")))
    assert "There is nothing that can be compared" not in files["summary.md"].decode()
    assert "A did not measure hello" in files["summary.md"].decode()


# ------------------------------------------------------------------------ command line


def invoke(*arguments: str) -> tuple[int, str]:
    done = CliRunner().invoke(cli, ["compare", *arguments])
    if isinstance(done.exception, BadInput):
        return done.exception.exit_code, str(done.exception)
    return done.exit_code, done.output


def test_a_measured_run_beside_itself_has_not_changed() -> None:
    code, output = invoke(str(REFERENCE), str(REFERENCE), "--json")
    answer = json.loads(output)
    assert code == 0
    assert answer["comparable"] is True
    assert answer["changed"] is False
    assert {row["change"] for row in answer["ratios"]} == {"same"}
    assert answer["differences"] == []
    assert answer["report"] is None


def test_the_exit_code_is_1_where_a_headline_changed_or_can_not_be_compared(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    made = {"a": run(), "b": run("two"), "c": run("three", ratio=(3.0, 2.9, 3.1))}
    made["d"] = run("four", users=64)
    monkeypatch.setattr("harness.cli.compare._find", lambda _out, name: Path(name))
    monkeypatch.setattr("harness.cli.compare._analysed", lambda folder: made[folder.name])
    assert [invoke("a", name)[0] for name in "bcd"] == [0, 1, 1]
    code, output = invoke("a", "c", "--json", "--report", str(tmp_path / "new"))
    assert code == 1
    assert json.loads(output)["report"] == str(tmp_path / "new" / "index.html")
    assert (tmp_path / "new" / "charts" / "between.svg").is_file()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The files of a measured run that say what it was, without what it measured."""
    copy = tmp_path / "cut"
    copy.mkdir()
    for name in ("run.json", "journal.jsonl", "summary.csv", "comparisons.csv"):
        shutil.copy(REFERENCE / name, copy / name)
    return copy


def change_run(folder: Path, **changes: object) -> None:
    value = json.loads((folder / "run.json").read_text())
    (folder / "run.json").write_text(json.dumps({**value, **changes}))


def test_wrong_input_is_one_line_that_says_what_to_do(folder: Path) -> None:
    for names in ([], [str(folder)]):
        code, message = invoke(*names)
        assert code == 2
        assert f"compare takes 2 to 26 runs, and {len(names)} were named" in message
    code, message = invoke(str(folder), "cat", "--out", str(folder.parent))
    assert (code, message) == (2, "unknown run 'cat': did you mean cut?")
    change_run(folder, ended=None)
    code, message = invoke(str(folder), str(REFERENCE))
    assert code == 2
    assert "was cut off before its end: 'twinbench run --resume" in message
    change_run(folder, schema=1)
    code, message = invoke(str(folder), str(REFERENCE))
    assert code == 2
    assert "has schema 1, this version reads 2 to 6" in message
    held = folder.parent / "held"
    held.mkdir()
    (held / "connections.json").write_text("{}")
    code, message = invoke(str(held), str(REFERENCE))
    assert code == 2
    assert "holds connections" in message
    assert invoke(str(REFERENCE), str(REFERENCE), "--same", "-3%")[0] == 2


# ------------------------------------------------------------------------ list of runs


def test_a_list_of_runs_says_when_what_and_what_came_out(folder: Path) -> None:
    (seen,) = store.runs_at_a_glance(folder.parent)
    assert (seen.name, seen.kind, seen.profile) == ("cut", "run", "quick")
    recorded = json.loads((folder / "run.json").read_text())
    assert seen.started == recorded["started"]
    assert seen.scenarios[0] == "hello"
    assert len(seen.scenarios) == 6
    with (folder / "summary.csv").open() as file:
        assert seen.rounds == max(int(row["rounds"]) for row in csv.DictReader(file))
    assert seen.cells == seen.valid_cells > 10
    with (folder / "comparisons.csv").open() as file:
        first = next(csv.DictReader(file))
    ratio = f"{float(first['ratio']):.2f} × {first['verdict']}"
    assert seen.headline == f"hello: fastapi-uvicorn ÷ flask-gthread {ratio}"
    assert seen.problem == ""


def test_endpoints_are_parts_of_a_cell_and_not_counted(folder: Path) -> None:
    (before,) = store.runs_at_a_glance(folder.parent)
    summary = folder / "summary.csv"
    part = summary.read_text().splitlines()[1].replace("true", "false") + "GET /hello\n"
    summary.write_text(summary.read_text() + part)
    (after,) = store.runs_at_a_glance(folder.parent)
    assert (after.cells, after.valid_cells) == (before.cells, before.valid_cells)


def test_invalid_cells_and_runs_that_were_cut_off_show(folder: Path) -> None:
    summary = folder / "summary.csv"
    summary.write_text(summary.read_text().replace("true", "false", 1))
    change_run(folder, ended=None)
    (seen,) = store.runs_at_a_glance(folder.parent)
    assert seen.valid_cells == seen.cells - 1
    assert seen.problem == "cut off"
    summary.unlink()
    (seen,) = store.runs_at_a_glance(folder.parent)
    assert seen.cells == 0


@pytest.mark.parametrize("content", ["{", "[]", "{}", '{"plan": {"profile": "x"}}', '{"plan": 1}'])
def test_a_run_that_can_not_be_read_is_listed_with_the_reason(folder: Path, content: str) -> None:
    (folder / "run.json").write_text(content)
    (seen,) = store.runs_at_a_glance(folder.parent)
    assert seen.problem.startswith("can't be read: ")
    assert "cut" in next(line for line in runs_lines([seen]) if "can't" in line)


def test_folders_of_connections_are_listed_as_their_kind(folder: Path) -> None:
    held = folder.parent / "connections" / "20260101-000000-smoke"
    held.mkdir(parents=True)
    value = {
        "plan": {"profile": "smoke", "rounds": 2, "held": ["idle"]},
        "started": "2026-01-01T00:00:00+00:00",
        "ended": "2026-01-01T00:01:00+00:00",
    }
    (held / "connections.json").write_text(json.dumps(value))
    seen = store.runs_at_a_glance(folder.parent)[-1]
    assert (seen.name, seen.kind) == ("connections/20260101-000000-smoke", "connections")
    assert (seen.profile, seen.rounds, seen.scenarios) == ("smoke", 2, ("idle",))


def test_the_list_of_runs_reads_neither_samples_nor_the_journal(folder: Path) -> None:
    (folder / "journal.jsonl").unlink()  # and there are no samples
    done = CliRunner().invoke(cli, ["list", "runs", "--json", "--out", str(folder.parent)])
    (row,) = json.loads(done.output)["runs"]
    assert (row["name"], row["valid_cells"]) == ("cut", row["cells"])
    lines = CliRunner().invoke(cli, ["list", "runs", "--out", str(folder.parent)]).output
    started = json.loads((folder / "run.json").read_text())["started"]
    assert started[:16].replace("T", " ") in lines
    assert "hello, users-validate and 4 more" in lines


def test_no_runs_are_no_error(tmp_path: Path) -> None:
    done = CliRunner().invoke(cli, ["list", "runs", "--out", str(tmp_path / "none")])
    assert done.exit_code == 0
    assert "no runs in" in done.output
    with pytest.raises(UnknownName):
        store.find_run(tmp_path, "none")
