"""A uthread whose body is a generator: spawn, compute, yield, join, sleep, mutex, park and wake.

    def main():
        worker = Script(world, runtime, number, body())
        yield Spawn(worker)
        yield Sleep(5_000_000)
        yield Join(worker)

For what an application does beside serving packets; times are integer picoseconds.
"""

from collections import deque
from collections.abc import Generator
from dataclasses import dataclass

from mypy_extensions import i64

from hermes.messages import BLOCKED, FINISHED, RUNNABLE
from hermes.runtime.runtime import Runtime
from hermes.runtime.uthread import LEFT, RUNNING, SPINNING, Uthread
from hermes.world import APPLICATION, ENDLESS, QUEUE_FULL, SCHEDULER, Core, Walk, World


@dataclass(frozen=True, slots=True)
class Compute:
    """So many picoseconds of the application's own work; can be cut by an interrupt, and goes on later."""

    duration: int


@dataclass(frozen=True, slots=True)
class Spawn:
    """A new uthread becomes runnable, on this kthread's runqueue."""

    uthread: Uthread


@dataclass(frozen=True, slots=True)
class Yield:
    """To the tail of the runqueue."""


@dataclass(frozen=True, slots=True)
class Park:
    """Give the core up until another uthread wakes this one; at once through if it did already."""


@dataclass(frozen=True, slots=True)
class Wake:
    """A parked uthread becomes runnable; one that is not parked will not wait at its next ``Park``."""

    uthread: "Script"


@dataclass(frozen=True, slots=True)
class Join:
    """Wait until a uthread has ended."""

    uthread: "Script"


@dataclass(frozen=True, slots=True)
class Sleep:
    """Give the core up for so many picoseconds, or some more: timers are looked at when the kthread schedules."""

    duration: int


class Mutex:
    """Held by one uthread at a time; the others get it in the order in which they asked."""

    def __init__(self) -> None:
        self.holder: Script | None = None
        self.waiters: deque[Script] = deque()


@dataclass(frozen=True, slots=True)
class Acquire:
    """Wait for a mutex."""

    mutex: Mutex


@dataclass(frozen=True, slots=True)
class Release:
    """Give a mutex that this uthread holds to the next in line."""

    mutex: Mutex


Request = Compute | Spawn | Yield | Park | Wake | Join | Sleep | Acquire | Release
Body = Generator[Request, None, None]


class Script(Uthread):
    """Runs a body.

    Parameters
    ----------
    activity
        What its computing counts as: APPLICATION or BATCH.

    Attributes
    ----------
    has_ended
        Whether the body is through.
    """

    def __init__(self, world: World, runtime: Runtime, number: int, body: Body, activity: int = APPLICATION) -> None:
        super().__init__(number)
        self.has_ended = False
        self._clock = world.clock
        self._costs = world.costs
        self._runtime = runtime
        self._body = body
        self._activity = activity
        self._request: Request = Yield()
        self._left = -1  # of a computation that was cut
        self._is_awake = False  # woken before it parked
        self._joiners: list[Script] = []
        self._room_walk = Walk((world.costs.poll_clean,), ((0,),), QUEUE_FULL, is_certain=True)

    def start(self, core: Core) -> i64:
        """See the base class."""
        if self._left < 0:
            return self._advance(core)
        left, self._left = self._left, -1
        core.spend(self._activity, left)
        self.is_computing = True
        return RUNNING

    def cut(self, left: i64) -> None:
        """See the base class."""
        self._left = left
        self.is_computing = False

    def step(self, core: Core) -> i64:
        """See the base class."""
        self.is_computing = False
        return self._finish(core)

    def poll(self, core: Core) -> i64:
        """Whether the message queue has room again."""
        has_room = self._runtime.can_create(core)
        core.spend(QUEUE_FULL, self._costs.poll_clean + (self._costs.line_dirty if has_room else 0))
        return RUNNING if has_room else SPINNING

    def ready(self, core: Core) -> int:
        """See the base class."""
        return int(self._runtime.can_create(core))

    def waits_for(self) -> str:
        """See the base class."""
        if isinstance(self._request, Acquire) and self._request.mutex.holder is not self:
            return "a mutex"
        if isinstance(self._request, Join) and not self._request.uthread.has_ended:
            return f"the end of uthread {self._request.uthread.number}"
        return ""

    def _advance(self, core: Core) -> i64:
        """Begin the next request."""
        try:
            self._request = next(self._body)
        except StopIteration:
            self.has_ended = True
            for joiner in self._joiners:
                self._runtime.wake(joiner, core)
            self.ended = FINISHED
            return LEFT
        request, costs = self._request, self._costs
        if isinstance(request, Compute):
            core.spend(self._activity, request.duration)
            self.is_computing = True
        elif isinstance(request, Spawn):
            core.spend(SCHEDULER, costs.uthread_switch + costs.lock + self._runtime.create_cost)
        elif isinstance(request, Acquire) and request.mutex.holder is not None:
            core.spend(SCHEDULER, costs.lock_contended)
        else:
            core.spend(SCHEDULER, costs.lock)
        return RUNNING

    def _finish(self, core: Core) -> i64:
        """The request's effects land."""
        request, runtime = self._request, self._runtime
        if isinstance(request, Spawn):
            if not runtime.can_create(core):
                runtime.await_creation(core)
                core.walk(self._room_walk)
                return SPINNING
            runtime.create(request.uthread, core)
        elif isinstance(request, Yield):
            return self._leave(RUNNABLE)
        elif isinstance(request, Sleep):
            runtime.sleep(self, core, self._clock.now + request.duration)
            return self._leave(BLOCKED)
        elif isinstance(request, Park):
            if not self._is_awake:
                return self._leave(BLOCKED)
            self._is_awake = False
        elif isinstance(request, Wake):
            request.uthread._woken(core)
        elif isinstance(request, Join) and not request.uthread.has_ended:
            request.uthread._joiners.append(self)
            return self._leave(BLOCKED)
        elif isinstance(request, Acquire):
            if request.mutex.holder is not None:
                request.mutex.waiters.append(self)
                return self._leave(BLOCKED)
            request.mutex.holder = self
        elif isinstance(request, Release):
            self._release(request.mutex, core)
        return self._advance(core)

    def _leave(self, how: int) -> int:
        self.ended = how
        return LEFT

    def _woken(self, core: Core) -> None:
        if self.ended == BLOCKED and isinstance(self._request, Park):
            self.ended = RUNNABLE
            self._runtime.wake(self, core)
        else:
            self._is_awake = True

    def _release(self, mutex: Mutex, core: Core) -> None:
        if mutex.holder is not self:
            raise ValueError(f"uthread {self.number} releases a mutex that it does not hold")
        mutex.holder = mutex.waiters.popleft() if mutex.waiters else None
        if mutex.holder is not None:
            self._runtime.wake(mutex.holder, core)


def endless() -> Body:
    """What a batch application's uthread does: compute, until it is interrupted, and again."""
    while True:
        yield Compute(ENDLESS)


def spawn_all(uthreads: list[Uthread]) -> Body:
    """A main uthread: it spawns the others, and ends."""
    for uthread in uthreads:
        yield Spawn(uthread)
