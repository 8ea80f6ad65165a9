"""Which facts of the machine, the software and the plan differ between runs: likely causes."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence

from harness.models import Difference, RunRecord

#: Packages that the processes of stacks import; others serve the harness and its tests.
_OF_STACKS = frozenset(
    {
        *("flask", "werkzeug", "jinja2", "markupsafe", "itsdangerous", "blinker", "flask-sock"),
        *("flask-jwt-extended", "pyjwt", "simple-websocket", "flask-sqlalchemy", "spectree"),
        *("fastapi", "starlette", "pydantic", "pydantic-core", "anyio", "python-multipart"),
        *("gunicorn", "uvicorn", "uvicorn-worker", "uvloop", "httptools", "h11", "granian"),
        *("gevent", "greenlet", "a2wsgi", "websockets", "wsproto", "hypercorn", "waitress"),
        *("sqlalchemy", "psycopg", "psycopg-binary", "asyncpg"),
        *("requests", "urllib3", "httpx", "httpx2", "httpcore", "httpcore2", "aiohttp", "yarl"),
        *("multidict", "frozenlist", "orjson", "scikit-learn", "numpy", "scipy", "joblib"),
    }
)

_Fact = Callable[[RunRecord], str]


def differences(runs: Sequence[RunRecord]) -> tuple[Difference, ...]:
    """Facts that differ between runs; those that most likely changed a figure come first."""
    packages = tuple(_packages(runs))
    return (
        *_of_facts(runs, _SOFTWARE),
        *(each for each in packages if not each.is_minor),
        *_of_facts(runs, _REST),
        *_slices(runs),
        *(each for each in packages if each.is_minor),
    )


def _of_facts(runs: Sequence[RunRecord], facts: Mapping[str, _Fact]) -> Iterator[Difference]:
    for what, fact in facts.items():
        values = tuple(fact(run) for run in runs)
        if len(set(values)) > 1:
            yield Difference(what, values)


def _recorded(name: str) -> _Fact:
    """A fact of run.json's environment, as text; empty if it was not recorded."""

    def fact(run: RunRecord) -> str:
        value = run.environment.get(name)
        return "" if value is None else str(value)

    return fact


def _memory(run: RunRecord) -> str:
    # The kernel keeps a little for itself, and not always the same.
    size = run.environment.get("memory_bytes")
    return f"{size / (1 << 30):.1f} GiB" if isinstance(size, int | float) else ""


def _cores(run: RunRecord) -> str:
    cores = run.environment.get("usable_cores")
    return str(len(cores)) if isinstance(cores, list | tuple) else ""


def _limits(run: RunRecord) -> str:
    limits = run.environment.get("container")
    if not isinstance(limits, Mapping):
        return ""
    cores, memory = limits.get("cpu_cores"), limits.get("memory_bytes")
    said = [f"{cores:g} cores"] if cores is not None else []
    said += [f"{memory >> 20:,} MiB"] if memory is not None else []
    return ", ".join(said) or "none"


def _commit(run: RunRecord) -> str:
    commit = str(run.environment.get("git_commit") or "")[:12]
    return f"{commit} with changes" if commit and run.environment.get("git_dirty") else commit


def _variables(run: RunRecord) -> str:
    variables = run.environment.get("child_environment")
    if not isinstance(variables, Mapping):
        return ""
    return " ".join(f"{name}={value}" for name, value in sorted(variables.items()))


def _calibrated(run: RunRecord) -> str:
    return run.calibration.machine if run.calibration else ""


def _machine(run: RunRecord) -> str:
    return _recorded("machine")(run) or _calibrated(run)


_SOFTWARE: Mapping[str, _Fact] = {
    "Python": _recorded("python"),
    "twinbench's commit": _commit,
}
_REST: Mapping[str, _Fact] = {
    "machine": _machine,
    "CPU": _recorded("cpu"),
    "cores": _cores,
    "memory": _memory,
    "limits of the container": _limits,
    "kernel": _recorded("kernel"),
    "distribution": _recorded("distribution"),
    "PostgreSQL": _recorded("database"),
    "upstream": _recorded("upstream"),
    "latency of the upstream": lambda run: run.plan.upstream_latency,
    "environment variables": _variables,
    "cores of the servers": lambda run: str(len(run.placement.servers)),
    "load processes": lambda run: str(run.plan.generators),
    "worker processes": lambda run: str(run.plan.workers),
    "schema of run.json": lambda run: str(run.schema),
}


def _slices(runs: Sequence[RunRecord]) -> Iterator[Difference]:
    """Lengths of slices, in blocks that all runs have."""
    lengths = [{block.key: block.slice_s for block in run.blocks} for run in runs]
    changed = [
        key
        for key, length in lengths[0].items()
        if all(key in other for other in lengths)
        and any(abs(other[key] - length) > 0.2 * length for other in lengths)
    ]
    for key in changed:
        yield Difference(f"slices of {key}", tuple(f"{other[key]:g} s" for other in lengths))
    settling = [
        {block.key: block.settle_s for block in run.blocks if not block.load.is_open}
        for run in runs
    ]
    for key in settling[0]:
        values = tuple(f"{other[key]:g} s" for other in settling if key in other)
        if len(values) == len(runs) and len(set(values)) > 1:
            yield Difference(f"uncounted beginning of slices of {key}", values)


def _packages(runs: Sequence[RunRecord]) -> Iterator[Difference]:
    versions = [_versions(run) for run in runs]
    names = {key: name for found in versions for key, (name, _) in found.items()}
    for key in sorted(names):
        values = tuple(found.get(key, ("", ""))[1] for found in versions)
        if len(set(values)) > 1:
            minor = key not in _OF_STACKS and key != "twinbench"
            yield Difference(names[key], values, is_package=True, is_minor=minor)


def _versions(run: RunRecord) -> dict[str, tuple[str, str]]:
    """Normalised name -> name and version; empty if the run did not record its packages."""
    packages = run.environment.get("packages")
    if not isinstance(packages, Mapping):
        return {}
    return {
        str(name).lower().replace("_", "-"): (str(name), str(version))
        for name, version in packages.items()
    }
