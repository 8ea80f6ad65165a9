"""A Locust file without users: the run ends as soon as every row that is waited for has enough.

It is given to Locust beside scenarios, with {"GET /hello": 5, ...} as JSON in $WAITED_FOR. How long
Locust takes to read scenarios and to send the first requests depends on the machine.
"""

from __future__ import annotations

import json
import os
from collections import Counter

import gevent
from locust import events
from locust.env import Environment


@events.init.add_listener
def end_when_there_are_enough(environment: Environment, **_: object) -> None:
    """Count the requests of each row, and end the run after the last row's last."""
    missing = Counter(json.loads(os.environ["WAITED_FOR"]))

    def count(request_type: str, name: str, **_: object) -> None:
        row = f"{request_type} {name}"
        if not missing[row]:
            return
        missing[row] -= 1
        if not missing.total() and environment.runner is not None:
            gevent.spawn(environment.runner.quit)  # a user can't wait for its own end

    environment.events.request.add_listener(count)
