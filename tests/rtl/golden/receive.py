"""RX: from the door through the pipes to host memory, decided by the rules, in the order that the taps tell."""

from collections import Counter, deque
from dataclasses import dataclass
from typing import NamedTuple

from enso_nic.config import FLIT_BYTES, NicConfig
from tests.rtl.golden.registers import RingMemory, Window
from tests.rtl.golden.steering import Steering, drop_cause, pipe_flits, steering_key
from tests.rtl.golden.to_host import DataLine, Notification, Released, ToHost


@dataclass(frozen=True)
class Commit:
    """What the commit tap says, see enso_nic.layouts.CommitTap; enumerations as lower-case names."""

    packet: bool
    kind: str
    page: int
    flits: int
    head: int
    tail: int
    enabled: bool
    cause: str
    notify: bool
    tag: int = 0


class Pipe:
    """An RX pipe. ``armed``: software has, or will get, a notification that covers what lies in it."""

    def __init__(self, number: int) -> None:
        self.number = number
        self.tail = 0
        self.armed = False
        self.head = Window(f"rx_head of pipe {number}", 0)
        self.memory = Window(f"rx_mem of pipe {number}", RingMemory())


class EnteredFrame(NamedTuple):
    """A frame whose first beat has come; ``configs``: config requests known to be complete by then."""

    frame: bytes
    bad: bool
    is_open: bool
    may_find_no_room: bool
    configs: int

    @property
    def flits(self) -> int:
        return -(-len(self.frame) // FLIT_BYTES)


class Receive:
    """The RX half of the model.

    Attributes
    ----------
    steerings
        All there were since reset, one more after each config request; each frame may meet any that is not older than
        one met before, and that was not replaced before the frame came.
    configs_complete
        How many config requests software knows to be complete.
    """

    def __init__(self, config: NicConfig, to_host: ToHost, counters: Counter[str]) -> None:
        self._config = config
        self._to_host = to_host
        self._counters = counters
        self.steerings = [Steering.after_reset(config)]
        self.configs_complete = 0
        self.pipes = [Pipe(number) for number in range(config.pipes)]
        self._door: deque[EnteredFrame] = deque()
        self._admitted: deque[EnteredFrame] = deque()
        # how many frames may have gone by count, and the oldest steering that the last frame can have met then
        self._met = {0: 0}

    def waiting(self) -> str:
        """What the taps have not told yet; empty if nothing."""
        if self._door or self._admitted:
            return f"the fates of {len(self._door)} frames at the door and {len(self._admitted)} behind it"
        return ""

    # --- the door -----------------------------------------------------------------------------------------------------

    def frame_begins(self, frame: bytes, *, bad: bool, is_open: bool) -> None:
        """First beat of a frame; ``is_open``: the output ``ready``."""
        waiting = self._to_host.flits_waiting + sum(entered.flits for entered in self._door)
        may_find_no_room = waiting > self._config.packet_buffer_flits - self._config.maximum_frame_flits
        self._door.append(EnteredFrame(frame, bad, is_open, may_find_no_room, self.configs_complete))

    def admission(self, cause: str) -> None:
        """Fate of the next frame, as the admission tap tells it."""
        assert self._door, f"fate {cause} of a frame that never came"
        entered = self._door.popleft()
        frame = entered.frame
        by_bytes = drop_cause(frame, bad=entered.bad, maximum_frame=self._config.maximum_frame)
        if cause == "in_reset":
            assert not entered.is_open, "a frame was dropped as in_reset that began when the NIC was ready"
        elif cause == "packet_buffer_full" and by_bytes == "none":
            assert entered.may_find_no_room, "a frame found no room in a packet buffer that cannot have been full"
        else:
            assert cause == by_bytes, f"fate {cause} of a frame of {len(frame)} bytes, which is {by_bytes}"
        self._counters["rx_frames"] += 1
        if cause == "none":
            self._counters["rx_admitted"] += 1
            self._to_host.flits_waiting += len(pipe_flits(frame))
            self._admitted.append(entered)
        else:
            self._counters[cause] += 1

    # --- the pipes ----------------------------------------------------------------------------------------------------

    def settle(self, access: int) -> None:
        """What was written up to this MMIO access can be seen by all that follows."""
        for pipe in self.pipes:
            pipe.head.settle(access)
            pipe.memory.settle(access)

    def packet(self, tap: Commit) -> None:
        """The next packet, in the order of admission, goes where the commit tap says."""
        assert self._admitted, f"a packet for pipe {tap.page} that was not admitted"
        entered = self._admitted.popleft()
        flits = pipe_flits(entered.frame)
        assert tap.flits == len(flits), f"a packet of {len(flits)} flits was taken for one of {tap.flits}"
        target = None if tap.cause == "no_flow" else tap.page
        self._meet_steering(entered, target)

        if target is None:
            cause = "no_flow"
        elif target >= len(self.pipes):
            cause = "pipe_disabled"
        else:
            cause = self._fill(self.pipes[target], flits, tap)
        assert tap.cause == cause, f"pipe {target}: fate {tap.cause} instead of {cause}"
        if cause != "none":
            assert not tap.notify, f"pipe {target}: a dropped packet notifies"
            self._counters[cause] += 1
        self._to_host.owe(Released(len(flits)))

    def _meet_steering(self, entered: EnteredFrame, target: int | None) -> None:
        """Find the steerings that explain where the frame went."""
        key = steering_key(entered.frame)
        met: dict[int, int] = {}
        allowed: list[int | None] = []
        for count, oldest in self._met.items():
            for number in range(max(oldest, entered.configs), len(self.steerings)):
                steering = self.steerings[number]
                allowed.append(steering.pipe(key, count))
                if allowed[-1] == target:
                    now = count + steering.goes_by_count(key)
                    met[now] = min(number, met.get(now, number))
        assert met, f"a frame with {key} went to {target}; accepted is one of {allowed}"
        self._met = met

    def _fill(self, pipe: Pipe, flits: list[bytes], tap: Commit) -> str:
        """A packet comes to its pipe: it notifies unless that is armed, and arms it; a drop leaves all as it was."""
        memory, head = self._seen(pipe, tap)
        if not memory.enabled:
            return "pipe_disabled"
        size = self._config.pipe_flits
        if (head - pipe.tail - 1) % size < len(flits):  # one flit always stays free
            return "pipe_full"
        notify = not pipe.armed
        assert tap.notify == notify, f"pipe {pipe.number}: a packet notifies: {tap.notify} instead of {notify}"
        for position, line in enumerate(flits, pipe.tail):
            self._to_host.owe(DataLine(memory.address + FLIT_BYTES * (position % size), line))
        pipe.tail = (pipe.tail + len(flits)) % size
        pipe.armed = True
        if notify:
            self._to_host.owe(Notification(pipe.number, pipe.tail, memory.buffer))
        return "none"

    def check_head(self, pipe: Pipe, tap: Commit) -> None:
        """Software wrote rx_head: unread data is notified, and arms; no data, or a disabled pipe, disarms."""
        memory, head = self._seen(pipe, tap)
        tail = pipe.tail % self._config.pipe_flits
        notify = memory.enabled and (head - tail) % self._config.pipe_flits != 0
        assert tap.notify == notify, f"pipe {pipe.number}: a check notifies: {tap.notify} instead of {notify}"
        pipe.armed = notify
        if notify:
            self._to_host.owe(Notification(pipe.number, tail, memory.buffer))

    def _seen(self, pipe: Pipe, tap: Commit) -> tuple[RingMemory, int]:
        """The registers that the decision used."""
        assert tap.tail == pipe.tail, f"pipe {pipe.number}: tail {tap.tail} instead of {pipe.tail}"
        memory = pipe.memory.see(lambda value: value.enabled == tap.enabled, f"seen with enabled = {tap.enabled}")
        others = {other.value for other in pipe.memory.possible() if other.enabled} - {memory.value}
        # the tap does not tell which address: a bench that moves a ring must read a register of it in between
        assert not (memory.enabled and others), f"pipe {pipe.number} moved while packets may have been on their way"
        return memory, pipe.head.see(lambda value: value == tap.head, f"seen as {tap.head}")
