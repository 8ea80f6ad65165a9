"""claims.toml -> Claim records, with messages that name file, claim, test and what is wrong."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from harness.errors import BadInput
from harness.models import Claim, ClaimKind, ClaimTest, Held, worker_number
from harness.planning.files import CLAIMS_FILE, PROJECT
from harness.planning.plan import Catalogue, load_catalogue
from harness.planning.sweep import SWEPT
from harness.planning.toml_file import read_toml

_PAIR = ("candidate", "baseline")
#: Kind -> the fields that its tests have, beside `kind` and the bounds.
_FIELDS: Mapping[ClaimKind, tuple[str, ...]] = {
    ClaimKind.RATIO: ("measure", "scenario", *_PAIR, "metric"),
    ClaimKind.LARGER_EFFECT: (
        *("measure", "scenario", *_PAIR, "beside_candidate", "beside_baseline", "metric"),
    ),
    ClaimKind.NEITHER_BETTER: ("measure", "scenario", *_PAIR),
    ClaimKind.MOST: ("measure", "scenario", "axis", *_PAIR),
    ClaimKind.LARGEST_LOAD: ("measure", "scenario", "axis", "at", "candidate"),
    ClaimKind.WORKER_MEMORY: ("measure", "scenario", "candidate"),
    ClaimKind.CAPACITY: ("measure", "scenario", *_PAIR),
    ClaimKind.AT_SHARE: ("measure", "scenario", *_PAIR, "share", "metric"),
    ClaimKind.HELD_MEMORY: ("measure", "held", *_PAIR),
    ClaimKind.HELD_COUNT: ("measure", "held", *_PAIR),
    ClaimKind.OTHERS_SERVED: ("measure", "held", "candidate"),
    ClaimKind.CODE_LINES: ("candidate_code", "baseline_code"),
}
_BOUNDS = ("at_least", "at_most")
#: Kinds whose verdict needs no bound.
_WITHOUT_BOUND = (ClaimKind.NEITHER_BETTER,)
_METRICS = ("throughput_rps", "latency_p50_ms", "latency_p99_ms", "cpu_us_per_request")
_STACKS = ("candidate", "baseline", "beside_candidate", "beside_baseline")
_NUMBERS = (*_BOUNDS, "share")
_LISTS = ("candidate_code", "baseline_code")


def load_claims(path: Path = CLAIMS_FILE, catalogue: Catalogue | None = None) -> tuple[Claim, ...]:
    """Every claim of the file, in its order.

    Args:
        path: The file.
        catalogue: The scenarios and stacks that tests may name; None: those of the project.

    Raises:
        BadInput: The file is missing, is not TOML, or has a malformed entry.
    """
    tables = read_toml(path)
    if not tables:
        raise BadInput(f"{path}: has no claim: add a table such as [io-several-times]")
    known = catalogue or load_catalogue()
    return tuple(_claim(f"{path}: claim '{id}'", id, table, known) for id, table in tables.items())


def read_sources(folder: Path = PROJECT) -> dict[str, str]:
    """Texts of the applications' Python files, by their paths in the project.

    Raises:
        BadInput: A file can't be read.
    """
    try:
        return {
            path.relative_to(folder).as_posix(): path.read_text(encoding="utf-8")
            for path in sorted((folder / "apps").rglob("*.py"))
        }
    except (OSError, ValueError) as error:
        raise BadInput(f"{folder / 'apps'}: can't be read: {error}") from error


def _claim(where: str, id: str, table: Any, catalogue: Catalogue) -> Claim:
    if not isinstance(table, dict):
        raise BadInput(f"{where}: stands outside a table such as [{id}]")
    for key in table:
        if key not in ("claim", "measure", "test"):
            raise BadInput(f"{where}: unknown field '{key}'; known: claim, measure, test")
    claim, tests = table.get("claim"), table.get("test")
    if not isinstance(claim, str) or not claim.strip():
        raise BadInput(f"{where}: needs 'claim', a sentence in quotes")
    if not isinstance(tests, list) or not tests:
        raise BadInput(f"{where}: has no test: add a table [[{id}.test]]")
    return Claim(
        id,
        claim,
        tuple(
            _test(f"{where}, test {number}", entry, table.get("measure"), catalogue)
            for number, entry in enumerate(tests, 1)
        ),
    )


def _test(where: str, entry: Any, measure: Any, catalogue: Catalogue) -> ClaimTest:
    """A test; the claim's command measures it unless it names another."""
    if not isinstance(entry, dict):
        raise BadInput(f"{where}: must be a table")
    kinds = ", ".join(ClaimKind)
    if "kind" not in entry:
        raise BadInput(f"{where}: needs 'kind', one of: {kinds}")
    if entry["kind"] not in list(ClaimKind):
        raise BadInput(f"{where}: kind '{entry['kind']}' is not one of: {kinds}")
    kind = ClaimKind(entry["kind"])
    needed = _FIELDS[kind]
    bounds = () if kind in _WITHOUT_BOUND else _BOUNDS
    if measure is not None and "measure" in needed:
        entry = {"measure": measure, **entry}
    for key, value in entry.items():
        if key not in ("kind", *needed, *bounds):
            listed = ", ".join((*needed, *bounds))
            raise BadInput(f"{where}: '{key}' is no field of kind '{kind}', which has: {listed}")
        _refuse_wrong_type(where, key, value)
    for key in needed:
        if key not in entry:
            raise BadInput(f"{where}: field '{key}' is missing")
    _refuse_bounds(where, entry, needed=bool(bounds))
    _refuse_unknown(where, entry, catalogue)
    fields: dict[str, Any] = {
        key: tuple(value) if key in _LISTS else value for key, value in entry.items()
    }
    return ClaimTest(**{**fields, "kind": kind})


def _refuse_wrong_type(where: str, key: str, value: Any) -> None:
    if key in _NUMBERS:
        if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < 1e9:
            raise BadInput(f"{where}: '{key}' must be a number of 0 or more")
    elif key in _LISTS:
        if not (isinstance(value, list) and value and all(isinstance(v, str) for v in value)):
            raise BadInput(f"{where}: '{key}' must be a list of texts in quotes")
    elif not isinstance(value, str) or not value.strip():
        raise BadInput(f"{where}: '{key}' must be text in quotes")


def _refuse_bounds(where: str, entry: Mapping[str, Any], *, needed: bool) -> None:
    low, high = (entry.get(key) for key in _BOUNDS)
    if needed and low is None and high is None:
        raise BadInput(f"{where}: needs a bound: 'at_least', 'at_most' or both")
    if low is not None and high is not None and low >= high:
        raise BadInput(f"{where}: at_least {low:g} must be below at_most {high:g}")
    share = entry.get("share")
    if share is not None and not 0 < share <= 1:
        raise BadInput(f"{where}: share {share:g} must be more than 0 and at most 1")


def _refuse_unknown(where: str, entry: Mapping[str, Any], catalogue: Catalogue) -> None:
    """Refuse a name that nothing in the project has."""
    known: Mapping[str, Sequence[str]] = {
        "scenario": tuple(catalogue.scenarios),
        "metric": _METRICS,
        "axis": tuple(SWEPT),
        "held": tuple(Held),
        **dict.fromkeys(_STACKS, tuple(catalogue.stacks)),
    }
    for key, names in known.items():
        if key in entry and entry[key] not in names:
            raise BadInput(f"{where}: {key} '{entry[key]}' is not one of: {', '.join(names)}")
    try:
        worker_number(entry.get("at", "1"), cores=1)
    except ValueError:
        raise BadInput(
            f"{where}: at '{entry['at']}' is not a whole number, n, 2n or 2n+1"
        ) from None
    measure = entry.get("measure", "twinbench ")
    if not measure.startswith("twinbench "):
        raise BadInput(f"{where}: measure '{measure}' must begin with 'twinbench'")
