"""What `twinbench check --json` says of services of the reader's own."""

from __future__ import annotations

from typing import Any

from harness.models import ParityFound


def parity_as_json(found: ParityFound) -> dict[str, Any]:
    """Whether the services agree, and every cause of differences with requests that show it."""
    return {
        "agree": found.agree,
        "services": [{"label": label, "url": url} for label, url in found.services.items()],
        "requests": found.requests,
        "unsent": found.unsent,
        "unanswered": found.unanswered,
        "causes": [
            {
                "kind": str(cause.kind),
                "other": cause.other,
                "cause": cause.cause,
                "requests": cause.requests,
                "examples": [
                    {
                        "request": example.request,
                        "detail": example.detail,
                        "curl": dict(example.curl),
                    }
                    for example in cause.examples
                ],
            }
            for cause in found.causes
        ],
        "lacking": [
            {
                "method": each.method,
                "path": each.path,
                "within": each.within,
                "lacking": each.lacking,
                "is_probed": each.is_probed,
            }
            for each in found.lacking
        ],
        "drawn": [
            {"place": each.place, "services": list(each.services), "requests": each.requests}
            for each in found.drawn
        ],
        "notes": list(found.notes),
    }
