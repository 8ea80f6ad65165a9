"""Claims and published figures in a report: what the run can say, and what needs other runs."""

from __future__ import annotations

import csv
from dataclasses import replace
from pathlib import Path

import pytest

from harness import report, store
from harness.analysis.claims import Evidence, judge
from harness.analysis.published import beside
from harness.models import Analysis, ClaimVerdict
from harness.planning.claims import load_claims
from harness.planning.published import load_published
from harness.report.content import Table
from harness.report.sections import claims, published
from harness.report.view import View
from harness.report.words.claims import counted, lines
from tests import analyses
from tests.report.reading import Page, folded, shown, write

pytestmark = pytest.mark.busy

LEDGER, PUBLISHED = load_claims(), load_published()


def judged(run: Analysis) -> Analysis:
    """As the commands make it from a run."""
    return replace(
        run,
        claims=judge(LEDGER, [Evidence(run, "this-run")]),
        published=beside(PUBLISHED, run),
    )


@pytest.fixture(scope="module")
def common() -> Analysis:
    return judged(
        analyses.analysis(
            scenarios=["hello", "cpu-python", "users-lookup"],
            ladder=["users-lookup"],
            ratios={
                ("hello", "fastapi-uvicorn"): (2.5, 2.4, 2.6),
                ("cpu-python", "fastapi-uvicorn"): (0.5, 0.4, 0.6),
            },
            invalid={("users-lookup", "fastapi-uvicorn-freeze"): analyses.BROKEN},
        )
    )


@pytest.fixture(scope="module")
def folder(common: Analysis, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("claims") / "report"
    write(common, folder)
    return folder


def table_of(section: object, name: str) -> Table:
    blocks = section.blocks  # type: ignore[attr-defined]
    return next(block for block in blocks if isinstance(block, Table) and block.name == name)


def test_only_claims_that_the_run_says_something_about_have_rows(common: Analysis) -> None:
    rows = table_of(claims.claims(View(common)), "claims").rows
    told = [row.cells[0].text for row in rows if row.cells[0].text]
    by_id = {each.claim.id: each.claim.claim for each in common.claims}
    assert told == [by_id["cpu-no-advantage"], by_id["collector-pauses"]]
    # A claim with three tests has three rows, two of which are not measured and say how.
    assert [row.cells[1].text for row in rows] == ["✗ does not hold", "", "", "? inconclusive"]
    assert rows[0].cells[3].text.replace("\u00a0", " ") == "0.50 × [0.40, 0.60]"
    assert rows[1].cells[2].aside == ("not measured: twinbench run cpu-python cpu-native predict",)
    assert rows[3].cells[2].aside[0].startswith("fastapi-uvicorn-freeze is invalid: errors")


def test_a_figure_leads_to_its_chart(common: Analysis, folder: Path) -> None:
    rows = table_of(claims.claims(View(common)), "claims").rows
    assert [row.cells[2].link for row in rows] == ["ratios", "", "", "waterfall"]
    page = Page((folder / "index.html").read_text())
    ids = {attributes.get("id") for _, attributes in page.elements}
    targets = [
        a["href"][1:] for tag, a in page.elements if tag == "a" and (a["href"] or "")[0] == "#"
    ]
    assert {"ratios", "waterfall"} <= set(targets) <= ids


def test_the_documents_and_the_terminal_say_how_many_hold(common: Analysis, folder: Path) -> None:
    assert counted(common.claims) == "1 does not hold, 1 is inconclusive"
    text = (folder / "summary.md").read_text().replace("\u00a0", " ")
    assert "## Claims put to the test" in text
    assert f"{len(LEDGER) - 2} more claims need other runs: `twinbench list claims`" in text
    in_terminal = folded(shown(common, 100))
    assert (
        "Claims: 1 does not hold, 1 is inconclusive. 'twinbench list claims' shows" in in_terminal
    )
    assert "at least" not in in_terminal


def test_a_run_without_anything_about_claims_has_no_such_section(folder: Path) -> None:
    run = judged(analyses.analysis(scenarios=["weather"], users=3))
    assert claims.claims(View(run)) is None
    assert published.published(View(run)) is None
    assert claims.claims(View(analyses.analysis(scenarios=["hello"]))) is None


def test_a_sweep_has_its_claims_too() -> None:
    run = judged(analyses.swept())
    rows = table_of(claims.claims(View(run)), "claims").rows
    assert {row.cells[2].link for row in rows} == {"curves"}


def test_the_table_has_a_row_for_every_test(common: Analysis, tmp_path: Path) -> None:
    store.write_tables(tmp_path, common)
    with (tmp_path / "claims.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert tuple(rows[0]) == store.CLAIM_COLUMNS
    assert len(rows) == sum(len(claim.tests) for claim in LEDGER)
    (cpu,) = [row for row in rows if row["scenario"] == "cpu-python"]
    assert (cpu["verdict"], cpu["test_verdict"]) == ("does not hold", "does not hold")
    assert (cpu["figure"], cpu["ci_low"], cpu["at_least"], cpu["run"]) == (
        "0.5",
        "0.4",
        "0.9",
        "this-run",
    )
    absent = next(row for row in rows if row["test_verdict"] == ClaimVerdict.NOT_MEASURED)
    assert absent["figure"] == ""
    assert store.analysis_as_json(common)["claims"][0]["id"] == LEDGER[0].id
    assert "claims" not in store.analysis_as_json(analyses.analysis(scenarios=["hello"]))


def test_the_ledger_in_a_terminal_names_each_command_once(common: Analysis) -> None:
    text = "\n".join(lines(common.claims)).replace("\u00a0", " ")
    cpu = text[text.index("cpu-no-advantage") : text.index("wsgi-threads-tie-up")]
    assert cpu.count("run: twinbench run cpu-python cpu-native predict") == 1
    assert "fastapi-uvicorn ÷ flask-gthread: 0.50 × [0.40, 0.60] (0.9 to 1.1); this-run" in cpu
    assert report.claims_lines is lines


# -------------------------------------------------------------------- published figures


def test_published_figures_stand_beside_the_nearest_ratio(common: Analysis) -> None:
    assert common.published is not None
    rows = table_of(published.published(View(common)), "published figures").rows
    first = [cell.text.replace("\u00a0", " ") for cell in rows[0].cells]
    assert first[:7] == [
        "MDA2AV/HttpArena, site data of 2026", "baseline, 512 connections", "115,000", "301,000",
        "2.61 ×", "hello: fastapi-uvicorn ÷ flask-gthread", "2.50 ×",
    ]  # fmt: skip
    assert rows[0].cells[6].detail.replace("\u00a0", " ") == "[2.40, 2.60]"
    assert "one worker process" in first[7]
    # The scenarios crud-mix, weather and dashboard are not in the run, and two figures have no pendant.
    assert common.published.left_out == 6
    assert len(rows) + 6 == len(PUBLISHED)


def test_a_ratio_that_can_not_be_used_is_not_shown() -> None:
    run = judged(
        analyses.analysis(
            scenarios=["hello"], invalid={("hello", "flask-gthread"): analyses.BROKEN}
        )
    )
    rows = table_of(published.published(View(run)), "published figures").rows
    assert rows[0].cells[6].text == "can't be used"
    assert rows[0].cells[6].value is None
    assert rows[0].cells[5].aside[0].startswith("flask-gthread is invalid")


def test_a_ratio_that_users_limit_says_so() -> None:
    run = analyses.analysis(scenarios=["weather"])
    cells = tuple(
        replace(cell, limited_by_users=cell.stack == "fastapi-aiohttp") for cell in run.cells
    )
    rows = table_of(
        published.published(View(judged(replace(run, cells=cells)))), "published figures"
    ).rows
    assert rows[0].cells[6].text.endswith("×")
    assert rows[0].cells[5].aside == ("users left fastapi-aiohttp idle, which could serve more",)


def test_the_documents_say_how_many_figures_are_left_out(folder: Path) -> None:
    text = (folder / "summary.md").read_text().replace("\u00a0", " ")
    assert "## Versus published" in text
    assert "They are no targets" in text
    assert (
        "6 published figures are left out: the comparison nearest to them is not in this run"
        in text
    )
