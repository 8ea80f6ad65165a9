from dataclasses import replace
from pathlib import Path

import pytest

from harness.models import Analysis, GateResult, Verdict
from harness.planning.files import STACKS_FILE
from harness.planning.stacks import load_stacks
from harness.report import formats
from harness.report.view import View
from harness.report.words.limits import unequal
from harness.report.words.method import method
from harness.report.words.notes import START_UP_NOTE
from tests import analyses
from tests.report.reading import Page, folded, rows

pytestmark = pytest.mark.busy


def test_every_role_is_in_the_table_of_resources(whole: Analysis, folder: Path, page: Page) -> None:
    of_hello = [row for row in rows(whole, "resources") if row["Scenario"].text == "hello"]
    assert [row["Process"].text for row in of_hello] == [
        "flask-gthread",
        "fastapi-uvicorn",
        "PostgreSQL",
        "upstream",
        "load process 1",
        "twinbench itself",
    ]
    flask, load = ([folded(cell.text) for cell in of_hello[place].values()] for place in (0, 4))
    assert flask == ["hello", "flask-gthread", "97 %", "68.4", "–", "41", "3.0 per request"]
    assert load[2] == "31 %"
    assert load[6] == "1,200 per s"
    markdown = folded((folder / "summary.md").read_text())
    for row in rows(whole, "resources"):
        texts = [folded(cell.text) for cell in row.values()]
        assert " ".join(texts[2:]) in page.text
        assert f"| {' | '.join(texts)} |" in markdown
    assert "at most 1.1 % of a core" in page.text


def test_start_up_is_told_with_its_spread_and_that_all_start_at_once(
    whole: Analysis, folder: Path, page: Page
) -> None:
    flask = rows(whole, "start-up times")[0]
    assert flask["Median"].value == pytest.approx(0.70)
    assert [folded(cell.text) for cell in flask.values()] == [
        "flask-gthread",
        "0.70 s",
        "0.63 to 0.77 s in 8 rounds",
    ]
    assert "side by side" in START_UP_NOTE
    assert START_UP_NOTE in page.text
    assert START_UP_NOTE in (folder / "summary.md").read_text()


def test_every_gate_is_listed_with_its_bound_and_how_many_passed() -> None:
    passed = "Measurements that passed"
    asked = {row["Gate"].text: row for row in rows(analyses.with_invalid_cell(), "gates")}
    assert asked["errors"][passed].verdict_text == "13 of 14"
    assert asked["errors"][passed].verdict is Verdict.INVALID
    assert asked["Little's law"][passed].text == "14 of 14"
    assert asked["Little's law"][passed].verdict is None
    analysis = analyses.open_load()
    opened = {row["Gate"].text: row for row in rows(analysis, "gates")}
    (bound,) = {
        gate.bound for cell in analysis.cells for gate in cell.gates if gate.gate == "schedule lag"
    }
    assert opened["schedule lag"]["Bound"].text == formats.clean(bound)
    assert "Little's law" not in opened


def test_bounds_that_depend_on_the_cell_are_told_from_the_smallest_to_the_largest() -> None:
    analysis = analyses.open_load(scenarios=["hello", "weather"])
    cells = tuple(
        replace(cell, gates=(GateResult("schedule lag", True, "0.2 ms", f"at most {ms} ms"),))
        for cell, ms in zip(
            analysis.cells, ["1.00", "12.50", "2.10", "1.00", "3", "4"], strict=True
        )
    )
    (row,) = rows(replace(analysis, cells=cells), "gates")
    assert row["Bound"].text == "at most 1.00 ms to 12.50 ms"


def test_two_bounds_are_told_in_their_order_whichever_cell_comes_first() -> None:
    analysis = analyses.open_load(scenarios=["hello"])
    first, *_ = analysis.cells
    cells = tuple(
        replace(first, gates=(GateResult("steal time", True, "2%", f"at most {share}%"),))
        for share in (16, 15, 16)
    )
    (row,) = rows(replace(analysis, cells=cells), "gates")
    assert row["Bound"].text == formats.clean("at most 15% or at most 16%")


def test_servers_are_called_unequal_only_where_both_ran(whole: Analysis) -> None:
    assert any("parses HTTP in C" in note for note in unequal(View(whole)))
    assert unequal(View(analyses.against_itself())) == ()


@pytest.mark.parametrize(
    ("one", "other", "said"),
    [
        ("flask-gthread", "flask-granian", "granian parses HTTP in Rust, gunicorn in Python"),
        ("fastapi-uvicorn", "fastapi-granian", "uvicorn on the application's event loop"),
        # Uvicorn's own worker under gunicorn, and a uvicorn that parses in Python.
        ("fastapi-uvicorn", "fastapi-gunicorn-uvicorn", ""),
        ("flask-gthread", "fastapi-pure-python", ""),
    ],
)
def test_what_is_said_of_servers_is_true_of_the_stacks(
    whole: Analysis, one: str, other: str, said: str
) -> None:
    stacks = load_stacks(STACKS_FILE)
    blocks = tuple(replace(block, stacks=(one, other)) for block in whole.run.plan.blocks)
    plan = replace(whole.run.plan, stacks=(stacks[one], stacks[other]), blocks=blocks)
    run = replace(whole.run, plan=plan)
    notes = unequal(View(replace(whole, run=run)))
    assert any(said in note for note in notes) if said else notes == ()


def test_method_tells_seed_cores_and_time(whole: Analysis) -> None:
    words = " ".join(method(View(whole))).replace(formats.NBSP, " ")
    assert str(whole.run.plan.seed) in words
    assert "servers on core 0; load, PostgreSQL and upstream on core 1" in words
    assert "slices of 0.1 to 1 s" in words
    seconds = 8 * sum(cell.seconds_per_round for cell in whole.run.plan.blocks)
    assert formats.duration(seconds).replace(formats.NBSP, " ") in words
