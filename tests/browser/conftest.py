"""A browser that the machine has, and reports to open in it."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, Playwright, Request, sync_playwright

from harness.planning.files import PROJECT
from tests import analyses
from tests.browser.hostile import with_hostile_names
from tests.report.reading import write

#: As Debian calls it, and others.
NAMES = ("chromium", "chromium-browser", "google-chrome")
MISSING = (
    "no Chromium is installed here: install one (Debian: apt-get install chromium fonts-dejavu-core), then run "
    "`make test-browser` again"
)

#: Opens a page at a width, in a scheme, and gives it.
Open = Callable[..., Page]


def executable() -> str:
    """The browser's path. Nothing downloads one: a test must not need the network."""
    found = next(filter(None, map(shutil.which, NAMES)), None)
    if found is None:
        pytest.fail(MISSING, pytrace=False)
    return found


@pytest.fixture(scope="session")
def playwright() -> Iterator[Playwright]:
    with sync_playwright() as started:
        yield started


@pytest.fixture(scope="session")
def browser(playwright: Playwright) -> Iterator[Browser]:
    # Chromium's own sandbox refuses to run as root, which CI often is. It opens our files only.
    arguments = ["--no-sandbox"] if os.geteuid() == 0 else []
    launched = playwright.chromium.launch(executable_path=executable(), args=arguments)
    yield launched
    launched.close()


@pytest.fixture(scope="session")
def reference(browser: Browser, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The report of a real run, made by the command that makes it."""
    run = tmp_path_factory.mktemp("real") / "reference"
    shutil.copytree(PROJECT / "results" / "reference-bench", run)
    command = [sys.executable, "-m", "harness", "report", str(run)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode in (0, 1), done.stderr  # 1: a cell of that run is invalid
    return run / "report"


@pytest.fixture(scope="session")
def hostile(browser: Browser, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The report of a run whose stacks and scenarios have names that try to be more than names."""
    folder = tmp_path_factory.mktemp("hostile") / "report"
    write(with_hostile_names(), folder)
    return folder


@pytest.fixture(scope="session")
def swept(browser: Browser, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The report of a run that has curves, made up."""
    folder = tmp_path_factory.mktemp("swept") / "report"
    write(analyses.swept((1, 10, 100), rounds=2), folder)
    return folder


@pytest.fixture(scope="session")
def climbed(browser: Browser, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The report of a run that has a waterfall and an invalid cell, made up."""
    folder = tmp_path_factory.mktemp("climbed") / "report"
    invalid = {("weather", "fastapi-def"): analyses.BROKEN}
    write(analyses.analysis(scenarios=["weather"], ladder=["weather"], invalid=invalid), folder)
    return folder


@pytest.fixture(params=["reference", "hostile", "swept", "climbed"])
def report(request: pytest.FixtureRequest) -> Path:
    """Each report in turn."""
    folder: Path = request.getfixturevalue(request.param)
    return folder


@pytest.fixture
def opened(browser: Browser) -> Iterator[Open]:
    """Opens files, and fails if one of them complained or asked for anything else."""
    contexts = []
    complaints: list[str] = []
    expected: set[str] = set()

    def judge(request: Request) -> None:
        if request.url not in expected and not request.url.startswith("data:"):
            complaints.append(f"asked for {request.url}")

    def open_file(path: Path, *, width: int = 1200, scheme: str = "light") -> Page:
        context = browser.new_context(
            viewport={"width": width, "height": 900},
            color_scheme="dark" if scheme == "dark" else "light",
            reduced_motion="reduce",
        )
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(20_000)
        page.on("request", judge)
        page.on("pageerror", lambda error: complaints.append(f"failed: {error}"))
        page.on("console", lambda said: complaints.append(f"{said.type}: {said.text}"))
        page.on("dialog", lambda dialog: complaints.append(f"dialog: {dialog.message}"))
        expected.add(path.as_uri())
        page.goto(path.as_uri())
        return page

    yield open_file
    for context in contexts:
        context.close()
    assert not complaints
