"""The report says what the data says, in files that stand on their own."""

import io
import math
import re
import struct
import xml.etree.ElementTree as ET
from collections.abc import Iterator
from dataclasses import replace
from html.parser import HTMLParser
from itertools import pairwise
from pathlib import Path

import matplotlib as mpl
import numpy as np
import pytest
from PIL import Image  # matplotlib writes its PNG files with it
from rich.console import Console

from harness.errors import ResultsUnwritable
from harness.models import Analysis, Comparison, GateResult, Placement, Verdict
from harness.planning.files import STACKS_FILE
from harness.planning.stacks import load_stacks
from harness.report import (
    formats,
    outline,
    palette,
    resources,
    sentences,
    tables,
    terminal_table,
    write,
)
from harness.report.captions import captions
from harness.report.charts import CHARTS, charts_of
from tests import analyses

WINNER = re.compile(r"\b(faster|slower)\b", re.IGNORECASE)
HOSTILE = GateResult(
    "errors", False, '<script>alert("x")</script> $a_b$ | [x](javascript:y)\n\x00 & more', "none"
)
ODD = {
    "a ladder with a broken rung, and one without a round": analyses.analysis(
        scenarios=["hello", "weather"],
        ladder=["hello", "weather"],
        empty=["hello"],
        invalid={("weather", "fastapi-def"): HOSTILE},
    ),
    "a ladder under open load, one round": analyses.open_load(
        rounds=1, scenarios=["hello"], ladder=["hello"]
    ),
    "no finished round": analyses.analysis(rounds=0),
    "one round, no intervals": analyses.analysis(rounds=1, scenarios=["hello", "weather"]),
    "two rounds, cut off": analyses.analysis(rounds=2, scenarios=["hello"], cut_off=True),
    "a scenario without a round": analyses.analysis(
        scenarios=["hello", "weather"], empty=["weather"]
    ),
    "one stack": analyses.analysis(
        scenarios=["hello"],
        figures={"hello": {"flask-gthread": analyses.SCENARIOS["hello"][4]["flask-gthread"]}},
    ),
    "a stack against itself": analyses.against_itself(),
    "twelve stacks": analyses.many_stacks(12),
    "every cell invalid": analyses.analysis(
        scenarios=["hello"],
        invalid={("hello", stack): analyses.BROKEN for stack in analyses.SCENARIOS["hello"][4]},
    ),
    "words beyond the font": analyses.with_invalid_cell(
        GateResult("errors", False, "\u7d50\u679c \U0001f525 \u05e9", "none")
    ),
    "open load": analyses.open_load(scenarios=["hello", "weather"]),
    "open load, one round": analyses.open_load(rounds=1, scenarios=["hello"]),
    "open load, twelve stacks": analyses.many_stacks(12, rate_rps=300),
    "open load, every cell invalid": analyses.open_load(
        scenarios=["hello"],
        invalid={("hello", stack): analyses.LATE for stack in analyses.SCENARIOS["hello"][4]},
    ),
    "open load, one stack": analyses.open_load(
        scenarios=["hello"],
        figures={"hello": {"flask-gthread": analyses.SCENARIOS["hello"][4]["flask-gthread"]}},
    ),
    "open and closed load": analyses.mixed(),
    "stopped early": analyses.analysis(precision=0.05, fewer={"hello": 5, "weather": 6}),
    "calibrated, very noisy": analyses.calibrated(
        analyses.analysis(), {"throughput_rps": 0.3, "latency_p99_ms": 0.8}
    ),
    "no scenario": analyses.analysis(scenarios=[]),
    "no known environment": replace(
        analyses.analysis(scenarios=["hello"]),
        run=replace(
            analyses.analysis(scenarios=["hello"]).run,
            environment={},
            placement=Placement((), (), (), "this system can't pin processes to cores"),
            started="some day",
        ),
    ),
}

pytestmark = pytest.mark.busy  # a hundred pictures

#: The charts of a run without a ladder.
USUAL = [name for name in CHARTS if name != "waterfall"]


class Page(HTMLParser):
    """What a browser would see: elements with attributes, ids, and text outside of drawings."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.words: list[str] = []
        self.inside: list[str] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag not in ("meta", "br"):
            self.inside.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.inside.pop() == tag

    def handle_data(self, data: str) -> None:
        if "style" not in self.inside:
            self.words.append(data)

    @property
    def text(self) -> str:
        """All text, white space folded."""
        return " ".join(" ".join(self.words).split())


@pytest.fixture(scope="module")
def whole() -> Analysis:
    return analyses.analysis()


@pytest.fixture(scope="module")
def folder(whole: Analysis, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("whole") / "report"
    write(whole, folder)
    return folder


@pytest.fixture(scope="module")
def page(folder: Path) -> Page:
    return Page((folder / "index.html").read_text())


@pytest.fixture(scope="module")
def hostile(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("hostile")
    analysis = analyses.with_invalid_cell(HOSTILE)
    run = replace(
        analysis.run,
        notes=("<b>bold</b> note",),
        environment={"cpu": "<i>chip</i>", "packages": {"<u>evil</u>": "1"}},
        command=("twinbench", "run", "<s>;"),
    )
    write(replace(analysis, run=run), folder)
    return folder


@pytest.fixture(scope="module")
def invalid(tmp_path_factory: pytest.TempPathFactory) -> tuple[Analysis, Path]:
    folder = tmp_path_factory.mktemp("invalid")
    analysis = analyses.with_invalid_cell()
    write(analysis, folder)
    return analysis, folder


def shown(analysis: Analysis, width: int) -> str:
    """The terminal table as plain text."""
    console = Console(width=width, file=io.StringIO(), color_system=None)
    with console.capture() as capture:
        console.print(terminal_table(analysis))
    return capture.get()


def findings(analysis: Analysis) -> Iterator[sentences.Finding]:
    for answer in sentences.answers(analysis):
        yield from answer.findings


def comparison(ratio: float, low: float, high: float, verdict: Verdict, **more: int) -> Comparison:
    return Comparison(
        "hello",
        "closed-16",
        "throughput_rps",
        "flask-gthread",
        "fastapi-uvicorn",
        ratio,
        low,
        high,
        more.get("rounds", 8),
        0.03,
        verdict,
    )


# --------------------------------------------------------------------------- files


def test_write_returns_every_file_with_the_page_first(whole: Analysis, tmp_path: Path) -> None:
    files = write(whole, tmp_path / "new" / "report")

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
    whole: Analysis, folder: Path, tmp_path: Path
) -> None:
    for path in write(whole, tmp_path):
        assert path.read_bytes() == (folder / path.relative_to(tmp_path)).read_bytes(), path.name


def test_a_folder_that_cannot_be_written_is_an_environment_failure(
    whole: Analysis, tmp_path: Path
) -> None:
    (tmp_path / "report").write_text("a file stands where the folder should")

    with pytest.raises(ResultsUnwritable, match="report"):
        write(whole, tmp_path / "report")
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
    assert not list(root.iter("{http://www.w3.org/2000/svg}text")), "texts must be paths"


def test_drawing_leaves_matplotlibs_settings_alone(whole: Analysis) -> None:
    before = dict(mpl.rcParams)
    CHARTS["ratios"](whole)
    assert dict(mpl.rcParams) == before


# ---------------------------------------------------------------------------- page


def test_page_needs_nothing_from_elsewhere(folder: Path, page: Page) -> None:
    html = (folder / "index.html").read_text()
    without_namespaces = re.sub(r'xmlns(:\w+)?="http[^"]*"', "", html)
    assert not re.findall(r"https?://[^\s\"'<]*", without_namespaces)
    assert "@import" not in html
    for tag, attributes in page.elements:
        assert tag not in ("script", "link", "iframe", "img", "object")
        assert not any(name.startswith("on") for name in attributes)
        assert "src" not in attributes
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
    words = captions(whole)
    assert [attributes["aria-label"] for attributes in drawn] == [words[name].alt for name in USUAL]
    for name in USUAL:
        assert words[name].title in page.text
        assert words[name].reading in page.text


def test_every_comparison_appears_with_ratio_interval_and_verdict(
    whole: Analysis, folder: Path, page: Page
) -> None:
    markdown = (folder / "summary.md").read_text()
    assert len(whole.comparisons) == 32
    for made in whole.comparisons:
        ratio = formats.ratio(made.ratio)
        interval = formats.ratio_interval(made.ratio, made.ci_low, made.ci_high)
        assert f"{ratio} {interval} {made.verdict}" in markdown
        row = " ".join(f"{ratio} {tables.SIGNS[made.verdict]} {made.verdict} {interval}".split())
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


# ------------------------------------------------------------------- hostile words


def test_text_from_a_run_stays_text_on_the_page(hostile: Path) -> None:
    html = (hostile / "index.html").read_text()
    page = Page(html)
    assert not [tag for tag, _ in page.elements if tag in ("script", "b", "i", "u", "s")]
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
    assert len(rows) == 2  # a comparison and a cell
    for row in rows:
        assert r"\<script\>" in row
        assert r"\$a\_b\$ \|" in row
        assert r"]\(javascript" in row
    columns = {
        len(re.findall(r"(?<!\\)\|", line)) for line in lines if line.startswith("| weather")
    }
    assert columns == {9, 15, 7}  # comparisons, cells, resources


def test_text_from_a_run_is_no_markup_in_the_terminal() -> None:
    reason = GateResult("errors", False, "[bold]2 %[/bold] [/nonsense]", "none")
    assert "[bold]2 %[/bold] [/nonsense]" in shown(analyses.with_invalid_cell(reason), 100)


# ------------------------------------------------------------------------- invalid


def test_an_invalid_cell_shows_its_reason_everywhere(invalid: tuple[Analysis, Path]) -> None:
    analysis, folder = invalid
    reason = analyses.BROKEN.reason
    assert reason in Page((folder / "index.html").read_text()).text
    assert reason in (folder / "summary.md").read_text()
    assert reason in " ".join(shown(analysis, 100).split())
    for name in USUAL:
        assert "invalid" in captions(analysis)[name].alt
        assert reason in captions(analysis)[name].alt


def test_an_invalid_cell_is_never_ranked(invalid: tuple[Analysis, Path]) -> None:
    analysis, folder = invalid
    about = [
        finding
        for finding in findings(analysis)
        if "weather" in finding.text and "fastapi-uvicorn" in finding.text
    ]
    assert [finding.verdict for finding in about] == [Verdict.INVALID]
    assert not WINNER.search(about[0].text)
    for row in tables.pair_rows(analysis):
        if (row.scenario, row.candidate) == ("weather", "fastapi-uvicorn"):
            assert row.why_invalid == f"fastapi-uvicorn: {analyses.BROKEN.reason}"
            assert {ratio.verdict for ratio in row.ratios if ratio} == {Verdict.INVALID}
    for line in (folder / "summary.md").read_text().splitlines():
        if line.startswith("| weather") and "fastapi-uvicorn" in line:
            assert not WINNER.search(line)
    in_weather = shown(analysis, 100).split("weather")[1]
    row = next(line for line in in_weather.splitlines() if "fastapi-uvicorn" in line)
    assert "invalid" in row
    assert "×" not in row


def test_an_invalid_baseline_leaves_no_winner_in_its_scenario() -> None:
    analysis = analyses.analysis(invalid={("weather", "flask-gthread"): analyses.BROKEN})
    about = [finding for finding in findings(analysis) if "In weather" in finding.text]
    assert len(about) == 3
    for finding in about:
        assert not WINNER.search(finding.text)
        assert f"flask-gthread: {analyses.BROKEN.reason}" in finding.text


# ----------------------------------------------------------------------- sentences


def test_a_winner_is_named_with_ratio_interval_and_verdict() -> None:
    analysis = analyses.analysis(
        scenarios=["hello"], ratios={("hello", "fastapi-uvicorn"): (2.34, 2.27, 2.42)}
    )
    (finding,) = findings(analysis)
    assert finding.text.replace(formats.NBSP, " ") == (
        "In hello (framework cost), fastapi-uvicorn answers 2.34 × the requests of flask-gthread "
        "[2.27, 2.42]: faster."
    )


@pytest.mark.parametrize(
    "ratio",
    [(1.01, 0.99, 1.02), (1.02, 0.95, 1.10), (1.30, 0.98, 1.70), (0.90, 0.80, 1.01)],
)
@pytest.mark.parametrize("rounds", [2, 8])
def test_without_a_verdict_no_sentence_names_a_winner(
    ratio: tuple[float, float, float], rounds: int
) -> None:
    analysis = analyses.analysis(
        scenarios=["hello"], rounds=rounds, ratios={("hello", "fastapi-uvicorn"): ratio}
    )
    (finding,) = findings(analysis)
    assert finding.verdict in (Verdict.SAME, Verdict.INCONCLUSIVE)
    assert not WINNER.search(finding.text)
    assert formats.ratio_interval(*ratio) in finding.text


@pytest.mark.parametrize("verdict", [Verdict.SAME, Verdict.INCONCLUSIVE])
def test_many_candidates_without_a_verdict_name_no_winner(verdict: Verdict) -> None:
    analysis = analyses.many_stacks(6)
    undecided = tuple(replace(made, verdict=verdict) for made in analysis.comparisons)
    found = list(findings(replace(analysis, comparisons=undecided)))
    assert len(found) == 2  # one for each scenario
    for finding in found:
        assert not WINNER.search(finding.text)
        assert finding.text.count("×") == 5


def test_many_candidates_are_grouped_by_verdict_and_none_is_lost() -> None:
    analysis = analyses.many_stacks(12)
    text = " ".join(finding.text for finding in findings(analysis) if "In hello" in finding.text)
    for cell in analysis.cells:
        assert cell.stack in text


def test_inconclusive_says_what_would_help() -> None:
    wide = comparison(1.06, 0.99, 1.13, Verdict.INCONCLUSIVE)
    words = sentences.why_inconclusive(wide).replace(formats.NBSP, " ")
    assert "noise band of ±3 %" in words
    needed = int(re.findall(r"about (\d+) rounds", words)[0])
    assert 8 < needed < 30

    few = comparison(2.3, 2.2, 2.4, Verdict.INCONCLUSIVE, rounds=2)
    assert "at least 5" in sentences.why_inconclusive(few)

    on_the_edge = comparison(1.0299, 1.01, 1.05, Verdict.INCONCLUSIVE)
    assert "not even 200 rounds" in sentences.why_inconclusive(on_the_edge)

    corrected = comparison(1.10, 1.04, 1.16, Verdict.INCONCLUSIVE)
    assert "corrected" in sentences.why_inconclusive(corrected)

    unknown = comparison(1.10, math.nan, math.nan, Verdict.INCONCLUSIVE)
    assert "no interval" in sentences.why_inconclusive(unknown)


def test_opposite_verdicts_within_a_twin_show_that_the_variant_decides(whole: Analysis) -> None:
    (surprise,) = sentences.surprises(whole)
    words = surprise.replace(formats.NBSP, " ")
    assert "In weather, the variant decides and not the framework" in words
    assert "fastapi-uvicorn (0.221 ×) is slower" in words
    assert "fastapi-httpx2 (1.47 ×) and fastapi-aiohttp (1.55 ×) are faster" in words
    assert "http_client (httpx, httpx2, aiohttp)" in words


def test_no_surprise_where_a_twin_is_of_one_mind() -> None:
    assert sentences.surprises(analyses.analysis(scenarios=["hello", "cpu-python"])) == ()


def test_more_requests_at_a_longer_tail_is_a_surprise() -> None:
    analysis = analyses.analysis(scenarios=["hello"])
    turned = tuple(
        replace(made, ratio=1.8, verdict=Verdict.SLOWER)
        if made.metric in ("latency_p99_ms", "cpu_us_per_request")
        else made
        for made in analysis.comparisons
    )
    tail, cpu = sentences.surprises(replace(analysis, comparisons=turned))
    assert "slowest of a hundred take longer" in tail
    assert f"costs 1.80{formats.NBSP}× the CPU time" in cpu


def test_a_stack_that_differs_from_itself_discredits_the_run() -> None:
    analysis = analyses.against_itself()
    assert sentences.surprises(analysis) == ()
    made = tuple(replace(made, verdict=Verdict.FASTER) for made in analysis.comparisons)
    found = sentences.surprises(replace(analysis, comparisons=made))
    assert "fastapi-uvicorn differs from itself" in found[0]


def test_limits_follow_from_the_run(whole: Analysis) -> None:
    def told(analysis: Analysis) -> str:
        return " ".join(sentences.limits(analysis)).replace(formats.NBSP, " ")

    assert "cut off after 2 of 8 rounds" in told(analyses.analysis(rounds=2, cut_off=True))
    assert "there is no verdict" in told(analyses.analysis(rounds=4))
    assert "there are no intervals" in told(analyses.analysis(rounds=1))
    assert "there are no intervals" not in told(analyses.analysis(rounds=2))
    some = analyses.analysis(rounds=6, fewer={"hello": 4}, cut_off=True)
    assert "In hello, with 4 rounds at most, there is no verdict" in told(some)
    assert "there is no verdict" not in told(whole)
    assert "default of ±3 %" in told(whole)
    assert "up to 6 % of a core" in told(replace(whole, idle_core_share=0.06))
    assert "1 of 14 cells is invalid" in told(analyses.with_invalid_cell())
    shared = replace(whole.run, placement=Placement((0,), (0,), (0,), "one core only"))
    assert "Placement: one core only." in told(replace(whole, run=shared))
    noted = replace(whole.run, notes=("resumed at 2026-04-01T11:00:00+00:00", "r.part: set aside"))
    assert "Noted in the run: resumed at 2026-04-01T11:00:00+00:00." in told(
        replace(whole, run=noted)
    )
    assert "r.part: set aside." in told(replace(whole, run=noted))


def test_services_of_somebody_else_and_limits_are_told(whole: Analysis) -> None:
    def told(**facts: object) -> str:
        run = replace(
            whole.run,
            environment={**whole.run.environment, **facts},
            placement=Placement((0,), (1,), (1,)),
        )
        analysis = replace(whole, run=run)
        words = (*sentences.method(analysis), *sentences.limits(analysis))
        return " ".join(words).replace(formats.NBSP, " ")

    ours = told()
    assert "The load shared its core with PostgreSQL and the upstream" in ours
    assert "Not started by twinbench" not in ours
    assert "were allowed" not in ours
    theirs = told(database="127.0.0.1:5432/mine")
    assert "Not started by twinbench: PostgreSQL (127.0.0.1:5432/mine)." in theirs
    assert "The load shared its core with the upstream" in theirs
    both = told(database="db:5432/mine", upstream="here:8100")
    assert "PostgreSQL (db:5432/mine) and upstream (here:8100)" in both
    assert "shared its core" not in both
    assert "PostgreSQL on core" not in both
    limited = told(container={"cpu_cores": 1.5, "memory_bytes": 2 << 30})
    assert "allowed 1.5 cores of CPU time and 2,048 MiB of memory" in limited
    assert "servers and load stood still" in limited
    assert "stood still" not in told(container={"cpu_cores": 2.0, "memory_bytes": None})


def test_a_calibrated_run_says_whose_noise_floor_it_is_and_when_it_was_measured(
    whole: Analysis,
) -> None:
    words = " ".join(sentences.limits(analyses.calibrated(whole))).replace(formats.NBSP, " ")
    assert "The noise floor is this machine's own" in words
    assert "±4.5 % (requests per second)" in words
    assert "±21 % (p99 latency)" in words
    assert "on 12 March 2026 in 9 rounds" in words
    assert "default" not in words
    without = " ".join(sentences.limits(whole)).replace(formats.NBSP, " ")
    assert "the method's default of ±3 %" in without
    assert "twinbench calibrate" in without


def test_a_band_beyond_ten_percent_is_not_called_the_same(whole: Analysis) -> None:
    wide = analyses.calibrated(whole, {"throughput_rps": 0.3})
    words = " ".join(sentences.method(wide)).replace(formats.NBSP, " ")
    assert "but never beyond ±10 %" in words
    inside = replace(comparison(1.15, 1.1, 1.2, Verdict.INCONCLUSIVE), noise_floor=0.3)
    why = sentences.why_inconclusive(inside).replace(formats.NBSP, " ")
    assert "too wide to call anything beyond ±10 % the same" in why


def test_scenarios_that_were_precise_enough_are_told_and_not_called_cut_off() -> None:
    analysis = analyses.analysis(precision=0.05, fewer={"hello": 5, "weather": 6})
    words = " ".join(sentences.method(analysis)).replace(formats.NBSP, " ")
    assert "narrower than ±5 %" in words
    assert "the width alone decides that, never who leads" in words
    assert "hello after 5 rounds, weather after 6 rounds" in words
    assert "cut off" not in " ".join((*sentences.limits(analysis), *sentences.method(analysis)))
    assert "5 to 8 rounds" in captions(analysis)["ratios"].note.replace(formats.NBSP, " ")


def test_of_a_run_that_was_cut_off_only_what_a_later_round_left_out_had_stopped() -> None:
    analysis = analyses.analysis(rounds=6, precision=0.05, fewer={"hello": 5}, cut_off=True)
    words = " ".join(sentences.method(analysis)).replace(formats.NBSP, " ")
    assert "So stopped hello after 5 rounds." in words
    nothing = analyses.analysis(rounds=6, precision=0.05, cut_off=True)
    assert "None stopped before its last round." in " ".join(sentences.method(nothing))


def test_time_under_load_counts_each_scenarios_own_rounds() -> None:
    analysis = analyses.analysis(scenarios=["hello", "weather"], fewer={"hello": 5})
    hello, weather = analysis.run.plan.blocks
    seconds = 5 * hello.seconds_per_round + 8 * weather.seconds_per_round
    assert formats.duration(seconds) in " ".join(sentences.method(analysis))
    assert [row.rounds for row in tables.effort_rows(analysis)] == [5, 8]


# ----------------------------------------------------------------------- open load

LOAD = "open load, 300 requests/s, Poisson arrivals"


@pytest.fixture(scope="module")
def opened(tmp_path_factory: pytest.TempPathFactory) -> tuple[Analysis, Path]:
    folder = tmp_path_factory.mktemp("open")
    analysis = analyses.open_load(invalid={("weather", "fastapi-uvicorn"): analyses.LATE})
    write(analysis, folder)
    return analysis, folder


def test_open_load_is_named_as_that_and_users_nowhere(opened: tuple[Analysis, Path]) -> None:
    analysis, folder = opened
    page = Page((folder / "index.html").read_text()).text.replace(formats.NBSP, " ")
    markdown = (folder / "summary.md").read_text().replace(formats.NBSP, " ")
    terminal = " ".join(shown(analysis, 120).split())
    for text in (page, markdown, terminal):
        assert LOAD in text
        assert not re.search(r"\d users(?!-)", text)
    for name in ("ratios", "throughput", "latency", "cpu"):
        assert LOAD in captions(analysis)[name].note.replace(formats.NBSP, " ")


def test_the_headline_of_open_load_is_the_median_latency(opened: tuple[Analysis, Path]) -> None:
    analysis, _ = opened
    first = next(findings(analysis)).text
    assert "times" not in first
    assert "the time of flask-gthread for the median request" in first
    assert "requests of" not in " ".join(finding.text for finding in findings(analysis))
    assert "Requests/s" not in list(outline.metrics(analysis).values())
    assert captions(analysis)["ratios"].note.startswith("Median latency")
    drawn = [text.get_text() for text in CHARTS["ratios"](analysis).texts]
    assert "← less time" in drawn
    header = next(line for line in shown(analysis, 120).splitlines() if "baseline" in line)
    assert "p50 × baseline" in header


def test_how_the_schedule_was_kept_is_in_every_table(opened: tuple[Analysis, Path]) -> None:
    analysis, folder = opened
    page = Page((folder / "index.html").read_text()).text
    markdown = (folder / "summary.md").read_text()
    assert sentences.SCHEDULE_NOTE in page
    assert sentences.SCHEDULE_NOTE in markdown
    terminal = shown(analysis, 120)
    for row in tables.schedule_rows(analysis):
        figures = [row.offered, row.achieved, *(m.figure for m in row.service)]
        assert f"| {row.scenario} | {row.stack} | {row.offered} | {row.achieved} |" in markdown
        counts = f"{row.lag} {row.late} {row.starved} {row.never_sent}"
        assert counts in page
        assert counts in " ".join(terminal.split())
        assert all(figure in page for figure in figures)


def test_the_report_says_which_load_hides_a_stall(whole: Analysis) -> None:
    closed = captions(whole)["latency"].reading
    opened = captions(analyses.open_load())["latency"].reading
    assert sentences.CLOSED_HIDES in closed
    assert sentences.OPEN_SHOWS not in closed
    assert sentences.OPEN_SHOWS in opened
    assert sentences.CLOSED_HIDES not in opened
    assert sentences.CLOSED_HIDES in " ".join(sentences.method(whole))
    assert sentences.OPEN_SHOWS in " ".join(sentences.method(analyses.open_load()))


def test_service_time_is_drawn_beside_the_latency(whole: Analysis) -> None:
    def dotted(analysis: Analysis) -> list[np.ndarray]:
        return [
            line.get_ydata()
            for axes in CHARTS["latency"](analysis).axes
            for line in axes.lines
            if line.get_linestyle() != "-" and line.get_markerfacecolor() == palette.PAPER
        ]

    analysis = analyses.open_load(scenarios=["hello"])
    assert dotted(whole) == []
    for drawn, cell in zip(dotted(analysis), analysis.cells, strict=True):
        assert cell.schedule is not None
        assert list(drawn) == [one.value for one in cell.schedule.service_ms.values()]


def test_an_invalid_cell_of_open_load_is_never_ranked(opened: tuple[Analysis, Path]) -> None:
    analysis, folder = opened
    about = [
        finding
        for finding in findings(analysis)
        if "weather" in finding.text and "fastapi-uvicorn" in finding.text
    ]
    assert [finding.verdict for finding in about] == [Verdict.INVALID]
    assert not WINNER.search(about[0].text)
    page = Page((folder / "index.html").read_text()).text
    assert analyses.LATE.reason in page
    assert analyses.LATE.reason in (folder / "summary.md").read_text()
    assert analyses.LATE.reason in " ".join(shown(analysis, 100).split())
    for line in (folder / "summary.md").read_text().splitlines():
        if line.startswith("| weather") and "fastapi-uvicorn" in line:
            assert not WINNER.search(line)
    # Neither the line of what was due nor a colour makes its bar look like a result.
    panel = CHARTS["throughput"](analysis).axes[1]
    due = [line for line in panel.lines if line.get_color() == palette.INK]
    assert len(due) == 3
    bars = [bar.get_edgecolor() for bar in panel.patches]
    assert sum(colour == mpl.colors.to_rgba(palette.INVALID) for colour in bars) == 1


def test_open_and_closed_load_in_one_run_are_not_mixed_up() -> None:
    analysis = analyses.mixed()
    texts = [finding.text for finding in findings(analysis)]
    assert "the requests of flask-gthread" in texts[0]
    assert "for the median request" in texts[1]
    note = captions(analysis)["ratios"].note
    assert note.startswith("Requests per second or median latency ÷")
    drawn = [text.get_text() for text in CHARTS["ratios"](analysis).texts]
    assert "Framework cost · Requests/s" in drawn
    assert "CPU-bound · Median latency" in drawn


def test_sooner_at_more_cpu_time_is_a_surprise_under_open_load_too() -> None:
    analysis = analyses.open_load(scenarios=["hello"])
    turned = tuple(
        replace(made, ratio=1.8, verdict=Verdict.SLOWER)
        if made.metric in ("latency_p99_ms", "cpu_us_per_request")
        else made
        for made in analysis.comparisons
    )
    tail, cpu = sentences.surprises(replace(analysis, comparisons=turned))
    assert "answers the median request sooner than flask-gthread" in tail
    assert "slowest of a hundred take longer" in tail
    assert f"costs 1.80{formats.NBSP}× the CPU time" in cpu


# ------------------------------------------------------------------------- ladder


@pytest.fixture(scope="module")
def climbed(tmp_path_factory: pytest.TempPathFactory) -> tuple[Analysis, Path]:
    folder = tmp_path_factory.mktemp("climbed")
    analysis = analyses.analysis(scenarios=["weather", "hello"], ladder=["weather"])
    write(analysis, folder)
    return analysis, folder


def told(analysis: Analysis) -> list[sentences.Finding]:
    """What is said of the steps."""
    return [one for answer in sentences.attribution(analysis) for one in answer.findings]


def with_verdicts(
    analysis: Analysis, verdict: Verdict, only: tuple[str, str] | None = None
) -> Analysis:
    """The same with another verdict on its steps, or on one pair."""
    steps = analysis.run.plan.blocks[0].steps if only is None else (only,)
    return replace(
        analysis,
        comparisons=tuple(
            replace(c, verdict=verdict) if (c.baseline, c.candidate) in steps else c
            for c in analysis.comparisons
        ),
    )


def test_a_waterfall_is_written_only_where_a_ladder_was_measured_and_none_is_left_behind(
    climbed: tuple[Analysis, Path], tmp_path: Path
) -> None:
    _, folder = climbed
    assert (folder / "charts" / "waterfall.svg").is_file()
    assert (folder / "charts" / "waterfall.png").is_file()
    assert 'id="waterfall"' in (folder / "index.html").read_text()
    assert "charts/waterfall.svg" in (folder / "summary.md").read_text()
    (tmp_path / "charts").mkdir()
    for kind in ("svg", "png"):
        (tmp_path / "charts" / f"waterfall.{kind}").write_text("of an earlier report")
    write(ODD["no scenario"], tmp_path)
    assert not list(tmp_path.rglob("waterfall.*"))
    assert "waterfall" not in (tmp_path / "index.html").read_text()
    assert "waterfall" not in (tmp_path / "summary.md").read_text()


def test_every_step_appears_with_ratio_interval_and_verdict(
    climbed: tuple[Analysis, Path],
) -> None:
    analysis, folder = climbed
    page = Page((folder / "index.html").read_text()).text
    markdown = (folder / "summary.md").read_text()
    terminal = shown(analysis, 100)
    rows = tables.step_rows(analysis)
    assert [row.words for row in rows] == [
        "server: gunicorn → granian",
        "framework: Flask → FastAPI",
        "server: granian → uvicorn",
        "client: requests → httpx",
        "handlers: def → async def",
        "Flask → FastAPI",
        "client: httpx → aiohttp",
    ]
    for row in rows:
        assert row.headline is not None
        ratio, interval, verdict = row.headline.figure, row.headline.interval, row.headline.verdict
        assert f"| {row.words} | {row.after} ÷ {row.before} | {ratio} {interval}" in markdown
        assert " ".join(f"{ratio} {tables.SIGNS[verdict]} {verdict} {interval}".split()) in page
        (line,) = (line for line in terminal.splitlines() if f"  {row.words}  " in line)
        assert ratio in line
        assert str(verdict) in line
        if not row.is_total:
            assert row.words in captions(analysis)["waterfall"].alt


def test_the_steps_stay_out_of_the_ordinary_comparisons(climbed: tuple[Analysis, Path]) -> None:
    analysis, _ = climbed
    plain = analyses.analysis(scenarios=["weather", "hello"])

    def pairs(of: Analysis) -> list[tuple[str, str, str]]:
        return [(row.scenario, row.baseline, row.candidate) for row in tables.pair_rows(of)]

    assert pairs(analysis) == pairs(plain)
    assert captions(analysis)["ratios"].title == captions(plain)["ratios"].title
    drawn = [text.get_text() for text in CHARTS["ratios"](analysis).texts]
    assert not {"flask-granian", "fastapi-def", "fastapi-def-httpx"} & set(drawn)
    assert len(list(findings(analysis))) == len(list(findings(plain)))


def test_a_bar_begins_where_the_one_above_it_ends(climbed: tuple[Analysis, Path]) -> None:
    (panel,) = CHARTS["waterfall"](climbed[0]).axes
    assert panel.get_xscale() == "log"
    ends = [(bar.get_x(), bar.get_x() + bar.get_width()) for bar in panel.patches]
    *steps, total, beyond = ends
    for (_, end), (begin, _) in pairwise(steps):
        assert begin == pytest.approx(end)
    assert total == pytest.approx((steps[0][0], steps[-1][1]))
    assert beyond[0] == pytest.approx(total[1])
    low, high = panel.get_xlim()
    assert all(low < value < high for pair in ends for value in pair)


@pytest.mark.parametrize("verdict", [Verdict.SAME, Verdict.INCONCLUSIVE])
def test_a_step_without_a_verdict_is_muted_and_said_to_be_so(
    climbed: tuple[Analysis, Path], verdict: Verdict
) -> None:
    analysis = with_verdicts(climbed[0], verdict)
    (panel,) = CHARTS["waterfall"](analysis).axes
    *steps, total, beyond = [mpl.colors.to_hex(bar.get_facecolor()) for bar in panel.patches]
    assert {*steps, beyond} == {palette.STEPS[verdict]}
    assert total == palette.STEPS[Verdict.SLOWER]
    assert palette.STEPS[verdict] not in (
        palette.STEPS[Verdict.SLOWER],
        palette.STEPS[Verdict.FASTER],
    )
    words = sentences.STEP_VERDICTS[verdict]
    assert ("inside the noise" in words) == (verdict is Verdict.SAME)
    assert ("not resolved" in words) == (verdict is Verdict.INCONCLUSIVE)
    assert captions(analysis)["waterfall"].alt.count(words) == 6


def test_only_steps_with_a_verdict_account_for_the_total(climbed: tuple[Analysis, Path]) -> None:
    analysis = with_verdicts(climbed[0], Verdict.INCONCLUSIVE, ("fastapi-def", "fastapi-def-httpx"))
    total, noise, unknown, beyond, unused = told(analysis)
    assert "fastapi-uvicorn answers 0.221" in total.text
    assert "handlers (def → async def)" in total.text
    assert "client" not in total.text
    assert noise.text.startswith("Inside the noise: server (granian → uvicorn)")
    assert unknown.text.startswith("Not resolved, and so no cause of anything: client (requests")
    assert beyond.text.startswith("Beyond fastapi-uvicorn: client (httpx → aiohttp)")
    assert unused.text.startswith("No step of its own here: validation and driver.")
    assert not WINNER.search(noise.text + unknown.text + unused.text)


def test_each_scenarios_steps_are_told_in_one_paragraph_of_the_summary(
    climbed: tuple[Analysis, Path],
) -> None:
    _, folder = climbed
    section = (folder / "summary.md").read_text().split("step by step")[1].split("## ")[0]
    (told,) = (line for line in section.splitlines() if line.startswith("- "))
    assert told.startswith("- In weather, ")
    assert "Inside the noise: " in told
    assert "No step of its own here" in told


def test_the_shares_are_those_of_the_logarithms_and_some_may_go_against_it(
    climbed: tuple[Analysis, Path],
) -> None:
    text = told(climbed[0])[0].text.replace(formats.NBSP, " ")
    by_pair = {
        (c.baseline, c.candidate): c.ratio
        for c in climbed[0].comparisons
        if (c.scenario, c.metric) == ("weather", "throughput_rps")
    }
    whole = math.log(by_pair["flask-gthread", "fastapi-uvicorn"])
    client = math.log(by_pair["fastapi-def", "fastapi-def-httpx"]) / whole
    server = math.log(by_pair["flask-gthread", "flask-granian"]) / whole
    assert f"client (requests → httpx) 0.448 × accounts for {100 * client:.0f} %" in text
    assert server < 0
    assert f"server (gunicorn → granian) 1.20 × goes against it by {-100 * server:.0f} %" in text


@pytest.mark.parametrize(
    ("ratio", "rounds", "words"),
    [
        ((1.01, 0.99, 1.02), 8, "So no step has a share in it."),
        ((0.5, 0.2, 1.3), 8, "So no step has a share in it."),
        ((0.5, 0.4, 0.6), 2, "So no step has a share in it."),
        ((1.08, 1.06, 1.10), 8, "That is too little to be shared out."),
        ((0.93, 0.91, 0.95), 8, "That is too little to be shared out."),
    ],
)
def test_a_total_that_is_small_or_not_resolved_is_not_shared_out(
    ratio: tuple[float, float, float], rounds: int, words: str
) -> None:
    analysis = analyses.analysis(
        scenarios=["weather"],
        ladder=["weather"],
        rounds=rounds,
        ratios={("weather", "fastapi-uvicorn"): ratio},
    )
    first = told(analysis)[0].text
    assert words in first
    assert "accounts for" not in first


def test_a_broken_rung_is_named_and_its_steps_are_not_drawn() -> None:
    analysis = analyses.analysis(
        scenarios=["weather"],
        ladder=["weather"],
        invalid={("weather", "fastapi-def"): analyses.BROKEN},
    )
    sheet = CHARTS["waterfall"](analysis)
    assert len(sheet.axes[0].patches) == 5  # of seven
    reasons = [text.get_text() for text in sheet.texts if "fastapi-def: errors" in text.get_text()]
    assert len(reasons) == 2
    (invalid,) = (one for one in told(analysis) if one.verdict is Verdict.INVALID)
    assert analyses.BROKEN.reason in invalid.text
    assert analyses.BROKEN.reason in captions(analysis)["waterfall"].alt
    assert "client" not in told(analysis)[0].text
    rows = [row for row in tables.step_rows(analysis) if row.why_invalid]
    assert [row.words for row in rows] == ["server: granian → uvicorn", "client: requests → httpx"]


def test_two_rounds_make_a_waterfall_without_verdicts() -> None:
    analysis = analyses.analysis(scenarios=["weather"], ladder=["weather"], rounds=2)
    (panel,) = CHARTS["waterfall"](analysis).axes
    colours = {mpl.colors.to_hex(bar.get_facecolor()) for bar in panel.patches}
    assert colours == {palette.STEPS[Verdict.INCONCLUSIVE]}
    assert not any(WINNER.search(one.text) for one in told(analysis))


def test_an_interval_beyond_the_drawing_ends_in_an_arrowhead_and_leaves_the_bars_wide() -> None:
    analysis = analyses.analysis(
        scenarios=["weather"],
        ladder=["weather"],
        rounds=2,
        ratios={("weather", "fastapi-uvicorn"): (0.221, 0.0001, 400.0)},
    )
    (panel,) = CHARTS["waterfall"](analysis).axes
    low, high = panel.get_xlim()
    assert high / low < 100
    assert {"<", ">"} <= {line.get_marker() for line in panel.lines}


def test_a_ladder_under_open_load_is_one_of_median_latency() -> None:
    analysis = analyses.open_load(scenarios=["weather"], ladder=["weather"])
    (panel,) = CHARTS["waterfall"](analysis).axes
    medians = {cell.stack: cell.latency_ms["p50"].value for cell in analysis.cells}
    assert panel.patches[0].get_x() == pytest.approx(medians["flask-gthread"])
    assert captions(analysis)["waterfall"].note.startswith("Median latency from rung to rung")
    assert "the time of flask-gthread for the median request" in told(analysis)[0].text


def test_the_report_says_how_steps_are_corrected_only_where_there_are_any(
    whole: Analysis, climbed: tuple[Analysis, Path]
) -> None:
    assert any("all steps of a metric are corrected" in one for one in sentences.method(climbed[0]))
    assert not any("all steps of a metric" in one for one in sentences.method(whole))
    assert sentences.LADDER_NOTE in Page((climbed[1] / "index.html").read_text()).text


def test_stacks_that_differ_in_their_number_of_workers_are_said_to() -> None:
    one = analyses.STACKS["flask-gthread"]
    assert sentences.differences([one, replace(one, workers="2n+1")]) == "workers (default, 2n+1)"
    assert sentences.differences([one, one]) == ""


# ------------------------------------------------------------- resources and gates


def test_every_role_is_in_the_table_of_resources(whole: Analysis, folder: Path, page: Page) -> None:
    rows = [row for row in resources.usage_rows(whole) if row.scenario == "hello"]
    assert [row.who for row in rows] == [
        "flask-gthread",
        "fastapi-uvicorn",
        "PostgreSQL",
        "upstream",
        "load process 1",
        "twinbench itself",
    ]
    flask, load = rows[0], rows[4]
    assert (flask.cpu, flask.pss, flask.threads) == (f"97{formats.NBSP}%", "68.4", "41")
    assert flask.switches == "3.0 per request"
    assert (load.cpu, load.switches) == (f"31{formats.NBSP}%", f"1,200 per{formats.NBSP}s")
    for row in resources.usage_rows(whole):
        assert " ".join(f"{row.cpu} {row.pss} {row.threads} {row.switches}".split()) in page.text
        assert f"| {row.cpu} | {row.pss} | {row.threads} | " in (folder / "summary.md").read_text()
    assert "at most 1.1 % of a core" in page.text


def test_start_up_is_told_with_its_spread_and_that_all_start_at_once(
    whole: Analysis, folder: Path, page: Page
) -> None:
    flask = resources.start_rows(whole)[0]
    assert flask.stack == "flask-gthread"
    assert flask.median == f"0.70{formats.NBSP}s"
    assert flask.span.replace(formats.NBSP, " ") == "0.63 to 0.77 s in 8 rounds"
    assert "side by side" in resources.START_NOTE
    assert resources.START_NOTE in page.text
    assert resources.START_NOTE in (folder / "summary.md").read_text()


def test_every_gate_is_listed_with_its_bound_and_how_many_passed() -> None:
    rows = {row.gate: row for row in tables.gate_rows(analyses.with_invalid_cell())}
    assert rows["errors"].passed == "13 of 14"
    assert not rows["errors"].all_passed
    assert rows["Little's law"].passed == "14 of 14"
    opened = {row.gate: row for row in tables.gate_rows(analyses.open_load())}
    assert opened["schedule lag"].bound == "at most 2% or 0.01 ms of any percentile"
    assert "Little's law" not in opened


def test_bounds_that_depend_on_the_cell_are_told_from_the_smallest_to_the_largest() -> None:
    analysis = analyses.open_load(scenarios=["hello", "weather"])
    cells = tuple(
        replace(cell, gates=(GateResult("schedule lag", True, "0.2 ms", f"at most {ms} ms"),))
        for cell, ms in zip(
            analysis.cells, ["1.00", "12.50", "2.10", "1.00", "3", "4"], strict=True
        )
    )
    (row,) = tables.gate_rows(replace(analysis, cells=cells))
    assert row.bound == "at most 1.00 ms to 12.50 ms"


def test_servers_are_called_unequal_only_where_both_ran(whole: Analysis) -> None:
    assert any("parses HTTP in C" in note for note in sentences.unequal(whole))
    assert sentences.unequal(analyses.against_itself()) == ()


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
    cells = tuple(replace(cell, stacks=(one, other)) for cell in whole.run.plan.blocks)
    run = replace(
        whole.run, plan=replace(whole.run.plan, stacks=(stacks[one], stacks[other]), cells=cells)
    )
    notes = sentences.unequal(replace(whole, run=run))
    assert any(said in note for note in notes) if said else notes == ()


def test_method_tells_seed_cores_and_time(whole: Analysis) -> None:
    words = " ".join(sentences.method(whole)).replace(formats.NBSP, " ")
    assert str(whole.run.plan.seed) in words
    assert "servers on core 0; load, PostgreSQL and upstream on core 1" in words
    assert "slices of 0.1 to 1 s" in words
    seconds = 8 * sum(cell.seconds_per_round for cell in whole.run.plan.blocks)
    assert formats.duration(seconds).replace(formats.NBSP, " ") in words


# -------------------------------------------------------------------------- charts


@pytest.mark.parametrize("case", ["usual", *ODD])
def test_every_chart_asks_a_question(case: str, whole: Analysis) -> None:
    analysis = ODD.get(case, whole)
    for name, draw in charts_of(analysis).items():
        title = captions(analysis)[name].title
        assert title.endswith("?")
        drawn = draw(analysis)
        assert title in [text.get_text() for text in drawn.texts]


def test_the_forests_title_names_who_is_compared(whole: Analysis) -> None:
    assert captions(whole)["ratios"].title == "How does FastAPI compare with Flask?"
    itself = captions(analyses.against_itself())["ratios"].title
    assert itself == "How does fastapi-uvicorn compare with itself?"
    mixed = captions(analyses.many_stacks(4))["ratios"].title
    assert mixed == "How do the other stacks compare with flask-variant-with-a-long-name-0?"


def test_an_estimate_without_limits_draws_no_whisker() -> None:
    def lines(rounds: int) -> int:
        drawn = CHARTS["throughput"](analyses.analysis(rounds=rounds, scenarios=["hello"]))
        return len(drawn.axes[0].lines)

    assert lines(8) > 0
    assert lines(1) == 0
    note = captions(analyses.analysis(rounds=1))["throughput"].note
    assert "no intervals" in note


def test_a_percentile_that_too_few_samples_support_is_not_drawn(whole: Analysis) -> None:
    def marks_at_p999(end: float) -> int:
        cells = tuple(
            replace(cell, latency_curve_ms=tuple(p for p in cell.latency_curve_ms if p[0] <= end))
            for cell in whole.cells
        )
        drawn = CHARTS["latency"](replace(whole, cells=cells))
        places = [x for axes in drawn.axes for line in axes.lines for x in line.get_xdata()]
        return sum(1 for x in places if math.isclose(x, 3.0))

    assert marks_at_p999(1.0) > 0
    assert marks_at_p999(0.998) == 0


def test_throughput_axes_begin_at_zero_and_hold_every_valid_interval(whole: Analysis) -> None:
    panels = CHARTS["throughput"](whole).axes
    for panel, cell in zip(panels, whole.run.plan.blocks, strict=True):
        low, high = panel.get_xlim()
        assert low == 0
        ends = [c.throughput_rps.high for c in whole.cells if c.scenario == cell.scenario.name]
        assert max(ends) < high


def test_a_long_timeline_is_thinned_and_says_so() -> None:
    analysis = analyses.analysis(rounds=60, scenarios=["hello"])
    assert len(analysis.cells[0].timeline) == 1500
    (panel,) = CHARTS["timeline"](analysis).axes
    points = sum(len(line.get_xdata()) for line in panel.lines)
    assert points <= 2 * 300
    assert "mean of up to 7 neighbouring slices" in captions(analysis)["timeline"].note


def test_rounds_are_not_joined_in_the_timeline(whole: Analysis) -> None:
    panel = CHARTS["timeline"](whole).axes[0]
    assert len(panel.lines) == 2 * 8  # stacks × rounds


def test_looks_are_distinct_and_keep_to_their_family() -> None:
    looks = palette.looks(analyses.many_stacks(12))
    assert len(set(looks.values())) == 12
    warm = {look.colour for label, look in looks.items() if label.startswith("flask")}
    cold = {look.colour for label, look in looks.items() if label.startswith("fastapi")}
    assert not warm & cold


# ------------------------------------------------------------------------ terminal


@pytest.mark.parametrize("width", [60, 80, 100, 120])
@pytest.mark.parametrize("rate_rps", [None, 300])
def test_terminal_table_fits(rate_rps: float | None, width: int) -> None:
    lines = shown(analyses.analysis(rate_rps=rate_rps), width).splitlines()
    assert max(map(len, lines)) <= width
    assert "faster" in "".join(lines)


def test_terminal_table_shows_more_where_there_is_room(whole: Analysis) -> None:
    assert "p99 ms" in shown(whole, 100)
    assert "p99 ms" not in shown(whole, 80)
    assert "[95 %]" in shown(whole, 80)
    assert "…" not in shown(whole, 80)


# ------------------------------------------------------------------------ odd runs


@pytest.mark.parametrize("case", ["usual", "invalid", *ODD])
def test_a_run_of_any_kind_makes_a_whole_report(case: str, whole: Analysis, tmp_path: Path) -> None:
    analysis = {"usual": whole, "invalid": analyses.with_invalid_cell(), **ODD}[case]
    files = write(analysis, tmp_path)
    assert all(path.stat().st_size > 0 for path in files)
    page = Page(files[0].read_text())
    assert not page.inside, "every element is closed"
    assert "nan" not in page.text.lower().split()
    assert shown(analysis, 80).strip()
    for path in files:
        if path.suffix == ".png":
            assert not drawn_at_the_edge(path), f"{path.name}: something is drawn up to the edge"


def drawn_at_the_edge(png: Path) -> bool:
    pixels = np.asarray(Image.open(png).convert("RGB"))
    edges = (pixels[:3], pixels[-3:], pixels[:, :3], pixels[:, -3:])
    return any((edge != 255).any() for edge in edges)


# ------------------------------------------------------------------------- formats


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (4123, "4,120"),
        (51.23, "51.2"),
        (9.996, "10.0"),
        (0.51234, "0.512"),
        (0, "0"),
        (math.nan, formats.NOTHING),
    ],
)
def test_numbers_have_three_digits(value: float, words: str) -> None:
    assert formats.number(value) == words


@pytest.mark.parametrize(
    ("value", "words"),
    [(2.3442, "2.34 ×"), (1, "1.00 ×"), (12.34, "12.3 ×"), (0.2214, "0.221 ×"), (0.5, "0.50 ×")],
)
def test_ratios_have_the_digits_that_matter(value: float, words: str) -> None:
    assert formats.ratio(value).replace(formats.NBSP, " ") == words


def test_a_limit_far_from_its_ratio_has_decimals_of_its_own() -> None:
    interval = formats.ratio_interval(0.61, 0.002764, 134.78).replace(formats.NBSP, " ")
    assert interval == "[0.00276, 135]"


def test_limits_have_the_decimals_of_their_ratio() -> None:
    interval = formats.ratio_interval(1.02, 0.9904, 1.0512).replace(formats.NBSP, " ")
    assert interval == "[0.99, 1.05]"
    assert formats.ratio_interval(1.02, math.nan, math.nan) == "no interval"


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(45, "45 s"), (60, "1 min"), (380, "6 min 20 s"), (3900, "1 h 5 min"), (59.9, "60 s")],
)
def test_durations_read_as_spoken(seconds: float, words: str) -> None:
    assert formats.duration(seconds).replace(formats.NBSP, " ") == words
