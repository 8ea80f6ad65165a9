"""Loads a server with Locust's own users, a turn at a time.

`python -m tests.benchmarks.locust_users fast|plain URL` reads orders from stdin, one JSON object
per line ({"users": 16, "seconds": 1.0}), and answers each order with {"rps": …, "failures": …}.
"""

from __future__ import annotations

import gevent.monkey

gevent.monkey.patch_all()

import json  # noqa: E402
import sys  # noqa: E402
import time  # noqa: E402

import gevent  # noqa: E402
from locust import FastHttpUser, HttpUser, task  # noqa: E402
from locust.env import Environment  # noqa: E402

_WARMUP_S = 0.3


class Fast(FastHttpUser):
    @task
    def hello(self) -> None:
        self.client.get("/hello")


class Plain(HttpUser):
    @task
    def hello(self) -> None:
        self.client.get("/hello")


def main() -> None:
    kind, url = sys.argv[1:]
    user = {"fast": Fast, "plain": Plain}[kind]
    runner = Environment(user_classes=[user], host=url).create_local_runner()
    print(json.dumps({"ready": True}), flush=True)
    for line in sys.stdin:
        order = json.loads(line)
        runner.start(order["users"], spawn_rate=order["users"])
        runner.spawning_greenlet.join()
        gevent.sleep(_WARMUP_S)
        total = runner.stats.total  # Locust makes a new object at each start
        requests, failures, begun = total.num_requests, total.num_failures, time.perf_counter()
        gevent.sleep(order["seconds"])
        seconds = time.perf_counter() - begun
        answer = {
            "rps": (total.num_requests - requests) / seconds,
            "failures": total.num_failures - failures,
        }
        runner.stop()
        print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    main()
