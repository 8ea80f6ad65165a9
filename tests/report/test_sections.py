"""A section is declared once, and each output shows of it what the declaration says."""

import math
from pathlib import Path

import pytest

from harness.models import Analysis
from harness.report import formats
from harness.report.content import Block, Details, Output, Section, Table
from harness.report.markdown import markdown
from harness.report.page import page
from harness.report.sections import sections
from harness.report.view import View
from harness.report.words.heading import heading
from tests import analyses
from tests.report.reading import Page, folded, shown, write

pytestmark = pytest.mark.busy


@pytest.fixture(scope="module")
def everything(tmp_path_factory: pytest.TempPathFactory) -> tuple[Analysis, Path]:
    """A run that has every section: two loads, open load, a ladder, something invalid."""
    analysis = analyses.together(
        analyses.analysis(
            scenarios=["users-lookup"],
            ladder=["users-lookup"],
            invalid={("users-lookup", "fastapi-def"): analyses.BROKEN},
        ),
        analyses.two_loads(),
        analyses.open_load(scenarios=["users-validate"]),
    )
    folder = tmp_path_factory.mktemp("everything")
    write(analysis, folder)
    return analysis, folder


def tables(section: Section, output: Output) -> list[Table]:
    found: list[Block] = list(section.shown(output))
    found += [inner for block in found if isinstance(block, Details) for inner in block.blocks]
    return [block for block in found if isinstance(block, Table)]


def test_a_heading_stands_where_its_section_is_shown_and_nowhere_else(
    everything: tuple[Analysis, Path],
) -> None:
    analysis, folder = everything
    html, text = (folder / "index.html").read_text(), (folder / "summary.md").read_text()
    declared = sections(View(analysis))
    assert len({section.id for section in declared}) == len(declared) == 14
    for section in declared:
        on_page = f'<h2 id="{section.id}">' in html
        assert on_page == (Output.PAGE in section.outputs)
        in_markdown = f"## {section.heading}\n" in text
        assert in_markdown == (Output.MARKDOWN in section.outputs)


@pytest.mark.parametrize("output", [Output.PAGE, Output.MARKDOWN])
def test_every_cell_of_a_table_is_in_the_documents_that_show_it(
    everything: tuple[Analysis, Path], output: Output
) -> None:
    analysis, folder = everything
    content = (folder / output.value).read_text()
    text = Page(content).text if output is Output.PAGE else folded(content.replace("\\", ""))
    cells = 0
    for section in sections(View(analysis)):
        for table in tables(section, output):
            columns = [column for column in table.columns if output in column.outputs]
            for row in table.rows:
                for placed in table.placed(row, columns):
                    assert folded(placed.cell.text) in text
                    assert folded(placed.cell.detail) in text
                    cells += 1
    assert cells > 400


def test_every_row_has_a_cell_for_each_of_its_columns(everything: tuple[Analysis, Path]) -> None:
    for section in sections(View(everything[0])):
        for output in Output:
            for table in tables(section, output):
                for row in table.rows:
                    assert sum(cell.span for cell in row.cells) == len(table.columns), table.name


def test_a_figure_keeps_the_number_that_its_text_was_made_from(
    everything: tuple[Analysis, Path],
) -> None:
    checked = 0
    for section in sections(View(everything[0])):
        for table in tables(section, Output.MARKDOWN):
            for row in table.rows:
                for placed in table.placed(row, table.columns):
                    if placed.column.heading in ("Requests/s", "p50 ms", "CPU µs", "Memory MiB"):
                        value, text = placed.cell.value, placed.cell.text
                        if value is None:
                            assert text in ("", formats.NOTHING) or placed.span > 1
                            continue
                        ratio = text.endswith("×")
                        words = formats.ratio(value) if ratio else formats.number(value)
                        assert text == words
                        checked += math.isfinite(value)
    assert checked > 60


def test_a_terminal_shows_its_own_sections_without_headings(
    everything: tuple[Analysis, Path],
) -> None:
    text = shown(everything[0], 120)
    assert "framework: Flask → FastAPI" in text
    assert "Schedule" in text
    assert "How it was measured" not in text
    assert "Results" not in text


@pytest.mark.parametrize("render", [page, markdown])
def test_a_renderer_refuses_a_block_that_it_has_no_form_for(whole: Analysis, render: type) -> None:
    class Unknown(Block):
        pass

    section = Section("odd", "Odd", (Unknown(),))
    with pytest.raises(Exception, match=r"no form in Markdown|unknown_block"):
        render(heading(View(whole)), [section], {})
