"""Tables that sort and filter, in a real browser."""

from __future__ import annotations

from collections import Counter
from itertools import groupby
from operator import itemgetter
from pathlib import Path

import pytest
from playwright.sync_api import Locator

from tests.browser.conftest import Open

pytestmark = [pytest.mark.browser, pytest.mark.timeout(120)]

#: For each body of a table, the values of a column from the top.
_VALUES = """(table, column) => [...table.tBodies].filter(body => !body.hidden).map(body =>
  [...body.querySelectorAll(`[data-c="${column}"]`)].map(cell =>
    cell.dataset.v === undefined ? null : Number(cell.dataset.v)))"""
_ROWS = """table => [...table.querySelectorAll("tbody tr")].filter(row => row.checkVisibility())
  .map(row => row.textContent.toLowerCase())"""


#: The shown rows of a table whose first column stands once for several rows: that name, the figure of
#: a column, and how many rows the name stands beside.
_GROUPED = """(table, column) => [...table.tBodies].filter(body => !body.hidden).flatMap(body => {
  const group = body.querySelector("th[scope=rowgroup]");
  return [...body.rows].filter(row => !row.hidden).map(row =>
    [group.firstChild.textContent.trim(),
     Number(row.querySelector(`[data-c="${column}"]`).dataset.v), group.rowSpan]);
})"""


def _values(table: Locator, column: str | None) -> list[list[float | None]]:
    found: list[list[float | None]] = table.evaluate(_VALUES, column)
    return found


def _is_sorted(values: list[float | None], *, down: bool) -> bool:
    """Known ones in order, the others last."""
    known = [value for value in values if value is not None]
    return known == sorted(known, reverse=down) and values == [*known, *[None] * values.count(None)]


def test_tables_sort_by_keyboard_in_both_directions(reference: Path, opened: Open) -> None:
    page = opened(reference / "index.html")
    table = page.locator("table.sorts").filter(has_text="p99").last
    heads = table.locator("th[data-c]")
    numeric = [head for head in heads.all() if any(_values(table, head.get_attribute("data-c"))[0])]
    assert len(numeric) >= 5
    before = sorted(table.evaluate(_ROWS))
    for head in numeric:
        column = head.get_attribute("data-c")
        for direction in ("ascending", "descending"):
            head.locator("button").focus()
            page.keyboard.press("Enter")
            assert head.get_attribute("aria-sort") == direction
            assert table.locator("[aria-sort]").count() == 1
            for values in _values(table, column):
                assert _is_sorted(values, down=direction == "descending")
    assert len(table.evaluate(_ROWS)) == len(before)  # none was lost


def test_a_filter_leaves_the_rows_that_have_its_words(reference: Path, opened: Open) -> None:
    page = opened(reference / "index.html")
    found = page.locator("input[type=search]")
    assert found.count() >= 1
    field = found.last
    table = field.locator("xpath=following::table[1]")
    everything = table.evaluate(_ROWS)
    word = max(everything[-1].split(), key=len)
    field.fill(word)
    left = table.evaluate(_ROWS)
    assert 0 < len(left) < len(everything)
    assert all(word in row for row in left)
    field.fill("no such words")
    assert table.evaluate(_ROWS) == []
    field.fill("")
    assert len(table.evaluate(_ROWS)) == len(everything)


def test_without_its_script_the_page_shows_all_rows(
    reference: Path, opened: Open, tmp_path: Path
) -> None:
    html = (reference / "index.html").read_text()
    begin, end = html.rindex("<script>"), html.rindex("</script>")
    bare = tmp_path / "bare.html"
    bare.write_text(html[:begin] + html[end + len("</script>") :])
    tables = [
        [len(page.locator("table").nth(place).evaluate(_ROWS)) for place in range(count)]
        for page in (opened(reference / "index.html"), opened(bare))
        if (count := page.locator("table").count())
    ]
    assert len([*groupby(tables)]) == 1
    assert opened(bare).locator("thead button").count() == 0


def test_rows_never_part_from_their_group(reference: Path, opened: Open) -> None:
    page = opened(reference / "index.html")
    table = (
        page.locator("table.sorts")
        .filter(has=page.locator("caption", has_text="Comparisons"))
        .first
    )
    head = table.locator("th[data-c]", has=page.get_by_role("button", name="Requests/s"))
    column = head.get_attribute("data-c")

    def shown() -> list[tuple[str, float, int]]:
        return [tuple(row) for row in table.evaluate(_GROUPED, column)]

    before = shown()
    assert max(Counter(name for name, _, _ in before).values()) >= 3
    for sign in (1, -1):
        head.locator("button").click()
        rows = shown()
        assert sorted(rows) == sorted(before)
        groups = [
            [sign * ratio for _, ratio, _ in rows] for _, rows in groupby(rows, itemgetter(0))
        ]
        groups = [list(ratios) for ratios in groups]
        assert len(groups) == len({name for name, _, _ in before})
        assert all(ratios == sorted(ratios) for ratios in groups)
        firsts = [ratios[0] for ratios in groups]
        assert firsts == sorted(firsts)
    table.locator("th[data-c] button", has_text="Scenario").click()
    names = [name for name, _, _ in shown()]
    assert names == sorted(names)
    field = table.locator("xpath=preceding::input[@type='search'][1]")
    field.fill("weather AIOHTTP")
    ((name, _, span),) = shown()
    assert (name, span) == ("weather", 1)
    field.fill("")
    assert {span for name, _, span in shown() if name == "weather"} == {3}
