"""twinbench as a library: two services in a test or a notebook, and a Comparison back.

    import twinbench

    comparison = twinbench.versus(
        "gunicorn shop.wsgi:app -b 127.0.0.1:{port}", "uvicorn shop.asgi:app --port {port}", get="/orders/7"
    )
    assert comparison.throughput.low > 0.9

docs/LIBRARY.md has all names with examples. What does the work is in harness/library.
"""

from harness import __version__
from harness.errors import (
    BadInput,
    EnvironmentFailed,
    LoadFailed,
    ResultsUnwritable,
    ServerFailed,
    ServiceFailed,
    TwinbenchError,
)
from harness.library.comparison import (
    Comparison,
    Figures,
    Pair,
    Promise,
    Ratio,
    ReplyDifference,
)
from harness.library.services import Request, Service
from harness.library.versus import versus
from harness.models import Estimate, Verdict

__all__ = [
    "BadInput",
    "Comparison",
    "EnvironmentFailed",
    "Estimate",
    "Figures",
    "LoadFailed",
    "Pair",
    "Promise",
    "Ratio",
    "ReplyDifference",
    "Request",
    "ResultsUnwritable",
    "ServerFailed",
    "Service",
    "ServiceFailed",
    "TwinbenchError",
    "Verdict",
    "__version__",
    "versus",
]
