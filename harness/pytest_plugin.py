"""A plugin for pytest, which finds it by its entry point: the fixture `versus`.

It is loaded with every start of pytest, in projects that never use it too: so it imports nothing.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from pathlib import Path

    from twinbench import Comparison


@pytest.fixture
def versus(request: pytest.FixtureRequest, tmp_path: Path) -> Callable[..., Comparison]:
    """Measure services beside each other: `twinbench.versus` with results below `tmp_path`.

    What came out is shown when the test fails.
    """

    def measured(*services: Any, **options: Any) -> Comparison:
        import twinbench

        comparison = twinbench.versus(*services, **{"out": tmp_path / "twinbench", **options})
        request.node.add_report_section("call", "twinbench", str(comparison))
        return comparison

    return measured
