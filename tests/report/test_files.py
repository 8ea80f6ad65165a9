import re
import struct
import xml.etree.ElementTree as ET
from pathlib import Path

import matplotlib as mpl
import pytest

from harness import report, store
from harness.errors import ResultsUnwritable
from harness.models import Analysis
from harness.report import dark, formats
from tests.report.reading import (
    USUAL,
    draw,
)

pytestmark = pytest.mark.busy


def test_write_returns_every_file_with_the_page_first(
    rendered: dict[str, bytes], tmp_path: Path
) -> None:
    files = store.write_report(tmp_path / "new" / "report", rendered)

    assert files[0] == tmp_path / "new" / "report" / "index.html"
    names = {f"charts/{name}.{kind}" for name in USUAL for kind in ("svg", "png")}
    on_disk = {
        path.relative_to(tmp_path / "new" / "report").as_posix()
        for path in (tmp_path / "new").rglob("*")
        if path.is_file()
    }
    assert on_disk == {"index.html", "summary.md", *names}
    assert {path.relative_to(tmp_path / "new" / "report").as_posix() for path in files} == on_disk


def test_the_same_analysis_gives_the_same_bytes(
    whole: Analysis, rendered: dict[str, bytes]
) -> None:
    again = report.render(whole)
    assert list(again) == list(rendered)
    for name, content in again.items():
        assert content == rendered[name], name


def test_the_files_come_with_the_page_first(rendered: dict[str, bytes]) -> None:
    assert next(iter(rendered)) == "index.html"
    assert all(isinstance(content, bytes) and content for content in rendered.values())


def test_a_folder_that_cannot_be_written_is_an_environment_failure(
    rendered: dict[str, bytes], tmp_path: Path
) -> None:
    (tmp_path / "report").write_text("a file stands where the folder should")

    with pytest.raises(ResultsUnwritable, match="report"):
        store.write_report(tmp_path / "report", rendered)
    assert (tmp_path / "report").is_file()
    assert len(list(tmp_path.iterdir())) == 1


@pytest.mark.parametrize("name", USUAL)
def test_png_is_large_enough_to_read_and_not_blank(folder: Path, name: str) -> None:
    content = (folder / "charts" / f"{name}.png").read_bytes()

    assert content[:8] == b"\x89PNG\r\n\x1a\n"
    width, height = struct.unpack(">II", content[16:24])
    assert width >= 1200
    assert 300 <= height <= 3 * width
    assert len(content) > 20_000


@pytest.mark.parametrize("name", USUAL)
def test_svg_is_well_formed_and_says_what_it_shows(folder: Path, name: str) -> None:
    root = ET.parse(folder / "charts" / f"{name}.svg").getroot()

    assert root.tag == "{http://www.w3.org/2000/svg}svg"
    assert root.get("role") == "img"
    assert "fastapi-uvicorn" in root.get("aria-label", "")


@pytest.mark.parametrize("name", USUAL)
def test_texts_of_a_drawing_can_be_searched_and_copied(folder: Path, name: str) -> None:
    root = ET.parse(folder / "charts" / f"{name}.svg").getroot()
    words = [element.text for element in root.iter("{http://www.w3.org/2000/svg}text")]
    assert any("fastapi-uvicorn" in (text or "") for text in words)
    assert "DejaVu Sans" in root.get("font-family", "")


def test_a_drawing_has_a_colour_for_dark_paper_wherever_its_own_would_vanish(folder: Path) -> None:
    for path in (folder / "charts").glob("*.svg"):
        text = path.read_text()
        root = ET.fromstring(text)
        assert not [element for element in root.iter() if element.get("style")]
        for key in ("fill", "stroke"):
            for colour in {element.get(key, "") for element in root.iter()}:
                if re.fullmatch("#[0-9a-f]{6}", colour):
                    rule = f'[{key}="{colour}"]{{{key}:{dark.on_dark(colour)}}}'
                    assert rule in text or dark.on_dark(colour) == colour


def test_a_mark_without_a_figure_beside_it_says_its_own(whole: Analysis, folder: Path) -> None:
    root = ET.parse(folder / "charts" / "latency.svg").getroot()
    hints = {element.text or "" for element in root.iter("{http://www.w3.org/2000/svg}title")}
    cell = whole.cells[0]
    p99 = cell.latency_ms["p99"]
    limits = formats.interval(p99.low, p99.high)
    assert f"{cell.stack}, p99: {formats.number(p99.value)}{formats.NBSP}ms {limits}" in hints


def test_drawing_leaves_matplotlibs_settings_alone(whole: Analysis) -> None:
    before = dict(mpl.rcParams)
    draw(whole, "ratios")
    assert dict(mpl.rcParams) == before
