"""The twins' code in the report: counted, coloured, and still text."""

from __future__ import annotations

import dataclasses
import re
from types import SimpleNamespace
from typing import cast

from harness.models import CodePart, SourceFile
from harness.planning.twins import twin_code
from harness.report.content import Details, Table
from harness.report.markdown import markdown
from harness.report.page import page
from harness.report.sections.code import side_by_side
from harness.report.view import View
from harness.report.words.heading import heading
from tests import analyses

HOSTILE = '"""Doc."""\nX = "</pre><script>alert(1)</script>"\n'
PARTS = (
    CodePart(
        "hello",
        ("GET /hello",),
        (
            SourceFile("flask", "apps/flask_twin/hello.py", HOSTILE),
            SourceFile("fastapi", "apps/fastapi_twin/hello.py", "a = 1\nb = 2\n"),
        ),
    ),
    CodePart("validation", (), (SourceFile("flask", "apps/flask_twin/v.py", "c = 3\n"),)),
)
VIEW = View(analyses.analysis())


def rows(parts: tuple[CodePart, ...]) -> list[list[str]]:
    section = side_by_side(VIEW, parts)
    assert section is not None
    (table,) = (block for block in section.blocks if isinstance(block, Table))
    return [[cell.text for cell in row.cells] for row in table.rows]


def test_lines_are_counted_for_each_part_and_shared_ones_are_in_no_sum() -> None:
    shared = ["validation", "shared", "1", "0"]
    assert rows(PARTS) == [["hello", "GET /hello", "1", "2"], shared]
    twice = dataclasses.replace(PARTS[0], name="again", endpoints=("GET /a", "GET /b"))
    assert rows((PARTS[0], twice, PARTS[1])) == [
        ["hello", "GET /hello", "1", "2"],
        ["again", "GET /a, GET /b", "1", "2"],
        ["together", "", "2", "4"],
        shared,
    ]


def test_a_run_of_one_twin_has_nothing_to_lay_side_by_side() -> None:
    only = {label: stack for label, stack in VIEW.stacks.items() if stack.twin == "flask"}
    view = cast(View, SimpleNamespace(stacks=only))
    assert side_by_side(view, PARTS) is None
    assert side_by_side(VIEW, ()) is None


def test_the_page_shows_code_as_text_and_the_summary_only_counts() -> None:
    section = side_by_side(VIEW, PARTS)
    assert section is not None
    shown = page(heading(VIEW), [section], {})
    assert shown.count("<script>") == page(heading(VIEW), [], {}).count("<script>")
    assert "&lt;script&gt;" in shown
    text = re.sub(r"<[^>]+>", "", shown)
    assert "a = 1" in text
    assert "apps/fastapi_twin/hello.py" in text
    summary = markdown(heading(VIEW), [section], {})
    assert "GET /hello" in summary
    assert "a = 1" not in summary


def test_the_code_of_all_scenarios_fits_into_a_page() -> None:
    from harness.planning.scenarios import load_scenarios

    endpoints = [e for scenario in load_scenarios().values() for e in scenario.endpoints]
    section = side_by_side(VIEW, twin_code(endpoints))
    assert section is not None
    assert len([block for block in section.blocks if isinstance(block, Details)]) > 10
    assert len(page(heading(VIEW), [section], {})) < 500_000


def test_every_colour_of_code_has_its_class_and_can_be_read_in_light_and_dark() -> None:
    from tests.test_profile import luminance

    section = side_by_side(VIEW, PARTS)
    assert section is not None
    style = page(heading(VIEW), [section], {}).partition("<style>")[2].partition("</style>")[0]
    light, dark = re.findall(r"--code: (#\w{6})", style)[:2]
    for name in ("keyword", "string", "named", "figure", "quiet"):
        for paper, colour in zip(
            (light, dark), re.findall(rf"--{name}: (#\w{{6}})", style), strict=False
        ):
            bright, dim = sorted((luminance(paper), luminance(colour)), reverse=True)
            assert (bright + 0.05) / (dim + 0.05) >= 4.5, (name, paper)
