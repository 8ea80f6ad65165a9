"""index.html: the whole report in one file that needs no other and no script."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from harness.models import Analysis, Verdict
from harness.report import formats, outline, resources, sentences, tables
from harness.report.captions import Caption

_TEMPLATES = Path(__file__).parent / "templates"


@dataclass(frozen=True, slots=True)
class _Figure:
    name: str
    caption: Caption
    svg: Markup


def page(analysis: Analysis, captions: Mapping[str, Caption], svgs: Mapping[str, str]) -> str:
    """The page as HTML.

    Args:
        analysis: what is reported.
        captions: chart name -> the words around it.
        svgs: chart name -> SVG element without heading, with ids of its own.
    """
    environment = Environment(
        loader=FileSystemLoader(_TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    run = analysis.run
    figures = [
        _Figure(name, captions[name], Markup(svg))  # our own drawing, escaped where it was made
        for name, svg in svgs.items()
    ]
    return environment.get_template("page.html.j2").render(
        title=sentences.title(analysis),
        run=run,
        summary=_summary(analysis),
        when=_when(run.started, run.ended),
        answers=sentences.answers(analysis),
        surprises=sentences.surprises(analysis),
        forest=next(figure for figure in figures if figure.name == "ratios"),
        waterfall=next((figure for figure in figures if figure.name == "waterfall"), None),
        attribution=sentences.attribution(analysis),
        steps=tables.step_rows(analysis),
        ladder_note=sentences.LADDER_NOTE,
        figures=[figure for figure in figures if figure.name not in ("ratios", "waterfall")],
        metrics=list(outline.metrics(analysis).values()),
        pairs=tables.pair_rows(analysis),
        percentiles=list(tables.PERCENTILES.values()),
        cells=tables.cell_rows(analysis),
        starts_note=sentences.starts_note(analysis),
        schedules=tables.schedule_rows(analysis),
        schedule_note=sentences.SCHEDULE_NOTE,
        usages=resources.usage_rows(analysis),
        usage_note=resources.USAGE_NOTE,
        harness=resources.harness_words(analysis),
        starts=resources.start_rows(analysis),
        start_note=resources.START_NOTE,
        gates=tables.gate_rows(analysis),
        efforts=tables.effort_rows(analysis),
        stacks=run.plan.stacks,
        method=sentences.method(analysis),
        unequal=sentences.unequal(analysis),
        limits=sentences.limits(analysis),
        environment=list(_facts(run.environment)),
        packages=_packages(run.environment),
        command=shlex.join(run.command),
        names_seed="--seed" in run.command,
        signs={str(verdict): sign for verdict, sign in tables.SIGNS.items()},
        invalid=str(Verdict.INVALID),
    )


def _summary(analysis: Analysis) -> str:
    """What the run consists of, in one line."""
    run = analysis.run
    scenarios = formats.plural(len({block.scenario.name for block in run.blocks}), "scenario")
    stacks = formats.plural(len(run.plan.stacks), "stack")
    return f"{scenarios}, {stacks}, {outline.rounds_words(analysis)} of fresh processes"


def _when(started: str, ended: str | None) -> str:
    """When it ran, as in `1 April 2026, 10:20 to 10:41 UTC`; as recorded if it can't be read."""
    try:
        first = datetime.fromisoformat(started).astimezone(UTC)
        last = datetime.fromisoformat(ended).astimezone(UTC) if ended else None
    except ValueError:
        return f"{started} to {ended}" if ended else f"{started}, cut off before its end"
    day = f"{first.day} {first:%B %Y, %H:%M}"
    if last is None:
        return f"{day} UTC, cut off before its end"
    same_day = first.date() == last.date()
    return f"{day} to {last:%H:%M} UTC" if same_day else f"{day} to {last.day} {last:%B, %H:%M} UTC"


def _packages(environment: Mapping[str, object]) -> list[tuple[str, str]]:
    found = environment.get("packages")
    if not isinstance(found, Mapping):
        return []
    return sorted((str(name), str(version)) for name, version in found.items())


def _facts(environment: Mapping[str, object]) -> Iterator[tuple[str, str]]:
    """Everything known of the machine but the packages: name and value."""
    for name, value in environment.items():
        if name != "packages":
            yield _spoken(name), _value(value)


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
        return "; ".join(f"{_spoken(str(k)).lower()}: {_value(v)}" for k, v in value.items())
    if isinstance(value, Sequence) and not isinstance(value, str):
        return ", ".join(_value(item) for item in value)
    return formats.clean(str(value))
