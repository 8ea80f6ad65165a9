"""WebSockets that stay open: the client sends a message, and the server echoes it with a number."""

from apps import contract
from harness.load.users import ScenarioUser


class Live(ScenarioUser):
    """WS /live. A message and its echo count as one request.

    The connections are opened in the warm-up and stay open until the block ends, also while other
    stacks have their turn. Each connection sends its next message when the last echo has come. An
    echo that is missing, wrong or late is a loss, and so is a connection that can't be opened or
    does not stay open. A valid cell has no losses.

    Gunicorn's thread worker needs a thread for each connection and has 40 of them, so it can't hold
    more connections than that. Uvicorn closes a connection that leaves its pings unanswered for
    20 s, and the client answers pings only while the stack has its turn, so a cycle must be shorter
    than 20 s.
    """

    question = "What does a message cost on a connection that is held?"
    kind = "framework"
    endpoints = ("WS /live",)
    stacks = ("flask-gthread", "flask-gevent", "fastapi-uvicorn")
    users = 32
    warmup_s = 0.2
    samples = tuple(contract.live_message(number) for number in range(1, 101))
