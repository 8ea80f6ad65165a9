"""The twins' code, side by side: what it costs to write is half of the choice."""

from __future__ import annotations

from collections.abc import Sequence

from pygments import highlight
from pygments.formatters import HtmlFormatter
from pygments.lexers import PythonLexer

from harness.analysis.code_lines import code_lines
from harness.models import CodePart, SourceFile
from harness.report import formats
from harness.report.content import (
    DOCUMENTS,
    PAGE,
    Block,
    Cell,
    Column,
    Details,
    Listing,
    Listings,
    Row,
    Section,
    Table,
    note,
)
from harness.report.view import TWINS, View

_LEXER = PythonLexer()
_FORMATTER = HtmlFormatter(nowrap=True)


def side_by_side(view: View, parts: Sequence[CodePart]) -> Section | None:
    """Both twins' files of what the run's scenarios request, with lines of code counted."""
    measured = {stack.twin for stack in view.stacks.values()}
    twins = [twin for twin in TWINS if twin in measured and any(part.of(twin) for part in parts)]
    if len(twins) < 2:
        return None
    blocks: list[Block] = [
        _table(parts, twins),
        note(
            "Lines of code: without comments, blank lines and docstrings. Shared files have no sum: they "
            "serve all endpoints, those that this run did not request too, and hold the variants of all "
            "stacks (HTTP clients, drivers, kinds of handler), more than an application needs that has "
            "chosen one of each. FastAPI describes its endpoints where they are, Flask in the file of its "
            "OpenAPI document. The code is that of the twinbench that wrote this page."
        ),
    ]
    blocks += [
        Details(
            _summary(part, twins),
            (Listings(tuple(tuple(map(_listing, part.of(twin))) for twin in twins)),),
            outputs=PAGE,
        )
        for part in parts
    ]
    return Section("code", "The code side by side", tuple(blocks), "Code", DOCUMENTS)


def _table(parts: Sequence[CodePart], twins: Sequence[str]) -> Table:
    features = [part for part in parts if part.endpoints]
    rows = [_row(part.name, ", ".join(part.endpoints), [part], twins) for part in features]
    if len(features) > 1:
        rows.append(_row("together", "", features, twins, is_sum=True))
    rows += [_row(part.name, "shared", [part], twins) for part in parts if not part.endpoints]
    return Table(
        "lines of code",
        (
            Column("Part"),
            Column("Endpoints"),
            *(Column(f"{TWINS[twin]}, lines", is_number=True) for twin in twins),
        ),
        tuple(rows),
        is_dense=False,
    )


def _row(
    name: str,
    endpoints: str,
    parts: Sequence[CodePart],
    twins: Sequence[str],
    *,
    is_sum: bool = False,
) -> Row:
    counts = [lines(parts, twin) for twin in twins]
    return Row(
        (
            Cell(name, is_strong=True),
            Cell(endpoints),
            *(Cell(f"{count:,}", count, is_strong=is_sum) for count in counts),
        )
    )


def lines(parts: Sequence[CodePart], twin: str) -> int:
    """Lines of code of one twin in some parts."""
    return sum(code_lines(file.text) for part in parts for file in part.of(twin))


def _summary(part: CodePart, twins: Sequence[str]) -> str:
    counts = [f"{TWINS[twin]} {formats.plural(lines([part], twin), 'line')}" for twin in twins]
    named = f" ({', '.join(part.endpoints)})" if part.endpoints else ""
    return f"{part.name}{named}: {', '.join(counts)}"


def _listing(file: SourceFile) -> Listing:
    return Listing(file.path, highlight(file.text, _LEXER, _FORMATTER))
