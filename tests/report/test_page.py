import re
import xml.etree.ElementTree as ET
from dataclasses import replace
from pathlib import Path

import pytest

from harness.models import Analysis, GateResult
from harness.report import formats
from harness.report.content import Facts
from harness.report.verdicts import MARKS
from tests import analyses
from tests.report.reading import (
    USUAL,
    Page,
    caption,
    section,
    shown,
)

pytestmark = pytest.mark.busy


def test_page_needs_nothing_from_elsewhere(folder: Path, page: Page) -> None:
    html = (folder / "index.html").read_text()
    without_namespaces = re.sub(r'xmlns(:\w+)?="http[^"]*"', "", html)
    assert not re.findall(r"https?://[^\s\"'<]*", without_namespaces)
    assert "@import" not in html
    for tag, attributes in page.elements:
        assert tag not in ("link", "iframe", "img", "object")
        assert not any(name.startswith("on") for name in attributes)
        assert "src" not in attributes
    assert [attributes for tag, attributes in page.elements if tag == "script"] == [{}]
    for target in re.findall(r"url\(([^)]*)\)", html):
        assert target.startswith("#")


def test_page_is_small_enough_to_send(folder: Path) -> None:
    assert (folder / "index.html").stat().st_size < 1_500_000


def test_every_id_is_unique_and_every_reference_has_its_target(folder: Path, page: Page) -> None:
    html = (folder / "index.html").read_text()
    ids = [attributes["id"] for _, attributes in page.elements if "id" in attributes]
    assert len(ids) == len(set(ids))
    wanted = set(re.findall(r'href="#([^"]+)"', html)) | set(re.findall(r"url\(#([^)]+)\)", html))
    assert wanted
    assert wanted <= set(ids)


def test_page_links_only_to_files_that_are_beside_it(folder: Path, page: Page) -> None:
    links = [attributes["href"] for tag, attributes in page.elements if tag == "a"]
    files = [link for link in links if link and not link.startswith("#")]
    assert files
    assert all((folder / link).is_file() for link in files)


def test_charts_have_headings_labels_and_a_reading(whole: Analysis, page: Page) -> None:
    drawn = [attributes for tag, attributes in page.elements if tag == "svg"]
    # The ratios are a table on the page, which needs no other words.
    words = [caption(whole, name) for name in USUAL if name != "ratios"]
    assert [attributes["aria-label"] for attributes in drawn] == [words.alt for words in words]
    for around in words:
        assert around.title in page.text
        assert around.reading in page.text


def test_every_comparison_appears_with_ratio_interval_and_verdict(
    whole: Analysis, folder: Path, page: Page
) -> None:
    markdown = (folder / "summary.md").read_text()
    assert len(whole.comparisons) == 32
    for made in whole.comparisons:
        ratio = formats.ratio(made.ratio)
        interval = formats.ratio_interval(made.ratio, made.ci_low, made.ci_high)
        assert f"{ratio} {interval} {made.verdict}" in markdown
        row = " ".join(f"{ratio} {MARKS[made.verdict].sign} {made.verdict} {interval}".split())
        assert row in page.text


def test_cells_table_gives_every_cell(whole: Analysis, page: Page) -> None:
    for cell in whole.cells:
        rate = cell.throughput_rps
        figures = f"{formats.number(rate.value)} {formats.interval(rate.low, rate.high)}"
        assert " ".join(figures.split()) in page.text
        assert f"{cell.requests:,}" in page.text


def test_page_tells_how_to_repeat_the_run(whole: Analysis, page: Page) -> None:
    assert "twinbench run --profile full" in page.text
    assert f"--seed {whole.run.plan.seed}" in page.text
    assert "Example CPU @ 2.50 GHz" in page.text
    assert "fastapi 0.165.0" in page.text


def test_text_from_a_run_stays_text_on_the_page(hostile: Path) -> None:
    html = (hostile / "index.html").read_text()
    page = Page(html)
    assert not [tag for tag, _ in page.elements if tag in ("b", "i", "u", "s")]
    assert [tag for tag, _ in page.elements].count("script") == 1  # its own
    assert '<script>alert("x")</script> $a_b$' in page.text
    assert "<b>bold</b> note" in page.text
    assert "\x00" not in html


def test_text_from_a_run_stays_text_in_drawings(hostile: Path) -> None:
    for path in (hostile / "charts").glob("*.svg"):
        root = ET.parse(path).getroot()
        assert not list(root.iter("script"))
        assert "<script" not in path.read_text()


def test_text_from_a_run_stays_in_its_cell_in_markdown(hostile: Path) -> None:
    lines = (hostile / "summary.md").read_text().splitlines()
    rows = [line for line in lines if line.startswith("| weather") and "alert" in line]
    assert len(rows) == 1  # its measurement; the comparison names the gate
    for row in rows:
        assert r"\<script\>" in row
        assert r"\$a\_b\$ \|" in row
        assert r"]\(javascript" in row
    columns = {
        len(re.findall(r"(?<!\\)\|", line)) for line in lines if line.startswith("| weather")
    }
    assert columns == {9, 16, 8}  # comparisons, cells, resources


def test_text_from_a_run_is_no_markup_in_the_terminal() -> None:
    reason = GateResult("errors", False, "[bold]2 %[/bold] [/nonsense]", "none")
    assert "[bold]2 %[/bold] [/nonsense]" in shown(analyses.with_invalid_cell(reason), 100)


def test_tables_have_captions_and_cells_that_can_be_sorted(page: Page) -> None:
    tables = sum(tag == "table" for tag, _ in page.elements)
    assert tables == sum(tag == "caption" for tag, _ in page.elements) > 5
    cells = [
        attributes for tag, attributes in page.elements if tag == "td" and "data-v" in attributes
    ]
    assert len(cells) > 100
    for attributes in cells:
        float(attributes["data-v"] or "")
        assert "data-c" in attributes


def test_the_page_begins_with_a_way_past_its_head(page: Page) -> None:
    ids = {attributes.get("id") for _, attributes in page.elements}
    skip = next(attributes for tag, attributes in page.elements if tag == "a")
    assert skip["class"] == "skip"
    assert (skip["href"] or "").removeprefix("#") in ids


def test_memory_is_told_in_the_units_of_a_reader(whole: Analysis) -> None:
    run = replace(
        whole.run, environment={"memory_bytes": 25_276_063_744, "container": {"memory_bytes": None}}
    )
    (block, *_) = section(replace(whole, run=run), "environment").blocks
    assert isinstance(block, Facts)
    facts = {name: value.replace(formats.NBSP, " ") for name, value in block.facts}
    assert facts == {"Memory": "23.5 GiB", "Container": "memory: none"}
