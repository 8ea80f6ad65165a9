"""The page's script in a browser: it sorts and filters, and never parts a row from its group."""

import html
import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.busy

CHROMIUM = shutil.which("chromium") or shutil.which("google-chrome")
#: Does what a reader does to the table of comparisons, and writes down what is shown each time.
PLAY = """
<script>
const table = [...document.querySelectorAll("table.sorts")]
  .find((each) => each.caption.textContent === "Comparisons");
const shown = [];
function note() {
  const rows = [];
  for (const body of table.tBodies) {
    const group = body.querySelector("th[scope=rowgroup]");
    for (const row of body.rows) {
      if (row.hidden || body.hidden) continue;
      const figure = row.querySelector('[data-c="2"]').dataset.v;
      rows.push([group.firstChild.textContent.trim(), Number(figure), group.rowSpan]);
    }
  }
  shown.push(rows);
}
const press = (words) => [...table.tHead.querySelectorAll("button")]
  .find((each) => each.textContent === words).click();
const input = table.closest(".scroll").previousElementSibling.querySelector("input");
function filter(words) {
  input.value = words;
  input.dispatchEvent(new Event("input"));
}
note();
press("Requests/s"); note();
press("Requests/s"); note();
press("Scenario"); note();
filter("weather AIOHTTP"); note();
filter("no such stack"); note();
filter(""); note();
document.body.textContent = JSON.stringify(shown);
</script></body>
"""

Shown = list[tuple[str, float, int]]  # scenario, ratio, rows that the scenario's name stands beside


@pytest.fixture(scope="module")
def played(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> list[Shown]:
    if CHROMIUM is None:
        pytest.skip("needs Chromium: apt-get install chromium")
    place = tmp_path_factory.mktemp("browser")
    page = place / "played.html"
    page.write_text((folder / "index.html").read_text().replace("</body>", PLAY))
    command = [
        CHROMIUM, "--headless=new", "--no-sandbox", "--disable-gpu",
        f"--user-data-dir={place / 'profile'}", "--dump-dom", page.as_uri(),
    ]  # fmt: skip
    out = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True).stdout
    found = re.search(r"<body>(\[.*\])\s*</body>", out, re.DOTALL)
    assert found, out[-500:]
    rows: list[list[Any]] = json.loads(html.unescape(found[1]))
    return [[(name, ratio, span) for name, ratio, span in each] for each in rows]


def test_rows_are_sorted_within_their_group_and_groups_by_their_first_row(
    played: list[Shown],
) -> None:
    before, rising, falling, *_ = played
    assert sorted(rising) == sorted(falling) == sorted(before)
    for rows, sign in ((rising, 1), (falling, -1)):
        groups: dict[str, list[float]] = {}
        for name, ratio, _ in rows:
            groups.setdefault(name, []).append(sign * ratio)
        assert len(groups["weather"]) == 3
        assert all(ratios == sorted(ratios) for ratios in groups.values())
        firsts = [ratios[0] for ratios in groups.values()]
        assert firsts == sorted(firsts)


def test_a_group_is_sorted_by_its_name(played: list[Shown]) -> None:
    names = [name for name, _, _ in played[3]]
    assert names == sorted(names)


def test_a_filter_shows_the_rows_with_all_words_beside_their_groups_name(
    played: list[Shown],
) -> None:
    *_, by_name, some, none, all_again = played
    ((name, _, span),) = some
    assert (name, span) == ("weather", 1)
    assert none == []
    assert all_again == by_name
    assert {span for name, _, span in all_again if name == "weather"} == {3}
