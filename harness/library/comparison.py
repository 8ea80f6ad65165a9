"""What a comparison of services came to, for a caller in Python."""

from __future__ import annotations

import html
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from harness.errors import BadInput
from harness.models import (
    ROUNDS_FOR_A_VERDICT,
    Analysis,
    CellSummary,
    Estimate,
    FailOutcome,
    Verdict,
)
from harness.models import Comparison as ComparedMetric

if TYPE_CHECKING:
    from matplotlib.figure import Figure as Drawing

    from harness.report.view import Pair as ReportPair
    from harness.report.view import Part

T = TypeVar("T")

_NAN = math.nan


@dataclass(frozen=True, slots=True)
class Ratio:
    """A figure of the candidate ÷ that of the baseline, with its 95 % interval.

    Where there is no ratio, its numbers are NaN, so that no assertion about them holds.
    """

    value: float = _NAN
    low: float = _NAN  # NaN too where there are too few rounds for an interval
    high: float = _NAN
    #: Of the candidate, in the report's words; None: the metric was not compared.
    verdict: Verdict | None = None
    rounds: int = 0

    def __str__(self) -> str:
        """As in `0.93 × (0.91 to 0.96), slower`."""
        if self.verdict is None:
            return "not compared"
        if not math.isfinite(self.value):
            return str(self.verdict)
        from harness.report import formats

        limits = formats.ratio_limits(self.value, self.low, self.high)
        few = self.verdict is Verdict.INCONCLUSIVE and self.rounds < ROUNDS_FOR_A_VERDICT
        verdict = (
            f"not judged: {self.rounds} of {ROUNDS_FOR_A_VERDICT} rounds" if few else self.verdict
        )
        return _plain(f"{formats.ratio(self.value)} ({limits}), {verdict}")


@dataclass(frozen=True, slots=True)
class Pair:
    """A candidate beside the baseline, under one load."""

    baseline: str
    candidate: str
    load: str  # "closed-8": 8 users; "open-poisson-200": 200 requests per second
    throughput: (
        Ratio  # requests per second; not compared under open load, where the schedule decides
    )
    p50: Ratio  # median latency
    p99: Ratio
    cpu: Ratio  # CPU time per request; not compared where a service can't be metered
    text: str  # what came out, in one sentence of the report

    def __str__(self) -> str:
        return self.text


@dataclass(frozen=True, slots=True)
class Figures:
    """What a service came to by itself, under one load."""

    service: str
    load: str
    throughput_rps: Estimate
    p50_ms: Estimate
    p99_ms: Estimate
    cpu_us_per_request: Estimate  # NaN where a service can't be metered, as the next
    memory_mib: float
    requests: int
    errors: int
    rounds: int
    valid: bool
    reason: str  # why it is not valid; empty if it is


@dataclass(frozen=True, slots=True)
class ReplyDifference:
    """How a service's replies differed from the baseline's."""

    service: str
    same_work: bool  # whether both served the request; if not, their figures are not compared
    text: str


@dataclass(frozen=True, slots=True)
class Promise:
    """What became of a condition of `fail_if`, for a candidate under one load."""

    condition: str  # "throughput<0.95"
    candidate: str
    load: str
    outcome: FailOutcome  # "kept", "broken" or "inconclusive"
    text: str  # with the figure that decided it


@dataclass(frozen=True, slots=True, repr=False)
class Comparison:
    """What was measured of services beside each other. The first service is the baseline."""

    run: Path  # its folder: raw data, tables
    pairs: tuple[Pair, ...]  # every candidate under every load
    figures: tuple[Figures, ...]  # every service under every load
    differences: tuple[ReplyDifference, ...]
    promises: tuple[Promise, ...]  # of `fail_if`
    notes: tuple[str, ...]  # on requests that were left out, and on the run
    _analysis: Analysis = field(compare=False)

    @property
    def report(self) -> Path:
        """The page, which needs no other file."""
        return self.run / "report" / "index.html"

    @property
    def valid(self) -> bool:
        """Whether every figure can be believed."""
        return self._analysis.valid

    @property
    def reasons(self) -> tuple[str, ...]:
        """Why figures can't be believed; empty if they can."""
        return tuple(
            _plain(f"{cell.stack} ({cell.load}): {cell.reason}")
            for cell in self._analysis.cells
            if not cell.valid
        )

    @property
    def kept(self) -> bool:
        """Whether there are promises, and every one is kept: none is broken or undecided."""
        outcomes = {each.outcome for each in self.promises}
        return outcomes == {FailOutcome.KEPT}

    @property
    def throughput(self) -> Ratio:
        """Requests per second of the only pair; as the next, refused where there are several."""
        return self._only.throughput

    @property
    def p50(self) -> Ratio:
        """Median latency of the only pair."""
        return self._only.p50

    @property
    def p99(self) -> Ratio:
        """p99 latency of the only pair."""
        return self._only.p99

    @property
    def cpu(self) -> Ratio:
        """CPU time per request of the only pair."""
        return self._only.cpu

    def pair(self, candidate: str | None = None, load: str | None = None) -> Pair:
        """The pair of a candidate under a load; either may be left out where there is but one.

        Raises:
            BadInput: There is no such pair, or there are several.
        """
        named = [(pair.candidate, pair.load, pair) for pair in self.pairs]
        return _one("pair", candidate, load, named)

    def of(self, service: str, load: str | None = None) -> Figures:
        """What a service came to by itself; the load may be left out where there is but one.

        Raises:
            BadInput: There is no such service or load, or there are several loads.
        """
        return _one(
            "service", service, load, [(each.service, each.load, each) for each in self.figures]
        )

    @property
    def _only(self) -> Pair:
        return self.pair()

    def summary(self) -> str:
        """What came out, in a sentence for each pair."""
        sentences = [pair.text for pair in self.pairs]
        if reasons := self.reasons:
            sentences.append(f"Not valid: {'; '.join(reasons)}.")
        return " ".join(sentences)

    def __str__(self) -> str:
        """The sentences, differences of replies, and where the report is."""
        return "\n".join(
            [
                *(pair.text for pair in self.pairs),
                *(f"not valid: {reason}" for reason in self.reasons),
                *(f"{each.service}: {each.text}" for each in self.differences),
                *(each.text for each in self.promises),
                f"report: {self.report}",
            ]
        )

    def __repr__(self) -> str:
        return f"<Comparison: {self.summary()}>"

    def to_dict(self) -> dict[str, Any]:
        """What `twinbench versus --json` prints of it; docs/schema/run.json describes it."""
        from harness import store
        from harness.library.json_values import finite

        rows = store.analysis_as_json(self._analysis)
        whole: dict[str, Any] = finite({"run": str(self.run), "report": str(self.report), **rows})
        return whole

    def plot(self, chart: str = "ratios") -> Drawing:
        """One of the report's charts, as a figure of matplotlib.

        Args:
            chart: "ratios", "throughput", "latency", "cpu", "memory", "timeline"; of three loads or
                more "curves" and "tradeoff".

        Raises:
            UnknownName: The report has no such chart, or nothing to show in it.
        """
        from harness.report import chart_of

        return chart_of(self._analysis, chart)

    def _repr_markdown_(self) -> str:
        """For notebooks and pull requests."""
        from harness.report import pull_request

        return pull_request(self._analysis)

    def _repr_html_(self) -> str:
        """For notebooks: the sentences, the ratios, and where the report is."""
        head = ("candidate ÷ baseline", "load", "requests/s", "p50", "p99", "CPU per request")
        rows = (
            (
                f"{pair.candidate} ÷ {pair.baseline}",
                pair.load,
                *map(str, (pair.throughput, pair.p50, pair.p99, pair.cpu)),
            )
            for pair in self.pairs
        )
        lines = str(self).splitlines()
        return (
            f"<table><thead>{_row('th', head)}</thead>"
            f"<tbody>{''.join(_row('td', row) for row in rows)}</tbody></table>"
            f"<p>{'<br>'.join(map(html.escape, lines))}</p>"
        )


def comparison_of(run: Path, analysis: Analysis, notes: Sequence[str] = ()) -> Comparison:
    """What a run came to.

    Args:
        run: Its folder.
        analysis: What follows from its raw data.
        notes: On what was requested.
    """
    from harness.report.sections.replies import differing
    from harness.report.view import View
    from harness.report.words.promises import sentence, worst_first

    view = View(analysis)
    return Comparison(
        run=run,
        pairs=tuple(_pair(part, pair) for part in view.parts for pair in part.pairs),
        figures=tuple(map(_figures, analysis.cells)),
        differences=tuple(
            ReplyDifference(each.stack, each.same_work, _plain(each.text))
            for each in differing(view)
        ),
        promises=tuple(
            Promise(
                each.condition.text, each.candidate, each.load, each.outcome, _plain(sentence(each))
            )
            for each in worst_first(analysis.fail_ifs)
        ),
        notes=(*notes, *analysis.run.notes),
        _analysis=analysis,
    )


def _one(kind: str, name: str | None, load: str | None, known: Sequence[tuple[str, str, T]]) -> T:
    found = [each for of, at, each in known if name in (of, None) and load in (at, None)]
    if len(found) == 1:
        return found[0]
    names = ", ".join(f"{of} ({at})" for of, at, _ in known)
    asked = " ".join(filter(None, (name, load)))
    if found:
        raise BadInput(
            f"there are several {kind}s{f' {asked}' if asked else ''}: say which of {names}"
        )
    raise BadInput(f"there is no {kind} {asked}: there are {names or 'none'}")


def _pair(part: Part, pair: ReportPair) -> Pair:
    of = pair.comparisons
    return Pair(
        baseline=pair.baseline,
        candidate=pair.candidate,
        load=part.plan.load.label,
        throughput=_ratio(of.get("throughput_rps")),
        p50=_ratio(of.get("latency_p50_ms")),
        p99=_ratio(of.get("latency_p99_ms")),
        cpu=_ratio(of.get("cpu_us_per_request")),
        text=_sentence(part, pair),
    )


def _sentence(part: Part, pair: ReportPair) -> str:
    from harness.report.words.ratios import compared

    decides = pair.comparisons.get(part.headline.key)
    where = f"{part.load_name}: " if part.load_name else ""
    if decides is None:
        words = (
            f"{pair.candidate} is not compared with {pair.baseline}: {part.why_not_compared(pair)}."
        )
    else:
        words = compared(part, pair, decides)
    return _plain(f"{where}{words}")


def _ratio(compared: ComparedMetric | None) -> Ratio:
    from harness.report.view import has_ratio

    if compared is None:
        return Ratio()
    if not has_ratio(compared):
        return Ratio(verdict=compared.verdict, rounds=compared.rounds)
    return Ratio(
        compared.ratio, compared.ci_low, compared.ci_high, compared.verdict, compared.rounds
    )


def _figures(cell: CellSummary) -> Figures:
    unknown = Estimate(_NAN, _NAN, _NAN)
    return Figures(
        service=cell.stack,
        load=cell.load,
        throughput_rps=cell.throughput_rps,
        p50_ms=cell.latency_ms.get("p50", unknown),
        p99_ms=cell.latency_ms.get("p99", unknown),
        cpu_us_per_request=cell.cpu_us_per_request,
        memory_mib=cell.pss_mib,
        requests=cell.requests,
        errors=cell.errors,
        rounds=cell.rounds,
        valid=cell.valid,
        reason=_plain(cell.reason),
    )


def _plain(words: str) -> str:
    """Words of the report with ordinary blanks, for a terminal or an assertion."""
    return words.replace("\N{NO-BREAK SPACE}", " ")


def _row(tag: str, texts: Sequence[str]) -> str:
    cells: Iterator[str] = (f"<{tag}>{html.escape(text)}</{tag}>" for text in texts)
    return f"<tr>{''.join(cells)}</tr>"
