"""A uthread that serves packets: reap, receive, handle all of a batch, send it, look again, wait."""

from collections.abc import Callable
from typing import Final, cast

from mypy_extensions import i64

from hermes.apps.application import Answering, Application, InPlace
from hermes.enso.device import Device
from hermes.enso.pipe import RxTxPipe
from hermes.enso.registers import FLIT_BYTES, MAX_REQUEST_BYTES, RX_MEM_LOW, pipe_register
from hermes.enso.tx_pipe import TxPipe
from hermes.messages import FINISHED, PARK, PARKED
from hermes.runtime.spinlock import Spinlock
from hermes.runtime.uthread import LEFT, RUNNING, SPINNING, Uthread
from hermes.stamps import TAKEN
from hermes.switches import Switches
from hermes.world import APPLICATION, DRIVER, QUEUE_FULL, SCHEDULER, Clock, Core, Walk, World

UNDER_LOCK: Final = 0
BY_MESSAGE: Final = 1
BY_SWITCH: Final = 2
"""How it becomes known that a uthread waits: a flag under its lock, a message, its kthread's switch message."""

_RECEIVE: Final = 0
_COMPUTE: Final = 1
_POST: Final = 2
_LOOK: Final = 3
_LOCKED: Final = 4
_NO_ROOM: Final = 5
_CLOSE: Final = 6


class Server(Uthread):
    """Serves one pipe, from which answers are sent in place, or else through a TX pipe.

    Its actions: RECEIVE takes back completions and frees RX space, and takes notifications; COMPUTE handles every
    packet that lies in the pipe, and can be cut; POST posts them as one send; LOOK looks at both rings once more and,
    if there is nothing, makes known that the uthread waits.

    Parameters
    ----------
    pipe
        Packets come there. It receives only if there is a TX pipe.
    application
        Answers in place if there is no TX pipe.
    waits
        UNDER_LOCK, BY_MESSAGE or BY_SWITCH.

    Attributes
    ----------
    device
        Its own.
    waiting
        UNDER_LOCK: it is out of work and stands in no runqueue; whoever brings work makes it runnable. Guarded by
        ``lock``, as are the device's rings against others than the uthread.
    slot
        Cache line of lock and flag.
    rx_slots, tx_slots
        Cache lines of the first slots of the device's rings.
    packets, batches
        Handled so far, and in how many sends.
    ends_after
        It ends once it has handled so many packets, and closes its pipe even if more lie there; 0: never.
    """

    def __init__(
        self,
        world: World,
        number: int,
        device: Device,
        pipe: RxTxPipe,
        application: Application,
        switches: Switches,
        waits: int,
        tx_pipe: TxPipe | None = None,
    ) -> None:
        super().__init__(number)
        self.device = device
        self.waiting = False
        self.lock = Spinlock()
        self.slot = world.lines.allocate(1)
        self.rx_slots: i64 = world.lines.allocate(device.notifications.slots)
        self.tx_slots: i64 = world.lines.allocate(device.notifications.slots)
        self.packets: i64 = 0
        self.batches: i64 = 0
        self.ends_after = 0
        self._clock: Clock = world.clock
        self._memory = world.memory
        self._lines = world.lines
        self._costs = world.costs
        self._stamps = world.stamps
        self._pipe = pipe
        self._in_place = None if tx_pipe else cast(InPlace, application)
        self._answering = cast(Answering, application) if tx_pipe else None
        # a send of the whole ring, in parts of the longest request, and cut at the ring's end
        self._most_requests: i64 = pipe.flits * FLIT_BYTES // MAX_REQUEST_BYTES + 2
        self._tx_pipe = tx_pipe
        self._waits: i64 = waits
        self._sends_each = switches.send == "packet"
        self._prefetches = switches.prefetch
        self._locks_device = waits == UNDER_LOCK and switches.completion == "reap"
        self._room_walk = Walk((world.costs.poll_clean,), ((0,),), QUEUE_FULL, is_certain=True)
        self._mask: i64 = device.notifications.slots - 1
        self._state: i64 = _RECEIVE
        self._again: Callable[[Core], i64] = self._receive  # once there is room, or the lock is free
        self._taken: i64 = 0  # notifications, in RECEIVE
        self._found = False  # in LOOK
        self._room = 1  # messages for which there must be room
        self._flits: i64 = 0  # to send
        self._handled: list[tuple[i64, i64]] = []  # of the packets in COMPUTE: flit behind it, time of its handling
        self._left: i64 = -1  # of COMPUTE, after it was cut
        self._begun: i64 = 0  # when the handling of the first of ``_handled`` began

    def heads(self) -> tuple[i64, i64]:
        """See the base class."""
        return self.device.notifications.rx_head, self.device.notifications.tx_head

    def start(self, core: Core) -> i64:
        """From the top, or where it was cut."""
        if self._left < 0:
            return self._receive(core)
        left, self._left = self._left, -1
        core.spend(APPLICATION, left)
        self._state = _COMPUTE
        self.is_computing = True
        return RUNNING

    def cut(self, left: i64) -> None:
        """See the base class."""
        self._left = left
        self.is_computing = False
        self._stamp_packets(self._clock.now + left)

    def step(self, core: Core) -> i64:
        """See the base class."""
        state = self._state
        if state == _RECEIVE:
            device = self.device
            if self._locks_device:
                self.lock.release(core.index)
            if self._prefetches and self._pipe.available():
                device.prefetch(core, self._pipe)
            device.tell_pipe_heads(core)
            if self._taken:
                device.tell_rx_head(core)
            return self._compute(core)
        if state == _COMPUTE:
            self.is_computing = False
            self._stamp_packets(self._clock.now)
            return self._post(core)
        if state == _POST:
            return self._posted(core)
        if state == _LOOK:
            return self._looked(core)
        if state == _CLOSE:
            core.mmio_write(pipe_register(self._pipe.number, RX_MEM_LOW), 0)
            self.ended = FINISHED
            return LEFT
        return self._again(core)

    def poll(self, core: Core) -> i64:
        """Whether the message queue has room again."""
        if self.device.backend.has_room(core, self._room):
            core.spend(QUEUE_FULL, self._costs.poll_clean + self._costs.line_dirty)
            return RUNNING
        core.spend(QUEUE_FULL, self._costs.poll_clean)
        return SPINNING

    def ready(self, core: Core) -> int:
        """See the base class."""
        return int(self.device.backend.has_room(core, self._room))

    def waits_for(self) -> str:
        """See the base class."""
        if self.is_closed:
            return ""
        if self._state == _NO_ROOM:
            return "room in its core's message queue"
        if self.device.unsent:
            return f"{self.device.unsent} completions"
        if self._pipe.available():
            return f"room in its TX ring, to send {self._pipe.available()} flits"
        return ""

    @property
    def is_closed(self) -> bool:
        """Whether it is ending, or has ended, and the NIC forgets its pipe."""
        return self._state == _CLOSE

    def has_packets(self) -> bool:
        """Whether packets are known to lie in its pipe."""
        return self._pipe.available() > 0

    # --- the actions --------------------------------------------------------------------------------------------------

    def _receive(self, core: Core) -> i64:
        device, costs, index = self.device, self._costs, core.index
        if not device.backend.has_room(core, 3):
            return self._wait_for_room(core, self._receive, 3)
        if self._locks_device and self.lock.held:
            return self._wait_for_lock(core, self._receive)
        buffer = device.notifications
        tx_head, rx_head = buffer.tx_head, buffer.rx_head
        completions = device.reap()
        self._taken = device.receive()
        cost: i64 = 2 * costs.poll_clean + completions * costs.completion_reap + self._taken * costs.poll_clean
        cost += self._take_slots(index, self.tx_slots, tx_head, completions)
        cost += self._take_slots(index, self.rx_slots, rx_head, self._taken)
        cost += (device.freed() + self._prefetches) * device.backend.pipe_write
        if self._taken:
            cost += device.backend.notification_write
            stamps, now = self._stamps.notifications, self._clock.now
            for slot in range(rx_head, rx_head + self._taken):
                stamps[buffer.row_of(slot & self._mask) + TAKEN] = now
        if self._locks_device:
            cost += costs.lock + self._lines.take(index, self.slot)
            self.lock.take(index, self._clock.now + cost)
        core.spend(DRIVER, cost)
        self._state = _RECEIVE
        return RUNNING

    def _compute(self, core: Core) -> i64:
        pipe, buffer = self._pipe, self.device.notifications
        flits = pipe.available()
        if not flits or buffer.tx_room() < self._most_requests:
            return self._look(core)
        costs = self._costs
        overhead: i64 = (1 + pipe.in_header_mode) * costs.line_dma + costs.packet_parse
        handled, begin = self._handled, pipe.rx_tail
        total: i64 = 0
        end = begin
        for position, length in pipe.packets(flits):
            time = self._handle(position, length)
            if time < 0:
                break
            end += (length + FLIT_BYTES - 1) // FLIT_BYTES + pipe.in_header_mode
            handled.append((end, time + overhead))
            total += time + overhead
            if self._sends_each:
                break
        if not handled:
            return self._look(core)
        self._flits = end - begin
        self._begun = self._clock.now
        core.spend(APPLICATION, total)
        self._state = _COMPUTE
        self.is_computing = True
        return RUNNING

    def _handle(self, position: int, length: int) -> int:
        """Answer a packet; the application's time, or -1 if there is no room for an answer."""
        if self._in_place is not None:
            return self._in_place.handle(self._memory, position, length)
        application, tx_pipe = self._answering, self._tx_pipe
        assert application is not None
        assert tx_pipe is not None
        room = application.longest_answer
        out = tx_pipe.allocate(room)
        if out < 0:
            return -1
        answer, time = application.answer(self._memory, position, length, out, room)
        if answer:
            tx_pipe.extend(answer)
        return time

    def _stamp_packets(self, end: i64) -> None:
        """Those are handled that end by now, if all of them end at ``end`` and follow each other without a pause."""
        now, handled, mask = self._clock.now, self._handled, self._pipe.flits - 1
        count, done = 0, end
        for _, time in handled:
            done -= time
        for behind, time in handled:
            done += time
            if done > now:
                break
            self._stamps.packet(self._pipe.number, behind & mask, self._begun, done)
            self._begun = done
            count += 1
        self.packets += count
        del handled[:count]

    def _post(self, core: Core) -> i64:
        device, tx_pipe, costs = self.device, self._tx_pipe, self._costs
        cost: i64 = 0
        if not device.backend.has_room(core, 2):
            return self._wait_for_room(core, self._post, 2)
        if tx_pipe is None:
            requests = self._pipe.requests(self._flits)
        else:
            written = tx_pipe.written()
            requests = tx_pipe.requests(written)
            cost = written * costs.copy_per_64_bytes + device.backend.pipe_write
        cost += requests * costs.packet_send + device.backend.notification_write
        cost += self._take_slots(core.index, self.tx_slots, device.notifications.tx_tail, requests)
        core.spend(DRIVER, cost)
        self._state = _POST
        return RUNNING

    def _posted(self, core: Core) -> i64:
        pipe, device, tx_pipe = self._pipe, self.device, self._tx_pipe
        if tx_pipe is None:
            device.send(pipe, self._flits)
        else:
            pipe.take(self._flits)
            device.free(pipe, self._flits)
            device.tell_pipe_heads(core)
            if tx_pipe.written():
                device.send(tx_pipe, tx_pipe.written())
        device.tell_tx_tail(core, self._stamps.send(pipe.number, pipe.rx_tail, self._clock.now))
        self.batches += 1
        if self.ends_after and self.packets >= self.ends_after:
            core.spend(DRIVER, device.backend.pipe_write)
            self._state = _CLOSE
            return RUNNING
        if self._sends_each and pipe.available():
            return self._compute(core)
        return self._look(core)

    def _look(self, core: Core) -> i64:
        costs = self._costs
        cost: i64 = 2 * costs.poll_clean
        if self._waits == UNDER_LOCK:
            if self.lock.held:
                return self._wait_for_lock(core, self._look)
            cost += costs.lock + self._lines.take(core.index, self.slot)
            self.lock.take(core.index, self._clock.now + cost)
        elif self._waits == BY_MESSAGE and not self.device.backend.has_room(core):
            return self._wait_for_room(core, self._look)
        buffer = self.device.notifications
        self._found = buffer.has_completion() or buffer.has_notification()
        if self._waits == BY_MESSAGE and not self._found:
            cost += self.device.backend.notification_write
        core.spend(SCHEDULER, cost)
        self._state = _LOOK
        return RUNNING

    def _looked(self, core: Core) -> i64:
        if self._waits == UNDER_LOCK:
            self.lock.release(core.index)
            self.waiting = not self._found
        if self._found:
            return self._receive(core)
        if self._waits == BY_MESSAGE:
            self.device.tell(core, PARK, *self.heads())
        self.ended = PARKED
        return LEFT

    def _wait_for_room(self, core: Core, again: Callable[[Core], i64], room: int = 1) -> i64:
        self._state = _NO_ROOM
        self._room = room
        self._again = again
        self.device.backend.await_room(core, room)
        core.walk(self._room_walk)
        return SPINNING

    def _wait_for_lock(self, core: Core, again: Callable[[Core], i64]) -> i64:
        contended = self._costs.lock_contended
        core.spend(SCHEDULER, self.lock.wait(self._clock.now, contended) or contended)
        self._state = _LOCKED
        self._again = again
        return RUNNING

    def _take_slots(self, core: int, first: i64, index: i64, count: i64) -> i64:
        """Cost of owning the lines of ``count`` ring slots from ``index`` on."""
        cost: i64 = 0
        for slot in range(index, index + count):
            cost += self._lines.take(core, first + (slot & self._mask))
        return cost
