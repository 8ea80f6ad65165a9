"""If a run ends early, says how to go on with what was measured."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def keeping(folder: Path, *, remove_empty: bool = True, resumable: bool = True) -> Iterator[None]:
    """If something ends the block early, say how to go on with what was measured.

    Args:
        folder: The run's.
        remove_empty: Whether to remove a run that has measured nothing.
        resumable: Whether `run --resume` can go on with the run.
    """
    from harness import store
    from harness.processes.interrupts import interrupts

    try:
        yield
    except BaseException as error:
        interrupts.acknowledge()
        rounds = store.count_rounds(folder)
        if rounds:
            error.add_note(
                f"kept what was measured ({rounds} round{'s' if rounds > 1 else ''}, the last may be "
                f"incomplete): 'twinbench report {folder}' shows it"
                + (f", 'twinbench run --resume {folder}' goes on" if resumable else "")
            )
        elif remove_empty:
            store.remove_run(folder)
        raise
