"""A uthread that serves packets: reap, receive, handle all of a batch, send it, look again, wait."""

from typing import Protocol

from hermes.enso.device import Device
from hermes.enso.pipe import RxTxPipe
from hermes.runtime.uthread import LEFT, RUNNING, SPINNING, Uthread
from hermes.world import APPLICATION, DRIVER, QUEUE_FULL, SCHEDULER, Clock, Core, Memory, Walk, World


class Application(Protocol):
    """What is done with a packet."""

    def handle(self, memory: Memory, position: int, length: int) -> int:
        """Turn the request at ``memory.bytes[position : position + length]`` into its answer, in place.

        The application's compute time in picoseconds, besides finding and reading the packet.
        """


_RECEIVE, _SEND, _LOOK, _LOCKED, _NO_ROOM = range(5)


class Server(Uthread):
    """Serves one RX/TX pipe.

    Its actions: RECEIVE takes back completions and frees RX space, and takes notifications; SEND handles every packet
    that lies in the pipe and posts them as one send; LOOK looks at both rings once more, under the lock, and marks the
    uthread as waiting if there is nothing.

    Attributes
    ----------
    packets, batches
        Handled so far, and in how many sends.
    """

    def __init__(self, world: World, number: int, device: Device, pipe: RxTxPipe, application: Application) -> None:
        super().__init__(world, number, device)
        self.packets = self.batches = 0
        self._clock: Clock = world.clock
        self._memory = world.memory
        self._lines = world.lines
        self._costs = world.costs
        self._pipe = pipe
        self._application = application
        self._room_walk = Walk((world.costs.poll_clean,), ((0,),), QUEUE_FULL)
        self._mask = device.notifications.slots - 1
        self._state = _RECEIVE
        self._after_room = _RECEIVE
        self._taken = 0  # notifications, in RECEIVE
        self._found = False  # in LOOK
        self._flits = 0  # to send, in SEND

    def start(self, core: Core) -> int:
        """From the top."""
        return self._receive(core)

    def step(self, core: Core) -> int:
        """See the base class."""
        state = self._state
        if state == _RECEIVE:
            device = self.device
            device.tell_pipe_heads(core)
            if self._taken:
                device.tell_rx_head(core)
            return self._send(core)
        if state == _SEND:
            self.device.send(self._pipe, self._flits)
            self.device.tell_tx_tail(core)
            return self._look(core)
        if state == _LOOK:
            self.lock.release(core.index)
            if self._found:
                return self._receive(core)
            self.waiting = True
            return LEFT
        if state == _LOCKED:
            return self._look(core)
        return self._send(core) if self._after_room == _SEND else self._receive(core)

    def poll(self, core: Core) -> int:
        """Whether the message queue has room again."""
        if self.device.backend.has_room(core):
            core.spend(QUEUE_FULL, self._costs.poll_clean + self._costs.line_dirty)
            return RUNNING
        core.spend(QUEUE_FULL, self._costs.poll_clean)
        return SPINNING

    def ready(self, core: Core) -> int:
        """See the base class."""
        return int(self.device.backend.has_room(core))

    def waits_for(self) -> str:
        """See the base class."""
        if self._state == _NO_ROOM:
            return "room in its core's message queue"
        if self.device.unsent:
            return f"{self.device.unsent} completions"
        if self._pipe.available():
            return f"room in its TX ring, to send {self._pipe.available()} flits"
        return ""

    # --- the actions --------------------------------------------------------------------------------------------------

    def _receive(self, core: Core) -> int:
        device, costs, index = self.device, self._costs, core.index
        if not device.backend.has_room(core):
            return self._wait_for_room(core, _RECEIVE)
        buffer = device.notifications
        tx_head, rx_head = buffer.tx_head, buffer.rx_head
        completions = device.reap()
        self._taken = device.receive()
        cost = 2 * costs.poll_clean + completions * costs.completion_reap + self._taken * costs.poll_clean
        cost += self._take_slots(index, self.tx_slots, tx_head, completions)
        cost += self._take_slots(index, self.rx_slots, rx_head, self._taken)
        cost += device.freed() * device.backend.pipe_write
        if self._taken:
            cost += device.backend.notification_write
        core.spend(DRIVER, cost)
        self._state = _RECEIVE
        return RUNNING

    def _send(self, core: Core) -> int:
        flits = self._pipe.available()
        if not flits:
            return self._look(core)
        requests = self._pipe.requests(flits)
        device, costs = self.device, self._costs
        if requests > device.notifications.tx_room():
            return self._look(core)
        if not device.backend.has_room(core):
            return self._wait_for_room(core, _SEND)
        time = count = 0
        for position, length in self._pipe.packets(flits):
            time += self._application.handle(self._memory, position, length)
            count += 1
        lines = count * (1 + self._pipe.in_header_mode)  # a packet's first one, and the one before it
        core.spend(APPLICATION, time + lines * costs.line_dma + count * costs.packet_parse)
        cost = requests * costs.packet_send + device.backend.notification_write
        core.spend(DRIVER, cost + self._take_slots(core.index, self.tx_slots, device.notifications.tx_tail, requests))
        self.packets += count
        self.batches += 1
        self._flits = flits
        self._state = _SEND
        return RUNNING

    def _look(self, core: Core) -> int:
        costs, now = self._costs, self._clock.now
        if self.lock.held:
            core.spend(SCHEDULER, self.lock.wait(now, costs.lock_contended) or costs.lock_contended)
            self._state = _LOCKED
            return RUNNING
        buffer = self.device.notifications
        self._found = buffer.has_completion() or buffer.has_notification()
        cost = costs.lock + 2 * costs.poll_clean + self._lines.take(core.index, self.slot)
        core.spend(SCHEDULER, cost)
        self.lock.take(core.index, now + cost)
        self._state = _LOOK
        return RUNNING

    def _wait_for_room(self, core: Core, after: int) -> int:
        self._state = _NO_ROOM
        self._after_room = after
        core.walk(self._room_walk)
        return SPINNING

    def _take_slots(self, core: int, first: int, index: int, count: int) -> int:
        """Cost of owning the lines of ``count`` ring slots from ``index`` on."""
        cost = 0
        for slot in range(index, index + count):
            cost += self._lines.take(core, first + (slot & self._mask))
        return cost
