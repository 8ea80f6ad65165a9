"""The rules of docs/ARCHITECTURE.md that can be read off the imports."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

PROJECT = Path(__file__).resolve().parent.parent

#: Folder of harness -> the other folders that it may import. Everybody may import `errors` and
#: `models`, which import nothing of harness themselves.
MAY_IMPORT: dict[str, set[str]] = {
    "planning": set(),
    "analysis": set(),
    "processes": set(),
    "checking": set(),
    "store": set(),
    "machine": {"planning", "processes"},
    "serving": {"planning", "processes", "machine", "checking"},
    "channel": {"processes"},
    "load": {"channel", "processes", "checking"},
    "measuring": {
        *("planning", "analysis", "processes", "checking", "store", "machine", "serving"),
        *("channel", "load"),
    },
    "report": {"planning", "analysis"},
    "calibration": {
        *("planning", "analysis", "processes", "store", "machine", "channel", "measuring"),
    },
    "library": {
        *("planning", "analysis", "processes", "store", "machine", "measuring", "report"),
    },
    "cli": {
        *("planning", "analysis", "processes", "checking", "store", "machine", "serving"),
        *("measuring", "report", "calibration", "library"),
    },
}


def imports(path: Path) -> set[str]:
    """Full names of the modules that a file imports, inside functions too."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found |= {f"{node.module}.{alias.name}" for alias in node.names}
    return found


def files(folder: str) -> list[Path]:
    return sorted((PROJECT / folder).rglob("*.py"))


@pytest.mark.parametrize("folder", MAY_IMPORT)
def test_a_folder_imports_only_what_it_may(folder: str) -> None:
    for path in files(f"harness/{folder}"):
        for name in imports(path):
            owner = name.split(".")[1] if name.startswith("harness.") else folder
            allowed = {folder, "errors", "models", "__version__", *MAY_IMPORT[folder]}
            assert owner in allowed, f"{path.relative_to(PROJECT)} imports {name}"


def test_every_folder_has_its_line_and_says_what_belongs_there() -> None:
    folders = {path.parent.name for path in (PROJECT / "harness").glob("*/__init__.py")}
    assert folders - {"models"} == MAY_IMPORT.keys()
    for folder in folders:
        source = (PROJECT / "harness" / folder / "__init__.py").read_text()
        docstring = ast.get_docstring(ast.parse(source)) or ""
        assert "import" in docstring, f"{folder} does not say what belongs there and is imported"


def test_imports_of_folders_have_no_circle() -> None:
    def reached(folder: str, seen: tuple[str, ...]) -> None:
        assert folder not in seen, " -> ".join((*seen, folder))
        for other in MAY_IMPORT[folder]:
            reached(other, (*seen, folder))

    for folder in MAY_IMPORT:
        reached(folder, ())


@pytest.mark.parametrize("path", files("apps"), ids=lambda p: str(p.relative_to(PROJECT)))
def test_what_is_measured_knows_nothing_of_the_harness(path: Path) -> None:
    assert not {name for name in imports(path) if name.split(".")[0] in {"harness", "scenarios"}}


@pytest.mark.parametrize("path", files("harness"), ids=lambda p: str(p.relative_to(PROJECT)))
def test_the_harness_knows_only_the_contract_of_the_apps(path: Path) -> None:
    from_apps = {name for name in imports(path) if name.split(".")[0] == "apps"}
    assert all(name.startswith("apps.contract") for name in from_apps), from_apps


PURE = [
    *files("harness/analysis"),
    *files("harness/models"),
    PROJECT / "harness/machine/disturbances.py",
    PROJECT / "harness/calibration/noise.py",
]


@pytest.mark.parametrize("path", PURE, ids=lambda p: str(p.relative_to(PROJECT)))
def test_pure_modules_touch_no_file_process_or_clock(path: Path) -> None:
    names = {name.split(".")[0] for name in imports(path)}
    assert not names & {"os", "io", "subprocess", "socket", "time", "pathlib", "datetime", "sys"}


@pytest.mark.parametrize("path", files("harness/report"), ids=lambda p: p.name)
def test_the_report_starts_nothing(path: Path) -> None:
    names = imports(path)
    assert not {name for name in names if name.split(".")[0] in {"subprocess", "socket", "locust"}}


@pytest.mark.parametrize("name", ["analysis", "report", "checking", "load"])
def test_the_runner_draws_nothing_and_computes_nothing(name: str) -> None:
    names = imports(PROJECT / "harness/measuring/runner.py")
    assert not {found for found in names if found.startswith(f"harness.{name}")}


def test_only_the_load_process_imports_locust() -> None:
    importers = {
        path.relative_to(PROJECT).as_posix()
        for folder in ("apps", "harness", "scenarios")
        for path in files(folder)
        if any(name.split(".")[0] == "locust" for name in imports(path))
    }
    files_of_load = ("__main__", "locust_hooks", "locustfile", "users")
    assert importers == {f"harness/load/{name}.py" for name in files_of_load}


HEAVY = {
    "numpy",
    "pandas",
    "matplotlib",
    "scipy",
    "pyarrow",
    "locust",
    "fastapi",
    "flask",
    "hypothesis",
}


def loaded_by(module: str) -> set[str]:
    """The modules that are there once a module is imported in a fresh process."""
    code = f"import sys, {module}; print(*sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=PROJECT
    )
    return set(done.stdout.split())


def packages_of(module: str) -> set[str]:
    return {name.split(".")[0] for name in loaded_by(module)}


def test_the_command_line_stays_light() -> None:
    """`--help` must not pay for what only a run needs."""
    assert not HEAVY & packages_of("harness.cli.main")


def test_the_library_stays_light_until_something_is_measured() -> None:
    assert not HEAVY & packages_of("twinbench")


def test_the_plugin_for_pytest_brings_nothing_along() -> None:
    """Pytest loads it in every project of an environment that has twinbench in it."""
    brought = packages_of("harness.pytest_plugin") - packages_of("pytest")
    assert brought <= {"harness"}, brought
    assert not {"harness.models", "harness.library"} & loaded_by("harness.pytest_plugin")


def test_the_library_has_its_names_from_the_harness_and_nothing_else() -> None:
    names = {".".join(name.split(".")[:2]) for name in imports(PROJECT / "twinbench/__init__.py")}
    assert names == {"harness.__version__", "harness.errors", "harness.library", "harness.models"}


def test_tests_that_need_the_machine_for_themselves_are_where_make_looks_for_them() -> None:
    makefile = (PROJECT / "Makefile").read_text()
    assert '-m "alone and not thorough" -n 0 tests/integration\n' in makefile
    assert '-m "alone and thorough" -n 0 tests/integration\n' in makefile
    marked = [path for path in files("tests") if f"mark.{'alone'}" in path.read_text()]
    assert marked
    assert {path.parent.name for path in marked} == {"integration"}
