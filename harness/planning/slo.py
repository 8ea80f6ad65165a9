"""The text of a promise -> an Slo."""

from __future__ import annotations

import math
import re

from harness.errors import BadInput
from harness.models import PROMISED, LatencyBound, Slo

_EXAMPLE = "--slo 'p99<100ms,errors<0.1%'"
_LATENCY = re.compile(r"(p50|p90|p99|p999)\s*<\s*([0-9.]+)\s*(ms|s)", re.IGNORECASE)
_ERRORS = re.compile(r"errors\s*<\s*([0-9.]+)\s*%", re.IGNORECASE)
#: A request without a reply after ten seconds has failed, so that no percentile can be beyond.
MAX_LATENCY_MS = 5_000.0


def parse_slo(text: str) -> Slo:
    """Read a promise such as `p99<100ms,errors<0.1%`.

    Raises:
        BadInput: It can't be read, or makes no sense.
    """
    latency: dict[str, LatencyBound] = {}
    errors: float | None = None
    for part in text.split(","):
        part = part.strip()
        if found := _LATENCY.fullmatch(part):
            percentile = found[1].lower()
            if percentile in latency:
                raise _refused(text, f"{percentile} is bounded twice")
            below_ms = _number(text, found[2]) * (1_000 if found[3].lower() == "s" else 1)
            if not 0 < below_ms <= MAX_LATENCY_MS:
                raise _refused(text, f"a latency is more than 0 and at most {MAX_LATENCY_MS:g} ms")
            latency[percentile] = LatencyBound(percentile, below_ms)
        elif found := _ERRORS.fullmatch(part):
            if errors is not None:
                raise _refused(text, "errors are bounded twice")
            errors = _number(text, found[1]) / 100
            if not 0 < errors < 1:
                raise _refused(text, "a share of errors is more than 0 % and less than 100 %")
        else:
            known = ", ".join(PROMISED)
            raise _refused(text, f"'{part}' is no bound on {known} or errors")
    ordered = tuple(latency[name] for name in PROMISED if name in latency)
    return Slo(ordered, errors)


def _number(text: str, digits: str) -> float:
    try:
        number = float(digits)
    except ValueError:
        number = math.nan
    if not math.isfinite(number):
        raise _refused(text, f"'{digits}' is no number")
    return number


def _refused(text: str, why: str) -> BadInput:
    return BadInput(f"--slo '{text}': {why}; write it like {_EXAMPLE}")
