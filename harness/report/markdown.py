"""summary.md: the answers, the tables and the charts for a repository's own pages."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence

from harness.models import Analysis, Verdict
from harness.report import formats, outline, resources, sentences
from harness.report.captions import Caption
from harness.report.tables import (
    PERCENTILES,
    Measure,
    Ratio,
    cell_rows,
    gate_rows,
    pair_rows,
    schedule_rows,
    step_rows,
)

_SPECIAL = re.compile(r"[\\`*_<>|~$]|(?<=\])\(")


def summary(analysis: Analysis, captions: Mapping[str, Caption]) -> str:
    """The report as Markdown, with the charts beside it in `charts/`."""
    return "\n".join(_lines(analysis, captions)) + "\n"


def _lines(analysis: Analysis, captions: Mapping[str, Caption]) -> Iterator[str]:
    yield f"# {_text(sentences.title(analysis))}"
    yield ""
    yield f"Run `{analysis.run.run_id}`, started {_text(analysis.run.started)}."
    yield ""
    yield "## Answers"
    yield ""
    for answer in sentences.answers(analysis):
        yield from (f"- {_text(finding.text)}" for finding in answer.findings)
    yield ""
    surprises = sentences.surprises(analysis)
    if surprises:
        yield from _section("Worth a second look", surprises)
    yield f"![{_text(captions['ratios'].title)}](charts/ratios.svg)"
    yield ""
    yield "## Comparisons"
    yield ""
    yield from _pairs(analysis)
    yield ""
    yield from _steps(analysis, captions)
    yield "## Cells"
    yield ""
    yield from _cells(analysis)
    yield ""
    if note := sentences.starts_note(analysis):
        yield _text(note)
        yield ""
    yield from _schedules(analysis)
    yield "## Charts"
    yield ""
    for name, caption in captions.items():
        if name not in ("ratios", "waterfall"):
            yield f"![{_text(caption.title)}](charts/{name}.svg)"
            yield ""
    yield from _resources(analysis)
    yield from _gates(analysis)
    yield from _section("How it was measured", sentences.method(analysis))
    unequal = sentences.unequal(analysis)
    if unequal:
        yield from _section("What could not be made equal", unequal)
    yield from _section("What these figures can't say", sentences.limits(analysis))


def _section(heading: str, items: Iterable[str]) -> Iterator[str]:
    yield f"## {heading}"
    yield ""
    yield from (f"- {_text(item)}" for item in items)
    yield ""


def _pairs(analysis: Analysis) -> Iterator[str]:
    rows = pair_rows(analysis)
    if not rows:
        yield "There is nothing to compare."
        return
    yield from _table_head(
        ["Scenario", "Load", "Rounds", "Candidate ÷ baseline", *outline.metrics(analysis).values()],
        right=4,
    )
    for row in rows:
        pair = f"{row.candidate} ÷ {row.baseline}"
        ratios = [_ratio(ratio) for ratio in row.ratios]
        if row.why_invalid:
            ratios[0] = f"invalid: {row.why_invalid}"
        yield _row([row.scenario, row.load, row.rounds, pair, *ratios])


def _steps(analysis: Analysis, captions: Mapping[str, Caption]) -> Iterator[str]:
    rows = step_rows(analysis)
    if "waterfall" not in captions:
        return
    yield "## From Flask to FastAPI, step by step"
    yield ""
    yield f"![{_text(captions['waterfall'].title)}](charts/waterfall.svg)"
    yield ""
    for answer in sentences.attribution(analysis):
        yield f"- {_text(' '.join(finding.text for finding in answer.findings))}"
    yield ""
    if rows:
        headings = ["Scenario", "Step", "After ÷ before", *outline.metrics(analysis).values()]
        yield from _table_head(headings, right=3)
    for row in rows:
        ratios = [_ratio(ratio) for ratio in row.ratios]
        if row.why_invalid:
            ratios[0] = f"invalid: {row.why_invalid}"
        yield _row([row.scenario, row.words, f"{row.after} ÷ {row.before}", *ratios])
    yield ""
    yield _text(sentences.LADDER_NOTE)
    yield ""


def _ratio(ratio: Ratio | None) -> str:
    if ratio is None:
        return formats.NOTHING
    if ratio.verdict is Verdict.INVALID:
        return str(ratio.verdict)
    return f"{ratio.figure} {ratio.interval} {ratio.verdict}"


def _cells(analysis: Analysis) -> Iterator[str]:
    rows = cell_rows(analysis)
    if not rows:
        yield "No round has finished."
        return
    yield from _table_head(
        [
            "Scenario",
            "Stack",
            "Load",
            "Rounds",
            "Requests",
            "Errors",
            "Requests/s",
            "p50 ms",
            "p90 ms",
            "p99 ms",
            "p99.9 ms",
            "CPU µs",
            "PSS MiB",
            "Valid",
        ],
        right=3,
    )
    for row in rows:
        yield _row(
            [
                row.scenario,
                row.stack,
                row.load,
                f"{row.rounds:,}",
                row.requests,
                row.errors,
                _measure(row.throughput),
                *map(_measure, row.latency),
                _measure(row.cpu),
                row.pss,
                "yes" if row.valid else f"invalid: {row.reason}",
            ]
        )


def _schedules(analysis: Analysis) -> Iterator[str]:
    rows = schedule_rows(analysis)
    if not rows:
        return
    yield "### Open load: how the schedule was kept"
    yield ""
    yield from _table_head(
        [
            "Scenario",
            "Stack",
            "Offered/s",
            "Achieved/s",
            *(f"Service {name} ms" for name in PERCENTILES.values()),
            "Lag p99 ms",
            "Late",
            "Starved",
            "Never sent",
            "Valid",
        ],
        right=2,
    )
    for row in rows:
        yield _row(
            [
                row.scenario,
                row.stack,
                row.offered,
                row.achieved,
                *map(_measure, row.service),
                row.lag,
                row.late,
                row.starved,
                row.never_sent,
                "yes" if row.valid else "invalid",
            ]
        )
    yield ""
    yield _text(sentences.SCHEDULE_NOTE)
    yield ""


def _resources(analysis: Analysis) -> Iterator[str]:
    used, starts = resources.usage_rows(analysis), resources.start_rows(analysis)
    if not used and not starts:
        return
    yield "## Who used what"
    yield ""
    if used:
        yield from _table_head(
            ["Scenario", "Who", "CPU of a core", "PSS MiB", "Threads", "Context switches"], right=2
        )
        for row in used:
            who = row.who if row.valid else f"{row.who} (invalid)"
            yield _row([row.scenario, who, row.cpu, row.pss, row.threads, row.switches])
        yield ""
        yield f"{_text(resources.USAGE_NOTE)} {_text(resources.harness_words(analysis))}"
        yield ""
    if starts:
        yield from _table_head(["Stack", "Start-up", "Quickest to slowest"], right=1)
        for start in starts:
            yield _row([start.stack, start.median, start.span])
        yield ""
        yield _text(resources.START_NOTE)
        yield ""


def _gates(analysis: Analysis) -> Iterator[str]:
    rows = gate_rows(analysis)
    if not rows:
        return
    yield "## Gates"
    yield ""
    yield from _table_head(["Gate", "Bound", "Cells that passed"], right=3)
    for row in rows:
        yield _row([row.gate, row.bound, row.passed])
    yield ""


def _measure(measure: Measure) -> str:
    return f"{measure.figure} {measure.interval}"


def _table_head(headings: Sequence[str], right: int) -> Iterator[str]:
    """Heading and rule; columns from `right` on are set to the right but for the last."""
    yield _row(headings)
    rules = [
        "---:" if right <= place < len(headings) - 1 else "---" for place in range(len(headings))
    ]
    yield f"| {' | '.join(rules)} |"


def _row(values: Iterable[str]) -> str:
    return f"| {' | '.join(_text(value) for value in values)} |"


def _text(words: str) -> str:
    """Text from data so that it stays text in Markdown."""
    return _SPECIAL.sub(r"\\\g<0>", words.replace("\n", " "))
