"""Published figures beside the nearest ratios of the run."""

from __future__ import annotations

from harness.models import BesidePublished
from harness.report import formats
from harness.report.content import DOCUMENTS, Block, Cell, Column, Row, Section, Table, note
from harness.report.metrics import COMPARED
from harness.report.sections import figures
from harness.report.view import View
from harness.report.words.published import PUBLISHED_NOTE, left_out

_COLUMNS = (
    Column("Source"),
    Column("Test"),
    Column("Flask", is_number=True),
    Column("FastAPI", is_number=True),
    Column("FastAPI ÷ Flask, published", is_number=True),
    Column("Nearest here"),
    Column("Measured here", is_number=True),
    Column("What differs"),
)


def published(view: View) -> Section | None:
    """A row for each published figure with a counterpart; None without any."""
    found = view.analysis.published
    if found is None or not found.rows:
        return None
    said = left_out(found)
    blocks: tuple[Block, ...] = (
        note(PUBLISHED_NOTE),
        Table("published figures", _COLUMNS, tuple(map(_row, found.rows)), is_dense=False),
        *((note(said),) if said else ()),
    )
    return Section("published", "Versus published", blocks, "Versus published", DOCUMENTS)


def _row(made: BesidePublished) -> Row:
    figure = made.published
    return Row(
        (
            Cell(figure.source, aside=(figure.setup,)),
            Cell(figure.test, aside=(COMPARED[figure.metric].name, *filter(None, (figure.note,)))),
            figures.number(figure.flask),
            figures.number(figure.fastapi),
            Cell(formats.ratio(figure.ratio), figure.ratio),
            Cell(
                f"{figure.scenario}: {figure.candidate} ÷ {figure.baseline}",
                aside=(formats.clean(made.reason),) if made.reason else (),
                link="ratios",
            ),
            _measured(made),
            Cell(figure.differs),
        )
    )


def _measured(made: BesidePublished) -> Cell:
    return figures.ratio_estimate(made.ratio) if made.ratio else Cell("can't be used")
