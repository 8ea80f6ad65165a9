from pathlib import Path

import numpy as np
import pytest
from PIL import Image  # matplotlib writes its PNG files with it

from harness import store
from harness.models import Analysis
from tests import analyses
from tests.report.odd import ODD, THOROUGHLY
from tests.report.reading import Page, render, shown

pytestmark = pytest.mark.busy


@pytest.mark.parametrize("case", ["usual", "invalid", *THOROUGHLY])
def test_a_run_of_any_kind_makes_a_whole_report(
    case: str, whole: Analysis, rendered: dict[str, bytes], tmp_path: Path
) -> None:
    analysis = {"usual": whole, "invalid": analyses.with_invalid_cell(), **ODD}[case]
    files = store.write_report(
        tmp_path, rendered if analysis is whole else render(analysis, pixels=True)
    )
    assert all(path.stat().st_size > 0 for path in files)
    page = Page(files[0].read_text())
    assert not page.inside, "every element is closed"
    assert "nan" not in page.text.lower().split()
    assert shown(analysis, 80).strip()
    for path in files:
        if path.suffix == ".png":
            assert not drawn_at_the_edge(path), f"{path.name}: something is drawn up to the edge"


def drawn_at_the_edge(png: Path) -> bool:
    pixels = np.asarray(Image.open(png).convert("RGB"))
    edges = (pixels[:3], pixels[-3:], pixels[:, :3], pixels[:, -3:])
    return any((edge != 255).any() for edge in edges)
