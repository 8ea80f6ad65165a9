"""The section on how replies of the reader's own services differ."""

from io import StringIO
from types import SimpleNamespace
from typing import Any

import pytest
from rich.console import Console

from harness.report.content import Paragraph, Table
from harness.report.sections.replies import replies
from harness.report.terminal import Terminal


def view(*cells: tuple[str, tuple[str, ...], tuple[str, ...]]) -> Any:
    """A run whose cells have differences: of their work, and of their words."""
    block = SimpleNamespace(scenario=SimpleNamespace(requests=("GET /",)))
    found = [SimpleNamespace(stack=name, parity=work, differences=say) for name, work, say in cells]
    return SimpleNamespace(
        run=SimpleNamespace(blocks=[block], rounds=[SimpleNamespace(cells=found)])
    )


@pytest.mark.parametrize(
    ("cells", "said"),
    [
        ([("b", (), ("GET /: other text",))], "Each service answered with the same status"),
        ([("b", ("before: GET /: 404",), ())], "Since b does something else, its figures"),
        (
            [("b", ("GET /: 404",), ()), ("c", ("GET /: 500",), ("GET /x: text",))],
            "Since b and c do something else, their figures are not compared",
        ),
    ],
)
def test_it_is_said_whether_figures_are_compared(cells: Any, said: str) -> None:
    section = replies(view(*cells))
    assert section is not None
    _, after = section.blocks
    assert isinstance(after, Paragraph)
    assert said in str(after.pieces[0])


def test_a_narrow_terminal_shows_every_column_and_the_whole_difference() -> None:
    section = replies(view(("prometheus-asgi", (), (f"GET /metrics: {'much ' * 40}end",))))
    assert section is not None
    console = Console(width=80, record=True, file=StringIO())
    console.print(Terminal((section,)))
    shown = console.export_text()
    for word in ("Service", "What", "prometheus", "something", "end"):
        assert word in shown


def test_of_very_many_differences_the_first_are_shown_and_the_others_counted() -> None:
    section = replies(view(("b", (), tuple(f"GET /{number}: text" for number in range(30)))))
    assert section is not None
    table, after = section.blocks
    assert isinstance(table, Table)
    assert len(table.rows) == 12
    assert isinstance(after, Paragraph)
    assert "And 18\N{NO-BREAK SPACE}further differences." in str(after.pieces[0])


def test_what_a_service_does_comes_before_what_it_says() -> None:
    section = replies(
        view(("b", (), ("GET /: text",)), ("c", ("before: GET /: status 404 instead of 200",), ()))
    )
    assert section is not None
    table = section.blocks[0]
    assert isinstance(table, Table)
    assert [row.cells[0].text for row in table.rows] == ["c", "b"]
