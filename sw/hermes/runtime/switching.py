"""What a kthread tells the IOKernel when it leaves or enters a uthread: nothing, or a message that is answered."""

from abc import ABC, abstractmethod

from hermes.messages import PARKED, SWITCH, switched
from hermes.queues import SpscQueue
from hermes.runtime.uthread import Uthread
from hermes.world import ANSWER, QUEUE_FULL, Core, Walk, World


class Teller(ABC):
    """Tells of switches, for one kthread.

    Attributes
    ----------
    tells
        Whether it tells at all.
    cost
        Picoseconds of a message, to be spent before it.
    messages
        Sent so far.
    next
        The uthread that is entered by what was told last; None if none is.
    """

    tells: bool
    cost: int
    messages: int
    next: Uthread | None

    @abstractmethod
    def prepare(self, core: Core, left: Uthread | None, entered: Uthread | None) -> None:
        """What is to be told at the end of the action that was begun; ``step`` tells it."""

    @abstractmethod
    def tell(self, core: Core, left: Uthread | None, entered: Uthread | None) -> bool:
        """Tell it now. False: the kthread polls until it is told, and answered."""

    @abstractmethod
    def step(self) -> bool:
        """The action ended; as ``tell``."""

    @abstractmethod
    def poll(self) -> bool:
        """A look, while the kthread polls, and what it costs; whether it found what is waited for."""

    @abstractmethod
    def ready(self) -> int:
        """1 if a look would find something."""

    @abstractmethod
    def uthreads(self) -> list[Uthread]:
        """Of the switch that is being told: who is entered, and, if that is not told yet, who parked."""

    @abstractmethod
    def waits_for(self) -> str:
        """What telling waits for."""


class Silent(Teller):
    """Switches are the kthread's own business."""

    tells = False
    cost = 0
    messages = 0
    next: Uthread | None = None

    def prepare(self, core: Core, left: Uthread | None, entered: Uthread | None) -> None:
        """Nothing is told."""

    def tell(self, core: Core, left: Uthread | None, entered: Uthread | None) -> bool:  # noqa: ARG002
        """Nothing is told."""
        return True

    def step(self) -> bool:
        """Nothing is told."""
        return True

    def poll(self) -> bool:
        """It never polls."""
        raise NotImplementedError("nothing is told, nothing is waited for")

    def ready(self) -> int:
        """It never polls."""
        return 0

    def uthreads(self) -> list[Uthread]:
        """Nothing is told."""
        return []

    def waits_for(self) -> str:
        """Nothing is told."""
        return ""


class SwitchMessages(Teller):
    """A message for every switch, and a wait for its answer, because messages of several kthreads may pass each other.

    Parameters
    ----------
    queues, answers
        By core, and changed by who runs there: the queue to the IOKernel, and that of its answers.
    waits
        Whether the answer is waited for; if not, there is none.
    """

    tells = True

    def __init__(
        self, world: World, queues: list[SpscQueue | None], answers: list[SpscQueue | None], *, waits: bool
    ) -> None:
        self.messages = 0
        self.next: Uthread | None = None
        self._costs = world.costs
        self.cost = world.costs.message_send + world.costs.line_dirty
        self._clock = world.clock
        self._queues = queues
        self._all_answers = answers
        self._waits = waits
        self._left: Uthread | None = None
        self._is_sent = False
        self._room_walk = Walk((world.costs.poll_clean,), ((0,),), QUEUE_FULL, is_certain=True)
        self._answer_walk = Walk((world.costs.poll_clean,), ((0,),), ANSWER, is_certain=True)

    def prepare(self, core: Core, left: Uthread | None, entered: Uthread | None) -> None:
        """See Teller."""
        self._core = core
        self._left, self.next = left, entered
        self._is_sent = False

    def tell(self, core: Core, left: Uthread | None, entered: Uthread | None) -> bool:
        """See Teller."""
        self.prepare(core, left, entered)
        return self.step()

    def step(self) -> bool:
        """See Teller."""
        if self._is_sent:
            self._answers().pop()
            return True
        queue = self._queue()
        if queue.is_full():
            queue.await_room()
            self._core.walk(self._room_walk)
            return False
        left, entered = self._left, self.next
        rx_head, tx_head = 0, 0
        if left is not None:
            rx_head, tx_head = left.heads()
        other = switched(PARKED if left is None else left.ended, rx_head, tx_head)
        left_number = -1 if left is None else left.number
        queue.push((SWITCH, left_number, -1 if entered is None else entered.number, other, self._clock.now))
        self.messages += 1
        self._is_sent = True
        if self._waits:
            self._core.walk(self._answer_walk)
        return not self._waits

    def poll(self) -> bool:
        """See Teller."""
        activity, cost = (ANSWER if self._is_sent else QUEUE_FULL), self._costs.poll_clean
        is_there = bool(self.ready())
        self._core.spend(activity, cost + self._costs.line_dirty if is_there else cost)
        return is_there

    def ready(self) -> int:
        """See Teller."""
        return int(bool(self._answers()) if self._is_sent else not self._queue().is_full())

    def waits_for(self) -> str:
        """See Teller."""
        return "the answer to a switch" if self._is_sent else "room in its core's message queue"

    def uthreads(self) -> list[Uthread]:
        """See Teller."""
        left = None if self._is_sent or self._left is None or self._left.ended != PARKED else self._left
        return [uthread for uthread in (self.next, left) if uthread is not None]

    def _queue(self) -> SpscQueue:
        queue = self._queues[self._core.index]
        assert queue is not None  # only the IOKernel's core has none
        return queue

    def _answers(self) -> SpscQueue:
        answers = self._all_answers[self._core.index]
        assert answers is not None
        return answers
