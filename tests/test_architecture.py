"""The rules of docs/ARCHITECTURE.md that can be read off the imports."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

PROJECT = Path(__file__).resolve().parent.parent

#: Who may import whom within harness: lower layers first. A module imports only lower layers.
LAYERS = [
    {"errors", "models"},
    {"stats", "interrupts", "placement", "launch"},
    {"gates", "stacks", "ladder", "generate", "explore", "parity", "disturbances"},
    {"plan", "analysis", "store", "processes", "meter", "foreign"},
    {"servers", "environment", "load", "precision", "noise", "machine"},
    {"services", "progress", "report"},
    {"measuring"},
    {"runner", "ceiling"},
    {"calibrate"},
    {"cli"},
    {"__main__", "container"},
]


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


def layer(path: Path) -> int:
    part = path.relative_to(PROJECT / "harness").parts[0].removesuffix(".py")
    if part == "__init__":
        return -1
    (number,) = [number for number, names in enumerate(LAYERS) if part in names]
    return number


@pytest.mark.parametrize("path", files("harness"), ids=lambda p: str(p.relative_to(PROJECT)))
def test_dependencies_point_down(path: Path) -> None:
    own = path.relative_to(PROJECT / "harness").parts[0]
    for name in imports(path):
        if not name.startswith("harness."):
            continue
        target = name.split(".")[1]
        if target == "__version__" or target == own.removesuffix(".py"):
            continue
        (number,) = [number for number, names in enumerate(LAYERS) if target in names]
        assert number <= layer(path), f"{path.name} imports {name} from a layer above"


@pytest.mark.parametrize("path", files("apps"), ids=lambda p: str(p.relative_to(PROJECT)))
def test_what_is_measured_knows_nothing_of_the_harness(path: Path) -> None:
    assert not {name for name in imports(path) if name.split(".")[0] in {"harness", "scenarios"}}


@pytest.mark.parametrize("path", files("harness"), ids=lambda p: str(p.relative_to(PROJECT)))
def test_the_harness_knows_only_the_contract_of_the_apps(path: Path) -> None:
    from_apps = {name for name in imports(path) if name.split(".")[0] == "apps"}
    assert all(name.startswith("apps.contract") for name in from_apps), from_apps


@pytest.mark.parametrize(
    "module", ["stats", "gates", "analysis", "models", "disturbances", "noise"]
)
def test_pure_modules_touch_no_file_process_or_clock(module: str) -> None:
    names = {name.split(".")[0] for name in imports(PROJECT / "harness" / f"{module}.py")}
    assert not names & {"os", "io", "subprocess", "socket", "time", "pathlib", "datetime", "sys"}


@pytest.mark.parametrize("path", files("harness/report"), ids=lambda p: p.name)
def test_the_report_starts_nothing(path: Path) -> None:
    names = imports(path)
    assert not {name for name in names if name.split(".")[0] in {"subprocess", "socket", "locust"}}
    lower = {"harness.servers", "harness.services", "harness.load", "harness.processes"}
    assert not {name for name in names if name.rpartition(".")[0] in lower or name in lower}


@pytest.mark.parametrize("name", ["stats", "gates", "analysis", "report", "load", "measuring"])
def test_the_runner_draws_nothing_and_computes_nothing(name: str) -> None:
    if name in {"load", "measuring"}:
        assert any(f"harness.{name}" in found for found in imports(PROJECT / "harness/runner.py"))
    else:
        assert not any(
            found.startswith(f"harness.{name}") for found in imports(PROJECT / "harness/runner.py")
        )


def test_only_the_load_process_imports_locust() -> None:
    importers = {
        path.relative_to(PROJECT).as_posix()
        for folder in ("apps", "harness", "scenarios")
        for path in files(folder)
        if any(name.split(".")[0] == "locust" for name in imports(path))
    }
    assert importers == {"harness/load/__main__.py", "harness/load/users.py"}


def test_the_command_line_stays_light() -> None:
    """`--help` must not pay for what only a run needs."""
    heavy = {
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
    code = "import sys, harness.cli; print(*{name.split('.')[0] for name in sys.modules})"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=PROJECT
    )
    assert not heavy & set(done.stdout.split())
