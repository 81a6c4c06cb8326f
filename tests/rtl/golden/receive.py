"""RX: from the door through the pipes to host memory, decided by the rules, in the order that the taps tell."""

from collections import Counter, deque
from dataclasses import dataclass
from typing import NamedTuple

from enso_nic.config import FLIT_BYTES, NicConfig
from tests.rtl.golden.registers import RingMemory, Settings, Window
from tests.rtl.golden.steering import (
    Key,
    Steering,
    Timestamp,
    drop_cause,
    flits,
    header_line,
    pipe_flits,
    refusal,
    stamped,
    steering_key,
)
from tests.rtl.golden.to_host import DataLine, Notification, Released, ToHost

NO_TIMESTAMP = Timestamp()


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
    miss: bool = False
    tag: int = 0
    header: bool = False
    per_packet: bool = False


@dataclass(frozen=True)
class Admission:
    """What the admission tap says, see enso_nic.layouts.AdmissionTap."""

    cause: str
    refusal: str = "none"
    timestamp: Timestamp = NO_TIMESTAMP
    full_tuple: bool = False


class Pipe:
    """An RX pipe. ``armed``: software has, or will get, a notification that covers what lies in it."""

    def __init__(self, number: int) -> None:
        self.number = number
        self.tail = 0
        self.armed = False
        self.drops = 0
        self.header_mode = Window(f"mode of pipe {number}", value=False)
        self.head = Window(f"rx_head of pipe {number}", 0)
        self.memory = Window(f"rx_mem of pipe {number}", RingMemory())


class EnteredFrame(NamedTuple):
    """A frame whose first beat has come; ``configs``: config requests known to be complete by then.

    ``settings``: those that it may meet, while it comes.
    """

    frame: bytes
    bad: bool
    is_open: bool
    may_find_no_room: bool
    configs: int
    tick: int
    settings: list[Settings]

    @property
    def flits(self) -> int:
        return -(-len(self.frame) // FLIT_BYTES)


class AdmittedFrame(NamedTuple):
    """A frame behind the door, with its time stamp; ``refusal``: why a pipe without header mode does not take it."""

    frame: bytes
    key: Key
    refusal: str
    tick: int
    configs: int


class Receive:
    """The RX half of the model.

    Attributes
    ----------
    steerings
        All there were since reset, one more after each config request; each frame may meet any that is not older than
        one met before, and that was not replaced before the frame came.
    timestamps
        Likewise the settings of time stamps.
    configs_complete
        How many config requests software knows to be complete.
    settings
        Of the extension page.
    """

    def __init__(self, config: NicConfig, to_host: ToHost, counters: Counter[str]) -> None:
        self._config = config
        self._to_host = to_host
        self._counters = counters
        self.steerings = [Steering.after_reset(config)]
        self.timestamps = [Timestamp()]
        self.settings = Window("settings", Settings(config.pipe_flits, config.notification_slots))
        self.configs_complete = 0
        self.pipes = [Pipe(number) for number in range(config.pipes)]
        self._door: deque[EnteredFrame] = deque()
        self._admitted: deque[AdmittedFrame] = deque()
        self._oldest_timestamp = 0  # that the next frame can meet
        # how many frames may have gone by count, and the oldest steering that the last frame can have met then
        self._met = {0: 0}

    def waiting(self) -> str:
        """What the taps have not told yet; empty if nothing."""
        if self._door or self._admitted:
            return f"the fates of {len(self._door)} frames at the door and {len(self._admitted)} behind it"
        return ""

    # --- the door -----------------------------------------------------------------------------------------------------

    def frame_begins(self, frame: bytes, *, bad: bool, is_open: bool, tick: int) -> None:
        """First beat of a frame; ``is_open``: the output ``ready``; ``tick``: of that cycle."""
        waiting = self._to_host.most_stored() + sum(entered.flits for entered in self._door)
        may_find_no_room = waiting > self._config.packet_buffer_flits - self._config.maximum_frame_flits
        settings = self.settings.follow()
        self._door.append(EnteredFrame(frame, bad, is_open, may_find_no_room, self.configs_complete, tick, settings))

    def admission(self, tap: Admission) -> None:
        """Fate of the next frame, as the admission tap tells it."""
        cause = tap.cause
        assert self._door, f"fate {cause} of a frame that never came"
        entered = self._door.popleft()
        self.settings.leave(entered.settings)
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
            self._to_host.store(entered.flits)
            self._admitted.append(self._admit(entered, tap))
        else:
            self._counters[cause] += 1

    def _admit(self, entered: EnteredFrame, tap: Admission) -> AdmittedFrame:
        """The frame as it comes in: with the time stamp that it met, and what it is to a pipe without header mode."""
        possible = range(max(self._oldest_timestamp, entered.configs), len(self.timestamps))
        met = [number for number in possible if self.timestamps[number] == tap.timestamp]
        assert met, f"a frame met {tap.timestamp}; accepted is one of {[self.timestamps[each] for each in possible]}"
        self._oldest_timestamp = met[0]
        frame, stamped_at = entered.frame, None
        if tap.timestamp.enabled:
            stamped_at = tap.timestamp.offset
            frame = stamped(frame, stamped_at, entered.tick)
        allowed = [
            (refusal(frame, accept_ipv6=settings.accept_ipv6), settings.full_tuple) for settings in entered.settings
        ]
        what = f"a frame of {len(frame)} bytes is refused as {tap.refusal}, full tuple {tap.full_tuple}"
        assert (tap.refusal, tap.full_tuple) in allowed, f"{what}; accepted is one of {allowed}"
        key = steering_key(frame, stamped_at, full_tuple=tap.full_tuple)
        return AdmittedFrame(frame, key, tap.refusal, entered.tick, entered.configs)

    # --- the pipes ----------------------------------------------------------------------------------------------------

    def settle(self, access: int) -> None:
        """What was written up to this MMIO access can be seen by all that follows."""
        for pipe in self.pipes:
            pipe.head.settle(access)
            pipe.memory.settle(access)
            pipe.header_mode.settle(access)
        self.settings.settle(access)

    def packet(self, tap: Commit) -> None:
        """The next packet, in the order of admission, goes where the commit tap says."""
        assert self._admitted, f"a packet for pipe {tap.page} that was not admitted"
        admitted = self._admitted.popleft()
        target = None if tap.miss else tap.page
        self._meet_steering(admitted, target)
        pipe = self.pipes[target] if target is not None and target < len(self.pipes) else None
        takes_all = pipe is not None and pipe.header_mode.see(lambda mode: mode == tap.header, f"seen as {tap.header}")

        if admitted.refusal != "none" and not takes_all:
            cause = admitted.refusal
        elif target is None:
            cause = "no_flow"
        elif pipe is None:
            cause = "pipe_disabled"
        else:
            cause = self._fill(pipe, admitted, tap)
        assert tap.cause == cause, f"pipe {target}: fate {tap.cause} instead of {cause}"
        if cause == "none":
            self._counters["rx_packets"] += 1
        else:
            assert not tap.notify, f"pipe {target}: a dropped packet notifies"
            self._counters[cause] += 1
            if pipe is not None:
                pipe.drops += 1
        self._to_host.leave(Released(-(-len(admitted.frame) // FLIT_BYTES), cause != "none"))

    def _meet_steering(self, admitted: AdmittedFrame, target: int | None) -> None:
        """Find the steerings that explain where the frame went."""
        key = admitted.key
        met: dict[int, int] = {}
        allowed: list[int | None] = []
        for count, oldest in self._met.items():
            for number in range(max(oldest, admitted.configs), len(self.steerings)):
                steering = self.steerings[number]
                allowed.append(steering.pipe(key, count))
                if allowed[-1] == target:
                    now = count + steering.goes_by_count(key)
                    met[now] = min(number, met.get(now, number))
        assert met, f"a frame with {key} went to {target}; accepted is one of {allowed}"
        self._met = met

    def _fill(self, pipe: Pipe, admitted: AdmittedFrame, tap: Commit) -> str:
        """A packet comes to its pipe: it notifies unless that is armed, and arms it; a drop leaves that as it was."""
        memory, head = self._seen(pipe, tap)
        lines = pipe_flits(admitted.frame)
        if tap.header:
            header = header_line(admitted.frame, admitted.key, arrival=admitted.tick, drops=pipe.drops)
            lines = [header, *flits(admitted.frame)]
        assert tap.flits == len(lines), f"a packet of {len(lines)} flits was taken for one of {tap.flits}"
        if not memory.enabled:
            return "pipe_disabled"
        size = memory.size
        if (head - pipe.tail - 1) % size < len(lines):  # one flit always stays free
            return "pipe_full"
        notify = not pipe.armed
        assert tap.notify == notify, f"pipe {pipe.number}: a packet notifies: {tap.notify} instead of {notify}"
        for position, line in enumerate(lines, pipe.tail):
            self._to_host.leave(DataLine(memory.address + FLIT_BYTES * (position % size), line))
        pipe.tail = (pipe.tail + len(lines)) % size
        per_packet = self.settings.see(
            lambda settings: settings.notify_per_packet == tap.per_packet, f"notify_per_packet seen as {tap.per_packet}"
        ).notify_per_packet
        pipe.armed = not per_packet
        if notify:
            self._to_host.notify(Notification(pipe.number, pipe.tail, memory.buffer))
        return "none"

    def check_head(self, pipe: Pipe, tap: Commit) -> None:
        """Software wrote rx_head: unread data is notified, and arms; no data, or a disabled pipe, disarms."""
        memory, head = self._seen(pipe, tap)
        tail = pipe.tail % memory.size
        notify = memory.enabled and (head - tail) % memory.size != 0
        assert tap.notify == notify, f"pipe {pipe.number}: a check notifies: {tap.notify} instead of {notify}"
        pipe.armed = notify
        if notify:
            self._to_host.notify(Notification(pipe.number, tail, memory.buffer))

    def _seen(self, pipe: Pipe, tap: Commit) -> tuple[RingMemory, int]:
        """The registers that the decision used."""
        assert tap.tail == pipe.tail, f"pipe {pipe.number}: tail {tap.tail} instead of {pipe.tail}"
        memory = pipe.memory.see(lambda value: value.enabled == tap.enabled, f"seen with enabled = {tap.enabled}")
        others = {other[::2] for other in pipe.memory.possible() if other.enabled} - {memory[::2]}
        # the tap does not tell which address: a bench that moves a ring must read a register of it in between
        assert not (memory.enabled and others), f"pipe {pipe.number} moved while packets may have been on their way"
        return memory, pipe.head.see(lambda value: value == tap.head, f"seen as {tap.head}")
