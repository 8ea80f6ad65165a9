"""What the report says of stacks that their users limit, that pause, or whose slices are short."""

from dataclasses import replace

import pytest

from harness.models import Analysis, CellSummary, Estimate, Pauses, ShortSlices, Verdict
from harness.report.content import Output
from harness.report.view import View
from harness.report.words.limits import limits
from harness.store import summary_rows
from tests import analyses
from tests.report.reading import findings, folded, rows, section, shown

PAUSES = Pauses(19, 7945, 79.4, 107.7, 0.0876, recurring=True)


def with_cells(analysis: Analysis, stack: str, **values: object) -> Analysis:
    """The same with other values in the cells of a stack."""
    cells = [
        replace(cell, **values) if cell.stack == stack else cell  # type: ignore[arg-type]
        for cell in analysis.cells
    ]
    return replace(analysis, cells=tuple(cells))


def limited(analysis: Analysis, stack: str, share: float = 0.71) -> Analysis:
    return with_cells(analysis, stack, core_share=share, limited_by_users=True)


def hello() -> Analysis:
    return analyses.analysis(
        scenarios=["hello"], ratios={("hello", "fastapi-uvicorn"): (2.34, 2.27, 2.42)}
    )


def only_answer(analysis: Analysis) -> tuple[str, Verdict | None]:
    (finding,) = findings(analysis)
    return folded(finding.text), finding.verdict


def test_cpu_time_leads_where_the_users_limit_the_candidate() -> None:
    analysis = limited(hello(), "fastapi-uvicorn")
    cpu = next(made for made in analysis.comparisons if made.metric == "cpu_us_per_request")
    text, verdict = only_answer(analysis)
    assert verdict is cpu.verdict
    assert text.startswith("FastAPI used 0.42")
    assert text.endswith(
        "FastAPI is limited by the number of users: 16 users kept it 71 % busy. Requests per "
        "second: 4,080 against 1,740. Their ratio, 2.34 × (2.27 to 2.42), is a lower bound, and moves with the machine."
    )


def test_the_ratio_is_an_upper_bound_where_the_users_limit_the_baseline() -> None:
    text, _ = only_answer(limited(hello(), "flask-gthread"))
    assert "Flask is limited by the number of users" in text
    assert "is an upper bound" in text


def test_where_the_users_limit_both_the_ratio_is_no_bound() -> None:
    both = limited(limited(hello(), "flask-gthread", 0.6), "fastapi-uvicorn", 0.71)
    text, _ = only_answer(both)
    assert (
        "FastAPI and Flask are limited by the number of users: 16 users kept them 71 % and 60 % "
        "busy." in text
    )
    assert "bound" not in text


def test_threads_and_not_users_limit_a_stack_that_has_fewer_of_them() -> None:
    analysis = limited(hello(), "flask-gthread", 0.68)
    threads = replace(analysis.run.plan.stacks[0], options=("--threads", "8"))
    assert threads.label == "flask-gthread"
    plan = replace(analysis.run.plan, stacks=(threads, *analysis.run.plan.stacks[1:]))
    few = replace(analysis, run=replace(analysis.run, plan=plan))
    text, _ = only_answer(few)
    words = (
        "Flask is limited by its 8 threads, which are fewer than the 16 users, and was 68 % busy."
    )
    assert words in text
    # More users would not raise it, so that it is no bound.
    assert "2.34 × (2.27 to 2.42), holds for so many threads." in text
    assert "number of users" not in text
    assert "flask-gthread in hello (68 % busy with 16 users and 8 threads)" in folded(
        shown(few, 100)
    )
    each = replace(few, run=replace(few.run, plan=replace(plan, workers=2)))
    assert "limited by the number of users" in only_answer(each)[0]  # 16 threads for 16 users


def test_a_stack_that_keeps_its_users_waiting_is_not_limited_by_their_number() -> None:
    """16 users who get 64 replies a second wait 250 ms for each, of which the upstream takes 50 ms."""
    weather = analyses.analysis(
        scenarios=["weather"], ratios={("weather", "fastapi-uvicorn"): (2.34, 2.27, 2.42)}
    )
    users = weather.run.plan.blocks[0].load.users
    slow = with_cells(
        limited(weather, "fastapi-uvicorn"),
        "fastapi-uvicorn",
        throughput_rps=Estimate(users * 4, users * 3, users * 5),
    )
    text = next(
        folded(each.text) for each in findings(slow) if "neither its core" in folded(each.text)
    )
    assert (
        f"waits for something that is neither its core nor its users: {users} users kept it 71 % busy, and "
        "waited 250 ms for a reply, of which the other service took 50.0 ms." in text
    )
    assert "number of users" not in text


def test_throughput_leads_where_no_stack_is_limited() -> None:
    text, _ = only_answer(hello())
    assert "limited" not in text
    assert "2.34 × as many requests per second" in text


def test_an_invalid_pair_is_not_compared_by_cpu_time_either() -> None:
    analysis = analyses.analysis(
        scenarios=["hello"], invalid={("hello", "fastapi-uvicorn"): analyses.BROKEN}
    )
    text, verdict = only_answer(limited(analysis, "fastapi-uvicorn"))
    assert verdict is Verdict.INVALID
    assert "limited" not in text


def test_limited_candidates_are_told_apart_from_a_group() -> None:
    analysis = analyses.many_stacks(6)
    stack = analysis.cells[-1].stack
    texts = [
        folded(finding.text) for finding in findings(limited(analysis, stack)) if not finding.labels
    ]
    own = [text for text in texts if "limited by the number of users" in text]
    assert len(own) == 2  # one for each scenario
    assert not any(stack in text for text in texts if text not in own)


def test_comparisons_and_terminal_name_the_stacks_that_users_limit() -> None:
    analysis = limited(hello(), "fastapi-uvicorn")
    words = (
        "Limited by users or threads and not by a core, so that CPU time per request says more than "
        "requests per second: fastapi-uvicorn in hello (71 % busy with 16 users)."
    )
    notes = [str(block) for block in section(analysis, "comparisons").blocks]
    assert any(words in folded(note.replace("\\xa0", " ")) for note in notes)
    assert words in folded(shown(analysis, 100))
    assert "Limited by" not in shown(hello(), 100)


@pytest.mark.parametrize("output", [Output.PAGE, Output.MARKDOWN])
def test_every_measurement_says_how_busy_its_stack_was(output: Output) -> None:
    (flask, fastapi) = rows(limited(hello(), "fastapi-uvicorn"), "measurements", output)
    assert folded(fastapi["Busy"].text) == "71 %"
    assert flask["Busy"].text == "–"


def test_pauses_that_recur_are_counted_and_sized_in_the_answers() -> None:
    analysis = with_cells(hello(), "fastapi-uvicorn", pauses=PAUSES)
    *_, finding = findings(analysis)
    words = (
        "In hello, FastAPI stops all its users about every 420 requests, for 79.4 ms in the median "
        "and 108 ms at most: 8.8 % of its time."
    )
    assert folded(finding.text) == words
    assert words in folded(shown(analysis, 100))


def test_pauses_that_do_not_recur_stand_in_the_table_alone() -> None:
    rare = with_cells(hello(), "flask-gthread", pauses=replace(PAUSES, recurring=False))
    assert len(list(findings(rare))) == 1
    (row,) = rows(rare, "pauses")
    assert (row["Pauses"].value, row["Recurring"].text) == (19, "no")
    assert row["In 1,000 requests"].value == pytest.approx(2.391, abs=0.001)


def test_a_run_without_pauses_has_no_table_of_them() -> None:
    none = with_cells(hello(), "flask-gthread", pauses=replace(PAUSES, count=0))
    with pytest.raises(StopIteration):
        rows(none, "pauses")


def test_slices_that_are_short_beside_the_slowest_requests_are_named() -> None:
    short = with_cells(hello(), "flask-gthread", short_slices=ShortSlices(90.0, 42.9))
    words = folded(" ".join(limits(View(short))))
    assert "p99 and beyond may be too low: flask-gthread in hello (90.0 ms beside 42.9 ms)" in words
    assert "may be too low" not in " ".join(limits(View(hello())))


def test_the_summary_has_a_row_of_it_all() -> None:
    def row(cell: CellSummary) -> list[object]:
        (found,) = summary_rows(replace(hello(), cells=(cell,)))
        first = list(found).index("core_share")
        return list(found.values())[first : first + 5]

    cell = hello().cells[0]
    busy = replace(cell, core_share=0.71, limited_by_users=True, pauses=PAUSES)
    assert row(busy) == [0.71, True, pytest.approx(2.391, abs=0.001), 79.4, 107.7]
    nan = float("nan")
    calm = replace(cell, pauses=replace(PAUSES, count=0, p50_ms=nan, longest_ms=nan))
    assert row(calm) == [None, False, 0.0, None, None]
    assert row(cell) == [None, False, None, None, None]
