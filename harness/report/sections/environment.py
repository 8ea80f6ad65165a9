"""What the run took place on, and how to repeat it."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Mapping, Sequence

from harness.models import FROM_PYTHON
from harness.report import formats
from harness.report.content import (
    DOCUMENTS,
    PAGE,
    Block,
    Bullets,
    Code,
    Command,
    Details,
    Facts,
    Link,
    Paragraph,
    Piece,
    Section,
)
from harness.report.view import View


def environment(view: View) -> Section:
    """The machine, the system and the versions of all packages."""
    facts = tuple(_facts(view.run.environment))
    packages = _packages(view.run.environment)
    blocks: list[Block] = [
        Facts(facts) if facts else Paragraph(("Nothing was recorded of the machine.",))
    ]
    if packages:
        listed = Bullets(packages, are_short=True)
        blocks.append(Details(f"{len(packages)} packages", (listed,), outputs=PAGE))
    return Section("environment", "Environment", tuple(blocks), "Environment", DOCUMENTS)


def repeat(view: View) -> Section:
    """The command of the run, and which files hold what."""
    run = view.run
    again: tuple[Piece, ...] = (
        "With ",
        Code(f"--seed {run.plan.seed}"),
        " added, the order of scenarios and slices is the same. ",
    )
    if "--seed" in run.command:
        again = ("The command names the seed, so the order of scenarios and slices is the same. ",)
    elif run.command == FROM_PYTHON:
        again = (
            "It was measured from Python. With ",
            Code(f"seed={run.plan.seed}"),
            ", the order of scenarios and slices is the same. ",
        )
    made_again = (
        Code(f"twinbench report {run.run_id}"),
        " makes this page again from the raw data.",
    )
    files = (
        "Beside this page: ",
        Link("summary.md", "summary.md"),
        " and the charts as SVG and PNG in ",
        Code("charts/"),
        ". In the run's folder: ",
        Code("run.json"),
        " (plan and environment), ",
        Code("journal.jsonl"),
        " (round by round), ",
        *_samples(run.thinned),
        Code("summary.csv"),
        " and ",
        Code("comparisons.csv"),
        " (the tables above).",
    )
    return Section(
        "repeat",
        "Repeat it",
        (Command(shlex.join(run.command)), Paragraph((*again, *made_again)), Paragraph(files)),
        "Repeat it",
        PAGE,
    )


def _samples(thinned: bool) -> tuple[Piece, ...]:
    """Where every request is."""
    if not thinned:
        return Code("samples/"), " (every request), "
    return (
        Code("samples.parquet"),
        " (every request; the run was thinned, so times are rounded to the microsecond, and status "
        "and size of replies are left out), ",
    )


def _packages(environment: Mapping[str, object]) -> tuple[str, ...]:
    found = environment.get("packages")
    if not isinstance(found, Mapping):
        return ()
    return tuple(
        f"{name} {version}"
        for name, version in sorted((str(name), str(version)) for name, version in found.items())
    )


def _facts(environment: Mapping[str, object]) -> Iterator[tuple[str, str]]:
    """Everything known of the machine but the packages: name and value."""
    for name, value in environment.items():
        if name != "packages":
            yield _named(name, value)


def _named(name: str, value: object) -> tuple[str, str]:
    """A fact in words; bytes as a reader counts them."""
    if name.endswith("_bytes"):
        said = _memory(value) if isinstance(value, int) else _value(value)
        return _spoken(name.removesuffix("_bytes")), said
    return _spoken(name), _value(value)


def _memory(size: int) -> str:
    """As in `23.5 GiB`."""
    gib = size / (1 << 30)
    if gib >= 1:
        return f"{formats.number(gib)}{formats.NBSP}GiB"
    return f"{formats.number(size / (1 << 20))}{formats.NBSP}MiB"


def _spoken(name: str) -> str:
    words = name.replace("_", " ")
    for plain, unit in ((" gib", " (GiB)"), (" mib", " (MiB)"), (" mhz", " (MHz)")):
        if words.endswith(plain):
            words = words.removesuffix(plain) + unit
    return words if words != words.lower() else {"cpu": "CPU"}.get(words, words.capitalize())


def _value(value: object) -> str:
    if value is None:
        return "none"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:,.6g}"
    if isinstance(value, Mapping):
        named = (_named(str(key), inner) for key, inner in value.items())
        return "; ".join(
            f"{name if name.isupper() else name.lower()}: {said}" for name, said in named
        )
    if isinstance(value, Sequence) and not isinstance(value, str):
        return ", ".join(_value(item) for item in value)
    return formats.clean(str(value))
