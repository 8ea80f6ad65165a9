"""WebSockets that are held open: a message goes in, and its echo with a number comes back."""

from apps import contract
from harness.load.users import ScenarioUser


class Live(ScenarioUser):
    """WS /live. What is counted as a request is a message and its echo.

    Connections are opened in the warm-up and held through the block, also while other stacks
    have their turn; each sends its next message when the echo of the last has come. An echo that
    is missing, wrong or late is a loss, and so is a connection that is not opened or not held.
    Nothing that could excuse one takes part, so that there may be none.

    Gunicorn's thread worker has a thread for each connection and 40 of them: more connections
    than that can't be held there. Uvicorn closes a connection that leaves its pings unanswered
    for 20 s, and pings are answered when a stack has its turn: a cycle must be shorter than that.
    """

    question = "What does a message cost on a connection that is held?"
    kind = "framework"
    endpoints = ("WS /live",)
    stacks = ("flask-gthread", "flask-gevent", "fastapi-uvicorn")
    users = 32
    slice_s = 0.15
    settle_s = 0.02
    warmup_s = 0.2
    samples = tuple(contract.live_message(number) for number in range(1, 101))
