"""Executes a notebook's cells as a kernel does: `python -m tests.notebooks FILE` prints what was shown.

Cells run one after the other in one namespace, inside a running event loop, and the value of a cell's last
line is shown by its richest form. That is what a kernel does with them; a kernel itself would bring
some thirty packages.
"""

import ast
import asyncio
import base64
import json
import sys
from pathlib import Path
from typing import Any


def code_cells(notebook: Path) -> list[str]:
    """The code of a notebook, cell by cell."""
    cells = json.loads(notebook.read_text())["cells"]
    return ["".join(cell["source"]) for cell in cells if cell["cell_type"] == "code"]


def shown(value: Any) -> dict[str, str]:
    """MIME type -> what a notebook shows of a value."""
    found = {"text/plain": repr(value)}
    for method, kind in (("_repr_html_", "text/html"), ("_repr_markdown_", "text/markdown")):
        if (rich := getattr(value, method, lambda: None)()) is not None:
            found[kind] = rich
    if (picture := getattr(value, "_repr_png_", None)) is not None:
        found["image/png"] = base64.b64encode(picture()).decode()
    return found


def execute(cells: list[str]) -> list[dict[str, str] | None]:
    """Run cells; of each, what is shown of its last line. None: it is no expression."""
    namespace: dict[str, Any] = {"__name__": "__main__"}
    outputs: list[dict[str, str] | None] = []
    for number, source in enumerate(cells, 1):
        tree = ast.parse(source, f"cell {number}")
        last = tree.body.pop() if isinstance(tree.body[-1], ast.Expr) else None
        exec(compile(tree, f"cell {number}", "exec"), namespace)
        value = None
        if isinstance(last, ast.Expr):
            value = eval(compile(ast.Expression(last.value), f"cell {number}", "eval"), namespace)
        outputs.append(None if value is None else shown(value))
    return outputs


async def _in_a_loop(notebook: Path) -> None:
    outputs = execute(code_cells(notebook))
    print(json.dumps(outputs), file=sys.stderr)


if __name__ == "__main__":
    asyncio.run(_in_a_loop(Path(sys.argv[1])))
