"""Where Locust's users ask a stack before they go on: their waits, clocks and HTTP clients.

`install` replaces a few functions of Locust, `gevent.sleep` and `time.sleep`. Each asks whether the
greenlet that calls it belongs to a stack's users, and does what it always did if not. So a locustfile
needs no change, whatever it imports: it is loaded after that.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from typing import Any, Protocol
from urllib.parse import urlsplit

import gevent
import requests
from locust.clients import HttpSession, ResponseContextManager
from locust.contrib.fasthttp import FastHttpSession, LocustUserAgent
from requests.utils import select_proxy

from harness.models.addresses import DEFAULT_PORTS

_KEY = "twinbench"

_real_sleep: Callable[..., None] = gevent.sleep


class Member(Protocol):
    """Whose greenlet it is: a user, or what a locustfile does beside its users."""

    #: How many of its requests are in flight.
    in_flight: int
    origin: tuple[str, str, int]  # scheme, host and port to which its requests may go
    timeout_s: float  # a request without a whole reply after that long has failed

    def now_s(self) -> float:
        """What its clock says."""

    def sleep(self, seconds: float) -> None:
        """Let it sleep, by its clock."""

    def begin(self, method: str, name: str) -> Any:
        """Wait until a request may be sent; return what `end` wants to know of it."""

    def end(self, exchange: Any, response: Any) -> None:
        """Say that the reply has come, or None that there will be none."""


class WentElsewhere(requests.exceptions.RequestException):
    """A request was not sent, because it would have gone to another host (HttpUser)."""


class FastWentElsewhere(OSError):
    """The same of FastHttpUser, whose client passes on errors of sockets."""


def belongs_to(member: Member) -> None:
    """Say whose greenlet the calling one is, and all that it spawns."""
    gevent.getcurrent().spawn_tree_locals = {_KEY: member}


def current() -> Member | None:
    """Whose greenlet the calling one is."""
    known = getattr(gevent.getcurrent(), "spawn_tree_locals", None)
    return known.get(_KEY) if known else None


def origin(url: str) -> tuple[str, str, int]:
    """Scheme, host and port of a URL."""
    parts = urlsplit(url)
    scheme = parts.scheme.lower()
    return scheme, (parts.hostname or "").lower(), parts.port or DEFAULT_PORTS.get(scheme, 0)


def real_sleep(seconds: float) -> None:
    """Sleep by the machine's clock."""
    _real_sleep(seconds)


def install() -> None:
    """Replace what is replaced, once in a process; a second call does nothing."""
    if gevent.sleep is not _real_sleep:
        return
    gevent.sleep = _sleep
    time.sleep = _sleep  # type: ignore[assignment]
    # What constant_pacing and constant_throughput ask, of users and of task sets. By attribute,
    # `locust.user.task` is the decorator of that name.
    for name in ("locust.user.wait_time", "locust.user.task"):
        module: Any = sys.modules[name]
        module.perf_counter = _perf_counter
    _install_in_requests()
    _install_in_fast_client()


def _sleep(seconds: float = 0, *args: Any, **kwargs: Any) -> None:
    member = current()
    if member is None or member.in_flight:  # a client that sleeps before it tries again
        _real_sleep(seconds, *args, **kwargs)
    else:
        member.sleep(seconds)


def _perf_counter() -> float:
    member = current()
    return time.perf_counter() if member is None else member.now_s()


def _elsewhere(member: Member, url: str) -> str:
    """Say where a request would go, if not to the named address; else an empty text."""
    there = origin(url)
    if there == member.origin:
        return ""
    scheme, host, port = there
    return f"went to another host: {scheme}://{host}:{port}"


def _install_in_requests() -> None:
    real_request, real_send = HttpSession.request, HttpSession._send_request_safe_mode

    def request(self: Any, method: str, url: str, *args: Any, **kwargs: Any) -> Any:
        member = current()
        if member is None:
            return real_request(self, method, url, *args, **kwargs)
        named = kwargs.get("name") or (args[0] if args else None) or self.request_name
        exchange = member.begin(method, named or str(url))
        response = None
        try:
            response = real_request(self, method, url, *args, **kwargs)
        finally:
            member.end(exchange, response)
        return response

    def send_request(self: Any, method: str, url: str, **kwargs: Any) -> Any:
        member = current()
        if member is None:
            return real_send(self, method, url, **kwargs)
        patience = gevent.Timeout(member.timeout_s)
        try:
            with patience:
                return real_send(self, method, url, **kwargs)
        except gevent.Timeout as late:
            if late is not patience:
                raise
            text = f"no whole reply within {member.timeout_s:g} s"
            return ResponseContextManager(requests.exceptions.ReadTimeout(text))

    def send(self: Any, request: Any, **kwargs: Any) -> Any:
        member = current()
        if member is not None:
            problem = _elsewhere(member, request.url)
            if not problem and select_proxy(request.url, kwargs.get("proxies")):
                problem = "went to another host: a proxy"
            if problem:
                raise WentElsewhere(problem, request=request)
        return requests.Session.send(self, request, **kwargs)

    session: Any = HttpSession
    session.request = request
    session._send_request_safe_mode = send_request
    session.send = send  # requests calls it again for each redirect


def _install_in_fast_client() -> None:
    real_request: Any = FastHttpSession.request
    real_open: Any = LocustUserAgent._urlopen

    def request(self: Any, method: str, url: str, *args: Any, **kwargs: Any) -> Any:
        member = current()
        if member is None:
            return real_request(self, method, url, *args, **kwargs)
        named = kwargs.get("name") or (args[0] if args else None) or self.request_name
        exchange = member.begin(method, named or str(url))
        response = None
        try:
            # Locust itself makes a failed request of this exception.
            with gevent.Timeout(member.timeout_s):
                response = real_request(self, method, url, *args, **kwargs)
        finally:
            member.end(exchange, response)
        return response

    def open_url(self: Any, request: Any) -> Any:
        member = current()
        if member is not None:
            there = request.url_split
            problem = _elsewhere(member, f"{there.scheme}://{_bracketed(there.host)}:{there.port}")
            if problem:
                raise FastWentElsewhere(problem)
        return real_open(self, request)

    session: Any = FastHttpSession
    agent: Any = LocustUserAgent
    session.request = request
    agent._urlopen = open_url  # called again for each redirect


def _bracketed(host: str) -> str:
    return f"[{host}]" if ":" in host else host
