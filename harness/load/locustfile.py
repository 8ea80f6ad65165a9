"""A team's own locustfile, unchanged, under the harness's slices: Locust runs its users.

One object loads one stack. Its users stand still while the stack has no turn: no request begins,
and the clock of their waits does not run (turn_clock.py).
"""

from __future__ import annotations

import contextlib
import random
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import gevent
import locust
from gevent.event import Event
from locust import FastHttpUser, HttpUser, TaskSet, User
from locust.argument_parser import get_parser
from locust.env import Environment
from locust.event import Events
from locust.util.load_locustfile import load_locustfile

from harness.channel.messages import MOST_ENDPOINTS
from harness.errors import BadInput
from harness.load import locust_hooks, stretches
from harness.load.fleet import LOOK_S
from harness.load.locust_hooks import origin, real_sleep
from harness.load.locust_outcomes import (
    LEAST_ERROR_STATUS,
    one_line,
    outcome_of,
    without_secrets,
)
from harness.load.recorder import Recorder
from harness.load.turn_clock import TurnClock
from harness.models import Slice

#: A slice counts no further requests after this many times the seconds that it was planned for, and
#: not before the shortest time below, as under closed load without waits.
_OVERTIME = 10
_OVERTIME_NS = int(5e9)
_SPAWN_WITHIN_S = 30.0
_QUIT_WITHIN_S = 10.0
#: A warm-up goes on until each user has sent this many requests, so that its rate is one of users who
#: wait, and not of their first requests alone …
_WARM_REQUESTS = 2
#: … but no longer than this. A user who has sent none by then is taken for one who never does.
LONGEST_WARMUP_S = 30.0
#: Users begin in this share of the first turn, each at a drawn moment, so that they are not in step.
_BEGIN_SHARE = 0.5
#: Beyond a request's own time-out, what it may take until nothing is in flight.
_DRAIN_S = 5.0


class _Exchange:
    """A request of a user, from the moment it was let go."""

    __slots__ = ("at", "counted", "name", "recorder", "reported", "start_ns")

    def __init__(self, name: str, start_ns: int, counted: bool) -> None:
        self.name = name
        self.start_ns = start_ns
        self.counted = counted
        self.reported = False  # by Locust
        self.recorder: Recorder | None = None  # which has its sample …
        self.at = -1  # … at this place


class _Beside:
    """What a locustfile does beside its users: listeners, and greenlets that they start."""

    in_flight = 0

    def __init__(self, users: LocustfileUsers) -> None:
        self.origin = users.origin
        self.timeout_s = users.timeout_s
        self._users = users

    def now_s(self) -> float:
        """The machine's clock."""
        return time.perf_counter()

    def sleep(self, seconds: float) -> None:
        """Sleep by the machine's clock, and end when the block is over."""
        self._users.refuse_after_end()
        real_sleep(seconds)

    def begin(self, method: str, name: str) -> None:
        """Send at once; nobody measures it."""
        self._users.refuse_after_end()

    def end(self, exchange: Any, response: Any) -> None:
        """Nothing to say."""


class _Member:
    """A user of the locustfile."""

    def __init__(self, users: LocustfileUsers, user: User) -> None:
        self.origin = users.origin
        self.timeout_s = users.timeout_s
        self.user = user
        self.in_flight = 0
        self.sent = 0
        #: Whether its client asks before each request. If not, its task as a whole is in flight.
        self.asks = isinstance(user, HttpUser | FastHttpUser)
        self.open: dict[Any, _Exchange] = {}  # by greenlet
        self.greenlet = gevent.getcurrent()  # the user's own, in which this is made
        self._users = users

    def now_s(self) -> float:
        """What the clock of the stack's turns says."""
        return self._users.clock.now_ns() / 1e9

    def sleep(self, seconds: float) -> None:
        """Sleep for so many seconds of the stack's turns."""
        self._users.sleep(self, seconds)

    def begin(self, method: str, name: str) -> _Exchange | None:
        """Wait until a request may be sent."""
        return self._users.begin(self, f"{method} {name}")

    def end(self, exchange: _Exchange | None, response: Any) -> None:
        """Record a request whose reply has come, unless Locust has reported it already."""
        if exchange is not None:
            self._users.end(self, exchange, response)


class LocustfileUsers:
    """Users of a locustfile who load one stack, in its turns."""

    def __init__(
        self,
        path: str,
        url: str,
        size: int,
        *,
        timeout_s: float,
        seed: int | str,
        origin_ns: int,
        verify_tls: bool = True,
    ) -> None:
        """Load the file and start its users, who do nothing until the first turn.

        Args:
            path: the locustfile.
            url: address of the stack, in place of the users' `host`.
            size: number of users; Locust shares them out by weight and fixed_count.
            timeout_s: a request fails when its whole reply takes longer than this.
            seed: decides when each user begins; what it does then is drawn by the locustfile.
            origin_ns: when the clock of all recorded times starts (time.perf_counter_ns).
            verify_tls: False lets HttpUser take any certificate, as FastHttpUser does by itself.

        Raises:
            BadInput: the file can't be loaded, or has no users that can be run.
        """
        locust_hooks.install()
        self.origin = origin(url)
        self.timeout_s = timeout_s
        self.clock = TurnClock()
        self.recorder = Recorder()
        #: Method and name of each request that was seen; samples tell the place in this list.
        self.endpoints: list[str] = []
        self._places: dict[str, int] = {}
        self._path = path
        self._verify_tls = verify_tls
        self._size = size
        self._random = random.Random(seed)
        self._origin_ns = origin_ns
        self._gate = Event()  # open while the stack has its turn
        self._closing = False
        self._ended = False
        self._members: list[_Member] = []
        self._begin_within_s = 0.0
        self._trouble = ""
        self._task_trouble = ""  # the last exception of a task
        self._in_flight = 0
        self._most_in_flight = 0
        self._unsettled = 0  # requests that were in flight when the last turn ended
        self._beyond = 0  # requests of the turn that were sent after the counted ones
        self._wanted = 0
        self._skipped = 0
        self._sent = 0  # requests that were sent before the last counted one
        self._unanswered = 0  # counted requests that are in flight
        self._from_ns = 0  # when the first counted request was sent; 0: not yet
        self._to_ns = 0  # when the first request was due that is not counted any more; 0: not yet
        self._cut = False  # whether the turn has ended
        # Whatever the file starts while it is loaded knows that it belongs to this stack.
        error = gevent.spawn(self._set_up_or_say_why_not, url).get()
        if error is not None:
            raise error

    # ------------------------------------------------------------------------ a slice

    def run_slice(
        self,
        cycle: int,
        seconds: float,
        settle_s: float,
        requests: int | None = None,
        uncounted: int = 0,
    ) -> Slice:
        """Let users go on until enough requests are counted, and wait until nothing is in flight.

        The first requests settle the load again, and are not counted (stretches.py says how many). The
        next `requests` are. The turn ends when one more is due. If some of the counted ones have no
        reply by then, the load goes on until they have.

        Users wait between requests, most of them for longer than a slice may last. So what counts
        is a stretch of the stack's own time, from one request to another that is `requests` later,
        and users' waits are not cut off by it: they go on in the next turn.

        Args:
            cycle: number of the slice.
            seconds: how long the slice is meant to take. Without `requests`, what is sent in this
                time is counted, and until each user has sent two requests.
            settle_s: of no meaning here.
            requests: how many requests to count; None where only the time matters, as in a warm-up.
            uncounted: how many requests settle the load, if it does not take more.

        Raises:
            BadInput: users of the file can't be measured.
        """
        self._raise_trouble()
        self.recorder.begin_slice()
        self._sent = self._unanswered = self._from_ns = self._to_ns = 0
        self._cut = False
        self._wanted = sys.maxsize if requests is None else requests
        if requests is None:
            self._skipped = 0
        else:
            self._skipped = stretches.uncounted(
                uncounted, self._most_in_flight, self._beyond, self._unsettled
            )
        self._beyond = 0
        self._begin_within_s = self._begin_within_s or _BEGIN_SHARE * seconds
        length_ns = int(seconds * 1e9)
        begin_ns = time.perf_counter_ns()
        ends_ns = begin_ns + (
            length_ns if requests is None else max(_OVERTIME_NS, _OVERTIME * length_ns)
        )
        self.clock.start()
        self._gate.set()
        while not self._cut:
            self._raise_trouble()
            now_ns = time.perf_counter_ns()
            if now_ns >= ends_ns and (requests is not None or self._is_warm(begin_ns)):
                self._to_ns = self._to_ns or now_ns
                self._end_turn()
                break
            due_s = self.clock.wake()
            left_s = max(0.0, (ends_ns - now_ns) / 1e9) or LOOK_S
            self._look_again(min(LOOK_S, left_s, LOOK_S if due_s is None else due_s))
        self._drain()
        self._raise_trouble()
        return self._slice(cycle, begin_ns, requests)

    def forget(self) -> None:
        """Drop what was recorded so far, as after a warm-up; users go on where they are."""
        self.recorder = Recorder()

    def look_back(self) -> None:
        """Nothing is lost between slices: Locust's clients connect again by themselves."""

    def close(self) -> None:
        """Stop all users, as Locust does: each runs its on_stop, whose requests are not measured."""
        self._closing = True
        with contextlib.suppress(gevent.Timeout), gevent.Timeout(_QUIT_WITHIN_S):
            events: Any = self._environment.events  # Locust gives them no types
            events.quitting.fire(environment=self._environment, reverse=True)
            runner = self._environment.runner
            assert runner is not None
            runner.quit()
        self._ended = True
        self._gate.set()  # for what users have started and is no user
        for member in self._members:
            client: Any = getattr(member.user, "client", None)
            with contextlib.suppress(Exception):
                getattr(client, "client", client).close()  # the agent in FastHttpUser's client
        folder = str(Path(self._path).parent)
        if folder in sys.path:
            sys.path.remove(folder)

    def refuse_after_end(self) -> None:
        """End the calling greenlet if the block is over."""
        if self._ended:
            raise gevent.GreenletExit

    def _is_warm(self, begin_ns: int) -> bool:
        """Whether a warm-up may end."""
        if all(member.sent >= _WARM_REQUESTS for member in self._members):
            return True
        silent = [member for member in self._members if not member.sent]
        too_long = time.perf_counter_ns() - begin_ns > LONGEST_WARMUP_S * 1e9
        if silent and (too_long or self._task_trouble):
            name = type(silent[0].user).__name__
            seconds = (time.perf_counter_ns() - begin_ns) / 1e9
            why = f": {self._task_trouble}" if self._task_trouble else ""
            raise self._bad(f"no request of {name} within {seconds:.0f} s{why}")
        return too_long

    def _end_turn(self) -> None:
        """Let no further request go, and stop the clock."""
        self._cut = True
        self._unsettled = self._in_flight
        self._gate.clear()
        self.clock.cut()
        self.clock.news.set()

    def _drain(self) -> None:
        """Wait until nothing is in flight."""
        deadline_ns = time.perf_counter_ns() + int((self.timeout_s + _DRAIN_S) * 1e9)
        while self._in_flight:
            self._raise_trouble()
            if time.perf_counter_ns() > deadline_ns:
                raise self._bad(
                    f"{self._in_flight} of its requests or tasks did not end within "
                    f"{self.timeout_s + _DRAIN_S:g} s"
                )
            self._look_again(LOOK_S)
        self.clock.stop()

    def _look_again(self, within_s: float) -> None:
        """Let others go on until there is news, or so long at most."""
        self.clock.news.wait(max(0.0, within_s))
        self.clock.news.clear()

    def _slice(self, cycle: int, begin_ns: int, requests: int | None) -> Slice:
        self.recorder.end_slice()
        to_ns = self._to_ns or time.perf_counter_ns()
        from_ns = min(self._from_ns or to_ns, to_ns)
        return Slice(
            cycle=cycle,
            begin_ns=begin_ns - self._origin_ns,
            from_ns=from_ns - self._origin_ns,
            to_ns=to_ns - self._origin_ns,
            end_ns=time.perf_counter_ns() - self._origin_ns,
            requests=requests,
            think_ns=self._thinking_ns(from_ns, to_ns),
        )

    def _thinking_ns(self, from_ns: int, to_ns: int) -> int:
        """The time that users were without a request in flight while requests were counted.

        Waits of single requests would be a bad guess at it: a few long ones decide their sum. Who
        has several requests in flight at once takes as much away as others add.
        """
        start_ns, done_ns = self.recorder.spans_of_slice()
        inside = done_ns.clip(max=to_ns) - start_ns.clip(min=from_ns)
        return self._size * (to_ns - from_ns) - int(inside.clip(min=0).sum())

    # ------------------------------------------------------------------------ its users

    def sleep(self, member: _Member, seconds: float) -> None:
        """Let a user sleep for so many seconds of turns."""
        self.refuse_after_end()
        if self._closing:
            real_sleep(seconds)
            return
        # A greenlet that the user has started beside itself is not in flight, and so does not leave.
        counts = not member.asks and gevent.getcurrent() is member.greenlet
        if counts:
            self._leave()
        if seconds > 0:
            self.clock.sleep(seconds)
        else:
            real_sleep(0)
        self._await_turn()
        if counts:
            self._enter()

    def begin(self, member: _Member, name: str) -> _Exchange | None:
        """Wait until a request may be sent, and decide whether it counts."""
        while True:
            self._await_turn()
            if self._closing:
                return None
            now_ns = time.perf_counter_ns()
            if self._may_send(now_ns):
                break
        exchange = _Exchange(name, now_ns, counted=bool(self._from_ns) and not self._to_ns)
        self._unanswered += exchange.counted
        member.sent += 1
        member.open[gevent.getcurrent()] = exchange
        member.in_flight += 1
        self._enter()
        self._beyond += bool(self._to_ns)
        return exchange

    def end(self, member: _Member, exchange: _Exchange, response: Any) -> None:
        """Note that a request is not in flight any more.

        Locust has reported it, unless the task has yet to judge it (catch_response) or an exception
        came in between. Until it does, the status decides.
        """
        member.open.pop(gevent.getcurrent(), None)
        if not exchange.reported:
            meta = getattr(response, "request_meta", None)
            if meta is not None:
                meta["response"].twinbench_exchange = exchange
                done_ns = exchange.start_ns + int(meta["response_time"] * 1e6)
                status, size = response.status_code, meta["response_length"]
                self._record(exchange, done_ns, status, size, _seen_failure(response, meta))
            else:
                error = sys.exc_info()[1] or "no reply"
                self._record(exchange, time.perf_counter_ns(), 0, 0, error)
        self._unanswered -= exchange.counted
        if self._to_ns and not self._unanswered and not self._cut:
            self._end_turn()
        member.in_flight -= 1
        self._leave()

    def _may_send(self, now_ns: int) -> bool:
        """Whether a request may go; the turn ends if nothing is left to wait for."""
        if self._to_ns:
            return True  # counted requests are in flight, and the load goes on for them
        if self._sent >= self._skipped + self._wanted:
            self._to_ns = now_ns
            if self._unanswered:
                return True
            self._end_turn()
            return False
        self._sent += 1
        if self._sent == self._skipped + 1:
            self._from_ns = now_ns
        return True

    def _enter(self) -> None:
        """Note that one more is in flight: a request, or a task of a user whose client does not ask."""
        self._in_flight += 1
        self._most_in_flight = max(self._most_in_flight, self._in_flight)

    def _leave(self) -> None:
        """Note that one less is."""
        self._in_flight -= 1
        if not self._in_flight and self._cut:
            self.clock.news.set()

    def _await_turn(self) -> None:
        """Wait until the stack has its turn."""
        while not (self._gate.is_set() or self._closing):
            self._gate.wait()  # returns even if the turn ended before all were told
        self.refuse_after_end()

    # ------------------------------------------------------------------------- samples

    def _on_request(self, **report: Any) -> None:
        """Record what Locust reports."""
        greenlet = gevent.getcurrent()
        member = locust_hooks.current()
        if self._closing or not isinstance(member, _Member):
            return
        response = report.get("response")
        exchange = getattr(response, "twinbench_exchange", None) or member.open.get(greenlet)
        name = f"{report.get('request_type')} {report.get('name')}"
        took_ns = int((report.get("response_time") or 0) * 1e6)
        status = getattr(response, "status_code", 0) or 0
        size = report.get("response_length") or 0
        if exchange is None or exchange.reported:  # a client of its own
            done_ns = time.perf_counter_ns()
            exchange = _Exchange(name, done_ns - took_ns, counted=False)
            if not member.asks:
                member.sent += 1
                self._count_reported(exchange, done_ns)
        exchange.name = name
        exchange.reported = True
        error = report.get("exception")
        self._record(exchange, exchange.start_ns + took_ns, status, size, error)

    def _count_reported(self, exchange: _Exchange, done_ns: int) -> None:
        """Count a request of which nothing was known before it ended."""
        if self._cut or self._to_ns:
            return
        if self._sent >= self._skipped + self._wanted:
            self._to_ns = done_ns
            self._end_turn()
            return
        self._sent += 1
        if self._sent == self._skipped + 1:
            self._from_ns = exchange.start_ns

    def _record(
        self, exchange: _Exchange, done_ns: int, status: int, size: int, error: Any
    ) -> None:
        """Record a request, or judge it again."""
        name = without_secrets(exchange.name)
        outcome = outcome_of(name, self._endpoint(name), status, size, error)
        number = self.recorder.intern(outcome)
        if exchange.recorder is None:
            exchange.recorder, exchange.at = self.recorder, len(self.recorder)
            self.recorder.add(exchange.start_ns, exchange.start_ns, done_ns, number)
        elif exchange.recorder is self.recorder:  # and not one of the warm-up
            self.recorder.judge(exchange.at, number)

    def _endpoint(self, name: str) -> int:
        """The place of a name among those that were seen; -1 if there are too many."""
        place = self._places.get(name)
        if place is None:
            if len(self.endpoints) == MOST_ENDPOINTS:
                return -1
            place = self._places[name] = len(self.endpoints)
            self.endpoints.append(name)
        return place

    def _on_user_error(self, user_instance: Any, exception: BaseException, **_: Any) -> None:
        """Count a task that raised an exception as a failed request: its work was not done."""
        if self._closing:
            return
        name = type(getattr(user_instance, "user", user_instance)).__name__  # may be a task set
        problem = f"{type(exception).__name__}: {one_line(exception)}"
        self._task_trouble = f"its tasks raised {problem}"
        now_ns = time.perf_counter_ns()
        outcome = outcome_of(f"a task of {name} raised", -1, 200, 0, problem)
        self.recorder.add(now_ns, now_ns, now_ns, self.recorder.intern(outcome))

    # ------------------------------------------------------------------------- set-up

    def _set_up_or_say_why_not(self, url: str) -> BadInput | None:
        """Set up in a greenlet of its own, which would print what it raises."""
        try:
            self._set_up(url)
        except BadInput as error:
            return error
        return None

    def _set_up(self, url: str) -> None:
        """Load the file and start its users."""
        locust_hooks.belongs_to(_Beside(self))
        classes, events, options = _loaded(self._path, url)
        if not classes:
            raise self._bad("has no User class that is not abstract")
        for user_class in classes:
            if getattr(user_class, "proxy_host", None):
                raise self._bad(f"{user_class.__name__} uses a proxy (proxy_host)")
        events.request.add_listener(self._on_request)
        events.user_error.add_listener(self._on_user_error)
        try:
            self._environment = Environment(
                user_classes=[self._seated(user_class) for user_class in classes],
                events=events,
                host=url,
                locustfile=Path(self._path).name,
                parsed_options=options,
                parsed_locustfiles=[self._path],
                stop_timeout=0.0,
            )
        except ValueError as error:
            raise self._bad(one_line(error)) from error
        runner = self._environment.create_local_runner()
        runner.greenlet.kill(block=False)  # it looks at the CPU every 10 s, in the middle of slices
        try:
            events.init.fire(environment=self._environment, runner=runner, web_ui=None)
            # Not `start`, which does this in a greenlet: a listener that exits would end the process.
            runner._start(self._size, spawn_rate=self._size)
            with gevent.Timeout(_SPAWN_WITHIN_S):
                while len(self._members) < runner.user_count:
                    real_sleep(0.005)
        except (Exception, SystemExit, gevent.Timeout) as error:
            problem = self._bad(
                f"its users did not start: {type(error).__name__}: {one_line(error)}"
            )
            self.close()
            raise problem from error
        if len(self._members) != self._size:
            problem = self._bad(
                f"its fixed_counts allow {len(self._members)} users, and {self._size} are to load"
            )
            self.close()
            raise problem

    def _seated(self, user_class: type[User]) -> type[User]:
        """A subclass whose users begin when they are told, and of whom it is known how they end."""
        users = self
        its: Any = user_class

        def __init__(self: Any, environment: Environment) -> None:
            its.__init__(self, environment)
            self._cp_last_run = users.clock.now_ns() / 1e9
            if isinstance(self, HttpUser) and not users._verify_tls:
                self.client.verify = False

        def run(self: Any) -> None:
            users.run_user(self, partial(its.run, self))

        members = {"__module__": user_class.__module__, "__init__": __init__, "run": run}
        seated: type[User] = type(user_class.__name__, (user_class,), members)
        return seated

    def run_user(self, user: User, run: Callable[[], None]) -> None:
        """Run a user in its greenlet."""
        name = type(user).__name__
        member = _Member(self, user)
        locust_hooks.belongs_to(member)
        self._members.append(member)
        self._await_turn()
        self.clock.sleep(self._random.random() * self._begin_within_s)
        if not member.asks:
            self._enter()
        try:
            run()
            problem = f"{name} ended (StopUser, or the runner was told to quit): users must go on"
        except (Exception, SystemExit) as error:
            problem = f"{name} ended with {type(error).__name__}: {one_line(error)}"
            if not _raised_in_tasks(error):
                problem = f"on_start of {name} raised {type(error).__name__}: {one_line(error)}"
        if not self._closing and not self._trouble:
            self._trouble = problem
            self.clock.news.set()

    def _raise_trouble(self) -> None:
        if self._trouble:
            raise self._bad(self._trouble)

    def _bad(self, problem: str) -> BadInput:
        return BadInput(f"{self._path}: {problem}")


def _loaded(path: str, url: str) -> tuple[Sequence[type[User]], Any, Any]:
    """Load a locustfile as if for the first time.

    Each stack has modules, classes and listeners of its own, so that what the file keeps in them
    (a token, a counter) is not shared between stacks.
    """
    events: Any = Events()  # type: ignore[no-untyped-call]
    folder = str(Path(path).parent)
    if not Path(path).is_file():
        raise BadInput(f"{path}: there is no such file")
    with _fresh_modules(folder), _in_place_of_events(events):
        try:
            found, _ = load_locustfile(path)
            options = get_parser(default_config_files=[]).parse_args([])
        except SyntaxError as error:
            raise BadInput(f"{error.filename}:{error.lineno}: {error.msg}") from error
        except (Exception, SystemExit) as error:
            problem = f"{type(error).__name__}: {one_line(error)}"
            if isinstance(error, ModuleNotFoundError):
                problem += " (install it where twinbench is installed)"
            raise BadInput(f"{path}: can't be imported: {problem}") from error
    sys.path.insert(0, folder)  # for imports inside tasks; `close` takes it away
    options.host, options.headless = url, True
    return list(dict.fromkeys(found.values())), events, options


def _seen_failure(response: Any, meta: Any) -> Any:
    """What is wrong with a reply that the task has yet to judge; None if nothing is."""
    error = meta["exception"] or getattr(response, "error", None)
    if error is None and response.status_code >= LEAST_ERROR_STATUS:
        return f"status {response.status_code}"
    return error


def _raised_in_tasks(error: BaseException) -> bool:
    """Whether an exception comes from a user's tasks, and not from its on_start."""
    traceback = error.__traceback__
    while traceback is not None:
        if traceback.tb_frame.f_code is TaskSet.run.__code__:
            return True
        traceback = traceback.tb_next
    return False


@contextlib.contextmanager
def _fresh_modules(folder: str) -> Iterator[None]:
    """Forget afterwards which modules were imported from a folder, so that the next has its own."""
    before, path = dict(sys.modules), sys.path.copy()
    try:
        yield
    finally:
        sys.path[:] = path  # Locust leaves the working folder in it
        for name, module in list(sys.modules.items()):
            file = getattr(module, "__file__", None) or ""
            if before.get(name) is module or not file.startswith(folder + "/"):
                continue
            if "site-packages" in file:
                continue
            del sys.modules[name]
            if name in before:
                sys.modules[name] = before[name]


@contextlib.contextmanager
def _in_place_of_events(events: Any) -> Iterator[None]:
    """Let what is imported register its listeners here: `from locust import events`."""
    shared, locust.events = locust.events, events
    try:
        yield
    finally:
        locust.events = shared
