from dataclasses import replace
from pathlib import Path

import pytest

from harness import store
from harness.models import Analysis, GateResult
from tests import analyses
from tests.report.reading import Page, render, write

HOSTILE = GateResult(
    "errors", False, '<script>alert("x")</script> $a_b$ | [x](javascript:y)\n\x00 & more', "none"
)


@pytest.fixture(scope="session")
def whole() -> Analysis:
    return analyses.analysis()


@pytest.fixture(scope="session")
def rendered(whole: Analysis) -> dict[str, bytes]:
    """The whole report, pixels and all."""
    return render(whole, pixels=True)


@pytest.fixture(scope="session")
def folder(rendered: dict[str, bytes], tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("whole") / "report"
    store.write_report(folder, rendered)
    return folder


@pytest.fixture(scope="session")
def page(folder: Path) -> Page:
    return Page((folder / "index.html").read_text())


@pytest.fixture(scope="session")
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


@pytest.fixture(scope="session")
def invalid(tmp_path_factory: pytest.TempPathFactory) -> tuple[Analysis, Path]:
    folder = tmp_path_factory.mktemp("invalid")
    analysis = analyses.with_invalid_cell()
    write(analysis, folder)
    return analysis, folder


@pytest.fixture(scope="session")
def opened(tmp_path_factory: pytest.TempPathFactory) -> tuple[Analysis, Path]:
    folder = tmp_path_factory.mktemp("open")
    analysis = analyses.open_load(invalid={("weather", "fastapi-uvicorn"): analyses.LATE})
    write(analysis, folder)
    return analysis, folder


@pytest.fixture(scope="session")
def climbed(tmp_path_factory: pytest.TempPathFactory) -> tuple[Analysis, Path]:
    folder = tmp_path_factory.mktemp("climbed")
    analysis = analyses.analysis(scenarios=["weather", "hello"], ladder=["weather"])
    write(analysis, folder)
    return analysis, folder
