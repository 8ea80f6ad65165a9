"""How a process that is ready to serve treats Python's garbage collector: leaves it alone, or freezes.

A setting decides. After `gc.freeze()`, the collector no longer walks the objects that were there
already: modules, classes, routes. What requests make is collected as before.
"""

from __future__ import annotations

import gc
from collections.abc import Callable, Mapping

from apps.settings import Settings

Ready = Callable[[], None]


def _nothing() -> None:
    pass


def _freeze() -> None:
    gc.collect()  # or garbage of the start would be kept for good
    gc.freeze()


COLLECTORS: Mapping[str, Ready] = {"default": _nothing, "freeze": _freeze}


def when_ready(settings: Settings) -> Ready:
    """What to call in the process that serves, once, when it is ready."""
    return settings.variant("collector", COLLECTORS, "default")
