"""profile.json, samples/*.txt, profile.csv and profile-stacks.csv: where CPU time went.

Samples are collapsed stacks, a line each: frames from the outermost to the innermost with semicolons
between them, a blank, and the number of samples. Tools for flame graphs read this form.

Format versions of profile.json (`schema`):
    1  first: samples of who held the GIL.
    2  samples of CPU time; `cut_short`.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from harness.errors import BadInput
from harness.models import Estimate, ProfileAnalysis, ProfileRecord, ProfileRound, Stacks
from harness.store.atomic import replacing
from harness.store.record_file import read_record, schema_of, write_record
from harness.store.tables import as_csv, known

PROFILE_SCHEMA = 2
_FILE = "profile.json"
#: Where `twinbench profile` keeps profiles, in the folder of all runs or in that of one.
PROFILES_FOLDER = "profiles"
_SEPARATOR = ";"
#: Stands for a separator within a frame, as in `[u8; 4]`.
_STAND_IN = ","
# Others read these files by column: new columns go to the end.
PROFILE_COLUMNS = (
    "scenario", "load", "stack", "group", "samples", "share", "share_low", "share_high",
    "chance_low", "chance_high", "rounds_low", "rounds_high", "rounds", "cpu_us_per_request",
    "cpu_us_per_request_low", "cpu_us_per_request_high",
)  # fmt: skip
PROFILE_STACK_COLUMNS = (
    "scenario", "load", "stack", "rounds", "samples", "rate_hz", "requests", "errors",
    "cpu_us_per_request", "cpu_us_per_request_low", "cpu_us_per_request_high",
    "voluntary_switches_per_request", "voluntary_switches_per_request_low",
    "voluntary_switches_per_request_high", "involuntary_switches_per_request",
    "involuntary_switches_per_request_low", "involuntary_switches_per_request_high",
    "speed_under_sampler", "seen_share", "cut_short",
)  # fmt: skip


def write_profile(folder: Path, record: ProfileRecord) -> None:
    """Write profile.json.

    Raises:
        ResultsUnwritable: The file can't be written.
    """
    write_record(folder / _FILE, record)


def forget_profile(folder: Path) -> None:
    """Remove the record of a profile that is sampled anew, so that none has the samples of two."""
    (folder / _FILE).unlink(missing_ok=True)


def has_profile(folder: Path) -> bool:
    """Whether a round was sampled to its end."""
    return (folder / _FILE).is_file()


def profiles_within(run: Path) -> list[Path]:
    """Folders of the profiles in a run's folder, the newest of each scenario.

    Those of an older schema are left out: what they sampled is no CPU time.
    """
    found: dict[str, Path] = {}
    for folder in sorted((run / PROFILES_FOLDER).glob("*")):
        if has_profile(folder) and _is_readable(folder):
            found[read_profile(folder).plan.block.scenario.name] = folder
    return list(found.values())


def _is_readable(folder: Path) -> bool:
    return schema_of(folder / _FILE) == PROFILE_SCHEMA


def is_whole_profile(folder: Path) -> bool:
    """Whether a folder has a profile of today's schema that was sampled to its end."""
    return has_profile(folder) and _is_readable(folder) and read_profile(folder).ended is not None


def read_profile(folder: Path) -> ProfileRecord:
    """Read profile.json.

    Raises:
        BadInput: It is missing, damaged or of another schema.
    """
    instead = "sample again, or report it with the version that sampled it"
    return read_record(folder / _FILE, ProfileRecord, PROFILE_SCHEMA, instead)


def write_stacks(path: Path, stacks: Stacks) -> None:
    """Write collapsed stacks, the same ones always in the same order.

    Raises:
        ResultsUnwritable: The file can't be written.
    """
    lines = sorted(
        f"{_SEPARATOR.join(frame.replace(_SEPARATOR, _STAND_IN) for frame in frames)} {count}\n"
        for frames, count in stacks.items()
    )
    with replacing(path) as file:
        file.write("".join(lines).encode())


def read_stacks(folder: Path, sampled: ProfileRound) -> Stacks:
    """Read the collapsed stacks of one stack in one round.

    Raises:
        BadInput: They are missing or damaged.
    """
    path = folder / sampled.samples_file
    found: dict[tuple[str, ...], int] = {}
    try:
        for line in path.read_text(encoding="utf-8").splitlines():
            joined, _, count = line.rpartition(" ")
            frames = tuple(joined.split(_SEPARATOR))
            found[frames] = found.get(frames, 0) + int(count)
    except OSError as error:
        raise BadInput(f"{path} can't be read: {error.strerror}") from error
    except ValueError as error:
        raise BadInput(f"{path} is damaged: {error}") from error
    return found


def profile_rows(analysis: ProfileAnalysis) -> list[dict[str, Any]]:
    """Rows of profile.csv: a group of a stack; None if unknown."""
    rounds = {each.stack: each.rounds for each in analysis.stacks}
    rows = []
    for share in analysis.shares:
        values = {
            **_block(analysis),
            "stack": share.stack,
            "group": str(share.group),
            "samples": share.samples,
            **_limits("share", share.share),
            "chance_low": share.by_chance.low,
            "chance_high": share.by_chance.high,
            "rounds_low": share.between_rounds.low,
            "rounds_high": share.between_rounds.high,
            "rounds": rounds[share.stack],
            **_limits("cpu_us_per_request", share.cpu_us_per_request),
        }
        rows.append({column: known(values[column]) for column in PROFILE_COLUMNS})
    return rows


def profile_stack_rows(analysis: ProfileAnalysis) -> list[dict[str, Any]]:
    """Rows of profile-stacks.csv: what was counted of a stack; None if unknown."""
    rows = []
    for each in analysis.stacks:
        values = {
            **_block(analysis),
            "stack": each.stack,
            "rounds": each.rounds,
            "samples": each.samples,
            "rate_hz": analysis.record.plan.rate_hz,
            "requests": each.requests,
            "errors": each.errors,
            **_limits("cpu_us_per_request", each.cpu_us_per_request),
            **_limits("voluntary_switches_per_request", each.voluntary_per_request),
            **_limits("involuntary_switches_per_request", each.involuntary_per_request),
            "speed_under_sampler": each.speed_under_sampler,
            "seen_share": each.seen,
            "cut_short": each.cut_short,
        }
        rows.append({column: known(values[column]) for column in PROFILE_STACK_COLUMNS})
    return rows


def _block(analysis: ProfileAnalysis) -> dict[str, str]:
    key = analysis.record.plan.block.key
    return {"scenario": key.scenario, "load": key.load}


def _limits(name: str, estimate: Estimate) -> Mapping[str, float]:
    return {name: estimate.value, f"{name}_low": estimate.low, f"{name}_high": estimate.high}


def write_profile_tables(folder: Path, analysis: ProfileAnalysis) -> None:
    """Write profile.csv and profile-stacks.csv; figures with six significant digits.

    Raises:
        ResultsUnwritable: A file can't be written.
    """
    for name, columns, rows in (
        ("profile.csv", PROFILE_COLUMNS, profile_rows(analysis)),
        ("profile-stacks.csv", PROFILE_STACK_COLUMNS, profile_stack_rows(analysis)),
    ):
        with replacing(folder / name) as file:
            file.write(as_csv(columns, rows).encode())
